//! The meaning of a detector: its SQL, run by DataFusion over all records that count, at rest.
//!
//! Slow and obvious on purpose. It shares with the operators the parsing of the text and the identity of findings, and
//! nothing of how rows are matched, kept or counted.

mod carry;
mod tables;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Int64Type, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use watchfire_record::{ColumnRequest, ColumnSource, FindingId, Stream, Value, json};

use crate::detector::{Detector, identity_names};
use crate::expression::{Conjunction, Expression, record_batch, schema, schema_of};
use crate::operators::post::first_seen;
use crate::plan::{Input, LookUp, Operator, Sequence, key_column};
use crate::value::{Subject, finding_id, match_operator, value_at};

/// A row that the SQL returns.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleFinding {
    /// Its identity.
    pub finding_id: FindingId,
    /// Start of its window or range, microseconds.
    pub window: Option<i64>,
    /// End of its window or range, microseconds.
    pub window_end: Option<i64>,
    /// Its keys.
    pub keys: Vec<(String, Value)>,
    /// The row.
    pub row: Vec<(String, Value)>,
}

/// One stream's records at rest.
#[derive(Debug, Clone)]
pub struct AtRest {
    /// All processed records, with the stream's columns and the system's, one row a record in the order of intake.
    pub processed: RecordBatch,
    /// Which of them count for detectors with state.
    pub accepted: Vec<bool>,
}

/// The findings of a detector over records at rest, in order of id. `streams` are those that it was planned with, and
/// `records` those of each.
///
/// # Errors
/// If DataFusion cannot run the plan.
pub async fn findings(detector: &Detector, streams: &[Stream], records: &[AtRest]) -> Result<Vec<OracleFinding>> {
    let mut inputs = Vec::new();
    for part in detector.by_input() {
        let stream = part.reads().stream;
        let AtRest { processed, accepted } = &records[stream];
        inputs.push(if detector.stateful() {
            let accepted = arrow::compute::filter_record_batch(processed, &BooleanArray::from(accepted.clone()))?;
            without_copies(&part, &streams[stream], &accepted).await?
        } else {
            processed.clone()
        });
    }
    let found = run(carry::plan(&detector.plan.logical, &inputs)?).await?;
    let mut findings = Vec::new();
    for batch in found {
        findings.extend(named(detector, streams, &inputs, &batch)?);
    }
    let silent_until = silent_until(detector, &records[detector.reads().stream]);
    findings.retain(|(_, time, _)| *time >= silent_until);
    Ok(one_an_id(findings))
}

/// Where plans run as they stand: without the optimizer's rules, one of which cannot take a window's expression under two
/// names (`push_down_filter` of DataFusion 55). One for all, as it takes longer to make than a plan to run.
static SESSION: LazyLock<SessionContext> = LazyLock::new(|| {
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(1))
        .with_default_features()
        .with_optimizer_rules(Vec::new())
        .build();
    SessionContext::new_with_state(state)
});

async fn run(plan: datafusion::logical_expr::LogicalPlan) -> Result<Vec<RecordBatch>> {
    SESSION.execute_logical_plan(plan).await?.collect().await
}

/// The records without those that are copies of one that passed the WHERE before them.
async fn without_copies(detector: &Detector, stream: &Stream, accepted: &RecordBatch) -> Result<RecordBatch> {
    if stream.identity.is_empty() {
        return Ok(accepted.clone());
    }
    let mut keep = vec![false; accepted.num_rows()];
    let mut seen = HashSet::new();
    for row in passing(detector, accepted).await? {
        let identity: Vec<String> = identity(stream, accepted, row).iter().map(|value| format!("{value:?}")).collect();
        keep[row] = seen.insert(identity);
    }
    Ok(arrow::compute::filter_record_batch(accepted, &BooleanArray::from(keep))?)
}

