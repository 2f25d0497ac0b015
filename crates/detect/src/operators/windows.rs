//! The window operator: aggregates a key and window, final when the watermark reaches the window's end.
//!
//! A row is folded once, into a **pane** as long as the greatest length of which all windows are made: a tumbling window
//! is one pane, a hopping one several, which are put together when the window is judged.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::datatypes::Field;
use arrow::row::RowConverter;
use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::limits::KEYS;
use watchfire_record::{ColumnType, DetectorInfo, Finding, State, Value};

use super::firing::Firing;
use super::fold::Fold;
use super::input::{OperatorBatch, row_converter};
use super::keys::Keys;
use super::post::{Early, Post};
use super::records::{Ends, Partitions};
use super::{OperatorStatistics, StatefulOperator};
use crate::detector::Detector;
use crate::expression::{Expression, schema, schema_of};
use crate::lifetime::Lifetime;
use crate::plan::functions::{window_start, window_starts};
use crate::plan::{Aggregate, Operator, WINDOW_COLUMN, key_column};
use crate::value::{Subject, finding_id};

/// Tumbling or hopping windows of one detector in one shard.
pub struct Windows {
    info: Arc<DetectorInfo>,
    /// The windows' length and from one start to the next, microseconds.
    size: i64,
    slide: i64,
    /// The panes' length, microseconds.
    pane: i64,
    aggregates: Vec<Aggregate>,
    post: Post,
    key_rows: RowConverter,
    has_keys: bool,
    keys: Keys<KeyState>,
    partitions: Partitions,
    /// Which keys have something in a pane, by its start.
    panes: BTreeMap<i64, Vec<u32>>,
    /// Starts of the windows that are not final.
    open: BTreeSet<i64>,
    /// Key and start of panes that rows came to since early findings were last looked for.
    touched: Vec<(u32, i64)>,
    /// Windows that end before it are final.
    watermark: i64,
    learn: i64,
    /// Windows that start before it are no findings.
    silent_until: i64,
    /// Nor are those that end after it.
    live_until: i64,
    fires_early: bool,
    firing: Firing,
    statistics: OperatorStatistics,
}

/// What is kept of a key.
#[derive(Debug, Default)]
struct KeyState {
    /// In order of their starts.
    panes: VecDeque<Pane>,
    fired: bool,
}

/// What is known of one key in one pane.
#[derive(Debug)]
struct Pane {
    start: i64,
    folds: Box<[Fold]>,
    rows: u64,
    ends: Ends,
    caused_at: i64,
    touched: bool,
}

/// One key in one window: the key's panes of these places.
#[derive(Debug)]
struct Group {
    start: i64,
    key: u32,
    panes: std::ops::Range<usize>,
    /// The folds of all panes, if they are several.
    merged: Option<Box<[Fold]>>,
}

