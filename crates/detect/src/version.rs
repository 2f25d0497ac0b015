//! The versions of detectors that a run has, and whose state they go on with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion_expr::Expr;
use watchfire_record::DetectorInfo;

use crate::detector::{Detector, StreamDetectors};
use crate::operators::arrivals::STRETCH;
use crate::operators::post::{early, first_seen};
use crate::plan::{Input, Operator};

/// A version of a detector, among all that a run has had.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number: none is given twice.
    pub slot: u32,
    /// The number of the operator that keeps its state, and maybe that of others; its own slot if it keeps none.
    pub operator: u32,
    /// The detector as it reads each of its inputs.
    pub parts: Vec<Arc<Detector>>,
}

impl Version {
    /// The detector, as it reads its first input.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        &self.parts[0]
    }

    /// What its findings carry.
    #[must_use]
    pub fn info(&self) -> &Arc<DetectorInfo> {
        &self.parts[0].info
    }
}

/// Versions in the order of their slots.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    list: Vec<Version>,
    next: u32,
}

/// What versions whose windows are the same agree in.
type Windows<'a> = (&'a [Expr], Vec<&'a Expr>, &'a Operator);

impl Versions {
    /// Detectors, each in its first version.
    #[must_use]
    pub fn first(detectors: &[Detector]) -> Self {
        let mut versions = Self::default();
        versions.add(detectors.iter().map(|detector| (Arc::new(detector.clone()), None)).collect());
        versions
    }

    /// Those of these streams.
    #[must_use]
    pub fn of_streams(streams: &[Arc<StreamDetectors>]) -> Self {
        let mut list: BTreeMap<u32, Version> = BTreeMap::new();
        for stream in streams {
            for (slot, part) in stream.slots.iter().zip(&stream.detectors) {
                let version = Version { slot: *slot, operator: *slot, parts: Vec::new() };
                list.entry(*slot).or_insert(version).parts.push(Arc::clone(part));
            }
            for (members, number) in stream.operators.iter().zip(&stream.numbers) {
                for member in members {
                    list.entry(stream.slots[*member]).and_modify(|version| version.operator = *number);
                }
            }
        }
        let next = list.last_key_value().map_or(0, |(slot, _)| slot + 1);
        let mut list: Vec<Version> = list.into_values().collect();
        list.iter_mut().for_each(|version| version.parts.sort_by_key(|part| part.input));
        Self { list, next }
    }

    /// The versions.
    #[must_use]
    pub fn list(&self) -> &[Version] {
        &self.list
    }

    /// Adds versions, each with the slot of the one that it comes after, if it does: it goes on with that one's state if
    /// it asks for the same. Windows are anybody's who asks for the same.
    pub fn add(&mut self, detectors: Vec<(Arc<Detector>, Option<u32>)>) {
        let first = self.list.len();
        for (detector, _) in &detectors {
            let (slot, inputs) = (self.next, detector.plan.inputs.len());
            self.next += 1;
            let part = |input: usize| {
                if input == detector.input { Arc::clone(detector) } else { Arc::new(detector.of_input(input)) }
            };
            self.list.push(Version { slot, operator: slot, parts: (0..inputs).map(part).collect() });
        }
        let operators: Vec<u32> = {
            let (before, added) = self.list.split_at(first);
            let mut windows: HashMap<Windows<'_>, u32> = HashMap::new();
            for version in before {
                windows_of(version.detector())
                    .into_iter()
                    .for_each(|of| _ = windows.entry(of).or_insert(version.operator));
            }
            let mut operators = Vec::new();
            for (version, (_, after)) in added.iter().zip(&detectors) {
                operators.push(if let Some(of) = windows_of(version.detector()) {
                    *windows.entry(of).or_insert(version.slot)
                } else {
                    let predecessor = after.and_then(|slot| before.iter().find(|before| before.slot == slot));
                    let known = predecessor.filter(|before| version.detector().goes_on_with(before.detector()));
                    known.map_or(version.slot, |before| before.operator)
                });
            }
            operators
        };
        self.list[first..].iter_mut().zip(operators).for_each(|(version, operator)| version.operator = operator);
    }

    /// Takes versions away.
    pub fn retain(&mut self, stays: impl Fn(u32) -> bool) {
        self.list.retain(|version| stays(version.slot));
    }
}

fn windows_of(detector: &Detector) -> Option<Windows<'_>> {
    let operator = &detector.plan.operator;
    let keys = || detector.plan.keys.iter().map(|(_, expr)| expr).collect();
    matches!(operator, Operator::Window { .. }).then(|| (detector.reads().predicates.as_slice(), keys(), operator))
}

impl Detector {
    /// Whether this detector can go on with the state that another keeps: it asks for the same rows, keys and aggregates,
    /// or for the same sequence, and differs in what it finds there.
    #[must_use]
    pub fn goes_on_with(&self, before: &Self) -> bool {
        let (plan, other) = (&self.plan, &before.plan);
        let keys = |keys: &[(String, Expr)]| keys.iter().map(|(_, expr)| expr.clone()).collect::<Vec<_>>();
        let same = |(a, b): (&Input, &Input)| {
            a.stream == b.stream
                && a.predicates == b.predicates
                && keys(&a.keys) == keys(&b.keys)
                && a.placed_by == b.placed_by
        };
        let kept = |(a, b): (&Input, &Input)| a.kept_columns == b.kept_columns;
        let inputs = || plan.inputs.iter().zip(&other.inputs);
        plan.operator == other.operator
            && plan.inputs.len() == other.inputs.len()
            && inputs().all(same)
            && match &plan.operator {
                Operator::Match => false,
                Operator::Window { .. } => keys(&plan.keys) == keys(&other.keys),
                Operator::OverRange { aggregates } | Operator::OverWindows { aggregates, .. } => {
                    keys(&plan.keys) == keys(&other.keys)
                        && early(&plan.having, aggregates) == early(&other.having, aggregates)
                        && first_seen(&plan.having, aggregates) == first_seen(&other.having, aggregates)
                }
                Operator::Sequence(_) => inputs().all(kept),
            }
    }

    /// For how long after a version's end, microseconds, what began before it may go on: a window that is open, a sequence
    /// that waits for its second record, or a row that waits to be looked at.
    #[must_use]
    pub fn tail(&self) -> i64 {
        match &self.plan.operator {
            Operator::Match => 0,
            // Rows that are final may wait for others of their time.
            Operator::OverRange { .. } => STRETCH,
            Operator::Window { size, .. } => *size,
            Operator::OverWindows { windows, .. } => windows.size,
            Operator::Sequence(sequence) => {
                sequence.upper.max(sequence.lower.saturating_neg()).max(0).saturating_add(1)
            }
        }
    }
}
