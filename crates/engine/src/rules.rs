//! The detectors that are live, from one change to the next.
//!
//! A [`RuleSet`] travels with every job from intake on, so that all workers and shards go over to the next one at exactly
//! one place of the stream. What they need for it is made beforehand, off their way: judges, decoders and operators lie
//! ready in it, and what they leave behind is dropped off their way too. When versions of detectors begin and end is
//! settled in the turn of the streams' clocks, where it is known which event times were seen.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use watchfire_detect::fresh::Fresh;
use watchfire_detect::identities::SecretHasher;
use watchfire_detect::operators::Manner;
use watchfire_detect::{Lifetime, StreamDetectors, Versions};
use watchfire_record::{Clock, Finding};

use crate::change::NewRows;
use crate::error::EngineError;
use crate::metrics::{DetectorMetrics, Metrics};
use crate::terms::{self, Term};
use crate::worker::StreamWorker;

/// All detectors that are live for a job.
pub struct RuleSet {
    /// Versions of detectors, those that end and have yet to finish among them.
    pub versions: Versions,
    /// By the engine's list of streams. Streams that a change does not touch are the same as before.
    pub streams: Vec<Arc<StreamRules>>,
    /// What a change makes of each version.
    terms: Vec<Term>,
    settled: OnceLock<Settled>,
    shards: Vec<Mutex<Option<Fresh>>>,
    left: Mutex<Vec<Box<dyn Any + Send>>>,
    /// Tables that have other rows from the change on.
    pub tables: Mutex<Vec<NewRows>>,
    /// What is told with the change.
    pub said: Vec<Finding>,
}

/// When versions are live.
struct Settled {
    versions: Vec<Lifetime>,
    /// By stream, for each of its detectors.
    streams: Vec<Vec<Lifetime>>,
}

/// The detectors of one stream, and what workers run them with.
pub struct StreamRules {
    /// The detectors.
    pub detectors: Arc<StreamDetectors>,
    /// Where each is counted, in their order; versions of one detector in one place.
    pub metrics: Vec<Arc<DetectorMetrics>>,
    /// Their names, each once.
    pub names: Arc<[Arc<str>]>,
    workers: Vec<Mutex<Option<StreamWorker>>>,
}

/// How many threads rules are made ready for, and how these work.
#[derive(Clone)]
pub struct Preparation {
    /// Worker threads.
    pub workers: usize,
    /// Shards of state.
    pub shards: usize,
    /// Whether a payload may hold several values.
    pub several_values: bool,
    /// How operators work.
    pub manner: Manner,
    /// Whether what detectors cost is measured to the last batch.
    pub thorough: bool,
    /// Hashes what comes from outside.
    pub hasher: SecretHasher,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RuleSet {
    /// The rules that a run starts with.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn first(
        versions: Versions,
        streams: &[Arc<StreamDetectors>],
        metrics: &Metrics,
        preparation: &Preparation,
    ) -> Result<Self, EngineError> {
        let rules = |stream: &Arc<StreamDetectors>| StreamRules::new(Arc::clone(stream), metrics, preparation);
        let rules = streams.iter().map(|stream| rules(stream).map(Arc::new)).collect::<Result<_, _>>()?;
        let terms = vec![Term::Stays; versions.list().len()];
        let set = Self::new(versions, rules, &[], terms, preparation)?;
        let always = vec![Lifetime::ALWAYS; set.versions.list().len()];
        set.settled.get_or_init(|| Settled::new(&set, always));
        Ok(set)
    }

