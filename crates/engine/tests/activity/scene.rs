//! Streams that declare sources, records of them, and runs of detectors over both.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, StreamDetectors, compile};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::{Assignment, Event, Source, SourceError};
use watchfire_engine::{Caps, Metrics, Outlet};
use watchfire_record::activity::{MINUTE, Sources};
use watchfire_record::json::PathStep;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{
    Clock, ColumnDefinition, ColumnType, Finding, Partition, RawBatch, SimulatedClock, State, Stream, Value, time,
};

/// The clock of a run that does not move it: ten hours after the first minute.
pub const NOW: i64 = START + 600 * MINUTE;
/// The first minute.
pub const START: i64 = 1_750_000_020_000_000;
/// Index of the stream `activity`.
pub const ACTIVITY: usize = 2;
/// All rows as they are.
pub const ALL: &str = "SELECT event_time, stream, kind, source, records, observed, _flags FROM activity";

/// Two streams with sources, then `activity`.
pub fn streams() -> Vec<Stream> {
    let sources = |column: &str, values: &[&str]| Sources {
        column: column.into(),
        values: values.iter().map(|value| (*value).into()).collect(),
    };
    let column = |name: &str, column_type| {
        let path = if name == "event_id" { Vec::new() } else { vec![PathStep::Key(name.into())] };
        ColumnDefinition { name: name.into(), column_type, path }
    };
    let orders = Stream {
        lateness: 3 * MINUTE,
        partition_sources: true,
        sources: vec![sources("shop", &["north", "south"])],
        ..Stream::declared(
            "orders",
            vec![
                column("event_time", ColumnType::Time),
                column("event_id", ColumnType::Text),
                column("shop", ColumnType::Text),
            ],
        )
    };
    let cloudtrail = Stream {
        lateness: 5 * MINUTE,
        sources: vec![sources("account_id", &["111", "222", "333"])],
        ..Stream::cloudtrail()
    };
    vec![cloudtrail, orders, Stream::activity()]
}

static PLANNER: LazyLock<Planner> = LazyLock::new(|| Planner::new(&streams()));

/// A detector of this query.
pub fn detector(name: &str, sql: &str) -> Detector {
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
    compile::compile_text(&PLANNER, name, &text).unwrap_or_else(|problems| {
        panic!("{sql}\n{}", problems.iter().map(|problem| problem.render(false)).collect::<String>())
    })
}

/// A partition by its number: those below 2 are `cloudtrail`'s, the others `orders`'.
pub fn partition(number: i32) -> Arc<Partition> {
    Arc::new(Partition { topic: if number < 2 { "trail" } else { "shops" }.into(), number })
}

/// The stream that a partition is of.
pub fn stream_of(number: i32) -> usize {
    usize::from(number >= 2)
}

/// The partition is ours from here on.
pub fn assigned(numbers: &[i32]) -> Event {
    let one = |number: &i32| Assignment { partition: partition(*number), stream: stream_of(*number) };
    Event::Assigned(numbers.iter().map(one).collect())
}

/// A record of a source, so many microseconds after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub partition: i32,
    pub source: &'static str,
    pub at: i64,
}

