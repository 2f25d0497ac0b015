//! What the operators with state of one stream are fed of one batch.
//!
//! Operators that want the same rows by the same keys share one list of rows; groups, what aggregates look at, and kept
//! columns are worked out once a batch.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::row::Rows;
use watchfire_record::ColumnRequest;

use super::Common;
use super::groups::Groups;
use super::input::AggregateInput;
use super::kept::{self, KeptRows};
use super::records::{Record, Records};
use super::runs::Runs;
use super::shared::Shared;
use super::window_rows::FinalWindow;
use crate::lifetime::Lifetime;

/// A batch's rows on their way to operators with state.
#[derive(Debug)]
pub struct StreamBatch {
    /// Times, ids and places of all rows.
    pub records: Arc<Records>,
    /// One an operator that wants some of the rows, in the order of the stream's operators.
    pub feeds: Vec<Feed>,
    /// The first and the last event time of all rows, microseconds.
    pub span: (i64, i64),
}

impl StreamBatch {
    /// These rows, and who is fed which.
    #[must_use]
    pub fn new(records: Arc<Records>, feeds: Vec<Feed>) -> Self {
        let (first, last) = (records.times.iter().min(), records.times.iter().max());
        let span = (first.copied().unwrap_or(i64::MIN), last.copied().unwrap_or(i64::MIN));
        Self { records, feeds, span }
    }
}

/// The rows that one operator is fed.
#[derive(Debug)]
pub struct Feed {
    /// Index of the operator among its stream's.
    pub operator: usize,
    /// Which rows.
    pub rows: Arc<FedRows>,
    /// One an aggregate.
    pub aggregates: Vec<Shared<AggregateInput>>,
    /// What a found row needs, of rows that may pass; for ranges only.
    pub kept: Option<Arc<KeptRows>>,
    /// What counts the rows that pass what is asked of found rows beside aggregates; for ranges that ask for such.
    pub passes: Option<Shared<AggregateInput>>,
    /// For a side of a sequence: the columns that it keeps as comparable bytes, one for each row that passed the WHERE.
    pub side: Option<Rows>,
    /// For a range over windows: what is known of the windows that the rows are of, one a row.
    pub windows: Option<Arc<Vec<FinalWindow>>>,
}

/// Rows that passed a WHERE, by their keys.
#[derive(Debug)]
pub struct FedRows {
    /// Rows of the batch, ascending.
    pub rows: Arc<Vec<u32>>,
    /// For each shard, which of `rows` are its own: indices, ascending; for windows and first seen, those of one group
    /// next to one another, in order of time.
    pub by_shard: Vec<Vec<u32>>,
    /// Their keys; `None` for operators without.
    pub groups: Option<Shared<Groups>>,
}

impl Feed {
    fn may_pass(&self, row: FedRow) -> bool {
        self.passes.as_ref().is_none_or(|passes| passes.values.counts(row.place(passes)))
    }

    /// The rows of the batch that may pass.
    pub fn passing(&self) -> impl Iterator<Item = u32> {
        let rows = (0u32..).zip(&*self.rows.rows).map(|(index, row)| FedRow { index, row: *row });
        rows.filter(|row| self.may_pass(*row)).map(|row| row.row)
    }
}

/// One operator's share of a batch in one shard.
#[derive(Debug, Clone, Copy)]
pub struct Fed<'a> {
    batch: &'a StreamBatch,
    feed: &'a Feed,
    /// Which of the feed's rows: indices, in the order of [`FedRows::by_shard`].
    mine: &'a [u32],
}

/// One row of a [`Fed`].
#[derive(Debug, Clone, Copy)]
pub struct FedRow {
    /// Its place among the rows that passed the WHERE.
    pub index: u32,
    /// Its place in the batch.
    row: u32,
}

impl FedRow {
    /// Where it is in what several may have in common.
    #[must_use]
    pub fn place<T>(self, shared: &Shared<T>) -> u32 {
        if shared.whole { self.row } else { self.index }
    }
}

impl<'a> Fed<'a> {
    /// The share of this shard.
    #[must_use]
    pub fn new(batch: &'a StreamBatch, feed: &'a Feed, shard: usize) -> Self {
        Self { batch, feed, mine: &feed.rows.by_shard[shard] }
    }

    /// The same without rows outside of a lifetime; `within` is where they are put if some lie there.
    #[must_use]
    pub fn within(self, lifetime: Lifetime, within: &'a mut Vec<u32>) -> Self {
        if self.is_within(lifetime) {
            return self;
        }
        let rows = self.rows().filter(|row| lifetime.contains(self.time(*row)));
        *within = rows.map(|row| row.index).collect();
        Self { mine: within, ..self }
    }

