//! Counting by key without judging: keys and values of a batch worked out and taken into one window's state, and
//! DataFusion's GROUP BY over the same records.

mod common;

use divan::Bencher;
use divan::counter::ItemsCount;

const RECORDS: u64 = 10_000;
const SQL: &str = "SELECT source_ip, count(*) AS n, count(DISTINCT event_name) AS names, max(event_time) AS latest \
    FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 day'), source_ip HAVING count(*) > 1000000";

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn operators(bencher: Bencher<'_, '_>) {
    let mut prepared = common::Prepared::new(RECORDS, vec![common::detector("fold", SQL)]);
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        let fed = prepared.fed();
        prepared.through_a_shard(&fed, false)
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn datafusion(bencher: Bencher<'_, '_>) {
    let (detector, at_rest) = (common::detector("fold", SQL), common::Oracle::new(RECORDS));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| at_rest.findings(&detector));
}
