//! A topic of JSON lines, read as they come.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::broker::{Broker, PATIENCE};
use crate::waiting::Deadline;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(50);

/// One message.
pub struct Line {
    /// When the broker took it, milliseconds since the epoch.
    pub taken: i64,
    /// What it says.
    pub json: Value,
}

impl Line {
    /// A text within it by its path, as in `/row/event_id`; empty if there is none.
    pub fn text(&self, path: &str) -> &str {
        self.json.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Reads the only partition of a topic from its beginning.
pub struct Tail {
    consumer: BaseConsumer,
    topic: String,
    next: i64,
    /// What was read so far.
    pub lines: Vec<Line>,
}

impl Tail {
    /// Nothing read yet.
    pub fn of(broker: &Broker, topic: &str) -> Self {
        let mut config = broker.client();
        config.set("reconnect.backoff.max.ms", "500").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("the settings are right");
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset(topic, 0, Offset::Beginning).expect("the offset is valid");
        consumer.assign(&partitions).expect("the partition exists");
        Self { consumer, topic: topic.into(), next: 0, lines: Vec::new() }
    }

    /// Reads until it is enough; false if it was not in time.
    pub fn read_until(&mut self, within: Duration, enough: impl Fn(&[Line]) -> bool) -> bool {
        let deadline = Deadline::within(within);
        while !enough(&self.lines) {
            if deadline.is_over() {
                return false;
            }
            self.read(POLL);
        }
        true
    }

    /// Reads all that is there by now.
    pub fn read_to_end(&mut self) {
        let (_, end) = self.consumer.fetch_watermarks(&self.topic, 0, PATIENCE).expect("the broker answers");
        let deadline = Deadline::within(PATIENCE);
        while self.next < end {
            assert!(!deadline.is_over(), "{} ends at {end}, read up to {}", self.topic, self.next);
            self.read(POLL);
        }
    }

    /// Reads one message, if one comes. Errors pass: a broker that is away comes back, or the caller's time runs out.
    fn read(&mut self, wait: Duration) {
        let Some(Ok(message)) = self.consumer.poll(wait) else { return };
        let payload = message.payload().expect("each message has a payload");
        let json = serde_json::from_slice(payload).expect("each message is JSON");
        self.lines.push(Line { taken: message.timestamp().to_millis().expect("each message has a time"), json });
        self.next = message.offset() + 1;
    }
}
