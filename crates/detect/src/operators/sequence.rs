//! The sequence operator: records of one key that lie within a bound of time of each other, or that lack the other.
//!
//! A key's rows of each side are kept in order of time, until the other side's watermark has passed what could still join
//! them. Two that join are found when the second comes, whichever that is, and nothing later changes that. An absence is
//! found when the watermark has passed its bound.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use datafusion_common::Result;
use watchfire_record::limits::{JOIN_BYTES, JOIN_FOUND_BYTES, JOIN_MATCHES, JOIN_ROWS, KEYS};
use watchfire_record::{Finding, Stream};

use super::feed::Fed;
use super::keys::Keys;
use super::pairs::{Kept, Met, Pairs};
use super::records::Partitions;
use super::{Manner, OperatorStatistics};
use crate::detector::Detector;
use crate::lifetime::{Lifetime, live_parts};
use crate::plan::{Operator, Sequence, SequenceKind};

/// Pairs whose conditions are looked at together, and bytes of them.
const PAIRS_AT_ONCE: usize = 16_384;
const PAIR_BYTES_AT_ONCE: usize = 16 << 20;
/// Bytes that a finding takes besides its rows' columns, about.
const FINDING_BYTES: usize = 512;

/// What a sequence may come to; see [`watchfire_record::limits`].
#[derive(Debug, Clone, Copy)]
struct Limits {
    keys: usize,
    rows: usize,
    matches: usize,
    found_bytes: usize,
    bytes: usize,
}

const LIMITS: Limits =
    Limits { keys: KEYS, rows: JOIN_ROWS, matches: JOIN_MATCHES, found_bytes: JOIN_FOUND_BYTES, bytes: JOIN_BYTES };

/// The sequence of one detector in one shard.
pub struct Sequences {
    limits: Limits,
    sequence: Sequence,
    /// Versions of the detector: they look into pairs alike.
    versions: Vec<Pairs>,
    keys: Keys<KeyState>,
    partitions: Partitions,
    /// By side: when rows of each key are over, by the other side's time.
    due: [BinaryHeap<Reverse<(i64, u32)>>; 2],
    /// By side: no row before it will be fed any more.
    watermarks: [i64; 2],
    /// What was found and not handed on yet.
    found: Vec<Finding>,
    /// Bytes that kept rows take, about.
    bytes: usize,
    statistics: OperatorStatistics,
}

#[derive(Debug, Default)]
struct KeyState {
    /// In order of time.
    sides: [VecDeque<Arc<Kept>>; 2],
    rows: u64,
    bytes: usize,
    fired: bool,
    next_due: [Option<i64>; 2],
    incomplete: bool,
}

/// Two rows that lie within the bound of each other.
struct Candidate {
    key: u32,
    a: Arc<Kept>,
    b: Arc<Kept>,
    /// Tells apart the rows whose arrival made the candidates.
    arrival: u32,
    caused_at: i64,
}

impl Candidate {
    /// Bytes of both rows' columns.
    fn bytes(&self) -> usize {
        self.a.payload.len() + self.b.payload.len()
    }
}

/// What the rows of one batch come to.
#[derive(Default)]
struct Meetings {
    candidates: Vec<Candidate>,
    met: Vec<(u32, Met)>,
    /// Bytes of all that was found.
    bytes: usize,
    /// The arrival that pairs were last found for, and how many.
    last: (u32, usize),
}

impl Sequences {
    /// The operator of a detector, in the version of this slot, whose sides are of these streams.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    ///
    /// # Panics
    /// If the detector is no sequence.
    pub fn new(slot: u32, detector: &Detector, streams: [&Stream; 2], manner: Manner) -> Result<Self> {
        let Operator::Sequence(sequence) = &detector.plan.operator else {
            unreachable!("the caller looks at the operator");
        };
        Ok(Self {
            limits: Limits { keys: manner.keys, bytes: manner.bytes.min(LIMITS.bytes), ..LIMITS },
            sequence: sequence.clone(),
            versions: vec![Pairs::new(slot, detector, sequence, streams)?],
            keys: Keys::default(),
            partitions: Partitions::default(),
            due: [BinaryHeap::new(), BinaryHeap::new()],
            watermarks: [i64::MIN; 2],
            found: Vec::new(),
            bytes: 0,
            statistics: OperatorStatistics::default(),
        })
    }

