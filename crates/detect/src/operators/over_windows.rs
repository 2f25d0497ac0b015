//! A sliding range over the rows of windows: what is usual, and what is more than that.
//!
//! Windows of all their keys are kept as by themselves. When one is final, its rows go to a range, whose keys are some of
//! the windows' own. The range of a row ends at the row's own window or before it, and windows become final in the order
//! of their starts: so a row of the range is final as soon as the windows of its start are, and nothing is told before.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion_common::Result;
use watchfire_record::{ColumnType, Finding};

use super::feed::Fed;
use super::fold::TotalColumn;
use super::key_table::KeyTable;
use super::over_range::OverRange;
use super::record_table::Marks;
use super::versions::RangeVersion;
use super::window_groups::Groups;
use super::window_members::key_types;
use super::window_rows::{FinalWindow, RowFeeder};
use super::windows::Windows;
use super::{Common, Manner, Newcomer, OperatorStatistics, StatefulOperator};
use crate::detector::Detector;
use crate::expression::{Conjunction, record_batch, schema};
use crate::identities::SecretHasher;
use crate::lifetime::Lifetime;
use crate::plan::{Operator, WINDOW_COLUMN, WindowRows, key_column, total_column};

/// A range over windows of one detector in one shard.
pub struct OverWindows {
    windows: Windows,
    size: i64,
    /// A row's columns: its window's start, its keys, its aggregates.
    fields: SchemaRef,
    totals: Vec<TotalColumn>,
    /// What must hold for a row before the range sees it.
    having: Conjunction,
    feeder: RowFeeder,
    range: OverRange,
    /// The range's keys.
    keys: KeyTable,
}

impl OverWindows {
    /// The operator of a detector whose plan has a range over windows, in the version of this slot. `hasher` is the
    /// workers' own.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(slot: u32, detector: &Detector, manner: Manner, hasher: &SecretHasher) -> Result<Self> {
        let Operator::OverWindows { windows, aggregates } = &detector.plan.operator else {
            unreachable!("the caller looks at the operator");
        };
        let types = key_types(detector)?;
        let compiled = schema(fields(&types, windows));
        let range_keys = &detector.plan.keys;
        Ok(Self {
            size: windows.size,
            totals: windows.aggregates.iter().map(TotalColumn::new).collect::<Result<_>>()?,
            having: Conjunction::compile(&windows.having, &compiled)?,
            feeder: RowFeeder::new(range_keys, aggregates, &compiled, hasher)?,
            range: OverRange::over_windows(row_version(slot, detector, windows)?, aggregates, windows.size, manner),
            windows: Windows::of_rows(windows.size, windows.slide, &windows.aggregates, types, manner.keys)?,
            fields: compiled,
            keys: KeyTable::default(),
        })
    }

    /// Hands the rows of the window of this start, which is final, to the range; then all before it is settled there.
    fn hand_on(&mut self, start: i64, groups: &Groups, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        let all = self.rows(start, groups, common.keys);
        let passing = self.having.rows(&all);
        if passing.is_empty() {
            return;
        }
        let group = |row: u32| (groups.key(row as usize), groups.panes(row as usize));
        let windows = passing.iter().map(|row| self.window(start, group(*row), common)).collect();
        let rows = if passing.len() == all.num_rows() {
            all
        } else {
            arrow::compute::take_record_batch(&all, &UInt32Array::from(passing)).expect("the rows are the batch's")
        };
        let batch = self.feeder.feed(&rows, start, windows);
        let fed = Fed::new(&batch, &batch.feeds[0], 0);
        if let Some(groups) = fed.groups() {
            self.keys.turn_to(groups);
        }
        let mut own = Common { keys: &mut self.keys, records: common.records, runs: None, trail: None };
        self.range.feed(&fed, &mut own);
        self.range.advance(start.saturating_add(1), &mut own, found);
        self.keys.turn_away();
    }

    /// The rows of the window of this start, one a key.
    fn rows(&self, start: i64, groups: &Groups, keys: &KeyTable) -> RecordBatch {
        let count = groups.len();
        let starts = TimestampMicrosecondArray::from_value(start, count);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(starts)];
        columns.extend(self.windows.key_arrays((0..count).map(|group| keys.bytes(groups.key(group)))));
        let totals = self.totals.iter().enumerate();
        columns.extend(totals.map(|(index, column)| {
            column.array((0..count).map(|group| self.windows.total(index, groups.panes(group))))
        }));
        record_batch(&self.fields, columns, count)
    }

    fn window(&self, start: i64, (key, panes): (u32, &[u32]), common: &Common<'_>) -> FinalWindow {
        FinalWindow { ends: self.windows.ends(start, key, common), complete: self.windows.is_complete(panes) }
    }
}

