//! The over-range operator of `first_seen` alone: a record counts as the first of its key if none came within a while
//! before it.
//!
//! A key's records, in order of time, fall into **spans**: within one, each lies no further from the one before it than
//! the while. Only the earliest of a span are first ones, and whatever falls into a span later is not; so of a span no
//! more is kept than where it begins and ends, and its earliest records until they are final.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::Expr;
use smallvec::SmallVec;
use watchfire_record::limits::BUFFERED_ROWS;
use watchfire_record::{DetectorInfo, Finding, FindingId, State, Stream, Value};

use super::feed::{Fed, FedRow};
use super::firing::{Firing, least_event_ids};
use super::key_table::KeyTable;
use super::manner::{extrapolated, sum_of};
use super::post::{NamedValues, first_seen};
use super::records::{Partitions, Record};
use super::runs::{Run, Runs};
use super::states::States;
use super::versions::{RangeVersion, place_of};
use super::{Common, Manner, Newcomer, OperatorStatistics, StatefulOperator};
use crate::detector::Detector;
use crate::lifetime::{Lifetime, live_parts};
use crate::plan::{Aggregate, Operator};
use crate::value::{Subject, finding_id};

/// `first_seen` of one detector in one shard.
pub struct FirstSeen {
    /// Versions of the detector, in the order of their times.
    versions: Vec<RangeVersion>,
    /// The while, microseconds.
    reach: i64,
    /// By the key's number.
    keys: States<KeyState>,
    partitions: Partitions,
    /// When each key is to be looked at next.
    due: BinaryHeap<Reverse<(i64, u32)>>,
    touched: HashSet<u32, ahash::RandomState>,
    /// Records before it are final.
    watermark: i64,
    fires_early: bool,
    most_keys: usize,
    statistics: OperatorStatistics,
}

#[derive(Debug, Default)]
struct KeyState {
    /// In order of time, further from one another than the while: mostly one.
    spans: SmallVec<[Span; 1]>,
    rows: u64,
    next_due: Option<i64>,
    firing: Firing,
    incomplete: bool,
}

#[derive(Debug)]
struct Span {
    first: i64,
    last: i64,
    /// The records at its beginning, until they are final.
    earliest: Vec<Earliest>,
}

/// A record that passes all else that is asked of a found row.
#[derive(Debug)]
struct Earliest {
    /// The columns that the version needs in whose time it is.
    payload: Box<[u8]>,
    record: Record,
    caused_at: i64,
}

/// Whether all that is asked of aggregates is one count of all that came up to a microsecond before: then this operator can run it.
#[must_use]
pub fn is_alone(having: &[Expr], aggregates: &[Aggregate]) -> bool {
    matches!(aggregates, [one] if one.frame.1 == 1) && first_seen(having, aggregates)
}

