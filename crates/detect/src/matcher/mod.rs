//! All WHERE clauses at once: which rows of a batch does each detector want?
//!
//! A clause is a conjunction. Each operand that reads one text column alone is an **atom**: it is evaluated
//! once for each distinct value of the column, natively or by DataFusion, and looked up for rows. A detector is **filed** under its
//! most telling atom, so that a row meets only the detectors whose filed atom holds for it. What is no atom is
//! evaluated by DataFusion over the rows that are left. So the answer is SQL's, NULL and all, by construction; the
//! property test below holds it to DataFusion's own filter all the same.

mod atom;
mod clause;
mod columns;
mod condition;
mod native;
mod watch;

use std::collections::HashMap;

use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::{Batch, ColumnRequest};

pub use atom::Met;
use atom::{Atom, View, value_index};
use clause::{Clause, Truth};
pub use columns::{BatchColumns, is_system};
pub use condition::Conditions;
pub use watch::Presence;
use watch::{Among, Watched};

use crate::cost::Weights;

/// The detectors filed under atoms of one column.
#[derive(Clone)]
struct File {
    /// Index of the column among the batch's.
    column: usize,
    /// Clause and the atom that it is filed under.
    entries: Vec<(u32, usize)>,
    /// For each value id: the clauses whose atom holds for it.
    by_value: Vec<Vec<u32>>,
}

/// The clauses of all detectors of one stream, for one worker.
#[derive(Clone)]
pub struct Matcher {
    atoms: Vec<Atom>,
    clauses: Vec<Clause>,
    files: Vec<File>,
    unfiled: Vec<u32>,
    watched: Vec<Watched>,
    /// The different sets of fields that are watched, as places among a batch's columns.
    watched_fields: Vec<Vec<usize>>,
    /// Of each that is watched, what the last batch had.
    presence: Vec<Presence>,
}

impl Matcher {
    /// A matcher for clauses (each a list of conjuncts) over batches with these columns; conditions that others have are
    /// taken from them.
    ///
    /// # Errors
    /// If an expression does not fit the columns, which planning rules out.
    pub fn new(clauses: &[Vec<Expr>], columns: &[ColumnRequest], conditions: &Conditions) -> Result<Self> {
        let mut builder = clause::Builder::new(columns, conditions);
        let compiled = clauses.iter().map(|conjuncts| builder.clause(conjuncts)).collect::<Result<Vec<_>>>()?;
        let atoms = builder.into_atoms();
        let (mut files, mut unfiled) = (HashMap::<usize, Vec<(u32, usize)>>::new(), Vec::new());
        for (index, clause) in (0u32..).zip(&compiled) {
            match clause.filed_under {
                Some(atom) => files.entry(atoms[atom].column).or_default().push((index, atom)),
                None => unfiled.push(index),
            }
        }
        let mut files: Vec<File> =
            files.into_iter().map(|(column, entries)| File { column, entries, by_value: Vec::new() }).collect();
        files.sort_by_key(|file| file.column);
        Ok(Self {
            atoms,
            clauses: compiled,
            files,
            unfiled,
            watched: Vec::new(),
            watched_fields: Vec::new(),
            presence: Vec::new(),
        })
    }

    /// Watches for fields: for each, the index of a clause that needs one of these columns of a batch, and whether it is
    /// looked for among the rows that pass it, not those that might.
    pub fn watch(&mut self, fields: impl IntoIterator<Item = (usize, Vec<usize>, bool)>) {
        let (mut sets, mut known) = (Vec::new(), HashMap::new());
        let watched = fields.into_iter().map(|(clause, columns, passed)| {
            let filed = self.clauses[clause].filed_under.map(|atom| self.atoms[atom].column);
            let among = match filed {
                _ if passed => Among::Passed,
                Some(filed) if !columns.contains(&filed) => Among::Candidates,
                _ => Among::All,
            };
            let fields = *known.entry(columns.clone()).or_insert(sets.len());
            if fields == sets.len() {
                sets.push(columns);
            }
            Watched { clause, fields, among }
        });
        self.watched = watched.collect();
        self.watched_fields = sets;
    }

    /// What the last batch had of what is watched, in the order in which it was given.
    #[must_use]
    pub fn presence(&self) -> &[Presence] {
        &self.presence
    }

