//! Changing the detectors of a run while records flow.
//!
//! A thread of its own compares what is asked for with what is live, makes ready what workers and shards need for the
//! detectors that are new, and hands the rules to intake. Later it takes away versions that have ended, once the watermark
//! has passed their end and they owe nothing any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use watchfire_detect::plan::Operator;
use watchfire_detect::tables::TableRows;
use watchfire_detect::{Detector, Lifetime, Table, Version};
use watchfire_record::Value;

use crate::caps::{Caps, Governor, Passed};
use crate::error::EngineError;
use crate::metrics::{LiveVersion, Metrics};
use crate::rules::{Preparation, RuleSet};
use crate::terms::Term;

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

/// A look-up table, and the rows that it is to have from now on.
pub type NewRows = (Arc<Table>, Arc<TableRows>);

#[derive(Debug)]
struct Request {
    detectors: Vec<Arc<Detector>>,
    tables: Vec<NewRows>,
    answer: Sender<Result<Change, EngineError>>,
}

/// Both ends of asking.
#[must_use]
pub fn control() -> (RuleControl, RuleRequests) {
    let (sender, receiver) = unbounded();
    (RuleControl(sender), RuleRequests(receiver))
}

impl RuleControl {
    /// Asks for exactly these detectors, and other rows of these tables. The answer comes when they are live; none comes if the run ends before.
    #[must_use]
    pub fn ask(&self, detectors: Vec<Arc<Detector>>, tables: Vec<NewRows>) -> Receiver<Result<Change, EngineError>> {
        let (answer, answered) = bounded(1);
        // If nobody takes it, the run is over, and the answer's other end is gone.
        let _ = self.0.send(Request { detectors, tables, answer });
        answered
    }