    /// Takes its share of a batch of one side.
    pub fn feed(&mut self, side: usize, fed: &Fed<'_>) {
        let partitions = self.partitions.of(fed.records());
        let mut meetings = Meetings::default();
        for (arrival, row) in (1u32..).zip(fed.rows()) {
            if fed.time(row) < self.watermarks[side] {
                self.statistics.too_late += 1;
                continue;
            }
            self.statistics.rows += 1;
            let (payload, record) = (fed.side(row), fed.record(row, &partitions));
            let kept = Arc::new(Kept { payload, record, caused_at: fed.caused_at(row) });
            let (key, hash) = fed.key(row);
            let key = self.keys.number(key, hash);
            self.meet(key, side, &kept, arrival, &mut meetings);
            self.keep(key, side, kept);
            if meetings.candidates.len() >= PAIRS_AT_ONCE {
                self.settle(&mut meetings);
            }
        }
        self.settle(&mut meetings);
        self.tell(meetings.met);
        self.within_limits();
    }

    /// A stream's watermark moves: that of the side's. Hands on what was found, and what is certain now.
    pub fn advance(&mut self, side: usize, watermark: i64, found: &mut Vec<Finding>) {
        self.watermarks[side] = self.watermarks[side].max(watermark);
        // Rows of the other side wait for this one's.
        let waiting = 1 - side;
        let mut alone = Vec::new();
        for key in self.woken(waiting, watermark) {
            self.expire(key, waiting, watermark, &mut alone);
        }
        self.tell(alone);
        found.append(&mut self.found);
    }

    /// Another version goes on with its rows.
    pub fn join(&mut self, version: Pairs) {
        self.versions.push(version);
    }

    /// When its versions are live, by their slots; it has no others any more.
    pub fn live(&mut self, live: &[(u32, Lifetime)]) {
        live_parts(&mut self.versions, live);
    }

    /// What it counts of itself.
    #[must_use]
    pub fn statistics(&self) -> OperatorStatistics {
        let (keys, bytes) = (self.keys.count() as u64, self.bytes as u64);
        OperatorStatistics { keys, bytes, ..self.statistics }
    }

    /// Lists what rows of the other side a new one lies within the bound of, the latest first.
    fn meet(&self, key: u32, side: usize, kept: &Arc<Kept>, arrival: u32, meetings: &mut Meetings) {
        let Some((_, state)) = self.keys.get(key) else { return };
        let Sequence { kind, lower, upper, distinct, .. } = self.sequence;
        let time = kept.record.time;
        let (from, to) = if side == 0 {
            (time.saturating_add(lower), time.saturating_add(upper))
        } else {
            (time.saturating_sub(upper), time.saturating_sub(lower))
        };
        let others = &state.sides[1 - side];
        let (first, end) = (
            others.partition_point(|other| other.record.time < from),
            others.partition_point(|other| other.record.time <= to),
        );
        // Without conditions it is clear how many are enough; one more tells that there were more.
        let enough = match (self.versions[0].has_conditions(), kind, side) {
            (false, SequenceKind::Pair, _) => self.limits.matches.saturating_add(1),
            (false, _, 0) => 1,
            _ => usize::MAX,
        };
        let differs = |other: &&Arc<Kept>| !distinct || other.record.event_id != kept.record.event_id;
        let joined = others.range(first..end.max(first)).rev().filter(differs).take(enough);
        meetings.candidates.extend(joined.map(|other| {
            let (a, b) = if side == 0 { (kept, other) } else { (other, kept) };
            Candidate { key, a: Arc::clone(a), b: Arc::clone(b), arrival, caused_at: kept.caused_at }
        }));
    }

    /// Keeps a row until it is over; if a key has too many of a side, the oldest goes.
    fn keep(&mut self, key: u32, side: usize, kept: Arc<Kept>) {
        if self.is_covered(key, side, &kept) {
            return;
        }
        let own_bytes = self.keys.get(key).map_or(0, |(bytes, _)| bytes.len());
        let Some(state) = self.keys.get_mut(key) else { return };
        let before = state.bytes;
        if state.rows == 0 {
            state.bytes += own_bytes + size_of::<KeyState>();
        }
        state.rows += 1;
        state.bytes += kept.bytes();
        let rows = &mut state.sides[side];
        let place = rows.partition_point(|other| other.record.time <= kept.record.time);
        rows.insert(place, kept);
        if rows.len() > self.limits.rows
            && let Some(oldest) = rows.pop_front()
        {
            state.bytes -= oldest.bytes();
            state.incomplete = true;
            self.statistics.dropped += 1;
        }
        self.bytes = self.bytes + state.bytes - before;
        self.schedule(key, side);
    }

