//! The meaning of a detector: its SQL, run by DataFusion over all records that count, at rest.
//!
//! Slow and obvious on purpose. It shares with the operators the parsing of the text and the identity of findings, and
//! nothing of how rows are matched, kept or counted.

mod carry;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use watchfire_record::{ColumnRequest, ColumnSource, FindingId, Stream, Value, json};

use crate::detector::{Detector, identity_names};
use crate::expression::{Expression, record_batch, schema, schema_of};
use crate::operators::post::{Early, early};
use crate::plan::Operator;
use crate::value::{Subject, finding_id, value_at};

/// A row that the SQL returns.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleFinding {
    /// Its identity.
    pub finding_id: FindingId,
    /// Start of its window or range, microseconds.
    pub window: Option<i64>,
    /// Its keys.
    pub keys: Vec<(String, Value)>,
    /// The row.
    pub row: Vec<(String, Value)>,
}

/// The findings of a detector over records at rest, in order of id. `processed` has the stream's columns and the system's, one row a
/// record in the order of intake; `accepted` says which of them count for detectors with state.
///
/// # Errors
/// If DataFusion cannot run the plan.
pub async fn findings(
    detector: &Detector,
    stream: &Stream,
    processed: &RecordBatch,
    accepted: &[bool],
) -> Result<Vec<OracleFinding>> {
    let records = if detector.stateful() {
        let accepted = arrow::compute::filter_record_batch(processed, &BooleanArray::from(accepted.to_vec()))?;
        without_copies(detector, stream, &accepted).await?
    } else {
        processed.clone()
    };
    let found = run(carry::plan(&detector.plan.logical, &records)?).await?;
    let mut findings = Vec::new();
    for batch in found {
        findings.extend(named(detector, stream, &records, &batch)?);
    }
    let silent_until = silent_until(detector, processed, accepted);
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
    let (mut passing, mut seen) = (Vec::new(), HashSet::new());
    for batch in run(carry::below(&detector.plan.logical, accepted)?).await? {
        passing.extend(rows_of(&batch));
    }
    passing.sort_unstable();
    // Hopping windows have a row more than once.
    passing.dedup();
    for row in passing {
        let identity: Vec<String> = identity(stream, accepted, row).iter().map(|value| format!("{value:?}")).collect();
        keep[row] = seen.insert(identity);
    }
    Ok(arrow::compute::filter_record_batch(accepted, &BooleanArray::from(keep))?)
}

fn rows_of(batch: &RecordBatch) -> Vec<usize> {
    let rows = batch.column_by_name(carry::ROW).expect("the plan carries it");
    rows.as_primitive::<Int64Type>()
        .values()
        .iter()
        .map(|row| usize::try_from(*row).expect("it is a row number"))
        .collect()
}

fn identity(stream: &Stream, records: &RecordBatch, row: usize) -> Vec<Value> {
    let column = |name: &String| records.column_by_name(name).expect("identity columns are the stream's");
    identity_names(stream).iter().map(|name| value_at(column(name), row)).collect()
}

/// Until when a detector that learns is silent.
fn silent_until(detector: &Detector, processed: &RecordBatch, accepted: &[bool]) -> i64 {
    let times = processed.column_by_name("event_time").expect("every stream has it");
    let times = times.as_primitive::<TimestampMicrosecondType>().values().iter();
    let earliest = times.zip(accepted).filter(|(_, accepted)| **accepted).map(|(time, _)| *time).min();
    if detector.learn == 0 { i64::MIN } else { earliest.unwrap_or(i64::MAX).saturating_add(detector.learn) }
}

/// One finding with the event id and number of its record, for choosing among those with one id, and its row's time.
type Found = ((String, usize), i64, OracleFinding);

