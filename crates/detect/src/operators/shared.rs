//! What detectors of a stream have in common: keys, filters, and what aggregates look at, worked out once a batch.
//!
//! The first detector that wants most rows of a batch has them worked out for all of its rows, and every other one that
//! asks for the same takes them from there. One that wants few rows, of what nobody has worked out, does so for these.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::{Batch, ColumnRequest};

use super::groups::{Grouping, Groups};
use super::input::{AggregateInput, CompiledAggregate, Values};
use super::kept::KeptRows;
use crate::expression::{record_batch, schema, schema_of};
use crate::identities::SecretHasher;
use crate::matcher::{BatchColumns, Conditions, Matcher};
use crate::plan::{Aggregate, AggregateKind};

/// Values of some rows of a batch.
#[derive(Debug)]
pub struct Shared<T> {
    /// The values.
    pub values: Arc<T>,
    /// Whether they are of all rows of the batch, not only of those that the detector wants.
    pub whole: bool,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { values: Arc::clone(&self.values), whole: self.whole }
    }
}

/// The kinds of keys and aggregates that the detectors of one stream ask for.
pub struct SharedInputs {
    columns: Vec<ColumnRequest>,
    groupings: Vec<Grouping>,
    filters: Vec<Expr>,
    filter_matcher: Option<Matcher>,
    aggregates: Vec<AggregateSet>,
    kept: Arc<[ColumnRequest]>,
}

struct AggregateSet {
    /// Kinds that look at the same, argument, filter.
    asked: (Looks, Option<Expr>, Option<Expr>),
    /// Number of the filter.
    filter: Option<usize>,
    /// Number of the grouping of a distinct count's argument.
    grouping: Option<usize>,
    columns: Vec<ColumnRequest>,
    compiled: CompiledAggregate,
}

/// What an aggregate looks at in its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Whether,
    Value,
    Number,
    Truth,
    Order,
}

fn looks(kind: &AggregateKind) -> Looks {
    match kind {
        AggregateKind::Count => Looks::Whether,
        AggregateKind::CountDistinct => Looks::Value,
        AggregateKind::Sum | AggregateKind::Average => Looks::Number,
        AggregateKind::All | AggregateKind::Any => Looks::Truth,
        AggregateKind::Least | AggregateKind::Greatest => Looks::Order,
    }
}

/// Those of `columns` that expressions read.
fn read_by<'a>(exprs: impl IntoIterator<Item = &'a Expr>, columns: &[ColumnRequest]) -> Vec<ColumnRequest> {
    let names: HashSet<&str> =
        exprs.into_iter().flat_map(Expr::column_refs).map(|column| column.name.as_str()).collect();
    columns.iter().filter(|request| names.contains(request.name().as_str())).cloned().collect()
}

/// The place of `wanted` in a list, to which it is added if it is not there.
fn place_in<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool, make: impl FnOnce() -> Result<T>) -> Result<usize> {
    if let Some(known) = list.iter().position(is_it) {
        return Ok(known);
    }
    list.push(make()?);
    Ok(list.len() - 1)
}

impl SharedInputs {
    /// Nothing asked for yet of batches with these `columns`, but that rows in sliding ranges keep those of `kept`.
    #[must_use]
    pub fn new(columns: Vec<ColumnRequest>, kept: Arc<[ColumnRequest]>) -> Self {
        Self { columns, groupings: Vec::new(), filters: Vec::new(), filter_matcher: None, aggregates: Vec::new(), kept }
    }

    /// The number of groups by these expressions.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn grouping(&mut self, exprs: &[Expr]) -> Result<usize> {
        let Self { groupings, columns, .. } = self;
        place_in(groupings, |known| known.exprs() == exprs, || Grouping::new(exprs.to_vec(), read_by(exprs, columns)))
    }

    /// The number of what this aggregate looks at.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn aggregate(&mut self, aggregate: &Aggregate) -> Result<usize> {
        let asked = (looks(&aggregate.kind), aggregate.argument.clone(), aggregate.filter.clone());
        if let Some(known) = self.aggregates.iter().position(|set| set.asked == asked) {
            return Ok(known);
        }
        let filter = aggregate.filter.as_ref();
        let filter = filter
            .map(|filter| place_in(&mut self.filters, |known| known == filter, || Ok(filter.clone())))
            .transpose()?;
        let distinct = aggregate.argument.as_ref().filter(|_| asked.0 == Looks::Value);
        let grouping = distinct.map(|argument| self.grouping(std::slice::from_ref(argument))).transpose()?;
        let columns = read_by(aggregate.argument.iter().chain(&aggregate.filter), &self.columns);
        let compiled = CompiledAggregate::new(aggregate, &schema(schema_of(&columns)))?;
        self.aggregates.push(AggregateSet { asked, filter, grouping, columns, compiled });
        Ok(self.aggregates.len() - 1)
    }

    /// The number of what counts the rows for which a condition holds.
    ///
    /// # Errors
    /// If the condition does not fit, which planning rules out.
    pub fn condition(&mut self, condition: &Expr) -> Result<usize> {
        self.aggregate(&Aggregate {
            kind: AggregateKind::Count,
            argument: None,
            filter: Some(condition.clone()),
            output: DataType::Int64,
            frame: (0, 0),
        })
    }

    /// To be called when all is asked for.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn finish(&mut self, conditions: &Conditions) -> Result<()> {
        let clauses: Vec<Vec<Expr>> = self.filters.iter().map(|filter| vec![filter.clone()]).collect();
        self.filter_matcher = Some(Matcher::new(&clauses, &self.columns, conditions)?);
        Ok(())
    }
}

