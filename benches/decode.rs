//! Decoding payloads to the columns that a window over all records reads: SIMD JSON, and `serde_json` in the obvious way.

#![expect(missing_docs, reason = "criterion's macro makes a function without a word")]

mod common;

use std::hint::black_box;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
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

fn obviously(raw: &RawBatch) -> RecordBatch {
    let mut builders = COLUMNS.map(|_| StringBuilder::new());
    for payload in &raw.payloads {
        let record: Value = serde_json::from_slice(raw.payload_bytes(payload)).expect("the simulator writes JSON");
        for (builder, (_, path)) in builders.iter_mut().zip(COLUMNS) {
            builder.append_option(record.pointer(path).and_then(Value::as_str));
        }
    }
    let column = |(mut builder, (name, _)): (StringBuilder, (&str, &str))| {
        (name.to_owned(), std::sync::Arc::new(builder.finish()) as ArrayRef)
    };
    RecordBatch::try_from_iter(builders.into_iter().zip(COLUMNS).map(column)).expect("columns are of one length")
}

fn decode(c: &mut Criterion) {
    let batches = common::raw_batches(RECORDS);
    let request = |(name, _): (&str, &str)| ColumnRequest {
        source: ColumnSource::Column(name.to_owned()),
        column_type: ColumnType::Text,
    };
    let stream = Stream::cloudtrail();
    let mut decoder = Decoder::new(&stream, 0, COLUMNS.into_iter().map(request).collect());
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(common::bytes(&batches)));
    group.bench_function("simd", |b| {
        b.iter_batched(
            || batches.clone(),
            |batches| batches.into_iter().map(|raw| decoder.decode(raw).rows.len()).sum::<usize>(),
            criterion::BatchSize::LargeInput,
        );
    });
    group.bench_function("serde_json", |b| {
        b.iter(|| batches.iter().map(|raw| black_box(obviously(raw)).num_rows()).sum::<usize>());
    });
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = decode }
criterion_main!(benches);
