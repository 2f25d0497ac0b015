//! The over-range operator: for each record, aggregates over its key's records in a range before it.
//!
//! A key's records lie in order of event time. Those before the watermark are settled: nothing can come before them any
//! more, and their rows are final. The others are pending; with early firing their rows are looked at as they stand.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use watchfire_record::limits::EVIDENCE_RECORDS;
use watchfire_record::{Evidence, Finding, FindingId, State, Stream, Value};

use super::arrivals::{Arrival, Arrivals, stretch};
use super::candidates::{Candidates, Look};
use super::cursor::Cursor;
use super::feed::{Fed, FedRow};
use super::firing::least_event_ids;
use super::held::HeldFeeds;
use super::kept;
use super::key_records::Ahead;
use super::key_table::KeyTable;
use super::manner::{extrapolated, sum_of};
use super::post::{Early, NamedValues};
use super::range_key::KeyState;
use super::record_table::{Marks, RecordTable};
use super::states::States;
use super::timeline::{KNOWN_AGGREGATES, MOST_ROWS, Pending, Timeline};
use super::versions::RangeVersion;
use super::{Common, Manner, Newcomer, OperatorStatistics, StatefulOperator};
use crate::detector::Detector;
use crate::lifetime::{Lifetime, live_parts};
use crate::plan::{Aggregate, Operator};
use crate::value::{Subject, finding_id, value_at};

/// Sliding ranges of one detector in one shard.
pub struct OverRange {
    /// Versions of the detector, in the order of their times.
    versions: Vec<RangeVersion>,
    aggregates: Vec<Aggregate>,
    /// The longest range, and the shortest time before a row at which a range ends, microseconds.
    reach: i64,
    nearest: i64,
    /// How the versions' rows fire.
    early: Early,
    first_seen: bool,
    of: RowsOf,
    /// By the key's number.
    keys: States<KeyState>,
    held: HeldFeeds,
    /// When each key is to be looked at next.
    due: BinaryHeap<Reverse<(i64, u32)>>,
    touched: HashMap<u32, (i64, i64), ahash::RandomState>,
    /// Rows before it are final.
    watermark: i64,
    /// Rows that wait until they are final, if nobody looks at them before, and up to when none does any more.
    arrivals: Option<(Arrivals, i64)>,
    fires_early: bool,
    most_keys: usize,
    statistics: OperatorStatistics,
}

/// What the rows are that the range slides over.
#[derive(Debug, Clone, Copy)]
enum RowsOf {
    /// Records.
    Records,
    /// Windows of this length, microseconds.
    Windows(i64),
}

/// Whether a key has fired, and how many records it has: the least go first.
type Rank = (bool, usize);

/// Rows that are judged at once.
const CHUNK: usize = 8192;

