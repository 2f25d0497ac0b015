//! Where a record came from.

use std::fmt;
use std::sync::Arc;

/// One ordered part of an input: a Kafka partition, or a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The Kafka topic, or the file's path below the one that was named (`-` for standard input).
    pub topic: Arc<str>,
    /// The Kafka partition; 0 for a file.
    pub number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// The place of one record: it is the same on every replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Topic and partition, or file.
    pub partition: Arc<Partition>,
    /// The Kafka offset, or the byte offset of the payload in the file after decompression.
    pub offset: i64,
    /// The record's place in its payload: 0 unless an envelope holds several.
    pub index: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.partition, self.offset, self.index)
    }
}
