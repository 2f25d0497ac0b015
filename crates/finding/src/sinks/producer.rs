//! Messages into one Kafka topic: all of them, counted in the order in which they were taken.
//!
//! librdkafka keeps what is not delivered and sends it again without end (`message.timeout.ms = 0`), idempotently, so
//! within one client's life no message is there twice and those of one key keep their order. What it gives back all
//! the same (a missing topic, a missing right) is kept here and handed over again each second; on a fatal error the
//! client is made anew. In both cases order may suffer and a message may be there twice: receivers go by finding id
//! and revision. Bytes kept in all are bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use watchfire_record::Clock;

use super::SinkError;

/// Bytes that a message costs beyond its own.
const OVERHEAD: usize = 128;
/// Microseconds before what was given back is tried again.
const RETRY_AFTER: i64 = 1_000_000;

/// How long a flush waits before what was given back is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Settings that are ours, whatever the user's say: losing nothing rests on them.
const FIXED: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("message.timeout.ms", "0"),
    ("queue.buffering.max.messages", "0"),
    ("queue.buffering.max.kbytes", "2097151"),
];

/// Settings that the user's go before.
const PREFERRED: [(&str, &str); 4] =
    [("client.id", "watchfire"), ("linger.ms", "5"), ("compression.type", "lz4"), ("reconnect.backoff.max.ms", "500")];

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) key: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Message {
    fn cost(&self) -> usize {
        self.key.len() + self.payload.len() + OVERHEAD
    }
}

/// Writes messages to one topic.
pub(super) struct TopicProducer {
    name: String,
    topic: String,
    config: ClientConfig,
    producer: ThreadedProducer<Delivery>,
    outbox: Arc<Outbox>,
    clock: Arc<dyn Clock>,
    capacity: usize,
    taken: u64,
    retry_at: i64,
}

impl TopicProducer {
    /// A client that keeps at most `capacity` bytes. Does not wait for a broker.
    pub(super) fn open(
        name: &str,
        topic: &str,
        settings: &BTreeMap<String, String>,
        capacity: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SinkError> {
        check_topic(name, topic)?;
        if settings.get("bootstrap.servers").is_none_or(|brokers| brokers.trim().is_empty()) {
            let help = "set kafka.brokers to host:port of one or more brokers";
            return Err(SinkError::failed(name, "it has no brokers to write to", help));
        }
        let mut config = ClientConfig::new();
        for (key, value) in PREFERRED {
            config.set(key, value);
        }
        for (key, value) in settings {
            config.set(key, value);
        }
        for (key, value) in FIXED {
            config.set(key, value);
        }
        let outbox = Arc::new(Outbox::new(topic));
        let producer = client(name, &config, &outbox)?;
        let (name, topic) = (name.into(), topic.into());
        Ok(Self { name, topic, config, producer, outbox, clock, capacity, taken: 0, retry_at: i64::MIN })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes all messages, or none.
    pub(super) fn send(&mut self, messages: Vec<Message>) -> Result<(), SinkError> {
        self.tend(false);
        let cost: usize = messages.iter().map(Message::cost).sum();
        self.outbox.reserve(cost, self.capacity).map_err(|waiting| SinkError::Full {
            sink: self.name.clone(),
            waiting,
            reason: self.outbox.trouble(),
        })?;
        for message in messages {
            let number = self.taken;
            self.taken += 1;
            self.hand_over(number, message);
        }
        Ok(())
    }

    pub(super) fn flush(&mut self, within: Duration) -> Result<(), SinkError> {
        let deadline = self.clock.now().saturating_add(i64::try_from(within.as_micros()).unwrap_or(i64::MAX));
        let mut left = within;
        let waiting = loop {
            self.tend(true);
            // Whether it was enough is seen by what is delivered.
            let _ = self.producer.flush(left);
            let waiting = self.taken - self.outbox.state().next;
            let is_given_back = !self.outbox.state().returned.is_empty();
            if waiting == 0 {
                return Ok(());
            }
            left = left.saturating_sub(PAUSE);
            if !is_given_back || left.is_zero() || self.clock.now() >= deadline {
                break waiting;
            }
            std::thread::sleep(PAUSE);
        };
        Err(SinkError::Unfinished { sink: self.name.clone(), waiting, reason: self.outbox.trouble() })
    }

    pub(super) fn acknowledged(&mut self) -> u64 {
        self.tend(false);
        self.outbox.state().next
    }

    pub(super) fn undeliverable(&self) -> u64 {
        self.outbox.state().undeliverable
    }

    /// Makes a broken client anew, and hands over again what was given back, if it is `now` or time to.
    fn tend(&mut self, now: bool) {
        let renewed = self.renew_if_broken();
        let time = self.clock.now();
        if !(now || renewed || time >= self.retry_at) {
            return;
        }
        let returned = std::mem::take(&mut self.outbox.state().returned);
        if returned.is_empty() {
            return;
        }
        self.retry_at = time.saturating_add(RETRY_AFTER);
        for (number, message) in returned {
            self.hand_over(number, message);
        }
    }

    fn renew_if_broken(&mut self) -> bool {
        let Some((code, reason)) = self.producer.client().fatal_error() else { return false };
        tracing::error!(sink = self.name, "the Kafka client failed ({code}): {reason}; a new one takes its place");
        match client(&self.name, &self.config, &self.outbox) {
            Ok(producer) => {
                // Dropping the old one gives back what it did not deliver.
                drop(std::mem::replace(&mut self.producer, producer));
                true
            }
            Err(error) => {
                self.outbox.set_trouble(error.to_string());
                false
            }
        }
    }

    fn hand_over(&self, number: u64, message: Message) {
        let opaque = usize::try_from(number).expect("a process sends fewer messages than it has addresses");
        let record = BaseRecord::with_opaque_to(&self.topic, opaque).key(&message.key).payload(&message.payload);
        let error = self.producer.send(record).err().map(|(error, _)| error);
        if let Some(error) = error {
            self.outbox.refused(number, &error, message);
        }
    }
}

fn check_topic(name: &str, topic: &str) -> Result<(), SinkError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=249).contains(&topic.len()) && topic.chars().all(is_allowed) && topic != "." && topic != ".." {
        return Ok(());
    }
    let what = format!("`{}` is no name of a Kafka topic", crate::escape::escape(topic));
    Err(SinkError::failed(name, what, "use 1 to 249 of the characters A-Z a-z 0-9 . _ -"))
}

