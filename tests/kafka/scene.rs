//! What a test of the whole program is made of: topics of its own, a producer, and programs that read and write them.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::broker::Broker;
use crate::program::Program;
use crate::tail::Tail;

/// How long the broker may take for all that was sent to it.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);

/// Topics `NAME`, `NAME-findings` and `NAME-rejects`, and a group `NAME`.
pub struct Scene<'a> {
    /// The broker that has them.
    pub broker: &'a Broker,
    name: &'static str,
    producer: BaseProducer,
}

impl<'a> Scene<'a> {
    /// With a topic of so many partitions to read from.
    pub fn new(broker: &'a Broker, name: &'static str, partitions: i32) -> Self {
        let scene = Self::without_topic(broker, name);
        scene.create_topic(partitions);
        scene
    }

    /// With nothing to read from.
    pub fn without_topic(broker: &'a Broker, name: &'static str) -> Self {
        for output in ["findings", "rejects"] {
            broker.create_timed_topic(&format!("{name}-{output}"), 1);
        }
        Self { broker, name, producer: producer(broker) }
    }

    /// Makes the topic to read from.
    pub fn create_topic(&self, partitions: i32) {
        self.broker.create_timed_topic(self.name, partitions);
    }

    /// Gives it more partitions, so many in all.
    pub fn add_partitions(&mut self, all: usize) {
        self.broker.add_partitions(self.name, all);
        // A producer that knew the topic before does not know its new partitions for a while.
        self.producer = producer(self.broker);
    }

    /// A program with this detector that reads and writes the topics; not ready yet.
    pub fn program(&self, rule: &str, settings: &[&str]) -> Program {
        Program::start(rule, &self.settings(settings))
    }

    /// The same with a folder of detectors, by name.
    pub fn program_of(&self, rules: &[(&str, String)], settings: &[&str]) -> Program {
        Program::start_all(rules, &self.settings(settings))
    }

    fn settings(&self, settings: &[&str]) -> Vec<String> {
        let name = self.name;
        let mut all = vec![
            format!("kafka.brokers={}", self.broker.plaintext),
            format!("kafka.group={name}"),
            format!("streams.cloudtrail.topic={name}"),
            "sinks.findings.type=kafka".into(),
            format!("sinks.findings.topic={name}-findings"),
            "rejects.type=kafka".into(),
            format!("rejects.topic={name}-rejects"),
        ];
        all.extend(settings.iter().map(ToString::to_string));
        all
    }

    /// Hands a record to the producer. [`Self::flush`] waits until the broker has it.
    pub fn send(&self, partition: i32, payload: Option<&[u8]>) {
        let mut record = BaseRecord::<(), [u8]>::to(self.name).partition(partition);
        record.payload = payload;
        while let Err((error, back)) = self.producer.send(record) {
            assert!(matches!(error, KafkaError::MessageProduction(Code::QueueFull)), "{error}");
            self.producer.poll(Duration::from_millis(100));
            record = back;
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until the broker has all that was sent.
    pub fn flush(&self) {
        self.producer.flush(FLUSH_WITHIN).expect("the broker takes what was sent");
    }

    /// The records that were sent, of a topic with one partition.
    pub fn records(&self) -> Tail {
        Tail::of(self.broker, self.name)
    }

    /// The findings.
    pub fn findings(&self) -> Tail {
        Tail::of(self.broker, &format!("{}-findings", self.name))
    }

    /// The rejects.
    pub fn rejects(&self) -> Tail {
        Tail::of(self.broker, &format!("{}-rejects", self.name))
    }
}

/// Keeps what is not delivered, and sends it again without end.
fn producer(broker: &Broker) -> BaseProducer {
    let mut config = broker.client();
    config.remove("group.id");
    config.set("enable.idempotence", "true").set("message.timeout.ms", "0").set("message.max.bytes", "16777216");
    config.set("linger.ms", "0").set("reconnect.backoff.max.ms", "500");
    config.create().expect("the settings are right")
}
