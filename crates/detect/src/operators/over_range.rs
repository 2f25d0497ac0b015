//! The over-range operator: for each record, aggregates over its key's records in a range before it.
//!
//! A key's records lie in order of event time. Those before the watermark are settled: nothing can come before them any
//! more, and their rows are final. The others are pending; with early firing their rows are looked at as they stand.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use arrow::row::RowConverter;
use datafusion_common::Result;
use watchfire_record::limits::{BUFFERED_ROWS, DISTINCT_VALUES, EVIDENCE_RECORDS, KEYS};
use watchfire_record::{ColumnRequest, DetectorInfo, Evidence, Finding, State, Stream, Value};

use super::cursor::Cursor;
use super::firing::{Firing, least_event_ids};
use super::fold::Total;
use super::input::{AggregateInput, OperatorBatch, Payload, Values, row_converter};
use super::post::{Early, NamedValues, Post};
use super::records::{Partitions, Record};
use super::{OperatorStatistics, StatefulOperator};
use crate::detector::{Detector, identity_names};
use crate::expression::schema_of;
use crate::plan::{Aggregate, AggregateKind, Operator};
use crate::value::{Subject, finding_id, value_at};

/// One record of a key.
#[derive(Debug)]
pub struct Entry {
    /// Event time, microseconds.
    pub time: i64,
    caused_at: i64,
    /// Bit per aggregate: whether it counts there.
    counted: u64,
    /// One an aggregate, if any looks at values.
    values: Box<[Cell]>,
    /// All columns, until it is settled.
    payload: Option<Payload>,
    record: Record,
}

impl Entry {
    /// Whether the record counts for the aggregate of this index.
    #[must_use]
    pub fn counts(&self, index: usize) -> bool {
        self.counted & (1 << index) != 0
    }

    /// What the aggregate of this index looks at.
    #[must_use]
    pub fn cell(&self, index: usize) -> &Cell {
        self.values.get(index).unwrap_or(&Cell::None)
    }

    /// The comparable bytes that the aggregate of this index looks at.
    #[must_use]
    pub fn ordered(&self, index: usize) -> Option<&[u8]> {
        match self.cell(index) {
            Cell::Ordered(value) => Some(value),
            _ => None,
        }
    }
}

/// What an aggregate looks at in one record.
#[derive(Debug)]
pub enum Cell {
    /// Nothing but whether it counts.
    None,
    /// A value's hash.
    Hash(u128),
    /// A number.
    Integer(i64),
    /// A value as comparable bytes.
    Ordered(Box<[u8]>),
}

/// The records of one key.
#[derive(Debug, Default)]
struct KeyState {
    /// In order of time.
    entries: VecDeque<Entry>,
    /// The absolute index of the first entry.
    base: u64,
    /// How many entries, from the first, are settled.
    settled: usize,
    /// One an aggregate, over settled rows.
    cursors: Vec<Cursor>,
    /// One an aggregate, over pending rows as they stand.
    previews: Vec<Cursor>,
    firing: Firing,
    /// When the key is to be looked at next.
    next_due: i64,
    incomplete: bool,
}

/// A row whose aggregates are known.
struct Candidate {
    key: Arc<[u8]>,
    /// Place among the key's entries.
    place: usize,
    totals: Vec<Total>,
    /// Absolute range of the entries that were counted.
    range: (u64, u64),
}

/// Sliding ranges of one detector in one shard.
pub struct OverRange {
    info: Arc<DetectorInfo>,
    aggregates: Vec<Aggregate>,
    /// The longest range, microseconds.
    reach: i64,
    post: Post,
    payload: RowConverter,
    identity: Vec<usize>,
    keys: HashMap<Arc<[u8]>, KeyState, ahash::RandomState>,
    partitions: Partitions,
    /// When each key is to be looked at next.
    due: BinaryHeap<Reverse<(i64, Arc<[u8]>)>>,
    touched: HashMap<Arc<[u8]>, (i64, i64), ahash::RandomState>,
    /// Rows before it are final.
    watermark: i64,
    learn: i64,
    /// Rows before it are no findings.
    silent_until: i64,
    fires_early: bool,
    statistics: OperatorStatistics,
}

