//! Where the measured records come from.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::Scope;
use std::time::Duration;

use watchfire_engine::detect::StreamDetectors;
use watchfire_engine::source::{
    EmbeddedBroker, Event, FileSource, KafkaSource, MemorySource, Source, SourceError, StartFrom,
};
use watchfire_record::{Clock, Partition};
use watchfire_simulator::{AttackPlan, Settings as Simulated};

use crate::arguments::Bench;
use crate::commands::demo::{Follow, PARTITIONS, Plan, Progress, produce, topics};
use crate::failure::Failure;
use crate::launch::{Input, Launch, Outputs};
use crate::screen::Screen;
use crate::settings::Settings;

const WAIT: Duration = Duration::from_millis(50);
/// Simulated records a second of simulated time.
const DENSITY: f64 = 1000.0;
const MINUTE: i64 = 60_000_000;

/// A source that is ready to be measured.
pub(super) struct Prepared {
    /// What it is.
    pub name: &'static str,
    /// Whether records have a timestamp of when they were received.
    pub with_latency: bool,
    input: Input,
    estate: Option<Estate>,
}

/// The simulator and the broker that it sends to.
struct Estate {
    broker: EmbeddedBroker,
    simulated: Simulated,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
}

/// Makes the source that the options ask for.
pub(super) fn prepare(
    options: &Bench,
    settings: &Settings,
    stream: usize,
    streams: &[Arc<StreamDetectors>],
    clock: &Arc<dyn Clock>,
) -> Result<Prepared, Failure> {
    if let Some(file) = &options.memory {
        let mut source = FileSource::open(std::slice::from_ref(file), stream, clock.now())?;
        let first_times = watchfire_engine::first_times(&mut source, streams)?;
        let input = Input { source: Box::new(in_memory(source)?), first_times, several_values: true };
        return Ok(Prepared { name: "memory", with_latency: false, input, estate: None });
    }
    if options.embedded {
        return embedded(options, settings, clock);
    }
    if let (Some(brokers), Some(topic)) = (&options.brokers, &options.topic) {
        let mut kafka = settings.kafka.clone();
        kafka.brokers.clone_from(brokers);
        // A group of its own each time, so that it starts at the beginning and takes from nobody.
        kafka.group = format!("watchfire-bench-{}-{}", std::process::id(), clock.now());
        kafka.from = StartFrom::Earliest;
        let source = KafkaSource::connect(&kafka, &[(topic.clone(), stream)], Arc::clone(clock))?;
        let input = Input::messages(Box::new(UntilCaughtUp::new(Box::new(source))));
        return Ok(Prepared { name: "kafka", with_latency: false, input, estate: None });
    }
    if options.input.is_empty() {
        return Err(Failure::Setting(
            "what is to be measured? Give --input FILE, --memory FILE, --embedded, or --brokers HOST:PORT --topic NAME"
                .into(),
        ));
    }
    let input = Input::files(&options.input, stream, clock.now(), streams)?;
    Ok(Prepared { name: "file", with_latency: false, input, estate: None })
}

fn embedded(options: &Bench, settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Prepared, Failure> {
    let length = (options.records as f64 / DENSITY * 1e6) as i64;
    let simulated = Simulated {
        records: Some(options.records),
        rate: DENSITY,
        attacks: AttackPlan::Every(15_000_000),
        ..Simulated::new(1, clock.now() - length - MINUTE)
    };
    let broker = EmbeddedBroker::start(&PARTITIONS)?;
    let progress = Arc::new(Progress::default());
    let source = KafkaSource::connect(&broker.settings("watchfire-bench"), &topics(settings)?, Arc::clone(clock))?;
    let input = Input::messages(Box::new(Follow::new(Box::new(source), Arc::clone(&progress))));
    let estate = Some(Estate { broker, simulated, progress, clock: Arc::clone(clock) });
    Ok(Prepared {
        name: "embedded broker, with the simulator and the broker in the figures",
        with_latency: true,
        input,
        estate,
    })
}

impl Prepared {
    /// Runs the engine over it, and what feeds it if something does.
    pub(super) fn run<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        launch: &Launch,
        outputs: Outputs,
        shutdown: &Arc<AtomicBool>,
        screen: &Screen,
    ) -> Result<(), Failure> {
        let mut notice = |text: &str| screen.notice("note", text);
        let Some(Estate { broker, simulated, progress, clock }) = self.estate else {
            return launch.run(self.input, outputs, shutdown, &mut notice);
        };
        let (counts, stop, brokers) = (Arc::clone(&progress), Arc::clone(shutdown), broker.brokers());
        let producing = scope.spawn(move || {
            let plan = Plan { past: None, live: &|_| simulated.clone(), paced: false };
            let produced = produce(&brokers, &plan, &*clock, &counts, &stop);
            counts.end();
            produced
        });
        let run = launch.run(self.input, outputs, shutdown, &mut notice);
        progress.give_up();
        let produced =
            producing.join().unwrap_or_else(|_| Err(Failure::Running("the simulator ended unexpectedly".into())));
        run?;
        let lost = progress.lost.load(std::sync::atomic::Ordering::Relaxed);
        if lost > 0 {
            screen.notice("warning", &format!("the embedded broker dropped {lost} of {} records", produced?.records));
        }
        Ok(())
    }
}

/// All that a source gives, to be played back.
fn in_memory(mut source: FileSource) -> Result<MemorySource, Failure> {
    let mut events = Vec::new();
    loop {
        match source.poll(WAIT)? {
            Event::Finished => return Ok(MemorySource::new(events)),
            Event::Nothing => {}
            event => events.push(event),
        }
    }
}

/// A source that ends when every partition has given all that is there.
struct UntilCaughtUp {
    inner: Box<dyn Source>,
    left: HashSet<Arc<Partition>>,
    assigned: bool,
}

impl UntilCaughtUp {
    fn new(inner: Box<dyn Source>) -> Self {
        Self { inner, left: HashSet::new(), assigned: false }
    }
}

impl Source for UntilCaughtUp {
    fn poll(&mut self, wait: Duration) -> Result<Event, SourceError> {
        if self.assigned && self.left.is_empty() {
            return Ok(Event::Finished);
        }
        let event = self.inner.poll(wait)?;
        match &event {
            Event::Assigned(assigned) => {
                self.assigned = true;
                self.left.extend(assigned.iter().map(|a| Arc::clone(&a.partition)));
            }
            Event::CaughtUp(partition) => drop(self.left.remove(partition)),
            _ => {}
        }
        Ok(event)
    }

    fn commit(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.commit(done)
    }

    fn release(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.release(done)
    }

    fn close(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.close(done)
    }

    fn set_paused(&mut self, paused: bool) {
        self.inner.set_paused(paused);
    }

    fn lag(&self) -> Vec<(Arc<Partition>, i64)> {
        self.inner.lag()
    }
}
