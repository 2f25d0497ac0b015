//! Payloads as a source hands them over: bytes and positions, nothing parsed.

use std::sync::Arc;

use crate::position::Partition;

/// One payload of a [`RawBatch`]: a Kafka message's value, or one value of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// Index into [`RawBatch::partitions`].
    pub partition: u16,
    /// The Kafka offset, or the byte offset in the file after decompression. For elements that a file's framing took
    /// out of an envelope: the envelope's own offset.
    pub offset: i64,
    /// The place of the payload's first record: not 0 only where a file's framing took elements out of an envelope.
    pub index: u32,
    /// The broker's timestamp, microseconds since the epoch, UTC.
    pub timestamp: i64,
    /// Where the bytes start in [`RawBatch::bytes`].
    pub start: usize,
    /// Where the bytes end in [`RawBatch::bytes`].
    pub end: usize,
    /// What the source already knows of it.
    pub kind: PayloadKind,
}

/// What a source knows of a payload without parsing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadKind {
    /// Bytes to decode.
    Value,
    /// A Kafka message without a value, or a blank line: skipped and counted.
    Empty,
    /// Past the size limit; the bytes are its beginning. Rejected.
    TooLarge,
    /// A file's framing found no end of the value; the bytes are its beginning. Rejected.
    Broken,
}

/// Payloads of one stream in the order in which they were taken in.
#[derive(Debug, Clone, Default)]
pub struct RawBatch {
    /// Place among all batches of the process, from 0 without a gap: the order in which effects are applied.
    pub sequence: u64,
    /// Index of the stream in the engine's list of streams.
    pub stream: usize,
    /// The partitions that occur, few.
    pub partitions: Vec<Arc<Partition>>,
    /// In order; for each partition, in order of offset and index.
    pub payloads: Vec<Payload>,
    /// All payloads' bytes, one after the other; may hold separators that belong to no payload.
    pub bytes: Vec<u8>,
}

impl RawBatch {
    /// The bytes of one payload.
    #[must_use]
    pub fn payload_bytes(&self, payload: &Payload) -> &[u8] {
        &self.bytes[payload.start..payload.end]
    }

    /// The index of `partition` in this batch; adds it if it is new.
    ///
    /// # Panics
    /// If one batch holds more than 65,535 partitions, which no source makes.
    pub fn partition_index(&mut self, partition: &Arc<Partition>) -> u16 {
        let found = self.partitions.iter().rposition(|p| Arc::ptr_eq(p, partition) || p == partition);
        let index = found.unwrap_or_else(|| {
            self.partitions.push(Arc::clone(partition));
            self.partitions.len() - 1
        });
        u16::try_from(index).expect("a batch holds at most 65,535 partitions")
    }

    /// Appends a payload whose bytes are copied into the batch.
    pub fn push(&mut self, partition: &Arc<Partition>, offset: i64, timestamp: i64, kind: PayloadKind, bytes: &[u8]) {
        let partition = self.partition_index(partition);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        self.payloads.push(Payload { partition, offset, index: 0, timestamp, start, end, kind });
    }
}
