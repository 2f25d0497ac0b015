//! The records that a finding rests on: the first few and the last few, small and without allocation.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use watchfire_record::limits::EVIDENCE_RECORDS;
use watchfire_record::{Evidence, Partition, Position};

/// A record's id. Most are UUIDs, which need no allocation; all are ordered as their texts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventId {
    /// A UUID as its 32 hexadecimal digits, written in lower case with its four hyphens.
    Uuid([u8; 16]),
    /// Any other text.
    Text(Box<str>),
}

impl From<&str> for EventId {
    fn from(text: &str) -> Self {
        uuid(text).map_or_else(|| Self::Text(text.into()), Self::Uuid)
    }
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let mut number = 0u128;
    for (index, byte) in bytes.iter().enumerate() {
        let digit = match (index, byte) {
            (8 | 13 | 18 | 23, b'-') => continue,
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => byte - b'0',
            (_, b'a'..=b'f') => byte - b'a' + 10,
            _ => return None,
        };
        number = number << 4 | u128::from(digit);
    }
    Some(number.to_be_bytes())
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(bytes) => {
                let number = u128::from_be_bytes(*bytes);
                let part = |shift: u32, digits: u32| (number >> shift) & ((1u128 << (4 * digits)) - 1);
                let (a, b, c) = (part(96, 8), part(80, 4), part(64, 4));
                write!(f, "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", part(48, 4), part(0, 12))
            }
        }
    }
}

impl Ord for EventId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => a.to_string().cmp(&b.to_string()),
        }
    }
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Times, ids and places of all records of a batch; shared by what its detectors are fed.
#[derive(Debug)]
pub struct Records {
    /// Event times, microseconds.
    pub times: Vec<i64>,
    /// The broker's timestamps, microseconds.
    pub caused: Vec<i64>,
    /// The records' ids.
    pub event_ids: Vec<EventId>,
    /// The partitions that occur.
    pub partitions: Vec<Arc<Partition>>,
    /// Partition (index), offset and index of each record.
    pub places: Vec<(u16, i64, u32)>,
}

/// One record. Ordered by time, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Event time, microseconds.
    pub time: i64,
    /// The record's id.
    pub event_id: EventId,
    /// Index in the operator's [`Partitions`].
    partition: u32,
    offset: i64,
    index: u32,
}

/// The partitions that an operator's records came from, by a small number.
#[derive(Debug, Default)]
pub struct Partitions {
    known: Vec<Arc<Partition>>,
    numbers: HashMap<Arc<Partition>, u32, ahash::RandomState>,
}

impl Partitions {
    /// The numbers of a batch's partitions, in its order.
    pub fn of(&mut self, records: &Records) -> Vec<u32> {
        records.partitions.iter().map(|partition| self.number(partition)).collect()
    }

    fn number(&mut self, partition: &Arc<Partition>) -> u32 {
        if let Some(number) = self.numbers.get(partition) {
            return *number;
        }
        let number = u32::try_from(self.known.len()).expect("fewer than 2^32 partitions");
        self.known.push(Arc::clone(partition));
        self.numbers.insert(Arc::clone(partition), number);
        number
    }

    /// A record as findings show it.
    #[must_use]
    pub fn evidence(&self, record: &Record) -> Evidence {
        let partition = Arc::clone(&self.known[record.partition as usize]);
        Evidence {
            event_id: record.event_id.to_string(),
            position: Position { partition, offset: record.offset, index: record.index },
            event_time: record.time,
        }
    }
}

impl Records {
    /// The record of a row of the batch; `partitions` are the operator's numbers of the batch's partitions.
    #[must_use]
    pub fn get(&self, row: u32, partitions: &[u32]) -> Record {
        let (partition, offset, index) = self.places[row as usize];
        let time = self.times[row as usize];
        let event_id = self.event_ids[row as usize].clone();
        Record { time, event_id, partition: partitions[partition as usize], offset, index }
    }
}

/// The first and the last records of a growing set, each at most [`EVIDENCE_RECORDS`].
#[derive(Debug, Clone)]
pub struct Ends {
    /// The first ones, in order, then, once these are full, the last ones.
    records: Vec<Record>,
    /// Where the earliest of the last ones is among these; they go around from there.
    earliest: u8,
    /// The latest time of the first ones when they are full, microseconds.
    first_until: i64,
    /// The latest time of all, microseconds.
    latest: i64,
}

impl Default for Ends {
    fn default() -> Self {
        Self { records: Vec::new(), earliest: 0, first_until: i64::MAX, latest: i64::MIN }
    }
}

