//! Records into Kafka topics: without keys, round robin over the partitions, with counts of what arrived.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use super::{Output, OutputError};
use crate::settings::StreamKind;
use crate::simulation::Record;

/// How long the broker may take to say which partitions a topic has.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a full queue is waited for at a time.
const QUEUE_WAIT: Duration = Duration::from_millis(5);
/// How long the broker may take for what is on its way at the end.
const FINISH_TIMEOUT: Duration = Duration::from_secs(60);
/// Settings that the caller's go over: small memory, batches that leave soon.
const DEFAULTS: [(&str, &str); 4] = [
    ("linger.ms", "5"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.kbytes", "65536"),
    ("topic.metadata.refresh.interval.ms", "10000"),
];

/// What arrived in one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that the broker confirmed.
    pub messages: u64,
    /// Their payload's bytes, before compression.
    pub bytes: u64,
    /// The offset after the last one; 0 before the first.
    pub next_offset: i64,
}

#[derive(Debug, Default)]
struct PartitionCounts {
    messages: AtomicU64,
    bytes: AtomicU64,
    next_offset: AtomicI64,
}

#[derive(Debug)]
struct Topic {
    stream: StreamKind,
    name: String,
    partitions: Vec<PartitionCounts>,
}

/// What the client's thread counts.
#[derive(Debug, Default)]
struct Counts {
    topics: OnceLock<Vec<Topic>>,
    failed: AtomicU64,
    failure: Mutex<Option<String>>,
}

struct Context(Arc<Counts>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                self.0.arrived(message.topic(), message.partition(), message.offset(), message.payload_len())
            }
            Err((error, message)) => self.0.lost(message.topic(), error),
        }
    }
}

impl Counts {
    fn arrived(&self, topic: &str, partition: i32, offset: i64, bytes: usize) {
        let topic = self.topics.get().and_then(|topics| topics.iter().find(|t| t.name == topic));
        let counts = usize::try_from(partition).ok().and_then(|partition| topic?.partitions.get(partition));
        if let Some(counts) = counts {
            counts.messages.fetch_add(1, Ordering::Relaxed);
            counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            counts.next_offset.fetch_max(offset + 1, Ordering::Relaxed);
        }
    }

    fn lost(&self, topic: &str, error: &KafkaError) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failure = self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        failure.get_or_insert_with(|| format!("topic `{topic}`: {error}"));
    }
}

/// Sends records to Kafka.
pub struct Producer {
    client: ThreadedProducer<Context>,
    counts: Arc<Counts>,
    /// Where the next record of each stream goes, by the stream's index.
    turns: [usize; StreamKind::ALL.len()],
}

impl Producer {
    /// Connects to `brokers` (`host:port,host:port`). `settings` are librdkafka's own and go over ours; `topics` says
    /// which topic each stream goes to; records of others are passed over.
    ///
    /// # Errors
    /// If a setting is unknown, no broker answers within ten seconds, or a topic is not there.
    pub fn new(
        brokers: &str,
        settings: &[(String, String)],
        topics: &[(StreamKind, String)],
    ) -> Result<Self, OutputError> {
        let mut config = ClientConfig::new();
        DEFAULTS.iter().for_each(|(name, value)| _ = config.set(*name, *value));
        settings.iter().for_each(|(name, value)| _ = config.set(name, value));
        config.set("bootstrap.servers", brokers);
        let counts = Arc::new(Counts::default());
        let client: ThreadedProducer<Context> = config
            .create_with_context(Context(Arc::clone(&counts)))
            .map_err(|error| OutputError::Kafka(format!("the Kafka settings are refused: {error}")))?;
        let topic = |(stream, name): &(StreamKind, String)| {
            let partitions = partitions(&client, brokers, name)?;
            let partitions = (0..partitions).map(|_| PartitionCounts::default()).collect();
            Ok(Topic { stream: *stream, name: name.clone(), partitions })
        };
        let topics = topics.iter().map(topic).collect::<Result<Vec<_>, OutputError>>()?;
        counts.topics.get_or_init(|| topics);
        Ok(Self { client, counts, turns: [0; StreamKind::ALL.len()] })
    }

    fn topics(&self) -> &[Topic] {
        self.counts.topics.get().map_or(&[], Vec::as_slice)
    }

