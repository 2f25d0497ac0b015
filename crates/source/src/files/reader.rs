//! One input's bytes to batches: read straight into a batch's own buffer, framed there, the tail carried over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::limits::{BATCH_BYTES, BATCH_PAYLOADS};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Partition, Payload, RawBatch, spare};

use super::input::{Filled, Input};
use crate::framing::{Block, Frame, Framer};

/// Bytes that are read from a file before they are framed: they are still near then.
const PIECE_BYTES: usize = 256 << 10;
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
    /// What payloads are among them, as far as they were looked at.
    frames: Vec<Frame>,
    /// Which of them the framer needs again.
    keep: usize,
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
            frames: Vec::new(),
            keep: 0,
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
                self.frame();
                if !self.frames.is_empty() && !self.goes_on() {
                    return Step::Batch(self.batch());
                }
                if self.frames.is_empty() {
                    self.forget();
                    if self.ended {
                        return self.end();
                    }
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

    /// Looks at the bytes that were not looked at.
    fn frame(&mut self) {
        let known = self.frames.len();
        let block = Block { bytes: &self.buffer[self.keep..], base: self.base + self.keep as i64, end: self.ended };
        let keep = self.framer.frame(&block, BATCH_PAYLOADS, &mut self.frames);
        for frame in &mut self.frames[known..] {
            frame.start += self.keep;
            frame.end += self.keep;
        }
        self.keep = usize::try_from(keep - self.base).expect("the framer goes forward");
        self.unframed = false;
    }

    /// Whether more is to be read into a batch that has some payloads. What is slow is handed on as it comes.
    fn goes_on(&self) -> bool {
        let room = self.buffer.len() < self.target && self.frames.len() < BATCH_PAYLOADS;
        room && !self.ended && matches!(self.input, Some(Input::Plain(..)))
    }

    fn fill(&mut self, wait: Duration) -> Filled {
        let Some(input) = &mut self.input else { return Filled::End };
        let length = self.buffer.len();
        // A value that does not fit in the target needs more, the more the longer it is.
        let mut target = if self.frames.is_empty() { self.target.max(length + length / 2) } else { self.target };
        if let Input::Plain(_, left) = input {
            let left = usize::try_from(*left).unwrap_or(usize::MAX).saturating_add(1);
            self.buffer.reserve((target.saturating_sub(length) + PIECE_BYTES).min(left));
            target = target.min(length + PIECE_BYTES);
        }
        input.fill(&mut self.buffer, target, wait)
    }

    /// Drops bytes that are done with and belong to no payload.
    fn forget(&mut self) {
        self.buffer.drain(..self.keep);
        self.base += self.keep as i64;
        self.keep = 0;
    }

    /// The payloads so far.
    fn batch(&mut self) -> RawBatch {
        let (frames, done) = (std::mem::take(&mut self.frames), std::mem::take(&mut self.keep));
        let full = frames.len() >= BATCH_PAYLOADS;
        // Payloads may be empty, so that what comes next may start before the last one's end is passed.
        let end = frames.iter().map(|f| f.end).max().unwrap_or(0).max(done);
        self.target = if full { done.clamp(LEAST_BYTES, BATCH_BYTES) } else { BATCH_BYTES };
        let mut tail = spare::take();
        tail.extend_from_slice(&self.buffer[done..]);
        let mut bytes = std::mem::replace(&mut self.buffer, tail);
        bytes.truncate(end);
        self.base += done as i64;
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
