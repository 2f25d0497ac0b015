//! The last room: outcomes in the order of intake, findings to the sinks, positions that are done.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use watchfire_finding::{RejectSink, Sink, SinkError};
use watchfire_record::{Clock, Finding, FindingId, Partition, Reject, State};

use crate::error::EngineError;
use crate::job::{Outcome, WorkerOutcome};
use crate::metrics::{DetectorMetrics, Metrics};

/// Ids of final match findings that are remembered, so that a copy of a record is not told again. Older ones are forgotten first.
pub const REMEMBERED_FINDINGS: usize = 1_000_000;

/// What intake may know of delivery.
#[derive(Debug, Default)]
pub struct Progress {
    /// For each partition, the offset before which everything is done: judged, and its findings acknowledged.
    pub done: HashMap<Arc<Partition>, i64>,
    /// All jobs before this one are done.
    pub sequence: u64,
}

/// A job's outcomes, until all have come.
#[derive(Default)]
struct Collected {
    worker: Option<WorkerOutcome>,
    shards: usize,
    found: Vec<Finding>,
}

/// What waits for the sinks' acknowledgement.
struct Unacknowledged {
    /// All findings before this count must be safe.
    findings: u64,
    /// All rejects before this count must be safe.
    rejects: u64,
    sequence: u64,
    positions: Vec<(Arc<Partition>, i64)>,
    bytes: usize,
    /// Findings among them that are told for the first time.
    first_told: u64,
    /// Broker timestamps of those that a record's arrival caused, and where their detectors are counted.
    caused_at: Vec<(i64, Option<Arc<DetectorMetrics>>)>,
}

/// A sink, and what became of what it was to get.
pub struct Outlet {
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// Whether it may hold up the intake. What another has no room for is left out, counted and said.
    pub required: bool,
    full: bool,
}

impl Outlet {
    /// A sink that may, or may not, hold up the intake.
    #[must_use]
    pub fn new(sink: Box<dyn Sink>, required: bool) -> Self {
        Self { sink, required, full: false }
    }
}

/// Delivers findings and rejects.
pub struct Delivery {
    shards: usize,
    next: u64,
    waiting: BTreeMap<u64, Collected>,
    sinks: Vec<Outlet>,
    reject_sink: Option<Box<dyn RejectSink>>,
    sent: u64,
    rejects_sent: u64,
    unacknowledged: VecDeque<Unacknowledged>,
    told: HashSet<FindingId>,
    told_in_order: VecDeque<FindingId>,
    progress: Arc<Mutex<Progress>>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

/// What delivery is made of.
pub struct DeliveryParts {
    /// How many shards' outcomes each job has.
    pub shards: usize,
    /// Where findings go: each gets all.
    pub sinks: Vec<Outlet>,
    /// Where rejects go.
    pub reject_sink: Option<Box<dyn RejectSink>>,
    /// Where it says what is done.
    pub progress: Arc<Mutex<Progress>>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// Tells how long a finding took.
    pub clock: Arc<dyn Clock>,
}

impl Delivery {
    /// A delivery that expects job 0 first.
    #[must_use]
    pub fn new(parts: DeliveryParts) -> Self {
        let DeliveryParts { shards, sinks, reject_sink, progress, metrics, clock } = parts;
        Self {
            shards,
            next: 0,
            waiting: BTreeMap::new(),
            sinks,
            reject_sink,
            sent: 0,
            rejects_sent: 0,
            unacknowledged: VecDeque::new(),
            told: HashSet::new(),
            told_in_order: VecDeque::new(),
            progress,
            metrics,
            clock,
        }
    }

    /// Takes an outcome, in any order, and delivers all whose turn it is. `wait` is called while a sink is full.
    ///
    /// # Errors
    /// If a sink cannot go on, or `wait` says to give up.
    pub fn take(
        &mut self,
        outcome: Outcome,
        wait: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        self.collect(outcome);
        while self.waiting.get(&self.next).is_some_and(|c| c.worker.is_some() && c.shards == self.shards) {
            let collected = self.waiting.remove(&self.next).expect("it is there");
            self.next += 1;
            self.deliver(collected, wait)?;
        }
        Ok(())
    }

    fn collect(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Worker(worker) => {
                let collected = self.waiting.entry(worker.sequence).or_default();
                collected.worker = Some(worker);
            }
            Outcome::Shard { sequence, found } => {
                let collected = self.waiting.entry(sequence).or_default();
                collected.shards += 1;
                collected.found.extend(found);
            }
        }
    }