/// The records, in the order of intake, that pass the WHERE, or a sequence's conditions on this side alone.
async fn passing(detector: &Detector, accepted: &RecordBatch) -> Result<Vec<usize>> {
    if let Operator::Sequence(_) = &detector.plan.operator {
        let input = detector.reads();
        let table = table(accepted, &input.predicate_columns, &input.look_ups);
        let passing = Conjunction::compile(&input.predicates, &table.schema())?.rows(&table);
        return Ok(passing.into_iter().map(|row| row as usize).collect());
    }
    let mut passing = Vec::new();
    for batch in run(carry::below(&detector.plan.logical, accepted)?).await? {
        passing.extend(carry::rows(&batch).iter().map(|row| carry::place(*row).1));
    }
    passing.sort_unstable();
    // Hopping windows have a row more than once.
    passing.dedup();
    Ok(passing)
}

fn identity(stream: &Stream, records: &RecordBatch, row: usize) -> Vec<Value> {
    let column = |name: &String| records.column_by_name(name).expect("identity columns are the stream's");
    identity_names(stream).iter().map(|name| value_at(column(name), row)).collect()
}

/// Until when a detector that learns is silent.
fn silent_until(detector: &Detector, records: &AtRest) -> i64 {
    let accepted = times(&records.processed).values().iter().zip(&records.accepted);
    let earliest = accepted.filter(|(_, accepted)| **accepted).map(|(time, _)| *time).min();
    if detector.learn == 0 { i64::MIN } else { earliest.unwrap_or(i64::MAX).saturating_add(detector.learn) }
}

fn times(records: &RecordBatch) -> &TimestampMicrosecondArray {
    records.column_by_name("event_time").expect("every stream has it").as_primitive::<TimestampMicrosecondType>()
}

/// One finding with the event id, number and input of its record, for choosing among those with one id, and its row's time.
type Found = ((String, usize, usize), i64, OracleFinding);

/// The rows of a result, named as findings are.
fn named(detector: &Detector, streams: &[Stream], inputs: &[RecordBatch], batch: &RecordBatch) -> Result<Vec<Found>> {
    let outputs = detector.plan.outputs.len();
    let row_at = |row: usize| -> Vec<(String, Value)> {
        let columns = detector.plan.outputs.iter().zip(batch.columns());
        columns.map(|((name, _), array)| (name.clone(), value_at(array, row))).collect()
    };
    let carried: Vec<ArrayRef> = batch.columns()[outputs..]
        .iter()
        .zip(&batch.schema().fields()[outputs..])
        .filter(|(_, field)| !field.name().starts_with(tables::TIME))
        .map(|(column, _)| Arc::clone(column))
        .collect();
    let carried = carried.as_slice();
    let records_of = |row: usize| -> Vec<(usize, usize)> {
        carried.iter().map(|column| carry::place(column.as_primitive::<Int64Type>().value(row))).collect()
    };
    let rows = 0..batch.num_rows();
    Ok(match &detector.plan.operator {
        Operator::Window { size, .. } => {
            rows.map(|row| of_window(detector, *size, carried, row, row_at(row))).collect()
        }
        Operator::OverWindows { windows, .. } => {
            let found = |row| of_window_row(detector, windows.size, carried, row, row_at(row));
            rows.map(found).collect::<Result<_>>()?
        }
        Operator::Match => {
            let joined = detector.plan.inputs.iter().zip(inputs).map(|(input, records)| joined(input, records));
            let joined = joined.collect::<Result<Vec<_>>>()?;
            let one = |row: usize| of_match(detector, streams, (inputs, &joined), records_of(row)[0], row_at(row));
            rows.map(one).collect()
        }
        Operator::OverRange { aggregates } => {
            let (keys, reach) = (keys(detector, &inputs[0])?, aggregates.iter().map(|a| a.frame.0).max());
            let first_seen = first_seen(&detector.plan.having, aggregates);
            let stream = &streams[detector.reads().stream];
            let finding = |row: usize| {
                let record = records_of(row)[0].1;
                let (keys, values) = at(&keys, record);
                let identity = identity(stream, &inputs[0], record);
                let time = times(&inputs[0]).value(record);
                let subject = if first_seen { Subject::FirstSeen(time) } else { Subject::Record(&identity) };
                let finding_id = finding_id(&detector.info.name, "over range", reach.unwrap_or(0), &values, subject);
                let window = reach.map(|reach| time.saturating_sub(reach));
                let finding = OracleFinding { finding_id, window, window_end: Some(time), keys, row: row_at(row) };
                ((event_id(&inputs[0], record), record, 0), time, finding)
            };
            rows.map(finding).collect()
        }
        Operator::Sequence(sequence) => {
            let keys = keys(detector, &inputs[0])?;
            let finding =
                |row: usize| of_sequence(detector, sequence, streams, inputs, &keys, &records_of(row), row_at(row));
            rows.map(finding).collect()
        }
    })
}