/// Whether a key has fired, and how many records it has: the least go first.
type Rank = (bool, usize);

/// Rows that are judged at once.
const CHUNK: usize = 8192;

impl OverRange {
    /// The operator of a detector whose plan has a range; `columns` are what its rows keep.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(detector: &Detector, columns: &[ColumnRequest], stream: &Stream, fires_early: bool) -> Result<Self> {
        let Operator::OverRange { aggregates } = &detector.plan.operator else {
            unreachable!("the caller looks at the operator");
        };
        let post = Post::new(&detector.plan, schema_of(columns), &detector.plan.keys, aggregates)?;
        let place = |name: &String| columns.iter().position(|c| c.name() == *name).expect("identity columns are kept");
        Ok(Self {
            info: Arc::clone(&detector.info),
            reach: aggregates.iter().map(|a| a.frame.0).max().unwrap_or(0),
            aggregates: aggregates.clone(),
            fires_early: fires_early && post.early() != Early::No,
            post,
            payload: row_converter(columns.iter().map(|c| c.column_type.arrow()))?,
            identity: identity_names(stream).iter().map(place).collect(),
            keys: HashMap::default(),
            partitions: Partitions::default(),
            due: BinaryHeap::new(),
            touched: HashMap::default(),
            watermark: i64::MIN,
            learn: detector.learn,
            silent_until: i64::MIN,
            statistics: OperatorStatistics::default(),
        })
    }

    fn insert(&mut self, batch: &OperatorBatch, row: u32, partitions: &[u32]) {
        let key = match self.keys.get_key_value(batch.key(row).0) {
            Some((key, _)) => Arc::clone(key),
            None => self.new_key(batch.key(row).0),
        };
        let state = self.keys.get_mut(&key).expect("it was inserted when missing");
        let entry = entry(batch, row, &self.aggregates, partitions);
        let time = entry.time;
        let place = match state.entries.back() {
            Some(last) if last.time > time => state.entries.partition_point(|e| e.time <= time),
            _ => state.entries.len(),
        };
        state.entries.insert(place, entry);
        let absolute = state.base + place as u64;
        state.previews.iter_mut().for_each(|cursor| cursor.disturbed_at(absolute, state.base));
        if time < state.next_due {
            state.next_due = time;
            self.due.push(Reverse((time, Arc::clone(&key))));
        }
        if state.entries.len() > BUFFERED_ROWS {
            state.drop_first(1);
            state.incomplete = true;
        }
        if self.fires_early {
            let span = self.touched.entry(key).or_insert((time, time));
            *span = (span.0.min(time), span.1.max(time));
        }
    }

    fn new_key(&mut self, key: &[u8]) -> Arc<[u8]> {
        if self.keys.len() >= KEYS {
            self.evict();
        }
        let key: Arc<[u8]> = key.into();
        let cursors = || self.aggregates.iter().map(|_| Cursor::default()).collect();
        let state = KeyState { cursors: cursors(), previews: cursors(), next_due: i64::MAX, ..KeyState::default() };
        self.keys.insert(Arc::clone(&key), state);
        key
    }

    /// Throws out a tenth of the keys, those of least count that never fired first.
    fn evict(&mut self) {
        let rank = |state: &KeyState| (!state.firing.is_empty(), state.entries.len());
        let mut idle: Vec<(Rank, Arc<[u8]>)> =
            self.keys.iter().map(|(key, state)| (rank(state), Arc::clone(key))).collect();
        let out = (KEYS / 10).max(1).min(idle.len());
        if out < idle.len() {
            idle.select_nth_unstable(out);
        }
        for (_, key) in idle.into_iter().take(out) {
            self.keys.remove(&key);
            self.statistics.evicted += 1;
        }
    }

    /// The findings among these rows, each with its key and time.
    fn judge(&self, candidates: &[Candidate]) -> Vec<(Arc<[u8]>, Finding)> {
        let totals = self.post.totals(candidates.len(), |index, row| candidates[row].totals[index].clone());
        let mut promising = self.post.promising(&totals, candidates.len());
        promising.retain(|row| self.time_of(&candidates[*row as usize]) >= self.silent_until);
        if promising.is_empty() {
            return Vec::new();
        }
        let parser = self.payload.parser();
        let chosen: Vec<&Candidate> = promising.iter().map(|row| &candidates[*row as usize]).collect();
        let payload = |c: &&Candidate| self.keys[&c.key].entries[c.place].payload.clone();
        let payloads: Vec<Payload> = chosen.iter().filter_map(payload).collect();
        let rows = payloads.iter().map(|payload| parser.parse(payload.bytes()));
        let columns = self.payload.convert_rows(rows).expect("the bytes were made by a converter of the same types");
        let batch = self.post.batch(columns, &totals, &promising);
        let passing = self.post.passing(&batch);
        let indices = arrow::array::UInt32Array::from(passing.clone());
        let batch = arrow::compute::take_record_batch(&batch, &indices).expect("the rows are the batch's");
        let found = self.post.found(&batch);
        let finding = |(row, (index, (output, keys))): (usize, (&u32, (NamedValues, NamedValues)))| {
            let candidate = chosen[*index as usize];
            let identity: Vec<Value> =
                self.identity.iter().map(|column| value_at(batch.column(*column), row)).collect();
            (Arc::clone(&candidate.key), self.finding(candidate, &identity, output, keys))
        };
        passing.iter().zip(found).enumerate().map(finding).collect()
    }

    fn time_of(&self, candidate: &Candidate) -> i64 {
        self.keys[&candidate.key].entries[candidate.place].time
    }

    fn finding(&self, candidate: &Candidate, identity: &[Value], row: NamedValues, keys: NamedValues) -> Finding {
        let state = &self.keys[&candidate.key];
        let entry = &state.entries[candidate.place];
        let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
        let subject = match self.post.early() {
            Early::FirstSeen => Subject::FirstSeen(entry.time),
            _ => Subject::Record(identity),
        };
        let (evidence, first_event_time) = state.evidence(candidate, &self.partitions);
        Finding {
            finding_id: finding_id(&self.info.name, "over range", self.reach, &key_values, subject),
            revision: 0,
            state: State::Final,
            detector: Arc::clone(&self.info),
            window: Some(entry.time.saturating_sub(self.reach)),
            window_end: Some(entry.time),
            keys,
            row,
            first_event_time,
            last_event_time: entry.time,
            evidence,
            complete: self.statistics.evicted == 0 && !state.incomplete,
            caused_at: entry.caused_at,
        }
    }

    /// Rows of first seen that share an id are one finding, that of the least event id.
    fn one_an_id(&self, findings: Vec<(Arc<[u8]>, Finding)>) -> Vec<(Arc<[u8]>, Finding)> {
        if self.post.early() == Early::FirstSeen { least_event_ids(findings) } else { findings }
    }

    /// Makes final what is true among rows that became so.
    fn settle(&mut self, candidates: &[Candidate], found: &mut Vec<Finding>) {
        if candidates.is_empty() {
            return;
        }
        for (key, finding) in self.one_an_id(self.judge(candidates)) {
            let state = self.keys.get_mut(&key).expect("candidates are of live keys");
            state.firing.becomes_final(finding, found);
        }
    }

    /// What a woken key is left with, and when it is to be looked at next.
    fn after_settling(&mut self, key: &Arc<[u8]>, watermark: i64, due: usize, found: &mut Vec<Finding>) {
        let Some(state) = self.keys.get_mut(key) else { return };
        if self.post.early() == Early::FirstSeen {
            state.firing.withdraw(|finding| finding.last_event_time < watermark, &HashSet::new(), found);
        }
        for entry in state.entries.range_mut(state.settled..due) {
            entry.payload = None;
        }
        state.settled = due;
        state.expire(watermark.saturating_sub(self.reach));
        let next = match (state.entries.get(state.settled), state.entries.back()) {
            (Some(pending), _) => Some(pending.time),
            (None, Some(last)) => Some(last.time.saturating_add(self.reach)),
            (None, None) => None,
        };
        match next {
            Some(next) => {
                state.next_due = next;
                self.due.push(Reverse((next, Arc::clone(key))));
            }
            None => {
                self.keys.remove(key);
            }
        }
    }

    fn woken(&mut self, watermark: i64) -> Vec<Arc<[u8]>> {
        let mut woken = HashSet::new();
        while let Some(Reverse((time, _))) = self.due.peek() {
            if *time >= watermark {
                break;
            }
            if let Some(Reverse((time, key))) = self.due.pop()
                && self.keys.get(&key).is_some_and(|state| state.next_due == time)
            {
                woken.insert(key);
            }
        }
        woken.into_iter().collect()
    }
}

