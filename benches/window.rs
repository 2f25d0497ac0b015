//! Five-minute windows that hop each minute over all records: the operator, and DataFusion's GROUP BY over the same.

mod common;

use divan::Bencher;
use divan::counter::ItemsCount;

const RECORDS: u64 = 10_000;
const SQL: &str = "SELECT source_ip, count(*) AS n, count(DISTINCT event_name) AS names FROM cloudtrail \
    GROUP BY hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes'), source_ip \
    HAVING count(*) >= 100 AND count(DISTINCT event_name) >= 10";

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn operator(bencher: Bencher<'_, '_>) {
    let mut prepared = common::Prepared::new(RECORDS, vec![common::detector("window", SQL)]);
    let fed = prepared.fed();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| prepared.through_a_shard(&fed, true));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn datafusion(bencher: Bencher<'_, '_>) {
    let (detector, at_rest) = (common::detector("window", SQL), common::Oracle::new(RECORDS));
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| at_rest.findings(&detector));
}