/// What is worked out of one batch.
pub struct BatchInputs<'a> {
    shared: &'a mut SharedInputs,
    batch: &'a Batch,
    columns: &'a BatchColumns,
    hasher: &'a SecretHasher,
    all: Vec<u32>,
    groups: Vec<Option<Arc<Groups>>>,
    /// Whether each row passes each filter.
    filters: Option<Vec<Vec<bool>>>,
    aggregates: Vec<Option<Arc<AggregateInput>>>,
}

impl<'a> BatchInputs<'a> {
    /// Nothing yet of this batch.
    #[must_use]
    pub fn new(
        shared: &'a mut SharedInputs,
        batch: &'a Batch,
        columns: &'a BatchColumns,
        hasher: &'a SecretHasher,
    ) -> Self {
        let all = (0u32..).take(batch.rows.len()).collect();
        let (groups, aggregates) = (vec![None; shared.groupings.len()], vec![None; shared.aggregates.len()]);
        Self { shared, batch, columns, hasher, all, groups, filters: None, aggregates }
    }

    /// Whether something not worked out yet is to be worked out for these rows alone.
    fn few(&self, rows: &[u32]) -> bool {
        rows.len() * 2 < self.all.len()
    }

    /// The groups of this number, for these rows at least.
    pub fn groups(&mut self, number: usize, rows: &[u32]) -> Shared<Groups> {
        if self.groups[number].is_none() && self.few(rows) {
            return Shared { values: Arc::new(self.groups_of(number, rows)), whole: false };
        }
        Shared { values: self.groups_of_all(number), whole: true }
    }

    fn groups_of(&self, number: usize, rows: &[u32]) -> Groups {
        self.shared.groupings[number].group(self.batch, self.columns, self.hasher, rows)
    }

    fn groups_of_all(&mut self, number: usize) -> Arc<Groups> {
        let groups = self.groups[number].take().unwrap_or_else(|| Arc::new(self.groups_of(number, &self.all)));
        self.groups[number] = Some(Arc::clone(&groups));
        groups
    }

    /// What the aggregate of this number looks at, for these rows at least.
    pub fn aggregate(&mut self, number: usize, rows: &[u32]) -> Shared<AggregateInput> {
        if let Some(known) = &self.aggregates[number] {
            return Shared { values: Arc::clone(known), whole: true };
        }
        if self.few(rows) {
            return Shared { values: Arc::new(self.aggregate_of_few(number, rows)), whole: false };
        }
        let whole = Arc::new(self.aggregate_of_all(number));
        self.aggregates[number] = Some(Arc::clone(&whole));
        Shared { values: whole, whole: true }
    }

    /// What found rows need, for these rows.
    #[must_use]
    pub fn kept(&self, rows: &[u32]) -> Arc<KeptRows> {
        Arc::new(KeptRows::new(self.batch, self.columns, &self.shared.kept, rows))
    }

    fn aggregate_of_few(&self, number: usize, rows: &[u32]) -> AggregateInput {
        let set = &self.shared.aggregates[number];
        let filter = |table: &arrow::array::RecordBatch| set.compiled.filter(table);
        match set.grouping {
            Some(grouping) => {
                let passes = set.filter.and_then(|_| filter(&self.table(&set.columns, rows)));
                by_group(Arc::new(self.groups_of(grouping, rows)), passes)
            }
            None => {
                let table = self.table(&set.columns, rows);
                set.compiled.input(&table, filter(&table))
            }
        }
    }

    fn aggregate_of_all(&mut self, number: usize) -> AggregateInput {
        let AggregateSet { filter, grouping, .. } = self.shared.aggregates[number];
        let passes = filter.map(|filter| self.filter(filter));
        if let Some(grouping) = grouping {
            return by_group(self.groups_of_all(grouping), passes);
        }
        let set = &self.shared.aggregates[number];
        let columns = if set.compiled.has_argument() { &*set.columns } else { &[] };
        set.compiled.input(&self.table(columns, &self.all), passes)
    }

    /// Whether each row passes the filter of this number.
    fn filter(&mut self, number: usize) -> Vec<bool> {
        let Self { shared, filters, batch, columns, .. } = self;
        let filters = filters.get_or_insert_with(|| {
            let matcher = shared.filter_matcher.as_mut().expect("batches come when all is asked for");
            let passing = matcher.select(batch, columns);
            let marks = |rows: Vec<u32>| {
                let mut marks = vec![false; batch.rows.len()];
                rows.into_iter().for_each(|row| marks[row as usize] = true);
                marks
            };
            passing.into_iter().map(marks).collect()
        });
        filters[number].clone()
    }

    fn table(&self, columns: &[ColumnRequest], rows: &[u32]) -> arrow::array::RecordBatch {
        let arrays = columns.iter().map(|request| self.columns.take(self.batch, request, rows)).collect();
        record_batch(&schema(schema_of(columns)), arrays, rows.len())
    }
}

/// What a distinct count looks at: the groups of its argument, of which NULL does not count.
pub fn by_group(groups: Arc<Groups>, passes: Option<Vec<bool>>) -> AggregateInput {
    let present = |row: usize| !groups.nulls[groups.of_row[row] as usize];
    let counted = match passes {
        Some(passes) => Some(passes.into_iter().enumerate().map(|(row, passes)| passes && present(row)).collect()),
        None if groups.nulls.contains(&true) => Some((0..groups.of_row.len()).map(present).collect()),
        None => None,
    };
    AggregateInput { counted, values: Values::Grouped(groups) }
}