impl Ends {
    /// Adds a record of this time; it is made only if it is kept.
    pub fn add(&mut self, time: i64, record: impl FnOnce() -> Record) {
        if time < self.latest || time <= self.first_until || self.records.len() < 2 * EVIDENCE_RECORDS {
            return self.insert(record());
        }
        // The usual case: not earlier than any other, so it takes the place of the earliest of the last ones.
        let (_, last) = self.records.split_at_mut(EVIDENCE_RECORDS);
        let place = usize::from(self.earliest);
        let newest = &last[(place + EVIDENCE_RECORDS - 1) % EVIDENCE_RECORDS];
        let record = record();
        if *newest <= record {
            last[place] = record;
            self.earliest = u8::try_from((place + 1) % EVIDENCE_RECORDS).expect("few records are kept");
            self.latest = time;
        } else {
            self.insert(record);
        }
    }

    /// Adds a record that need not be the last one.
    fn insert(&mut self, record: Record) {
        self.in_order();
        self.latest = self.latest.max(record.time);
        let place = self.records.iter().rposition(|kept| *kept <= record).map_or(0, |index| index + 1);
        if self.records.len() < 2 * EVIDENCE_RECORDS {
            self.reserve();
            self.records.insert(place, record);
        } else if place > EVIDENCE_RECORDS {
            self.records[EVIDENCE_RECORDS..place].rotate_left(1);
            self.records[place - 1] = record;
        } else if place < EVIDENCE_RECORDS {
            // The last of the first ones goes to the last ones, where it is the earliest and has no place.
            self.records[place..EVIDENCE_RECORDS].rotate_right(1);
            self.records[place] = record;
        }
        if self.records.len() >= EVIDENCE_RECORDS {
            self.first_until = self.records[EVIDENCE_RECORDS - 1].time;
        }
    }

    /// Makes room for one more: most sets stay small, and none needs more than twice [`EVIDENCE_RECORDS`].
    fn reserve(&mut self) {
        let count = self.records.len();
        if count == self.records.capacity() {
            let most = 2 * EVIDENCE_RECORDS;
            self.records.reserve_exact((count + 1).min(most - count));
        }
    }

    /// Puts the last ones in order.
    fn in_order(&mut self) {
        if self.earliest != 0 {
            self.records[EVIDENCE_RECORDS..].rotate_left(usize::from(self.earliest));
            self.earliest = 0;
        }
    }

    /// Adds all records of another set.
    pub fn merge(&mut self, other: &Self) {
        other.records().for_each(|record| self.add(record.time, || record.clone()));
    }

    /// The records, in order of time.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        let (first, last) = self.records.split_at(self.records.len().min(EVIDENCE_RECORDS));
        let (newer, older) = last.split_at(usize::from(self.earliest));
        first.iter().chain(older).chain(newer)
    }

    /// Event time of the first record and of the last, microseconds.
    #[must_use]
    pub fn times(&self) -> (i64, i64) {
        self.records.first().map_or((0, 0), |first| (first.time, self.latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_and_ordered_as_texts() {
        let texts = [
            "",
            "0",
            "0a1b2c3d-0000-4fff-8abc-0123456789ab",
            "0A1B2C3D-0000-4fff-8abc-0123456789ab",
            "z",
            "0a1b2c3d-0000-4fff-8abc-0123456789aB",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "0a1b2c3d-0000-4fff-8abc-0123456789a",
        ];
        for a in texts {
            assert_eq!(EventId::from(a).to_string(), a);
            for b in texts {
                assert_eq!(EventId::from(a).cmp(&EventId::from(b)), a.cmp(b), "{a} {b}");
            }
        }
    }

    fn record(time: i64) -> Record {
        Record { time, event_id: EventId::from("x"), partition: 0, offset: 0, index: 0 }
    }

    fn times(ends: &Ends) -> Vec<i64> {
        ends.records().map(|record| record.time).collect()
    }

    proptest::proptest! {
        #[test]
        fn the_ends_are_those_of_the_whole_in_any_order(all in proptest::collection::vec(0i64..30, 0..30)) {
            let (mut ends, mut sorted) = (Ends::default(), all.clone());
            all.iter().for_each(|time| ends.add(*time, || record(*time)));
            sorted.sort_unstable();
            let whole = sorted.clone();
            if sorted.len() > 2 * EVIDENCE_RECORDS {
                sorted.drain(EVIDENCE_RECORDS..whole.len() - EVIDENCE_RECORDS);
            }
            proptest::prop_assert_eq!(times(&ends), sorted);
            let ends_of_all = (whole.first().copied().unwrap_or(0), whole.last().copied().unwrap_or(0));
            proptest::prop_assert_eq!(ends.times(), ends_of_all);
            let (mut merged, mut rest) = (Ends::default(), Ends::default());
            let (some, others) = all.split_at(all.len() / 3);
            some.iter().for_each(|time| merged.add(*time, || record(*time)));
            others.iter().for_each(|time| rest.add(*time, || record(*time)));
            merged.merge(&rest);
            proptest::prop_assert_eq!(times(&merged), times(&ends));
        }
    }
}
