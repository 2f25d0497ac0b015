//! What operators take from rows: what their aggregates look at, what they keep, which records the rows are.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion_common::Result;
use watchfire_record::{Batch, ColumnRequest};

use super::groups::Groups;
use super::records::{EventId, Records};
use crate::expression::Expression;
use crate::matcher::BatchColumns;
use crate::plan::{Aggregate, AggregateKind};

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
    /// For a distinct count: rows by the argument's value.
    Grouped(Arc<Groups>),
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

fn convert(converter: &RowConverter, arrays: &[ArrayRef]) -> Rows {
    converter.convert_columns(arrays).expect("the columns have the converter's types")
}

/// Times, ids and places of all rows of a batch.
#[must_use]
pub fn records(batch: &Batch, columns: &BatchColumns, event_id: &ColumnRequest) -> Records {
    let event_ids = columns.whole(batch, event_id);
    let event_ids = event_ids.as_string::<i32>().iter().map(|id| EventId::from(id.unwrap_or_default())).collect();
    let places = batch.rows.iter().map(|row| (row.partition, row.offset, row.index)).collect();
    Records {
        times: batch.rows.iter().map(|row| row.event_time).collect(),
        caused: batch.rows.iter().map(|row| row.timestamp).collect(),
        event_ids,
        partitions: batch.partitions.clone(),
        places,
    }
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

    /// Whether it looks at more than whether a row passes its filter.
    #[must_use]
    pub fn has_argument(&self) -> bool {
        self.argument.is_some()
    }

    /// Whether each row of a table passes the filter; `None` if there is none.
    #[must_use]
    pub fn filter(&self, table: &RecordBatch) -> Option<Vec<bool>> {
        let filter = self.filter.as_ref()?;
        Some(filter.holds(table).values().iter().collect())
    }

    /// What it takes from each row of a table, of which `passes` says whether they pass the filter.
    #[must_use]
    pub fn input(&self, table: &RecordBatch, passes: Option<Vec<bool>>) -> AggregateInput {
        let argument = self.argument.as_ref().map(|argument| argument.evaluate(table));
        let nulls = argument.as_ref().filter(|argument| argument.null_count() > 0);
        let counted = match (passes, nulls) {
            (passes, None) => passes,
            (passes, Some(argument)) => {
                let passed = |row: usize| passes.as_ref().is_none_or(|passes| passes[row]);
                Some((0..table.num_rows()).map(|row| passed(row) && argument.is_valid(row)).collect())
            }
        };
        AggregateInput { counted, values: argument.map_or(Values::None, |argument| self.values(&argument)) }
    }

    fn values(&self, argument: &ArrayRef) -> Values {
        match self.kind {
            AggregateKind::Count | AggregateKind::CountDistinct => Values::None,
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