fn named(detector: &Detector, stream: &Stream, records: &RecordBatch, batch: &RecordBatch) -> Result<Vec<Found>> {
    let outputs = detector.plan.outputs.len();
    let row_at = |row: usize| -> Vec<(String, Value)> {
        let columns = detector.plan.outputs.iter().zip(batch.columns());
        columns.map(|((name, _), array)| (name.clone(), value_at(array, row))).collect()
    };
    let name = &detector.info.name;
    if let Operator::Window { size, .. } = &detector.plan.operator {
        let window = carry::window_column(&detector.plan.logical);
        let groups = &batch.columns()[outputs..];
        let finding = |row: usize| {
            let start = groups[window].as_primitive::<TimestampMicrosecondType>().value(row);
            let keys = groups.iter().enumerate().filter(|(index, _)| *index != window).map(|(_, a)| value_at(a, row));
            let keys: Vec<Value> = keys.collect();
            let finding_id = finding_id(name, "window", *size, &keys, Subject::Window(start));
            let keys = detector.plan.keys.iter().map(|(name, _)| name.clone()).zip(keys).collect();
            ((String::new(), 0), start, OracleFinding { finding_id, window: Some(start), keys, row: row_at(row) })
        };
        return Ok((0..batch.num_rows()).map(finding).collect());
    }
    let keys = keys(detector, records)?;
    let times =
        records.column_by_name("event_time").expect("every stream has it").as_primitive::<TimestampMicrosecondType>();
    let ids = records.column_by_name("event_id").expect("every stream has it").clone();
    let reach = detector.plan.operator.aggregates().iter().map(|a| a.frame.0).max();
    let first_seen = early(&detector.plan.having, detector.plan.operator.aggregates()) == Early::FirstSeen;
    let finding = |(place, row): (usize, usize)| {
        let found = row_at(place);
        let keys: Vec<(String, Value)> = if detector.stateful() {
            keys.iter().map(|(name, array)| (name.clone(), value_at(array, row))).collect()
        } else {
            let named = |key: &String| found.iter().find(|(name, _)| name == key).cloned();
            detector.key.iter().filter_map(named).collect()
        };
        let values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
        let identity = identity(stream, records, row);
        let (time, operator) = (times.value(row), if detector.stateful() { "over range" } else { "match" });
        let subject = if first_seen { Subject::FirstSeen(time) } else { Subject::Record(&identity) };
        let finding_id = finding_id(name, operator, reach.unwrap_or(0), &values, subject);
        let window = reach.map(|reach| time.saturating_sub(reach));
        ((value_at(&ids, row).to_string(), row), time, OracleFinding { finding_id, window, keys, row: found })
    };
    Ok(rows_of(batch).into_iter().enumerate().map(finding).collect())
}

/// The detector's keys for all records.
fn keys(detector: &Detector, records: &RecordBatch) -> Result<Vec<(String, ArrayRef)>> {
    let requests = &detector.plan.row_columns;
    let fields = schema(schema_of(requests));
    let arrays = requests.iter().map(|request| column(records, request)).collect();
    let table = record_batch(&fields, arrays, records.num_rows());
    let key = |(name, expr): &(String, _)| Ok((name.clone(), Expression::compile(expr, &fields)?.evaluate(&table)));
    detector.plan.keys.iter().map(key).collect()
}

/// A requested column of records at rest; a path is looked up record by record.
#[must_use]
pub fn column(records: &RecordBatch, request: &ColumnRequest) -> ArrayRef {
    match &request.source {
        ColumnSource::Column(name) => Arc::clone(records.column_by_name(name).expect("the records have all columns")),
        ColumnSource::Path(name, path) => {
            let json = records.column_by_name(name).expect("the records have all columns").as_string::<i32>();
            let texts = json.iter().map(|text| json::text_at(text?, path));
            Arc::new(texts.collect::<StringArray>())
        }
    }
}

/// Rows with one id are one finding: that of the least event id, and of the first taken in among equals.
fn one_an_id(findings: Vec<Found>) -> Vec<OracleFinding> {
    let mut best: HashMap<FindingId, ((String, usize), OracleFinding)> = HashMap::new();
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
