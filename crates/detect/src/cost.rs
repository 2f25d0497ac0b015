//! What detectors cost: nanoseconds of the threads that do their work.
//!
//! Work that is done for one detector is that one's. Work that is done for several at once is divided:
//!
//! - the WHEREs of a stream are judged together. Of some batches it is measured how long each one takes, and by that the
//!   time of all batches is divided; a WHERE that several detectors have is theirs in equal parts;
//! - what is looked up in tables is in equal parts the detectors' that look something up;
//! - keys, filters and kept columns are worked out once a batch: all operators that get rows of it have an equal part;
//! - an operator that several detectors share is theirs in equal parts.

use std::ops::{Add, AddAssign};

use watchfire_record::time::Stopwatch;

use crate::clauses::Clauses;

/// What a detector cost, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Judging its WHERE, looking up in tables among it.
    pub matching: u64,
    /// Making findings of rows that match.
    pub finding: u64,
    /// Taking out copies, and putting rows together by key for its operator.
    pub feeding: u64,
    /// Its operator: keeping state and finding in it.
    pub keeping: u64,
}

impl Cost {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.matching + self.finding + self.feeding + self.keeping
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            matching: self.matching + other.matching,
            finding: self.finding + other.finding,
            feeding: self.feeding + other.feeding,
            keeping: self.keeping + other.keeping,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Of how many batches one is measured WHERE by WHERE.
const BATCHES: u32 = 16;

/// How long each WHERE takes in the batches that are measured, by the index of the WHERE.
#[derive(Debug)]
pub struct Weights {
    of_clause: Vec<u64>,
    watch: Stopwatch,
}

impl Weights {
    fn new(clauses: usize) -> Self {
        Self { of_clause: vec![0; clauses], watch: Stopwatch::start() }
    }

    /// What follows is measured.
    pub fn begin(&mut self) {
        self.watch = Stopwatch::start();
    }

    /// What was done since the last one was for this WHERE.
    pub fn was(&mut self, clause: usize) {
        self.of_clause[clause] += self.watch.lap();
    }
}

/// What the detectors of one stream cost in one worker, since it was last told.
#[derive(Debug)]
pub struct Meter {
    watch: Stopwatch,
    batches: u32,
    /// Of how many batches one is measured WHERE by WHERE.
    every: u32,
    weights: Weights,
    matching: u64,
    /// By detector.
    costs: Vec<Cost>,
}

impl Meter {
    /// For these WHEREs and so many detectors. With `thorough`, each batch is measured WHERE by WHERE.
    #[must_use]
    pub fn new(clauses: &Clauses, detectors: usize, thorough: bool) -> Self {
        Self {
            watch: Stopwatch::start(),
            batches: 0,
            every: if thorough { 1 } else { BATCHES },
            weights: Weights::new(clauses.different.len()),
            matching: 0,
            costs: vec![Cost::default(); detectors],
        }
    }

    /// Work begins.
    pub fn begin(&mut self) {
        self.watch = Stopwatch::start();
    }

    /// A batch is about to be matched: how long each WHERE takes, if that is to be measured.
    pub fn weights(&mut self) -> Option<&mut Weights> {
        self.batches += 1;
        (self.batches.is_multiple_of(self.every) || self.batches == 1).then_some(&mut self.weights)
    }

    /// What was done since the work began, or since the last lap, was judging all WHEREs.
    pub fn matched(&mut self) {
        self.matching += self.watch.lap();
    }

    /// It was looking up in tables, for these detectors: a part of their WHEREs.
    pub fn looked_up(&mut self, detectors: impl Iterator<Item = usize> + Clone) {
        let (lap, count) = (self.watch.lap(), detectors.clone().count() as u64);
        detectors.for_each(|detector| self.costs[detector].matching += lap / count);
    }

    /// It was making findings for this detector.
    pub fn found(&mut self, detector: usize) {
        self.costs[detector].finding += self.watch.lap();
    }

    /// It was for all of these operators, each given as its detectors.
    pub fn fed<'a>(&mut self, operators: impl Iterator<Item = &'a Vec<usize>> + Clone) {
        let lap = self.watch.lap();
        let count = operators.clone().count() as u64;
        for members in operators {
            for member in members {
                self.costs[*member].feeding += lap / count / members.len() as u64;
            }
        }
    }

    /// What each detector cost since this was last asked, in their order.
    pub fn take(&mut self, clauses: &Clauses) -> Vec<Cost> {
        let mut costs = std::mem::replace(&mut self.costs, vec![Cost::default(); clauses.of_detector.len()]);
        let matching = std::mem::take(&mut self.matching);
        let mut sharing = vec![0u64; clauses.different.len()];
        clauses.of_detector.iter().for_each(|clause| sharing[*clause] += 1);
        let all = self.weights.of_clause.iter().sum::<u64>().max(1);
        for (cost, clause) in costs.iter_mut().zip(&clauses.of_detector) {
            let part = u128::from(matching) * u128::from(self.weights.of_clause[*clause]) / u128::from(all);
            cost.matching += u64::try_from(part).unwrap_or(u64::MAX) / sharing[*clause];
        }
        costs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_divided() {
        let clauses =
            Clauses { different: vec![Vec::new(), Vec::new()], of_detector: vec![0, 0, 1], ..Clauses::default() };
        let mut meter = Meter::new(&clauses, 3, true);
        meter.weights.of_clause = vec![300, 100];
        meter.matching = 4000;
        meter.fed([vec![0, 1], vec![2]].iter());
        let costs = meter.take(&clauses);
        assert_eq!(costs.iter().map(|cost| cost.matching).collect::<Vec<_>>(), [1500, 1500, 1000]);
        assert_eq!(costs[0].feeding, costs[1].feeding);
        assert!(costs[2].feeding >= 2 * costs[0].feeding);
        assert_eq!(meter.take(&clauses)[0].matching, 0);
    }
}