    /// The rules after a change of `before`, with a term for each version.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn after(
        before: &Self,
        versions: Versions,
        terms: Vec<Term>,
        metrics: &Metrics,
        preparation: &Preparation,
    ) -> Result<Self, EngineError> {
        let rules = |rules: &Arc<StreamRules>| {
            let detectors = rules.detectors.changed(versions.list());
            if Arc::ptr_eq(&detectors, &rules.detectors) {
                return Ok(Arc::clone(rules));
            }
            StreamRules::new(detectors, metrics, preparation).map(Arc::new)
        };
        let streams = before.streams.iter().map(rules).collect::<Result<_, EngineError>>()?;
        Self::new(versions, streams, &before.detectors(), terms, preparation)
    }

    fn new(
        versions: Versions,
        streams: Vec<Arc<StreamRules>>,
        before: &[Arc<StreamDetectors>],
        terms: Vec<Term>,
        preparation: &Preparation,
    ) -> Result<Self, EngineError> {
        let mut set = Self {
            versions,
            streams,
            terms,
            settled: OnceLock::new(),
            shards: Vec::new(),
            left: Mutex::default(),
            tables: Mutex::default(),
            said: Vec::new(),
        };
        let detectors = set.detectors();
        let fresh = |_| {
            Fresh::new(&detectors, before, preparation.manner, &preparation.hasher).map(|fresh| Mutex::new(Some(fresh)))
        };
        let fresh = (0..preparation.shards).map(fresh).collect::<Result<_, _>>();
        set.shards = fresh.map_err(|error| EngineError::Detector(error.to_string()))?;
        Ok(set)
    }

    /// The detectors of each stream.
    #[must_use]
    pub fn detectors(&self) -> Vec<Arc<StreamDetectors>> {
        self.streams.iter().map(|stream| Arc::clone(&stream.detectors)).collect()
    }

    /// Whether it is settled when each version is live.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.settled.get().is_some()
    }

    /// Settles when each version is live, and gives tables their other rows, for event times from then on; `beyond` has,
    /// for each stream, an event time beyond all that were seen, and before `settled` nothing is judged any more. In the
    /// clocks' turn.
    pub fn begin(&self, before: &Self, beyond: &[i64], settled: i64) {
        let from = beyond.iter().copied().max().unwrap_or(i64::MIN);
        lock(&self.tables).drain(..).for_each(|(table, rows)| table.replace(&rows, from, settled));
        self.settled.get_or_init(|| {
            let known = |slot: u32| before.lifetime(slot);
            let gone = before.versions.list().iter().zip(before.lifetimes());
            Settled::new(self, terms::settled(self.versions.list(), &self.terms, &known, gone, beyond))
        });
    }

    fn settled(&self) -> &Settled {
        self.settled.get().expect("jobs with these rules come after the one that brings them")
    }

    /// When each version is live, in their order.
    ///
    /// # Panics
    /// If it is not settled yet: before the job that brings the rules.
    #[must_use]
    pub fn lifetimes(&self) -> &[Lifetime] {
        &self.settled().versions
    }

    /// When each detector of each stream is live, in their order.
    ///
    /// # Panics
    /// As [`Self::lifetimes`].
    #[must_use]
    pub fn by_stream(&self) -> &[Vec<Lifetime>] {
        &self.settled().streams
    }

    fn lifetime(&self, slot: u32) -> Option<Lifetime> {
        let place = self.versions.list().binary_search_by_key(&slot, |version| version.slot).ok()?;
        Some(self.lifetimes()[place])
    }

    /// The operators that a shard of this index does not have yet.
    #[must_use]
    pub fn fresh(&self, index: usize) -> Fresh {
        lock(&self.shards[index]).take().unwrap_or_default()
    }

    /// Takes what somebody has no use for any more, to be dropped later.
    pub fn leave(&self, what: impl Any + Send) {
        lock(&self.left).push(Box::new(what));
    }

    /// Drops what was left here.
    pub fn clear(&self) {
        drop(std::mem::take(&mut *lock(&self.left)));
    }
}

impl Settled {
    fn new(set: &RuleSet, versions: Vec<Lifetime>) -> Self {
        let list = set.versions.list();
        let of = |slot: &u32| {
            let place = list.binary_search_by_key(slot, |version| version.slot);
            versions[place.expect("a stream's detectors are of the set's versions")]
        };
        let streams = set.streams.iter().map(|stream| stream.detectors.slots.iter().map(of).collect()).collect();
        Self { streams, versions }
    }
}

impl StreamRules {
    fn new(detectors: Arc<StreamDetectors>, metrics: &Metrics, preparation: &Preparation) -> Result<Self, EngineError> {
        let workers = StreamWorker::of_all(&detectors, preparation)?;
        let infos = || detectors.detectors.iter().map(|detector| &detector.info);
        let mut seen = HashSet::new();
        Ok(Self {
            metrics: infos().map(|info| metrics.detector(&detectors.stream.name, &info.name)).collect(),
            names: infos().filter(|info| seen.insert(&info.name)).map(|info| info.name.as_str().into()).collect(),
            workers: workers.into_iter().map(|worker| Mutex::new(Some(worker))).collect(),
            detectors,
        })
    }

    /// What a worker of this index goes on with; it is there once.
    ///
    /// # Panics
    /// If it is asked for twice.
    pub fn worker(&self, index: usize) -> StreamWorker {
        lock(&self.workers[index]).take().expect("a worker goes over to a change's rules once")
    }
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSet").field("versions", &self.versions.list().len()).finish_non_exhaustive()
    }
}