    /// Whether a row of *b*, of which it matters only that one is there, adds nothing to those of its time that are kept:
    /// one is as good as more, or, where it must be another record than *a*'s, two are.
    fn is_covered(&self, key: u32, side: usize, kept: &Kept) -> bool {
        if side == 0 || self.sequence.kind == SequenceKind::Pair || self.versions[0].has_conditions() {
            return false;
        }
        let Some((_, state)) = self.keys.get(key) else { return false };
        let rows = &state.sides[side];
        let time = kept.record.time;
        let place = rows.partition_point(|other| other.record.time <= time);
        let mut alike = rows.range(..place).rev().take_while(|other| other.record.time == time);
        match (alike.next(), self.sequence.distinct) {
            (None, _) => false,
            (Some(_), false) => true,
            (Some(one), true) => one.record.event_id == kept.record.event_id || alike.next().is_some(),
        }
    }

    /// Sees to it that a key is looked at when the earliest of its rows of a side is over.
    fn schedule(&mut self, key: u32, side: usize) {
        let Some((_, state)) = self.keys.get(key) else { return };
        let over = self.sequence.over(side);
        let next = state.sides[side].front().map(|earliest| over(earliest.record.time));
        if next != state.next_due[side]
            && let Some(next) = next
        {
            self.due[side].push(Reverse((next, key)));
        }
        if let Some(state) = self.keys.get_mut(key) {
            state.next_due[side] = next;
        }
        // Entries of keys that are gone, or have an earlier row, stay until their time: not more than there are keys.
        if self.due[side].len() > 2 * self.keys.count() + 1024 {
            let mut due = std::mem::take(&mut self.due[side]);
            due.retain(|Reverse((time, key))| {
                self.keys.get(*key).is_some_and(|(_, s)| s.next_due[side] == Some(*time))
            });
            self.due[side] = due;
        }
    }

