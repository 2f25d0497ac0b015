//! The one place that knows the order.
//!
//! ```text
//!             jobs               shard inputs           outcomes
//!  intake ──(numbered)──► worker × N ──(rows)──► shard × M ──────────► delivery ──► sinks
//!  source    one queue,   decode · stamp ·       keyed state,          in order of
//!            any worker   match                  in order of intake    intake
//!                            └───────────── outcomes ─────────────────►
//! ```
//!
//! Queues have no length of their own: all that is between intake and the sinks' acknowledgement is bounded by one
//! budget of bytes ([`Budget`]). A batch's bytes are taken from it when it is taken in and given back when its findings
//! are acknowledged; while it is used up, the source is paused, and only the source's own buffers fill. Workers decode in
//! parallel, and take turns, in the order of intake, where order matters: stamping with watermarks, and finding copies.
//!
//! When a minute is over, the worker whose turn it was goes on with the rows of `activity` that come of it, as a part of
//! the same job: see [`crate::activity`].
//!
//! Beside them a thread changes the detectors, if that is wanted: see [`crate::change`].

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, unbounded};
use watchfire_decode::Decoder;
use watchfire_detect::identities::SecretHasher;
use watchfire_detect::{StreamDetectors, Versions};
use watchfire_finding::RejectSink;
use watchfire_record::{Clock, Partition};
use watchfire_source::{FileSource, Source};

use crate::activity::Activity;
use crate::budget::Budget;
use crate::caps::{Caps, Governor};
use crate::change::{self, Changer, RuleRequests};
use crate::copies::Copies;
use crate::delivery::{Delivery, DeliveryParts, Outlet, Progress};
use crate::error::EngineError;
use crate::intake::{self, Intake};
use crate::job::{Job, Outcome, ShardInput};
use crate::metrics::{LiveVersion, Metrics};
use crate::rules::{Preparation, RuleSet};
use crate::state::StateShard;
use crate::turn::Turn;
use crate::watermark::StreamClock;
use crate::worker::{Clocks, Shared, Worker};

/// How long sinks may take for the rest when bounded input is over.
const DRAIN: Duration = Duration::from_secs(60);
/// The same when a run is ended from outside: the source needs some of the ten seconds too.
const DRAIN_AT_END: Duration = Duration::from_secs(3);

/// Inputs that a shard takes at once, if as many wait.
const STEPS_AT_ONCE: usize = 32;

/// What a run is made of.
pub struct Run {
    /// The detectors of each stream, in the order of the engine's list of streams.
    pub streams: Vec<Arc<StreamDetectors>>,
    /// Where records come from.
    pub source: Box<dyn Source>,
    /// Event time of each file's first record; empty for other sources. See [`first_times`].
    pub first_times: HashMap<Arc<Partition>, i64>,
    /// Whether a payload may hold several values: files do, Kafka messages do not.
    pub several_values: bool,
    /// Where findings go.
    pub sinks: Vec<Outlet>,
    /// Where rejects go.
    pub reject_sink: Option<Box<dyn RejectSink>>,
    /// Whether findings are told before they are final.
    pub fires_early: bool,
    /// Worker threads.
    pub workers: usize,
    /// Shards of state, a thread each; none are started if no detector keeps state.
    pub shards: usize,
    /// Bytes that may be in flight.
    pub in_flight_bytes: usize,
    /// A secret for hashing what comes from outside.
    pub secret: [u64; 4],
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where everything is counted; made by [`metrics`].
    pub metrics: Arc<Metrics>,
    /// Asks for other detectors while it runs; `None` if they stay as they are.
    pub changes: Option<RuleRequests>,
    /// What one detector may take.
    pub caps: Caps,
    /// Whether what detectors cost is measured to the last batch, which takes longer.
    pub thorough: bool,
}

/// Zeroed counts for these detectors.
#[must_use]
pub fn metrics(streams: &[Arc<StreamDetectors>]) -> Arc<Metrics> {
    let definitions: Vec<_> = streams.iter().map(|s| s.stream.clone()).collect();
    let metrics = Metrics::new(&definitions);
    for (stream, detector) in streams.iter().flat_map(|s| s.detectors.iter().map(move |d| (&s.stream, d))) {
        let version = LiveVersion { version: detector.info.version.clone(), from: None };
        metrics.detector(&stream.name, &detector.info.name).turn_to(version);
    }
    Arc::new(metrics)
}

/// Looks at the first record of each file and sets the order in which they are read.
///
/// # Errors
/// If a file cannot be read.
pub fn first_times(
    source: &mut FileSource,
    streams: &[Arc<StreamDetectors>],
) -> Result<HashMap<Arc<Partition>, i64>, EngineError> {
    let mut times = HashMap::new();
    for (partition, batch) in source.peek()? {
        let stream = &streams[batch.stream];
        let mut decoder = Decoder::new(&stream.stream, stream.stream_index, Vec::new()).allow_several(true);
        let batch = decoder.decode(batch);
        let first = batch.rows.iter().map(|row| row.event_time.min(row.timestamp)).min();
        // Whose time cannot be told is read first, so that it does not hold the others' windows open to the end.
        times.insert(partition, first.unwrap_or(i64::MIN));
    }
    source.order(&times);
    Ok(times)
}

