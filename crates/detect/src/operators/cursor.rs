//! Aggregates over a range that slides along a key's records.

use std::collections::{HashMap, VecDeque};

use watchfire_record::limits::DISTINCT_VALUES;

use super::over_range::Entry;
use crate::plan::{Aggregate, AggregateKind};

/// One aggregate's range: entries `low..high` (absolute, see [`Cursor::slide`]) and what is counted in it.
#[derive(Debug, Default)]
pub struct Cursor {
    low: u64,
    high: u64,
    time: i64,
    count: i64,
    values: HashMap<u128, u32>,
}

impl Cursor {
    /// A cursor before all entries.
    #[must_use]
    pub fn start(base: u64) -> Self {
        Self { low: base, high: base, time: i64::MIN, ..Self::default() }
    }

    /// The entries of the range, absolute.
    #[must_use]
    pub fn range(&self) -> (u64, u64) {
        (self.low, self.high)
    }

    /// An entry was inserted at `place` (absolute) or one before `place` was taken out of turn: starts again if it lies
    /// within what was counted.
    pub fn disturbed_at(&mut self, place: u64, base: u64) {
        if place < self.high {
            *self = Self::start(base);
        }
    }

    /// The aggregate over the range of a row at `time`. The first of `entries` has the absolute index `base`.
    pub fn slide(
        &mut self,
        index: usize,
        aggregate: &Aggregate,
        entries: &VecDeque<Entry>,
        base: u64,
        time: i64,
    ) -> i64 {
        if time < self.time || self.low < base {
            *self = Self::start(base);
        }
        self.time = time;
        let (from, to) = (time.saturating_sub(aggregate.frame.0), time.saturating_sub(aggregate.frame.1));
        while let Some(entry) = entry(entries, base, self.high).filter(|entry| entry.time <= to) {
            self.add(index, aggregate, entry);
            self.high += 1;
        }
        while self.low < self.high {
            let Some(entry) = entry(entries, base, self.low).filter(|entry| entry.time < from) else { break };
            self.remove(index, aggregate, entry);
            self.low += 1;
        }
        match aggregate.kind {
            AggregateKind::Count => self.count,
            AggregateKind::CountDistinct => i64::try_from(self.values.len().min(DISTINCT_VALUES)).unwrap_or(i64::MAX),
        }
    }

    fn add(&mut self, index: usize, aggregate: &Aggregate, entry: &Entry) {
        if entry.counts(index) {
            self.count += 1;
            if aggregate.kind == AggregateKind::CountDistinct {
                *self.values.entry(entry.value(index)).or_default() += 1;
            }
        }
    }

    fn remove(&mut self, index: usize, aggregate: &Aggregate, entry: &Entry) {
        if entry.counts(index) {
            self.count -= 1;
            if aggregate.kind == AggregateKind::CountDistinct
                && let std::collections::hash_map::Entry::Occupied(mut value) = self.values.entry(entry.value(index))
            {
                *value.get_mut() -= 1;
                if *value.get() == 0 {
                    value.remove();
                }
            }
        }
    }
}

fn entry(entries: &VecDeque<Entry>, base: u64, index: u64) -> Option<&Entry> {
    entries.get(usize::try_from(index.checked_sub(base)?).ok()?)
}
