//! Rows on their way to an operator with state: keys and values worked out by the worker, once a batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion_common::Result;
use watchfire_record::{Batch, ColumnRequest, Stream};

use super::records::{EventId, Records};
use super::shared::{BatchInputs, KeyColumn, Shared, SharedInputs};
use crate::detector::Detector;
use crate::expression::Expression;
use crate::identities::SecretHasher;
use crate::matcher::BatchColumns;
use crate::plan::{Aggregate, AggregateKind, Operator};

/// Rows of one batch that passed a detector's WHERE, ready for its operator.
#[derive(Debug)]
pub struct OperatorBatch {
    /// Index of the detector among its stream's.
    pub detector: usize,
    /// Event times, microseconds.
    pub times: Vec<i64>,
    /// The broker's timestamps, microseconds.
    pub caused: Vec<i64>,
    /// The keys; `None` for a detector without.
    pub keys: Option<Shared<KeyColumn>>,
    /// One an aggregate.
    pub aggregates: Vec<Shared<AggregateInput>>,
    /// What a found row needs (the columns that the detector's rows keep); for over-range only.
    pub payload: Option<Shared<Rows>>,
    /// Which rows of the batch they are.
    pub rows: Vec<u32>,
    /// Ids and places of all rows of the batch.
    pub records: Arc<Records>,
}

impl OperatorBatch {
    /// Where the values of a row are.
    fn place<T>(&self, shared: &Shared<T>, row: u32) -> u32 {
        if shared.whole { self.rows[row as usize] } else { row }
    }

    /// A row's key as comparable bytes, and its hash; empty for a detector without keys.
    #[must_use]
    pub fn key(&self, row: u32) -> (&[u8], u128) {
        let Some(keys) = &self.keys else { return (&[], 0) };
        let place = self.place(keys, row) as usize;
        (keys.values.rows.row(place).data(), keys.values.hashes[place])
    }

    /// What a found row needs of a row, and where the row is in it; for over-range only.
    #[must_use]
    pub fn payload(&self, row: u32) -> Option<Payload> {
        let shared = self.payload.as_ref()?;
        Some(Payload { rows: Arc::clone(&shared.values), row: self.place(shared, row) })
    }

    /// What the aggregate of an index looks at, and where the row is in it.
    #[must_use]
    pub fn aggregate(&self, index: usize, row: u32) -> (&AggregateInput, u32) {
        let shared = &self.aggregates[index];
        (&shared.values, self.place(shared, row))
    }
}

/// What a found row needs of one row; shared with all rows of its batch.
#[derive(Debug, Clone)]
pub struct Payload {
    rows: Arc<Rows>,
    row: u32,
}

impl Payload {
    /// The columns as comparable bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.rows.row(self.row as usize).data()
    }
}

/// What one aggregate takes from each row.
#[derive(Debug)]
pub struct AggregateInput {
    /// Whether the row counts: it passes the FILTER and its argument is not NULL. `None`: all do.
    pub counted: Option<Vec<bool>>,
    /// The argument's values, where they matter; those of rows that do not count may be anything.
    pub values: Values,
}

/// What an aggregate looks at, one value a row.
#[derive(Debug)]
pub enum Values {
    /// Nothing but whether the row counts.
    None,
    /// For a distinct count: hashes.
    Hashes(Vec<u128>),
    /// For sums, averages, all and any: numbers, truth values as 0 and 1.
    Integers(Vec<i64>),
    /// For least and greatest: comparable bytes.
    Ordered(Rows),
}

impl AggregateInput {
    /// Whether a row counts.
    #[must_use]
    pub fn counts(&self, row: u32) -> bool {
        self.counted.as_ref().is_none_or(|counted| counted[row as usize])
    }
}

/// Makes [`OperatorBatch`]es for one detector in one worker.
pub struct Feeder {
    detector: usize,
    /// Numbers among what the stream's detectors share; `None` for a detector without keys.
    keys: Option<usize>,
    aggregates: Vec<usize>,
    /// The number of what a found row needs kept; `None` if it needs nothing.
    kept: Option<usize>,
}

/// One aggregate's expressions, ready to be evaluated.
pub struct CompiledAggregate {
    kind: AggregateKind,
    argument: Option<Expression>,
    filter: Option<Expression>,
}

/// A converter between arrays of these types and comparable bytes.
///
/// # Errors
/// If a type cannot be a key, such as a map.
pub fn row_converter(types: impl IntoIterator<Item = arrow::datatypes::DataType>) -> Result<RowConverter> {
    Ok(RowConverter::new(types.into_iter().map(SortField::new).collect())?)
}