/// Runs until bounded input is over, or `shutdown` is set: then what is in flight is finished, and no window closed.
///
/// # Errors
/// If the source or a sink cannot go on.
pub fn run(mut run: Run, shutdown: &AtomicBool, notice: &mut (dyn FnMut(&str) + Send)) -> Result<(), EngineError> {
    let budget = Budget::new(run.in_flight_bytes);
    let (failed, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let progress = Arc::new(Mutex::new(Progress::default()));
    let rooms = Rooms::new(&mut run, Arc::clone(&progress))?;
    let rules = Arc::clone(&rooms.rules);
    let (taken, delivered) = std::thread::scope(|scope| {
        // Who takes too much CPU is stopped by a change.
        let nobody = || run.caps.cpu.map(|_| change::control().1);
        let requests = run.changes.take().or_else(nobody);
        let changes = requests.map(|requests| rooms.start_changes(scope, requests, run.caps, &over));
        let _over = Over(&over);
        let (jobs, delivering) = rooms.start(scope, &budget, &failed, shutdown);
        let intake = Intake {
            jobs,
            budget: &budget,
            progress: &progress,
            failed: &failed,
            shutdown,
            clock: run.clock.as_ref(),
            metrics: &run.metrics,
            first_times: &run.first_times,
            rules,
            changes,
            notice,
        };
        let taken = intake::run(run.source.as_mut(), intake);
        over.store(true, Relaxed);
        let delivered = delivering.join().unwrap_or_else(|_| Err(EngineError::Defect("delivery".into())));
        (taken, delivered)
    });
    let committed: Vec<_> = {
        let ours = taken.as_ref().ok();
        let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let done = progress.done.iter().filter(|(partition, _)| ours.is_some_and(|ours| ours.contains(*partition)));
        done.map(|(partition, offset)| (Arc::clone(partition), *offset)).collect()
    };
    run.metrics.in_flight.store(budget.used() as u64, Relaxed);
    let closed = run.source.close(&committed);
    taken?;
    delivered?;
    Ok(closed?)
}

/// What the threads behind intake are made of.
struct Rooms {
    preparation: Preparation,
    rules: Arc<RuleSet>,
    shared: Arc<Shared>,
    workers: Vec<Worker>,
    shards: Vec<StateShard>,
    delivery: Delivery,
}

impl Rooms {
    fn new(run: &mut Run, progress: Arc<Mutex<Progress>>) -> Result<Self, EngineError> {
        let stateful = run.streams.iter().flat_map(|s| &s.detectors).any(|detector| detector.stateful());
        // A change may bring the first detector that keeps state.
        let shards = if stateful || run.changes.is_some() { run.shards.max(1) } else { 0 };
        let preparation = Preparation {
            workers: run.workers.max(1),
            shards,
            several_values: run.several_values,
            manner: run.caps.manner(run.fires_early, shards),
            thorough: run.thorough,
            hasher: SecretHasher::new(run.secret),
            clock: Arc::clone(&run.clock),
        };
        let versions = Versions::of_streams(&run.streams);
        let rules = Arc::new(RuleSet::first(versions, &run.streams, &run.metrics, &preparation)?);
        let shared = Arc::new(shared(run, &rules, shards));
        let worker = |index| Worker::new(index, Arc::clone(&rules), Arc::clone(&shared));
        let workers = (0..preparation.workers).map(worker).collect();
        let shard = |index| StateShard::new(index, Arc::clone(&rules), &preparation, Arc::clone(&run.metrics));
        let states = (0..shards).map(shard).collect();
        let delivery = Delivery::new(DeliveryParts {
            shards,
            sinks: std::mem::take(&mut run.sinks),
            reject_sink: run.reject_sink.take(),
            progress,
            metrics: Arc::clone(&run.metrics),
            clock: Arc::clone(&run.clock),
        });
        Ok(Self { preparation, rules, shared, workers, shards: states, delivery })
    }

    /// Starts the thread that makes rules ready, and gives the end at which intake takes them.
    fn start_changes<'scope>(
        &self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        requests: RuleRequests,
        caps: Caps,
        over: &'scope AtomicBool,
    ) -> Receiver<Arc<RuleSet>> {
        let (sets, changes) = unbounded();
        let changer = Changer {
            current: Arc::clone(&self.rules),
            preparation: self.preparation.clone(),
            metrics: Arc::clone(&self.shared.metrics),
            sets,
            caps,
            governor: Governor::default(),
            stopped: BTreeMap::new(),
        };
        scope.spawn(move || changer.run(&requests, over));
        changes
    }

    /// Starts the threads. They end when the queue of jobs, whose sender is returned, does.
    fn start<'scope>(
        self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        budget: &'scope Budget,
        failed: &'scope AtomicBool,
        shutdown: &'scope AtomicBool,
    ) -> (Sender<Job>, std::thread::ScopedJoinHandle<'scope, Result<(), EngineError>>) {
        let (jobs, job_queue) = unbounded();
        let (outcomes, outcome_queue) = unbounded();
        let (shard_senders, shard_queues): (Vec<_>, Vec<_>) = self.shards.iter().map(|_| unbounded()).unzip();
        let guard = || GiveUp { shared: Arc::clone(&self.shared), failed };
        for worker in self.workers {
            let (queue, senders, outcomes, guard) =
                (job_queue.clone(), shard_senders.clone(), outcomes.clone(), guard());
            scope.spawn(move || work(worker, &queue, &senders, &outcomes, &guard));
        }
        for (state, queue) in self.shards.into_iter().zip(shard_queues) {
            let (outcomes, guard) = (outcomes.clone(), guard());
            scope.spawn(move || keep_state(state, &queue, &outcomes, &guard));
        }
        let (delivery, guard) = (self.delivery, guard());
        let delivering = scope.spawn(move || {
            let result = deliver(delivery, &outcome_queue, budget, shutdown, &guard);
            // Nobody listens any more: intake is to end, if it has not.
            failed.store(true, Relaxed);
            result
        });
        (jobs, delivering)
    }
}

