//! One WHERE clause, taken apart into atoms and what is left over.

use std::collections::{BTreeSet, HashMap, HashSet};

use datafusion_common::Result;
use datafusion_expr::{BinaryExpr, Expr, Like, Operator};
use watchfire_record::{Batch, ColumnRequest, ColumnType};

use super::atom::{Atom, View};
use super::columns::{BatchColumns, is_system};
use super::condition::Conditions;
use crate::expression::{Conjunction, record_batch, schema, schema_of};

/// SQL's three truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// False.
    False,
    /// True.
    True,
    /// NULL: not known.
    Unknown,
}

impl From<Option<bool>> for Truth {
    fn from(value: Option<bool>) -> Self {
        match value {
            Some(true) => Self::True,
            Some(false) => Self::False,
            None => Self::Unknown,
        }
    }
}

/// One detector's WHERE.
#[derive(Clone)]
pub struct Clause {
    /// The atom whose rows are looked at.
    pub filed_under: Option<usize>,
    /// Atoms that must hold besides.
    atoms: Vec<usize>,
    /// Conditions over several columns made of atoms by AND, OR and NOT; each must hold.
    trees: Vec<Tree>,
    /// Everything else, by DataFusion, and the columns that it reads.
    rest: Conjunction,
    rest_columns: Vec<ColumnRequest>,
}

/// AND, OR and NOT over atoms, with SQL's three truth values.
#[derive(Clone)]
enum Tree {
    Atom(usize),
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
}

impl Clause {
    /// The atoms that must hold.
    pub fn conditions(&self) -> impl Iterator<Item = usize> {
        self.filed_under.into_iter().chain(self.atoms.iter().copied())
    }

    /// Keeps the rows for which everything holds.
    pub fn narrow(
        &self,
        atoms: &mut [Atom],
        views: &mut [Option<View>],
        batch: &Batch,
        columns: &BatchColumns,
        rows: &mut Vec<u32>,
    ) {
        if rows.is_empty() {
            return;
        }
        let mut used = self.atoms.clone();
        self.trees.iter().for_each(|tree| tree.collect_atoms(&mut used));
        for atom in used {
            views[atom].get_or_insert_with(|| atoms[atom].view(batch));
        }
        let truth = |atom: usize, row: u32| {
            views[atom].as_ref().expect("every atom used has a view").truth(&atoms[atom], batch, row)
        };
        rows.retain(|row| {
            self.atoms.iter().all(|atom| truth(*atom, *row) == Truth::True)
                && self.trees.iter().all(|tree| tree.truth(&|atom| truth(atom, *row)) == Truth::True)
        });
        if self.rest.is_empty() || rows.is_empty() {
            return;
        }
        let arrays = self.rest_columns.iter().map(|request| columns.take(batch, request, rows)).collect();
        let candidates = record_batch(&schema(schema_of(&self.rest_columns)), arrays, rows.len());
        *rows = self.rest.rows(&candidates).into_iter().map(|index| rows[index as usize]).collect();
    }
}

impl Tree {
    fn truth(&self, atom: &impl Fn(usize) -> Truth) -> Truth {
        match self {
            Self::Atom(index) => atom(*index),
            Self::And(parts) => Self::fold(parts, atom, Truth::True, Truth::False),
            Self::Or(parts) => Self::fold(parts, atom, Truth::False, Truth::True),
            Self::Not(part) => match part.truth(atom) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
            },
        }
    }

    fn fold(parts: &[Self], atom: &impl Fn(usize) -> Truth, neutral: Truth, decisive: Truth) -> Truth {
        let mut result = neutral;
        for part in parts {
            match part.truth(atom) {
                truth if truth == decisive => return decisive,
                Truth::Unknown => result = Truth::Unknown,
                _ => {}
            }
        }
        result
    }

    fn collect_atoms(&self, into: &mut Vec<usize>) {
        match self {
            Self::Atom(index) => into.push(*index),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect_atoms(into)),
            Self::Not(part) => part.collect_atoms(into),
        }
    }
}

/// Takes clauses apart; an atom that occurs in several is made once.
pub struct Builder<'a> {
    columns: &'a [ColumnRequest],
    conditions: &'a Conditions,
    by_name: HashMap<String, usize>,
    atoms: Vec<Atom>,
    known: HashMap<Expr, usize>,
}

impl<'a> Builder<'a> {
    /// A builder for batches with these columns.
    pub fn new(columns: &'a [ColumnRequest], conditions: &'a Conditions) -> Self {
        let by_name = columns.iter().enumerate().map(|(index, request)| (request.name(), index)).collect();
        Self { columns, conditions, by_name, atoms: Vec::new(), known: HashMap::new() }
    }

    /// The atoms of all clauses.
    pub fn into_atoms(self) -> Vec<Atom> {
        self.atoms
    }

