//! The rows of a batch by equal values: what is to be done for each key or value is done once for all rows of a batch
//! that have it.

use arrow::array::{Array, ArrayRef};
use arrow::row::{RowConverter, Rows};
use datafusion_common::Result;
use datafusion_expr::Expr;
use hashbrown::HashTable;
use watchfire_record::{Batch, Column, ColumnRequest};

use super::input::row_converter;
use crate::expression::{Expression, record_batch, schema, schema_of};
use crate::identities::{SecretHasher, short};
use crate::matcher::BatchColumns;

/// Some rows of a batch by the values of some expressions.
#[derive(Debug)]
pub struct Groups {
    /// The group of each row.
    pub of_row: Vec<u32>,
    /// The values of each group as comparable bytes. Two groups may have equal ones.
    pub values: Rows,
    /// A hash of each group's values, under the process's secret.
    pub hashes: Vec<u128>,
    /// Whether the first value of each group is NULL.
    pub nulls: Vec<bool>,
}

impl Groups {
    /// Rows by their values, of which `nulls` says whether the first is NULL. `converter` made the values.
    #[must_use]
    pub fn of(all: &Rows, nulls: Vec<bool>, converter: &RowConverter, hasher: &SecretHasher) -> Self {
        let mut table: HashTable<(u128, u32)> = HashTable::with_capacity(nulls.len().min(1024));
        let (mut values, mut hashes, mut first_nulls) = (converter.empty_rows(0, 0), Vec::new(), Vec::new());
        let of_row = all.iter().zip(nulls).map(|(value, null)| {
            let hash = hasher.hash(value.data());
            let known = table.find(short(hash), |(other, _)| *other == hash).map(|(_, group)| *group);
            known.unwrap_or_else(|| {
                let group = number(hashes.len());
                table.insert_unique(short(hash), (hash, group), |(hash, _)| short(*hash));
                values.push(value);
                hashes.push(hash);
                first_nulls.push(null);
                group
            })
        });
        let of_row = of_row.collect();
        Self { of_row, values, hashes, nulls: first_nulls }
    }
}

/// Puts rows into groups.
pub struct Grouping {
    exprs: Vec<Expr>,
    columns: Vec<ColumnRequest>,
    compiled: Vec<Expression>,
    converter: RowConverter,
}

impl Grouping {
    /// By these expressions, which read `columns`.
    ///
    /// # Errors
    /// If an expression does not fit or its values cannot be compared, which planning rules out.
    pub fn new(exprs: Vec<Expr>, columns: Vec<ColumnRequest>) -> Result<Self> {
        let fields = schema(schema_of(&columns));
        let compiled = exprs.iter().map(|expr| Expression::compile(expr, &fields)).collect::<Result<Vec<_>>>()?;
        let converter = row_converter(compiled.iter().map(Expression::data_type))?;
        Ok(Self { exprs, columns, compiled, converter })
    }

    /// What it groups by.
    #[must_use]
    pub fn exprs(&self) -> &[Expr] {
        &self.exprs
    }

    /// Values of the expressions, one array an expression, as comparable bytes.
    #[must_use]
    pub fn bytes(&self, arrays: &[ArrayRef]) -> Rows {
        self.converter.convert_columns(arrays).expect("the columns have the converter's types")
    }

    /// These rows of a batch in groups.
    #[must_use]
    pub fn group(&self, batch: &Batch, columns: &BatchColumns, hasher: &SecretHasher, rows: &[u32]) -> Groups {
        let ids: Option<Vec<&[u32]>> = self.columns.iter().map(|column| interned(batch, columns, column)).collect();
        match ids {
            Some(ids) => self.by_ids(batch, columns, hasher, rows, &ids),
            None => self.by_values(batch, columns, hasher, rows),
        }
    }

    /// Groups by the numbers that the decoder gave to the texts that the expressions read.
    fn by_ids(
        &self,
        batch: &Batch,
        columns: &BatchColumns,
        hasher: &SecretHasher,
        rows: &[u32],
        ids: &[&[u32]],
    ) -> Groups {
        let (mut of_row, mut firsts) = (vec![0; rows.len()], rows.first().copied().into_iter().collect::<Vec<u32>>());
        for column in ids {
            firsts.clear();
            let mut numbers = Numbers::with_capacity(rows.len().min(1024));
            for (group, row) in of_row.iter_mut().zip(rows) {
                let pair = u64::from(*group) << 32 | u64::from(column[*row as usize]);
                *group = numbers.of(pair, || firsts.push(*row));
            }
        }
        let (values, nulls) = self.values_of(batch, columns, &firsts);
        let hashes = values.iter().map(|value| hasher.hash(value.data())).collect();
        Groups { of_row, values, hashes, nulls }
    }

    fn by_values(&self, batch: &Batch, columns: &BatchColumns, hasher: &SecretHasher, rows: &[u32]) -> Groups {
        let (all, nulls) = self.values_of(batch, columns, rows);
        Groups::of(&all, nulls, &self.converter, hasher)
    }

    /// The expressions' values of these rows, and whether the first one is NULL.
    fn values_of(&self, batch: &Batch, columns: &BatchColumns, rows: &[u32]) -> (Rows, Vec<bool>) {
        let arrays = self.columns.iter().map(|request| columns.take(batch, request, rows)).collect();
        let table = record_batch(&schema(schema_of(&self.columns)), arrays, rows.len());
        let arrays: Vec<ArrayRef> = self.compiled.iter().map(|expr| expr.evaluate(&table)).collect();
        let values = self.bytes(&arrays);
        let nulls = (0..rows.len()).map(|row| arrays.first().is_some_and(|array| array.is_null(row))).collect();
        (values, nulls)
    }
}

/// The numbers of a column's texts; `None` if they have none in this batch.
fn interned<'a>(batch: &'a Batch, columns: &BatchColumns, request: &ColumnRequest) -> Option<&'a [u32]> {
    match columns.decoded_column(batch, request)? {
        Column::Interned { ids, .. } => Some(ids),
        Column::Plain(_) => None,
    }
}

/// Small numbers for what is met, in the order of meeting.
pub struct Numbers(HashTable<(u64, u32)>);

impl Numbers {
    /// None met yet.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(HashTable::with_capacity(capacity))
    }

    /// The number of what is met; `new` is called if it is met for the first time.
    pub fn of(&mut self, met: u64, new: impl FnOnce()) -> u32 {
        if let Some((_, number)) = self.0.find(spread(met), |(other, _)| *other == met) {
            return *number;
        }
        new();
        let next = number(self.0.len());
        self.0.insert_unique(spread(met), (met, next), |(met, _)| spread(*met));
        next
    }
}

/// Spreads small numbers, which nobody outside chooses, over all bits.
fn spread(number: u64) -> u64 {
    let wide = u128::from(number ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    short(wide ^ wide >> 64)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("a batch has fewer than 2^32 rows")
}
