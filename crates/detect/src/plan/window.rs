//! Plans of tumbling windows: `GROUP BY tumble(event_time, …), keys`.

use datafusion_common::Result;
use datafusion_expr::{Expr, LogicalPlan};

use super::flatten::{Flat, flatten, inline};
use super::functions::{TUMBLE, interval_micros};
use super::range::is_event_time;
use super::{
    Aggregate, AggregateKind, DetectorPlan, Operator, Parts, PlanProblem, Planner, WINDOW_COLUMN, aggregate_column,
    key_column, own_column,
};

/// Plans a detector whose topmost operator is an aggregate node.
pub(super) fn plan(
    planner: &Planner,
    logical: &LogicalPlan,
    above: &Flat<'_>,
    node: &datafusion_expr::Aggregate,
) -> Result<DetectorPlan, PlanProblem> {
    let scan = flatten(&node.input)?;
    let input = node.input.schema();
    let groups = node.group_expr.iter().map(|e| inline(e, input, &scan.outputs)).collect::<Result<Vec<_>>>()?;
    let (mut size, mut keys, mut meanings) = (None, Vec::new(), Vec::new());
    for group in groups {
        match window_size(&group)? {
            Some(found) if size.replace(found).is_none() => meanings.push(own_column(WINDOW_COLUMN.into())),
            Some(_) => return Err(PlanProblem::form("two windows in one GROUP BY", "keep one tumble(…)")),
            None => {
                meanings.push(own_column(key_column(keys.len())));
                keys.push(group);
            }
        }
    }
    let Some(size) = size else {
        return Err(PlanProblem::form(
            "a GROUP BY without a window needs memory without end",
            "add tumble(event_time, INTERVAL '5 minutes') to the GROUP BY, or count in a sliding range",
        ));
    };
    let mut aggregates = Vec::new();
    for expr in &node.aggr_expr {
        meanings.push(own_column(aggregate_column(aggregates.len())));
        aggregates.push(window_aggregate(&inline(expr, input, &scan.outputs)?)?);
    }
    let schema = above.base.schema();
    let inline_all = |exprs: &[Expr]| exprs.iter().map(|e| inline(e, schema, &meanings)).collect::<Result<Vec<_>>>();
    let flat = Flat { base: above.base, predicates: Vec::new(), outputs: inline_all(&above.outputs)? };
    let having = inline_all(&above.predicates)?;
    let operator = Operator::Window { size, aggregates };
    planner.assemble(logical, Parts { operator, keys: named(keys), flat: &flat, scan: &scan, having })
}

/// The size of the window if the expression is one.
fn window_size(expr: &Expr) -> Result<Option<i64>, PlanProblem> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == TUMBLE => match call.args.as_slice() {
            [time, Expr::Literal(size, _)] if is_event_time(time) => Ok(Some(interval_micros(size)?)),
            _ => Err(PlanProblem::form(
                "tumble wants the stream's event_time and a literal interval",
                "write tumble(event_time, INTERVAL '5 minutes')",
            )),
        },
        _ => Ok(None),
    }
}

fn window_aggregate(expr: &Expr) -> Result<Aggregate, PlanProblem> {
    match expr {
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            aggregate(call.func.name(), &params.args, params.distinct, params.filter.as_deref(), (0, 0))
        }
        other => Err(PlanProblem::Planner(format!("no aggregate function: {other}"))),
    }
}

/// An aggregate that this version runs.
pub(super) fn aggregate(
    name: &str,
    args: &[Expr],
    distinct: bool,
    filter: Option<&Expr>,
    frame: (i64, i64),
) -> Result<Aggregate, PlanProblem> {
    let [argument] = args else { return Err(unknown_aggregate(name)) };
    if name != "count" {
        return Err(unknown_aggregate(name));
    }
    let counts_rows = matches!(argument, Expr::Literal(value, _) if !value.is_null());
    let kind = if distinct { AggregateKind::CountDistinct } else { AggregateKind::Count };
    let argument = (distinct || !counts_rows).then(|| argument.clone());
    Ok(Aggregate { kind, argument, filter: filter.cloned(), frame })
}

/// Says which aggregates are run.
pub(super) fn unknown_aggregate(name: &str) -> PlanProblem {
    PlanProblem::form(
        format!("`{name}` is not run in this version"),
        "write count(*), count(x) or count(DISTINCT x), each with FILTER (WHERE …) if you like",
    )
}

/// Keys with the names that findings show: a column's name, else the expression's text.
pub(super) fn named(keys: Vec<Expr>) -> Vec<(String, Expr)> {
    let name = |expr: &Expr| match expr {
        Expr::Column(column) => column.name.clone(),
        other => other.human_display().to_string(),
    };
    keys.into_iter().map(|expr| (name(&expr), expr)).collect()
}
