//! The broker that `scripts/test-kafka` started, as its environment names it.

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::waiting;

/// How long a test waits for the broker to answer one request.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Tests that kill the broker have it to themselves.
static USERS: RwLock<()> = RwLock::new(());

/// Held by a test as long as it needs the broker.
enum Use {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// Where the broker listens.
pub struct Broker {
    /// Bootstrap list, neither password nor TLS.
    pub plaintext: String,
    /// Bootstrap list, PLAIN.
    pub sasl: String,
    /// The password of user `watchfire` there.
    pub sasl_password: String,
    script: String,
    folder: String,
    _use: Use,
}

impl Broker {
    /// `None`, with a note, if no broker was started for the tests.
    pub fn started() -> Option<Self> {
        Self::found(|| Use::Shared { _guard: USERS.read().unwrap_or_else(PoisonError::into_inner) })
    }

    /// The same, with no other test that uses it meanwhile.
    pub fn alone() -> Option<Self> {
        Self::found(|| Use::Alone { _guard: USERS.write().unwrap_or_else(PoisonError::into_inner) })
    }

    fn found(take: impl FnOnce() -> Use) -> Option<Self> {
        let Ok(plaintext) = std::env::var("WATCHFIRE_TEST_BROKERS") else {
            println!("not run: needs a real broker, which scripts/test-kafka starts");
            return None;
        };
        let rest = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("scripts/test-kafka sets {name}"));
        Some(Self {
            plaintext,
            sasl: rest("WATCHFIRE_TEST_SASL_BROKERS"),
            sasl_password: rest("WATCHFIRE_TEST_SASL_PASSWORD"),
            script: rest("WATCHFIRE_TEST_KAFKA"),
            folder: rest("WATCHFIRE_TEST_KAFKA_DIR"),
            _use: take(),
        })
    }

    /// Settings of a client of the listener without a password.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.plaintext).set("group.id", "watchfire-tests");
        config
    }

    /// Makes a topic that does not exist yet.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.create(NewTopic::new(name, partitions, TopicReplication::Fixed(1)));
    }

    /// Makes a topic whose records bear the time at which the broker took them, and may be of 16 MiB.
    pub fn create_timed_topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        self.create(topic.set("message.timestamp.type", "LogAppendTime").set("max.message.bytes", "16777216"));
    }

    /// Gives a topic more partitions: so many in all.
    pub fn add_partitions(&self, name: &str, all: usize) {
        let grown = [NewPartitions::new(name, all)];
        let done = waiting::for_future(self.admin().create_partitions(&grown, &options())).expect("the broker answers");
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }

    fn create(&self, topic: NewTopic<'_>) {
        let done = waiting::for_future(self.admin().create_topics([&topic], &options())).expect("the broker answers");
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("the settings are right")
    }

    /// Runs scripts/kafka on the broker's folder.
    pub fn kafka(&self, verb: &str, arguments: &[&str]) {
        let done = Command::new(&self.script).arg(verb).arg(&self.folder).args(arguments).output();
        let done = done.expect("scripts/kafka can be run");
        assert!(done.status.success(), "scripts/kafka {verb}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}