impl StatefulOperator for OverRange {
    fn feed(&mut self, batch: &OperatorBatch, rows: &[u32]) {
        let partitions = self.partitions.of(&batch.records);
        for row in rows {
            if batch.times[*row as usize] >= self.watermark {
                self.insert(batch, *row, &partitions);
                self.statistics.rows += 1;
            } else {
                self.statistics.too_late += 1;
            }
        }
    }

    fn begin(&mut self, earliest: i64) {
        if self.learn > 0 {
            self.silent_until = earliest.saturating_add(self.learn);
        }
    }

    fn fire_early(&mut self, now: i64, found: &mut Vec<Finding>) {
        for (key, (first, last)) in std::mem::take(&mut self.touched) {
            let Some(state) = self.keys.get_mut(&key) else { continue };
            let until = last.saturating_add(self.reach);
            let from = state.entries.partition_point(|e| e.time < first).max(state.settled);
            let to = state.entries.partition_point(|e| e.time <= until);
            let candidates = state.look(&key, &self.aggregates, from..to, true);
            let mut still = HashSet::new();
            for (_, finding) in self.one_an_id(self.judge(&candidates)) {
                still.insert(finding.finding_id);
                self.keys.get_mut(&key).expect("it is live").firing.holds(finding, now, found);
            }
            if self.post.early() == Early::FirstSeen {
                let firing = &mut self.keys.get_mut(&key).expect("it is live").firing;
                firing.withdraw(|f| (first..=until).contains(&f.last_event_time), &still, found);
            }
        }
    }

