//! From settings and detectors to a run of the engine.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use watchfire_engine::detect::StreamDetectors;
use watchfire_engine::finding::RejectSink;
use watchfire_engine::pipeline;
use watchfire_engine::source::{FileSource, Source};
use watchfire_engine::{Caps, Outlet};
use watchfire_engine::{Metrics, RuleRequests, Run, first_times};
use watchfire_record::{Clock, Partition};

use crate::failure::Failure;
use crate::process;
use crate::settings::EngineSettings;

/// Where records come from, and what the engine must know of it.
pub struct Input {
    /// The source.
    pub source: Box<dyn Source>,
    /// Event time of each file's first record.
    pub first_times: HashMap<Arc<Partition>, i64>,
    /// Whether a payload may hold several values.
    pub several_values: bool,
}

impl Input {
    /// Files, in the order of their first records. `timestamp` stands for the time at which they were received,
    /// microseconds.
    ///
    /// # Errors
    /// If an input is not there.
    pub fn files(
        paths: &[PathBuf],
        stream: usize,
        timestamp: i64,
        streams: &[Arc<StreamDetectors>],
    ) -> Result<Self, Failure> {
        let mut source = FileSource::open(paths, stream, timestamp)?;
        let first_times = first_times(&mut source, streams)?;
        Ok(Self { source: Box::new(source), first_times, several_values: true })
    }

    /// Kafka, or what looks like it: one value a payload.
    pub fn messages(source: Box<dyn Source>) -> Self {
        Self { source, first_times: HashMap::new(), several_values: false }
    }
}

/// Where findings and rejects go.
#[derive(Default)]
pub struct Outputs {
    /// Sinks for findings: each gets all.
    pub sinks: Vec<Outlet>,
    /// The sink for rejects.
    pub rejects: Option<Box<dyn RejectSink>>,
}

/// What a run is made of besides its input and outputs.
pub struct Launch {
    /// The detectors of each stream.
    pub streams: Vec<Arc<StreamDetectors>>,
    /// Whether findings are told before they are final.
    pub fires_early: bool,
    /// Threads and memory.
    pub engine: EngineSettings,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
    /// What one detector may take.
    pub caps: Caps,
    /// Whether what detectors cost is measured to the last batch.
    pub thorough: bool,
    /// Asks for other detectors while it runs, once; none if they stay as they are.
    pub changes: Mutex<Option<RuleRequests>>,
}

impl Launch {
    /// Nothing counted yet.
    pub fn new(streams: Vec<Arc<StreamDetectors>>, engine: EngineSettings, clock: Arc<dyn Clock>) -> Self {
        let metrics = pipeline::metrics(&streams);
        Self {
            streams,
            fires_early: false,
            engine,
            clock,
            metrics,
            caps: engine.caps,
            thorough: false,
            changes: Mutex::default(),
        }
    }

    /// How many detectors there are.
    pub fn detectors(&self) -> usize {
        self.streams.iter().flat_map(|stream| &stream.detectors).filter(|detector| detector.input == 0).count()
    }

    /// Runs until the input is over or `shutdown` is set.
    ///
    /// # Errors
    /// If the source or a sink cannot go on.
    pub fn run(
        &self,
        input: Input,
        outputs: Outputs,
        shutdown: &AtomicBool,
        notice: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Failure> {
        let secret = process::secret()
            .map_err(|error| Failure::Running(format!("the system gives no random bytes (/dev/urandom): {error}")))?;
        let run = Run {
            streams: self.streams.clone(),
            source: input.source,
            first_times: input.first_times,
            several_values: input.several_values,
            sinks: outputs.sinks,
            reject_sink: outputs.rejects,
            fires_early: self.fires_early,
            workers: self.engine.workers,
            shards: self.engine.shards,
            in_flight_bytes: self.engine.in_flight,
            secret,
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            caps: self.caps,
            thorough: self.thorough,
            changes: self.changes.lock().unwrap_or_else(PoisonError::into_inner).take(),
        };
        Ok(watchfire_engine::run(run, shutdown, notice)?)
    }
}
