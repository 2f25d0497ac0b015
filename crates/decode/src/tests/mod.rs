//! Tests of the crate as a whole.

mod agreement;
mod columns;
mod envelopes;
mod hostile;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use watchfire_record::json::PathStep;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Batch, ColumnRequest, ColumnSource, ColumnType, Partition, RawBatch, Stream};

use crate::Decoder;
use crate::slow::Cell;

/// The broker's timestamp of all payloads here, microseconds.
const TIMESTAMP: i64 = 1_800_000_000_000_000;

fn partition() -> Arc<Partition> {
    Arc::new(Partition { topic: "logs".into(), number: 3 })
}

fn column(stream: &Stream, name: &str) -> ColumnRequest {
    let column_type = stream.column_type(name).unwrap();
    ColumnRequest { source: ColumnSource::Column(name.into()), column_type }
}

fn path(column: &str, keys: &[&str]) -> ColumnRequest {
    let steps = keys.iter().map(|key| PathStep::Key((*key).into())).collect();
    ColumnRequest { source: ColumnSource::Path(column.into(), steps), column_type: ColumnType::Text }
}

/// All columns of a stream but those that are known only after stamping.
fn all_columns(stream: &Stream) -> Vec<ColumnRequest> {
    let names = stream.all_columns().map(|(name, _)| name).filter(|name| !name.starts_with('_'));
    names.map(|name| column(stream, name)).collect()
}

fn raw(payloads: &[&[u8]]) -> RawBatch {
    let mut raw = RawBatch { sequence: 7, ..RawBatch::default() };
    for (n, payload) in payloads.iter().enumerate() {
        raw.push(&partition(), 100 + n as i64, TIMESTAMP, PayloadKind::Value, payload);
    }
    raw
}

/// Decodes payloads, and holds what is true of every batch.
fn decode_all(decoder: &mut Decoder, raw: RawBatch) -> Batch {
    let payloads = raw.payloads.len() as u64;
    let batch = decoder.decode(raw);
    assert!(batch.consumed() >= payloads, "each payload counts at least once");
    for column in &batch.columns {
        assert_eq!(column.to_array().len(), batch.rows.len());
    }
    batch
}

fn decode(stream: &Stream, columns: Vec<ColumnRequest>, payloads: &[&[u8]]) -> Batch {
    decode_all(&mut Decoder::new(stream, 0, columns), raw(payloads))
}

fn cell(array: &ArrayRef, row: usize) -> Cell {
    let any = array.as_any();
    if array.is_null(row) {
        Cell::Null
    } else if let Some(array) = any.downcast_ref::<StringArray>() {
        Cell::Text(array.value(row).into())
    } else if let Some(array) = any.downcast_ref::<Int64Array>() {
        Cell::Integer(array.value(row))
    } else if let Some(array) = any.downcast_ref::<Float64Array>() {
        Cell::Float(array.value(row))
    } else if let Some(array) = any.downcast_ref::<BooleanArray>() {
        Cell::Boolean(array.value(row))
    } else {
        Cell::Time(any.downcast_ref::<TimestampMicrosecondArray>().unwrap().value(row))
    }
}

fn cells(batch: &Batch, column: usize) -> Vec<Cell> {
    let array = batch.columns[column].to_array();
    (0..array.len()).map(|row| cell(&array, row)).collect()
}

fn some(text: &str) -> Cell {
    Cell::Text(text.into())
}

/// One column of one record.
fn value(stream: &Stream, name: &str, record: &str) -> Cell {
    let batch = decode(stream, vec![column(stream, name)], &[record.as_bytes()]);
    assert_eq!(batch.rows.len(), 1, "{record}: {:?} {:?}", batch.rejects, batch.skipped);
    cells(&batch, 0).remove(0)
}

fn reasons(batch: &Batch) -> Vec<&'static str> {
    batch.rejects.iter().map(|reject| reject.reason).collect()
}