    /// The conditions on one column that must hold for a clause: the column, and the condition's number.
    pub fn conditions(&self, clause: usize) -> impl Iterator<Item = (usize, usize)> {
        self.clauses[clause].conditions().map(|atom| (self.atoms[atom].column, atom))
    }

    /// What has become of the condition of this number.
    #[must_use]
    pub fn met(&self, condition: usize) -> Met {
        self.atoms[condition].met()
    }

    fn look(&mut self, batch: &Batch, selected: &[Vec<u32>], passed: bool) {
        let mut of_all: Vec<Option<Presence>> = vec![None; self.watched_fields.len()];
        for (watched, presence) in self.watched.iter().zip(&mut self.presence) {
            if (watched.among == Among::Passed) != passed {
                continue;
            }
            let columns = &self.watched_fields[watched.fields];
            *presence = match watched.among {
                // Many detectors ask for the same fields: they are counted once.
                Among::All => *of_all[watched.fields].get_or_insert_with(|| watch::among_all(batch, columns)),
                Among::Candidates | Among::Passed => watch::among(batch, columns, &selected[watched.clause]),
            };
        }
    }

    /// The rows, ascending, that pass each clause.
    pub fn select(&mut self, batch: &Batch, columns: &BatchColumns) -> Vec<Vec<u32>> {
        self.measured(batch, columns, None)
    }

    /// The same; how long each clause takes goes to `weights`.
    pub fn measured(
        &mut self,
        batch: &Batch,
        columns: &BatchColumns,
        mut weights: Option<&mut Weights>,
    ) -> Vec<Vec<u32>> {
        let mut selected = vec![Vec::new(); self.clauses.len()];
        let mut views: Vec<Option<View>> = self.atoms.iter().map(|_| None).collect();
        for file in &mut self.files {
            file.candidates(&mut self.atoms, &mut views, batch, &mut selected, weights.as_deref_mut());
        }
        let all = 0..u32::try_from(batch.rows.len()).expect("a batch has fewer than 2^32 rows");
        for clause in &self.unfiled {
            selected[*clause as usize] = all.clone().collect();
        }
        self.presence.resize(self.watched.len(), Presence::default());
        self.look(batch, &selected, false);
        weights.iter_mut().for_each(|weights| weights.begin());
        for (index, (clause, rows)) in self.clauses.iter().zip(&mut selected).enumerate() {
            clause.narrow(&mut self.atoms, &mut views, batch, columns, rows);
            weights.iter_mut().for_each(|weights| weights.was(index));
        }
        self.look(batch, &selected, true);
        selected
    }
}

impl File {
    /// Adds to each clause the rows for which the atom that it is filed under holds.
    fn candidates(
        &mut self,
        atoms: &mut [Atom],
        views: &mut [Option<View>],
        batch: &Batch,
        selected: &mut [Vec<u32>],
        mut weights: Option<&mut Weights>,
    ) {
        weights.iter_mut().for_each(|weights| weights.begin());
        let watchfire_record::Column::Interned { ids, values } = &batch.columns[self.column] else {
            for (clause, atom) in &self.entries {
                let view = views[*atom].get_or_insert_with(|| atoms[*atom].view(batch));
                let rows = 0u32..u32::try_from(batch.rows.len()).expect("a batch has fewer than 2^32 rows");
                selected[*clause as usize]
                    .extend(rows.filter(|row| view.truth(&atoms[*atom], batch, *row) == Truth::True));
                weights.iter_mut().for_each(|weights| weights.was(*clause as usize));
            }
            return;
        };
        self.extend(atoms, values, weights);
        for (row, id) in (0u32..).zip(ids) {
            for clause in &self.by_value[value_index(*id)] {
                selected[*clause as usize].push(row);
            }
        }
    }

    /// Looks at values that came since the last batch. Index 0 stands for NULL.
    fn extend(&mut self, atoms: &mut [Atom], values: &watchfire_record::Interner, mut weights: Option<&mut Weights>) {
        let known = self.by_value.len();
        if known == values.len() + 1 {
            return;
        }
        if known > values.len() + 1 {
            self.by_value.clear();
        }
        let known = self.by_value.len();
        self.by_value.resize(values.len() + 1, Vec::new());
        for (clause, atom) in &self.entries {
            atoms[*atom].learn(values);
            for index in known..=values.len() {
                if atoms[*atom].known(index) == Truth::True {
                    self.by_value[index].push(*clause);
                }
            }
            weights.iter_mut().for_each(|weights| weights.was(*clause as usize));
        }
    }
}