impl FirstSeen {
    /// The operator of a detector for which [`is_alone`] holds, in the version of this slot.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(slot: u32, detector: &Detector, stream: &Stream, manner: Manner) -> Result<Self> {
        let Operator::OverRange { aggregates } = &detector.plan.operator else {
            unreachable!("the caller looks at the operator");
        };
        Ok(Self {
            versions: vec![RangeVersion::new(slot, detector, aggregates, stream)?],
            reach: aggregates.iter().map(|a| a.frame.0).max().unwrap_or(0),
            keys: States::default(),
            partitions: Partitions::default(),
            due: BinaryHeap::new(),
            touched: HashSet::default(),
            watermark: i64::MIN,
            fires_early: manner.fires_early,
            most_keys: manner.keys,
            statistics: OperatorStatistics::default(),
        })
    }

    /// Takes rows in. Gives those that may be the first of their keys, with the keys: whether they are is seen when each is
    /// placed.
    fn take_in(&mut self, fed: &Fed<'_>, runs: &Runs, keys: &mut KeyTable) -> Vec<(FedRow, u32)> {
        let mut fresh = Vec::new();
        let mut late = 0;
        for Run { key, times: (first, last), rows } in runs.since(self.watermark, fed, &mut late) {
            let state = if let Some(state) = self.keys.get_mut(key) {
                state
            } else {
                keys.hold(key);
                self.keys.insert(key, KeyState::default());
                self.keys.get_mut(key).expect("it was just put there")
            };
            state.rows += rows.len() as u64;
            // Mostly all of them fall into one span after its first.
            let merged = if state.follow_another(first, last, self.reach) {
                state.place(last, self.reach).1
            } else {
                let mut merged = false;
                for row in rows {
                    let time = fed.time(*row);
                    if state.follow_another(time, time, self.reach) {
                        merged |= state.place(time, self.reach).1;
                    } else {
                        fresh.push((*row, key));
                    }
                }
                merged
            };
            if merged && self.fires_early {
                self.touched.insert(key);
            }
        }
        self.statistics.rows += fed.count() as u64 - late;
        self.statistics.too_late += late;
        fresh
    }

    /// Of rows that may be first ones, what is kept of each that passes all else that its version asks for.
    fn payloads(&self, fed: &Fed<'_>, fresh: &[(FedRow, u32)]) -> Vec<Option<Box<[u8]>>> {
        let mut payloads = vec![None; fresh.len()];
        for (place, version) in self.versions.iter().enumerate() {
            let is_own = |row: FedRow| fed.may_pass(row) && place_of(&self.versions, fed.time(row)) == place;
            let own: Vec<usize> = (0..fresh.len()).filter(|index| is_own(fresh[*index].0)).collect();
            if own.is_empty() {
                continue;
            }
            let rows: Vec<FedRow> = own.iter().map(|index| fresh[*index].0).collect();
            let columns = fed.kept_columns(&rows, &version.columns);
            let batch = version.first_rows(columns.clone(), rows.len());
            let passing = version.post.passing(&batch);
            let payload = version.payload.convert_columns(&columns).expect("the columns have the converter's types");
            for row in passing {
                payloads[own[row as usize]] = Some(payload.row(row as usize).data().into());
            }
        }
        payloads
    }

    /// Places a row that may be the first of its key, of which `payload` is kept if it is and passes.
    fn add(&mut self, fed: &Fed<'_>, (row, key): (FedRow, u32), payload: Option<Box<[u8]>>, partitions: &[u32]) {
        let time = fed.time(row);
        let Some(state) = self.keys.get_mut(key) else { return };
        let (place, merged) = state.place(time, self.reach);
        let span = &mut state.spans[place];
        let is_first = span.first == time;
        let passes = payload.is_some();
        if let Some(payload) = payload.filter(|_| is_first) {
            if span.earliest.len() < BUFFERED_ROWS {
                let (record, caused_at) = (fed.record(row, partitions), fed.caused_at(row));
                span.earliest.push(Earliest { payload, record, caused_at });
            } else {
                state.incomplete = true;
            }
        }
        // What was the first of a span that is now another's has to be taken back.
        if self.fires_early && (merged || (is_first && passes)) {
            self.touched.insert(key);
        }
        if is_first {
            self.schedule(key);
        }
    }

    /// Sees to it that a key is looked at when something of it becomes final or is over.
    fn schedule(&mut self, key: u32) {
        let Some(state) = self.keys.get_mut(key) else { return };
        let pending = state.spans.iter().filter(|span| !span.earliest.is_empty()).map(|span| span.first).min();
        let over = state.spans.first().map(|span| span.last.saturating_add(self.reach));
        let next = pending.into_iter().chain(over).min();
        if next != state.next_due
            && let Some(next) = next
        {
            self.due.push(Reverse((next, key)));
        }
        state.next_due = next;
    }

    /// The findings among the records at these spans' beginnings: one for each key and time, that of the least event id.
    fn judge(&self, spans: &[(u32, &KeyState, &Span)]) -> Vec<(u32, Finding)> {
        let found = self.versions.iter().enumerate().flat_map(|(place, version)| {
            let own = |span: &Span| place_of(&self.versions, span.first) == place && version.term.finds(span.first);
            self.found_by(version, spans.iter().filter(|(_, _, span)| own(span)))
        });
        least_event_ids(found.collect())
    }

    /// What a version finds among these.
    fn found_by<'a>(
        &self,
        version: &RangeVersion,
        spans: impl Iterator<Item = &'a (u32, &'a KeyState, &'a Span)>,
    ) -> Vec<(u32, Finding)> {
        let rows: Vec<(u32, &KeyState, &Earliest)> = spans
            .flat_map(|(key, state, span)| span.earliest.iter().map(|earliest| (*key, *state, earliest)))
            .collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let RangeVersion { post, payload, info, .. } = version;
        let parser = payload.parser();
        let payloads = rows.iter().map(|(_, _, earliest)| parser.parse(&earliest.payload));
        let columns = payload.convert_rows(payloads).expect("the bytes were made by a converter of the same types");
        let found = post.found(&version.first_rows(columns, rows.len()));
        let finding = |((key, state, earliest), found)| (key, self.finding(info, state, earliest, found));
        rows.into_iter().zip(found).map(finding).collect()
    }

    fn finding(
        &self,
        info: &Arc<DetectorInfo>,
        state: &KeyState,
        earliest: &Earliest,
        (row, keys): (NamedValues, NamedValues),
    ) -> Finding {
        let time = earliest.record.time;
        let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
        Finding {
            finding_id: finding_id(&info.name, "over range", self.reach, &key_values, Subject::FirstSeen(time)),
            revision: 0,
            state: State::Final,
            detector: Arc::clone(info),
            window: Some(time.saturating_sub(self.reach)),
            window_end: Some(time),
            keys,
            row,
            first_event_time: time,
            last_event_time: time,
            evidence: vec![self.partitions.evidence(&earliest.record)],
            complete: self.statistics.evicted == 0 && !state.incomplete,
            caused_at: earliest.caused_at,
        }
    }

    fn woken(&mut self, watermark: i64) -> Vec<u32> {
        let mut woken = HashSet::new();
        while let Some(Reverse((time, key))) = self.due.peek().copied().filter(|Reverse((time, _))| *time < watermark) {
            self.due.pop();
            if self.keys.get(key).is_some_and(|state| state.next_due == Some(time)) {
                woken.insert(key);
            }
        }
        woken.into_iter().collect()
    }

    /// Throws out keys until so many are left, those of least count that never fired first.
    fn evict(&mut self, keep: usize, keys: &mut KeyTable) {
        let rank = |(key, state): (u32, &KeyState)| (!state.firing.is_empty(), state.rows, key);
        let mut ranks: Vec<(bool, u64, u32)> = self.keys.iter().map(rank).collect();
        let out = ranks.len().saturating_sub(keep);
        if out < ranks.len() {
            ranks.select_nth_unstable(out);
        }
        for (_, _, key) in ranks.into_iter().take(out) {
            self.remove(key, keys);
            self.statistics.evicted += 1;
        }
        self.keys.shrink();
    }

    fn remove(&mut self, key: u32, keys: &mut KeyTable) {
        if self.keys.remove(key).is_some() {
            self.touched.remove(&key);
            keys.release(key);
        }
    }
}

