//! The broker is what the other tests take it for: it keeps what it is given, and lets in whom it should.

use std::collections::BTreeSet;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::broker::{Broker, PATIENCE};

#[test]
fn what_is_produced_comes_back() {
    let Some(broker) = Broker::started() else { return };
    broker.create_topic("listeners", 4);
    let producer: BaseProducer = broker.client().create().expect("the settings are right");
    for number in 0..100 {
        let payload = number.to_string();
        let record = BaseRecord::<(), _>::to("listeners").payload(&payload).partition(number % 4);
        producer.send(record).expect("the producer's queue has room for a hundred");
    }
    producer.flush(PATIENCE).expect("the broker takes a hundred records");

    let consumer: BaseConsumer = broker.client().create().expect("the settings are right");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..4 {
        partitions.add_partition_offset("listeners", partition, Offset::Beginning).expect("the offset is valid");
    }
    consumer.assign(&partitions).expect("the partitions exist");
    let mut seen = BTreeSet::new();
    while seen.len() < 100 {
        let message = consumer.poll(PATIENCE).expect("a record in time").expect("no error");
        let text = std::str::from_utf8(message.payload().expect("a payload")).expect("digits");
        assert!(seen.insert(text.parse::<u32>().expect("a number")), "{text} came twice");
    }
}

#[test]
fn a_password_is_asked_for() {
    let Some(broker) = Broker::started() else { return };
    let answers = |password: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &broker.sasl).set("security.protocol", "SASL_PLAINTEXT");
        config.set("sasl.mechanism", "PLAIN").set("sasl.username", "watchfire").set("sasl.password", password);
        let consumer: BaseConsumer = config.create().expect("the settings are well formed");
        consumer.fetch_metadata(None, PATIENCE / 4).is_ok()
    };
    assert!(answers(&broker.sasl_password), "the right password is refused");
    assert!(!answers("wrong"), "a wrong password is taken");
}
