//! The broker that `scripts/test-kafka` started, as its environment names it.

use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;

/// How long a test waits for the broker to answer one request.
pub const PATIENCE: Duration = Duration::from_secs(20);

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
}

impl Broker {
    /// `None`, with a note, if no broker was started for the tests.
    pub fn started() -> Option<Self> {
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
        })
    }

    /// Settings of a client of the listener without a password.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.plaintext).set("group.id", "watchfire-tests");
        config
    }

    /// Makes a topic that does not exist yet.
    pub fn create_topic(&self, name: &str, partitions: u32) {
        let partitions = partitions.to_string();
        let arguments = ["--create", "--topic", name, "--partitions", &partitions];
        self.kafka("run", &[&["org.apache.kafka.tools.TopicCommand"][..], &arguments].concat());
    }

    /// Runs scripts/kafka on the broker's folder.
    pub fn kafka(&self, verb: &str, arguments: &[&str]) {
        let done = Command::new(&self.script).arg(verb).arg(&self.folder).args(arguments).output();
        let done = done.expect("scripts/kafka can be run");
        assert!(done.status.success(), "scripts/kafka {verb}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
