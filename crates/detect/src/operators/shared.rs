//! What detectors of a stream have in common: keys, and what aggregates look at, worked out once a batch.
//!
//! The first detector that wants most rows of a batch has them worked out for all of its rows, and every other one that
//! asks for the same takes them from there. One that wants few rows, of what nobody has worked out, does so for these.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::row::{RowConverter, Rows};
use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::{Batch, ColumnRequest};

use super::input::{AggregateInput, CompiledAggregate, row_converter};
use crate::expression::{Expression, record_batch, schema, schema_of};
use crate::identities::SecretHasher;
use crate::matcher::BatchColumns;
use crate::plan::{Aggregate, AggregateKind};

/// Values of some rows of a batch.
#[derive(Debug)]
pub struct Shared<T> {
    /// The values.
    pub values: Arc<T>,
    /// Whether they are of all rows of the batch, not only of those that the detector wants.
    pub whole: bool,
}

/// Keys as comparable bytes, and their hashes.
#[derive(Debug)]
pub struct KeyColumn {
    /// The bytes.
    pub rows: Rows,
    /// A hash each, under the process's secret.
    pub hashes: Vec<u128>,
}

/// The kinds of keys and aggregates that the detectors of one stream ask for, and what their rows keep.
#[derive(Default)]
pub struct SharedInputs {
    keys: Vec<KeySet>,
    aggregates: Vec<AggregateSet>,
    kept: Vec<KeptSet>,
}

struct KeptSet {
    columns: Arc<[ColumnRequest]>,
    converter: RowConverter,
}

struct KeySet {
    exprs: Vec<Expr>,
    columns: Vec<ColumnRequest>,
    compiled: Vec<Expression>,
    converter: RowConverter,
}

struct AggregateSet {
    /// Kinds that look at the same, argument, filter.
    asked: (Looks, Option<Expr>, Option<Expr>),
    columns: Vec<ColumnRequest>,
    compiled: CompiledAggregate,
}

/// What an aggregate looks at in its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Whether,
    Hash,
    Number,
    Truth,
    Order,
}

fn looks(kind: &AggregateKind) -> Looks {
    match kind {
        AggregateKind::Count => Looks::Whether,
        AggregateKind::CountDistinct => Looks::Hash,
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

impl SharedInputs {
    /// The number of these columns, which rows in sliding ranges keep.
    ///
    /// # Errors
    /// If a column's type cannot be kept, which no stream has.
    pub fn kept(&mut self, columns: &Arc<[ColumnRequest]>) -> Result<usize> {
        if let Some(known) = self.kept.iter().position(|set| set.columns == *columns) {
            return Ok(known);
        }
        let converter = row_converter(columns.iter().map(|request| request.column_type.arrow()))?;
        self.kept.push(KeptSet { columns: Arc::clone(columns), converter });
        Ok(self.kept.len() - 1)
    }

    /// The number of these keys, which read some of `columns`.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn keys(&mut self, keys: &[(String, Expr)], columns: &[ColumnRequest]) -> Result<usize> {
        let exprs: Vec<Expr> = keys.iter().map(|(_, expr)| expr.clone()).collect();
        if let Some(known) = self.keys.iter().position(|set| set.exprs == exprs) {
            return Ok(known);
        }
        let columns = read_by(&exprs, columns);
        let fields = schema(schema_of(&columns));
        let compiled = exprs.iter().map(|expr| Expression::compile(expr, &fields)).collect::<Result<Vec<_>>>()?;
        let converter = row_converter(compiled.iter().map(Expression::data_type))?;
        self.keys.push(KeySet { exprs, columns, compiled, converter });
        Ok(self.keys.len() - 1)
    }

    /// The number of what this aggregate looks at.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn aggregate(&mut self, aggregate: &Aggregate, columns: &[ColumnRequest]) -> Result<usize> {
        let asked = (looks(&aggregate.kind), aggregate.argument.clone(), aggregate.filter.clone());
        if let Some(known) = self.aggregates.iter().position(|set| set.asked == asked) {
            return Ok(known);
        }
        let columns = read_by(aggregate.argument.iter().chain(&aggregate.filter), columns);
        let compiled = CompiledAggregate::new(aggregate, &schema(schema_of(&columns)))?;
        self.aggregates.push(AggregateSet { asked, columns, compiled });
        Ok(self.aggregates.len() - 1)
    }
}

