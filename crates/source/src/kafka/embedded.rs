//! A Kafka broker inside this process, for the demo and for tests: librdkafka's own simulated cluster.
//!
//! It forgets: of each partition it keeps 5 MiB as sent, and drops older messages without a word. It does not honour
//! transactions. Producers must keep the pace of the consumer.

use std::sync::mpsc;
use std::thread::JoinHandle;

use rdkafka::mocking::MockCluster;

use super::settings::{KafkaSettings, StartFrom};
use crate::error::SourceError;

/// The broker; it ends when this is dropped.
#[derive(Debug)]
pub struct EmbeddedBroker {
    brokers: String,
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Create(String, i32, mpsc::Sender<Result<(), String>>),
    Reachable(bool),
}

impl EmbeddedBroker {
    /// Starts a broker on a free port of the loopback, with these topics and their numbers of partitions.
    ///
    /// # Errors
    /// If it cannot be started, or a topic cannot be made.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, SourceError> {
        let (commands, receiver) = mpsc::channel();
        let (started, start) = mpsc::channel();
        // The cluster cannot be moved between threads, so it gets one of its own.
        let thread =
            std::thread::Builder::new().name("watchfire-broker".into()).spawn(move || serve(&started, &receiver));
        let thread = thread.map_err(|error| SourceError::System { doing: "start the embedded broker", error })?;
        let failed = |reason: String| SourceError::kafka("start the embedded broker", reason);
        let brokers = start.recv().map_err(|e| failed(e.to_string()))?.map_err(failed)?;
        let broker = Self { brokers, commands: Some(commands), thread: Some(thread) };
        for (topic, partitions) in topics {
            broker.create_topic(topic, *partitions)?;
        }
        Ok(broker)
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// If it is there already or its name cannot be used.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), SourceError> {
        let (answer, answered) = mpsc::channel();
        self.send(Command::Create(topic.to_string(), partitions, answer));
        let done = answered.recv().unwrap_or_else(|error| Err(error.to_string()));
        done.map_err(|reason| SourceError::kafka("make a topic on the embedded broker", reason))
    }

    /// Cuts all connections and takes no new ones, or takes them again.
    pub fn set_reachable(&self, reachable: bool) {
        self.send(Command::Reachable(reachable));
    }

    /// Where it listens: host and port.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.brokers.clone()
    }

    /// Settings that read all of this broker, with waits that suit it.
    #[must_use]
    pub fn settings(&self, group: &str) -> KafkaSettings {
        // An empty fetch sleeps its whole wait out here.
        let raw = [("fetch.wait.max.ms".to_string(), "2".to_string())].into();
        KafkaSettings {
            brokers: self.brokers(),
            group: group.into(),
            from: StartFrom::Earliest,
            raw,
            ..KafkaSettings::default()
        }
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // Its thread lives until the sender is dropped.
            let _ = commands.send(command);
        }
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(started: &mpsc::Sender<Result<String, String>>, commands: &mpsc::Receiver<Command>) {
    let cluster = match MockCluster::new(1) {
        Ok(cluster) => cluster,
        Err(error) => {
            let _ = started.send(Err(error.to_string()));
            return;
        }
    };
    let _ = started.send(Ok(cluster.bootstrap_servers()));
    while let Ok(command) = commands.recv() {
        match command {
            Command::Create(topic, partitions, answer) => {
                let done = cluster.create_topic(&topic, partitions, 1);
                let _ = answer.send(done.map_err(|e| format!("`{topic}`: {e}")));
            }
            Command::Reachable(reachable) => {
                let done = if reachable { cluster.broker_up(-1) } else { cluster.broker_down(-1) };
                if let Err(error) = done {
                    tracing::debug!(%error, "embedded broker");
                }
            }
        }
    }
}
