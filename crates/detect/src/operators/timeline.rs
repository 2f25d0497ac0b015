//! The records of one key in order of time: those that are settled, which are kept by themselves, then those that are
//! pending, which are kept with their batches.

use std::collections::VecDeque;

use watchfire_record::Evidence;

use super::held::HeldFeeds;
use super::input::{AggregateInput, Values};
use super::record_table::{Marks, RecordNumber, RecordTable};
use crate::plan::{Aggregate, AggregateKind};

/// A record whose row is final: what later rows need of it.
#[derive(Debug)]
pub struct Settled {
    /// Event time, microseconds.
    time: i64,
    /// Its number among the records that operators have in common.
    record: RecordNumber,
    /// Bit per aggregate: whether it counts there.
    counted: u64,
    /// One an aggregate, if any looks at values.
    values: Box<[Cell<Box<[u8]>>]>,
}

/// A record whose row is not final.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    /// Event time, microseconds.
    pub time: i64,
    /// The number of its batch.
    pub batch: u32,
    /// Its index among the rows of the batch that the operator wants. In the high bits what saves looking into the batch:
    /// for each of the first aggregates whether it counts there, and whether it may be found.
    pub(super) tagged_index: u32,
}

/// Bits of [`Pending`]'s tagged index that are the index.
const INDEX_BITS: u32 = 24;
/// Rows of one batch that can be told apart.
pub const MOST_ROWS: u32 = 1 << INDEX_BITS;
/// Aggregates of which a pending record knows whether it counts there.
pub const KNOWN_AGGREGATES: usize = 7;
/// The bit beside those of aggregates: the row may be found.
const MAY_PASS: u32 = 1 << (INDEX_BITS + 7);

impl Pending {
    /// The record of this index, below [`MOST_ROWS`], in a batch. `counted` has a bit for each of the first
    /// [`KNOWN_AGGREGATES`]; `may_pass` is false if its row will not be found whatever its aggregates come to.
    #[must_use]
    pub fn new(time: i64, batch: u32, index: u32, counted: u8, may_pass: bool) -> Self {
        debug_assert!(index < MOST_ROWS && counted >> KNOWN_AGGREGATES == 0);
        let may_pass = if may_pass { MAY_PASS } else { 0 };
        Self { time, batch, tagged_index: index | u32::from(counted) << INDEX_BITS | may_pass }
    }

    /// Whether its row may be found.
    #[must_use]
    pub fn may_pass(self) -> bool {
        self.tagged_index & MAY_PASS != 0
    }

    /// Its index among the rows of the batch that the operator wants.
    #[must_use]
    pub fn index(self) -> u32 {
        self.tagged_index & (MOST_ROWS - 1)
    }

    /// Whether it counts for an aggregate, if that is known without its batch.
    #[must_use]
    pub fn counts(self, aggregate: usize) -> Option<bool> {
        (aggregate < KNOWN_AGGREGATES).then(|| self.tagged_index >> INDEX_BITS & 1 << aggregate != 0)
    }
}

/// What an aggregate looks at in one record.
#[derive(Debug, Clone, Copy)]
pub enum Cell<T> {
    /// Nothing but whether it counts.
    None,
    /// A value's hash.
    Hash(u128),
    /// A number.
    Integer(i64),
    /// A value as comparable bytes.
    Ordered(T),
}

/// A key's records, each by a number that it keeps: their place, counted from the key's first record ever.
#[derive(Debug, Default)]
pub struct Timeline {
    settled: VecDeque<Settled>,
    pending: VecDeque<Pending>,
    /// The number of the first record that is kept.
    base: u64,
}

