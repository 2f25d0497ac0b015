//! An atom: a condition on one text column alone, known by value.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use watchfire_record::interner::NULL_ID;
use watchfire_record::{Batch, Column, Interner};

use super::clause::Truth;
use super::condition::Condition;

/// A condition on one text column, and what one worker knows of it.
#[derive(Clone)]
pub struct Atom {
    /// Index of the column among the batch's.
    pub column: usize,
    condition: Arc<Condition>,
    /// Its truth for NULL, then for each value id seen so far.
    truths: Vec<Truth>,
    /// What has become of it.
    state: Met,
}

/// What has become of a condition so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// No record got as far as it.
    #[default]
    NotAsked,
    /// No value met it.
    Never,
    /// A value met it, or NULL does.
    Once,
}

/// An atom's truth for the rows of one batch.
pub enum View {
    /// Looked up by the rows' value ids.
    ByValue,
    /// Evaluated row by row, for a column that is not interned.
    ByRow(BooleanArray),
}

impl Atom {
    /// An atom of which nothing is known.
    pub fn new(column: usize, condition: Arc<Condition>) -> Self {
        Self { column, condition, truths: Vec::new(), state: Met::NotAsked }
    }

    /// Evaluates the atom for values that came since the last time.
    pub fn learn(&mut self, values: &Interner) {
        if self.truths.len() > values.len() + 1 {
            self.truths.clear();
        }
        if self.truths.is_empty() {
            self.truths.push(self.condition.of_null().into());
            self.see(self.truths[0] == Truth::True);
        }
        let known = self.truths.len() - 1;
        if known < values.len() {
            self.learn_from(known, values);
            let met = self.truths[known + 1..].contains(&Truth::True);
            self.see(met);
        }
    }

    /// Evaluates it for values from this id on.
    fn learn_from(&mut self, first: usize, values: &Interner) {
        let ids = u32::try_from(first).expect("ids fit u32")..u32::try_from(values.len()).expect("ids fit u32");
        let truths = self.condition.of_texts(ids.map(|id| values.text(id)));
        self.truths.extend(truths.iter().map(Truth::from));
    }

    /// What has become of it.
    pub fn met(&self) -> Met {
        self.state
    }

    fn see(&mut self, met: bool) {
        self.state = self.state.max(if met { Met::Once } else { Met::Never });
    }

    /// The truth at an index: 0 for NULL, else a value's id + 1.
    pub fn known(&self, index: usize) -> Truth {
        self.truths[index]
    }

    /// The atom's truth for all rows of a batch.
    pub fn view(&mut self, batch: &Batch) -> View {
        match &batch.columns[self.column] {
            Column::Interned { values, .. } => {
                self.learn(values);
                View::ByValue
            }
            Column::Plain(array) => {
                let truths = self.condition.of_column(array);
                if self.state != Met::Once {
                    self.see(truths.true_count() > 0);
                }
                View::ByRow(truths)
            }
        }
    }
}

impl View {
    /// The atom's truth for a row.
    pub fn truth(&self, atom: &Atom, batch: &Batch, row: u32) -> Truth {
        match (self, &batch.columns[atom.column]) {
            (Self::ByRow(values), _) => Truth::from(values.is_valid(row as usize).then(|| values.value(row as usize))),
            (Self::ByValue, Column::Interned { ids, .. }) => atom.known(value_index(ids[row as usize])),
            (Self::ByValue, Column::Plain(_)) => unreachable!("a view is made for the batch that it is used with"),
        }
    }
}

/// Where an atom keeps its truth for a value id: 0 for NULL, else the id + 1.
pub fn value_index(id: u32) -> usize {
    if id == NULL_ID { 0 } else { id as usize + 1 }
}
