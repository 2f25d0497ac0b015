//! Plans of a sliding range over the rows of windows: `agg(…) OVER (… ORDER BY the window's start RANGE …)` over a
//! sub-query with `GROUP BY tumble(…) | hop(…), keys`.

use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::Expr;

use super::flatten::{Flat, inline};
use super::window::{self, Windows};
use super::{Aggregate, FedKeys, PlanProblem, WINDOW_COLUMN, key_column, total_column};

/// Windows whose final rows an operator above them takes. A row has the columns [`WINDOW_COLUMN`], a [`key_column`] for
/// each key, and a [`total_column`] for each aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WindowRows {
    /// The windows' length, microseconds.
    pub size: i64,
    /// From one window's start to the next one's, microseconds: the length, if they tumble.
    pub slide: i64,
    /// The aggregates, over the stream's records.
    pub aggregates: Vec<Aggregate>,
    /// What must hold for a row before the operator above sees it, over the row's columns: each of these.
    pub having: Vec<Expr>,
}

/// Windows under a range, with their keys over the scan's columns.
pub(super) struct Below {
    rows: WindowRows,
    keys: Vec<Expr>,
}

/// Keys by the names that findings show.
type NamedKeys = Vec<(String, Expr)>;

/// The windows of an aggregate node under `above`, the scan below them, and what the chain's columns mean over their rows.
pub(super) fn resolve<'p>(
    above: &Flat<'p>,
    node: &'p datafusion_expr::Aggregate,
) -> Result<(Flat<'p>, Below, Vec<Expr>), PlanProblem> {
    let Windows { scan, size, slide, keys, aggregates, meanings } = window::resolve(node, total_column)?;
    let schema = above.base.schema();
    let inline_all = |exprs: &[Expr]| exprs.iter().map(|e| inline(e, schema, &meanings)).collect::<Result<Vec<_>>>();
    let rows = WindowRows { size, slide, aggregates, having: inline_all(&above.predicates)? };
    Ok((scan, Below { rows, keys }, inline_all(&above.outputs)?))
}

/// Whether an expression over windows' rows is the window's start.
pub(super) fn is_start(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == WINDOW_COLUMN)
}

pub(super) fn not_by_start() -> PlanProblem {
    PlanProblem::composed(
        "a sliding range over windows is ordered by the window's start alone, ascending",
        "name it in the sub-query, tumble(event_time, INTERVAL '1 hour') AS start, and write OVER (… ORDER BY start RANGE …)",
        &["ORDER", "OVER"],
    )
}

/// The windows, the names and expressions of the range's keys over their rows, and what of the windows' keys that is.
pub(super) fn placed(below: Below, partition: Vec<Expr>) -> Result<(WindowRows, NamedKeys, FedKeys), PlanProblem> {
    let Below { rows, keys } = below;
    let known: Vec<String> = (0..keys.len()).map(key_column).collect();
    let of_keys = |expr: &Expr| expr.column_refs().iter().all(|column| known.contains(&column.name));
    if !partition.iter().all(of_keys) {
        return Err(PlanProblem::composed(
            "the range's PARTITION BY is not made of the windows' keys",
            keys_help(&keys),
            &["PARTITION"],
        ));
    }
    let placed_by = partition.iter().map(|expr| over_records(expr, &known, &keys)).collect::<Result<Vec<_>>>()?;
    let names = window::named(placed_by.clone()).into_iter().map(|(name, _)| name);
    let shown = names.zip(partition).collect();
    Ok((rows, shown, FedKeys { keys: window::named(keys), placed_by }))
}

fn keys_help(keys: &[Expr]) -> String {
    let names: Vec<String> = window::named(keys.to_vec()).into_iter().map(|(name, _)| name).collect();
    match names.as_slice() {
        [] => "leave PARTITION BY out, or add its columns to the GROUP BY of the windows".to_owned(),
        names => format!(
            "write PARTITION BY with {}, or add its columns to the GROUP BY of the windows",
            if names.len() == 1 { names[0].clone() } else { format!("one or more of {}", names.join(", ")) }
        ),
    }
}

/// An expression over the windows' keys as one over the stream's records.
fn over_records(expr: &Expr, names: &[String], keys: &[Expr]) -> Result<Expr> {
    let replaced = expr.clone().transform(|node| match &node {
        Expr::Column(column) => Ok(match names.iter().position(|name| *name == column.name) {
            Some(index) => Transformed::yes(keys[index].clone()),
            None => Transformed::no(node),
        }),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(replaced.data)
}
