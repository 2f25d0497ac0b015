//! Operators with state: fed with rows in order of intake, moved on by the watermark, asked for findings.

pub mod arrivals;
pub mod at_hand;
pub mod candidates;
pub mod chunks;
pub mod cursor;
pub mod distinct;
pub mod ends;
pub mod feed;
pub mod feeder;
pub mod firing;
pub mod first_seen;
pub mod fold;
pub mod groups;
pub mod held;
pub mod input;
pub mod kept;
pub mod key_records;
pub mod key_table;
pub mod keys;
pub mod manner;
pub mod over_range;
pub mod over_windows;
pub mod pairs;
pub mod panes;
pub mod patience;
pub mod post;
pub mod range_key;
pub mod recent;
pub mod record_table;
pub mod records;
pub mod resolution;
pub mod runs;
pub mod sequence;
pub mod shared;
pub mod sides;
pub mod states;
pub mod timeline;
pub mod trail;
pub mod versions;
pub mod waits;
pub mod window_groups;
pub mod window_members;
pub mod window_rows;
pub mod windows;

pub use feed::StreamBatch;
pub use first_seen::FirstSeen;
pub use manner::Manner;
pub use over_range::OverRange;
pub use over_windows::OverWindows;
pub use sequence::Sequences;
pub use windows::Windows;

use feed::Fed;
use key_table::KeyTable;
use pairs::Pairs;
use record_table::{Marks, RecordTable};
use runs::Runs;
use trail::TrailView;
use versions::RangeVersion;
use watchfire_record::Finding;
use window_members::Member;

use crate::lifetime::Lifetime;

/// What an operator counts of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperatorStatistics {
    /// Rows taken in.
    pub rows: u64,
    /// Keys (for windows: keys and windows) that are kept.
    pub keys: u64,
    /// Bytes that are kept, about; what several operators have in common is counted in part.
    pub bytes: u64,
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
        self.bytes += other.bytes;
        self.evicted += other.evicted;
        self.dropped += other.dropped;
        self.too_late += other.too_late;
    }
}

/// What an operator has in common with others of its stream and shard.
#[derive(Debug)]
pub struct Common<'a> {
    /// Keys; always those of the operator's own kind of keys.
    pub keys: &'a mut KeyTable,
    /// Records that findings will rest on.
    pub records: &'a mut RecordTable,
    /// The rows that are fed, as those who are fed the same have them in common; for windows only, and only if the whole
    /// batch is in the operator's time.
    pub runs: Option<&'a Runs>,
    /// The records of all rows that were fed; for windows only.
    pub trail: Option<TrailView<'a>>,
}

/// The part of a version that goes on with an operator which is there.
pub enum Newcomer {
    /// For windows.
    Window(Box<Member>),
    /// For ranges, and for `first_seen` alone.
    Range(Box<RangeVersion>),
    /// For a sequence.
    Sequence(Box<Pairs>),
}

/// An operator with state, of one or several detectors in one shard.
pub trait StatefulOperator: Send {
    /// Takes its share of a batch.
    fn feed(&mut self, fed: &Fed<'_>, common: &mut Common<'_>);
    /// The stream's records begin at this event time, microseconds: a detector that learns is silent for a while.
    fn begin(&mut self, earliest: i64);
    /// Fires what can be fired before it is final, for what was fed since the last call. `now` in microseconds.
    fn fire_early(&mut self, now: i64, common: &mut Common<'_>, found: &mut Vec<Finding>);
    /// No record before `watermark` (microseconds) will be fed any more: makes final what that makes final.
    fn advance(&mut self, watermark: i64, common: &mut Common<'_>, found: &mut Vec<Finding>);
    /// Marks the records of [`Common`] that it needs; none, unless it says so.
    fn mark(&self, _: &mut Marks) {}
    /// Tells what has changed of early findings and could not be told when it did, since they had just been told.
    fn tell_changes(&mut self, _now: i64, _: &mut Common<'_>, _found: &mut Vec<Finding>) {}
    /// One more goes on with its state.
    fn join(&mut self, newcomer: Newcomer);
    /// When the versions of its detectors are live, by their slots; it has no others any more, and what those had fired
    /// ends as it was told.
    fn live(&mut self, live: &[(u32, Lifetime)], found: &mut Vec<Finding>);
    /// Throws keys out until it keeps about so many: those of least count that never fired go first.
    fn shed(&mut self, keep: usize, keys: &mut KeyTable);
    /// It goes, and holds no keys any more; what has fired ends as it was told.
    fn leave(&mut self, keys: &mut KeyTable, found: &mut Vec<Finding>);
    /// How many keys it keeps.
    fn keys(&self) -> usize;
    /// What it counts of itself.
    fn statistics(&self) -> OperatorStatistics;
}
