//! Plans of windows: `GROUP BY tumble(event_time, …) | hop(event_time, …), keys`.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::{Expr, LogicalPlan};

use super::flatten::{Flat, flatten, inline};
use super::functions::{HOP_STARTS, TUMBLE, interval_micros};
use super::range::is_event_time;
use super::{
    Aggregate, AggregateKind, DetectorPlan, Operator, Parts, PlanProblem, Planner, WINDOW_COLUMN, aggregate_column,
    key_column, own_column,
};
use super::{checked, look_up};

/// In how many hopping windows a record may lie: each keeps a state of its own.
const MOST_WINDOWS: i64 = 300;

/// The windows of an aggregate node.
pub(super) struct Windows<'p> {
    pub(super) scan: Flat<'p>,
    pub(super) size: i64,
    pub(super) slide: i64,
    /// The keys, over the scan's columns.
    pub(super) keys: Vec<Expr>,
    pub(super) aggregates: Vec<Aggregate>,
    /// What each output column of the node means; `total_name` names the aggregates.
    pub(super) meanings: Vec<Expr>,
}

/// Plans a detector whose topmost operator is an aggregate node.
pub(super) fn plan(
    planner: &Planner,
    logical: &LogicalPlan,
    above: &Flat<'_>,
    node: &datafusion_expr::Aggregate,
) -> Result<DetectorPlan, PlanProblem> {
    let Windows { scan, size, slide, keys, aggregates, meanings } = resolve(node, aggregate_column)?;
    let schema = above.base.schema();
    let inline_all = |exprs: &[Expr]| exprs.iter().map(|e| inline(e, schema, &meanings)).collect::<Result<Vec<_>>>();
    let flat = Flat { outputs: inline_all(&above.outputs)?, ..Flat::over(above.base) };
    let having = inline_all(&above.predicates)?;
    let operator = Operator::Window { size, slide, aggregates };
    planner.assemble(logical, Parts { operator, keys: named(keys), fed: None, flat: &flat, scan: &scan, having })
}

/// The windows of an aggregate node, whose aggregates are known by the names that `total_name` gives them.
pub(super) fn resolve(
    node: &datafusion_expr::Aggregate,
    total_name: fn(usize) -> String,
) -> Result<Windows<'_>, PlanProblem> {
    let scan = flatten(&node.input)?;
    if !matches!(scan.base, LogicalPlan::TableScan(_)) {
        return Err(PlanProblem::over_another());
    }
    let input = node.input.schema();
    let groups = node.group_expr.iter().map(|e| inline(e, input, &scan.outputs)).collect::<Result<Vec<_>>>()?;
    let (mut size, mut keys, mut meanings) = (None, Vec::new(), Vec::new());
    for group in groups {
        match window_size(&group)? {
            Some(found) if size.replace(found).is_none() => meanings.push(own_column(WINDOW_COLUMN.into())),
            Some(_) => return Err(PlanProblem::form("two windows in one GROUP BY", "keep one of them")),
            None => {
                meanings.push(own_column(key_column(keys.len())));
                keys.push(group);
            }
        }
    }
    let Some((size, slide)) = size else {
        return Err(PlanProblem::form(
            "a GROUP BY without a window needs memory without end",
            "add tumble(event_time, INTERVAL '5 minutes') to the GROUP BY, or count in a sliding range",
        ));
    };
    let mut aggregates = Vec::new();
    for (index, expr) in node.aggr_expr.iter().enumerate() {
        meanings.push(own_column(total_name(aggregates.len())));
        let output = node.schema.field(node.group_expr.len() + index).data_type().clone();
        aggregates.push(window_aggregate(&inline(expr, input, &scan.outputs)?, output)?);
    }
    Ok(Windows { scan, size, slide, keys, aggregates, meanings })
}

