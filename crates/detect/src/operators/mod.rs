//! Operators with state: fed with rows in order of intake, moved on by the watermark, asked for findings.

pub mod cursor;
pub mod distinct;
pub mod feed;
pub mod feeder;
pub mod firing;
pub mod first_seen;
pub mod fold;
pub mod groups;
pub mod held;
pub mod input;
pub mod kept;
pub mod key_table;
pub mod keys;
pub mod over_range;
pub mod pairs;
pub mod panes;
pub mod post;
pub mod records;
pub mod sequence;
pub mod shared;
pub mod sides;
pub mod states;
pub mod timeline;
pub mod window_members;
pub mod windows;

pub use feed::StreamBatch;
pub use first_seen::FirstSeen;
pub use over_range::OverRange;
pub use sequence::Sequences;
pub use windows::Windows;

use feed::Fed;
use key_table::KeyTable;
use watchfire_record::Finding;

/// What an operator counts of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperatorStatistics {
    /// Rows taken in.
    pub rows: u64,
    /// Keys (for windows: keys and windows) that are kept.
    pub keys: u64,
    /// Keys thrown out at the limit.
    pub evicted: u64,
    /// Rows and pairs of a sequence that were left out at a limit.
    pub dropped: u64,
    /// Rows that came after what they belong to was final; none, unless a partition was handed over meanwhile.
    pub too_late: u64,
}

impl std::ops::AddAssign for OperatorStatistics {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.keys += other.keys;
        self.evicted += other.evicted;
        self.dropped += other.dropped;
        self.too_late += other.too_late;
    }
}

/// An operator with state, of one or several detectors in one shard. `keys` are always those of its own kind of keys,
/// which it may have in common with others.
pub trait StatefulOperator: Send {
    /// Takes its share of a batch.
    fn feed(&mut self, fed: &Fed<'_>, keys: &mut KeyTable);
    /// The stream's records begin at this event time, microseconds: a detector that learns is silent for a while.
    fn begin(&mut self, earliest: i64);
    /// Fires what can be fired before it is final, for what was fed since the last call. `now` in microseconds.
    fn fire_early(&mut self, now: i64, keys: &mut KeyTable, found: &mut Vec<Finding>);
    /// No record before `watermark` (microseconds) will be fed any more: makes final what that makes final.
    fn advance(&mut self, watermark: i64, keys: &mut KeyTable, found: &mut Vec<Finding>);
    /// What it counts of itself.
    fn statistics(&self) -> OperatorStatistics;
}
