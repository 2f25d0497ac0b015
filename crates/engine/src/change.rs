//! Changing the detectors of a run while records flow.
//!
//! A thread of its own compares what is asked for with what is live, makes ready what workers and shards need for the
//! detectors that are new, and hands the rules to intake. Later it takes away versions that have ended, once the watermark
//! has passed their end and they owe nothing any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use watchfire_detect::plan::Operator;
use watchfire_detect::{Detector, StreamDetectors};

use crate::error::EngineError;
use crate::metrics::Metrics;
use crate::rules::{Preparation, RuleSet, StreamRules, Term};

/// How often it is looked whether a version has ended.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is looked whether rules have become live.
const WAIT: Duration = Duration::from_millis(1);

/// Asks a run for other detectors.
#[derive(Debug, Clone)]
pub struct RuleControl(Sender<Request>);

/// What is asked of a run.
#[derive(Debug)]
pub struct RuleRequests(Receiver<Request>);

#[derive(Debug)]
struct Request {
    detectors: Vec<Arc<Detector>>,
    answer: Sender<Result<Change, EngineError>>,
}

/// Both ends of asking.
#[must_use]
pub fn control() -> (RuleControl, RuleRequests) {
    let (sender, receiver) = unbounded();
    (RuleControl(sender), RuleRequests(receiver))
}

impl RuleControl {
    /// Asks for exactly these detectors. The answer comes when they are live; none comes if the run ends before.
    #[must_use]
    pub fn ask(&self, detectors: Vec<Arc<Detector>>) -> Receiver<Result<Change, EngineError>> {
        let (answer, answered) = bounded(1);
        // If nobody takes it, the run is over, and the answer's other end is gone.
        let _ = self.0.send(Request { detectors, answer });
        answered
    }

    /// Asks for exactly these detectors, and waits until they are live.
    ///
    /// # Errors
    /// If one does not fit its stream, which planning rules out, or the run has ended.
    pub fn change(&self, detectors: Vec<Arc<Detector>>) -> Result<Change, EngineError> {
        self.ask(detectors).recv().unwrap_or(Err(EngineError::Over))
    }
}

/// What a change came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Detectors that were not there.
    pub added: Vec<Turned>,
    /// Detectors of which another version is there.
    pub changed: Vec<Turned>,
    /// Detectors that end.
    pub removed: Vec<Turned>,
    /// How many stay as they are.
    pub unchanged: usize,
}

/// A detector that comes, changes or goes, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// Its name.
    pub name: String,
    /// Its stream's name.
    pub stream: String,
    /// The version that comes; of a removed one, the version that goes.
    pub version: String,
    /// The event time from which on it is so, microseconds; `None` if no record was seen yet.
    pub from: Option<i64>,
}