impl OverRange {
    /// The operator of a detector whose plan has a range, in the version of this slot.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(slot: u32, detector: &Detector, stream: &Stream, manner: Manner) -> Result<Self> {
        let Operator::OverRange { aggregates } = &detector.plan.operator else {
            unreachable!("the caller looks at the operator");
        };
        let version = RangeVersion::new(slot, detector, aggregates, stream)?;
        Ok(Self::of(version, aggregates, RowsOf::Records, manner))
    }

    /// The range of a detector whose plan has one over windows of this length, by its version.
    #[must_use]
    pub fn over_windows(version: RangeVersion, aggregates: &[Aggregate], size: i64, manner: Manner) -> Self {
        Self::of(version, aggregates, RowsOf::Windows(size), Manner { fires_early: false, ..manner })
    }

    fn of(version: RangeVersion, aggregates: &[Aggregate], of: RowsOf, manner: Manner) -> Self {
        let (early, first_seen) = (version.post.early(), version.post.first_seen());
        Self {
            versions: vec![version],
            reach: aggregates.iter().map(|a| a.frame.0).max().unwrap_or(0),
            nearest: aggregates.iter().map(|a| a.frame.1).min().unwrap_or(0),
            aggregates: aggregates.to_vec(),
            fires_early: manner.fires_early && early != Early::No,
            most_keys: manner.keys,
            early,
            first_seen,
            of,
            keys: States::default(),
            held: HeldFeeds::default(),
            due: BinaryHeap::new(),
            touched: HashMap::default(),
            watermark: i64::MIN,
            arrivals: (!manner.fires_early && matches!(of, RowsOf::Records)).then(|| (Arrivals::default(), i64::MIN)),
            statistics: OperatorStatistics::default(),
        }
    }

    fn insert(&mut self, key: u32, place: usize, record: Pending) {
        let time = record.time;
        self.held.hold(record.batch);
        if let Some((arrivals, _)) = &mut self.arrivals {
            arrivals.push(key, place, record);
            return;
        }
        let state = self.keys.get_mut(key).expect("it was made when missing");
        let number = state.put(record, &mut self.held);
        let base = state.timeline.base();
        for (cursor, aggregate) in state.previews.iter_mut().zip(&self.aggregates) {
            cursor.disturbed_at(number, aggregate, base);
        }
        if time < state.next_due {
            state.next_due = time;
            self.due.push(Reverse((time, key)));
        }
        if self.fires_early {
            let span = self.touched.entry(key).or_insert((time, time));
            *span = (span.0.min(time), span.1.max(time));
        }
    }

    /// Puts rows that have waited, all of one key and in order, into its timeline, where there is room; how many there are
    /// then that are pending, and the number of the first that was put in.
    fn admit(&mut self, arrivals: &[Arrival]) -> (usize, u64) {
        let key = arrivals[0].key;
        let place = self.keys.place(key).expect("keys of which rows wait stay");
        if let Some((waiting, _)) = &mut self.arrivals {
            waiting.taken(place, arrivals.len());
        }
        let state = self.keys.get_mut(key).expect("it has a place");
        let first = state.timeline.first_pending() + state.timeline.pending().len() as u64;
        for arrival in arrivals {
            state.put(arrival.row, &mut self.held);
        }
        (state.timeline.pending().len(), first)
    }

    /// The place of a key's state, which is made if there is none.
    fn make_key(&mut self, key: u32, keys: &mut KeyTable) -> usize {
        if !self.keys.contains(key) {
            keys.hold(key);
            let cursors = self.aggregates.iter().map(|aggregate| Cursor::start(aggregate, 0)).collect();
            self.keys.insert(key, KeyState { cursors, next_due: i64::MAX, ..KeyState::default() });
        }
        self.keys.place(key).expect("it has a state")
    }

    /// How many rows of a key wait.
    fn waiting(&self, key: u32) -> usize {
        let waiting = self.arrivals.as_ref().zip(self.keys.place(key));
        waiting.map_or(0, |((arrivals, _), place)| arrivals.waiting(place))
    }

    /// The key of each row that is not too late, and the place of its state.
    fn place(&mut self, fed: &Fed<'_>, keys: &mut KeyTable) -> Vec<(FedRow, (u32, usize))> {
        let mut placed = Vec::with_capacity(fed.count());
        for row in fed.rows() {
            if fed.time(row) < self.watermark {
                self.statistics.too_late += 1;
                continue;
            }
            let key = keys.of_row(fed, row);
            placed.push((row, (key, self.make_key(key, keys))));
        }
        placed
    }

    /// Bit per aggregate, as far as there are bits: whether a row counts there.
    fn counted(&self, fed: &Fed<'_>, row: FedRow) -> u8 {
        let known = self.aggregates.len().min(KNOWN_AGGREGATES);
        let counts = |index: usize| {
            let (input, place) = fed.aggregate(index, row);
            u8::from(input.counts(place))
        };
        (0..known).fold(0, |bits, index| bits | counts(index) << index)
    }

    fn remove_key(&mut self, key: u32, keys: &mut KeyTable) {
        let place = self.keys.place(key);
        if let Some(((arrivals, _), place)) = self.arrivals.as_mut().zip(place) {
            arrivals.free(place);
        }
        if let Some(mut state) = self.keys.remove(key) {
            state.timeline.drop_first(state.timeline.len(), &mut self.held);
            self.touched.remove(&key);
            keys.release(key);
        }
    }

    /// Throws out keys until so many are left, those of least count that never fired first.
    fn evict(&mut self, keep: usize, keys: &mut KeyTable) {
        let rank = |key, state: &KeyState| (!state.firing.is_empty(), state.timeline.len() + self.waiting(key));
        let mut idle: Vec<(Rank, u32)> = self.keys.iter().map(|(key, state)| (rank(key, state), key)).collect();
        let out = idle.len().saturating_sub(keep);
        if out < idle.len() {
            idle.select_nth_unstable(out);
        }
        for (_, key) in idle.into_iter().take(out) {
            self.remove_key(key, keys);
            self.statistics.evicted += 1;
        }
        self.keys.shrink();
        if let Some((arrivals, _)) = &mut self.arrivals {
            let forgotten = arrivals.forget(|key| !self.keys.contains(key));
            forgotten.into_iter().for_each(|row| self.held.release(row.batch));
        }
    }

    /// Adds the rows of a key's pending records of these numbers, in order, to what is to be judged, if they may pass.
    fn look(&mut self, key: u32, numbers: Range<u64>, preview: bool, ahead: Ahead<'_>, candidates: &mut Candidates) {
        if let Some(state) = self.keys.get_mut(key) {
            let look = Look { aggregates: &self.aggregates, held: &self.held, ahead, preview };
            candidates.add(key, state, numbers, look);
        }
    }

    /// The findings among these rows, each with its key.
    fn judge(&self, candidates: Candidates, records: &RecordTable) -> Vec<(u32, Finding)> {
        let Candidates { rows, totals } = candidates;
        if rows.is_empty() {
            return Vec::new();
        }
        let totals = self.versions[0].post.columns(totals);
        self.versions.iter().flat_map(|version| self.found_by(version, &rows, &totals, records)).collect()
    }

    /// What a version finds among its own of these rows.
    fn found_by(
        &self,
        version: &RangeVersion,
        rows: &[(u32, u64)],
        totals: &[ArrayRef],
        records: &RecordTable,
    ) -> Vec<(u32, Finding)> {
        let mut promising = version.post.promising(totals, rows.len());
        promising.retain(|row| version.term.finds(self.time_of(rows[*row as usize])));
        if promising.is_empty() {
            return Vec::new();
        }
        let chosen: Vec<(u32, u64)> = promising.iter().map(|row| rows[*row as usize]).collect();
        let kept = chosen.iter().map(|(key, number)| {
            let pending = self.pending(*key, *number);
            self.held.get(pending.batch).kept(pending.index())
        });
        let kept: Vec<_> = kept.collect();
        let columns = match self.of {
            RowsOf::Records => kept::columns(&kept, &version.columns),
            RowsOf::Windows(_) => kept::all_columns(&kept),
        };
        let batch = version.post.batch(columns, totals, &promising);
        let passing = version.post.passing(&batch);
        let indices = arrow::array::UInt32Array::from(passing.clone());
        let batch = arrow::compute::take_record_batch(&batch, &indices).expect("the rows are the batch's");
        let found = version.post.found(&batch);
        let finding = |(row, (index, found)): (usize, (&u32, (NamedValues, NamedValues)))| {
            let (key, number) = chosen[*index as usize];
            let identity: Vec<Value> =
                version.identity.iter().map(|column| value_at(batch.column(*column), row)).collect();
            (key, self.finding(version, (key, number), &identity, found, records))
        };
        passing.iter().zip(found).enumerate().map(finding).collect()
    }

    fn state(&self, key: u32) -> &KeyState {
        self.keys.get(key).expect("candidates are of live keys")
    }

    fn pending(&self, key: u32, number: u64) -> Pending {
        self.state(key).timeline.pending_at(number).expect("candidates are pending")
    }

    fn time_of(&self, (key, number): (u32, u64)) -> i64 {
        self.pending(key, number).time
    }

    /// What a version finds in a key's row of this number.
    fn finding(
        &self,
        version: &RangeVersion,
        (key, number): (u32, u64),
        identity: &[Value],
        (row, keys): (NamedValues, NamedValues),
        records: &RecordTable,
    ) -> Finding {
        let state = self.state(key);
        let pending = self.pending(key, number);
        let held = self.held.get(pending.batch);
        let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
        let info = &version.info;
        let finding = Finding {
            finding_id: FindingId([0; 16]),
            revision: 0,
            state: State::Final,
            detector: Arc::clone(info),
            window: Some(pending.time.saturating_sub(self.reach)),
            window_end: Some(pending.time),
            keys,
            row,
            first_event_time: pending.time,
            last_event_time: pending.time,
            evidence: Vec::new(),
            complete: self.statistics.evicted == 0 && !state.incomplete,
            caused_at: held.caused_at(pending.index()),
        };
        if let RowsOf::Windows(size) = self.of
            && let Some(window) = held.window(pending.index())
        {
            let (first_event_time, last_event_time) = window.ends.times(records);
            let subject = Subject::KeyedWindow(pending.time, identity);
            return Finding {
                finding_id: finding_id(&info.name, "over windows", size, &key_values, subject),
                window: Some(pending.time),
                window_end: Some(pending.time.saturating_add(size)),
                first_event_time,
                last_event_time,
                evidence: window.ends.records.iter().map(|record| records.evidence(*record)).collect(),
                ..finding
            };
        }
        let subject = if self.first_seen { Subject::FirstSeen(pending.time) } else { Subject::Record(identity) };
        let (evidence, first_event_time) = self.evidence(&state.timeline, records, number, pending.time);
        let finding_id = finding_id(&info.name, "over range", self.reach, &key_values, subject);
        Finding { finding_id, first_event_time, evidence, ..finding }
    }

    /// First and last records of a row's range and, last, the row's own; and the time of the first.
    fn evidence(&self, timeline: &Timeline, records: &RecordTable, number: u64, time: i64) -> (Vec<Evidence>, i64) {
        let low = timeline.first_at(time.saturating_sub(self.reach));
        let high = timeline.first_at(time.saturating_sub(self.nearest).saturating_add(1)).max(low);
        let shown = EVIDENCE_RECORDS as u64;
        let (first, last) =
            if high - low > 2 * shown { (low..low + shown, high - shown..high) } else { (low..high, high..high) };
        let others = first.chain(last).filter(|other| *other != number);
        let all = others.chain([number]).filter_map(|number| timeline.evidence(&self.held, records, number));
        let all: Vec<Evidence> = all.collect();
        let earliest = all.iter().map(|evidence| evidence.event_time).min().unwrap_or(time);
        (all, earliest)
    }

    /// Rows of first seen that share an id are one finding, that of the least event id.
    fn one_an_id(&self, findings: Vec<(u32, Finding)>) -> Vec<(u32, Finding)> {
        if self.first_seen { least_event_ids(findings) } else { findings }
    }

    /// The first pending records of a key, so many, are to be settled.
    fn make_due(&mut self, key: u32, count: usize, ahead: Ahead<'_>, due: &mut Due) {
        let first = self.state(key).timeline.first_pending();
        self.look(key, first..first + count as u64, false, ahead, &mut due.candidates);
        due.keys.push((key, count));
    }

    /// Settles rows that have waited, of all keys, whose values for one aggregate may have been read ahead; then keys go of
    /// which nothing can be reached any more.
    fn settle_arrived(
        &mut self,
        arrivals: &[Arrival],
        read_ahead: Option<usize>,
        watermark: i64,
        common: &mut Common<'_>,
        found: &mut Vec<Finding>,
    ) {
        let mut due = Due::default();
        for arrivals in arrivals.chunk_by(|arrival, next| arrival.key == next.key) {
            let (count, first) = self.admit(arrivals);
            self.make_due(arrivals[0].key, count, Ahead::new(read_ahead, first, arrivals), &mut due);
            self.settle_if_many(&mut due, watermark, common, found);
        }
        self.settle(&mut due, watermark, common, found);
        for key in self.woken(watermark) {
            self.after_settling((key, 0), watermark, common, found);
        }
    }

    /// Settles what is to be settled once it is enough to be judged at once.
    fn settle_if_many(&mut self, due: &mut Due, watermark: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        if due.candidates.rows.len() >= CHUNK {
            self.settle(due, watermark, common, found);
        }
    }

    /// Makes final what is true among rows that became so, and settles their records.
    fn settle(&mut self, due: &mut Due, watermark: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        let Due { candidates, keys: woken } = std::mem::take(due);
        for (key, finding) in self.one_an_id(self.judge(candidates, common.records)) {
            let state = self.keys.get_mut(key).expect("candidates are of live keys");
            state.firing.becomes_final(finding, found);
        }
        for (key, count) in woken {
            self.after_settling((key, count), watermark, common, found);
        }
    }

    /// What a woken key, of which `count` more records are settled, is left with, and when it is to be looked at next.
    fn after_settling(
        &mut self,
        (key, count): (u32, usize),
        watermark: i64,
        common: &mut Common<'_>,
        found: &mut Vec<Finding>,
    ) {
        let waiting = self.waiting(key);
        let Self { early, aggregates, held, reach, .. } = self;
        let Some(state) = self.keys.get_mut(key) else { return };
        if *early == Early::FirstSeen {
            state.firing.withdraw(|finding| finding.last_event_time < watermark, &HashSet::new(), found);
        }
        state.settle(count, watermark.saturating_sub(*reach), aggregates, held, common.records);
        let next = match (state.timeline.pending().front(), state.timeline.last_time()) {
            (Some(pending), _) => pending.time,
            (None, Some(last)) => last.saturating_add(*reach),
            (None, None) if waiting > 0 => i64::MAX,
            (None, None) => return self.remove_key(key, common.keys),
        };
        state.next_due = next;
        if next < i64::MAX {
            self.due.push(Reverse((next, key)));
        }
    }

    fn woken(&mut self, watermark: i64) -> Vec<u32> {
        let mut woken = HashSet::new();
        while let Some(Reverse((time, key))) = self.due.peek().copied().filter(|Reverse((time, _))| *time < watermark) {
            self.due.pop();
            if self.keys.get(key).is_some_and(|state| state.next_due == time) {
                woken.insert(key);
            }
        }
        woken.into_iter().collect()
    }
}