fn of_window(detector: &Detector, size: i64, groups: &[ArrayRef], row: usize, found: Vec<(String, Value)>) -> Found {
    let window = carry::window_column(&detector.plan.logical);
    let start = groups[window].as_primitive::<TimestampMicrosecondType>().value(row);
    let keys = groups.iter().enumerate().filter(|(index, _)| *index != window).map(|(_, a)| value_at(a, row));
    let keys: Vec<Value> = keys.collect();
    let finding_id = finding_id(&detector.info.name, "window", size, &keys, Subject::Window(start));
    let keys = detector.plan.keys.iter().map(|(name, _)| name.clone()).zip(keys).collect();
    let window_end = Some(start.saturating_add(size));
    ((String::new(), 0, 0), start, OracleFinding { finding_id, window: Some(start), window_end, keys, row: found })
}

/// A window's row that a range has looked at, by its group's columns.
fn of_window_row(
    detector: &Detector,
    size: i64,
    groups: &[ArrayRef],
    row: usize,
    found: Vec<(String, Value)>,
) -> Result<Found> {
    let window = carry::window_column(&detector.plan.logical);
    let start = groups[window].as_primitive::<TimestampMicrosecondType>().value(row);
    let of_key = groups.iter().enumerate().filter(|(index, _)| *index != window);
    let of_key: Vec<ArrayRef> = of_key.map(|(_, array)| array.slice(row, 1)).collect();
    let group: Vec<Value> = of_key.iter().map(|array| value_at(array, 0)).collect();
    let field = |(index, array): (usize, &ArrayRef)| Field::new(key_column(index), array.data_type().clone(), true);
    let table = record_batch(&schema(of_key.iter().enumerate().map(field).collect()), of_key.clone(), 1);
    let key = |(name, expr): &(String, _)| {
        Ok((name.clone(), value_at(&Expression::compile(expr, &table.schema())?.evaluate(&table), 0)))
    };
    let keys: Vec<(String, Value)> = detector.plan.keys.iter().map(key).collect::<Result<_>>()?;
    let values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
    let finding_id =
        finding_id(&detector.info.name, "over windows", size, &values, Subject::KeyedWindow(start, &group));
    let window_end = Some(start.saturating_add(size));
    let finding = OracleFinding { finding_id, window: Some(start), window_end, keys, row: found };
    Ok(((String::new(), 0, 0), start, finding))
}

fn of_match(
    detector: &Detector,
    streams: &[Stream],
    (inputs, joined): (&[RecordBatch], &[Vec<ArrayRef>]),
    (input, record): (usize, usize),
    found: Vec<(String, Value)>,
) -> Found {
    let named = |key: &String| found.iter().find(|(name, _)| name == key).cloned();
    let keys: Vec<(String, Value)> = detector.key.iter().filter_map(named).collect();
    let looked_up = joined[input].iter().map(|array| value_at(array, record));
    let values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).chain(looked_up).collect();
    let identity = identity(&streams[detector.plan.inputs[input].stream], &inputs[input], record);
    let branch = i64::try_from(input).expect("branches are few");
    let operator = match_operator(&joined[input]);
    let finding_id = finding_id(&detector.info.name, operator, branch, &values, Subject::Record(&identity));
    let finding = OracleFinding { finding_id, window: None, window_end: None, keys, row: found };
    ((event_id(&inputs[input], record), record, input), times(&inputs[input]).value(record), finding)
}

/// The keys by which rows of tables are joined to the records of an input.
fn joined(input: &Input, records: &RecordBatch) -> Result<Vec<ArrayRef>> {
    if input.joined.is_empty() {
        return Ok(Vec::new());
    }
    let table = table(records, &input.row_columns, &input.look_ups);
    input.joined.iter().map(|expr| Ok(Expression::compile(expr, &table.schema())?.evaluate(&table))).collect()
}

