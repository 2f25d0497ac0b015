//! What happens after an operator's aggregates are known: HAVING or QUALIFY, the found row, its keys.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::{Field, SchemaRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{BinaryExpr, Expr, Operator};
use watchfire_record::Value;

use super::fold::{Total, TotalColumn, Totals};
use super::patience::Patience;
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
    totals_schema: SchemaRef,
    totals: Vec<TotalColumn>,
    /// What is said of aggregates alone: tried first, before rows are put together.
    totals_only: Conjunction,
    rest: Conjunction,
    outputs: Vec<(Arc<str>, Expression)>,
    keys: Vec<(Arc<str>, Expression)>,
    early: Early,
    patience: Patience,
    first_seen: bool,
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
        let total = |(index, a): (usize, &Aggregate)| {
            Field::new(aggregate_column(index), a.output.clone(), a.kind.can_be_null())
        };
        let totals: Vec<Field> = aggregates.iter().enumerate().map(total).collect();
        let totals_schema = schema(totals.clone());
        let fields = schema(fields.into_iter().chain(totals).collect());
        let of_totals = |expr: &&Expr| {
            let columns = expr.column_refs();
            !columns.is_empty() && columns.iter().all(|c| totals_schema.column_with_name(&c.name).is_some())
        };
        let (totalled, rest): (Vec<&Expr>, Vec<&Expr>) = plan.having.iter().partition(of_totals);
        let named = |list: &[(String, Expr)]| {
            let compiled =
                list.iter().map(|(name, expr)| Ok((name.as_str().into(), Expression::compile(expr, &fields)?)));
            compiled.collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            totals_only: Conjunction::compile(totalled, &totals_schema)?,
            totals: aggregates.iter().map(TotalColumn::new).collect::<Result<_>>()?,
            rest: Conjunction::compile(rest, &fields)?,
            outputs: named(&plan.outputs)?,
            keys: named(keys)?,
            early: early(&plan.having, aggregates),
            patience: Patience::of(&plan.having, aggregates),
            first_seen: first_seen(&plan.having, aggregates),
            fields,
            totals_schema,
        })
    }

    /// When its rows may fire.
    #[must_use]
    pub fn early(&self) -> Early {
        self.early
    }

    /// What is asked of counts before a row passes.
    #[must_use]
    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Whether its rows are first ones: those of one key and time are one finding.
    #[must_use]
    pub fn first_seen(&self) -> bool {
        self.first_seen
    }

    /// One column an aggregate; `total` gives what the aggregate of an index comes to in a row.
    #[must_use]
    pub fn totals(&self, rows: usize, total: impl Fn(usize, usize) -> Total) -> Vec<ArrayRef> {
        let columns = self.totals.iter().enumerate();
        columns.map(|(index, column)| column.array((0..rows).map(|row| total(index, row)))).collect()
    }

    /// The same of what aggregates come to, one an aggregate.
    #[must_use]
    pub fn columns(&self, totals: Vec<Totals>) -> Vec<ArrayRef> {
        self.totals.iter().zip(totals).map(|(column, totals)| column.of(totals)).collect()
    }

    /// The rows, ascending, whose aggregates may pass. `totals` has one column an aggregate.
    #[must_use]
    pub fn promising(&self, totals: &[ArrayRef], rows: usize) -> Vec<u32> {
        self.totals_only.rows(&record_batch(&self.totals_schema, totals.to_vec(), rows))
    }

    /// The operator's rows as a batch: its own columns, then the aggregates, of which `rows` are chosen.
    #[must_use]
    pub fn batch(&self, mut columns: Vec<ArrayRef>, totals: &[ArrayRef], rows: &[u32]) -> RecordBatch {
        let chosen = UInt32Array::from(rows.to_vec());
        let pick = |column: &ArrayRef| arrow::compute::take(column, &chosen, None).expect("the rows are the column's");
        columns.extend(totals.iter().map(pick));
        record_batch(&self.fields, columns, rows.len())
    }

    /// The rows of a batch, ascending, that pass.
    #[must_use]
    pub fn passing(&self, batch: &RecordBatch) -> Vec<u32> {
        self.rest.rows(batch)
    }

    /// The found row and the keys of each row of a batch.
    #[must_use]
    pub fn found(&self, batch: &RecordBatch) -> Vec<(NamedValues, NamedValues)> {
        let (outputs, keys) = (evaluate(&self.outputs, batch), evaluate(&self.keys, batch));
        (0..batch.num_rows()).map(|row| (named_at(&outputs, row), named_at(&keys, row))).collect()
    }
}

