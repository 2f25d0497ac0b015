//! Expressions compiled for running over Arrow batches. No record can stop one: where it fails for a row, it is NULL there.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::Expr;
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use watchfire_record::ColumnRequest;

/// The schema of a batch with these columns, all of which may be NULL.
#[must_use]
pub fn schema_of(requests: &[ColumnRequest]) -> Vec<Field> {
    requests.iter().map(|r| Field::new(r.name(), r.column_type.arrow(), true)).collect()
}

/// An expression over batches of one schema.
#[derive(Debug, Clone)]
pub struct Expression {
    physical: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl Expression {
    /// Compiles `expr` for batches of `schema`.
    ///
    /// # Errors
    /// If a column is missing or a type does not fit.
    pub fn compile(expr: &Expr, schema: &SchemaRef) -> Result<Self> {
        let named = DFSchema::try_from(Arc::clone(schema))?;
        let physical = create_physical_expr(expr, &named, &ExecutionProps::new(), &PhysicalPlanningContext::default())?;
        Ok(Self { physical, schema: Arc::clone(schema) })
    }

    /// The schema that it is compiled for.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The type of its values.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.physical.data_type(&self.schema).unwrap_or(DataType::Null)
    }

    /// Its value for each row.
    #[must_use]
    pub fn evaluate(&self, batch: &RecordBatch) -> ArrayRef {
        match self.try_evaluate(batch) {
            Ok(array) => array,
            Err(_) => self.evaluate_by_row(batch),
        }
    }

    /// Whether it is true for each row: NULL is not.
    #[must_use]
    pub fn holds(&self, batch: &RecordBatch) -> BooleanArray {
        let values = self.evaluate(batch);
        match values.as_any().downcast_ref::<BooleanArray>() {
            Some(values) if values.null_count() == 0 => values.clone(),
            Some(values) => values.iter().map(|value| Some(value == Some(true))).collect(),
            None => BooleanArray::from(vec![false; batch.num_rows()]),
        }
    }

    fn try_evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.physical.evaluate(batch)?.into_array(batch.num_rows())
    }

    fn evaluate_by_row(&self, batch: &RecordBatch) -> ArrayRef {
        let value_type = self.data_type();
        let null = new_null_array(&value_type, 1);
        let one = |row| self.try_evaluate(&batch.slice(row, 1)).ok().filter(|value| value.data_type() == &value_type);
        let values: Vec<ArrayRef> = (0..batch.num_rows()).map(|row| one(row).unwrap_or_else(|| null.clone())).collect();
        let parts: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        concat(&parts).unwrap_or_else(|_| new_null_array(&value_type, batch.num_rows()))
    }
}

/// Several expressions, each of which must hold.
#[derive(Debug, Clone)]
pub struct Conjunction(Vec<Expression>);

impl Conjunction {
    /// Compiles each of `exprs`.
    ///
    /// # Errors
    /// As [`Expression::compile`].
    pub fn compile<'a>(exprs: impl IntoIterator<Item = &'a Expr>, schema: &SchemaRef) -> Result<Self> {
        exprs.into_iter().map(|expr| Expression::compile(expr, schema)).collect::<Result<_>>().map(Self)
    }

    /// Whether there is nothing to hold.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows for which all hold, ascending.
    #[must_use]
    pub fn rows(&self, batch: &RecordBatch) -> Vec<u32> {
        let count = u32::try_from(batch.num_rows()).expect("a batch has fewer than 2^32 rows");
        let masks: Vec<BooleanArray> = self.0.iter().map(|expression| expression.holds(batch)).collect();
        (0..count).filter(|row| masks.iter().all(|mask| mask.value(*row as usize))).collect()
    }
}

/// A batch of these columns; also without columns it has `rows` rows.
#[must_use]
pub fn record_batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).expect("columns are made for this schema")
}

/// The schema of fields.
#[must_use]
pub fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}
