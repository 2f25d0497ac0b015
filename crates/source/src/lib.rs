//! Where records come from: a Kafka consumer group, files, standard input. Bytes and positions go out.
//!
//! Knows nothing of records, streams' columns, detectors or time in records: framing looks at a file's structure only,
//! to tell where a value ends, and a Kafka message's value is handed on as it came. Read [`Source`] first: it is all
//! that the engine sees.

pub mod error;
pub mod event;
pub mod files;
pub mod framing;
pub mod kafka;
pub mod memory;

pub use error::SourceError;
pub use event::{Assignment, Event, Source};
pub use files::FileSource;
pub use kafka::KafkaSource;
pub use kafka::embedded::EmbeddedBroker;
pub use kafka::settings::{KafkaSettings, Security, StartFrom};
pub use memory::MemorySource;