    /// Makes of candidates what they come to.
    fn settle(&mut self, meetings: &mut Meetings) {
        let candidates = std::mem::take(&mut meetings.candidates);
        let mut rest = candidates.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let more = |candidate: &&Candidate| {
                bytes += candidate.bytes();
                bytes <= PAIR_BYTES_AT_ONCE
            };
            let count = rest.iter().take(PAIRS_AT_ONCE).take_while(more).count().max(1);
            self.settle_some(&rest[..count], meetings);
            rest = &rest[count..];
        }
    }

    fn settle_some(&mut self, candidates: &[Candidate], meetings: &mut Meetings) {
        let pairs: Vec<_> = candidates.iter().map(|c| (Arc::clone(&c.a), Arc::clone(&c.b))).collect();
        for place in self.versions[0].holding(&pairs) {
            let candidate = &candidates[place as usize];
            let is_told = match self.sequence.kind {
                SequenceKind::Pair => true,
                SequenceKind::Present => self.take_out(candidate),
                SequenceKind::Absent => {
                    self.take_out(candidate);
                    false
                }
            };
            if is_told && self.has_room(candidate, meetings) {
                let Candidate { key, a, b, caused_at, .. } = candidate;
                let met = Met { a: Arc::clone(a), b: Some(Arc::clone(b)), caused_at: *caused_at, complete: true };
                meetings.met.push((*key, met));
            }
        }
    }

    /// Whether what is found of one row, and of one batch, is within its limit with this pair.
    fn has_room(&mut self, candidate: &Candidate, meetings: &mut Meetings) -> bool {
        let (arrival, before) = meetings.last;
        meetings.last = (candidate.arrival, if arrival == candidate.arrival { before + 1 } else { 1 });
        let bytes = candidate.bytes() + FINDING_BYTES;
        // Otherwise each row of a is found once at most.
        let few = self.sequence.kind != SequenceKind::Pair || meetings.last.1 <= self.limits.matches;
        let has_room = few && meetings.bytes + bytes <= self.limits.found_bytes;
        if has_room {
            meetings.bytes += bytes;
        } else {
            self.statistics.dropped += 1;
            if let Some(state) = self.keys.get_mut(candidate.key) {
                state.incomplete = true;
            }
        }
        has_room
    }

    /// Takes the row of *a* out, whose question is answered. False if that was done before.
    fn take_out(&mut self, candidate: &Candidate) -> bool {
        let Some(state) = self.keys.get_mut(candidate.key) else { return false };
        let (rows, time) = (&mut state.sides[0], candidate.a.record.time);
        let first = rows.partition_point(|other| other.record.time < time);
        let mut alike = rows.range(first..).take_while(|other| other.record.time == time);
        let Some(place) = alike.position(|other| Arc::ptr_eq(other, &candidate.a)) else { return false };
        rows.remove(first + place);
        state.bytes -= candidate.a.bytes();
        self.bytes -= candidate.a.bytes();
        true
    }

    /// Makes findings of what met.
    fn tell(&mut self, met: Vec<(u32, Met)>) {
        let mut told = Vec::with_capacity(met.len());
        for (key, mut met) in met {
            if let Some(state) = self.keys.get_mut(key) {
                state.fired = true;
                met.complete &= !state.incomplete;
            }
            met.complete &= self.statistics.evicted == 0;
            told.push(met);
        }
        for version in &self.versions {
            let own = |met: &&Met| version.term.finds(self.sequence.begins(met));
            self.found.extend(version.findings(&told.iter().filter(own).collect::<Vec<_>>(), &self.partitions));
        }
    }

    /// The keys of which rows of a side are over.
    fn woken(&mut self, side: usize, watermark: i64) -> Vec<u32> {
        let mut woken = Vec::new();
        while let Some(Reverse((time, key))) = self.due[side].peek().copied().filter(|due| is_over(due.0.0, watermark))
        {
            self.due[side].pop();
            if self.keys.get(key).is_some_and(|(_, state)| state.next_due[side] == Some(time)) {
                woken.push(key);
            }
        }
        woken
    }

    /// Lets go of a key's rows of a side that are over; of those that waited for an absence, adds them to `alone`.
    fn expire(&mut self, key: u32, side: usize, watermark: i64, alone: &mut Vec<(u32, Met)>) {
        let (over, absent) = (self.sequence.over(side), self.sequence.kind == SequenceKind::Absent && side == 0);
        let Some(state) = self.keys.get_mut(key) else { return };
        while let Some(row) = state.sides[side].pop_front_if(|row| is_over(over(row.record.time), watermark)) {
            state.bytes -= row.bytes();
            self.bytes -= row.bytes();
            if absent {
                let caused_at = row.caused_at;
                alone.push((key, Met { a: row, b: None, caused_at, complete: !state.incomplete }));
            }
        }
        if state.sides.iter().all(VecDeque::is_empty) {
            self.forget(key);
        } else {
            self.schedule(key, side);
        }
    }

    fn forget(&mut self, key: u32) {
        self.bytes -= self.keys.get(key).map_or(0, |(_, state)| state.bytes);
        self.keys.remove(key);
    }

    /// Throws keys out while there are too many, or while they take too many bytes.
    fn within_limits(&mut self) {
        if self.keys.count() > self.limits.keys {
            // Those of least count that never fired first.
            let rank = |(key, state): (u32, &KeyState)| ((state.fired, state.rows), key);
            let mut keys: Vec<_> = self.keys.iter().map(rank).collect();
            keys.sort_unstable();
            self.evict(keys.into_iter().take((self.limits.keys / 10).max(1)).map(|(_, key)| key), |_| false);
        }
        if self.bytes > self.limits.bytes {
            // Those that take the most first: who fills the memory does not push others out.
            let mut keys: Vec<_> = self.keys.iter().map(|(key, state)| (Reverse(state.bytes), key)).collect();
            keys.sort_unstable();
            self.evict(keys.into_iter().map(|(_, key)| key), |this| this.bytes <= this.limits.bytes / 10 * 9);
        }
    }

    fn evict(&mut self, keys: impl Iterator<Item = u32>, enough: impl Fn(&Self) -> bool) {
        for key in keys {
            if enough(self) {
                break;
            }
            self.forget(key);
            self.statistics.evicted += 1;
        }
    }
}

impl Sequence {
    /// The event time by which a finding belongs to a version: a pair's first record's, else that of *a*'s.
    fn begins(&self, met: &Met) -> i64 {
        let other = met.b.as_ref().filter(|_| self.kind == SequenceKind::Pair);
        other.map_or(met.a.record.time, |b| b.record.time.min(met.a.record.time))
    }

    /// When a row of a side and of a time can be joined no more, by the other side's time: once the watermark has passed
    /// what this gives.
    fn over(&self, side: usize) -> impl Fn(i64) -> i64 + use<> {
        let (lower, upper) = (self.lower, self.upper);
        move |time| if side == 0 { time.saturating_add(upper) } else { time.saturating_sub(lower) }
    }
}

/// Whether a watermark has passed a time; at the end of input it has passed every one.
fn is_over(time: i64, watermark: i64) -> bool {
    time < watermark || watermark == i64::MAX
}

#[cfg(test)]
mod tests;
