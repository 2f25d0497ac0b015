//! The records that a finding rests on, small and without allocation.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

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

impl EventId {
    /// Bytes that it takes beside itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Uuid(_) => 0,
            Self::Text(text) => text.len(),
        }
    }
}

/// Where a UUID's bytes are in its text.
const UUID_BYTES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The values of hexadecimal digits in lower case; of all else one that is too large.
const DIGITS: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let mut all = [8, 13, 18, 23].iter().fold(0, |all, at| all | (text[*at] ^ b'-'));
    let bytes = UUID_BYTES.map(|at| {
        let (high, low) = (DIGITS[usize::from(text[at])], DIGITS[usize::from(text[at + 1])]);
        all |= (high | low) & 0xf0;
        high << 4 | low & 0xf
    });
    (all == 0).then_some(bytes)
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
    /// The broker's timestamp, microseconds.
    pub caused_at: i64,
}

/// The partitions that an operator's records came from, by a small number.
#[derive(Debug, Clone, Default)]
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
    /// Bytes that they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.times)
            + size_of_val(&*self.caused)
            + size_of_val(&*self.event_ids)
            + size_of_val(&*self.places)
    }

    /// The record of a row of the batch; `partitions` are the operator's numbers of the batch's partitions.
    #[must_use]
    pub fn get(&self, row: u32, partitions: &[u32]) -> Record {
        let (partition, offset, index) = self.places[row as usize];
        let time = self.times[row as usize];
        let event_id = self.event_ids[row as usize].clone();
        let (partition, caused_at) = (partitions[partition as usize], self.caused[row as usize]);
        Record { time, event_id, partition, offset, index, caused_at }
    }

    /// A row of the batch as findings show its record.
    #[must_use]
    pub fn evidence(&self, row: u32) -> Evidence {
        let (partition, offset, index) = self.places[row as usize];
        Evidence {
            event_id: self.event_ids[row as usize].to_string(),
            position: Position { partition: Arc::clone(&self.partitions[partition as usize]), offset, index },
            event_time: self.times[row as usize],
        }
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
}