impl KeyState {
    /// Bytes that it takes, about.
    fn bytes(&self) -> usize {
        let of = |earliest: &Earliest| earliest.payload.len() + size_of::<Earliest>();
        let earliest = self.spans.iter().flat_map(|span| &span.earliest).map(of);
        let spilled = if self.spans.spilled() { self.spans.capacity() * size_of::<Span>() } else { 0 };
        size_of::<Self>() + spilled + earliest.sum::<usize>()
    }

    /// Whether records from the first of these times to the last are surely not first ones: an earlier one of the span of
    /// all is known.
    fn follow_another(&self, first: i64, last: i64, reach: i64) -> bool {
        let before = self.spans.partition_point(|span| span.first < first);
        before.checked_sub(1).is_some_and(|place| last <= self.spans[place].last.saturating_add(reach))
    }

    /// Puts a record's time into its span. Gives the span's place, and whether it has become one with the next.
    fn place(&mut self, time: i64, reach: i64) -> (usize, bool) {
        let after = self.spans.partition_point(|span| span.first <= time);
        let place = match after.checked_sub(1) {
            Some(place) if time <= self.spans[place].last.saturating_add(reach) => {
                self.spans[place].last = self.spans[place].last.max(time);
                place
            }
            _ => {
                self.spans.insert(after, Span { first: time, last: time, earliest: Vec::new() });
                after
            }
        };
        let end = self.spans[place].last.saturating_add(reach);
        let merges = self.spans.get(place + 1).is_some_and(|next| next.first <= end);
        if merges {
            let next = self.spans.remove(place + 1);
            self.spans[place].last = self.spans[place].last.max(next.last);
        }
        (place, merges)
    }
}

