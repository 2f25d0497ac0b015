//! What waits for its turn, by when it is due.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::plan::Act;
use crate::settings::StreamKind;

/// What waits for its turn.
#[derive(Debug)]
pub(crate) struct Waiting {
    due: i64,
    sequence: u64,
    pub event_time: i64,
    pub attack: Option<u32>,
    pub what: What,
}

/// What a waiting record is made from.
#[derive(Debug)]
pub(crate) enum What {
    Act(Act),
    Copy(StreamKind, String),
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.sequence).cmp(&(other.due, other.sequence))
    }
}

/// What waits, the first due first; of those due at once the first that came.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Waiting>>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, due: i64, event_time: i64, attack: Option<u32>, what: What) {
        self.sequence += 1;
        self.heap.push(Reverse(Waiting { due, sequence: self.sequence, event_time, attack, what }));
    }

    /// The next one, if it is due by `now`.
    pub(crate) fn pop_due(&mut self, now: i64) -> Option<Waiting> {
        let due = self.heap.peek().is_some_and(|Reverse(waiting)| waiting.due <= now);
        if due { self.heap.pop().map(|Reverse(waiting)| waiting) } else { None }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}
