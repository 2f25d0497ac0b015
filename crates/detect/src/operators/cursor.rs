//! Aggregates over a range that slides along a key's records.

use std::collections::{HashMap, VecDeque};

use watchfire_record::limits::DISTINCT_VALUES;

use super::fold::{Total, beats};
use super::key_records::KeyRecords;
use super::timeline::Cell;
use crate::identities::BuildAlreadyHashed;
use crate::plan::aggregates::Tally;
use crate::plan::{Aggregate, AggregateKind};

/// One aggregate's range: records `low..high` (their numbers) and what is counted in it.
#[derive(Debug)]
pub struct Cursor {
    low: u64,
    high: u64,
    time: i64,
    count: i64,
    values: Counted,
}

/// What is known of the values in the range.
#[derive(Debug)]
enum Counted {
    /// Nothing: only rows are counted.
    Rows,
    Different(HashMap<u128, u32, BuildAlreadyHashed>),
    Tally(Box<Tally>),
    /// Numbers of records that are the least or greatest of what comes after them; the first one's value is the range's.
    Extremes(VecDeque<u64>),
}

impl Counted {
    fn new(kind: &AggregateKind) -> Self {
        match kind {
            AggregateKind::Count => Self::Rows,
            AggregateKind::CountDistinct => Self::Different(HashMap::default()),
            AggregateKind::Sum | AggregateKind::Average | AggregateKind::All | AggregateKind::Any => {
                Self::Tally(Box::default())
            }
            AggregateKind::Least | AggregateKind::Greatest => Self::Extremes(VecDeque::new()),
        }
    }
}

impl Cursor {
    /// A cursor before all records from the one numbered `base` on.
    #[must_use]
    pub fn start(aggregate: &Aggregate, base: u64) -> Self {
        Self { low: base, high: base, time: i64::MIN, count: 0, values: Counted::new(&aggregate.kind) }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.values {
                Counted::Rows => 0,
                Counted::Different(values) => values.capacity() * (size_of::<(u128, u32)>() + 1),
                Counted::Tally(_) => size_of::<Tally>(),
                Counted::Extremes(numbers) => numbers.capacity() * size_of::<u64>(),
            }
    }

    /// The first record of the range.
    #[must_use]
    pub fn low(&self) -> u64 {
        self.low
    }

    /// A record was inserted at `number`: starts again if it lies within what was counted.
    pub fn disturbed_at(&mut self, number: u64, aggregate: &Aggregate, base: u64) {
        if number < self.high {
            *self = Self::start(aggregate, base);
        }
    }

    /// The aggregate of this index over the range of a row at `time`.
    pub fn slide(&mut self, index: usize, aggregate: &Aggregate, records: &KeyRecords<'_>, time: i64) -> Total {
        let timeline = records.timeline;
        if time < self.time || self.low < timeline.base() {
            *self = Self::start(aggregate, timeline.base());
        }
        self.time = time;
        let (from, to) = (time.saturating_sub(aggregate.frame.0), time.saturating_sub(aggregate.frame.1));
        while timeline.time(self.high).is_some_and(|time| time <= to) {
            self.add(index, aggregate, records);
            self.high += 1;
        }
        while self.low < self.high && timeline.time(self.low).is_some_and(|time| time < from) {
            self.remove(index, records);
            self.low += 1;
        }
        self.total(index, records)
    }

    fn total(&self, index: usize, records: &KeyRecords<'_>) -> Total {
        match &self.values {
            Counted::Rows => Total::Count(self.count),
            Counted::Different(values) => {
                Total::Count(i64::try_from(values.len().min(DISTINCT_VALUES)).unwrap_or(i64::MAX))
            }
            Counted::Tally(tally) => Total::Tally(**tally),
            Counted::Extremes(extremes) => {
                let first = extremes.front().and_then(|number| ordered(records, *number, index));
                Total::Extreme(first.map(Into::into))
            }
        }
    }

    fn add(&mut self, index: usize, aggregate: &Aggregate, records: &KeyRecords<'_>) {
        if matches!(self.values, Counted::Rows) {
            self.count += i64::from(records.counts(self.high, index));
            return;
        }
        let Some(cell) = records.cell(self.high, index) else { return };
        self.count += 1;
        match (&mut self.values, cell) {
            (Counted::Different(values), Cell::Hash(value)) => *values.entry(value).or_default() += 1,
            (Counted::Tally(tally), Cell::Integer(value)) => tally.add(value),
            (Counted::Extremes(extremes), Cell::Ordered(value)) => {
                let loses = |number: &u64| {
                    let kept = ordered(records, *number, index);
                    kept.is_none_or(|kept| !beats(&aggregate.kind, kept, value))
                };
                while extremes.back().is_some_and(loses) {
                    extremes.pop_back();
                }
                extremes.push_back(self.high);
            }
            _ => {}
        }
    }

    fn remove(&mut self, index: usize, records: &KeyRecords<'_>) {
        if matches!(self.values, Counted::Rows) {
            self.count -= i64::from(records.counts(self.low, index));
            return;
        }
        let Some(cell) = records.cell(self.low, index) else { return };
        self.count -= 1;
        match (&mut self.values, cell) {
            (Counted::Different(values), Cell::Hash(value)) => {
                if let Some(times) = values.get_mut(&value) {
                    *times -= 1;
                    if *times == 0 {
                        values.remove(&value);
                    }
                }
            }
            (Counted::Tally(tally), Cell::Integer(value)) => tally.remove(value),
            (Counted::Extremes(extremes), Cell::Ordered(_)) if extremes.front() == Some(&self.low) => {
                extremes.pop_front();
            }
            _ => {}
        }
    }
}

fn ordered<'a>(records: &KeyRecords<'a>, number: u64, index: usize) -> Option<&'a [u8]> {
    match records.cell(number, index) {
        Some(Cell::Ordered(value)) => Some(value),
        _ => None,
    }
}