    fn deliver(
        &mut self,
        collected: Collected,
        wait: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let worker = collected.worker.expect("it was waited for");
        let mut found: Vec<Finding> = worker.found.into_iter().filter(|finding| self.is_new(finding)).collect();
        found.extend(collected.found);
        let counted: Vec<_> = found.iter().map(|finding| self.metrics.finding(finding)).collect();
        let at_once = found.iter().zip(counted).filter(|(finding, _)| tells_at_once(finding));
        let caused_at = at_once.map(|(finding, detector)| (finding.caused_at, detector)).collect();
        self.send_findings(&found, wait)?;
        self.send_rejects(&worker.rejects, &worker.blinded, wait)?;
        self.unacknowledged.push_back(Unacknowledged {
            findings: self.sent,
            rejects: self.rejects_sent,
            sequence: worker.sequence,
            positions: worker.positions,
            bytes: worker.bytes,
            first_told: found.iter().filter(|finding| finding.revision == 1).count() as u64,
            caused_at,
        });
        Ok(())
    }

    /// Whether a match finding was not told before: copies of a record have one id.
    fn is_new(&mut self, finding: &Finding) -> bool {
        if !self.told.insert(finding.finding_id) {
            self.metrics.repeated.fetch_add(1, Relaxed);
            return false;
        }
        self.told_in_order.push_back(finding.finding_id);
        if self.told_in_order.len() > REMEMBERED_FINDINGS
            && let Some(oldest) = self.told_in_order.pop_front()
        {
            self.told.remove(&oldest);
        }
        true
    }

    fn send_findings(
        &mut self,
        found: &[Finding],
        wait: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        if found.is_empty() {
            return Ok(());
        }
        for outlet in &mut self.sinks {
            if outlet.required {
                until_taken(|| outlet.sink.send(found), wait)?;
            } else {
                outlet.offer(found, &self.metrics);
            }
        }
        self.sent += found.len() as u64;
        Ok(())
    }

    fn send_rejects(
        &mut self,
        rejects: &[Reject],
        blinded: &[Arc<str>],
        wait: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let Some(sink) = &mut self.reject_sink else { return Ok(()) };
        if rejects.is_empty() {
            return Ok(());
        }
        until_taken(|| sink.send(rejects, blinded), wait)?;
        self.rejects_sent += rejects.len() as u64;
        Ok(())
    }

    /// Sees what the sinks have acknowledged, and returns how many bytes are no longer in flight.
    pub fn settle(&mut self) -> usize {
        let required = self.sinks.iter_mut().filter(|outlet| outlet.required);
        let findings = required.map(|outlet| outlet.sink.acknowledged()).min().unwrap_or(u64::MAX);
        let rejects = self.reject_sink.as_mut().map_or(u64::MAX, |sink| sink.acknowledged());
        let mut freed = 0;
        let safe = |u: &Unacknowledged| u.findings <= findings && u.rejects <= rejects;
        while let Some(done) = self.unacknowledged.pop_front_if(|u| safe(u)) {
            let now = self.clock.now();
            for (caused_at, detector) in &done.caused_at {
                let micros = u64::try_from(now.saturating_sub(*caused_at)).unwrap_or(0);
                self.metrics.latency(detector.as_deref(), micros);
            }
            self.metrics.delivered.fetch_add(done.first_told, Relaxed);
            freed += done.bytes;
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.done.extend(done.positions);
            progress.sequence = done.sequence + 1;
        }
        freed
    }

    /// Waits until all that was sent is safe, as far as `within` goes.
    ///
    /// # Errors
    /// If a sink cannot go on, or not in time.
    pub fn flush(&mut self, within: std::time::Duration) -> Result<(), EngineError> {
        let mut flushed = Ok(());
        for outlet in &mut self.sinks {
            let sink = outlet.sink.flush(within);
            flushed = flushed.and(if outlet.required { sink } else { Ok(()) });
        }
        if let Some(sink) = &mut self.reject_sink {
            flushed = flushed.and(sink.flush(within));
        }
        Ok(flushed?)
    }
}

impl Outlet {
    /// Gives a sink that may not hold anything up what it has room for.
    fn offer(&mut self, found: &[Finding], metrics: &Metrics) {
        match self.sink.send(found) {
            Ok(()) => self.full = false,
            Err(error) => {
                metrics.undelivered.fetch_add(found.len() as u64, Relaxed);
                if !self.full {
                    tracing::error!(sink = self.sink.name(), %error, "findings are left out of this sink until it has room");
                }
                self.full = true;
            }
        }
    }
}

/// Whether a finding is told because of its last record, not because time passed: only then is there a latency.
fn tells_at_once(finding: &Finding) -> bool {
    finding.state == State::New || finding.window_end.is_none()
}

/// Tries until it is taken; waits while there is no room.
fn until_taken(
    mut send: impl FnMut() -> Result<(), SinkError>,
    wait: &mut dyn FnMut() -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    loop {
        match send() {
            Ok(()) => return Ok(()),
            Err(SinkError::Full { .. }) => wait()?,
            Err(error) => return Err(error.into()),
        }
    }
}