impl Timeline {
    /// How many records are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.settled.len() + self.pending.len()
    }

    /// Bytes that they take, about: settled ones have as many values each as the first.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let values = self.settled.front().map_or(0, |settled| size_of_val(&*settled.values));
        self.settled.capacity() * size_of::<Settled>()
            + self.settled.len() * values
            + self.pending.capacity() * size_of::<Pending>()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the first record that is kept.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The number of the first pending record.
    #[must_use]
    pub fn first_pending(&self) -> u64 {
        self.base + self.settled.len() as u64
    }

    /// The records that are pending, in order of time.
    #[must_use]
    pub fn pending(&self) -> &VecDeque<Pending> {
        &self.pending
    }

    /// The pending record of this number.
    #[must_use]
    pub fn pending_at(&self, number: u64) -> Option<Pending> {
        self.pending.get(usize::try_from(number.checked_sub(self.first_pending())?).ok()?).copied()
    }

    /// Adds a pending record after all of its time; its number.
    pub fn insert(&mut self, record: Pending) -> u64 {
        let place = self.place_after(record.time);
        if place == self.pending.len() {
            self.pending.push_back(record);
        } else {
            self.pending.insert(place, record);
        }
        self.first_pending() + place as u64
    }

    /// The place among pending records after all of this time: most often near the end, where it is looked for first.
    fn place_after(&self, time: i64) -> usize {
        let (mut above, mut step) = (self.pending.len(), 1);
        while let Some(below) = above.checked_sub(step) {
            if self.pending[below].time <= time {
                return below + 1 + within(&self.pending, below + 1..above, time);
            }
            (above, step) = (below, step * 2);
        }
        within(&self.pending, 0..above, time)
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.base)?).ok()
    }

    /// The event time of a record, microseconds; `None` if it is not kept.
    #[must_use]
    pub fn time(&self, number: u64) -> Option<i64> {
        let place = self.place(number)?;
        match self.settled.get(place) {
            Some(settled) => Some(settled.time),
            None => self.pending.get(place - self.settled.len()).map(|pending| pending.time),
        }
    }

    /// The event time of the last record, microseconds.
    #[must_use]
    pub fn last_time(&self) -> Option<i64> {
        self.pending.back().map(|p| p.time).or_else(|| self.settled.back().map(|s| s.time))
    }

    /// The number of the first record at or after `time`.
    #[must_use]
    pub fn first_at(&self, time: i64) -> u64 {
        let place = self.settled.partition_point(|settled| settled.time < time);
        let pending = if place < self.settled.len() { 0 } else { self.pending.partition_point(|p| p.time < time) };
        self.base + (place + pending) as u64
    }

    /// Whether a record counts for the aggregate of this index.
    #[must_use]
    pub fn counts(&self, held: &HeldFeeds, number: u64, index: usize) -> bool {
        let Some(place) = self.place(number) else { return false };
        if let Some(settled) = self.settled.get(place) {
            return settled.counted & 1 << index != 0;
        }
        let Some(pending) = self.pending.get(place - self.settled.len()) else { return false };
        pending.counts(index).unwrap_or_else(|| {
            let (input, row) = held.get(pending.batch).aggregate(index, pending.index());
            input.counts(row)
        })
    }

    /// What an aggregate looks at in a record; `None` if the record does not count there.
    #[must_use]
    pub fn cell<'a>(&'a self, held: &'a HeldFeeds, number: u64, index: usize) -> Option<Cell<&'a [u8]>> {
        let place = self.place(number)?;
        if let Some(settled) = self.settled.get(place) {
            return settled.cell(index);
        }
        let pending = self.pending.get(place - self.settled.len())?;
        if pending.counts(index) == Some(false) {
            return None;
        }
        let (input, row) = held.get(pending.batch).aggregate(index, pending.index());
        cell(input, row)
    }

    /// A record as evidence.
    #[must_use]
    pub fn evidence(&self, held: &HeldFeeds, records: &RecordTable, number: u64) -> Option<Evidence> {
        let place = self.place(number)?;
        if let Some(settled) = self.settled.get(place) {
            return Some(records.evidence(settled.record));
        }
        let pending = self.pending.get(place - self.settled.len())?;
        Some(held.get(pending.batch).evidence(pending.index()))
    }

    /// The records of settled ones are needed.
    pub fn mark(&self, marks: &mut Marks) {
        self.settled.iter().for_each(|settled| marks.mark(settled.record));
    }

    /// Settles the first `count` pending records.
    pub fn settle(&mut self, count: usize, aggregates: &[Aggregate], held: &mut HeldFeeds, records: &mut RecordTable) {
        for pending in self.pending.drain(..count) {
            self.settled.push_back(Settled::new(pending, aggregates, held, records));
            held.release(pending.batch);
        }
    }

    /// Lets go of the first `count` records.
    pub fn drop_first(&mut self, count: usize, held: &mut HeldFeeds) {
        let settled = count.min(self.settled.len());
        self.settled.drain(..settled);
        self.pending.drain(..count - settled).for_each(|pending| held.release(pending.batch));
        self.base += count as u64;
    }
}

/// How many of the records in a part of a list that is in order of time are not after `time`.
fn within(pending: &VecDeque<Pending>, part: std::ops::Range<usize>, time: i64) -> usize {
    let (mut low, mut high) = (part.start, part.end);
    while low < high {
        let middle = low.midpoint(high);
        if pending[middle].time <= time { low = middle + 1 } else { high = middle }
    }
    low - part.start
}

impl Settled {
    fn new(pending: Pending, aggregates: &[Aggregate], held: &HeldFeeds, records: &mut RecordTable) -> Self {
        let held = held.get(pending.batch);
        let cells: Vec<_> = (0..aggregates.len())
            .map(|index| {
                let (input, row) = held.aggregate(index, pending.index());
                cell(input, row)
            })
            .collect();
        let counted = cells.iter().enumerate().filter(|(_, cell)| cell.is_some());
        let looks = aggregates.iter().any(|aggregate| aggregate.kind != AggregateKind::Count);
        Self {
            time: pending.time,
            record: held.record(pending.index(), records),
            counted: counted.fold(0, |bits, (index, _)| bits | 1 << index),
            values: if looks { cells.into_iter().map(owned).collect() } else { Box::default() },
        }
    }

    fn cell(&self, index: usize) -> Option<Cell<&[u8]>> {
        if self.counted & 1 << index == 0 {
            return None;
        }
        Some(match self.values.get(index) {
            None | Some(Cell::None) => Cell::None,
            Some(Cell::Hash(hash)) => Cell::Hash(*hash),
            Some(Cell::Integer(number)) => Cell::Integer(*number),
            Some(Cell::Ordered(value)) => Cell::Ordered(value),
        })
    }
}

fn owned(cell: Option<Cell<&[u8]>>) -> Cell<Box<[u8]>> {
    match cell {
        None | Some(Cell::None) => Cell::None,
        Some(Cell::Hash(hash)) => Cell::Hash(hash),
        Some(Cell::Integer(number)) => Cell::Integer(number),
        Some(Cell::Ordered(value)) => Cell::Ordered(value.into()),
    }
}

/// What an aggregate looks at in a row; `None` if the row does not count there.
#[must_use]
pub fn cell(input: &AggregateInput, row: u32) -> Option<Cell<&[u8]>> {
    input.counts(row).then(|| match &input.values {
        Values::None => Cell::None,
        Values::Grouped(groups) => Cell::Hash(groups.hashes[groups.of_row[row as usize] as usize]),
        Values::Integers(values) => Cell::Integer(values[row as usize]),
        Values::Ordered(rows) => Cell::Ordered(rows.row(row as usize).data()),
    })
}