fn shared(run: &Run, rules: &Arc<RuleSet>, shards: usize) -> Shared {
    let streams = run.streams.iter().map(|s| StreamClock::new(&s.stream)).collect();
    let activity = Activity::new(run.streams.iter().map(|s| &s.stream));
    Shared {
        activity: activity.index(),
        clocks: Turn::new(Clocks { streams, activity, rules: Arc::clone(rules) }),
        copies: Turn::new(Copies::new(run.streams.len(), run.caps.identity_bytes(), Arc::clone(&run.metrics))),
        shards,
        metrics: Arc::clone(&run.metrics),
        clock: Arc::clone(&run.clock),
        thorough: run.thorough,
    }
}

/// Says that nothing is taken in any more when it is dropped: the thread that changes rules is waited for.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Lets the other threads go if this one ends unexpectedly.
struct GiveUp<'a> {
    shared: Arc<Shared>,
    failed: &'a AtomicBool,
}

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.failed.store(true, Relaxed);
            self.shared.clocks.give_up();
            self.shared.copies.give_up();
        }
    }
}

fn work(
    mut worker: Worker,
    jobs: &Receiver<Job>,
    shards: &[Sender<ShardInput>],
    outcomes: &Sender<Outcome>,
    guard: &GiveUp<'_>,
) {
    for job in jobs {
        if guard.failed.load(Relaxed) {
            return;
        }
        let (outcome, inputs) = worker.process(job);
        let sent = outcomes.send(Outcome::Worker(outcome)).is_ok()
            && inputs.into_iter().zip(shards).all(|(input, shard)| shard.send(input).is_ok());
        if !sent {
            return;
        }
    }
}

fn keep_state(mut state: StateShard, inputs: &Receiver<ShardInput>, outcomes: &Sender<Outcome>, _guard: &GiveUp<'_>) {
    while let Ok(input) = inputs.recv() {
        // Whatever waits is taken at once: state that is near serves many rows.
        let waiting = inputs.try_iter().take(STEPS_AT_ONCE);
        for outcome in state.take(std::iter::once(input).chain(waiting)) {
            if outcomes.send(outcome).is_err() {
                return;
            }
        }
    }
}

fn deliver(
    mut delivery: Delivery,
    outcomes: &Receiver<Outcome>,
    budget: &Budget,
    shutdown: &AtomicBool,
    guard: &GiveUp<'_>,
) -> Result<(), EngineError> {
    use crossbeam::channel::RecvTimeoutError;
    let pause = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    let mut wait_for_room = || {
        std::thread::sleep(pause);
        waited += if shutdown.load(Relaxed) { pause } else { Duration::ZERO };
        if waited > DRAIN_AT_END {
            Err(EngineError::Setting("a sink was still full when the run had to end".into()))
        } else {
            Ok(())
        }
    };
    loop {
        match outcomes.recv_timeout(pause) {
            Ok(outcome) => delivery.take(outcome, &mut wait_for_room)?,
            Err(RecvTimeoutError::Timeout) if guard.failed.load(Relaxed) => {
                return Err(EngineError::Defect("a worker or shard".into()));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        budget.give_back(delivery.settle());
    }
    let within = if shutdown.load(Relaxed) { DRAIN_AT_END } else { DRAIN };
    let flushed = delivery.flush(within);
    budget.give_back(delivery.settle());
    flushed
}