/// Keys that are written twice once: DataFusion's aggregate has a column for each different one.
pub(super) fn each_key_once(plan: LogicalPlan) -> Result<LogicalPlan> {
    let once = plan.transform_up(|node| match node {
        LogicalPlan::Aggregate(mut node) => {
            let written = std::mem::take(&mut node.group_expr);
            for key in written {
                if !node.group_expr.contains(&key) {
                    node.group_expr.push(key);
                }
            }
            Ok(Transformed::yes(LogicalPlan::Aggregate(node)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(once.data)
}

/// The windows' size, and how far apart they start, if the expression is one.
fn window_size(expr: &Expr) -> Result<Option<(i64, i64)>, PlanProblem> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == TUMBLE => match call.args.as_slice() {
            [time, Expr::Literal(size, _)] if is_event_time(time) => {
                let size = interval_micros(size)?;
                Ok(Some((size, size)))
            }
            _ => Err(PlanProblem::form(
                "tumble wants the stream's event_time and a literal interval",
                "write tumble(event_time, INTERVAL '5 minutes')",
            )),
        },
        Expr::ScalarFunction(call) if call.func.name() == HOP_STARTS => match call.args.as_slice() {
            [time, Expr::Literal(slide, _), Expr::Literal(size, _)] if is_event_time(time) => {
                hopping(interval_micros(slide)?, interval_micros(size)?).map(Some)
            }
            _ => Err(PlanProblem::form(
                "hop wants the stream's event_time and two literal intervals",
                "write hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes'): every minute, over five",
            )),
        },
        _ => Ok(None),
    }
}

fn hopping(slide: i64, size: i64) -> Result<(i64, i64), PlanProblem> {
    if slide > size {
        return Err(PlanProblem::form(
            "these windows leave gaps: records between them are in none",
            "put the shorter interval first: hop(event_time, how often, how long)",
        ));
    }
    if size / slide > MOST_WINDOWS {
        return Err(PlanProblem::form(
            format!("each record lies in more than {MOST_WINDOWS} of these windows"),
            "hop less often, or count in a sliding range, which has no such limit",
        ));
    }
    Ok((size, slide))
}

fn window_aggregate(expr: &Expr, output: DataType) -> Result<Aggregate, PlanProblem> {
    match expr {
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            let kind = aggregate_kind(call.func.name(), params.distinct)?;
            aggregate(kind, &params.args, params.filter.as_deref(), (0, 0), output)
        }
        other => Err(PlanProblem::Planner(format!("no aggregate function: {other}"))),
    }
}

/// An aggregate function's kind, if it is one that is run.
pub(super) fn aggregate_kind(name: &str, distinct: bool) -> Result<AggregateKind, PlanProblem> {
    Ok(match (name, distinct) {
        ("count", true) => AggregateKind::CountDistinct,
        ("count", false) => AggregateKind::Count,
        ("sum", false) => AggregateKind::Sum,
        ("avg", false) => AggregateKind::Average,
        // Least and greatest are the same without copies.
        ("min", _) => AggregateKind::Least,
        ("max", _) => AggregateKind::Greatest,
        ("bool_and", false) => AggregateKind::All,
        ("bool_or", false) => AggregateKind::Any,
        _ => return Err(unknown_aggregate(name)),
    })
}

/// An aggregate of this kind.
pub(super) fn aggregate(
    kind: AggregateKind,
    args: &[Expr],
    filter: Option<&Expr>,
    frame: (i64, i64),
    output: DataType,
) -> Result<Aggregate, PlanProblem> {
    let [argument] = args else {
        return Err(PlanProblem::form(
            "an aggregate with more than one argument",
            "give it one: put others into it with concat_ws('|', a, b)",
        ));
    };
    let counts_rows = kind == AggregateKind::Count && matches!(argument, Expr::Literal(value, _) if !value.is_null());
    let argument = (!counts_rows).then(|| argument.clone());
    Ok(Aggregate { kind, argument, filter: filter.cloned(), frame, output })
}

/// Says which aggregates are run.
pub(super) fn unknown_aggregate(name: &str) -> PlanProblem {
    PlanProblem::form(
        format!("`{name}` is not run in this version"),
        "write count, sum, avg, min, max, bool_and or bool_or, each with FILTER (WHERE …) if you like",
    )
}

/// Keys by the names that the SELECT list gives them, but those that are columns, which have a name.
pub(super) fn as_shown(
    keys: Vec<(String, Expr)>,
    is_column: &[bool],
    outputs: &[(String, Expr)],
) -> Vec<(String, Expr)> {
    let shown = |(index, (name, expr)): (usize, (String, Expr))| {
        let total = own_column(key_column(index));
        let output = outputs.iter().find(|(_, output)| !is_column[index] && (*output == expr || *output == total));
        (output.map_or(name, |(shown, _)| shown.clone()), expr)
    };
    keys.into_iter().enumerate().map(shown).collect()
}

/// Keys with the names that findings show: a column's name, else the expression's text.
pub(super) fn named(keys: Vec<Expr>) -> Vec<(String, Expr)> {
    let name = |expr: &Expr| match expr {
        Expr::Column(column) => column.name.clone(),
        Expr::ScalarFunction(call) if look_up::column_name(call).is_some() => {
            look_up::column_name(call).unwrap_or_default().to_owned()
        }
        other => checked::as_written(other.clone()).as_ref().unwrap_or(other).human_display().to_string(),
    };
    keys.into_iter().map(|expr| (name(&expr), expr)).collect()
}
