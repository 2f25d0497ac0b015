//! Five-minute windows that hop each minute over all records: the operator, and DataFusion's GROUP BY over the same.

#![expect(missing_docs, reason = "criterion's macro makes a function without a word")]

mod common;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: u64 = 10_000;
const SQL: &str = "SELECT source_ip, count(*) AS n, count(DISTINCT event_name) AS names FROM cloudtrail \
    GROUP BY hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes'), source_ip \
    HAVING count(*) >= 100 AND count(DISTINCT event_name) >= 10";

fn window(c: &mut Criterion) {
    let detector = common::detector("window", SQL);
    let mut prepared = common::Prepared::new(RECORDS, vec![detector.clone()]);
    let fed = prepared.fed();
    let at_rest = common::AtRest::new(RECORDS);
    let mut group = c.benchmark_group("window");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("operator", |b| b.iter(|| black_box(prepared.through_a_shard(&fed, true).len())));
    group.bench_function("datafusion", |b| b.iter(|| at_rest.findings(&detector)));
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = window }
criterion_main!(benches);
