//! The records that a finding rests on: the first few and the last few.

use std::sync::Arc;

use arrow::array::{Array, StringArray};
use watchfire_record::limits::EVIDENCE_RECORDS;
use watchfire_record::{Evidence, Partition, Position};

/// Ids and places of the records of an operator's batch.
#[derive(Debug)]
pub struct Records {
    /// The records' ids.
    pub event_ids: StringArray,
    /// The partitions that occur.
    pub partitions: Vec<Arc<Partition>>,
    /// Partition (index), offset and index of each record.
    pub places: Vec<(u16, i64, u32)>,
}

impl Records {
    /// The record of a row.
    #[must_use]
    pub fn get(&self, row: u32, time: i64) -> Record {
        let row = row as usize;
        let (partition, offset, index) = self.places[row];
        let event_id = if self.event_ids.is_null(row) { "" } else { self.event_ids.value(row) };
        Record {
            time,
            event_id: event_id.into(),
            partition: Arc::clone(&self.partitions[partition as usize]),
            offset,
            index,
        }
    }
}

/// One record, small. Ordered by time, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Event time, microseconds.
    pub time: i64,
    /// The record's id.
    pub event_id: Box<str>,
    partition: Arc<Partition>,
    offset: i64,
    index: u32,
}

impl From<&Record> for Evidence {
    fn from(record: &Record) -> Self {
        Self {
            event_id: record.event_id.to_string(),
            position: Position { partition: Arc::clone(&record.partition), offset: record.offset, index: record.index },
            event_time: record.time,
        }
    }
}

/// The first and the last records of a growing set, each at most [`EVIDENCE_RECORDS`].
#[derive(Debug, Clone, Default)]
pub struct Ends {
    first: Vec<Record>,
    last: Vec<Record>,
}

impl Ends {
    /// Whether a record of this time might be kept; cheap, for asking before one is made.
    #[must_use]
    pub fn wants(&self, time: i64) -> bool {
        let full = self.first.len() == EVIDENCE_RECORDS;
        !full
            || self.first.last().is_some_and(|r| time <= r.time)
            || self.last.first().is_none_or(|r| time >= r.time)
            || self.last.len() < EVIDENCE_RECORDS
    }

    /// Adds a record.
    pub fn add(&mut self, record: Record) {
        let mut record = record;
        let place = self.first.partition_point(|r| *r <= record);
        if place < EVIDENCE_RECORDS {
            self.first.insert(place, record);
            if self.first.len() <= EVIDENCE_RECORDS {
                return;
            }
            record = self.first.pop().expect("it is longer than the limit");
        }
        let place = self.last.partition_point(|r| *r <= record);
        self.last.insert(place, record);
        if self.last.len() > EVIDENCE_RECORDS {
            self.last.remove(0);
        }
    }

    /// The evidence, in order of time.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        self.first.iter().chain(&self.last).map(Evidence::from).collect()
    }

    /// Event time of the first record and of the last, microseconds.
    #[must_use]
    pub fn times(&self) -> (i64, i64) {
        let first = self.first.first().map_or(0, |r| r.time);
        let last = self.last.last().or(self.first.last()).map_or(first, |r| r.time);
        (first, last)
    }
}