impl Windows {
    /// The operator of a detector whose plan has a window.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(detector: &Detector, fires_early: bool) -> Result<Self> {
        let Operator::Window { size, slide, aggregates } = &detector.plan.operator else {
            unreachable!("the caller looks at the operator");
        };
        let columns = schema(schema_of(&detector.plan.row_columns));
        let types = detector.plan.keys.iter().map(|(_, expr)| Ok(Expression::compile(expr, &columns)?.data_type()));
        let types = types.collect::<Result<Vec<_>>>()?;
        let window = Field::new(WINDOW_COLUMN, ColumnType::Time.arrow(), false);
        let key = |(index, value_type): (usize, &_)| Field::new(key_column(index), Clone::clone(value_type), true);
        let fields = std::iter::once(window).chain(types.iter().enumerate().map(key)).collect();
        let names = detector.plan.keys.iter().map(|(name, _)| name.clone());
        let keys: Vec<(String, Expr)> =
            names.enumerate().map(|(index, name)| (name, crate::plan::own_column(key_column(index)))).collect();
        let post = Post::new(&detector.plan, fields, &keys, aggregates)?;
        Ok(Self {
            info: Arc::clone(&detector.info),
            size: *size,
            slide: *slide,
            pane: greatest_common_divisor(*size, *slide),
            aggregates: aggregates.clone(),
            fires_early: fires_early && post.early() == Early::Lasting,
            post,
            has_keys: !types.is_empty(),
            key_rows: row_converter(types)?,
            keys: Keys::default(),
            partitions: Partitions::default(),
            panes: BTreeMap::new(),
            open: BTreeSet::new(),
            touched: Vec::new(),
            watermark: i64::MIN,
            learn: detector.learn,
            silent_until: i64::MIN,
            live_until: i64::MAX,
            firing: Firing::default(),
            statistics: OperatorStatistics::default(),
        })
    }

    fn add(&mut self, batch: &OperatorBatch, row: u32, partitions: &[u32]) {
        let time = batch.times[row as usize];
        let start = window_start(time, self.pane);
        // The latest window of a row is the last to close.
        if window_start(time, self.slide).saturating_add(self.size) <= self.watermark {
            self.statistics.too_late += 1;
            return;
        }
        let (key, hash) = batch.key(row);
        let key = self.keys.number(key, hash);
        let state = self.keys.get_mut(key).expect("its number was just given");
        let place = match state.panes.iter().rposition(|pane| pane.start <= start) {
            Some(place) if state.panes[place].start == start => place,
            before => {
                let place = before.map_or(0, |place| place + 1);
                state.panes.insert(place, Pane::new(start, &self.aggregates));
                self.statistics.keys += 1;
                self.panes.entry(start).or_insert_with(|| {
                    let windows = window_starts(start, self.size, self.slide);
                    self.open.extend(windows.filter(|start| start.saturating_add(self.size) > self.watermark));
                    Vec::new()
                });
                self.panes.get_mut(&start).expect("it is there now").push(key);
                place
            }
        };
        let pane = &mut state.panes[place];
        pane.add(batch, row, &self.aggregates, partitions);
        if self.fires_early && !pane.touched {
            pane.touched = true;
            self.touched.push((key, start));
        }
    }

    /// What a key has in the window of this start; `None` for nothing.
    fn group(&self, key: u32, start: i64) -> Option<Group> {
        let (_, state) = self.keys.get(key)?;
        let from = state.panes.partition_point(|pane| pane.start < start);
        let to = state.panes.partition_point(|pane| pane.start < start.saturating_add(self.size));
        let merged = (to > from + 1).then(|| self.merged(state, from..to));
        (from < to).then_some(Group { start, key, panes: from..to, merged })
    }

    fn merged(&self, state: &KeyState, places: std::ops::Range<usize>) -> Box<[Fold]> {
        let mut folds: Box<[Fold]> = self.aggregates.iter().map(|a| Fold::new(&a.kind)).collect();
        for pane in state.panes.range(places) {
            for ((fold, other), aggregate) in folds.iter_mut().zip(&pane.folds).zip(&self.aggregates) {
                fold.merge(&aggregate.kind, other);
            }
        }
        folds
    }

    fn state(&self, group: &Group) -> (&[u8], &KeyState) {
        self.keys.get(group.key).expect("a group is judged before its key is forgotten")
    }

    fn folds<'a>(&'a self, group: &'a Group) -> &'a [Fold] {
        group.merged.as_deref().unwrap_or_else(|| &self.state(group).1.panes[group.panes.start].folds)
    }

    /// The findings among these groups, each with its group's key.
    fn findings(&self, groups: &[Group]) -> Vec<(u32, Finding)> {
        if groups.is_empty() {
            return Vec::new();
        }
        let totals = self.post.totals(groups.len(), |index, row| self.folds(&groups[row])[index].total());
        let mut promising = self.post.promising(&totals, groups.len());
        let found = |start: i64| start >= self.silent_until && start.saturating_add(self.size) <= self.live_until;
        promising.retain(|row| found(groups[*row as usize].start));
        if promising.is_empty() {
            return Vec::new();
        }
        let groups: Vec<&Group> = promising.iter().map(|row| &groups[*row as usize]).collect();
        let starts = TimestampMicrosecondArray::from_iter_values(groups.iter().map(|group| group.start));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(starts)];
        columns.extend(self.key_arrays(&groups));
        let batch = self.post.batch(columns, &totals, &promising);
        let passing = self.post.passing(&batch);
        let indices = arrow::array::UInt32Array::from(passing.clone());
        let batch = arrow::compute::take_record_batch(&batch, &indices).expect("the rows are the batch's");
        let rows = self.post.found(&batch);
        let finding = |(index, (row, keys)): (&u32, _)| {
            let group = groups[*index as usize];
            (group.key, self.finding(group, row, keys))
        };
        passing.iter().zip(rows).map(finding).collect()
    }

    fn key_arrays(&self, groups: &[&Group]) -> Vec<ArrayRef> {
        if !self.has_keys {
            return Vec::new();
        }
        let parser = self.key_rows.parser();
        let rows = groups.iter().map(|group| parser.parse(self.state(group).0));
        self.key_rows.convert_rows(rows).expect("the bytes were made by a converter of the same types")
    }

    fn finding(&self, group: &Group, row: Vec<(Arc<str>, Value)>, keys: Vec<(Arc<str>, Value)>) -> Finding {
        let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
        let panes = || self.state(group).1.panes.range(group.panes.clone());
        let mut ends = Ends::default();
        panes().for_each(|pane| ends.merge(&pane.ends));
        let (first_event_time, last_event_time) = ends.times();
        let saturated = self.folds(group).iter().any(Fold::saturated);
        Finding {
            finding_id: finding_id(&self.info.name, "window", self.size, &key_values, Subject::Window(group.start)),
            revision: 0,
            state: State::Final,
            detector: Arc::clone(&self.info),
            window: Some(group.start),
            window_end: Some(group.start.saturating_add(self.size)),
            keys,
            row,
            first_event_time,
            last_event_time,
            evidence: ends.records().map(|record| self.partitions.evidence(record)).collect(),
            complete: self.statistics.evicted == 0 && !saturated,
            caused_at: panes().map(|pane| pane.caused_at).max().unwrap_or(0),
        }
    }

    /// Lets go the panes that are in no window any more.
    fn forget_before(&mut self, start: i64) {
        while let Some(entry) = self.panes.first_entry().filter(|entry| *entry.key() < start) {
            let (pane, keys) = entry.remove_entry();
            for key in keys {
                let Some(state) = self.keys.get_mut(key) else { continue };
                let before = state.panes.len();
                state.panes.retain(|kept| kept.start != pane);
                self.statistics.keys -= (before - state.panes.len()) as u64;
                if state.panes.is_empty() {
                    self.keys.remove(key);
                }
            }
        }
    }

    /// Throws out keys until a tenth of the panes is free: those of least count that never fired first.
    fn evict(&mut self) {
        let rows = |state: &KeyState| state.panes.iter().map(|pane| pane.rows).sum::<u64>();
        let mut keys: Vec<(bool, u64, u32)> =
            self.keys.iter().map(|(key, state)| (state.fired, rows(state), key)).collect();
        keys.sort_unstable();
        let enough = (KEYS - KEYS / 10) as u64;
        for (_, _, key) in keys {
            if self.statistics.keys <= enough {
                break;
            }
            let panes = self.keys.get(key).map_or(0, |(_, state)| state.panes.len()) as u64;
            self.keys.remove(key);
            self.statistics.keys -= panes;
            self.statistics.evicted += 1;
        }
        // A number may be given to another key, which has no part in these panes yet.
        let Self { panes, keys, .. } = self;
        let has = |key: u32, start: i64| {
            keys.get(key).is_some_and(|(_, state)| state.panes.iter().any(|pane| pane.start == start))
        };
        panes.iter_mut().for_each(|(start, numbers)| numbers.retain(|key| has(*key, *start)));
        self.touched.retain(|(key, start)| has(*key, *start));
    }
}