impl Change {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// The thread that makes rules ready.
pub struct Changer {
    /// What is live, or will be next.
    pub current: Arc<RuleSet>,
    /// What to make ready for.
    pub preparation: Preparation,
    /// Where detectors are counted.
    pub metrics: Arc<Metrics>,
    /// To intake.
    pub sets: Sender<Arc<RuleSet>>,
}

/// What a stream's detectors change to.
#[derive(Default)]
struct Plan {
    /// Slots that end.
    ends: BTreeSet<u32>,
    /// What begins, and the length that its beginning is a multiple of.
    begins: Vec<(Arc<Detector>, i64)>,
    change: Change,
}

impl Changer {
    /// Answers requests until the run is over.
    pub fn run(mut self, requests: &RuleRequests, over: &AtomicBool) {
        let mut nobody_asks = false;
        while !over.load(Relaxed) {
            match requests.0.recv_timeout(LOOK) {
                Ok(Request { detectors, answer }) => {
                    let answered = self.change(detectors, over);
                    // Whoever asked may have gone.
                    let _ = answer.send(answered);
                }
                Err(RecvTimeoutError::Disconnected) if !nobody_asks => nobody_asks = true,
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(error) = self.take_away(over) {
                tracing::error!(%error, "versions of detectors that have ended are not taken away");
            }
        }
    }

    fn change(&mut self, detectors: Vec<Arc<Detector>>, over: &AtomicBool) -> Result<Change, EngineError> {
        let mut wanted: Vec<Vec<Arc<Detector>>> = self.current.streams.iter().map(|_| Vec::new()).collect();
        for detector in detectors {
            wanted[detector.plan.stream].push(detector);
        }
        let mut total = Change::default();
        let mut streams = Vec::new();
        for (before, wanted) in self.current.streams.iter().zip(wanted) {
            let plan = planned(before, wanted);
            total.unchanged += plan.change.unchanged;
            if plan.change.is_empty() {
                streams.push((Arc::clone(before), plan.change));
                continue;
            }
            let change = plan.change.clone();
            streams.push((Arc::new(self.begun(before, plan)?), change));
        }
        if streams.iter().all(|(_, change)| change.is_empty()) {
            return Ok(total);
        }
        let set = Arc::new(RuleSet { streams: streams.iter().map(|(rules, _)| Arc::clone(rules)).collect() });
        self.go_over(set, over)?;
        for (rules, change) in streams {
            total.add_timed(change, &rules);
        }
        self.metrics.rules.reloads.fetch_add(1, Relaxed);
        Ok(total)
    }

    /// A stream's rules with those that begin, and those that end until they are taken away.
    fn begun(&self, before: &StreamRules, plan: Plan) -> Result<StreamRules, EngineError> {
        let slots = &before.detectors.slots;
        let term = |slot: &u32| if plan.ends.contains(slot) { Term::Ends } else { Term::Stays };
        let mut terms: Vec<Term> = slots.iter().map(term).collect();
        terms.extend(plan.begins.iter().map(|(_, align)| Term::Begins { align: *align }));
        let added: Vec<_> = plan.begins.into_iter().map(|(detector, _)| detector).collect();
        let detectors = before.detectors.changed(|_| true, added, before.next_slot);
        StreamRules::after(before, detectors, terms, &self.metrics, &self.preparation)
    }

    /// Hands rules to intake and waits until they are live.
    fn go_over(&mut self, set: Arc<RuleSet>, over: &AtomicBool) -> Result<(), EngineError> {
        self.sets.send(Arc::clone(&set)).map_err(|_| EngineError::Over)?;
        while !set.streams.iter().all(|stream| stream.is_live()) {
            if over.load(Relaxed) {
                return Err(EngineError::Over);
            }
            std::thread::sleep(WAIT);
        }
        self.current = set;
        let ends =
            self.current.streams.iter().map(|stream| stream.lifetimes().iter().filter(|l| l.to < i64::MAX).count());
        self.metrics.rules.ending.store(ends.sum::<usize>() as u64, Relaxed);
        Ok(())
    }

    /// Takes away versions whose end the watermark has passed.
    fn take_away(&mut self, over: &AtomicBool) -> Result<(), EngineError> {
        let mut any = false;
        let mut streams = Vec::new();
        for (before, counts) in self.current.streams.iter().zip(&self.metrics.streams) {
            let watermark = counts.watermark.load(Relaxed);
            let over = before.detectors.slots.iter().zip(before.lifetimes()).filter(|(_, l)| l.to <= watermark);
            let over: BTreeSet<u32> = over.filter(|(_, l)| l.to < i64::MAX).map(|(slot, _)| *slot).collect();
            if over.is_empty() {
                streams.push(Arc::clone(before));
                continue;
            }
            any = true;
            let detectors = before.detectors.changed(|slot| !over.contains(&slot), Vec::new(), 0);
            let terms = vec![Term::Stays; detectors.slots.len()];
            streams.push(Arc::new(StreamRules::after(before, detectors, terms, &self.metrics, &self.preparation)?));
        }
        if any {
            self.go_over(Arc::new(RuleSet { streams }), over)?;
            let kept: Vec<_> = self.current.streams.iter().flat_map(|stream| stream.metrics.clone()).collect();
            self.metrics.keep_detectors(&kept);
        }
        Ok(())
    }
}

/// What becomes of a stream's detectors if these are wanted.
fn planned(before: &StreamRules, wanted: Vec<Arc<Detector>>) -> Plan {
    let StreamDetectors { slots, detectors, .. } = &*before.detectors;
    let all = slots.iter().zip(detectors).zip(before.lifetimes());
    // Those that have ended already only finish what they owe.
    let mut live: BTreeMap<&str, (u32, &Arc<Detector>)> =
        all.filter(|(_, l)| l.to == i64::MAX).map(|((slot, d), _)| (d.info.name.as_str(), (*slot, d))).collect();
    let mut plan = Plan::default();
    for detector in wanted {
        match live.remove(detector.info.name.as_str()) {
            Some((_, old)) if old.info.version == detector.info.version => plan.change.unchanged += 1,
            Some((slot, old)) => {
                plan.ends.insert(slot);
                plan.change.changed.push(Turned::of(&detector));
                plan.begins.push((Arc::clone(&detector), alignment(&detector, Some(old))));
            }
            None => {
                plan.change.added.push(Turned::of(&detector));
                plan.begins.push((Arc::clone(&detector), alignment(&detector, None)));
            }
        }
    }
    for (slot, old) in live.into_values() {
        plan.ends.insert(slot);
        plan.change.removed.push(Turned::of(old));
    }
    plan
}

/// The length of which a version's beginning is a multiple: its windows', so that none is cut; and those of the version
/// that it replaces, so that what these hold is found, where one is a multiple of the other.
fn alignment(detector: &Detector, replaced: Option<&Arc<Detector>>) -> i64 {
    let step = |detector: &Detector| match detector.plan.operator {
        Operator::Window { slide, .. } => slide,
        _ => 1,
    };
    let own = step(detector);
    let other = replaced.map_or(1, |detector| step(detector));
    if own % other == 0 || other % own == 0 { own.max(other) } else { own }
}

impl Turned {
    fn of(detector: &Detector) -> Self {
        let info = &detector.info;
        Self { name: info.name.clone(), stream: info.stream.clone(), version: info.version.clone(), from: None }
    }
}

impl Change {
    /// Adds what was changed in one stream, with the times at which it is so.
    fn add_timed(&mut self, mut change: Self, rules: &StreamRules) {
        let StreamDetectors { detectors, .. } = &*rules.detectors;
        let known = |time: i64| (time != i64::MIN).then_some(time);
        let of = |turned: &Turned| {
            let same = |place: &usize| {
                detectors[*place].info.name == turned.name && detectors[*place].info.version == turned.version
            };
            (0..detectors.len()).rev().find(same).map(|place| rules.lifetimes()[place])
        };
        for turned in change.added.iter_mut().chain(&mut change.changed) {
            turned.from = of(turned).and_then(|lifetime| known(lifetime.from));
        }
        for turned in &mut change.removed {
            turned.from = of(turned).and_then(|lifetime| known(lifetime.to));
        }
        self.added.extend(change.added);
        self.changed.extend(change.changed);
        self.removed.extend(change.removed);
    }
}
