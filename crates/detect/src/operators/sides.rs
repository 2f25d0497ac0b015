//! The two sides of a sequence: which columns of a row are kept.

use arrow::row::{RowConverter, Rows};
use datafusion_common::Result;
use watchfire_record::{Batch, ColumnRequest, Stream};

use super::input::row_converter;
use crate::detector::{Detector, identity_names, named};
use crate::matcher::BatchColumns;
use crate::plan::{Operator, SequenceKind};

/// What is kept of the rows of one side of a sequence. It is this side's alone: most sequences want few rows and few
/// columns.
pub struct SideColumns {
    columns: Vec<ColumnRequest>,
    converter: RowConverter,
}

/// What is kept of a side's rows: what conditions and the found row read, and, where findings are told apart by it, the
/// record's identity.
#[must_use]
pub fn kept_columns(detector: &Detector, stream: &Stream) -> Vec<ColumnRequest> {
    let mut columns = detector.reads().kept_columns.clone();
    if identified(detector) {
        for name in identity_names(stream) {
            let request = named(stream, &name);
            if !columns.contains(&request) {
                columns.push(request);
            }
        }
    }
    columns
}

/// Whether the identity of this side's records is part of a finding's.
#[must_use]
pub fn identified(detector: &Detector) -> bool {
    let is_pair = matches!(&detector.plan.operator, Operator::Sequence(s) if s.kind == SequenceKind::Pair);
    detector.input == 0 || is_pair
}

impl SideColumns {
    /// Of the side that this detector is about.
    ///
    /// # Errors
    /// If a column's type cannot be kept, which no stream has.
    pub fn new(detector: &Detector, stream: &Stream) -> Result<Self> {
        let columns = kept_columns(detector, stream);
        let converter = row_converter(columns.iter().map(|column| column.column_type.arrow()))?;
        Ok(Self { columns, converter })
    }

    /// These rows' columns as comparable bytes; `None` if nothing is kept of them.
    #[must_use]
    pub fn of(&self, batch: &Batch, columns: &BatchColumns, rows: &[u32]) -> Option<Rows> {
        let arrays: Vec<_> = self.columns.iter().map(|request| columns.take(batch, request, rows)).collect();
        let converted = || self.converter.convert_columns(&arrays).expect("the columns have the converter's types");
        (!arrays.is_empty()).then(converted)
    }
}
