//! A sliding threshold over all records: the operator, and DataFusion's window function over the same records.

mod common;

use divan::Bencher;
use divan::counter::ItemsCount;

const RECORDS: u64 = 5_000;
const SQL: &str = "SELECT source_ip, event_time, n FROM (SELECT *, count(*) OVER w AS n, count(DISTINCT event_name) OVER w AS names \
    FROM cloudtrail WINDOW w AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING)) \
    WHERE n >= 200 AND names >= 20";

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn operator(bencher: Bencher<'_, '_>) {
    let mut prepared = common::Prepared::new(RECORDS, vec![common::detector("range", SQL)]);
    let fed = prepared.fed();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| prepared.through_a_shard(&fed, true));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn datafusion(bencher: Bencher<'_, '_>) {
    let (detector, at_rest) = (common::detector("range", SQL), common::Oracle::new(RECORDS));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| at_rest.findings(&detector));
}
