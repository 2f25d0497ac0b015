//! The first and the last few records of a window, which its finding shows.

use watchfire_record::limits::EVIDENCE_RECORDS;

use super::record_table::{RecordNumber, RecordTable};

/// As many records are shown of one that has more.
pub const SHOWN: usize = 2 * EVIDENCE_RECORDS;

/// What is shown of a window's records, and what is told of all of them.
#[derive(Debug, Clone)]
pub struct Ends {
    /// The first and the last ones, each at most [`EVIDENCE_RECORDS`], in order.
    pub records: Vec<RecordNumber>,
    /// The greatest of all broker timestamps, microseconds; 0 without records.
    pub caused_at: i64,
}

impl Ends {
    /// Those of all these records, each with its event time, which may come in any order.
    #[must_use]
    pub fn of(mut all: Vec<(i64, RecordNumber)>, table: &RecordTable) -> Self {
        let caused_at = all.iter().map(|(_, record)| table.get(*record).caused_at).max().unwrap_or(0);
        let by_time = |one: &_, other: &_| table.in_order(one, other);
        if all.len() > SHOWN {
            let last = all.len() - EVIDENCE_RECORDS;
            all.select_nth_unstable_by(EVIDENCE_RECORDS, by_time);
            all[EVIDENCE_RECORDS..].select_nth_unstable_by(last - EVIDENCE_RECORDS, by_time);
            all.drain(EVIDENCE_RECORDS..last);
        }
        all.sort_unstable_by(by_time);
        Self { records: all.into_iter().map(|(_, record)| record).collect(), caused_at }
    }

    /// Event time of the first record and of the last, microseconds; 0 without records.
    #[must_use]
    pub fn times(&self, table: &RecordTable) -> (i64, i64) {
        let time = |record: Option<&RecordNumber>| record.map_or(0, |record| table.get(*record).time);
        (time(self.records.first()), time(self.records.last()))
    }
}
