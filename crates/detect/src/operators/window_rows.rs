//! Rows of windows that are final, on their way to a range that slides over them.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::row::RowConverter;
use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::Partition;

use super::ends::Ends;
use super::feed::{FedRows, Feed, StreamBatch};
use super::groups::Groups;
use super::input::{AggregateInput, CompiledAggregate, row_converter};
use super::kept::KeptRows;
use super::records::{EventId, Records};
use super::shared::{Shared, by_group};
use crate::expression::Expression;
use crate::identities::SecretHasher;
use crate::plan::{Aggregate, AggregateKind};

/// One key's window: what a range needs to know of it besides its row's columns.
#[derive(Debug)]
pub struct FinalWindow {
    /// Its first and last records.
    pub ends: Ends,
    /// Whether no limit has touched it.
    pub complete: bool,
}

/// Some values of rows, which can be told apart by hashes.
struct Values {
    compiled: Vec<Expression>,
    converter: RowConverter,
}

impl Values {
    fn new<'a>(exprs: impl IntoIterator<Item = &'a Expr>, fields: &SchemaRef) -> Result<Self> {
        let compiled: Vec<_> =
            exprs.into_iter().map(|expr| Expression::compile(expr, fields)).collect::<Result<_>>()?;
        let converter = row_converter(compiled.iter().map(Expression::data_type))?;
        Ok(Self { compiled, converter })
    }

    fn groups(&self, rows: &RecordBatch, hasher: &SecretHasher) -> Arc<Groups> {
        let arrays: Vec<_> = self.compiled.iter().map(|expr| expr.evaluate(rows)).collect();
        let values = self.converter.convert_columns(&arrays).expect("the columns have the converter's types");
        let nulls = (0..rows.num_rows()).map(|row| arrays.first().is_some_and(|array| array.is_null(row))).collect();
        Arc::new(Groups::of(&values, nulls, &self.converter, hasher))
    }
}

/// What a range's aggregate looks at.
struct Looked {
    compiled: CompiledAggregate,
    /// For a distinct count.
    argument: Option<Values>,
}

/// Makes of windows' rows what a range is fed.
pub struct RowFeeder {
    /// `None` without PARTITION BY.
    keys: Option<Values>,
    aggregates: Vec<Looked>,
    hasher: SecretHasher,
}

impl RowFeeder {
    /// For a range with these keys and aggregates over rows with these columns.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(
        keys: &[(String, Expr)],
        aggregates: &[Aggregate],
        fields: &SchemaRef,
        hasher: &SecretHasher,
    ) -> Result<Self> {
        let keys = (!keys.is_empty()).then(|| Values::new(keys.iter().map(|(_, expr)| expr), fields)).transpose()?;
        let looked = |aggregate: &Aggregate| {
            let distinct = aggregate.argument.as_ref().filter(|_| aggregate.kind == AggregateKind::CountDistinct);
            let argument = distinct.map(|argument| Values::new([argument], fields)).transpose()?;
            Ok(Looked { compiled: CompiledAggregate::new(aggregate, fields)?, argument })
        };
        let aggregates = aggregates.iter().map(looked).collect::<Result<_>>()?;
        Ok(Self { keys, aggregates, hasher: hasher.clone() })
    }

    /// These rows, all of the windows that start at `start`, as a batch with one feed, all for one shard.
    #[must_use]
    pub fn feed(&self, rows: &RecordBatch, start: i64, windows: Vec<FinalWindow>) -> StreamBatch {
        let all: Vec<u32> = (0u32..).take(rows.num_rows()).collect();
        let groups = self.keys.as_ref().map(|keys| whole(keys.groups(rows, &self.hasher)));
        let records = Records {
            times: vec![start; all.len()],
            caused: windows.iter().map(|window| window.ends.caused_at).collect(),
            event_ids: vec![EventId::from(""); all.len()],
            partitions: vec![Arc::clone(&NO_PARTITION)],
            places: vec![(0, 0, 0); all.len()],
        };
        let feed = Feed {
            operator: 0,
            aggregates: self.aggregates.iter().map(|looked| whole(Arc::new(self.input(looked, rows)))).collect(),
            kept: Some(Arc::new(KeptRows::of(rows.columns()))),
            passes: None,
            rows: Arc::new(FedRows { by_shard: vec![all.clone()], rows: Arc::new(all), groups }),
            side: None,
            windows: Some(Arc::new(windows)),
        };
        StreamBatch::new(Arc::new(records), vec![feed])
    }

    fn input(&self, Looked { compiled, argument }: &Looked, rows: &RecordBatch) -> AggregateInput {
        let passes = compiled.filter(rows);
        match argument {
            Some(argument) => by_group(argument.groups(rows, &self.hasher), passes),
            None => compiled.input(rows, passes),
        }
    }
}

fn whole<T>(values: Arc<T>) -> Shared<T> {
    Shared { values, whole: true }
}

/// Where a window's row lies: nowhere, as it is no record.
static NO_PARTITION: LazyLock<Arc<Partition>> = LazyLock::new(|| Arc::new(Partition { topic: "".into(), number: 0 }));
