use std::collections::HashMap;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::{Offset, TopicPartitionList};
use watchfire_record::SystemClock;

use super::*;
use crate::samples::{columns, finding, numbered, reject, text};
use crate::to_json;

const WITHIN: Duration = Duration::from_secs(20);

/// The next `count` messages of a topic with three partitions: partition, key, payload.
fn consumed(brokers: &str, topic: &str, count: usize) -> Vec<(i32, String, String)> {
    let config = ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "test").clone();
    let consumer: BaseConsumer = config.create().unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..3 {
        partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    (0..count)
        .map(|_| consumer.poll(WITHIN).expect("a message within the time").unwrap())
        .map(|message| (message.partition(), text(message.key()), text(message.payload())))
        .collect()
}

fn settings(brokers: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("bootstrap.servers".into(), brokers.into())])
}

#[test]
fn findings_are_delivered_and_counted_and_one_key_stays_together() {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic("findings", 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let clock = Arc::new(SystemClock);
    let mut sink = KafkaSink::open("kafka", "findings", &settings(&brokers), LineFormat::Json, clock).unwrap();
    let findings: Vec<Finding> = (0..200u8)
        .map(|i| Finding { keys: columns(vec![("principal", text(&format!("user-{}", i % 7)))]), ..numbered(i) })
        .collect();
    for slice in findings.chunks(9) {
        sink.send(slice).unwrap();
    }
    sink.flush(WITHIN).unwrap();
    assert_eq!((sink.acknowledged(), sink.undeliverable()), (200, 0));
    let mut partitions = HashMap::new();
    let mut lines = Vec::new();
    for (partition, key, payload) in consumed(&brokers, "findings", 200) {
        assert_eq!(*partitions.entry(key).or_insert(partition), partition);
        lines.push(payload);
    }
    let mut expected: Vec<String> = findings.iter().map(to_json).collect();
    lines.sort();
    expected.sort();
    assert_eq!((partitions.len(), lines), (7, expected));
}

#[test]
fn rejects_are_delivered_too() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("rejects", 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let mut sink = KafkaRejectSink::open("rejects", "rejects", &settings(&brokers), Arc::new(SystemClock)).unwrap();
    sink.send(&[reject(b"{"), reject(b"\xff")], &["root-used".into()]).unwrap();
    sink.flush(WITHIN).unwrap();
    assert_eq!(sink.acknowledged(), 2);
    let (_, key, payload) = &consumed(&brokers, "rejects", 2)[1];
    assert!(key == "cloudtrail/0" && payload.contains("bytes_base64"), "{key} {payload}");
}

#[test]
fn a_finding_too_large_for_a_message_is_cut_and_says_so() {
    let mut finding = finding();
    finding.row = columns(vec![("path", text(&"é".repeat(1 << 20))), ("short", text("as it was"))]);
    finding.evidence[0].event_id = "x".repeat(1 << 20);
    let clock = Arc::new(SystemClock);
    let sink = KafkaSink::open("kafka", "findings", &settings("localhost:1"), LineFormat::Json, clock).unwrap();
    let payload = String::from_utf8(sink.message(&finding).payload).unwrap();
    let json: serde_json::Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(json["row"]["path"].as_str().unwrap().chars().count(), 2 * KEPT + 1);
    assert_eq!((&json["complete"], json["row"]["short"].as_str()), (&false.into(), Some("as it was")));
    assert!(payload.len() < 10_000 && cut(&"é".repeat(2 * KEPT)).len() == 4 * KEPT);
}
