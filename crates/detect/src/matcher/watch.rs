//! What was there for each WHERE to be true: whether the fields that it needs came, and whether its conditions were ever
//! met.
//!
//! A field that the most telling condition reads is looked for in all records, any other in the records that meet that
//! condition: what only some calls have is not missed while there is no such call.

use arrow::array::Array;
use watchfire_record::interner::NULL_ID;
use watchfire_record::{Batch, Column};

/// Fields of which a WHERE needs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Which WHERE.
    pub clause: usize,
    /// Which fields, among the different sets of fields that are watched.
    pub fields: usize,
    /// Among which records they are looked for.
    pub among: Among,
}

/// Records among which a field is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All.
    All,
    /// Those that meet the most telling condition.
    Candidates,
    /// Those that pass the WHERE.
    Passed,
}

/// How often fields were there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Presence {
    /// Records that were looked at.
    pub records: u64,
    /// Those that had one of the fields.
    pub present: u64,
}

/// What all records of a batch have of the fields in these columns.
pub fn among_all(batch: &Batch, columns: &[usize]) -> Presence {
    let records = batch.rows.len() as u64;
    if let [column] = columns {
        return Presence { records, present: present(&batch.columns[*column]) as u64 };
    }
    let present = (0..batch.rows.len()).filter(|row| has_one(batch, columns, *row));
    Presence { records, present: present.count() as u64 }
}

/// What these rows of a batch have of the fields in these columns.
pub fn among(batch: &Batch, columns: &[usize], rows: &[u32]) -> Presence {
    let present = rows.iter().filter(|row| has_one(batch, columns, **row as usize));
    Presence { records: rows.len() as u64, present: present.count() as u64 }
}

fn has_one(batch: &Batch, columns: &[usize], row: usize) -> bool {
    columns.iter().any(|column| is_there(&batch.columns[*column], row))
}

fn present(column: &Column) -> usize {
    match column {
        Column::Interned { ids, .. } => ids.iter().filter(|id| **id != NULL_ID).count(),
        Column::Plain(array) => array.len() - array.null_count(),
    }
}

fn is_there(column: &Column, row: usize) -> bool {
    match column {
        Column::Interned { ids, .. } => ids[row] != NULL_ID,
        Column::Plain(array) => array.is_valid(row),
    }
}