fn client(name: &str, config: &ClientConfig, outbox: &Arc<Outbox>) -> Result<ThreadedProducer<Delivery>, SinkError> {
    ThreadedProducer::from_config_and_context(config, Delivery(Arc::clone(outbox))).map_err(|error| {
        let what = match error {
            // The message may quote the value, and the value may be a secret.
            KafkaError::ClientConfig(_, _, key, _) if is_secret(&key) => format!("Kafka setting `{key}` is wrong"),
            KafkaError::ClientConfig(_, description, key, _) => format!("Kafka setting `{key}`: {description}"),
            KafkaError::ClientCreation(reason) => format!("no Kafka client can be made: {reason}"),
            other => format!("no Kafka client can be made: {other}"),
        };
        SinkError::failed(name, what, "mend the settings under `kafka`")
    })
}

fn is_secret(key: &str) -> bool {
    ["password", "secret", "pem", "key", "token", "jaas", "oauthbearer"].iter().any(|word| key.contains(word))
}

/// What was taken and is not yet delivered.
struct Outbox {
    topic: String,
    state: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// All below this are delivered.
    next: u64,
    /// Delivered, above `next`.
    done: BTreeSet<u64>,
    /// Given back by the client.
    returned: BTreeMap<u64, Message>,
    bytes: usize,
    undeliverable: u64,
    trouble: Option<String>,
}

impl Waiting {
    fn finish(&mut self, number: u64, cost: usize) {
        self.bytes = self.bytes.saturating_sub(cost);
        self.done.insert(number);
        while self.done.remove(&self.next) {
            self.next += 1;
        }
    }
}

impl Outbox {
    fn new(topic: &str) -> Self {
        Self { topic: topic.into(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room; on an error says how many bytes are there. An empty outbox takes even what is larger than it.
    fn reserve(&self, cost: usize, capacity: usize) -> Result<(), usize> {
        let mut state = self.state();
        if state.bytes > 0 && state.bytes + cost > capacity {
            return Err(state.bytes);
        }
        state.bytes += cost;
        Ok(())
    }

    fn delivered(&self, number: u64, cost: usize) {
        let mut state = self.state();
        state.finish(number, cost);
        state.trouble = None;
    }

    /// The client or the broker did not take a message.
    fn refused(&self, number: u64, error: &KafkaError, message: Message) {
        let code = error.rdkafka_error_code();
        let mut state = self.state();
        if matches!(code, Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord)) {
            let (key, size) = (String::from_utf8_lossy(&message.key), message.payload.len());
            tracing::error!(
                "topic {} takes no message of {size} bytes (key {key}): {error}; it is left out",
                self.topic
            );
            state.undeliverable += 1;
            state.finish(number, message.cost());
            return;
        }
        if !matches!(code, Some(Code::PurgeQueue | Code::PurgeInflight | Code::Fatal | Code::QueueFull)) {
            state.trouble = Some(explain(error, &self.topic));
        }
        state.returned.insert(number, message);
    }

    fn trouble(&self) -> String {
        self.state().trouble.clone().unwrap_or_else(|| format!("the broker is slow to take them into {}", self.topic))
    }

    fn set_trouble(&self, trouble: String) {
        self.state().trouble = Some(trouble);
    }
}

/// What an error means, and what to do.
fn explain(error: &KafkaError, topic: &str) -> String {
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
            format!("topic `{topic}` does not exist: create it")
        }
        Some(Code::TopicAuthorizationFailed) => {
            format!("this user may not write topic `{topic}`: grant Describe and Write on it")
        }
        Some(Code::ClusterAuthorizationFailed) => {
            "this user may not write idempotently: grant IdempotentWrite on the cluster".into()
        }
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => {
            "the broker refused the user or the password: check `kafka.security`".into()
        }
        Some(Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve) => {
            "no broker answers: check `kafka.brokers`, and that the broker runs".into()
        }
        _ => format!("Kafka says: {error}"),
    }
}

/// Hears what becomes of messages, and what librdkafka has to say.
struct Delivery(Arc<Outbox>);

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        match level {
            Emerg | Alert | Critical | Error => tracing::error!(target: "librdkafka", "{facility} {message}"),
            Warning => tracing::warn!(target: "librdkafka", "{facility} {message}"),
            Notice | Info => tracing::info!(target: "librdkafka", "{facility} {message}"),
            Debug => tracing::debug!(target: "librdkafka", "{facility} {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let trouble = explain(&error, &self.0.topic);
        tracing::warn!(target: "librdkafka", "{reason}");
        self.0.set_trouble(trouble);
    }
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let number = number as u64;
        let owned = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
        match result {
            Ok(message) => {
                let cost = message.key_len() + message.payload_len() + OVERHEAD;
                self.0.delivered(number, cost);
            }
            Err((error, message)) => {
                let message = Message { key: owned(message.key()), payload: owned(message.payload()) };
                self.0.refused(number, error, message);
            }
        }
    }
}

#[cfg(test)]
mod tests;
