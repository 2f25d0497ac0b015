//! Operators with state: fed with rows in order of intake, moved on by the watermark, asked for findings.

pub mod cursor;
pub mod firing;
pub mod first_seen;
pub mod fold;
pub mod input;
pub mod keys;
pub mod over_range;
pub mod post;
pub mod records;
pub mod shared;
pub mod windows;

pub use first_seen::FirstSeen;
pub use input::{Feeder, OperatorBatch};
pub use over_range::OverRange;
pub use windows::Windows;

use watchfire_record::Finding;

use crate::lifetime::Lifetime;

/// What an operator counts of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperatorStatistics {
    /// Rows taken in.
    pub rows: u64,
    /// Keys (for windows: keys and windows) that are kept.
    pub keys: u64,
    /// Keys thrown out at the limit.
    pub evicted: u64,
    /// Rows that came after what they belong to was final; none, unless a partition was handed over meanwhile.
    pub too_late: u64,
}

impl OperatorStatistics {
    /// Adds what another operator counts.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.keys += other.keys;
        self.evicted += other.evicted;
        self.too_late += other.too_late;
    }
}

/// An operator with state of one detector in one shard.
pub trait StatefulOperator: Send {
    /// Takes the chosen rows of a batch.
    fn feed(&mut self, batch: &OperatorBatch, rows: &[u32]);
    /// The stream's records begin at this event time, microseconds: a detector that learns is silent for a while.
    fn begin(&mut self, earliest: i64);
    /// The version is live for these event times: it is fed with no others. For an operator whose rows stand for more
    /// than one record's time: what does not lie within is not found, and taken back if it has fired.
    fn live(&mut self, _lifetime: Lifetime) {}
    /// Fires what can be fired before it is final, for what was fed since the last call. `now` in microseconds.
    fn fire_early(&mut self, now: i64, found: &mut Vec<Finding>);
    /// No record before `watermark` (microseconds) will be fed any more: makes final what that makes final.
    fn advance(&mut self, watermark: i64, found: &mut Vec<Finding>);
    /// What it counts of itself.
    fn statistics(&self) -> OperatorStatistics;
}
