//! A key's records as aggregates over its ranges look at them, and what was read of them ahead.

use super::arrivals::Arrival;
use super::held::HeldFeeds;
use super::timeline::{Cell, KNOWN_AGGREGATES, Timeline};
use crate::plan::{Aggregate, AggregateKind};

/// A key's records as aggregates look at them.
#[derive(Debug)]
pub struct KeyRecords<'a> {
    /// The records.
    pub timeline: &'a Timeline,
    /// Where pending ones are.
    pub held: &'a HeldFeeds,
    /// What is known of them beforehand.
    pub ahead: Ahead<'a>,
}

impl<'a> KeyRecords<'a> {
    /// Whether a record counts for an aggregate.
    #[must_use]
    pub fn counts(&self, number: u64, index: usize) -> bool {
        self.timeline.counts(self.held, number, index)
    }

    /// What an aggregate looks at in a record; `None` if the record does not count there.
    #[must_use]
    pub fn cell(&self, number: u64, index: usize) -> Option<Cell<&'a [u8]>> {
        match self.ahead.of(number, index) {
            Some(arrival) => arrival.row.counts(index)?.then_some(Cell::Hash(arrival.hash)),
            None => self.timeline.cell(self.held, number, index),
        }
    }
}

/// Hashes of values that were read in the order in which their records came, a batch after another: in the order of keys
/// each would be a way to another place in memory, twice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ahead<'a> {
    /// Whose values they are.
    aggregate: usize,
    /// The number of the first record.
    first: u64,
    records: &'a [Arrival],
}

impl<'a> Ahead<'a> {
    /// What was read for an aggregate, if for any, of a key's records from this number on.
    #[must_use]
    pub fn new(aggregate: Option<usize>, first: u64, records: &'a [Arrival]) -> Self {
        aggregate.map_or_else(Self::default, |aggregate| Self { aggregate, first, records })
    }

    /// The aggregate of which values are read ahead: the first that counts different ones, if it is of those of which a
    /// row knows by itself whether it counts.
    #[must_use]
    pub fn aggregate(aggregates: &[Aggregate]) -> Option<usize> {
        let distinct = |aggregate: &Aggregate| aggregate.kind == AggregateKind::CountDistinct;
        aggregates.iter().take(KNOWN_AGGREGATES).position(distinct)
    }

    fn of(&self, number: u64, aggregate: usize) -> Option<&'a Arrival> {
        if aggregate != self.aggregate {
            return None;
        }
        self.records.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}
