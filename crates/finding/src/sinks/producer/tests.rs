use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use watchfire_record::SimulatedClock;

use super::*;

const WITHIN: Duration = Duration::from_secs(20);

fn message(text: &str) -> Message {
    Message { key: b"key".to_vec(), payload: text.into() }
}

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn opened(brokers: &str, capacity: usize) -> TopicProducer {
    let settings = settings(&[("bootstrap.servers", brokers), ("topic.metadata.refresh.interval.ms", "1000")]);
    TopicProducer::open("out", "findings", &settings, capacity, Arc::new(SimulatedClock::at(0))).unwrap()
}

/// Waits for librdkafka's thread to tell of a trouble; says what it is.
fn trouble(producer: &TopicProducer) -> String {
    let told = |_: &u32| producer.outbox.state().trouble.is_some();
    let pause = || std::thread::sleep(Duration::from_millis(10));
    let waited = (0..2_000).inspect(|_| pause()).find(told);
    assert!(waited.is_some(), "no trouble was told within 20 s");
    producer.outbox.trouble()
}

#[test]
fn a_broker_that_is_gone_fills_the_outbox_and_gets_it_all_when_it_is_back() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("findings", 1, 1).unwrap();
    let mut producer = opened(&cluster.bootstrap_servers(), 10_000);
    cluster.broker_down(-1).unwrap();
    let large = "x".repeat(3_000);
    for _ in 0..3 {
        producer.send(vec![message(&large)]).unwrap();
    }
    let error = producer.send(vec![message(&large), message("y")]).unwrap_err();
    assert!(matches!(&error, SinkError::Full { waiting, .. } if *waiting == 3 * (3_003 + OVERHEAD)), "{error}");
    assert_eq!(trouble(&producer), "no broker answers: check `kafka.brokers`, and that the broker runs");
    let error = producer.flush(Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error, SinkError::Unfinished { waiting: 3, .. }), "{error}");
    cluster.broker_up(-1).unwrap();
    producer.flush(WITHIN).unwrap();
    producer.send(vec![message(&large), message("y")]).unwrap();
    producer.flush(WITHIN).unwrap();
    assert_eq!((producer.acknowledged(), producer.outbox.state().bytes), (5, 0));
}

#[test]
fn what_the_broker_gives_back_is_sent_again() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("findings", 1, 1).unwrap();
    let mut producer = opened(&cluster.bootstrap_servers(), 10_000);
    let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
    cluster.request_errors(RDKafkaApiKey::Produce, &refusals);
    producer.send(vec![message("a")]).unwrap();
    let expected = "this user may not write topic `findings`: grant Describe and Write on it";
    assert_eq!((trouble(&producer).as_str(), producer.outbox.state().next), (expected, 0));
    producer.send(vec![message("b")]).unwrap();
    producer.flush(WITHIN).unwrap();
    assert_eq!((producer.acknowledged(), producer.undeliverable()), (2, 0));
}

#[test]
fn a_message_that_no_broker_takes_holds_nothing_up() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("findings", 1, 1).unwrap();
    let mut producer = opened(&cluster.bootstrap_servers(), 10_000);
    producer.send(vec![message("a"), message(&"x".repeat(2_000_000)), message("b")]).unwrap();
    producer.flush(WITHIN).unwrap();
    assert_eq!((producer.acknowledged(), producer.undeliverable(), producer.outbox.state().bytes), (3, 1, 0));
}

#[test]
fn acknowledged_is_what_is_done_without_a_gap() {
    let outbox = Outbox::new("findings");
    for number in [1, 3, 2] {
        outbox.delivered(number, 0);
        assert_eq!(outbox.state().next, 0);
    }
    outbox.delivered(0, 0);
    let state = outbox.state();
    assert_eq!((state.next, state.done.len()), (4, 0));
}

#[test]
fn wrong_settings_are_told_without_secrets() {
    let wrong = |pairs: &[(&str, &str)], topic: &str| {
        let mut settings = settings(&[("bootstrap.servers", "localhost:1"), ("sasl.password", "hunter2")]);
        settings.extend(self::settings(pairs));
        let clock = Arc::new(SimulatedClock::at(0));
        let error = TopicProducer::open("out", topic, &settings, 1, clock).err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        error
    };
    assert!(wrong(&[("bootstrap.serverz", "x")], "t").contains("`bootstrap.serverz`"));
    assert!(wrong(&[("compression.type", "rar")], "t").contains("`compression.type`"));
    assert!(wrong(&[("ssl.key.pem", "hunter2")], "t").contains("Kafka"));
    assert!(wrong(&[("bootstrap.servers", " ")], "t").contains("kafka.brokers"));
    for topic in ["", "a b", "..", &"t".repeat(250)] {
        assert!(wrong(&[], topic).contains("no name of a Kafka topic"), "{topic}");
    }
}