impl Feeder {
    /// A feeder for the detector of this index, whose rows keep these columns if it has a sliding range; what others may
    /// ask for too goes to `shared`.
    ///
    /// # Errors
    /// If an expression does not fit the stream, which planning rules out.
    pub fn new(
        index: usize,
        detector: &Detector,
        stream: &Stream,
        kept: &Arc<[ColumnRequest]>,
        shared: &mut SharedInputs,
    ) -> Result<Self> {
        let over_range = matches!(detector.plan.operator, Operator::OverRange { .. });
        let columns = if over_range { detector.row_columns(stream) } else { detector.fold_columns(stream) };
        let keys = &detector.plan.keys;
        let keys = (!keys.is_empty()).then(|| shared.keys(keys, &columns)).transpose()?;
        let aggregates = detector.plan.operator.aggregates().iter();
        let aggregates = aggregates.map(|aggregate| shared.aggregate(aggregate, &columns)).collect::<Result<_>>()?;
        let kept = over_range.then(|| shared.kept(kept)).transpose()?;
        Ok(Self { detector: index, keys, aggregates, kept })
    }

    /// The rows of a batch, worked out.
    #[must_use]
    pub fn feed(
        &self,
        batch: &Batch,
        rows: &[u32],
        records: &Arc<Records>,
        inputs: &mut BatchInputs<'_>,
    ) -> OperatorBatch {
        OperatorBatch {
            detector: self.detector,
            times: rows.iter().map(|row| batch.rows[*row as usize].event_time).collect(),
            caused: rows.iter().map(|row| batch.rows[*row as usize].timestamp).collect(),
            keys: self.keys.map(|number| inputs.keys(number, rows)),
            aggregates: self.aggregates.iter().map(|number| inputs.aggregate(*number, rows)).collect(),
            payload: self.kept.map(|number| inputs.payload(number, rows)),
            rows: rows.to_vec(),
            records: Arc::clone(records),
        }
    }
}

fn convert(converter: &RowConverter, arrays: &[ArrayRef]) -> Rows {
    converter.convert_columns(arrays).expect("the columns have the converter's types")
}

/// Ids and places of all rows of a batch.
#[must_use]
pub fn records(batch: &Batch, columns: &BatchColumns, event_id: &ColumnRequest) -> Records {
    let all: Vec<u32> = (0u32..).take(batch.rows.len()).collect();
    let event_ids = columns.take(batch, event_id, &all);
    let event_ids = event_ids.as_string::<i32>().iter().map(|id| EventId::from(id.unwrap_or_default())).collect();
    let places = batch.rows.iter().map(|row| (row.partition, row.offset, row.index)).collect();
    Records { event_ids, partitions: batch.partitions.clone(), places }
}

impl CompiledAggregate {
    /// An aggregate's expressions over rows with these columns.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(aggregate: &Aggregate, fields: &SchemaRef) -> Result<Self> {
        let expression = |expr: &Option<_>| expr.as_ref().map(|e| Expression::compile(e, fields)).transpose();
        Ok(Self {
            kind: aggregate.kind.clone(),
            argument: expression(&aggregate.argument)?,
            filter: expression(&aggregate.filter)?,
        })
    }

    /// What it takes from each row of a table.
    #[must_use]
    pub fn input(&self, table: &RecordBatch, hasher: &SecretHasher) -> AggregateInput {
        let filter = self.filter.as_ref().map(|filter| filter.holds(table));
        let argument = self.argument.as_ref().map(|argument| argument.evaluate(table));
        let counted = (filter.is_some() || argument.as_ref().is_some_and(|a| a.null_count() > 0)).then(|| {
            let passes = |row: usize| filter.as_ref().is_none_or(|f| f.value(row));
            let present = |row: usize| argument.as_ref().is_none_or(|a| a.is_valid(row));
            (0..table.num_rows()).map(|row| passes(row) && present(row)).collect()
        });
        AggregateInput { counted, values: argument.map_or(Values::None, |argument| self.values(&argument, hasher)) }
    }

    fn values(&self, argument: &ArrayRef, hasher: &SecretHasher) -> Values {
        match self.kind {
            AggregateKind::Count => Values::None,
            AggregateKind::CountDistinct => Values::Hashes(hashes(argument, hasher)),
            AggregateKind::Sum | AggregateKind::Average => {
                let numbers =
                    arrow::compute::cast(argument, &DataType::Int64).expect("planning made it a whole number");
                Values::Integers(numbers.as_primitive::<Int64Type>().values().to_vec())
            }
            AggregateKind::All | AggregateKind::Any => {
                let truths = argument.as_boolean();
                Values::Integers((0..truths.len()).map(|row| i64::from(truths.value(row))).collect())
            }
            AggregateKind::Least | AggregateKind::Greatest => {
                let converter = row_converter([argument.data_type().clone()]).expect("planning made it comparable");
                Values::Ordered(convert(&converter, std::slice::from_ref(argument)))
            }
        }
    }
}

/// The hash of each value of an array; of NULLs, anything.
fn hashes(array: &ArrayRef, hasher: &SecretHasher) -> Vec<u128> {
    if let Some(texts) = array.as_string_opt::<i32>() {
        return texts.iter().map(|text| hasher.hash(text)).collect();
    }
    let converter = row_converter([array.data_type().clone()]).ok();
    let rows = converter.and_then(|converter| converter.convert_columns(std::slice::from_ref(array)).ok());
    match rows {
        Some(rows) => rows.iter().map(|row| hasher.hash(row.as_ref())).collect(),
        None => vec![0; array.len()],
    }
}