impl Said {
    fn text(&self) -> String {
        let (time, source) = (time::format(START + self.at), self.source);
        if stream_of(self.partition) == 0 {
            format!(r#"{{"eventTime":"{time}","eventName":"A","recipientAccountId":"{source}"}}"#)
        } else {
            format!(r#"{{"event_time":"{time}","shop":"{source}"}}"#)
        }
    }
}

/// Batches of one stream each; a cut after a record ends its batch. Offsets count from `offset`, and what a broker says
/// of the time is the clock's, or, if so wished, the record's own.
pub fn batches(records: &[Said], cuts: &[bool], offset: i64, timestamp: Option<i64>) -> Vec<Event> {
    let (mut open, mut events, mut offsets) = (RawBatch::default(), Vec::new(), HashMap::new());
    let mut close = |open: &mut RawBatch, stream: usize| {
        let next = RawBatch { stream, ..RawBatch::default() };
        let batch = std::mem::replace(open, next);
        events.extend((!batch.payloads.is_empty()).then_some(Event::Batch(batch)));
    };
    for (said, cut) in records.iter().zip(cuts.iter().chain(std::iter::repeat(&false))) {
        let stream = stream_of(said.partition);
        if open.stream != stream {
            close(&mut open, stream);
        }
        let offset = offsets.entry(said.partition).or_insert(offset);
        let received = timestamp.unwrap_or(START + said.at);
        open.push(&partition(said.partition), *offset, received, PayloadKind::Value, said.text().as_bytes());
        *offset += 1;
        if *cut {
            close(&mut open, stream);
        }
    }
    close(&mut open, 0);
    events
}

/// What a source does.
pub enum Act {
    Event(Event),
    /// So much time goes by, while nothing comes.
    Pass(i64),
    /// Whether the source can be seen.
    Available(bool),
    /// Whether all partitions are ours.
    Whole(bool),
}

/// Plays acts, then is finished; or, for ever, gives nothing.
pub struct Script {
    acts: VecDeque<Act>,
    clock: Arc<SimulatedClock>,
    available: bool,
    whole: bool,
}

impl Source for Script {
    fn poll(&mut self, _wait: Duration) -> Result<Event, SourceError> {
        match self.acts.pop_front() {
            None => return Ok(Event::Finished),
            Some(Act::Event(event)) => return Ok(event),
            Some(Act::Pass(micros)) => self.clock.advance(micros),
            Some(Act::Available(available)) => self.available = available,
            Some(Act::Whole(whole)) => self.whole = whole,
        }
        // A tick waits for the one before it to be done.
        std::thread::sleep(Duration::from_millis(30));
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

    fn is_available(&self) -> bool {
        self.available
    }

    fn is_whole(&self) -> bool {
        self.whole
    }
}

/// Threads of a run.
#[derive(Debug, Clone, Copy)]
pub struct Threads {
    pub workers: usize,
    pub shards: usize,
}

/// One of each.
pub const ONE: Threads = Threads { workers: 1, shards: 1 };

/// The lines of detectors over what a source does, and what was counted. The clock starts at `now`.
pub fn run(
    detectors: &[Detector],
    acts: Vec<Act>,
    threads: Threads,
    now: i64,
    fires_early: bool,
) -> (Vec<Finding>, Arc<Metrics>) {
    let streams = StreamDetectors::by_stream(detectors, &streams());
    let (sink, metrics) = (MemorySink::new("memory"), pipeline::metrics(&streams));
    let clock = Arc::new(SimulatedClock::at(now));
    let source = Script { acts: acts.into(), clock: Arc::clone(&clock), available: true, whole: true };
    let run = Run {
        source: Box::new(source),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early,
        workers: threads.workers,
        shards: threads.shards,
        in_flight_bytes: 1 << 20,
        secret: [1, 2, 3, 4],
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        metrics: Arc::clone(&metrics),
        changes: None,
        caps: Caps::default(),
        thorough: false,
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert!(metrics.total().balanced(), "{:?}", metrics.total());
    (sink.findings(), metrics)
}

/// One row of `activity`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Minutes after the start.
    pub minute: i64,
    pub stream: String,
    pub kind: String,
    pub source: String,
    pub records: i64,
    pub observed: bool,
    pub flags: String,
}

/// The rows that [`ALL`] found, in order.
pub fn rows(findings: &[Finding]) -> Vec<Row> {
    let row = |finding: &Finding| {
        assert_eq!(finding.state, State::Final);
        let text = |place: usize| finding.row[place].1.to_string();
        let (Value::Time(time), Value::Integer(records)) = (&finding.row[0].1, &finding.row[4].1) else {
            panic!("{:?}", finding.row)
        };
        Row {
            minute: (time - START) / MINUTE,
            stream: text(1),
            kind: text(2),
            source: text(3),
            records: *records,
            observed: finding.row[5].1 == Value::Boolean(true),
            flags: text(6),
        }
    };
    let mut rows: Vec<Row> = findings.iter().map(row).collect();
    rows.sort();
    rows
}