/// What is worked out of one batch.
pub struct BatchInputs<'a> {
    shared: &'a SharedInputs,
    batch: &'a Batch,
    columns: &'a BatchColumns,
    hasher: &'a SecretHasher,
    all: Vec<u32>,
    keys: Vec<Option<Arc<KeyColumn>>>,
    aggregates: Vec<Option<Arc<AggregateInput>>>,
    payloads: Vec<Option<Arc<Rows>>>,
}

impl<'a> BatchInputs<'a> {
    /// Nothing yet of this batch.
    #[must_use]
    pub fn new(
        shared: &'a SharedInputs,
        batch: &'a Batch,
        columns: &'a BatchColumns,
        hasher: &'a SecretHasher,
    ) -> Self {
        let all = (0u32..).take(batch.rows.len()).collect();
        let (keys, aggregates) = (vec![None; shared.keys.len()], vec![None; shared.aggregates.len()]);
        let payloads = vec![None; shared.kept.len()];
        Self { shared, batch, columns, hasher, all, keys, aggregates, payloads }
    }

    /// The keys of this number, for these rows at least.
    pub fn keys(&mut self, number: usize, rows: &[u32]) -> Shared<KeyColumn> {
        let mut kept = self.keys[number].take();
        let shared = self.kept_or_made(&mut kept, rows, |rows| self.work_out_keys(number, rows));
        self.keys[number] = kept;
        shared
    }

    /// What the aggregate of this number looks at, for these rows at least.
    pub fn aggregate(&mut self, number: usize, rows: &[u32]) -> Shared<AggregateInput> {
        let mut kept = self.aggregates[number].take();
        let shared = self.kept_or_made(&mut kept, rows, |rows| self.work_out_aggregate(number, rows));
        self.aggregates[number] = kept;
        shared
    }

    /// What found rows need, by the number of what is kept, for these rows at least.
    pub fn payload(&mut self, number: usize, rows: &[u32]) -> Shared<Rows> {
        let mut kept = self.payloads[number].take();
        let shared = self.kept_or_made(&mut kept, rows, |rows| self.work_out_payload(number, rows));
        self.payloads[number] = kept;
        shared
    }

    /// What is `kept` of all rows; if nothing is, it is made and kept, or made for `rows` alone if these are few.
    fn kept_or_made<T>(&self, kept: &mut Option<Arc<T>>, rows: &[u32], make: impl Fn(&[u32]) -> T) -> Shared<T> {
        if kept.is_none() && rows.len() * 2 < self.all.len() {
            return Shared { values: Arc::new(make(rows)), whole: false };
        }
        Shared { values: Arc::clone(kept.get_or_insert_with(|| Arc::new(make(&self.all)))), whole: true }
    }

    fn work_out_payload(&self, number: usize, rows: &[u32]) -> Rows {
        let set = &self.shared.kept[number];
        let table = self.table(&set.columns, rows);
        set.converter.convert_columns(table.columns()).expect("the columns have the converter's types")
    }

    fn work_out_keys(&self, number: usize, rows: &[u32]) -> KeyColumn {
        let set = &self.shared.keys[number];
        let table = self.table(&set.columns, rows);
        let arrays: Vec<ArrayRef> = set.compiled.iter().map(|key| key.evaluate(&table)).collect();
        let rows = set.converter.convert_columns(&arrays).expect("the columns have the converter's types");
        let hashes = rows.iter().map(|row| self.hasher.hash(row.data())).collect();
        KeyColumn { rows, hashes }
    }

    fn work_out_aggregate(&self, number: usize, rows: &[u32]) -> AggregateInput {
        let set = &self.shared.aggregates[number];
        set.compiled.input(&self.table(&set.columns, rows), self.hasher)
    }

    fn table(&self, columns: &[ColumnRequest], rows: &[u32]) -> arrow::array::RecordBatch {
        let arrays = columns.iter().map(|request| self.columns.take(self.batch, request, rows)).collect();
        record_batch(&schema(schema_of(columns)), arrays, rows.len())
    }
}