    /// Sends one record; while the client's queue is full, it waits. That it arrived is known later: see
    /// [`delivered`](Self::delivered) and [`flush`](Self::flush).
    ///
    /// # Errors
    /// If the client refuses it, as when it is larger than the broker takes.
    pub fn send(&mut self, record: &Record) -> Result<(), OutputError> {
        let Some(topic) = self.counts.topics.get().and_then(|t| t.iter().find(|t| t.stream == record.stream)) else {
            return Ok(());
        };
        let turn = &mut self.turns[record.stream.index()];
        *turn = (*turn + 1) % topic.partitions.len();
        let partition = i32::try_from(*turn).expect("a topic's partitions are numbered with 32 bits");
        let mut message = BaseRecord::<(), [u8]>::to(&topic.name).partition(partition).payload(record.json.as_bytes());
        loop {
            match self.client.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    message = returned;
                    self.client.poll(QUEUE_WAIT);
                }
                Err((error, _)) => {
                    let text = format!(
                        "a record of {} bytes for topic `{}` was refused: {error}",
                        record.json.len(),
                        topic.name
                    );
                    return Err(OutputError::Kafka(text));
                }
            }
        }
    }

    /// What arrived so far, by partition; empty for a stream that is not sent.
    #[must_use]
    pub fn delivered(&self, stream: StreamKind) -> Vec<Delivered> {
        let topic = self.topics().iter().find(|topic| topic.stream == stream);
        let of = |counts: &PartitionCounts| Delivered {
            messages: counts.messages.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            next_offset: counts.next_offset.load(Ordering::Relaxed),
        };
        topic.map_or_else(Vec::new, |topic| topic.partitions.iter().map(of).collect())
    }

    /// How many records the broker did not take.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.counts.failed.load(Ordering::Relaxed)
    }

    /// Waits until everything sent is confirmed.
    ///
    /// # Errors
    /// If that takes longer than `timeout`, or a record did not arrive.
    pub fn flush(&mut self, timeout: Duration) -> Result<(), OutputError> {
        self.client.flush(timeout).map_err(|error| {
            let left = self.client.in_flight_count();
            OutputError::Kafka(format!("{left} records were not confirmed within {} s: {error}", timeout.as_secs()))
        })?;
        let failure = self.counts.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*failure {
            None => Ok(()),
            Some(first) => {
                Err(OutputError::Kafka(format!("{} records were not taken; the first: {first}", self.failed())))
            }
        }
    }
}

impl Output for Producer {
    fn write(&mut self, record: &Record) -> Result<(), OutputError> {
        self.send(record)
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        self.flush(FINISH_TIMEOUT)
    }
}

fn partitions(client: &ThreadedProducer<Context>, brokers: &str, topic: &str) -> Result<usize, OutputError> {
    let metadata = client.client().fetch_metadata(Some(topic), METADATA_TIMEOUT).map_err(|error| {
        OutputError::Kafka(format!("no answer from Kafka at {brokers}: {error}; check the address and that it runs"))
    })?;
    let found = metadata.topics().iter().find(|t| t.name() == topic).map_or(0, |t| t.partitions().len());
    if found == 0 {
        let text =
            format!("Kafka at {brokers} has no topic `{topic}`: create it first, with as many partitions as you want");
        return Err(OutputError::Kafka(text));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::settings::Settings;
    use crate::simulation::Simulation;

    #[test]
    fn records_arrive_round_robin_and_are_counted() {
        let cluster = MockCluster::new(1).expect("a mock cluster");
        cluster.create_topic("audit", 3, 1).expect("a topic");
        cluster.create_topic("access", 1, 1).expect("a topic");
        let topics = [(StreamKind::CloudTrail, "audit".into()), (StreamKind::Api, "access".into())];
        let settings = [("compression.type".to_string(), "zstd".to_string())];
        let mut producer = Producer::new(&cluster.bootstrap_servers(), &settings, &topics).expect("a producer");
        let records: Vec<Record> = Simulation::new(&Settings { records: Some(600), ..Settings::new(1, 0) }).collect();
        records.iter().for_each(|record| producer.send(record).expect("sent"));
        producer.flush(Duration::from_secs(20)).expect("delivered");

        let of = |stream| records.iter().filter(move |r| r.stream == stream);
        let audit = producer.delivered(StreamKind::CloudTrail);
        assert_eq!(audit.len(), 3);
        assert_eq!(audit.iter().map(|d| d.messages).sum::<u64>(), of(StreamKind::CloudTrail).count() as u64);
        let bytes: usize = of(StreamKind::CloudTrail).map(|r| r.json.len()).sum();
        assert_eq!(audit.iter().map(|d| d.bytes).sum::<u64>(), bytes as u64);
        let (least, most) = (audit.iter().map(|d| d.messages).min(), audit.iter().map(|d| d.messages).max());
        assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1));
        let access = producer.delivered(StreamKind::Api);
        assert_eq!(access[0].next_offset, of(StreamKind::Api).count() as i64);
        assert!(producer.delivered(StreamKind::Lambda).is_empty());
        assert_eq!(producer.failed(), 0);
    }

    #[test]
    fn mistakes_are_told() {
        let cluster = MockCluster::new(1).expect("a mock cluster");
        cluster.create_topic("audit", 1, 1).expect("a topic");
        let make = |name: &str, value: &str| {
            let settings = [(name.to_string(), value.to_string())];
            let topics = [(StreamKind::CloudTrail, "audit".to_string())];
            Producer::new(&cluster.bootstrap_servers(), &settings, &topics).err().map(|error| error.to_string())
        };
        let unknown = make("compression.kind", "zstd").expect("refused");
        assert!(unknown.contains("compression.kind"), "{unknown}");
        assert_eq!(make("compression.type", "lz4"), None);
    }
}