    /// Whether all rows of the batch are in a lifetime.
    #[must_use]
    pub fn is_within(&self, lifetime: Lifetime) -> bool {
        lifetime.contains_all(self.batch.span)
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.mine.len()
    }

    /// The rows, in the order of intake; for windows and first seen group by group, and in order of time in each.
    pub fn rows(&self) -> impl Iterator<Item = FedRow> + use<'a> {
        let rows = &self.feed.rows;
        self.mine.iter().map(|index| FedRow { index: *index, row: rows.rows[*index as usize] })
    }

    /// The rows of a feed by group in runs, which those who are fed the same may have in common.
    #[must_use]
    pub fn runs<'c>(&self, common: &mut Common<'c>) -> Cow<'c, Runs> {
        common.runs.map_or_else(|| Cow::Owned(Runs::of(self, common.keys)), Cow::Borrowed)
    }

    /// The groups of keys; `None` for an operator without keys.
    #[must_use]
    pub fn groups(&self) -> Option<&'a Arc<Groups>> {
        self.feed.rows.groups.as_ref().map(|shared| &shared.values)
    }

    /// The group of a row's keys; 0 for an operator without keys.
    #[must_use]
    pub fn group(&self, row: FedRow) -> u32 {
        self.feed.rows.groups.as_ref().map_or(0, |shared| shared.values.of_row[row.place(shared) as usize])
    }

    /// A row's keys as comparable bytes, and their hash; empty for an operator without keys.
    #[must_use]
    pub fn key(&self, row: FedRow) -> (&'a [u8], u128) {
        let Some(groups) = self.groups() else { return (&[], 0) };
        let group = self.group(row) as usize;
        (groups.values.row(group).data(), groups.hashes[group])
    }

    /// A row's event time, microseconds.
    #[must_use]
    pub fn time(&self, row: FedRow) -> i64 {
        self.batch.records.times[row.row as usize]
    }

    /// The broker's timestamp of a row, microseconds.
    #[must_use]
    pub fn caused_at(&self, row: FedRow) -> i64 {
        self.batch.records.caused[row.row as usize]
    }

    /// What the aggregate of an index looks at, and where the row is in it.
    #[must_use]
    pub fn aggregate(&self, index: usize, row: FedRow) -> (&'a AggregateInput, u32) {
        let shared = &self.feed.aggregates[index];
        (&shared.values, row.place(shared))
    }

    /// What all aggregates look at.
    #[must_use]
    pub fn aggregates(&self) -> &'a [Shared<AggregateInput>] {
        &self.feed.aggregates
    }

    /// The columns that found rows need; for ranges only.
    #[must_use]
    pub fn kept(&self) -> Option<&'a Arc<KeptRows>> {
        self.feed.kept.as_ref()
    }

    /// Those columns of rows, at least one, that are wanted and may pass; for ranges only.
    ///
    /// # Panics
    /// If the feed keeps no columns.
    #[must_use]
    pub fn kept_columns(&self, rows: &[FedRow], wanted: &[ColumnRequest]) -> Vec<ArrayRef> {
        let kept = self.kept().expect("ranges keep columns");
        let rows: Vec<(&KeptRows, u32)> = rows.iter().map(|row| (&**kept, row.row)).collect();
        kept::columns(&rows, wanted)
    }

    /// Whether a row passes what is asked of found rows beside aggregates; true too where that is not known.
    #[must_use]
    pub fn may_pass(&self, row: FedRow) -> bool {
        self.feed.may_pass(row)
    }

    /// What is known of the windows that the rows are of; for a range over windows only.
    #[must_use]
    pub fn windows(&self) -> Option<&'a Arc<Vec<FinalWindow>>> {
        self.feed.windows.as_ref()
    }

    /// What a side of a sequence keeps of a row, as comparable bytes.
    #[must_use]
    pub fn side(&self, row: FedRow) -> Box<[u8]> {
        self.feed.side.as_ref().map(|rows| rows.row(row.index as usize).data().into()).unwrap_or_default()
    }

    /// The rows of the batch that passed the WHERE, for all shards.
    #[must_use]
    pub fn wanted(&self) -> Arc<Vec<u32>> {
        Arc::clone(&self.feed.rows.rows)
    }

    /// Times, ids and places of the batch's rows.
    #[must_use]
    pub fn records(&self) -> &'a Arc<Records> {
        &self.batch.records
    }

    /// A row's place in the batch.
    #[must_use]
    pub fn row(&self, row: FedRow) -> u32 {
        row.row
    }

    /// A row as evidence; `partitions` are the operator's numbers of the batch's partitions.
    #[must_use]
    pub fn record(&self, row: FedRow, partitions: &[u32]) -> Record {
        self.batch.records.get(row.row, partitions)
    }
}
