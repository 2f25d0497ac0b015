//! The source against the embedded broker.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{SimulatedClock, SystemClock};

use super::*;
use crate::kafka::embedded::EmbeddedBroker;
use crate::kafka::settings::StartFrom;

const WAIT: Duration = Duration::from_millis(50);
/// Polls after which a test gives up: half a minute or more when nothing comes.
const PATIENCE: usize = 600;

fn producer(broker: &EmbeddedBroker) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .set("linger.ms", "1")
        .set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg)
        .create()
        .unwrap()
}

fn produce(producer: &BaseProducer, topic: &str, partition: i32, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&text);
        producer.send(record).map_err(|(e, _)| e).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
}

fn connect(broker: &EmbeddedBroker, group: &str, topics: &[&str]) -> KafkaSource {
    connect_with(&broker.settings(group), topics)
}

fn connect_with(settings: &KafkaSettings, topics: &[&str]) -> KafkaSource {
    let topics: Vec<(String, usize)> = topics.iter().enumerate().map(|(i, t)| ((*t).to_string(), i)).collect();
    KafkaSource::connect(settings, &topics, Arc::new(SystemClock)).unwrap()
}

/// A member as the engine is one: takes, counts as done at once, commits at hand-over.
struct Member {
    source: KafkaSource,
    seen: Vec<String>,
    done: BTreeMap<Arc<Partition>, i64>,
    owned: BTreeSet<Arc<Partition>>,
    caught_up: BTreeSet<Arc<Partition>>,
    notices: Vec<String>,
}

impl Member {
    fn new(source: KafkaSource) -> Self {
        Self {
            source,
            seen: Vec::new(),
            done: BTreeMap::new(),
            owned: BTreeSet::new(),
            caught_up: BTreeSet::new(),
            notices: Vec::new(),
        }
    }

    fn done(&self) -> Vec<(Arc<Partition>, i64)> {
        self.done.iter().map(|(p, o)| (Arc::clone(p), *o)).collect()
    }

    fn step(&mut self) {
        match self.source.poll(WAIT).unwrap() {
            Event::Batch(batch) => {
                for payload in &batch.payloads {
                    let partition = &batch.partitions[payload.partition as usize];
                    assert!(self.owned.contains(partition), "{partition} is not ours");
                    self.seen.push(String::from_utf8_lossy(batch.payload_bytes(payload)).into_owned());
                    self.done.insert(Arc::clone(partition), payload.offset + 1);
                    self.caught_up.remove(partition);
                }
            }
            Event::Assigned(assigned) => self.owned.extend(assigned.into_iter().map(|a| a.partition)),
            Event::Revoked { partitions, lost } => {
                let gone: BTreeSet<_> = partitions.into_iter().collect();
                let done = self.done().into_iter().filter(|(p, _)| gone.contains(p)).collect::<Vec<_>>();
                self.source.release(if lost { &[] } else { &done }).unwrap();
                self.owned.retain(|p| !gone.contains(p));
                self.done.retain(|p, _| !gone.contains(p));
            }
            Event::CaughtUp(partition) => {
                self.caught_up.insert(partition);
            }
            Event::Notice(text) => self.notices.push(text),
            Event::Nothing => {}
            other => panic!("{other:?}"),
        }
    }

    fn until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE {
            if reached(self) {
                return;
            }
            self.step();
        }
        panic!("{what} did not come: {} seen, owns {:?}, said {:?}", self.seen.len(), self.owned, self.notices);
    }
}