    fn advance(&mut self, watermark: i64, found: &mut Vec<Finding>) {
        self.watermark = self.watermark.max(watermark);
        let (mut candidates, mut waiting) = (Vec::new(), Vec::new());
        for key in self.woken(watermark) {
            let state = self.keys.get_mut(&key).expect("woken keys are live");
            let due = state.entries.partition_point(|entry| entry.time < watermark);
            candidates.extend(state.look(&key, &self.aggregates, state.settled..due, false));
            waiting.push((key, due));
            if candidates.len() >= CHUNK {
                self.settle(&std::mem::take(&mut candidates), found);
                std::mem::take(&mut waiting)
                    .iter()
                    .for_each(|(key, due)| self.after_settling(key, watermark, *due, found));
            }
        }
        self.settle(&candidates, found);
        waiting.iter().for_each(|(key, due)| self.after_settling(key, watermark, *due, found));
    }

    fn statistics(&self) -> OperatorStatistics {
        OperatorStatistics { keys: self.keys.len() as u64, ..self.statistics }
    }
}

impl KeyState {
    /// The aggregates of the rows at `places`, in order.
    fn look(
        &mut self,
        key: &Arc<[u8]>,
        aggregates: &[Aggregate],
        places: std::ops::Range<usize>,
        preview: bool,
    ) -> Vec<Candidate> {
        let cursors = if preview { &mut self.previews } else { &mut self.cursors };
        let mut candidates = Vec::with_capacity(places.len());
        for place in places {
            let time = self.entries[place].time;
            let slide = |(index, (cursor, aggregate)): (usize, (&mut Cursor, &Aggregate))| {
                cursor.slide(index, aggregate, &self.entries, self.base, time)
            };
            let totals: Vec<Total> = cursors.iter_mut().zip(aggregates).enumerate().map(slide).collect();
            let saturated = |(total, aggregate): (&Total, &Aggregate)| {
                let full = matches!(total, Total::Count(count) if *count >= DISTINCT_VALUES as i64);
                aggregate.kind == AggregateKind::CountDistinct && full
            };
            self.incomplete |= totals.iter().zip(aggregates).any(saturated);
            let low = cursors.iter().map(|c| c.range().0).min().unwrap_or(self.base);
            let high = cursors.iter().map(|c| c.range().1).max().unwrap_or(self.base);
            candidates.push(Candidate { key: Arc::clone(key), place, totals, range: (low, high) });
        }
        candidates
    }

