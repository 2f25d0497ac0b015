//! All WHERE clauses of the match detectors that ship, over decoded batches: the matcher, and DataFusion's expressions
//! one detector after the other.

mod common;

use std::path::Path;

use arrow::array::RecordBatch;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use watchfire_engine::detect::expression::{Conjunction, schema, schema_of};
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, compile, language};
use watchfire_record::Stream;

const RECORDS: u64 = 10_000;

fn main() {
    divan::main();
}

/// Those that ship and read CloudTrail, record by record.
fn shipped() -> Vec<Detector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../queries");
    let files = language::load(&[folder]).expect("they can be read");
    let (detectors, _) = compile::compile_all(&Planner::new(&Stream::built_ins()), &files);
    detectors.into_iter().filter(|d| d.info.stream == "cloudtrail" && !d.stateful()).collect()
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn matcher(bencher: Bencher<'_, '_>) {
    let common::Prepared { batches, mut judge, .. } = common::Prepared::new(RECORDS, shipped());
    let all = || batches.iter().for_each(|batch| _ = black_box(judge.select(batch)));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(all);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn datafusion(bencher: Bencher<'_, '_>) {
    let prepared = common::Prepared::new(RECORDS, shipped());
    let detectors = &prepared.detectors;
    let fields = schema(schema_of(&detectors.available));
    let clause = |predicates| Conjunction::compile(predicates, &fields).expect("they fit");
    let clauses: Vec<Conjunction> = detectors.detectors.iter().map(|d| clause(&d.reads().predicates)).collect();
    let tables: Vec<RecordBatch> = prepared.batches.iter().map(|batch| prepared.table(batch)).collect();
    let one = |table: &RecordBatch| clauses.iter().map(|clause| clause.rows(table).len()).sum::<usize>();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| tables.iter().map(one).sum::<usize>());
}