#[test]
fn a_second_member_shares_and_nothing_is_lost() {
    let broker = EmbeddedBroker::start(&[("cloudtrail", 4)]).unwrap();
    let producer = producer(&broker);
    let texts = |from: usize, to: usize| (from..to).map(|i| format!("{{\"n\":{i}}}"));
    for partition in 0..4 {
        produce(&producer, "cloudtrail", partition, texts(partition as usize * 100, partition as usize * 100 + 100));
    }
    let mut first = Member::new(connect(&broker, "shared", &["cloudtrail"]));
    first.until("the first records", |m| m.seen.len() == 400);
    first.until("the end", |m| m.caught_up.len() == 4);
    assert!(first.source.lag().iter().all(|(_, lag)| *lag == 0));

    let settings = KafkaSettings { from: StartFrom::Committed, ..broker.settings("shared") };
    let mut second = Member::new(connect_with(&settings, &["cloudtrail"]));
    for _ in 0..PATIENCE {
        if first.owned.len() == 2 && second.owned.len() == 2 {
            break;
        }
        first.step();
        second.step();
    }
    assert_eq!((first.owned.len(), second.owned.len()), (2, 2), "{:?} {:?}", first.notices, second.notices);
    assert!(first.owned.is_disjoint(&second.owned));
    for partition in 0..4 {
        produce(
            &producer,
            "cloudtrail",
            partition,
            texts(400 + partition as usize * 50, 450 + partition as usize * 50),
        );
    }
    for _ in 0..PATIENCE {
        if first.seen.len() + second.seen.len() >= 600 {
            break;
        }
        first.step();
        second.step();
    }
    assert!(first.notices.iter().any(|n| n.contains("2 of 4 partitions")), "{:?}", first.notices);

    let done = second.done();
    second.source.close(&done).unwrap();
    produce(&producer, "cloudtrail", 0, texts(600, 650));
    produce(&producer, "cloudtrail", 3, texts(650, 700));
    first.until("the others' partitions", |m| m.owned.len() == 4);
    first.until("the rest", |m| m.seen.len() + second.seen.len() >= 700);
    let all: BTreeSet<&String> = first.seen.iter().chain(&second.seen).collect();
    assert_eq!((all.len(), first.seen.len() + second.seen.len()), (700, 700));

    // Who comes after goes on where they stopped.
    let done = first.done();
    first.source.commit(&done).unwrap();
    first.source.close(&done).unwrap();
    produce(&producer, "cloudtrail", 1, texts(700, 701));
    let mut third = Member::new(connect_with(&settings, &["cloudtrail"]));
    third.until("the one new record", |m| !m.seen.is_empty() && m.caught_up.len() == 4);
    assert_eq!(third.seen, ["{\"n\":700}"]);
}

#[test]
fn the_end_is_where_it_was_at_the_start() {
    let broker = EmbeddedBroker::start(&[("cloudtrail", 2)]).unwrap();
    let producer = producer(&broker);
    produce(&producer, "cloudtrail", 0, ["old".to_string()]);
    let settings = KafkaSettings { from: StartFrom::Committed, ..broker.settings("late") };
    let mut member = Member::new(connect_with(&settings, &["cloudtrail"]));
    member.until("the assignment", |m| m.owned.len() == 2);
    // Assigned, not yet read: what comes now counts.
    produce(&producer, "cloudtrail", 0, ["new".to_string()]);
    produce(&producer, "cloudtrail", 1, ["new".to_string()]);
    member.until("the new records", |m| m.seen.len() == 2);
    assert_eq!(member.seen, ["new", "new"]);
    // Nothing was committed by the engine, but the group knows where it started.
    drop(member);
    let mut next = Member::new(connect_with(&settings, &["cloudtrail"]));
    next.until("the new records again", |m| m.seen.len() == 2);
    assert_eq!(next.seen, ["new", "new"]);
}

#[test]
fn topics_are_streams_and_each_catches_up() {
    let broker = EmbeddedBroker::start(&[("cloudtrail", 2), ("lambda", 2)]).unwrap();
    let producer = producer(&broker);
    produce(&producer, "cloudtrail", 0, ["a".to_string(), "b".to_string()]);
    produce(&producer, "lambda", 1, ["c".to_string()]);
    let mut source = connect(&broker, "two", &["cloudtrail", "lambda"]);
    let (mut by_stream, mut caught_up) = (BTreeMap::new(), BTreeSet::new());
    for _ in 0..PATIENCE {
        match source.poll(WAIT).unwrap() {
            Event::Batch(batch) => {
                assert!(batch.partitions.iter().all(|p| &*p.topic == ["cloudtrail", "lambda"][batch.stream]));
                *by_stream.entry(batch.stream).or_insert(0) += batch.payloads.len();
            }
            Event::CaughtUp(partition) => {
                caught_up.insert(partition);
            }
            _ => {}
        }
        if caught_up.len() == 4 {
            break;
        }
    }
    assert_eq!((by_stream, caught_up.len()), (BTreeMap::from([(0, 2), (1, 1)]), 4));
}

#[test]
fn odd_messages_are_told_apart() {
    let broker = EmbeddedBroker::start(&[("cloudtrail", 1)]).unwrap();
    let producer = producer(&broker);
    producer.send(BaseRecord::<(), str>::to("cloudtrail").partition(0)).map_err(|(e, _)| e).unwrap();
    let record = BaseRecord::<(), str>::to("cloudtrail").partition(0).payload("{}").timestamp(1_600_000_000_123);
    producer.send(record).map_err(|(e, _)| e).unwrap();
    producer.flush(Duration::from_secs(20)).unwrap();
    let clock = Arc::new(SimulatedClock::at(1));
    let mut source = KafkaSource::connect(&broker.settings("odd"), &[("cloudtrail".into(), 0)], clock).unwrap();
    let mut payloads = Vec::new();
    for _ in 0..PATIENCE {
        if let Event::Batch(batch) = source.poll(WAIT).unwrap() {
            payloads.extend(batch.payloads.iter().map(|p| (p.offset, p.kind, p.timestamp)));
        }
        if payloads.len() == 2 {
            break;
        }
    }
    assert_eq!((payloads[0].0, payloads[0].1), (0, PayloadKind::Empty));
    assert_eq!(payloads[1], (1, PayloadKind::Value, 1_600_000_000_123_000));
}

