//! What ranges hold of batches until the rows that they took of them are final.

use std::collections::VecDeque;
use std::sync::Arc;

use watchfire_record::Evidence;

use super::feed::Fed;
use super::input::AggregateInput;
use super::kept::KeptRows;
use super::manner::{extrapolated, sum_of};
use super::record_table::{RecordNumber, RecordTable};
use super::records::Records;
use super::shared::Shared;
use super::timeline::{Cell, Pending, cell};
use super::window_rows::FinalWindow;

/// What is held of one batch.
#[derive(Debug)]
pub struct HeldFeed {
    rows: Arc<Vec<u32>>,
    records: Arc<Records>,
    aggregates: Vec<Shared<AggregateInput>>,
    kept: Option<Arc<KeptRows>>,
    windows: Option<Arc<Vec<FinalWindow>>>,
    /// The first of its rows that go by this number.
    first: u32,
}

impl HeldFeed {
    fn bytes(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.size() / Arc::strong_count(kept));
        let rows = self.rows.len() * size_of::<u32>() / Arc::strong_count(&self.rows);
        size_of::<Self>() + kept + rows + self.records.bytes() / Arc::strong_count(&self.records)
    }

    fn row(&self, index: u32) -> u32 {
        self.rows[(self.first + index) as usize]
    }

    fn place<T>(&self, shared: &Shared<T>, index: u32) -> u32 {
        if shared.whole { self.row(index) } else { self.first + index }
    }

    /// What the aggregate of a number looks at, and where the row of this index is in it.
    #[must_use]
    pub fn aggregate(&self, number: usize, index: u32) -> (&AggregateInput, u32) {
        let shared = &self.aggregates[number];
        (&shared.values, self.place(shared, index))
    }

    /// The columns of the row of this index.
    ///
    /// # Panics
    /// If the operator does not keep columns.
    #[must_use]
    pub fn kept(&self, index: u32) -> (&KeptRows, u32) {
        let kept = self.kept.as_ref().expect("a range keeps columns");
        (kept, self.row(index))
    }

    /// What is known of the window that the row of this index is of; for a range over windows only.
    #[must_use]
    pub fn window(&self, index: u32) -> Option<&FinalWindow> {
        self.windows.as_ref().map(|windows| &windows[self.row(index) as usize])
    }

    /// The row of this index as evidence.
    #[must_use]
    pub fn evidence(&self, index: u32) -> Evidence {
        self.records.evidence(self.row(index))
    }

    /// The number of its record among those that operators have in common.
    pub fn record(&self, index: u32, records: &mut RecordTable) -> RecordNumber {
        records.turn_to(&self.records);
        records.of_row(self.row(index))
    }

    /// The broker's timestamp of the row of this index, microseconds.
    #[must_use]
    pub fn caused_at(&self, index: u32) -> i64 {
        self.records.caused[self.row(index) as usize]
    }
}

/// The batches that an operator holds, by number. Numbers go around after 2^32 batches, of which far fewer are held.
#[derive(Debug, Default)]
pub struct HeldFeeds {
    first: u32,
    feeds: VecDeque<(Option<HeldFeed>, u32)>,
}

impl HeldFeeds {
    /// Takes in a batch and holds it, as a row of it is held, until its feeder releases it: rows may be let go of at once.
    /// The number of its rows from `first` on.
    pub fn begin(&mut self, fed: &Fed<'_>, first: u32) -> u32 {
        let held = HeldFeed {
            rows: fed.wanted(),
            records: Arc::clone(fed.records()),
            aggregates: fed.aggregates().to_vec(),
            kept: fed.kept().cloned(),
            windows: fed.windows().cloned(),
            first,
        };
        self.feeds.push_back((Some(held), 1));
        let last = u32::try_from(self.feeds.len() - 1).expect("far fewer than 2^32 batches are held");
        self.first.wrapping_add(last)
    }

    /// The hash of a row's value for an aggregate that counts different ones; anything if the row does not count there.
    #[must_use]
    pub fn hash(&self, row: Pending, aggregate: usize) -> u128 {
        let (input, place) = self.get(row.batch).aggregate(aggregate, row.index());
        match cell(input, place) {
            Some(Cell::Hash(hash)) => hash,
            _ => 0,
        }
    }

    fn place(&self, number: u32) -> usize {
        number.wrapping_sub(self.first) as usize
    }

    /// What is held of a batch.
    ///
    /// # Panics
    /// If none of its rows is held.
    #[must_use]
    pub fn get(&self, number: u32) -> &HeldFeed {
        self.feeds[self.place(number)].0.as_ref().expect("a row of it is held")
    }

    /// One more of its rows is held.
    pub fn hold(&mut self, number: u32) {
        let place = self.place(number);
        self.feeds[place].1 += 1;
    }

    /// One of its rows is no longer held.
    pub fn release(&mut self, number: u32) {
        let place = self.place(number);
        let (held, rows) = &mut self.feeds[place];
        *rows -= 1;
        if *rows == 0 {
            *held = None;
            self.forget();
        }
    }

    /// Bytes that the batches take, about: of what others hold too, a part.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let size = |(held, _): &(Option<HeldFeed>, u32)| held.as_ref().map_or(0, HeldFeed::bytes);
        let sizes = |step: usize, _| sum_of(self.feeds.iter().step_by(step).map(size));
        extrapolated(self.feeds.len(), sizes)
    }

    /// Lets go of batches at the front of which nothing is held.
    fn forget(&mut self) {
        while self.feeds.front().is_some_and(|(_, rows)| *rows == 0) {
            self.feeds.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }
}
