//! A decoded batch: rows, where each came from, and the columns that live detectors asked for.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder, UInt32Array};

use crate::interner::{Interner, NULL_ID};
use crate::position::{Partition, Position};

/// What was odd about a record that was processed all the same. Bits of [`Row::flags`].
pub mod flags {
    /// A member occurs twice; the last one counts.
    pub const DUPLICATE_KEY: u16 = 1;
    /// Bytes that are no UTF-8, or a lone surrogate, were replaced by U+FFFD.
    pub const REPAIRED_TEXT: u16 = 1 << 1;
    /// A number beyond 64-bit floats was taken as NULL.
    pub const NUMBER_OUT_OF_RANGE: u16 = 1 << 2;
    /// A value had another type than its column: text in a text column, NULL in others.
    pub const WRONG_TYPE: u16 = 1 << 3;
    /// The event time lies before the partition's watermark.
    pub const LATE: u16 = 1 << 4;
    /// The event time lies too far beyond the broker's timestamp.
    pub const FUTURE: u16 = 1 << 5;

    /// Bit and name, in the order in which `_flags` lists them.
    pub const NAMES: [(u16, &str); 6] = [
        (DUPLICATE_KEY, "duplicate_key"),
        (REPAIRED_TEXT, "repaired_text"),
        (NUMBER_OUT_OF_RANGE, "number_out_of_range"),
        (WRONG_TYPE, "wrong_type"),
        (LATE, "late"),
        (FUTURE, "future"),
    ];

    /// The value of the column `_flags`: names joined by commas, empty for none.
    #[must_use]
    pub fn text(flags: u16) -> String {
        let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
        names.join(",")
    }
}

/// One record of a batch, without its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// When it happened, microseconds since the epoch, UTC.
    pub event_time: i64,
    /// The broker's timestamp, microseconds since the epoch, UTC.
    pub timestamp: i64,
    /// Its partition's watermark before it, microseconds; `i64::MIN` before the first. Stamped after decoding.
    pub watermark: i64,
    /// Offset of its payload.
    pub offset: i64,
    /// Its place in its payload.
    pub index: u32,
    /// Index into [`Batch::partitions`].
    pub partition: u16,
    /// Bits of [`flags`].
    pub flags: u16,
    /// Where its text starts in [`Batch::text`].
    pub text_start: usize,
    /// Where its text ends in [`Batch::text`].
    pub text_end: usize,
    /// What its envelope said of it: index into [`Batch::contexts`].
    pub context: u32,
}

impl Row {
    /// Whether the record counts for detectors with state: not late and not from the future. After stamping only.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.flags & (flags::LATE | flags::FUTURE) == 0
    }
}

/// What an envelope says of the records in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// `CloudWatch` log group.
    pub log_group: Option<String>,
    /// `CloudWatch` log stream.
    pub log_stream: Option<String>,
    /// The account that owns the log group.
    pub owner: Option<String>,
    /// The `CloudWatch` log event's id.
    pub event_id: Option<String>,
    /// The log event's time, microseconds since the epoch, UTC.
    pub timestamp: Option<i64>,
}

/// Values of one requested column, one a row.
#[derive(Debug, Clone)]
pub enum Column {
    /// Texts by id; [`NULL_ID`] for NULL. Ids stay the same from batch to batch of one worker.
    Interned {
        /// One id a row.
        ids: Vec<u32>,
        /// What the ids mean.
        values: Arc<Interner>,
    },
    /// An Arrow array of the column's type.
    Plain(ArrayRef),
}

impl Column {
    /// The chosen rows as an Arrow array, in the order given.
    ///
    /// # Panics
    /// If a row is not in the batch.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> ArrayRef {
        match self {
            Self::Interned { ids, values } => Arc::new(texts(rows.iter().map(|row| ids[*row as usize]), values)),
            Self::Plain(array) => {
                let rows = UInt32Array::from(rows.to_vec());
                arrow::compute::take(array, &rows, None).expect("rows are in the batch")
            }
        }
    }

    /// All rows as an Arrow array.
    #[must_use]
    pub fn to_array(&self) -> ArrayRef {
        match self {
            Self::Interned { ids, values } => Arc::new(texts(ids.iter().copied(), values)),
            Self::Plain(array) => Arc::clone(array),
        }
    }
}

fn texts(ids: impl ExactSizeIterator<Item = u32>, values: &Interner) -> StringArray {
    let mut builder = StringBuilder::with_capacity(ids.len(), ids.len() * 16);
    for id in ids {
        if id == NULL_ID {
            builder.append_null();
        } else {
            builder.append_value(values.text(id));
        }
    }
    builder.finish()
}

/// A record that could not be processed: kept, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where it came from.
    pub position: Position,
    /// The broker's timestamp, microseconds since the epoch, UTC.
    pub timestamp: i64,
    /// A short fixed name, for counting: `truncated`, `too_large`, `too_deep`, `no_event_time`, …
    pub reason: &'static str,
    /// What was wrong and where, for a person.
    pub detail: String,
    /// Its bytes, cut at [`crate::limits::REJECT_BYTES`].
    pub bytes: Vec<u8>,
    /// How many bytes it had.
    pub length: usize,
}

/// A decoded batch.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Place among all batches of the process.
    pub sequence: u64,
    /// Index of the stream in the engine's list of streams.
    pub stream: usize,
    /// The partitions that occur.
    pub partitions: Vec<Arc<Partition>>,
    /// For each of `partitions`, the offset after the last payload taken from it in this batch.
    pub next_offsets: Vec<i64>,
    /// The records, in order.
    pub rows: Vec<Row>,
    /// One a requested column, in the order of the request.
    pub columns: Vec<Column>,
    /// The payloads' bytes, then what was unfolded from envelopes.
    pub text: Vec<u8>,
    /// What envelopes said; the first is empty and stands for none.
    pub contexts: Vec<Context>,
    /// What could not be processed.
    pub rejects: Vec<Reject>,
    /// How many records (or payloads without one) were skipped, by reason; few.
    pub skipped: Vec<(&'static str, u64)>,
}

impl Batch {
    /// The text of a record as it was written.
    #[must_use]
    pub fn row_text(&self, row: &Row) -> &[u8] {
        &self.text[row.text_start..row.text_end]
    }

    /// Where a record came from.
    #[must_use]
    pub fn position(&self, row: &Row) -> Position {
        Position {
            partition: Arc::clone(&self.partitions[row.partition as usize]),
            offset: row.offset,
            index: row.index,
        }
    }

    /// How many were skipped, for all reasons.
    #[must_use]
    pub fn skipped_total(&self) -> u64 {
        self.skipped.iter().map(|(_, count)| count).sum()
    }

    /// Counts one skipped record.
    pub fn skip(&mut self, reason: &'static str) {
        match self.skipped.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, count)) => *count += 1,
            None => self.skipped.push((reason, 1)),
        }
    }

    /// Processed, rejected and skipped: every record that came in is one of the three.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.rows.len() as u64 + self.rejects.len() as u64 + self.skipped_total()
    }
}