/// Columns of these expressions, under their names.
#[must_use]
pub fn evaluate(list: &[(Arc<str>, Expression)], table: &RecordBatch) -> Vec<(Arc<str>, ArrayRef)> {
    list.iter().map(|(name, expression)| (Arc::clone(name), expression.evaluate(table))).collect()
}

/// What columns have in a row.
#[must_use]
pub fn named_at(columns: &[(Arc<str>, ArrayRef)], row: usize) -> NamedValues {
    columns.iter().map(|(name, array)| (Arc::clone(name), value_at(array, row))).collect()
}

/// Whether rows that pass `having` are the first of their keys for a while.
pub fn first_seen(having: &[Expr], aggregates: &[Aggregate]) -> bool {
    having.iter().any(|expr| is_first_seen(expr, aggregates))
}

/// When rows that pass `having` may fire. What is taken back must not come again: so a first one fires early only if all
/// else that is asked of it lasts.
pub fn early(having: &[Expr], aggregates: &[Aggregate]) -> Early {
    let (first, others): (Vec<&Expr>, Vec<&Expr>) = having.iter().partition(|expr| is_first_seen(expr, aggregates));
    match (first.is_empty(), others.iter().all(|expr| lasting(expr, aggregates))) {
        (_, false) => Early::No,
        (true, true) => Early::Lasting,
        (false, true) => Early::FirstSeen,
    }
}

/// Whether `expr` asks that nothing came before, within a range that ends before the row itself.
fn is_first_seen(expr: &Expr, aggregates: &[Aggregate]) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return false };
    let (Some(index), Some(0)) = (aggregate_index(left), literal(right)) else { return false };
    aggregates
        .get(index)
        .is_some_and(|a| a.kind == AggregateKind::Count && a.argument.is_none() && a.filter.is_none() && a.frame.1 > 0)
}

/// Whether `expr`, once true for a row, stays true whatever records are added: it sets bounds that aggregates only move
/// away from, or does not look at them.
fn lasting(expr: &Expr, aggregates: &[Aggregate]) -> bool {
    use AggregateKind::{Any, Count, CountDistinct, Greatest, Least};
    if expr.column_refs().iter().all(|column| !is_aggregate(&column.name)) {
        return true;
    }
    let kind = |expr: &Expr| aggregate_index(expr).and_then(|index| aggregates.get(index)).map(|a| &a.kind);
    let grows = |expr: &Expr| matches!(kind(expr), Some(Count | CountDistinct | Greatest));
    let shrinks = |expr: &Expr| matches!(kind(expr), Some(Least));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => lasting(left, aggregates) && lasting(right, aggregates),
            Operator::Gt | Operator::GtEq => (grows(left) && is_literal(right)) || (is_literal(left) && shrinks(right)),
            Operator::Lt | Operator::LtEq => (shrinks(left) && is_literal(right)) || (is_literal(left) && grows(right)),
            _ => false,
        },
        Expr::Alias(alias) => lasting(&alias.expr, aggregates),
        _ => kind(expr) == Some(&Any),
    }
}

/// Whether a column of post-expressions is an aggregate.
pub fn is_aggregate(name: &str) -> bool {
    name.starts_with("__aggregate_")
}

/// Which aggregate a column of post-expressions is, if it is one.
pub fn aggregate_index(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Column(column) => column.name.strip_prefix("__aggregate_")?.parse().ok(),
        _ => None,
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(..))
}

fn literal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        _ => None,
    }
}
