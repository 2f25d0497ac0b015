//! The window operator: aggregates a key and window, final when the watermark reaches the window's end.

use std::collections::{BTreeMap, HashMap};
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
use super::post::{Early, Post};
use super::records::Ends;
use super::{OperatorStatistics, StatefulOperator};
use crate::detector::Detector;
use crate::expression::{Expression, schema, schema_of};
use crate::plan::functions::window_starts;
use crate::plan::{Aggregate, Operator, WINDOW_COLUMN, key_column};
use crate::value::{Subject, finding_id};

/// Whether a group has fired, and how many rows it has: the least go first.
type Rank = (bool, u64);
type Groups = HashMap<Box<[u8]>, Group, ahash::RandomState>;

/// Tumbling or hopping windows of one detector in one shard.
pub struct Windows {
    info: Arc<DetectorInfo>,
    /// The windows' length and from one start to the next, microseconds.
    size: i64,
    slide: i64,
    aggregates: Vec<Aggregate>,
    post: Post,
    keys: RowConverter,
    has_keys: bool,
    windows: BTreeMap<i64, Groups>,
    touched: Vec<(i64, Box<[u8]>)>,
    /// Windows that end before it are final.
    watermark: i64,
    learn: i64,
    /// Windows that start before it are no findings.
    silent_until: i64,
    fires_early: bool,
    firing: Firing,
    statistics: OperatorStatistics,
}

/// What is known of one key in one window.
#[derive(Debug, Default)]
struct Group {
    folds: Vec<Fold>,
    rows: u64,
    ends: Ends,
    caused_at: i64,
    fired: bool,
    /// Since early findings were last looked for.
    touched: bool,
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
            aggregates: aggregates.clone(),
            fires_early: fires_early && post.early() == Early::Lasting,
            post,
            has_keys: !types.is_empty(),
            keys: row_converter(types)?,
            windows: BTreeMap::new(),
            touched: Vec::new(),
            watermark: i64::MIN,
            learn: detector.learn,
            silent_until: i64::MIN,
            firing: Firing::default(),
            statistics: OperatorStatistics::default(),
        })
    }

    /// The findings among these groups, each with its group's window and key.
    fn findings<'a>(&self, groups: &[(i64, &'a [u8], &Group)]) -> Vec<(i64, &'a [u8], Finding)> {
        let groups: Vec<_> = groups.iter().filter(|(start, _, _)| *start >= self.silent_until).copied().collect();
        if groups.is_empty() {
            return Vec::new();
        }
        let totals = self.post.totals(groups.len(), |index, row| groups[row].2.folds[index].total());
        let promising = self.post.promising(&totals, groups.len());
        if promising.is_empty() {
            return Vec::new();
        }
        let groups: Vec<_> = promising.iter().map(|row| groups[*row as usize]).collect();
        let starts = TimestampMicrosecondArray::from_iter_values(groups.iter().map(|(start, _, _)| *start));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(starts)];
        columns.extend(self.key_arrays(&groups));
        let batch = self.post.batch(columns, &totals, &promising);
        let passing = self.post.passing(&batch);
        let indices = arrow::array::UInt32Array::from(passing.clone());
        let batch = arrow::compute::take_record_batch(&batch, &indices).expect("the rows are the batch's");
        let rows = self.post.found(&batch);
        let finding = |(index, (row, keys)): (&u32, _)| {
            let (start, key, group) = groups[*index as usize];
            (start, key, self.finding(start, group, row, keys))
        };
        passing.iter().zip(rows).map(finding).collect()
    }

    fn add(&mut self, batch: &OperatorBatch, row: u32, start: i64) {
        if start.saturating_add(self.size) <= self.watermark {
            self.statistics.too_late += 1;
            return;
        }
        let groups = self.windows.entry(start).or_default();
        let key = batch.key(row);
        if !groups.contains_key(key) {
            groups.insert(key.into(), Group::new(&self.aggregates));
            self.statistics.keys += 1;
        }
        let group = groups.get_mut(key).expect("it was inserted when missing");
        group.add(batch, row, &self.aggregates);
        if self.fires_early && !group.touched {
            group.touched = true;
            self.touched.push((start, key.into()));
        }
    }

    fn key_arrays(&self, groups: &[(i64, &[u8], &Group)]) -> Vec<ArrayRef> {
        if !self.has_keys {
            return Vec::new();
        }
        let parser = self.keys.parser();
        let rows = groups.iter().map(|(_, key, _)| parser.parse(key));
        self.keys.convert_rows(rows).expect("the bytes were made by a converter of the same types")
    }

    fn finding(&self, start: i64, group: &Group, row: Vec<(Arc<str>, Value)>, keys: Vec<(Arc<str>, Value)>) -> Finding {
        let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
        let (first_event_time, last_event_time) = group.ends.times();
        Finding {
            finding_id: finding_id(&self.info.name, "window", self.size, &key_values, Subject::Window(start)),
            revision: 0,
            state: State::Final,
            detector: Arc::clone(&self.info),
            window: Some(start),
            window_end: Some(start.saturating_add(self.size)),
            keys,
            row,
            first_event_time,
            last_event_time,
            evidence: group.ends.evidence(),
            complete: self.statistics.evicted == 0 && !group.saturated(),
            caused_at: group.caused_at,
        }
    }

    /// Throws out a tenth of the keys, those of least count that never fired first.
    fn evict(&mut self) {
        let idle = |(start, groups): (&i64, &Groups)| {
            let start = *start;
            groups.iter().map(|(key, g)| ((g.fired, g.rows), start, key.clone())).collect::<Vec<_>>()
        };
        let mut idle: Vec<(Rank, i64, Box<[u8]>)> = self.windows.iter().flat_map(idle).collect();
        let out = (KEYS / 10).max(1).min(idle.len());
        if out < idle.len() {
            idle.select_nth_unstable(out);
        }
        for (_, start, key) in idle.into_iter().take(out) {
            if self.windows.get_mut(&start).and_then(|groups| groups.remove(&key)).is_some() {
                self.statistics.evicted += 1;
                self.statistics.keys -= 1;
            }
        }
    }
}