impl StatefulOperator for FirstSeen {
    fn feed(&mut self, fed: &Fed<'_>, common: &mut Common<'_>) {
        let fresh = self.take_in(fed, &fed.runs(common), common.keys);
        if !fresh.is_empty() {
            let partitions = self.partitions.of(fed.records());
            let payloads = self.payloads(fed, &fresh);
            fresh.into_iter().zip(payloads).for_each(|(row, payload)| self.add(fed, row, payload, &partitions));
        }
        if self.keys.len() > self.most_keys {
            self.evict(self.most_keys - self.most_keys.div_ceil(10), common.keys);
        }
    }

    fn begin(&mut self, earliest: i64) {
        self.versions.iter_mut().for_each(|version| version.term.begin(earliest));
    }

    fn fire_early(&mut self, now: i64, _: &mut Common<'_>, found: &mut Vec<Finding>) {
        let touched: Vec<u32> = std::mem::take(&mut self.touched).into_iter().collect();
        let states = touched.iter().filter_map(|key| self.keys.get(*key).map(|state| (*key, state)));
        let spans: Vec<_> = states.flat_map(|(key, state)| state.spans.iter().map(move |s| (key, state, s))).collect();
        let holding = self.judge(&spans);
        let still: HashSet<FindingId> = holding.iter().map(|(_, finding)| finding.finding_id).collect();
        for (key, finding) in holding {
            if let Some(state) = self.keys.get_mut(key) {
                state.firing.holds(finding, now, found);
            }
        }
        for key in touched {
            if let Some(state) = self.keys.get_mut(key) {
                state.firing.withdraw(|_| true, &still, found);
            }
        }
    }

    fn advance(&mut self, watermark: i64, common: &mut Common<'_>, found: &mut Vec<Finding>) {
        self.watermark = self.watermark.max(watermark);
        let woken = self.woken(watermark);
        let states = woken.iter().filter_map(|key| self.keys.get(*key).map(|state| (*key, state)));
        let is_due = |span: &&Span| span.first < watermark && !span.earliest.is_empty();
        let spans: Vec<_> =
            states.flat_map(|(key, state)| state.spans.iter().filter(is_due).map(move |s| (key, state, s))).collect();
        for (key, finding) in self.judge(&spans) {
            if let Some(state) = self.keys.get_mut(key) {
                state.firing.becomes_final(finding, found);
            }
        }
        for key in woken {
            let Some(state) = self.keys.get_mut(key) else { continue };
            state.firing.withdraw(|finding| finding.last_event_time < watermark, &HashSet::new(), found);
            state.spans.retain(|span| span.last.saturating_add(self.reach) >= watermark);
            for span in state.spans.iter_mut().filter(|span| span.first < watermark) {
                span.earliest = Vec::new();
            }
            if state.spans.is_empty() {
                self.remove(key, common.keys);
            } else {
                self.schedule(key);
            }
        }
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
        let bytes = extrapolated(self.keys.len(), sizes) + self.keys.bytes();
        OperatorStatistics { keys: self.keys.len() as u64, bytes: bytes as u64, ..self.statistics }
    }
}