/// Rows that are to become final, and for each of their keys how many records of it that settles.
#[derive(Debug, Default)]
struct Due {
    candidates: Candidates,
    keys: Vec<(u32, usize)>,
}

impl StatefulOperator for OverRange {
    fn feed(&mut self, fed: &Fed<'_>, common: &mut Common<'_>) {
        let keys = &mut *common.keys;
        let (mut first, mut batch) = (0, self.held.begin(fed, 0));
        for (row, (key, place)) in self.place(fed, keys) {
            if row.index - first >= MOST_ROWS {
                self.held.release(batch);
                (first, batch) = (row.index, self.held.begin(fed, row.index));
            }
            let (counted, may_pass) = (self.counted(fed, row), fed.may_pass(row));
            self.insert(key, place, Pending::new(fed.time(row), batch, row.index - first, counted, may_pass));
            if fed.windows().is_some_and(|windows| !windows[row.index as usize].complete) {
                self.keys.get_mut(key).expect("a row was just put in").incomplete = true;
            }
            self.statistics.rows += 1;
        }
        self.held.release(batch);
        if self.keys.len() > self.most_keys {
            self.evict(self.most_keys - self.most_keys.div_ceil(10), keys);
        }
    }

    fn begin(&mut self, earliest: i64) {
        self.versions.iter_mut().for_each(|version| version.term.begin(earliest));
    }