impl StatefulOperator for Windows {
    fn feed(&mut self, batch: &OperatorBatch, rows: &[u32]) {
        for row in rows {
            self.statistics.rows += 1;
            for start in window_starts(batch.times[*row as usize], self.size, self.slide) {
                self.add(batch, *row, start);
            }
        }
        if self.statistics.keys > KEYS as u64 {
            self.evict();
        }
    }

    fn begin(&mut self, earliest: i64) {
        if self.learn > 0 {
            self.silent_until = earliest.saturating_add(self.learn);
        }
    }

    fn fire_early(&mut self, now: i64, found: &mut Vec<Finding>) {
        let touched = std::mem::take(&mut self.touched);
        for (start, key) in &touched {
            if let Some(group) = self.windows.get_mut(start).and_then(|groups| groups.get_mut(key)) {
                group.touched = false;
            }
        }
        let groups = touched.iter().filter_map(|(start, key)| {
            self.windows.get(start)?.get_key_value(key).map(|(key, group)| (*start, key.as_ref(), group))
        });
        let groups: Vec<_> = groups.collect();
        let holding = self.findings(&groups);
        let fired: Vec<(i64, Box<[u8]>)> = holding.iter().map(|(start, key, _)| (*start, Box::from(*key))).collect();
        for (_, _, finding) in holding {
            self.firing.holds(finding, now, found);
        }
        for (start, key) in fired {
            if let Some(group) = self.windows.get_mut(&start).and_then(|groups| groups.get_mut(&key)) {
                group.fired = true;
            }
        }
    }

    fn advance(&mut self, watermark: i64, found: &mut Vec<Finding>) {
        self.watermark = self.watermark.max(watermark);
        while let Some(entry) = self.windows.first_entry() {
            if entry.key().saturating_add(self.size) > watermark {
                break;
            }
            let (start, closed) = entry.remove_entry();
            self.statistics.keys -= closed.len() as u64;
            let groups: Vec<_> = closed.iter().map(|(key, group)| (start, key.as_ref(), group)).collect();
            for (_, _, finding) in self.findings(&groups) {
                self.firing.becomes_final(finding, found);
            }
        }
    }

    fn statistics(&self) -> OperatorStatistics {
        self.statistics
    }
}

impl Group {
    fn new(aggregates: &[Aggregate]) -> Self {
        Self { folds: aggregates.iter().map(|aggregate| Fold::new(&aggregate.kind)).collect(), ..Self::default() }
    }

    fn add(&mut self, batch: &OperatorBatch, row: u32, aggregates: &[Aggregate]) {
        for ((fold, aggregate), input) in self.folds.iter_mut().zip(aggregates).zip(&batch.aggregates) {
            fold.add(&aggregate.kind, input, row);
        }
        let time = batch.times[row as usize];
        self.rows += 1;
        self.caused_at = self.caused_at.max(batch.caused[row as usize]);
        if self.ends.wants(time) {
            self.ends.add(batch.records.get(row, time));
        }
    }

    fn saturated(&self) -> bool {
        self.folds.iter().any(Fold::saturated)
    }
}
