//! The two sides of a sequence: which columns of a row are kept, and rows on their way to the operator.

use std::sync::Arc;

use arrow::row::RowConverter;
use datafusion_common::Result;
use watchfire_record::{Batch, ColumnRequest, Stream};

use super::OperatorBatch;
use super::input::row_converter;
use super::records::Records;
use super::shared::{BatchInputs, Shared, SharedInputs};
use crate::detector::{Detector, identity_names, named};
use crate::matcher::BatchColumns;
use crate::plan::{Operator, SequenceKind};

/// Makes [`OperatorBatch`]es of one side of a sequence in one worker. What is kept of a row is this side's alone: most
/// sequences want few rows and few columns.
pub struct SideFeeder {
    detector: usize,
    /// Number of the keys among what the stream's detectors share.
    keys: usize,
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

impl SideFeeder {
    /// A feeder for the side of this index among the stream's detectors; its keys go to `shared`.
    ///
    /// # Errors
    /// If an expression does not fit the stream, which planning rules out.
    pub fn new(index: usize, detector: &Detector, stream: &Stream, shared: &mut SharedInputs) -> Result<Self> {
        let columns = kept_columns(detector, stream);
        Ok(Self {
            detector: index,
            keys: shared.keys(&detector.reads().keys, &detector.row_columns(stream))?,
            converter: row_converter(columns.iter().map(|column| column.column_type.arrow()))?,
            columns,
        })
    }

    /// The rows of a batch, worked out.
    #[must_use]
    pub fn feed(
        &self,
        batch: &Batch,
        columns: &BatchColumns,
        rows: &[u32],
        records: &Arc<Records>,
        inputs: &mut BatchInputs<'_>,
    ) -> OperatorBatch {
        let arrays: Vec<_> = self.columns.iter().map(|request| columns.take(batch, request, rows)).collect();
        let payload = (!arrays.is_empty()).then(|| {
            let values = self.converter.convert_columns(&arrays).expect("the columns have the converter's types");
            Shared { values: Arc::new(values), whole: false }
        });
        OperatorBatch {
            detector: self.detector,
            times: rows.iter().map(|row| batch.rows[*row as usize].event_time).collect(),
            caused: rows.iter().map(|row| batch.rows[*row as usize].timestamp).collect(),
            keys: Some(inputs.keys(self.keys, rows)),
            aggregates: Vec::new(),
            payload,
            rows: rows.to_vec(),
            records: Arc::clone(records),
        }
    }
}