    /// Compiles one clause.
    pub fn clause(&mut self, conjuncts: &[Expr]) -> Result<Clause> {
        let (mut atoms, mut trees, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for conjunct in conjuncts {
            match self.tree(conjunct)? {
                Some(Tree::Atom(atom)) => atoms.push((self.selectivity(conjunct), atom)),
                Some(tree) => trees.push(tree),
                None => rest.push(conjunct.clone()),
            }
        }
        atoms.sort_by_key(|(rank, _)| *rank);
        let filed_under = atoms.first().map(|(_, atom)| *atom);
        let rest_columns = self.columns_of(&rest);
        let rest = Conjunction::compile(&rest, &schema(schema_of(&rest_columns)))?;
        let atoms = atoms.into_iter().skip(1).map(|(_, atom)| atom).collect();
        Ok(Clause { filed_under, atoms, trees, rest, rest_columns })
    }

    /// The expression as atoms joined by AND, OR and NOT, or `None` if a part of it is no atom.
    fn tree(&mut self, expr: &Expr) -> Result<Option<Tree>> {
        if let Some(column) = self.only_text_column(expr) {
            return self.atom(column, expr).map(|atom| Some(Tree::Atom(atom)));
        }
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.both(left, right)?.map(|(left, right)| Tree::And(vec![left, right]))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                self.both(left, right)?.map(|(left, right)| Tree::Or(vec![left, right]))
            }
            Expr::Not(inner) => self.tree(inner)?.map(|tree| Tree::Not(Box::new(tree))),
            _ => None,
        })
    }

    fn both(&mut self, left: &Expr, right: &Expr) -> Result<Option<(Tree, Tree)>> {
        let (left, right) = (self.tree(left)?, self.tree(right)?);
        Ok(left.zip(right))
    }

    fn atom(&mut self, column: usize, expr: &Expr) -> Result<usize> {
        if let Some(known) = self.known.get(expr) {
            return Ok(*known);
        }
        self.atoms.push(Atom::new(column, self.conditions.of(&self.columns[column], expr)?));
        self.known.insert(expr.clone(), self.atoms.len() - 1);
        Ok(self.atoms.len() - 1)
    }

    /// How telling an atom is, the most telling first: a static order.
    fn selectivity(&self, atom: &Expr) -> u8 {
        match atom {
            // That a table has a row for the record tells as much as a list of its keys would.
            Expr::IsNotNull(inner) if self.is_looked_up(inner) => 1,
            atom => selectivity(atom),
        }
    }

    fn is_looked_up(&self, expr: &Expr) -> bool {
        let Expr::Column(column) = expr else { return false };
        self.by_name.get(column.name()).is_some_and(|index| self.columns[*index].is_looked_up())
    }

    /// The one column that `expr` reads, if it is one of the decoder's text columns.
    fn only_text_column(&self, expr: &Expr) -> Option<usize> {
        let names: HashSet<&str> = expr.column_refs().into_iter().map(|column| column.name.as_str()).collect();
        let [name] = names.into_iter().collect::<Vec<_>>()[..] else { return None };
        let index = *self.by_name.get(name)?;
        let request = &self.columns[index];
        let text = matches!(request.column_type, ColumnType::Text | ColumnType::Json);
        (text && !is_system(request)).then_some(index)
    }

    /// The columns that expressions read, in the order in which batches have them.
    fn columns_of(&self, exprs: &[Expr]) -> Vec<ColumnRequest> {
        let read = exprs.iter().flat_map(Expr::column_refs);
        let places: BTreeSet<usize> = read.filter_map(|column| self.by_name.get(column.name()).copied()).collect();
        places.into_iter().map(|place| self.columns[place].clone()).collect()
    }
}

fn selectivity(expr: &Expr) -> u8 {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: Operator::Eq, .. }) => 0,
        Expr::InList(list) if !list.negated => 1,
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            selectivity(left).max(selectivity(right)).max(1)
        }
        Expr::Like(Like { negated: false, .. }) => 2,
        Expr::BinaryExpr(BinaryExpr { op: Operator::RegexMatch | Operator::RegexIMatch, .. })
        | Expr::ScalarFunction(_) => 3,
        Expr::BinaryExpr(BinaryExpr { op: Operator::NotEq, .. }) | Expr::Not(_) | Expr::IsNotNull(_) => 8,
        Expr::Like(_) | Expr::InList(_) => 7,
        Expr::IsNull(_) => 6,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_that_of_sql() {
        let all = [Truth::False, Truth::Unknown, Truth::True];
        let atoms = |a: Truth, b: Truth| move |index: usize| if index == 0 { a } else { b };
        let both = || vec![Tree::Atom(0), Tree::Atom(1)];
        for (a_rank, a) in all.into_iter().enumerate() {
            let not = Tree::Not(Box::new(Tree::Atom(0)));
            assert_eq!(not.truth(&atoms(a, a)), all[2 - a_rank]);
            for (b_rank, b) in all.into_iter().enumerate() {
                assert_eq!(Tree::And(both()).truth(&atoms(a, b)), all[a_rank.min(b_rank)], "{a:?} AND {b:?}");
                assert_eq!(Tree::Or(both()).truth(&atoms(a, b)), all[a_rank.max(b_rank)], "{a:?} OR {b:?}");
            }
        }
    }
}
