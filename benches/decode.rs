//! Decoding payloads to the columns that a window over all records reads: SIMD JSON, and `serde_json` in the obvious way.

mod common;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde_json::Value;
use watchfire_engine::decode::Decoder;
use watchfire_record::{ColumnRequest, ColumnSource, ColumnType, RawBatch, Stream};

const RECORDS: u64 = 10_000;
/// Columns, and where they are in a record.
const COLUMNS: [(&str, &str); 5] = [
    ("event_name", "/eventName"),
    ("event_source", "/eventSource"),
    ("source_ip", "/sourceIPAddress"),
    ("error_code", "/errorCode"),
    ("user_arn", "/userIdentity/arn"),
];

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn simd(bencher: Bencher<'_, '_>) {
    let batches = common::raw_batches(RECORDS);
    let request = |(name, _): (&str, &str)| ColumnRequest {
        source: ColumnSource::Column(name.to_owned()),
        column_type: ColumnType::Text,
    };
    let stream = Stream::cloudtrail();
    let mut decoder = Decoder::new(&stream, 0, COLUMNS.into_iter().map(request).collect());
    bencher
        .counter(BytesCount::new(common::bytes(&batches)))
        .with_inputs(|| batches.clone())
        .bench_local_values(|batches| batches.into_iter().map(|raw| decoder.decode(raw).rows.len()).sum::<usize>());
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn serde_json(bencher: Bencher<'_, '_>) {
    let batches = common::raw_batches(RECORDS);
    let all = || batches.iter().map(|raw| black_box(obviously(raw)).num_rows()).sum::<usize>();
    bencher.counter(BytesCount::new(common::bytes(&batches))).bench_local(all);
}

fn obviously(raw: &RawBatch) -> RecordBatch {
    let mut builders = COLUMNS.map(|_| StringBuilder::new());
    for payload in &raw.payloads {
        let record: Value = serde_json::from_slice(raw.payload_bytes(payload)).expect("the simulator writes JSON");
        for (builder, (_, path)) in builders.iter_mut().zip(COLUMNS) {
            builder.append_option(record.pointer(path).and_then(Value::as_str));
        }
    }
    let column = |(mut builder, (name, _)): (StringBuilder, (&str, &str))| {
        (name.to_owned(), Arc::new(builder.finish()) as ArrayRef)
    };
    RecordBatch::try_from_iter(builders.into_iter().zip(COLUMNS).map(column)).expect("columns are of one length")
}
