//! A sliding threshold over all records: the operator, and DataFusion's window function over the same records.

#![expect(missing_docs, reason = "criterion's macro makes a function without a word")]

mod common;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: u64 = 5_000;
const SQL: &str = "SELECT source_ip, event_time, n FROM (SELECT *, count(*) OVER w AS n, count(DISTINCT event_name) OVER w AS names \
    FROM cloudtrail WINDOW w AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING)) \
    WHERE n >= 200 AND names >= 20";

fn range(c: &mut Criterion) {
    let detector = common::detector("range", SQL);
    let mut prepared = common::Prepared::new(RECORDS, vec![detector.clone()]);
    let fed = prepared.fed();
    let at_rest = common::AtRest::new(RECORDS);
    let mut group = c.benchmark_group("range");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("operator", |b| b.iter(|| black_box(prepared.through_a_shard(&fed, true).len())));
    group.bench_function("datafusion", |b| b.iter(|| at_rest.findings(&detector)));
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = range }
criterion_main!(benches);
