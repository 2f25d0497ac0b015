//! Aggregates over a range that slides along a key's records.

use std::collections::{HashMap, VecDeque};

use watchfire_record::limits::DISTINCT_VALUES;

use super::fold::{Total, beats};
use super::over_range::{Cell, Entry};
use crate::identities::BuildAlreadyHashed;
use crate::plan::aggregates::Tally;
use crate::plan::{Aggregate, AggregateKind};

/// One aggregate's range: entries `low..high` (absolute, see [`Cursor::slide`]) and what is counted in it.
#[derive(Debug, Default)]
pub struct Cursor {
    low: u64,
    high: u64,
    time: i64,
    count: i64,
    tally: Tally,
    values: HashMap<u128, u32, BuildAlreadyHashed>,
    /// Entries (absolute) that are the least or greatest of what comes after them; the first one's value is the range's.
    extremes: VecDeque<u64>,
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
    ) -> Total {
        if time < self.time || self.low < base {
            *self = Self::start(base);
        }
        self.time = time;
        let (from, to) = (time.saturating_sub(aggregate.frame.0), time.saturating_sub(aggregate.frame.1));
        while let Some(entry) = entry(entries, base, self.high).filter(|entry| entry.time <= to) {
            self.add(index, aggregate, entry, entries, base);
            self.high += 1;
        }
        while self.low < self.high {
            let Some(entry) = entry(entries, base, self.low).filter(|entry| entry.time < from) else { break };
            self.remove(index, entry);
            self.low += 1;
        }
        self.total(index, aggregate, entries, base)
    }

    fn total(&self, index: usize, aggregate: &Aggregate, entries: &VecDeque<Entry>, base: u64) -> Total {
        match aggregate.kind {
            AggregateKind::Count => Total::Count(self.count),
            AggregateKind::CountDistinct => {
                Total::Count(i64::try_from(self.values.len().min(DISTINCT_VALUES)).unwrap_or(i64::MAX))
            }
            AggregateKind::Sum | AggregateKind::Average | AggregateKind::All | AggregateKind::Any => {
                Total::Tally(self.tally)
            }
            AggregateKind::Least | AggregateKind::Greatest => {
                let first = self.extremes.front().and_then(|place| entry(entries, base, *place));
                Total::Extreme(first.and_then(|entry| entry.ordered(index)).map(Into::into))
            }
        }
    }

    fn add(&mut self, index: usize, aggregate: &Aggregate, added: &Entry, entries: &VecDeque<Entry>, base: u64) {
        if !added.counts(index) {
            return;
        }
        self.count += 1;
        match added.cell(index) {
            Cell::None => {}
            Cell::Hash(value) => *self.values.entry(*value).or_default() += 1,
            Cell::Integer(value) => self.tally.add(*value),
            Cell::Ordered(value) => {
                let loses = |place: &u64| {
                    let kept = entry(entries, base, *place).and_then(|entry| entry.ordered(index));
                    kept.is_none_or(|kept| !beats(&aggregate.kind, kept, value))
                };
                while self.extremes.back().is_some_and(loses) {
                    self.extremes.pop_back();
                }
                self.extremes.push_back(self.high);
            }
        }
    }

    fn remove(&mut self, index: usize, removed: &Entry) {
        if !removed.counts(index) {
            return;
        }
        self.count -= 1;
        match removed.cell(index) {
            Cell::None => {}
            Cell::Hash(value) => {
                if let Some(times) = self.values.get_mut(value) {
                    *times -= 1;
                    if *times == 0 {
                        self.values.remove(value);
                    }
                }
            }
            Cell::Integer(value) => self.tally.remove(*value),
            Cell::Ordered(_) => {
                if self.extremes.front() == Some(&self.low) {
                    self.extremes.pop_front();
                }
            }
        }
    }
}

fn entry(entries: &VecDeque<Entry>, base: u64, index: u64) -> Option<&Entry> {
    entries.get(usize::try_from(index.checked_sub(base)?).ok()?)
}
