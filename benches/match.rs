//! All WHERE clauses of the match detectors that ship, over decoded batches: the matcher, and DataFusion's expressions
//! one detector after the other.

#![expect(missing_docs, reason = "criterion's macro makes a function without a word")]

mod common;

use std::hint::black_box;
use std::path::Path;

use arrow::array::RecordBatch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watchfire_engine::detect::expression::{Conjunction, schema, schema_of};
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, compile, language};
use watchfire_record::Stream;

const RECORDS: u64 = 10_000;

/// Those that ship and read CloudTrail, record by record.
fn shipped() -> Vec<Detector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../queries");
    let files = language::load(&[folder]).expect("they can be read");
    let (detectors, _) = compile::compile_all(&Planner::new(&Stream::built_ins()), &files);
    detectors.into_iter().filter(|d| d.info.stream == "cloudtrail" && !d.stateful()).collect()
}

fn matching(c: &mut Criterion) {
    let mut prepared = common::Prepared::new(RECORDS, shipped());
    let fields = schema(schema_of(&prepared.detectors.available));
    let clause = |detector: &Detector| Conjunction::compile(&detector.plan.predicates, &fields).expect("they fit");
    let clauses: Vec<Conjunction> = prepared.detectors.detectors.iter().map(clause).collect();
    let tables: Vec<RecordBatch> = prepared.batches.iter().map(|batch| prepared.table(batch)).collect();
    let mut group = c.benchmark_group("match");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("matcher", |b| {
        b.iter(|| {
            prepared.batches.iter().for_each(|batch| _ = black_box(prepared.judge.select(batch)));
        });
    });
    group.bench_function("datafusion", |b| {
        let one = |table: &RecordBatch| clauses.iter().map(|clause| clause.rows(table).len()).sum::<usize>();
        b.iter(|| tables.iter().map(one).sum::<usize>());
    });
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = matching }
criterion_main!(benches);
