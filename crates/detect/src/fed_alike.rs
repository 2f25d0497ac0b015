//! What operators of one stream and shard have in common that are fed the same rows by the same keys: these rows, and, if
//! they are windows, the records that came.

use std::sync::Arc;

use datafusion_expr::Expr;

use crate::detector::StreamDetectors;
use crate::operators::feed::Fed;
use crate::operators::feeder::is_fed_by_group;
use crate::operators::key_table::KeyTable;
use crate::operators::record_table::{Marks, RecordTable};
use crate::operators::resolution::Lengths;
use crate::operators::runs::Runs;
use crate::operators::trail::{Trail, TrailView};
use crate::plan::Operator;

/// The operators of a stream by what they are fed.
#[derive(Default)]
pub struct FedAlike {
    feedings: Vec<Feeding>,
    /// The place of each operator's among these; those have one that are fed by group.
    of_operators: Vec<Option<usize>>,
}

/// What makes operators be fed alike: number of the WHERE, place of the kind of keys, by what rows go to shards.
type Fedness = (u32, usize, Option<Arc<[Expr]>>);

struct Feeding {
    fedness: Fedness,
    /// The operators, by their places.
    operators: Vec<usize>,
    /// The windows among them.
    windows: Lengths,
    /// Without windows nothing is noted.
    trail: Trail,
    /// For each step at hand: its rows, if there are any, and how many records had been noted after it.
    steps: Vec<(Option<Runs>, usize)>,
}

impl Feeding {
    /// An operator of this place is fed so.
    fn add(&mut self, place: usize, operator: &Operator) {
        self.operators.push(place);
        match operator {
            Operator::Window { size, slide, .. } => self.windows.add(*size, *slide),
            Operator::OverWindows { windows, .. } => self.windows.add(windows.size, windows.slide),
            _ => {}
        }
    }
}

impl FedAlike {
    /// From now on these are the stream's operators; `kinds` has the place of each one's kind of keys. What had come for
    /// those that are still there stays known.
    pub fn change(&mut self, detectors: &StreamDetectors, kinds: &[Option<usize>]) {
        let mut before = std::mem::take(self).feedings;
        for (place, (members, kind)) in detectors.operators.iter().zip(kinds).enumerate() {
            let first = members[0];
            let detector = &detectors.detectors[first];
            let feeding = kind.filter(|_| is_fed_by_group(&detector.plan)).map(|kind| {
                let clause = detectors.clauses.number(detectors.clauses.of_detector[first]);
                let placed_by = detector.reads().placed_by.as_deref().map(Arc::from);
                let feeding = self.with(&mut before, (clause, kind, placed_by));
                self.feedings[feeding].add(place, &detector.plan.operator);
                feeding
            });
            self.of_operators.push(feeding);
        }
    }

    /// The place of those that are fed so, which may have been there before.
    fn with(&mut self, before: &mut Vec<Feeding>, fedness: Fedness) -> usize {
        if let Some(known) = self.feedings.iter().position(|feeding| feeding.fedness == fedness) {
            return known;
        }
        let known = before.iter().position(|feeding| feeding.fedness == fedness);
        let trail = known.map_or_else(Trail::default, |known| before.swap_remove(known).trail);
        self.feedings.push(Feeding {
            fedness,
            operators: Vec::new(),
            windows: Lengths::default(),
            trail,
            steps: Vec::new(),
        });
        self.feedings.len() - 1
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.feedings.len()
    }

    /// The operators that are fed so, at least one, by their places; and the place of their kind of keys.
    #[must_use]
    pub fn operators(&self, feeding: usize) -> (&[usize], usize) {
        let Feeding { operators, fedness, .. } = &self.feedings[feeding];
        (operators, fedness.1)
    }

    /// The next step has come to those of this place, with rows of one of the operators, if there are any.
    pub fn come(&mut self, feeding: usize, fed: Option<Fed<'_>>, keys: &mut KeyTable, records: &mut RecordTable) {
        let Feeding { trail, steps, windows, .. } = &mut self.feedings[feeding];
        let runs = fed.map(|fed| {
            if let Some(groups) = fed.groups() {
                keys.turn_to(groups);
            }
            let runs = Runs::of(&fed, keys);
            if !windows.is_empty() {
                records.turn_to(fed.records());
                for run in runs.iter() {
                    trail.add(run.key, run.rows.iter().map(|row| records.of_row(fed.row(*row))));
                }
            }
            runs
        });
        steps.push((runs, trail.count()));
    }

    /// The rows of a step for an operator, and what had come by then.
    #[must_use]
    pub fn of(&self, operator: usize, step: usize) -> (Option<&Runs>, Option<TrailView<'_>>) {
        let Some(feeding) = self.of_operators[operator] else { return (None, None) };
        let Feeding { trail, steps, .. } = &self.feedings[feeding];
        let (runs, until) = &steps[step];
        (runs.as_ref(), Some(trail.view(*until)))
    }

    /// The steps at hand are done with.
    pub fn turn_away(&mut self) {
        self.feedings.iter_mut().for_each(|feeding| feeding.steps.clear());
    }

    /// Keys of a kind are gone.
    pub fn forget(&mut self, kind: usize, keys: &[u32]) {
        for feeding in self.feedings.iter_mut().filter(|feeding| feeding.fedness.1 == kind) {
            keys.iter().for_each(|key| feeding.trail.forget(*key));
        }
    }

    /// Keeps and marks the records that windows can show which are not final at this watermark.
    pub fn keep(&mut self, watermark: i64, records: &RecordTable, marks: &mut Marks) {
        for Feeding { trail, windows, .. } in &mut self.feedings {
            trail.keep(&windows.at(watermark), records, marks);
        }
    }

    /// About how many bytes they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.feedings.iter().map(|feeding| feeding.trail.bytes()).sum()
    }
}
