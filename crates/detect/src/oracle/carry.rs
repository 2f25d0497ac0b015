//! Plans that carry along which records each row stands for.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use datafusion::common::{Column, Result, plan_err};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union};

use super::tables;
use crate::plan::functions::{HOP_COLUMN, TUMBLE};
use crate::plan::look_up::table_of;

/// How the columns are called that hold which record of which input a row stands for.
pub const ROW: &str = "__row_";

/// Which input a row's record is of, and its number there, from 0.
pub fn place(carried: i64) -> (usize, usize) {
    let number = |bits: i64| usize::try_from(bits).expect("it is an input's number, or a record's");
    (number(carried >> 32), number(carried & 0xffff_ffff))
}

/// The detector's plan over these records, those of each input. Besides its own columns it returns one for each record that
/// a row stands for (see [`place`]), or, with a GROUP BY, the group's columns.
///
/// # Errors
/// If DataFusion refuses the changed plan.
pub fn plan(logical: &LogicalPlan, records: &[RecordBatch]) -> Result<LogicalPlan> {
    rebuild(logical, &mut records.iter().enumerate())
}

/// The inputs that are left to be put in, in the order of the scans.
type Inputs<'a> = std::iter::Enumerate<std::slice::Iter<'a, RecordBatch>>;

/// What lies below the plan's operator over one input, over these records: the rows that pass the WHERE. Of its columns
/// [`rows`] gives the records' numbers.
///
/// # Errors
/// If DataFusion refuses the changed plan.
pub fn below(logical: &LogicalPlan, records: &RecordBatch) -> Result<LogicalPlan> {
    let mut node = logical;
    let mut lowest = None;
    loop {
        if matches!(node, LogicalPlan::Window(_) | LogicalPlan::Aggregate(_)) {
            lowest = node.inputs().first().copied();
        }
        match node.inputs().first() {
            Some(input) => node = input,
            None => break,
        }
    }
    rebuild(lowest.unwrap_or(logical), &mut std::slice::from_ref(records).iter().enumerate())
}

/// The numbers of the records in a result of what [`below`] gives.
pub fn rows(batch: &RecordBatch) -> &[i64] {
    let rows = batch.column_by_name("__row_0").expect("the plan carries it");
    rows.as_primitive::<Int64Type>().values()
}

/// Which of the group's columns is the window's start.
#[must_use]
pub fn window_column(logical: &LogicalPlan) -> usize {
    match logical {
        LogicalPlan::Aggregate(node) => {
            let is_window = |expr: &Expr| match expr {
                Expr::ScalarFunction(call) => call.func.name() == TUMBLE,
                Expr::Column(column) => column.name == HOP_COLUMN,
                _ => false,
            };
            node.group_expr.iter().position(is_window).unwrap_or(0)
        }
        other => other.inputs().first().map_or(0, |input| window_column(input)),
    }
}

fn rebuild(plan: &LogicalPlan, records: &mut Inputs<'_>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::TableScan(scan) if table_of(plan).is_some() => tables::scan(scan, plan),
        LogicalPlan::TableScan(scan) => {
            let Some((input, table)) = records.next() else { return plan_err!("the plan reads more than it says") };
            let table = numbered(input, table)?;
            let source = provider_as_source(Arc::new(MemTable::try_new(table.schema(), vec![vec![table]])?));
            LogicalPlanBuilder::scan(scan.table_name.clone(), source, None)?.build()
        }
        LogicalPlan::SubqueryAlias(alias) => {
            LogicalPlanBuilder::from(rebuild(&alias.input, records)?).alias(alias.alias.clone())?.build()
        }
        LogicalPlan::Filter(filter) => {
            LogicalPlanBuilder::from(rebuild(&filter.input, records)?).filter(filter.predicate.clone())?.build()
        }
        LogicalPlan::Projection(projection) => {
            let input = rebuild(&projection.input, records)?;
            let carried = carried(&input, &projection.expr);
            let exprs = projection.expr.iter().cloned().chain(carried);
            LogicalPlanBuilder::from(input).project(exprs)?.build()
        }
        LogicalPlan::Window(node) => {
            LogicalPlanBuilder::from(rebuild(&node.input, records)?).window(node.window_expr.clone())?.build()
        }
        LogicalPlan::Aggregate(node) => {
            let input = rebuild(&node.input, records)?;
            LogicalPlanBuilder::from(input).aggregate(node.group_expr.clone(), node.aggr_expr.clone())?.build()
        }
        LogicalPlan::Unnest(unnest) => {
            let input = LogicalPlanBuilder::from(rebuild(&unnest.input, records)?);
            input.unnest_columns_with_options(unnest.exec_columns.clone(), unnest.options.clone())?.build()
        }
        LogicalPlan::Join(join) if tables::joined(join) => {
            let (left, right) = (rebuild(&join.left, records)?, rebuild(&join.right, records)?);
            tables::join(join, left, right)
        }
        LogicalPlan::Join(join) => {
            let (left, right) = (rebuild(&join.left, records)?, rebuild(&join.right, records)?);
            let equal = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
            let asked: Vec<Expr> = equal.chain(join.filter.clone()).collect();
            LogicalPlanBuilder::from(left).join_on(right, join.join_type, asked)?.build()
        }
        LogicalPlan::Union(union) => {
            let mut branches = Vec::new();
            for branch in &union.inputs {
                branches.push(Arc::new(rebuild(branch, records)?));
            }
            Ok(LogicalPlan::Union(Union::try_new_with_loose_types(branches)?))
        }
        other => plan_err!("the oracle does not know {}", other.display()),
    }
}

/// The columns of `input` that a projection passes on besides its own.
fn carried(input: &LogicalPlan, own: &[Expr]) -> Vec<Expr> {
    let columns: Vec<Column> = input.schema().columns();
    if let Some(groups) = group_columns(input) {
        let alias = |(index, column): (usize, Column)| Expr::Column(column).alias(format!("__group_{index}"));
        return groups.into_iter().enumerate().map(alias).collect();
    }
    let prefixes = [ROW, "__group_", tables::TIME, tables::VALID];
    let is_carried = |column: &&Column| prefixes.iter().any(|prefix| column.name.starts_with(prefix));
    let has = |column: &Column| own.iter().any(|expr| matches!(expr, Expr::Column(c) if c.name == column.name));
    columns.iter().filter(is_carried).filter(|c| !has(c)).map(|c| Expr::Column(c.clone())).collect()
}

/// The group's columns if only filters lie between `plan` and its aggregate.
fn group_columns(plan: &LogicalPlan) -> Option<Vec<Column>> {
    match plan {
        LogicalPlan::Aggregate(node) => Some(node.schema.columns().into_iter().take(node.group_expr.len()).collect()),
        LogicalPlan::Filter(filter) => group_columns(&filter.input),
        _ => None,
    }
}

fn numbered(input: usize, records: &RecordBatch) -> Result<RecordBatch> {
    let first = i64::try_from(input).expect("inputs are few") << 32;
    let rows = first + i64::try_from(records.num_rows()).expect("records are fewer than 2^32");
    let mut fields: Vec<_> = records.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(format!("{ROW}{input}"), DataType::Int64, false)));
    let mut columns = records.columns().to_vec();
    columns.push(Arc::new(Int64Array::from_iter_values(first..rows)) as ArrayRef);
    let times = records.column_by_name("event_time").expect("every stream has it");
    let times = times.as_primitive::<TimestampMicrosecondType>().reinterpret_cast::<Int64Type>();
    fields.push(Arc::new(Field::new(format!("{}{input}", tables::TIME), DataType::Int64, false)));
    columns.push(Arc::new(times));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