impl StatefulOperator for Windows {
    fn feed(&mut self, batch: &OperatorBatch, rows: &[u32]) {
        let partitions = self.partitions.of(&batch.records);
        for row in rows {
            self.add(batch, *row, &partitions);
        }
        self.statistics.rows += rows.len() as u64;
        if self.statistics.keys > KEYS as u64 {
            self.evict();
        }
    }

    fn begin(&mut self, earliest: i64) {
        if self.learn > 0 {
            self.silent_until = earliest.saturating_add(self.learn);
        }
    }

    fn live(&mut self, lifetime: Lifetime) {
        self.silent_until = self.silent_until.max(lifetime.from);
        self.live_until = lifetime.to;
    }

    fn fire_early(&mut self, now: i64, found: &mut Vec<Finding>) {
        let touched = std::mem::take(&mut self.touched);
        let mut windows = BTreeSet::new();
        for (key, start) in touched {
            let pane = self.keys.get_mut(key).and_then(|state| state.panes.iter_mut().find(|pane| pane.start == start));
            if let Some(pane) = pane {
                pane.touched = false;
                windows.extend(window_starts(start, self.size, self.slide).map(|window| (window, key)));
            }
        }
        let open = windows.into_iter().filter(|(start, _)| start.saturating_add(self.size) > self.watermark);
        let groups: Vec<Group> = open.filter_map(|(start, key)| self.group(key, start)).collect();
        for (key, finding) in self.findings(&groups) {
            self.firing.holds(finding, now, found);
            if let Some(state) = self.keys.get_mut(key) {
                state.fired = true;
            }
        }
    }

