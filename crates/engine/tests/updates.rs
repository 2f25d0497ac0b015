//! What changes of an early finding is told once a second, and what changed last within one when that is over.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, StreamDetectors, compile};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::{Assignment, Event, Source, SourceError};
use watchfire_engine::{Caps, Outlet};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Clock, Finding, Partition, RawBatch, SimulatedClock, State, Stream, Value, time};

/// When all happens; the start of a minute.
const START: i64 = 1_750_000_020_000_000;
const SECOND: i64 = 1_000_000;
/// Polls without a record before the test gives up.
const MOST_POLLS: usize = 5_000;

/// Records that come at once.
#[derive(Clone, Copy)]
struct Come {
    /// When, microseconds after the start.
    at: i64,
    count: i64,
    /// As many findings are told before the clock goes on.
    told: usize,
}

/// Gives records, and lets the time between them pass; then lets time pass until the sink has so many findings.
struct Paced {
    records: std::vec::IntoIter<Come>,
    given: i64,
    is_assigned: bool,
    polls: usize,
    clock: Arc<SimulatedClock>,
    sink: MemorySink,
    /// As many are told before the clock goes on, and before the end.
    awaited: usize,
    expected: usize,
}

impl Paced {
    fn partition() -> Arc<Partition> {
        Arc::new(Partition { topic: "t".into(), number: 0 })
    }

    fn batch(&mut self, count: i64) -> RawBatch {
        let mut batch = RawBatch::default();
        for offset in self.given..self.given + count {
            let text = format!(
                r#"{{"eventTime":"{}","eventID":"e{offset}","userIdentity":{{"userName":"u"}}}}"#,
                time::format(START)
            );
            batch.push(&Self::partition(), offset, self.clock.now(), PayloadKind::Value, text.as_bytes());
        }
        self.given += count;
        batch
    }
}

impl Source for Paced {
    fn poll(&mut self, _wait: Duration) -> Result<Event, SourceError> {
        if !self.is_assigned {
            self.is_assigned = true;
            return Ok(Event::Assigned(vec![Assignment { partition: Self::partition(), stream: 0 }]));
        }
        self.polls += 1;
        let told = self.sink.findings().len();
        if told < self.awaited && self.polls < MOST_POLLS {
            std::thread::sleep(Duration::from_millis(1));
            return Ok(Event::Nothing);
        }
        if let Some(Come { at, count, told }) = self.records.next() {
            self.clock.advance(START + at - self.clock.now());
            self.awaited = told;
            return Ok(Event::Batch(self.batch(count)));
        }
        if told >= self.expected || self.polls >= MOST_POLLS {
            return Ok(Event::Finished);
        }
        // The last records are most likely taken in before a second is over; if not, the same is told.
        std::thread::sleep(Duration::from_millis(2));
        self.clock.advance(SECOND / 100);
        Ok(Event::Nothing)
    }

    fn commit(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn release(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn close(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }
}

fn detector(planner: &Planner, name: &str, window: &str, least: i64) -> Detector {
    let text = format!(
        "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n\
         SELECT {window} AS w, user_name, count(*) AS n FROM cloudtrail GROUP BY {window}, user_name HAVING count(*) >= {least}"
    );
    compile::compile_text(planner, name, &text).unwrap()
}

/// What detectors find in records, until there are so many findings.
fn found(detectors: &[Detector], records: Vec<Come>, expected: usize) -> Vec<Finding> {
    let streams = StreamDetectors::by_stream(detectors, &Stream::built_ins());
    let (sink, metrics) = (MemorySink::new("memory"), pipeline::metrics(&streams));
    let clock = Arc::new(SimulatedClock::at(START));
    let source = Paced {
        records: records.into_iter(),
        given: 0,
        is_assigned: false,
        polls: 0,
        clock: Arc::clone(&clock),
        sink: sink.clone(),
        awaited: 0,
        expected,
    };
    let run = Run {
        source: Box::new(source),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early: true,
        workers: 1,
        shards: 2,
        in_flight_bytes: 1 << 20,
        secret: [1, 2, 3, 4],
        clock,
        metrics,
        changes: None,
        caps: Caps::default(),
        thorough: false,
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    sink.findings()
}

/// States and counts of a detector's findings.
fn told(findings: &[Finding], name: &str) -> Vec<(State, i64)> {
    let count = |finding: &Finding| match finding.row.last() {
        Some((_, Value::Integer(count))) => *count,
        other => panic!("{other:?}"),
    };
    let own = findings.iter().filter(|finding| finding.detector.name == name);
    own.map(|finding| (finding.state, count(finding))).collect()
}

#[test]
fn each_member_of_a_window_tells_its_last_change_a_second_after_the_one_before() {
    let planner = Planner::new(&Stream::built_ins());
    let window = "tumble(event_time, INTERVAL '1 minute')";
    let detectors = [detector(&planner, "three", window, 3), detector(&planner, "four", window, 4)];
    let come = |at, count, told| Come { at, count, told };
    let records = vec![come(0, 3, 1), come(3 * SECOND / 10, 1, 2), come(6 * SECOND / 10, 1, 2)];
    let findings = found(&detectors, records, 4);
    assert_eq!(told(&findings, "three"), [(State::New, 3), (State::Updated, 5), (State::Final, 5)]);
    assert_eq!(told(&findings, "four"), [(State::New, 4), (State::Updated, 5), (State::Final, 5)]);
}

#[test]
fn windows_that_overlap_tell_their_last_changes_too() {
    let planner = Planner::new(&Stream::built_ins());
    let window = "hop(event_time, INTERVAL '1 minute', INTERVAL '2 minutes')";
    let detectors = [detector(&planner, "two", window, 2)];
    let come = |at, count, told| Come { at, count, told };
    let records = vec![come(0, 2, 2), come(2 * SECOND, 1, 4), come(5 * SECOND / 2, 2, 4)];
    let findings = found(&detectors, records, 6);
    let mut windows: HashMap<_, Vec<(State, i64)>> = HashMap::new();
    for finding in &findings {
        windows.entry(finding.window).or_default().extend(told(std::slice::from_ref(finding), "two"));
    }
    let each = [(State::New, 2), (State::Updated, 3), (State::Updated, 5), (State::Final, 5)];
    assert_eq!(windows.into_values().collect::<Vec<_>>(), [each, each]);
}
