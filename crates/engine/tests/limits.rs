//! What is beyond a limit is let go, which findings say, and nothing else suffers.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{StreamDetectors, compile::compile_text};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::MemorySource;
use watchfire_engine::{Caps, Outlet};
use watchfire_record::limits::BUFFERED_ROWS;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Finding, Partition, RawBatch, SimulatedClock, Stream, Value, time};

const NOW: i64 = 1_750_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// What a detector finds in batches of records, each with its event time and name.
fn found(sql: &str, batches: Vec<Vec<(i64, &str)>>) -> Vec<Finding> {
    let streams = vec![Stream::cloudtrail()];
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
    let detector = compile_text(&Planner::new(&streams), "d", &text).unwrap();
    let streams = StreamDetectors::by_stream(&[detector], &streams);
    let partition = Arc::new(Partition { topic: "t".into(), number: 0 });
    let mut offset = 0;
    let mut raw = |records: Vec<(i64, &str)>| {
        let mut batch = RawBatch::default();
        for (event_time, name) in records {
            let at = time::format(event_time);
            let text = format!(r#"{{"eventTime":"{at}","eventID":"{offset}","eventName":"{name}"}}"#);
            batch.push(&partition, offset, NOW, PayloadKind::Value, text.as_bytes());
            offset += 1;
        }
        batch
    };
    let sink = MemorySink::new("memory");
    let run = Run {
        source: Box::new(MemorySource::bounded(batches.into_iter().map(&mut raw).collect())),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early: false,
        workers: 2,
        shards: 1,
        caps: Caps::default(),
        thorough: false,
        in_flight_bytes: 64 << 20,
        secret: [1, 2, 3, 4],
        changes: None,
        clock: Arc::new(SimulatedClock::at(NOW)),
        metrics: pipeline::metrics(&streams),
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    sink.findings()
}

#[test]
fn rows_of_a_key_beyond_the_limit_are_let_go_from_the_earliest_on() {
    let many: Vec<(i64, &str)> = (0i64..).take(BUFFERED_ROWS).map(|row| (NOW - 60 * SECOND + row, "a")).collect();
    let mut batches: Vec<_> = many.chunks(100_000).map(<[_]>::to_vec).collect();
    // The first of a batch has no place among them, the next has.
    batches.push(vec![(NOW - 70 * SECOND, "b"), (NOW - SECOND, "last")]);
    let sql = "SELECT event_time, names FROM (SELECT *, count(DISTINCT event_name) OVER \
               (PARTITION BY region ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS names FROM cloudtrail) \
               WHERE event_name = 'last'";
    let findings = found(sql, batches);
    let shown: Vec<_> = findings.iter().map(|finding| (finding.row[1].1.clone(), finding.complete)).collect();
    assert_eq!(shown, [(Value::Integer(2), false)]);
}
