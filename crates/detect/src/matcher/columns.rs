//! The columns of a batch by name, those that come from the rows themselves among them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use watchfire_record::batch::flags;
use watchfire_record::stream::SYSTEM_COLUMNS;
use watchfire_record::{Batch, Column, ColumnRequest, ColumnSource, Row};

/// Where the columns that detectors name are in a decoded batch, to which what tables have was added.
#[derive(Debug, Clone)]
pub struct BatchColumns(Vec<ColumnRequest>);

/// Whether a column comes from the rows of a batch and not from the decoder.
#[must_use]
pub fn is_system(request: &ColumnRequest) -> bool {
    matches!(&request.source, ColumnSource::Column(name) if SYSTEM_COLUMNS.iter().any(|(system, _)| system == name))
}

impl BatchColumns {
    /// The columns as the decoder delivers them, in order, then what is looked up.
    #[must_use]
    pub fn new(decoded: Vec<ColumnRequest>) -> Self {
        Self(decoded)
    }

    /// What the decoder is asked for, then what is looked up.
    #[must_use]
    pub fn decoded(&self) -> &[ColumnRequest] {
        &self.0
    }

    /// A column as the decoder delivers it; `None` if it comes from the rows themselves.
    #[must_use]
    pub fn decoded_column<'a>(&self, batch: &'a Batch, request: &ColumnRequest) -> Option<&'a Column> {
        (!is_system(request)).then(|| &batch.columns[self.place(request)])
    }

    /// All rows of a column that the decoder delivers.
    ///
    /// # Panics
    /// If the column is not among those asked for.
    #[must_use]
    pub fn whole(&self, batch: &Batch, request: &ColumnRequest) -> ArrayRef {
        batch.columns[self.place(request)].to_array()
    }

    fn place(&self, request: &ColumnRequest) -> usize {
        self.0.iter().position(|r| r == request).expect("every column that a detector reads is asked for")
    }

    /// The chosen rows of a column.
    ///
    /// # Panics
    /// If the column is neither the system's nor among those asked for.
    #[must_use]
    pub fn take(&self, batch: &Batch, request: &ColumnRequest, rows: &[u32]) -> ArrayRef {
        if is_system(request) {
            return system_column(batch, &request.name(), rows);
        }
        batch.columns[self.place(request)].take(rows)
    }
}

fn system_column(batch: &Batch, name: &str, rows: &[u32]) -> ArrayRef {
    let rows = rows.iter().map(|row| &batch.rows[*row as usize]);
    let partition = |row: &Row| &batch.partitions[row.partition as usize];
    match name {
        "_topic" => Arc::new(StringArray::from_iter_values(rows.map(|r| &partition(r).topic))),
        "_partition" => Arc::new(Int64Array::from_iter_values(rows.map(|r| i64::from(partition(r).number)))),
        "_offset" => Arc::new(Int64Array::from_iter_values(rows.map(|r| r.offset))),
        "_index" => Arc::new(Int64Array::from_iter_values(rows.map(|r| i64::from(r.index)))),
        "_watermark" => {
            let watermarks = rows.map(|r| (r.watermark != i64::MIN).then_some(r.watermark));
            Arc::new(watermarks.collect::<TimestampMicrosecondArray>())
        }
        _ => Arc::new(StringArray::from_iter_values(rows.map(|r| flags::text(r.flags)))),
    }
}