fn of_sequence(
    detector: &Detector,
    sequence: &Sequence,
    streams: &[Stream],
    inputs: &[RecordBatch],
    keys: &[(String, ArrayRef)],
    records: &[(usize, usize)],
    found: Vec<(String, Value)>,
) -> Found {
    let (keys, values) = at(keys, records[0].1);
    let of = |(input, record): &(usize, usize)| {
        let stream = &streams[detector.plan.inputs[*input].stream];
        (identity(stream, &inputs[*input], *record), times(&inputs[*input]).value(*record))
    };
    let records: Vec<(Vec<Value>, i64)> = records.iter().map(of).collect();
    let identities: Vec<&[Value]> = records.iter().map(|(identity, _)| identity.as_slice()).collect();
    let finding_id = finding_id(&detector.info.name, "sequence", 0, &values, Subject::Records(&identities));
    let (window, end) = sequence.window(records[0].1, records.get(1).map(|(_, time)| *time));
    let finding = OracleFinding { finding_id, window: Some(window), window_end: Some(end), keys, row: found };
    ((String::new(), 0, 0), window, finding)
}

fn event_id(records: &RecordBatch, row: usize) -> String {
    value_at(records.column_by_name("event_id").expect("every stream has it"), row).to_string()
}

/// Keys with their values in a row, and the values alone.
fn at(keys: &[(String, ArrayRef)], row: usize) -> (Vec<(String, Value)>, Vec<Value>) {
    let values: Vec<Value> = keys.iter().map(|(_, array)| value_at(array, row)).collect();
    (keys.iter().map(|(name, _)| name.clone()).zip(values.clone()).collect(), values)
}

/// The detector's keys for all records of its first input.
fn keys(detector: &Detector, records: &RecordBatch) -> Result<Vec<(String, ArrayRef)>> {
    let input = &detector.plan.inputs[0];
    let table = table(records, &input.row_columns, &input.look_ups);
    let key = |((name, _), (_, expr)): (&(String, _), &(String, _))| {
        Ok((name.clone(), Expression::compile(expr, &table.schema())?.evaluate(&table)))
    };
    detector.plan.keys.iter().zip(&input.keys).map(key).collect()
}

/// These columns of records, of which some may be what tables have for them.
fn table(records: &RecordBatch, requests: &[ColumnRequest], look_ups: &[LookUp]) -> RecordBatch {
    let arrays = requests.iter().map(|request| column(records, request, look_ups)).collect();
    record_batch(&schema(schema_of(requests)), arrays, records.num_rows())
}

/// A requested column of records at rest; a path is followed, and a table searched, record by record.
#[must_use]
pub fn column(records: &RecordBatch, request: &ColumnRequest, look_ups: &[LookUp]) -> ArrayRef {
    match &request.source {
        ColumnSource::Column(name) => Arc::clone(records.column_by_name(name).expect("the records have all columns")),
        ColumnSource::Path(name, path) => {
            let json = records.column_by_name(name).expect("the records have all columns").as_string::<i32>();
            let texts = json.iter().map(|text| json::text_at(text?, path));
            Arc::new(texts.collect::<StringArray>())
        }
        ColumnSource::LookUp(_) => tables::looked_up(records, request, look_ups),
    }
}

/// Rows with one id are one finding: that of the least event id, and of the first taken in among equals.
fn one_an_id(findings: Vec<Found>) -> Vec<OracleFinding> {
    let mut best: HashMap<FindingId, ((String, usize, usize), OracleFinding)> = HashMap::new();
    for (record, _, finding) in findings {
        match best.get(&finding.finding_id) {
            Some((kept, _)) if *kept <= record => {}
            _ => {
                best.insert(finding.finding_id, (record, finding));
            }
        }
    }
    let mut findings: Vec<OracleFinding> = best.into_values().map(|(_, finding)| finding).collect();
    findings.sort_by_key(|finding| finding.finding_id);
    findings
}
