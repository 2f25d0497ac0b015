//! The seam between a source and the engine.

use std::sync::Arc;
use std::time::Duration;

use watchfire_record::{Partition, RawBatch};

use crate::error::SourceError;

/// Gives payloads, and is told what is done with them.
pub trait Source: Send {
    /// Waits at most `wait` for something to happen; serves the client's own events meanwhile.
    ///
    /// # Errors
    /// If the source cannot go on for good.
    fn poll(&mut self, wait: Duration) -> Result<Event, SourceError>;

    /// Everything before the offset of each partition is done: Kafka commits it in the background, files ignore it.
    ///
    /// # Errors
    /// If the source cannot go on for good.
    fn commit(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError>;

    /// What was in flight of the partitions named by the last [`Event::Revoked`] is finished: commits `done`, waiting
    /// for it, and hands the partitions over. To be called once for each such event, also for lost partitions (then
    /// with an empty list, as they are another's already).
    ///
    /// # Errors
    /// If the source cannot go on for good.
    fn release(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError>;

    /// Commits `done`, waiting for it for at most some seconds, and leaves the group. Nothing is polled after it.
    ///
    /// # Errors
    /// If the commit was refused.
    fn close(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError>;

    /// Whether new records could be seen if there were any: false while the broker is away. Silence says nothing then.
    fn is_available(&self) -> bool {
        true
    }

    /// Whether all partitions of what it reads are ours, as far as is known: false while others of a group have some.
    fn is_whole(&self) -> bool {
        true
    }

    /// While paused, [`Source::poll`] gives no batch of payloads that were not taken already, but still waits and
    /// serves events.
    fn set_paused(&mut self, _paused: bool) {}

    /// For each partition at hand, how many records are there and not yet taken, as far as is known without asking.
    /// Empty where nobody can tell.
    fn lag(&self) -> Vec<(Arc<Partition>, i64)> {
        Vec::new()
    }
}

/// A partition that is now ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub partition: Arc<Partition>,
    /// Index of its stream in the engine's list of streams.
    pub stream: usize,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Payloads of one stream. The sequence is left 0: the engine numbers batches.
    Batch(RawBatch),
    /// Partitions are ours from here on.
    Assigned(Vec<Assignment>),
    /// Partitions are to go: the engine finishes what is in flight of them, then calls [`Source::release`].
    Revoked {
        /// Which ones.
        partitions: Vec<Arc<Partition>>,
        /// They are another's already: what is in flight of them is dropped, not finished.
        lost: bool,
    },
    /// The partition has given all that is there now.
    CaughtUp(Arc<Partition>),
    /// A bounded partition (a file, standard input) gave its last.
    Ended(Arc<Partition>),
    /// Nothing, for as long as was waited.
    Nothing,
    /// Bounded input is over.
    Finished,
    /// For a person: a broker away or back, a damaged file, partitions added. Each is said once per change.
    Notice(String),
}
