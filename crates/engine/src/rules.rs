//! The detectors that are live, from one change to the next.
//!
//! A [`RuleSet`] travels with every job from intake on, so that all workers and shards go over to the next one at exactly
//! one place of the stream. What they need for it is made beforehand, off their way: judges, decoders and operators lie
//! ready in [`StreamRules`]. When versions of detectors begin and end is settled in the turn of the stream's clock, where
//! it is known which event times were seen.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use watchfire_detect::identities::SecretHasher;
use watchfire_detect::shard::FreshOperators;
use watchfire_detect::{Lifetime, Shard, StreamDetectors};

use crate::error::EngineError;
use crate::metrics::{DetectorMetrics, Metrics};
use crate::worker::StreamWorker;

/// All detectors that are live for a job.
#[derive(Debug)]
pub struct RuleSet {
    /// By the engine's list of streams. Streams that a change does not touch are the same as before.
    pub streams: Vec<Arc<StreamRules>>,
}

/// What a change makes of a detector's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// It goes on as it was.
    Stays,
    /// It is live from an event time on that is a multiple of this, microseconds.
    Begins {
        /// The length of which its windows, and those of the version that it replaces, are made.
        align: i64,
    },
    /// It ends where the version that replaces it begins, or, if none does, at once.
    Ends,
}

/// The detectors of one stream, and what workers and shards run them with.
pub struct StreamRules {
    /// The detectors.
    pub detectors: Arc<StreamDetectors>,
    /// Where each is counted, in their order; versions of one detector in one place.
    pub metrics: Vec<Arc<DetectorMetrics>>,
    /// Their names, each once.
    pub names: Arc<[Arc<str>]>,
    /// The first slot that was never given.
    pub next_slot: u32,
    terms: Vec<Term>,
    lifetimes: OnceLock<Box<[Lifetime]>>,
    workers: Vec<Mutex<Option<StreamWorker>>>,
    shards: Vec<Mutex<Option<FreshOperators>>>,
}

/// How many threads rules are made ready for, and how these work.
#[derive(Debug, Clone)]
pub struct Preparation {
    /// Worker threads.
    pub workers: usize,
    /// Shards of state.
    pub shards: usize,
    /// Whether a payload may hold several values.
    pub several_values: bool,
    /// Whether findings are told before they are final.
    pub fires_early: bool,
    /// Hashes what comes from outside.
    pub hasher: SecretHasher,
}