    fn advance(&mut self, watermark: i64, found: &mut Vec<Finding>) {
        self.watermark = self.watermark.max(watermark);
        if self.live_until < i64::MAX {
            let until = self.live_until;
            self.firing.withdraw(|f| f.window_end.is_some_and(|end| end > until), &HashSet::new(), found);
        }
        while let Some(start) = self.open.first().copied().filter(|s| s.saturating_add(self.size) <= watermark) {
            self.open.pop_first();
            let within = self.panes.range(start..start.saturating_add(self.size));
            let mut keys: Vec<u32> = within.flat_map(|(_, keys)| keys.iter().copied()).collect();
            if self.size != self.slide {
                keys.sort_unstable();
                keys.dedup();
            }
            let groups: Vec<Group> = keys.into_iter().filter_map(|key| self.group(key, start)).collect();
            for (_, finding) in self.findings(&groups) {
                self.firing.becomes_final(finding, found);
            }
            // Windows without a pane may lie between: the next one that is open says what is needed yet.
            self.forget_before(self.open.first().copied().unwrap_or(start.saturating_add(self.size)));
        }
    }

    fn statistics(&self) -> OperatorStatistics {
        self.statistics
    }
}

impl Pane {
    fn new(start: i64, aggregates: &[Aggregate]) -> Self {
        let folds = aggregates.iter().map(|aggregate| Fold::new(&aggregate.kind)).collect();
        Self { start, folds, rows: 0, ends: Ends::default(), caused_at: 0, touched: false }
    }

    fn add(&mut self, batch: &OperatorBatch, row: u32, aggregates: &[Aggregate], partitions: &[u32]) {
        for (index, (fold, aggregate)) in self.folds.iter_mut().zip(aggregates).enumerate() {
            let (input, place) = batch.aggregate(index, row);
            fold.add(&aggregate.kind, input, place);
        }
        let time = batch.times[row as usize];
        self.rows += 1;
        self.caused_at = self.caused_at.max(batch.caused[row as usize]);
        if self.ends.wants(time) {
            self.ends.add(batch.records.get(batch.rows[row as usize], time, partitions));
        }
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