/// What the version of this slot finds among the rows of its windows.
///
/// # Errors
/// If an expression does not fit, which planning rules out.
pub fn row_version(slot: u32, detector: &Detector, windows: &WindowRows) -> Result<RangeVersion> {
    let types = key_types(detector)?;
    RangeVersion::of_windows(slot, detector, fields(&types, windows), types.len())
}

/// The columns of windows' rows.
fn fields(key_types: &[DataType], windows: &WindowRows) -> Vec<Field> {
    let start = Field::new(WINDOW_COLUMN, ColumnType::Time.arrow(), false);
    let keys = key_types.iter().enumerate();
    let keys = keys.map(|(index, value_type)| Field::new(key_column(index), value_type.clone(), true));
    let totals = windows.aggregates.iter().enumerate();
    let totals = totals.map(|(index, a)| Field::new(total_column(index), a.output.clone(), a.kind.can_be_null()));
    std::iter::once(start).chain(keys).chain(totals).collect()
}

impl StatefulOperator for OverWindows {
    fn feed(&mut self, fed: &Fed<'_>, common: &mut Common<'_>) {
        self.windows.feed(fed, common);
    }

    fn begin(&mut self, earliest: i64) {
        self.range.begin(earliest);
    }

    /// Nothing: an operator hands on final rows only, and what the range makes of them is final then.
    fn fire_early(&mut self, _: i64, _: &mut Common<'_>, _: &mut Vec<Finding>) {}

    fn advance(&mut self, watermark: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        self.windows.reach(watermark);
        while let Some((start, groups)) = self.windows.next_final() {
            self.hand_on(start, &groups, common, found);
            self.windows.forget_final(start, common.keys);
        }
        // Windows that end after the watermark are not final: the earliest of them starts after this.
        let settled = if watermark == i64::MAX { watermark } else { watermark.saturating_sub(self.size) };
        let mut own = Common { keys: &mut self.keys, records: common.records, runs: None, trail: None };
        self.range.advance(settled.saturating_add(1), &mut own, found);
        self.keys.turn_away();
    }

    fn mark(&self, marks: &mut Marks) {
        self.range.mark(marks);
    }

    fn join(&mut self, newcomer: Newcomer) {
        self.range.join(newcomer);
    }

    fn live(&mut self, live: &[(u32, Lifetime)], found: &mut Vec<Finding>) {
        self.range.live(live, found);
    }

    /// Windows and ranges give up alike shares of what they keep.
    fn shed(&mut self, keep: usize, keys: &mut KeyTable) {
        let (windows, ranges) = (self.windows.keys(), self.range.keys());
        let of_windows = usize::try_from(windows as u128 * keep as u128 / (windows + ranges).max(1) as u128);
        let of_windows = of_windows.unwrap_or(windows);
        self.windows.shed(of_windows, keys);
        self.range.shed(keep.saturating_sub(of_windows), &mut self.keys);
    }

    fn leave(&mut self, keys: &mut KeyTable, found: &mut Vec<Finding>) {
        self.windows.leave(keys, found);
        self.range.leave(&mut self.keys, found);
    }

    fn keys(&self) -> usize {
        self.windows.keys() + self.range.keys()
    }

    fn statistics(&self) -> OperatorStatistics {
        let (windows, range) = (self.windows.statistics(), self.range.statistics());
        OperatorStatistics {
            keys: windows.keys + range.keys,
            bytes: windows.bytes + range.bytes,
            evicted: windows.evicted + range.evicted,
            ..windows
        }
    }
}