    fn fire_early(&mut self, now: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        let mut candidates = Candidates::default();
        let mut spans = Vec::new();
        for (key, (first, last)) in std::mem::take(&mut self.touched) {
            let Some(state) = self.keys.get(key) else { continue };
            let until = last.saturating_add(self.reach);
            let from = state.timeline.first_at(first).max(state.timeline.first_pending());
            let to = state.timeline.first_at(until.saturating_add(1));
            self.look(key, from..to, true, Ahead::default(), &mut candidates);
            spans.push((key, first..=until));
        }
        let mut still = HashSet::new();
        for (key, finding) in self.one_an_id(self.judge(candidates, common.records)) {
            still.insert(finding.finding_id);
            self.keys.get_mut(key).expect("it is live").firing.holds(finding, now, found);
        }
        if self.early == Early::FirstSeen {
            for (key, span) in spans {
                let firing = &mut self.keys.get_mut(key).expect("it is live").firing;
                firing.withdraw(|f| span.contains(&f.last_event_time), &still, found);
            }
        }
    }

    fn advance(&mut self, watermark: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        self.watermark = self.watermark.max(watermark);
        if let Some((arrivals, until)) = &mut self.arrivals {
            let end = if watermark == i64::MAX { watermark } else { stretch(watermark) };
            if end > *until {
                *until = end;
                let (held, aggregate) = (&self.held, Ahead::aggregate(&self.aggregates));
                let arrived = arrivals.take(end, |row| aggregate.map_or(0, |aggregate| held.hash(row, aggregate)));
                self.settle_arrived(&arrived, aggregate, end, common, found);
            }
            return;
        }
        let mut due = Due::default();
        for key in self.woken(watermark) {
            let timeline = &self.state(key).timeline;
            let count = timeline.pending().partition_point(|pending| pending.time < watermark);
            self.make_due(key, count, Ahead::default(), &mut due);
            self.settle_if_many(&mut due, watermark, common, found);
        }
        self.settle(&mut due, watermark, common, found);
    }

