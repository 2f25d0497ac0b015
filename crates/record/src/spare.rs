//! Batch buffers that are done with, kept for the next batches: fresh pages cost more than what is read into them.

use std::sync::{Mutex, PoisonError};

/// How many bytes are kept in all.
const KEPT_BYTES: usize = 64 << 20;
/// Larger buffers are given back to the system, so that one large record is not paid for ever.
const LARGEST: usize = 16 << 20;
/// Smaller ones are not worth keeping.
const SMALLEST: usize = 64 << 10;

static SPARE: Mutex<Spare> = Mutex::new(Spare { buffers: Vec::new(), bytes: 0 });

struct Spare {
    buffers: Vec<Vec<u8>>,
    /// Room of all of them.
    bytes: usize,
}

/// An empty buffer, with the room of one that was given back if there is one.
#[must_use]
pub fn take() -> Vec<u8> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let buffer = spare.buffers.pop().unwrap_or_default();
    spare.bytes -= buffer.capacity();
    buffer
}

/// Keeps a buffer's room for the next [`take`]; its bytes are gone.
pub fn give(mut buffer: Vec<u8>) {
    let room = buffer.capacity();
    if !(SMALLEST..=LARGEST).contains(&room) {
        return;
    }
    buffer.clear();
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if spare.bytes + room <= KEPT_BYTES {
        spare.bytes += room;
        spare.buffers.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_empty_and_what_is_kept_is_bounded() {
        let given = 2 * KEPT_BYTES / LARGEST;
        for _ in 0..given {
            give(vec![1; LARGEST]);
        }
        give(vec![1; LARGEST + 1]);
        let taken: Vec<Vec<u8>> = (0..given).map(|_| take()).collect();
        assert!(taken.iter().all(|buffer| buffer.is_empty() && buffer.capacity() <= LARGEST));
        assert_eq!(taken.iter().map(Vec::capacity).sum::<usize>(), KEPT_BYTES);
    }
}
