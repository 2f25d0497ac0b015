//! The different WHEREs of a stream's detectors.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_expr::Expr;

use crate::detector::Detector;
use crate::matcher::Conditions;

/// The different WHEREs of a stream's detectors.
#[derive(Debug, Clone, Default)]
pub struct Clauses {
    /// Each as its conjuncts.
    pub different: Vec<Vec<Expr>>,
    /// By detector: the index of its WHERE. Detectors with state share none with those without.
    pub of_detector: Vec<usize>,
    /// Indices of those of detectors with state, in the order of their numbers.
    pub stateful: Vec<usize>,
    /// For each, its number: which records it has let in is remembered by it when detectors change.
    pub(crate) numbers: Vec<u32>,
    /// The first number that was never given.
    pub(crate) next: u32,
    /// The conditions that they are made of, compiled once.
    pub conditions: Conditions,
}

impl Clauses {
    /// Those of these detectors; one that was there `before` keeps its number.
    #[must_use]
    pub fn new(detectors: &[Arc<Detector>], before: Option<&Self>) -> Self {
        let (mut different, mut of_detector, mut stateful) = (Vec::new(), Vec::new(), Vec::new());
        let mut known: HashMap<(bool, &[Expr]), usize> = HashMap::new();
        for detector in detectors {
            let predicates = &detector.reads().predicates;
            let clause = *known.entry((detector.stateful(), predicates)).or_insert(different.len());
            if clause == different.len() {
                different.push(predicates.clone());
                if detector.stateful() {
                    stateful.push(clause);
                }
            }
            of_detector.push(clause);
        }
        let (numbers, next) = numbers(&different, &stateful, before);
        stateful.sort_by_key(|clause| numbers[*clause]);
        let conditions = before.map_or_else(Conditions::default, |before| before.conditions.clone());
        conditions.forget_unused();
        Self { different, of_detector, stateful, numbers, next, conditions }
    }

    /// A WHERE's number, by its index.
    #[must_use]
    pub fn number(&self, clause: usize) -> u32 {
        self.numbers[clause]
    }

    /// The index of a WHERE of a detector with state, by its number.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn with_number(&self, number: u32) -> usize {
        let place = self.stateful.binary_search_by_key(&number, |clause| self.numbers[*clause]);
        self.stateful[place.expect("whose number it is lets records in")]
    }
}

/// The numbers of WHEREs, of which those of detectors with state may have been there before; and the next number.
fn numbers(different: &[Vec<Expr>], stateful: &[usize], before: Option<&Clauses>) -> (Vec<u32>, u32) {
    let mut next = before.map_or(0, |before| before.next);
    let of_before = before.into_iter().flat_map(|before| {
        before.stateful.iter().map(|clause| (before.different[*clause].as_slice(), before.numbers[*clause]))
    });
    let known: HashMap<&[Expr], u32> = of_before.collect();
    let mut numbers = vec![u32::MAX; different.len()];
    for clause in stateful {
        numbers[*clause] = known.get(different[*clause].as_slice()).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
    }
    (numbers, next)
}
