//! What a sliding range keeps of one key.

use watchfire_record::limits::BUFFERED_ROWS;

use super::cursor::Cursor;
use super::firing::Firing;
use super::held::HeldFeeds;
use super::record_table::RecordTable;
use super::timeline::{Pending, Timeline};
use crate::plan::Aggregate;

/// The records of one key, and what is known of their rows.
#[derive(Debug, Default)]
pub struct KeyState {
    /// Its records.
    pub timeline: Timeline,
    /// One an aggregate, over settled rows.
    pub cursors: Vec<Cursor>,
    /// One an aggregate, over pending rows as they stand; none until the first is looked at.
    pub previews: Vec<Cursor>,
    /// What it has fired.
    pub firing: Firing,
    /// When the key is to be looked at next.
    pub next_due: i64,
    /// Whether a limit has touched it.
    pub incomplete: bool,
}

impl KeyState {
    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let cursors = self.cursors.iter().chain(&self.previews).map(Cursor::bytes).sum::<usize>();
        size_of::<Self>() + self.timeline.bytes() + cursors
    }

    /// Puts a pending record in its place, and lets go of the oldest where there are too many; its number.
    pub fn put(&mut self, record: Pending, held: &mut HeldFeeds) -> u64 {
        let number = self.timeline.insert(record);
        if self.timeline.len() > BUFFERED_ROWS {
            self.timeline.drop_first(1, held);
            self.incomplete = true;
        }
        number
    }

    /// Settles the first `count` pending records, and lets go what no later row can reach: rows that may come lie so
    /// late that their ranges begin at `before` or later.
    pub fn settle(
        &mut self,
        count: usize,
        before: i64,
        aggregates: &[Aggregate],
        held: &mut HeldFeeds,
        records: &mut RecordTable,
    ) {
        let settled = usize::try_from(self.timeline.first_pending() - self.timeline.base()).unwrap_or(usize::MAX);
        let out = if self.timeline.last_time().is_some_and(|last| last < before) {
            settled + count
        } else {
            let left = self.cursors.iter().map(Cursor::low).min().unwrap_or(0);
            usize::try_from(left.saturating_sub(self.timeline.base())).unwrap_or(usize::MAX).min(settled + count)
        };
        self.timeline.drop_first(out, held);
        self.timeline.settle((settled + count - out).min(count), aggregates, held, records);
    }
}
