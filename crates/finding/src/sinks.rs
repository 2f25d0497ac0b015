//! Where findings and rejected records go.
//!
//! A sink takes a slice whole or not at all, keeps what it took until it is safe, and counts what is safe in the order
//! in which it was taken. It never waits in `send`: one that cannot deliver keeps up to a limit of bytes, then says
//! [`SinkError::Full`], and the caller tries the same slice again later.

mod file;
mod kafka;
mod line_file;
mod memory;
mod producer;
mod settings;
mod terminal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::{Clock, Finding, Reject};

pub use file::{FileRejectSink, FileSink};
pub use kafka::{KafkaRejectSink, KafkaSink};
pub use line_file::FileMode;
pub use memory::{MemoryRejectSink, MemorySink};
pub use settings::{LineFormat, RejectSettings, SinkSettings, TerminalFormat};
pub use terminal::TerminalSink;

use crate::terminal::Style;

/// Bytes that a sink keeps when it cannot deliver. Beyond: it is full, and takes nothing more until some are delivered.
pub const OUTBOX_BYTES: usize = 16 << 20;

/// Takes findings and delivers them.
pub trait Sink: Send {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// Hands findings over. All are taken, or, on an error, none.
    ///
    /// # Errors
    /// [`SinkError::Full`] if there is no room now; [`SinkError::Failed`] if there will be none without help.
    fn send(&mut self, findings: &[Finding]) -> Result<(), SinkError>;

    /// Waits until all that was taken is safe.
    ///
    /// # Errors
    /// If it is not within `within`, or cannot be; what was taken is kept.
    fn flush(&mut self, within: Duration) -> Result<(), SinkError>;

    /// How many of the findings taken are safe, counted from the start, in order. Does not wait.
    fn acknowledged(&mut self) -> u64;

    /// How many of these were refused for good by where they go, each told in the log: a message larger than a
    /// topic takes. They hold nothing up.
    fn undeliverable(&self) -> u64 {
        0
    }
}

/// Takes rejected records and delivers them, as [`Sink`] does findings.
pub trait RejectSink: Send {
    /// Its name in errors.
    fn name(&self) -> &str;

    /// Hands rejects over, with the names of the detectors that did not see them. All are taken, or, on an error, none.
    ///
    /// # Errors
    /// As [`Sink::send`].
    fn send(&mut self, rejects: &[Reject], detectors: &[Arc<str>]) -> Result<(), SinkError>;

    /// Waits until all that was taken is safe.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    fn flush(&mut self, within: Duration) -> Result<(), SinkError>;

    /// How many of the rejects taken are safe, counted from the start, in order. Does not wait.
    fn acknowledged(&mut self) -> u64;
}

/// Why a sink did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It cannot deliver at present, and keeps as much as it may. Nothing was taken: try again.
    #[error("sink `{sink}` is full: {waiting} bytes wait to be delivered; {reason}")]
    Full {
        /// Whose.
        sink: String,
        /// Bytes kept.
        waiting: usize,
        /// What holds it up, and what to do.
        reason: String,
    },
    /// Not everything is safe in the time that was given.
    #[error("sink `{sink}`: {waiting} findings or records are not delivered yet; {reason}")]
    Unfinished {
        /// Whose.
        sink: String,
        /// How many are not safe.
        waiting: u64,
        /// What holds it up, and what to do.
        reason: String,
    },
    /// It will not work again without help.
    #[error("sink `{sink}`: {what}; {help}")]
    Failed {
        /// Whose.
        sink: String,
        /// What went wrong, and where.
        what: String,
        /// What to do.
        help: String,
    },
}

impl SinkError {
    fn failed(sink: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Failed { sink: sink.into(), what: what.into(), help: help.into() }
    }
}

/// What sinks are given besides their settings.
#[derive(Clone)]
pub struct SinkContext {
    /// librdkafka's settings for every Kafka client: brokers and security among them.
    pub kafka: BTreeMap<String, String>,
    /// Tells when an OCSF event is written, and when to try again.
    pub clock: Arc<dyn Clock>,
    /// How findings are shown to people.
    pub style: Style,
}

/// Opens the sink that the settings describe.
///
/// # Errors
/// If its file cannot be opened, or its Kafka settings are wrong. A broker that does not answer is no error here.
pub fn open(name: &str, settings: &SinkSettings, context: &SinkContext) -> Result<Box<dyn Sink>, SinkError> {
    let clock = Arc::clone(&context.clock);
    Ok(match settings {
        SinkSettings::File { path, format, mode, .. } => Box::new(FileSink::open(name, path, *mode, *format, clock)?),
        SinkSettings::Kafka { topic, brokers, format, .. } => {
            let kafka = with_brokers(&context.kafka, brokers.as_deref());
            Box::new(KafkaSink::open(name, topic, &kafka, *format, clock)?)
        }
        SinkSettings::Terminal { format, .. } => {
            Box::new(TerminalSink::new(name, std::io::stdout(), *format, context.style, clock))
        }
    })
}

/// Opens the sink for rejected records that the settings describe.
///
/// # Errors
/// As [`open`].
pub fn open_rejects(settings: &RejectSettings, context: &SinkContext) -> Result<Box<dyn RejectSink>, SinkError> {
    Ok(match settings {
        RejectSettings::File { path, mode } => Box::new(FileRejectSink::open("rejects", path, *mode)?),
        RejectSettings::Kafka { topic, brokers } => {
            let kafka = with_brokers(&context.kafka, brokers.as_deref());
            Box::new(KafkaRejectSink::open("rejects", topic, &kafka, Arc::clone(&context.clock))?)
        }
    })
}

fn with_brokers(kafka: &BTreeMap<String, String>, brokers: Option<&str>) -> BTreeMap<String, String> {
    let mut kafka = kafka.clone();
    kafka.extend(brokers.map(|brokers| ("bootstrap.servers".to_owned(), brokers.to_owned())));
    kafka
}