    /// First and last records of a row's range and, last, the row's own; and the time of the first.
    fn evidence(&self, candidate: &Candidate, partitions: &Partitions) -> (Vec<Evidence>, i64) {
        let place = |absolute: u64| usize::try_from(absolute.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let high = place(candidate.range.1).min(self.entries.len());
        let low = place(candidate.range.0).min(high);
        let (first, last) = if high - low > 2 * EVIDENCE_RECORDS {
            (low..low + EVIDENCE_RECORDS, high - EVIDENCE_RECORDS..high)
        } else {
            (low..high, high..high)
        };
        let others =
            first.chain(last).filter(|index| *index != candidate.place).map(|index| &self.entries[index].record);
        let own = &self.entries[candidate.place].record;
        let evidence: Vec<Evidence> = others.chain([own]).map(|record| partitions.evidence(record)).collect();
        let earliest = evidence.iter().map(|e| e.event_time).min().unwrap_or(own.time);
        (evidence, earliest)
    }

    /// Lets go what no later row can reach.
    fn expire(&mut self, before: i64) {
        if self.entries.back().is_some_and(|last| last.time < before) {
            return self.drop_first(self.entries.len());
        }
        let left = self.cursors.iter().map(|cursor| cursor.range().0).min().unwrap_or(self.base);
        let old = usize::try_from(left.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.drop_first(old.min(self.settled));
    }

    fn drop_first(&mut self, count: usize) {
        self.entries.drain(..count);
        self.base += count as u64;
        self.settled = self.settled.saturating_sub(count);
    }
}

fn entry(batch: &OperatorBatch, row: u32, aggregates: &[Aggregate], partitions: &[u32]) -> Entry {
    let time = batch.times[row as usize];
    let inputs = || (0..aggregates.len()).map(|index| batch.aggregate(index, row));
    let counted = inputs().enumerate().filter(|(_, (input, place))| input.counts(*place));
    let looks = aggregates.iter().any(|aggregate| aggregate.kind != AggregateKind::Count);
    let cell = |(input, place): (&AggregateInput, u32)| match &input.values {
        _ if !input.counts(place) => Cell::None,
        Values::None => Cell::None,
        Values::Hashes(values) => Cell::Hash(values[place as usize]),
        Values::Integers(values) => Cell::Integer(values[place as usize]),
        Values::Ordered(rows) => Cell::Ordered(rows.row(place as usize).data().into()),
    };
    Entry {
        time,
        caused_at: batch.caused[row as usize],
        counted: counted.fold(0, |bits, (index, _)| bits | (1 << index)),
        values: if looks { inputs().map(cell).collect() } else { Box::default() },
        payload: batch.payload(row),
        record: batch.records.get(batch.rows[row as usize], time, partitions),
    }
}