    fn mark(&self, marks: &mut Marks) {
        self.keys.iter().for_each(|(_, state)| state.timeline.mark(marks));
    }

    fn join(&mut self, newcomer: Newcomer) {
        match newcomer {
            Newcomer::Range(version) => self.versions.push(*version),
            _ => unreachable!("who joins asks for the same"),
        }
    }

    fn live(&mut self, live: &[(u32, Lifetime)], _: &mut Vec<Finding>) {
        live_parts(&mut self.versions, live);
    }

    fn shed(&mut self, keep: usize, keys: &mut KeyTable) {
        self.evict(keep, keys);
    }

    fn leave(&mut self, keys: &mut KeyTable, found: &mut Vec<Finding>) {
        self.keys.iter_mut().for_each(|state| state.firing.end(found));
        self.keys.iter().for_each(|(key, _)| keys.release(key));
    }

    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn statistics(&self) -> OperatorStatistics {
        let sizes = |_, most| sum_of(self.keys.iter().take(most).map(|(_, state)| state.bytes()));
        let bytes = extrapolated(self.keys.len(), sizes) + self.held.bytes() + self.keys.bytes();
        let bytes = bytes + self.arrivals.as_ref().map_or(0, |(arrivals, _)| arrivals.bytes());
        OperatorStatistics { keys: self.keys.len() as u64, bytes: bytes as u64, ..self.statistics }
    }
}
