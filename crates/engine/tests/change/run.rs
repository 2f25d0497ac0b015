//! Runs of the engine in which detectors change between two batches.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam::channel::Receiver;
use watchfire_engine::change::NewRows;
use watchfire_engine::detect::{Detector, StreamDetectors};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::{Assignment, Event, Source, SourceError};
use watchfire_engine::{Caps, Change, EngineError, Metrics, Outlet, RuleControl, change};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Finding, Partition, RawBatch, SimulatedClock};

use super::{CLOUDTRAIL_PARTITIONS, NOW, streams};

/// What happens in a run, one after the other.
#[derive(Clone)]
pub enum Step {
    /// What the source gives.
    Event(Event),
    /// From here on the detectors are these.
    Change(Vec<Arc<Detector>>),
    /// From here on tables have other rows.
    Tables(Vec<Arc<Detector>>, Vec<NewRows>),
    /// Time for what has ended to be taken away.
    Rest,
}

/// Plays steps; each change is live before the next step.
struct Script {
    steps: VecDeque<Step>,
    control: RuleControl,
    waiting: Option<Receiver<Result<Change, EngineError>>>,
    changes: Arc<Mutex<Vec<Change>>>,
    metrics: Arc<Metrics>,
    rested: u32,
}

impl Source for Script {
    fn poll(&mut self, _wait: Duration) -> Result<Event, SourceError> {
        if let Some(answered) = &self.waiting {
            match answered.try_recv() {
                Ok(change) => {
                    self.changes.lock().unwrap().push(change.unwrap());
                    self.waiting = None;
                }
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
            return Ok(Event::Nothing);
        }
        match self.steps.pop_front() {
            None => Ok(Event::Finished),
            Some(Step::Event(event)) => Ok(event),
            Some(Step::Change(detectors)) => {
                self.waiting = Some(self.control.ask(detectors, Vec::new()));
                Ok(Event::Nothing)
            }
            Some(Step::Tables(detectors, tables)) => {
                self.waiting = Some(self.control.ask(detectors, tables));
                Ok(Event::Nothing)
            }
            Some(Step::Rest) => {
                std::thread::sleep(Duration::from_millis(10));
                self.rested += 1;
                if self.metrics.rules.ending.load(Relaxed) > 0 && self.rested < 25 {
                    self.steps.push_front(Step::Rest);
                } else {
                    self.rested = 0;
                }
                Ok(Event::Nothing)
            }
        }
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

/// What a run came to.
pub struct Outcome {
    /// All lines, in order.
    pub findings: Vec<Finding>,
    /// What was said of each change.
    pub changes: Vec<Change>,
    /// What was counted.
    pub metrics: Arc<Metrics>,
}

/// Runs `steps`, with these detectors at the start.
pub fn run(first: &[Arc<Detector>], steps: Vec<Step>, workers: usize, shards: usize, fires_early: bool) -> Outcome {
    let first: Vec<Detector> = first.iter().map(|detector| (**detector).clone()).collect();
    let streams = StreamDetectors::by_stream(&first, &streams());
    let (sink, metrics) = (MemorySink::new("memory"), pipeline::metrics(&streams));
    let (control, requests) = change::control();
    let changes = Arc::new(Mutex::new(Vec::new()));
    let script = Script {
        steps: steps.into(),
        control,
        waiting: None,
        changes: Arc::clone(&changes),
        metrics: Arc::clone(&metrics),
        rested: 0,
    };
    let run = Run {
        source: Box::new(script),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early,
        workers,
        shards,
        in_flight_bytes: 1 << 20,
        secret: [1, 2, 3, 4],
        clock: Arc::new(SimulatedClock::at(NOW)),
        metrics: Arc::clone(&metrics),
        changes: Some(requests),
        caps: Caps::default(),
        thorough: false,
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert!(metrics.total().balanced(), "{:?}", metrics.total());
    let changes = std::mem::take(&mut *changes.lock().unwrap());
    Outcome { findings: sink.findings(), changes, metrics }
}

/// A partition by its number.
pub fn partition(number: u8) -> Arc<Partition> {
    let topic = if number < CLOUDTRAIL_PARTITIONS { "t" } else { "u" };
    Arc::new(Partition { topic: topic.into(), number: i32::from(number) })
}

/// The stream of a partition.
pub fn stream_of(number: u8) -> usize {
    usize::from(number >= CLOUDTRAIL_PARTITIONS)
}

/// The first so many partitions are read.
pub fn assigned(partitions: u8) -> Step {
    let assignment = |number| Assignment { partition: partition(number), stream: stream_of(number) };
    Step::Event(Event::Assigned((0..partitions).map(assignment).collect()))
}

/// A partition has nothing more for now.
pub fn caught_up(number: u8) -> Step {
    Step::Event(Event::CaughtUp(partition(number)))
}

/// A batch of records, each of a partition, all of one stream; offsets go on from `offsets`.
pub fn raw_batch(records: &[(u8, String)], offsets: &mut HashMap<u8, i64>) -> RawBatch {
    let stream = records.first().map_or(0, |(number, _)| stream_of(*number));
    let mut batch = RawBatch { stream, ..RawBatch::default() };
    for (number, text) in records {
        let offset = offsets.entry(*number).or_default();
        batch.push(&partition(*number), *offset, NOW, PayloadKind::Value, text.as_bytes());
        *offset += 1;
    }
    batch
}