    /// The same, and waits until they are live.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out, or the run has ended.
    pub fn change(&self, detectors: Vec<Arc<Detector>>, tables: Vec<NewRows>) -> Result<Change, EngineError> {
        self.ask(detectors, tables).recv().unwrap_or(Err(EngineError::Over))
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
    /// Tables that have other rows.
    pub tables: Vec<String>,
    /// The number of the rule set that is live now.
    pub version: u64,
    /// How long it took from asking to being live, microseconds.
    pub took: u64,
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
    /// Whether a changed one goes on with the state of the version before.
    pub goes_on: bool,
}

impl Change {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty() && self.tables.is_empty()
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
    /// What one detector may take.
    pub caps: Caps,
    /// Sees who takes too much CPU.
    pub governor: Governor,
    /// Detectors that were stopped, each with the version that was: they come back as another.
    pub stopped: BTreeMap<String, String>,
}

/// What detectors change to.
#[derive(Default)]
struct Plan {
    /// Slots that end.
    ends: BTreeSet<u32>,
    /// What begins, and the version that it replaces.
    begins: Vec<(Arc<Detector>, Option<Version>)>,
    /// Those that are wanted and stay stopped.
    stopped: BTreeSet<String>,
    unchanged: usize,
}

impl Changer {
    /// Answers requests until the run is over.
    pub fn run(mut self, requests: &RuleRequests, over: &AtomicBool) {
        let mut nobody_asks = false;
        while !over.load(Relaxed) {
            match requests.0.recv_timeout(LOOK) {
                Ok(Request { detectors, tables, answer }) => {
                    let answered = self.change(detectors, tables, over);
                    // Whoever asked may have gone.
                    let _ = answer.send(answered);
                }
                Err(RecvTimeoutError::Disconnected) if !nobody_asks => nobody_asks = true,
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.current.clear();
            if let Err(error) = self.take_away(over).and_then(|()| self.stop_dear_ones(over)) {
                tracing::error!(%error, "versions of detectors are not taken away");
            }
        }
    }

    fn change(
        &mut self,
        detectors: Vec<Arc<Detector>>,
        tables: Vec<NewRows>,
        over: &AtomicBool,
    ) -> Result<Change, EngineError> {
        let asked = self.preparation.clock.now();
        let plan = planned(&self.current, detectors, &self.stopped);
        let change = Change {
            unchanged: plan.unchanged,
            tables: tables.iter().map(|(table, _)| table.definition().name.clone()).collect(),
            version: self.metrics.rules.version.load(Relaxed),
            ..Change::default()
        };
        for (name, _) in self.stopped.extract_if(.., |name, _| !plan.stopped.contains(name)) {
            self.governor.forgive(&name);
        }
        if plan.ends.is_empty() && plan.begins.is_empty() && tables.is_empty() {
            return Ok(change);
        }
        self.metrics.rules.stood.store(0, Relaxed);
        let mut set = self.begun(&plan)?;
        set.tables = Mutex::new(tables);
        self.go_over(set, over)?;
        let took = u64::try_from(self.preparation.clock.now().saturating_sub(asked)).unwrap_or(0);
        self.metrics.rules.reloads.fetch_add(1, Relaxed);
        let version = self.metrics.rules.version.fetch_add(1, Relaxed) + 1;
        Ok(self.timed(&plan, Change { version, took, ..change }))
    }

    /// The rules with what begins, and with what ends until it is taken away.
    fn begun(&self, plan: &Plan) -> Result<RuleSet, EngineError> {
        let mut versions = self.current.versions.clone();
        let term = |version: &Version| if plan.ends.contains(&version.slot) { Term::Ends } else { Term::Stays };
        let mut terms: Vec<Term> = versions.list().iter().map(term).collect();
        terms.extend(plan.begins.iter().map(|(detector, replaced)| Term::Begins {
            align: alignment(detector, replaced.as_ref().map(Version::detector)),
            after: replaced.as_ref().map(|version| version.slot),
        }));
        let slot = |(detector, replaced): &(Arc<Detector>, Option<Version>)| {
            (Arc::clone(detector), replaced.as_ref().map(|version| version.slot))
        };
        versions.add(plan.begins.iter().map(slot).collect());
        RuleSet::after(&self.current, versions, terms, &self.metrics, &self.preparation)
    }

    /// Hands rules to intake and waits until they are live.
    fn go_over(&mut self, set: RuleSet, over: &AtomicBool) -> Result<(), EngineError> {
        let set = Arc::new(set);
        self.sets.send(Arc::clone(&set)).map_err(|_| EngineError::Over)?;
        while !set.is_live() {
            if over.load(Relaxed) {
                return Err(EngineError::Over);
            }
            std::thread::sleep(WAIT);
        }
        // The last one who has the old rules may be a shard, which is not to be kept waiting while they are dropped.
        let before = std::mem::replace(&mut self.current, set);
        self.current.leave(before);
        let ending = self.current.lifetimes().iter().filter(|lifetime| lifetime.to < i64::MAX).count();
        self.metrics.rules.ending.store(ending as u64, Relaxed);
        Ok(())
    }

    /// Takes away versions that have ended, and of which all that began is over.
    fn take_away(&mut self, over: &AtomicBool) -> Result<(), EngineError> {
        let watermarks: Vec<i64> = self.metrics.streams.iter().map(|counts| counts.watermark.load(Relaxed)).collect();
        let is_over = |(version, lifetime): &(&Version, &Lifetime)| {
            let streams = version.parts.iter().map(|part| watermarks[part.reads().stream]);
            let end = lifetime.to.saturating_add(version.detector().tail());
            lifetime.to < i64::MAX && streams.min().is_some_and(|watermark| end <= watermark)
        };
        let ended = self.current.versions.list().iter().zip(self.current.lifetimes()).filter(is_over);
        let ended: BTreeSet<u32> = ended.map(|(version, _)| version.slot).collect();
        if ended.is_empty() {
            return Ok(());
        }
        let mut versions = self.current.versions.clone();
        versions.retain(|slot| !ended.contains(&slot));
        let terms = vec![Term::Stays; versions.list().len()];
        self.go_over(RuleSet::after(&self.current, versions, terms, &self.metrics, &self.preparation)?, over)?;
        self.forget_counts();
        Ok(())
    }

    /// Those are counted that are there, and those that were stopped.
    fn forget_counts(&self) {
        let live = self.current.streams.iter().flat_map(|stream| stream.metrics.clone());
        let stopped = self.metrics.detectors().into_iter().filter(|one| self.stopped.contains_key(&one.name));
        self.metrics.keep_detectors(&live.chain(stopped).collect::<Vec<_>>());
    }

    /// Takes detectors away, at once, that cost more CPU than one may, and says so.
    fn stop_dear_ones(&mut self, over: &AtomicBool) -> Result<(), EngineError> {
        let Some(most) = self.caps.cpu else { return Ok(()) };
        let (now, counted) = (self.preparation.clock.now(), self.metrics.detectors());
        let dear: BTreeMap<String, f64> = self.governor.above(most, now, &counted).into_iter().collect();
        let is_dear = |version: &&Version| dear.contains_key(&version.info().name);
        let going: Vec<Version> = self.current.versions.list().iter().filter(is_dear).cloned().collect();
        if going.is_empty() {
            return Ok(());
        }
        let mut said = Vec::new();
        // The last version of each is the one whose file is there.
        let last: BTreeMap<&str, &Version> = going.iter().map(|v| (v.info().name.as_str(), v)).collect();
        for (name, version) in last {
            let passed = Passed {
                detector: name,
                version: &version.info().version,
                limit: 2,
                took: Value::Float(dear[name]),
                most: Value::Float(most),
                outcome: "it was stopped; it starts again when its file changes",
                now,
            };
            counted.iter().find(|one| one.name == name).into_iter().for_each(|detector| passed.note(detector));
            said.push(passed.finding());
            self.stopped.insert(name.to_owned(), version.info().version.clone());
        }
        let mut versions = self.current.versions.clone();
        versions.retain(|slot| going.iter().all(|version| version.slot != slot));
        let terms = vec![Term::Stays; versions.list().len()];
        let mut set = RuleSet::after(&self.current, versions, terms, &self.metrics, &self.preparation)?;
        set.said = said;
        self.go_over(set, over)?;
        let stopped = counted.iter().filter(|one| dear.contains_key(&one.name));
        stopped.for_each(|one| one.stopped.store(true, Relaxed));
        Ok(())
    }

    /// What was changed, with the times at which it is so.
    fn timed(&self, plan: &Plan, mut change: Change) -> Change {
        let all = || self.current.versions.list().iter().zip(self.current.lifetimes());
        let known = |time: i64| (time != i64::MIN).then_some(time);
        let turned = |version: &Version, from: i64, goes_on: bool| {
            let info = version.info();
            let (name, stream, version) = (info.name.clone(), info.stream.clone(), info.version.clone());
            Turned { name, stream, version, from: known(from), goes_on }
        };
        let replaced: BTreeSet<u32> =
            plan.begins.iter().filter_map(|(_, before)| Some(before.as_ref()?.slot)).collect();
        // Those that begin are the last ones.
        let begun = all().skip(self.current.versions.list().len() - plan.begins.len());
        for ((version, lifetime), (_, before)) in begun.zip(&plan.begins) {
            self.tell_version(version, lifetime);
            match before {
                None => change.added.push(turned(version, lifetime.from, false)),
                Some(before) => {
                    let goes_on = before.operator == version.operator;
                    change.changed.push(turned(version, lifetime.from, goes_on));
                }
            }
        }
        let gone = all().filter(|(version, _)| plan.ends.contains(&version.slot) && !replaced.contains(&version.slot));
        change.removed.extend(gone.map(|(version, lifetime)| turned(version, lifetime.to, false)));
        change
    }

    fn tell_version(&self, version: &Version, lifetime: &Lifetime) {
        let live = LiveVersion {
            version: version.info().version.clone(),
            from: (lifetime.from != i64::MIN).then_some(lifetime.from),
        };
        for part in &version.parts {
            let stream = &self.current.streams[part.reads().stream].detectors.stream.name;
            let counted = self.metrics.detector(stream, &version.info().name);
            counted.stopped.store(false, Relaxed);
            counted.turn_to(live.clone());
        }
    }
}

/// What becomes of the detectors if these are wanted.
fn planned(before: &RuleSet, wanted: Vec<Arc<Detector>>, stopped: &BTreeMap<String, String>) -> Plan {
    let all = before.versions.list().iter().zip(before.lifetimes());
    // Those that have ended already only finish what they began.
    let live = all.filter(|(_, lifetime)| lifetime.to == i64::MAX).map(|(version, _)| version);
    let mut live: BTreeMap<&str, &Version> = live.map(|version| (version.info().name.as_str(), version)).collect();
    let mut plan = Plan::default();
    for detector in wanted {
        let old = live.remove(detector.info.name.as_str());
        if stopped.get(&detector.info.name) == Some(&detector.info.version) {
            plan.unchanged += 1;
            plan.stopped.insert(detector.info.name.clone());
            continue;
        }
        match old {
            Some(old) if old.info().version == detector.info.version => plan.unchanged += 1,
            old => {
                plan.ends.extend(old.map(|old| old.slot));
                plan.begins.push((detector, old.cloned()));
            }
        }
    }
    plan.ends.extend(live.values().map(|old| old.slot));
    plan
}

/// The length of which a version's beginning is a multiple: its windows', so that none is cut; and those of the version
/// that it replaces, where one is a multiple of the other, so that no record is in windows of both.
fn alignment(detector: &Detector, replaced: Option<&Detector>) -> i64 {
    let step = |detector: &Detector| match &detector.plan.operator {
        Operator::Window { slide, .. } => *slide,
        Operator::OverWindows { windows, .. } => windows.slide,
        _ => 1,
    };
    let own = step(detector);
    let other = replaced.map_or(1, step);
    if own % other == 0 || other % own == 0 { own.max(other) } else { own }
}
