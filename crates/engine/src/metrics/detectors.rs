//! What is counted of each detector.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use watchfire_detect::Cost;
use watchfire_detect::operators::OperatorStatistics;

use super::Metrics;
use crate::caps::LIMITS;

/// Counts of one detector.
#[derive(Debug, Default)]
pub struct DetectorMetrics {
    /// The detector's name.
    pub name: String,
    /// The stream's name.
    pub stream: String,
    /// Rows that passed its WHERE.
    pub matched: AtomicU64,
    /// Finding lines, by state: new, updated, final, withdrawn.
    pub findings: [AtomicU64; 4],
    /// What it cost, in parts, nanoseconds.
    cost: [AtomicU64; 4],
    /// From a record's broker timestamp to its finding's acknowledgement: how many, and their sum and the longest,
    /// microseconds.
    pub latency: [AtomicU64; 3],
    /// The most keys and bytes of state that were told at a time.
    pub most: [AtomicU64; 2],
    /// How often it passed a limit: of keys, of bytes, of CPU.
    pub capped: [AtomicU64; LIMITS.len()],
    /// Whether it was stopped.
    pub stopped: AtomicBool,
    version: Mutex<LiveVersion>,
    kept: Mutex<Kept>,
}

/// The version of a detector that came last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveVersion {
    /// The version: 12 hexadecimal digits.
    pub version: String,
    /// From which event time on it is live, microseconds; `None` if it was there from the start.
    pub from: Option<i64>,
}

/// What the operators of one detector count.
#[derive(Debug, Default)]
struct Kept {
    /// By shard and number: while a detector is changed, two versions of it may have operators.
    operators: BTreeMap<(usize, u32), OperatorStatistics>,
    /// Of operators that have gone.
    gone: OperatorStatistics,
}

impl DetectorMetrics {
    fn new(stream: &str, name: &str) -> Self {
        Self { name: name.to_owned(), stream: stream.to_owned(), ..Self::default() }
    }

    /// Takes over what its operator of a number counts in a shard.
    pub fn tell(&self, shard: usize, operator: u32, statistics: OperatorStatistics) {
        self.kept().operators.insert((shard, operator), statistics);
        let now = self.operator();
        for (most, now) in self.most.iter().zip([now.keys, now.bytes]) {
            most.fetch_max(now, Relaxed);
        }
    }

    /// It cost this too.
    pub fn add_cost(&self, cost: Cost) {
        let parts = [cost.matching, cost.finding, cost.feeding, cost.keeping];
        self.cost.iter().zip(parts).for_each(|(sum, part)| _ = sum.fetch_add(part, Relaxed));
    }

    /// What it cost so far.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let [matching, finding, feeding, keeping] = [0, 1, 2, 3].map(|part| self.cost[part].load(Relaxed));
        Cost { matching, finding, feeding, keeping }
    }

    /// A finding took so long, microseconds.
    pub(super) fn took(&self, micros: u64) {
        self.latency[0].fetch_add(1, Relaxed);
        self.latency[1].fetch_add(micros, Relaxed);
        self.latency[2].fetch_max(micros, Relaxed);
    }

    /// An operator is not its own any more: it keeps nothing there, and its counts stay.
    pub fn forget(&self, shard: usize, operator: u32) {
        let mut kept = self.kept();
        if let Some(last) = kept.operators.remove(&(shard, operator)) {
            kept.gone += OperatorStatistics { keys: 0, bytes: 0, ..last };
        }
    }

    /// Another version has come.
    pub fn turn_to(&self, version: LiveVersion) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }

    /// The version that came last.
    #[must_use]
    pub fn version(&self) -> LiveVersion {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What its operators count, all shards together.
    #[must_use]
    pub fn operator(&self) -> OperatorStatistics {
        let kept = self.kept();
        let mut sum = kept.gone;
        kept.operators.values().for_each(|one| sum += *one);
        sum
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The detectors that are counted.
#[derive(Debug, Default)]
pub(super) struct Detectors {
    /// By stream and name, in the order in which they came.
    pub(super) list: Vec<Arc<DetectorMetrics>>,
    by_name: HashMap<String, Vec<usize>>,
    /// Finding lines of those that have gone, by state.
    pub(super) gone: [u64; 4],
}

impl Detectors {
    pub(super) fn place(&self, stream: &str, name: &str) -> Option<usize> {
        self.by_name.get(name)?.iter().copied().find(|place| self.list[*place].stream == stream)
    }

    pub(super) fn names(&self) -> usize {
        self.by_name.len()
    }

    fn add(&mut self, detector: Arc<DetectorMetrics>) {
        self.by_name.entry(detector.name.clone()).or_default().push(self.list.len());
        self.list.push(detector);
    }
}

impl Metrics {
    /// The counts of a stream's detector, all versions together; zero if it is new.
    pub fn detector(&self, stream: &str, name: &str) -> Arc<DetectorMetrics> {
        let mut detectors = self.detectors.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = detectors.place(stream, name) {
            return Arc::clone(&detectors.list[place]);
        }
        let detector = Arc::new(DetectorMetrics::new(stream, name));
        detectors.add(Arc::clone(&detector));
        detector
    }

    /// All detectors that are counted.
    #[must_use]
    pub fn detectors(&self) -> Vec<Arc<DetectorMetrics>> {
        self.detectors.read().unwrap_or_else(PoisonError::into_inner).list.clone()
    }

    /// Counts no others than these any more. How much those found that have gone is not forgotten.
    pub fn keep_detectors(&self, kept: &[Arc<DetectorMetrics>]) {
        let mut detectors = self.detectors.write().unwrap_or_else(PoisonError::into_inner);
        let stays: HashSet<*const DetectorMetrics> = kept.iter().map(Arc::as_ptr).collect();
        let mut after = Detectors { gone: detectors.gone, ..Detectors::default() };
        for detector in detectors.list.drain(..) {
            if stays.contains(&Arc::as_ptr(&detector)) {
                after.add(detector);
            } else {
                after.gone.iter_mut().zip(&detector.findings).for_each(|(sum, count)| *sum += count.load(Relaxed));
            }
        }
        *detectors = after;
    }
}
