//! Counting by key without judging: keys and values of a batch worked out and taken into one window's state, and
//! DataFusion's GROUP BY over the same records.

#![expect(missing_docs, reason = "criterion's macro makes a function without a word")]

mod common;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: u64 = 10_000;
const SQL: &str = "SELECT source_ip, count(*) AS n, count(DISTINCT event_name) AS names, max(event_time) AS latest \
    FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 day'), source_ip HAVING count(*) > 1000000";

fn fold(c: &mut Criterion) {
    let detector = common::detector("fold", SQL);
    let mut prepared = common::Prepared::new(RECORDS, vec![detector.clone()]);
    let at_rest = common::AtRest::new(RECORDS);
    let mut group = c.benchmark_group("fold");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("operators", |b| {
        b.iter(|| {
            let fed = prepared.fed();
            black_box(prepared.through_a_shard(&fed, false).len())
        });
    });
    group.bench_function("datafusion", |b| b.iter(|| at_rest.findings(&detector)));
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = fold }
criterion_main!(benches);
