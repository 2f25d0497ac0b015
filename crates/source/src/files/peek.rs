//! A look at a file's first payload before its turn.

use std::io::Read;
use std::sync::Arc;

use watchfire_record::raw::PayloadKind;
use watchfire_record::{Partition, RawBatch};

use super::discover::Place;
use crate::framing::{Block, Framer};

/// Bytes that are looked through for the first payload; no record of a cloud is longer. A file whose first payload
/// does not end within them is read as one without a time.
const PEEK_BYTES: usize = 512 << 10;
const BLOCK_BYTES: u64 = 64 << 10;

/// The first payload that is a value, in a batch of its own.
pub(super) fn first_payload(
    place: &Place,
    partition: &Arc<Partition>,
    stream: usize,
    timestamp: i64,
) -> Option<RawBatch> {
    let Place::File(path) = place else { return None };
    let mut reader = super::input::open_directly(path).ok()?;
    let (mut framer, mut bytes, mut base) = (Framer::default(), Vec::new(), 0i64);
    let (mut end, mut read_in_all) = (false, 0);
    loop {
        let mut frames = Vec::new();
        let keep = framer.frame(&Block { bytes: &bytes, base, end }, 1, &mut frames);
        if let Some(frame) = frames.iter().find(|f| f.kind == PayloadKind::Value) {
            let mut batch = RawBatch { stream, ..RawBatch::default() };
            batch.push(partition, frame.offset, timestamp, frame.kind, &bytes[frame.start..frame.end]);
            batch.payloads[0].index = frame.index;
            return Some(batch);
        }
        bytes.drain(..usize::try_from(keep - base).ok()?);
        base = keep;
        if !frames.is_empty() {
            continue;
        }
        if end || read_in_all >= PEEK_BYTES {
            return None;
        }
        let read = reader.by_ref().take(BLOCK_BYTES).read_to_end(&mut bytes).ok()?;
        read_in_all += read;
        end = read < BLOCK_BYTES as usize;
    }
}