#[test]
fn a_broker_that_goes_and_comes_is_told_of_and_read_on() {
    let broker = EmbeddedBroker::start(&[("cloudtrail", 1)]).unwrap();
    let producer = producer(&broker);
    produce(&producer, "cloudtrail", 0, ["a".to_string()]);
    let mut member = Member::new(connect(&broker, "away", &["cloudtrail"]));
    member.until("the first record", |m| m.seen.len() == 1);
    broker.set_reachable(false);
    member.until("the notice", |m| m.notices.iter().any(|n| n.contains("no Kafka broker answers")));
    broker.set_reachable(true);
    member.until("the other notice", |m| m.notices.iter().any(|n| n.contains("answers again")));
    produce(&producer, "cloudtrail", 0, ["b".to_string()]);
    member.until("the next record", |m| m.seen.len() >= 2);
    assert_eq!(member.seen, ["a", "b"]);
    assert_eq!(member.notices.len(), 2, "{:?}", member.notices);
    // Without a broker, leaving is bounded in time and says what is not committed.
    broker.set_reachable(false);
    member.until("the notice again", |m| m.notices.len() == 3);
    let done = member.done();
    assert!(member.source.close(&done).is_err());
}

#[test]
fn a_missing_topic_is_waited_for() {
    let broker = EmbeddedBroker::start(&[("lambda", 1)]).unwrap();
    let mut member = Member::new(connect(&broker, "missing", &["cloudtrail"]));
    member.until("the notice", |m| m.notices.iter().any(|n| n.contains("`cloudtrail` is not there")));
    broker.create_topic("cloudtrail", 2).unwrap();
    let producer = producer(&broker);
    produce(&producer, "cloudtrail", 0, ["a".to_string()]);
    produce(&producer, "cloudtrail", 1, ["a".to_string()]);
    member.until("the other notice", |m| m.notices.iter().any(|n| n.contains("is there now, with 2 partitions")));
    // The embedded broker assigns anew only when members come or go.
    let mut other = Member::new(connect(&broker, "missing", &["cloudtrail"]));
    for _ in 0..PATIENCE {
        if member.seen.len() + other.seen.len() == 2 {
            break;
        }
        member.step();
        other.step();
    }
    assert_eq!(
        (member.seen.as_slice(), other.seen.as_slice()),
        (["a".to_string()].as_slice(), ["a".to_string()].as_slice())
    );
}

#[test]
fn a_pause_holds_messages_and_loses_none() {
    let broker = EmbeddedBroker::start(&[("cloudtrail", 1)]).unwrap();
    let producer = producer(&broker);
    let mut member = Member::new(connect(&broker, "pause", &["cloudtrail"]));
    member.until("the assignment", |m| m.owned.len() == 1);
    // A short pause and one that the client is told of.
    for round in 0..2 {
        member.source.set_paused(true);
        let before = member.seen.len();
        produce(&producer, "cloudtrail", 0, (0..100).map(|i| (round * 100 + i).to_string()));
        for _ in 0..[5, 30][round] {
            member.step();
        }
        assert!(member.seen.len() <= before + 1, "{round}: {}", member.seen.len());
        assert_eq!(member.source.pause.by_client, round == 1);
        member.source.set_paused(false);
        member.until("what was held", |m| m.seen.len() == round * 100 + 100);
    }
    assert!(member.seen.iter().enumerate().all(|(i, text)| *text == i.to_string()), "{:?}", member.seen);
}

#[test]
fn the_classic_protocol_works_too() {
    let broker = EmbeddedBroker::start(&[("cloudtrail", 2)]).unwrap();
    produce(&producer(&broker), "cloudtrail", 1, ["a".to_string()]);
    let mut settings = broker.settings("classic");
    settings.raw.insert("group.protocol".into(), "classic".into());
    let mut member = Member::new(connect_with(&settings, &["cloudtrail"]));
    member.until("all there is", |m| m.seen == ["a"] && m.caught_up.len() == 2);
    let done = member.done();
    member.source.close(&done).unwrap();
}
