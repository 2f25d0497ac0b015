//! What a look-up means at rest: a join with the table's rows that hold at the record's time.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, JoinType, Result, plan_err};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder, TableScan};
use watchfire_record::{ColumnRequest, ColumnSource, LookUpSource, Value};

use super::{table, times};
use crate::expression::Expression;
use crate::plan::LookUp;
use crate::plan::flatten::flatten;
use crate::plan::look_up::table_of;
use crate::value::value_at;

/// How the columns are called that hold the event time of a row's record.
pub const TIME: &str = "__time_";
/// How the columns are called that hold when a row of a table holds.
pub const VALID: &str = "__valid_";

/// Whether a side of a join is a table.
pub fn joined(join: &Join) -> bool {
    let is_table = |plan: &LogicalPlan| flatten(plan).is_ok_and(|flat| table_of(flat.base).is_some());
    is_table(&join.left) || is_table(&join.right)
}

/// A table's rows, each with the times between which it holds.
///
/// # Errors
/// If DataFusion refuses them.
pub fn scan(scan: &TableScan, plan: &LogicalPlan) -> Result<LogicalPlan> {
    let Some(table) = table_of(plan) else { return plan_err!("no table") };
    let rows = table.rows();
    let mut fields: Vec<Field> = table.definition().schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut columns: Vec<ArrayRef> = (0..fields.len()).map(|place| Arc::clone(rows.column(place))).collect();
    for (name, pick) in [("from", 0), ("to", 1)] {
        fields.push(Field::new(format!("{VALID}{name}"), DataType::Int64, false));
        let ends = (0..rows.len()).map(|row| if pick == 0 { rows.valid(row).0 } else { rows.valid(row).1 });
        columns.push(Arc::new(Int64Array::from_iter_values(ends)));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let source = provider_as_source(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?));
    LogicalPlanBuilder::scan(scan.table_name.clone(), source, None)?.build()
}

/// The join of these sides at the records' time.
///
/// # Errors
/// If DataFusion refuses it.
pub fn join(join: &Join, left: LogicalPlan, right: LogicalPlan) -> Result<LogicalPlan> {
    let equal = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let mut asked: Vec<Expr> = equal.chain(join.filter.clone()).collect();
    let time = time_of(&asked, &left, &right)?;
    if join.null_aware {
        // What is neither equal nor different, because of a NULL, is in no list and out of none.
        asked = asked.into_iter().map(|expr| Expr::IsNotFalse(Box::new(expr))).collect();
    }
    let end = |name: &str| column_of(&left, &right, |column| column.name == format!("{VALID}{name}"));
    asked.push(end("from")?.lt_eq(time.clone()));
    asked.push(time.lt(end("to")?));
    let whole = LogicalPlanBuilder::from(left).join_on(right, join.join_type, asked)?.build()?;
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return Ok(whole);
    }
    let kept = whole.schema().columns().into_iter().filter(|column| !column.name.starts_with(VALID));
    let kept: Vec<Expr> = kept.map(Expr::Column).collect();
    LogicalPlanBuilder::from(whole).project(kept)?.build()
}

fn column_of(left: &LogicalPlan, right: &LogicalPlan, wanted: impl Fn(&Column) -> bool) -> Result<Expr> {
    match left.schema().columns().into_iter().chain(right.schema().columns()).find(|column| wanted(column)) {
        Some(column) => Ok(Expr::Column(column)),
        None => plan_err!("a column is not carried along"),
    }
}

/// The event time of the record that a join looks up for: of two records, that which the condition reads.
fn time_of(asked: &[Expr], left: &LogicalPlan, right: &LogicalPlan) -> Result<Expr> {
    let read: Vec<&Column> = asked.iter().flat_map(Expr::column_refs).collect();
    let columns = left.schema().columns().into_iter().chain(right.schema().columns());
    let times: Vec<Column> = columns.filter(|column| column.name.starts_with(TIME)).collect();
    if let [one] = times.as_slice() {
        return Ok(Expr::Column(one.clone()));
    }
    match times.iter().find(|time| read.iter().any(|column| column.relation == time.relation)) {
        Some(time) => Ok(Expr::Column(time.clone())),
        None => plan_err!("which record is looked up for?"),
    }
}

/// The slow twin of what a worker looks up: each row of the table is tried for each record.
pub fn looked_up(records: &RecordBatch, request: &ColumnRequest, look_ups: &[LookUp]) -> ArrayRef {
    let ColumnSource::LookUp(source) = &request.source else { unreachable!("it is asked of tables alone") };
    let look_up = look_ups.iter().find(|look_up| look_up.name == source.look_up()).expect("the input has it");
    let (rows, definition) = (look_up.table.rows(), look_up.table.definition());
    let read = table(records, &look_up.key_columns, look_ups);
    let key = |expr| Expression::compile(expr, &read.schema()).expect("planning made it fit").evaluate(&read);
    let keys: Vec<ArrayRef> = look_up.keys.iter().map(key).collect();
    let places: Vec<usize> = definition.key.iter().filter_map(|name| definition.place(name)).collect();
    let holds = |row: usize, time: i64| rows.valid(row).0 <= time && time < rows.valid(row).1;
    let equals = |row: usize, record: usize| {
        places.iter().zip(&keys).all(|(place, key)| {
            let key = value_at(key, record);
            key != Value::Null && key == value_at(rows.column(*place), row)
        })
    };
    let times = times(records).values().to_vec();
    let found = |(record, time): (usize, &i64)| (0..rows.len()).find(|row| holds(*row, *time) && equals(*row, record));
    let found: Vec<Option<usize>> = times.iter().enumerate().map(found).collect();
    let said = |is_so: &mut dyn Iterator<Item = bool>| -> ArrayRef {
        Arc::new(is_so.map(|is_so| is_so.then_some("y")).collect::<StringArray>())
    };
    match source {
        LookUpSource::Found(_) => said(&mut found.iter().map(Option::is_some)),
        LookUpSource::Any(_) => said(&mut times.iter().map(|time| (0..rows.len()).any(|row| holds(row, *time)))),
        LookUpSource::Column(_, name) => {
            let place = definition.place(name).expect("planning found it there");
            let found: UInt32Array = found.iter().map(|row| row.and_then(|row| u32::try_from(row).ok())).collect();
            arrow::compute::take(rows.column(place), &found, None).expect("the rows are the table's")
        }
    }
}
