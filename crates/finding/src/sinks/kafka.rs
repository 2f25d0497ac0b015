//! Findings and rejected records as messages in a Kafka topic.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::{Clock, Finding, Reject, Value};

use super::file::line;
use super::producer::{Message, TopicProducer};
use super::{LineFormat, OUTBOX_BYTES, RejectSink, Sink, SinkError};
use crate::group::message_key;
use crate::json::reject_to_json;

/// Bytes of a message's text. A finding beyond it has its long texts cut, and says `complete: false`: brokers take
/// 1 MiB unless told otherwise, and a record may hold values of many.
const MESSAGE_BYTES: usize = 900_000;
/// Characters that are left of a text that is cut, at each end.
const KEPT: usize = 500;

/// Findings as messages, keyed by detector and key. A finding is safe once all in-sync replicas have it.
pub struct KafkaSink {
    producer: TopicProducer,
    format: LineFormat,
    clock: Arc<dyn Clock>,
}

impl KafkaSink {
    /// A client for `topic`; `settings` are librdkafka's: brokers and security among them.
    ///
    /// # Errors
    /// If a setting is wrong. A broker that does not answer is no error: findings wait for it.
    pub fn open(
        name: &str,
        topic: &str,
        settings: &BTreeMap<String, String>,
        format: LineFormat,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SinkError> {
        let producer = TopicProducer::open(name, topic, settings, OUTBOX_BYTES, Arc::clone(&clock))?;
        Ok(Self { producer, format, clock })
    }

    fn message(&self, finding: &Finding) -> Message {
        let text = |finding: &Finding| line(finding, self.format, &*self.clock);
        let mut payload = text(finding);
        if payload.len() > MESSAGE_BYTES {
            payload = text(&with_short_texts(finding));
        }
        Message { key: message_key(finding).into_bytes(), payload: payload.into_bytes() }
    }
}

impl Sink for KafkaSink {
    fn name(&self) -> &str {
        self.producer.name()
    }

    fn send(&mut self, findings: &[Finding]) -> Result<(), SinkError> {
        let messages = findings.iter().map(|finding| self.message(finding)).collect();
        self.producer.send(messages)
    }

    fn flush(&mut self, within: Duration) -> Result<(), SinkError> {
        self.producer.flush(within)
    }

    fn acknowledged(&mut self) -> u64 {
        self.producer.acknowledged()
    }

    fn undeliverable(&self) -> u64 {
        self.producer.undeliverable()
    }
}

fn with_short_texts(finding: &Finding) -> Finding {
    let mut short = finding.clone();
    for (_, value) in short.keys.iter_mut().chain(&mut short.row) {
        if let Value::Text(text) = value {
            *text = cut(text).into_owned();
        }
    }
    for evidence in &mut short.evidence {
        evidence.event_id = cut(&evidence.event_id).into_owned();
    }
    short.complete = false;
    short
}

fn cut(text: &str) -> Cow<'_, str> {
    let head = text.char_indices().nth(KEPT).map_or(text.len(), |(at, _)| at);
    let tail = text.char_indices().rev().nth(KEPT - 1).map_or(0, |(at, _)| at);
    if head >= tail { Cow::Borrowed(text) } else { Cow::Owned(format!("{}…{}", &text[..head], &text[tail..])) }
}

/// Rejected records as messages, keyed by where they came from.
pub struct KafkaRejectSink(TopicProducer);

impl KafkaRejectSink {
    /// A client for `topic`; `settings` are librdkafka's: brokers and security among them.
    ///
    /// # Errors
    /// If a setting is wrong. A broker that does not answer is no error: rejects wait for it.
    pub fn open(
        name: &str,
        topic: &str,
        settings: &BTreeMap<String, String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SinkError> {
        TopicProducer::open(name, topic, settings, OUTBOX_BYTES, clock).map(Self)
    }
}

impl RejectSink for KafkaRejectSink {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn send(&mut self, rejects: &[Reject], detectors: &[Arc<str>]) -> Result<(), SinkError> {
        let message = |reject: &Reject| Message {
            key: reject.position.partition.to_string().into_bytes(),
            payload: reject_to_json(reject, detectors).into_bytes(),
        };
        self.0.send(rejects.iter().map(message).collect())
    }

    fn flush(&mut self, within: Duration) -> Result<(), SinkError> {
        self.0.flush(within)
    }

    fn acknowledged(&mut self) -> u64 {
        self.0.acknowledged()
    }
}

#[cfg(test)]
mod tests;
