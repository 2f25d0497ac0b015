//! What happens after an operator's aggregates are known: HAVING or QUALIFY, the found row, its keys.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{BinaryExpr, Expr, Operator};
use watchfire_record::Value;

use crate::expression::{Conjunction, Expression, record_batch, schema};
use crate::plan::{Aggregate, AggregateKind, DetectorPlan, aggregate_column};
use crate::value::value_at;

/// When a row may fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Early {
    /// Only when it is final.
    No,
    /// At once: more records can only keep it true.
    Lasting,
    /// At once, and an earlier record that turns up within the lateness takes it back.
    FirstSeen,
}

/// The part of a plan after its operator, compiled.
pub struct Post {
    fields: SchemaRef,
    counts_schema: SchemaRef,
    /// What is said of aggregates alone: tried first, before rows are put together.
    counts_only: Conjunction,
    rest: Conjunction,
    outputs: Vec<(Arc<str>, Expression)>,
    keys: Vec<(Arc<str>, Expression)>,
    early: Early,
}

/// Names and values.
pub type NamedValues = Vec<(Arc<str>, Value)>;

impl Post {
    /// Compiles the part of `plan` after its operator, whose rows have `fields` and then the aggregates. `keys` are over
    /// the same.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(
        plan: &DetectorPlan,
        fields: Vec<Field>,
        keys: &[(String, Expr)],
        aggregates: &[Aggregate],
    ) -> Result<Self> {
        let count = |index: usize| Field::new(aggregate_column(index), DataType::Int64, false);
        let counts: Vec<Field> = (0..aggregates.len()).map(count).collect();
        let counts_schema = schema(counts.clone());
        let fields = schema(fields.into_iter().chain(counts).collect());
        let of_counts = |expr: &&Expr| {
            let columns = expr.column_refs();
            !columns.is_empty() && columns.iter().all(|c| counts_schema.column_with_name(&c.name).is_some())
        };
        let (counting, rest): (Vec<&Expr>, Vec<&Expr>) = plan.having.iter().partition(of_counts);
        let named = |list: &[(String, Expr)]| {
            let compiled =
                list.iter().map(|(name, expr)| Ok((name.as_str().into(), Expression::compile(expr, &fields)?)));
            compiled.collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            counts_only: Conjunction::compile(counting, &counts_schema)?,
            rest: Conjunction::compile(rest, &fields)?,
            outputs: named(&plan.outputs)?,
            keys: named(keys)?,
            early: early(&plan.having, aggregates),
            fields,
            counts_schema,
        })
    }

    /// When its rows may fire.
    #[must_use]
    pub fn early(&self) -> Early {
        self.early
    }

    /// The rows, ascending, whose aggregates may pass. `counts` has one vector an aggregate.
    #[must_use]
    pub fn promising(&self, counts: &[Vec<i64>], rows: usize) -> Vec<u32> {
        let arrays = counts.iter().map(|column| Arc::new(Int64Array::from(column.clone())) as ArrayRef).collect();
        self.counts_only.rows(&record_batch(&self.counts_schema, arrays, rows))
    }

    /// The operator's rows as a batch: its own columns, then the aggregates.
    #[must_use]
    pub fn batch(&self, mut columns: Vec<ArrayRef>, counts: &[Vec<i64>], rows: usize) -> RecordBatch {
        columns.extend(counts.iter().map(|column| Arc::new(Int64Array::from(column.clone())) as ArrayRef));
        record_batch(&self.fields, columns, rows)
    }

    /// The rows of a batch, ascending, that pass.
    #[must_use]
    pub fn passing(&self, batch: &RecordBatch) -> Vec<u32> {
        self.rest.rows(batch)
    }

    /// The found row and the keys of each row of a batch.
    #[must_use]
    pub fn found(&self, batch: &RecordBatch) -> Vec<(NamedValues, NamedValues)> {
        let evaluate = |list: &[(Arc<str>, Expression)]| -> Vec<(Arc<str>, ArrayRef)> {
            list.iter().map(|(name, expression)| (Arc::clone(name), expression.evaluate(batch))).collect()
        };
        let (outputs, keys) = (evaluate(&self.outputs), evaluate(&self.keys));
        let at = |columns: &[(Arc<str>, ArrayRef)], row: usize| {
            columns.iter().map(|(name, array)| (Arc::clone(name), value_at(array, row))).collect()
        };
        (0..batch.num_rows()).map(|row| (at(&outputs, row), at(&keys, row))).collect()
    }
}

/// When rows that pass `having` may fire.
pub fn early(having: &[Expr], aggregates: &[Aggregate]) -> Early {
    if having.iter().any(|expr| is_first_seen(expr, aggregates)) {
        return Early::FirstSeen;
    }
    if having.iter().all(lasting) { Early::Lasting } else { Early::No }
}

/// Whether `expr` asks that nothing came before, within a range that ends before the row itself.
fn is_first_seen(expr: &Expr, aggregates: &[Aggregate]) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return false };
    let (Some(index), Some(0)) = (aggregate_index(left), literal(right)) else { return false };
    aggregates
        .get(index)
        .is_some_and(|a| a.kind == AggregateKind::Count && a.argument.is_none() && a.filter.is_none() && a.frame.1 > 0)
}

/// Whether `expr`, once true for a row, stays true whatever records are added: it sets lower bounds on counts, or does
/// not look at them.
fn lasting(expr: &Expr) -> bool {
    if expr.column_refs().iter().all(|column| !is_aggregate(&column.name)) {
        return true;
    }
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => lasting(left) && lasting(right),
            Operator::Gt | Operator::GtEq => aggregate_index(left).is_some() && literal(right).is_some(),
            Operator::Lt | Operator::LtEq => literal(left).is_some() && aggregate_index(right).is_some(),
            _ => false,
        },
        Expr::Alias(alias) => lasting(&alias.expr),
        _ => false,
    }
}

fn is_aggregate(name: &str) -> bool {
    name.starts_with("__aggregate_")
}

fn aggregate_index(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Column(column) => column.name.strip_prefix("__aggregate_")?.parse().ok(),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        _ => None,
    }
}
