//! One input's bytes to batches: read straight into a batch's own buffer, framed there, the tail carried over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::limits::{BATCH_BYTES, BATCH_PAYLOADS};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Partition, Payload, RawBatch, spare};

use super::input::{Filled, Input};
use crate::framing::{Block, Frame, Framer};

/// Bytes that a buffer is filled to when payloads are so small that their number closes batches.
const LEAST_BYTES: usize = 64 << 10;

/// What came of reading on.
#[derive(Debug)]
pub(super) enum Step {
    /// Payloads.
    Batch(RawBatch),
    /// Nothing yet.
    Waiting,
    /// The input cannot be read on: one payload that stands for what is missing, and a text for a person.
    Fault(RawBatch, String),
    /// All was given.
    End,
}

/// Reads one input.
#[derive(Debug)]
pub(super) struct Reader {
    partition: Arc<Partition>,
    input: Option<Input>,
    stream: usize,
    timestamp: i64,
    framer: Framer,
    /// Bytes from `base` on that are not in a batch yet.
    buffer: Vec<u8>,
    base: i64,
    /// Some of them were not looked at.
    unframed: bool,
    target: usize,
    ended: bool,
    fault: Option<String>,
}

impl Reader {
    /// A reader of `input`; one that could not be opened ends at once with a fault.
    pub(super) fn new(partition: Arc<Partition>, input: io::Result<Input>, stream: usize, timestamp: i64) -> Self {
        let (input, fault) = match input {
            Ok(input) => (Some(input), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            partition,
            ended: input.is_none(),
            input,
            stream,
            timestamp,
            framer: Framer::default(),
            buffer: Vec::new(),
            base: 0,
            unframed: false,
            target: BATCH_BYTES,
            fault,
        }
    }

    pub(super) fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// Reads on, waiting at most `wait` where the input is slow.
    pub(super) fn step(&mut self, wait: Duration) -> Step {
        loop {
            if self.unframed || self.ended {
                let mut frames = Vec::new();
                let block = Block { bytes: &self.buffer, base: self.base, end: self.ended };
                let keep = self.framer.frame(&block, BATCH_PAYLOADS, &mut frames);
                if !frames.is_empty() {
                    return Step::Batch(self.batch(&frames, keep));
                }
                self.forget(keep);
                self.unframed = false;
                if self.ended {
                    return self.end();
                }
            }
            match self.fill(wait) {
                Filled::Some => self.unframed = true,
                Filled::Waiting => return Step::Waiting,
                Filled::End => self.ended = true,
                Filled::Fault(text) => {
                    self.fault = Some(text);
                    self.ended = true;
                }
            }
        }
    }

    fn fill(&mut self, wait: Duration) -> Filled {
        let Some(input) = &mut self.input else { return Filled::End };
        // A value that does not fit in the target needs more, the more the longer it is.
        let target = self.target.max(self.buffer.len() + self.buffer.len() / 2);
        input.fill(&mut self.buffer, target, wait)
    }

    /// Drops bytes before `keep` that belong to no payload.
    fn forget(&mut self, keep: i64) {
        let done = usize::try_from(keep - self.base).expect("the framer goes forward");
        self.buffer.drain(..done);
        self.base = keep;
    }

    fn batch(&mut self, frames: &[Frame], keep: i64) -> RawBatch {
        let done = usize::try_from(keep - self.base).expect("the framer goes forward");
        let full = frames.len() >= BATCH_PAYLOADS;
        // Payloads may be empty, so that what comes next may start before the last one's end is passed.
        let end = frames.iter().map(|f| f.end).max().unwrap_or(0).max(done);
        self.target = if full { done.clamp(LEAST_BYTES, BATCH_BYTES) } else { BATCH_BYTES };
        let mut tail = spare::take();
        tail.extend_from_slice(&self.buffer[done..]);
        let mut bytes = std::mem::replace(&mut self.buffer, tail);
        bytes.truncate(end);
        self.base = keep;
        self.unframed = full;
        let payload = |f: &Frame| Payload {
            partition: 0,
            offset: f.offset,
            index: f.index,
            timestamp: self.timestamp,
            start: f.start,
            end: f.end,
            kind: f.kind,
        };
        RawBatch {
            sequence: 0,
            stream: self.stream,
            partitions: vec![Arc::clone(&self.partition)],
            payloads: frames.iter().map(payload).collect(),
            bytes,
        }
    }

    fn end(&mut self) -> Step {
        let Some(fault) = self.fault.take() else { return Step::End };
        let offset = self.base + self.buffer.len() as i64;
        let mut batch = RawBatch { stream: self.stream, ..RawBatch::default() };
        batch.push(&self.partition, offset, self.timestamp, PayloadKind::Broken, b"");
        let name = &self.partition.topic;
        let text = format!(
            "input `{name}` cannot be read beyond byte {offset}: {fault}. What came before counts; the rest is one \
             rejected record. Fetch the file again and run it by itself."
        );
        Step::Fault(batch, text)
    }
}