impl StreamRules {
    /// The rules that a run starts with; shards make their operators themselves.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn first(
        detectors: Arc<StreamDetectors>,
        metrics: &Metrics,
        preparation: &Preparation,
    ) -> Result<Self, EngineError> {
        let (always, stays) = (vec![Lifetime::ALWAYS; detectors.slots.len()], vec![Term::Stays; detectors.slots.len()]);
        let rules = Self::prepared(detectors, stays, metrics, preparation)?;
        rules.lifetimes.get_or_init(|| always.into());
        Ok(rules)
    }

    /// The rules after a change of `before`, with a term for each detector.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn after(
        before: &Self,
        detectors: StreamDetectors,
        terms: Vec<Term>,
        metrics: &Metrics,
        preparation: &Preparation,
    ) -> Result<Self, EngineError> {
        let mut rules = Self::prepared(Arc::new(detectors), terms, metrics, preparation)?;
        let fresh = |_| -> Result<_, EngineError> {
            let fresh = Shard::fresh(&rules.detectors, &before.detectors.slots, preparation.fires_early);
            Ok(Mutex::new(Some(fresh.map_err(|error| EngineError::Detector(error.to_string()))?)))
        };
        rules.shards = (0..preparation.shards).map(fresh).collect::<Result<_, _>>()?;
        rules.next_slot = rules.next_slot.max(before.next_slot);
        Ok(rules)
    }

    fn prepared(
        detectors: Arc<StreamDetectors>,
        terms: Vec<Term>,
        metrics: &Metrics,
        preparation: &Preparation,
    ) -> Result<Self, EngineError> {
        let worker = |_| StreamWorker::new(&detectors, preparation).map(|worker| Mutex::new(Some(worker)));
        let workers = (0..preparation.workers).map(worker).collect::<Result<_, _>>()?;
        let infos = || detectors.detectors.iter().map(|detector| &detector.info);
        let mut seen = HashSet::new();
        Ok(Self {
            metrics: infos().map(|info| metrics.detector(&info.stream, &info.name)).collect(),
            names: infos().filter(|info| seen.insert(&info.name)).map(|info| info.name.as_str().into()).collect(),
            next_slot: detectors.slots.last().map_or(0, |last| last + 1),
            terms,
            lifetimes: OnceLock::new(),
            workers,
            shards: Vec::new(),
            detectors,
        })
    }

    /// Whether it is settled when each version is live.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.lifetimes.get().is_some()
    }

    /// When each version is live, in the order of the detectors.
    ///
    /// # Panics
    /// If it is not settled yet: before the job that brings the rules.
    #[must_use]
    pub fn lifetimes(&self) -> &[Lifetime] {
        self.lifetimes.get().expect("jobs with these rules come after the one that brings them")
    }

    /// Settles when each version is live; `beyond` is an event time beyond all that were seen. In the clock's turn.
    pub fn begin(&self, before: &Self, beyond: i64) {
        self.lifetimes.get_or_init(|| self.settled(before, beyond).into());
    }

    fn settled(&self, before: &Self, beyond: i64) -> Vec<Lifetime> {
        let known = |place: usize| before.detectors.place(self.detectors.slots[place]).map(|p| before.lifetimes()[p]);
        let first = |(place, term): (usize, &Term)| match *term {
            Term::Begins { align } => Lifetime { from: aligned(beyond, align), to: i64::MAX },
            Term::Stays => known(place).unwrap_or(Lifetime::ALWAYS),
            Term::Ends => known(place).map_or(Lifetime::ALWAYS, |l| Lifetime { to: l.to.min(beyond), ..l }),
        };
        let mut lifetimes: Vec<Lifetime> = self.terms.iter().enumerate().map(first).collect();
        for (place, term) in self.terms.iter().enumerate() {
            let begins = lifetimes[place].from;
            for other in self.versions(place).filter(|other| *other != place) {
                match term {
                    Term::Begins { .. } if self.terms[other] == Term::Ends => lifetimes[other].to = begins,
                    // It had ended later than the new one begins, and has seen nothing since.
                    Term::Begins { .. } => lifetimes[other].to = lifetimes[other].to.min(begins),
                    _ => {}
                }
            }
        }
        // One that ends takes those with it that came before it and have yet to end.
        for place in (0..self.terms.len()).filter(|place| self.terms[*place] == Term::Ends) {
            for other in self.versions(place).filter(|other| !matches!(self.terms[*other], Term::Begins { .. })) {
                lifetimes[other].to = lifetimes[other].to.min(lifetimes[place].to);
            }
        }
        self.take_over(before, &mut lifetimes);
        lifetimes
    }

    /// A record may come however late. Detectors without state judge it all the same: when the version whose it was has
    /// gone, the one that came after it does.
    fn take_over(&self, before: &Self, lifetimes: &mut [Lifetime]) {
        let gone = before.detectors.slots.iter().zip(&before.detectors.detectors).zip(before.lifetimes());
        for ((slot, detector), old) in gone {
            if detector.stateful() || self.detectors.place(*slot).is_some() {
                continue;
            }
            let next = |place: &usize| {
                let other = &self.detectors.detectors[*place];
                !other.stateful() && other.info.name == detector.info.name && lifetimes[*place].from == old.to
            };
            if let Some(place) = (0..lifetimes.len()).find(next) {
                lifetimes[place].from = old.from;
            }
        }
    }

    /// Where the versions of one detector are.
    fn versions(&self, place: usize) -> impl Iterator<Item = usize> {
        let name = |place: usize| &self.detectors.detectors[place].info.name;
        let many = self.names.len() < self.terms.len();
        let range = if many { 0..self.terms.len() } else { place..place + 1 };
        range.filter(move |other| name(*other) == name(place))
    }

    /// What a worker of this index goes on with; it is there once.
    ///
    /// # Panics
    /// If it is asked for twice.
    pub fn worker(&self, index: usize) -> StreamWorker {
        let worker = self.workers[index].lock().unwrap_or_else(PoisonError::into_inner).take();
        worker.expect("a worker goes over to a change's rules once")
    }

    /// The operators that a shard of this index does not have yet.
    #[must_use]
    pub fn fresh_operators(&self, index: usize) -> FreshOperators {
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

impl std::fmt::Debug for StreamRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamRules").field("slots", &self.detectors.slots).finish_non_exhaustive()
    }
}

/// The first multiple of `align` that is not before a time; before the first record there is nothing to align to.
fn aligned(time: i64, align: i64) -> i64 {
    if time == i64::MIN || align <= 1 {
        return time;
    }
    let past = time.rem_euclid(align);
    if past == 0 { time } else { time.saturating_add(align - past) }
}
