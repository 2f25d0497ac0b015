//! Plans of sliding ranges: `agg(…) OVER (PARTITION BY … ORDER BY event_time RANGE …)`.

use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion_expr::{Expr, LogicalPlan, Window, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition};

use super::flatten::{Flat, flatten, inline};
use super::functions::interval_micros;
use super::over_windows::{self, Below};
use super::{Aggregate, DetectorPlan, Operator, Parts, PlanProblem, Planner, aggregate_column, own_column, window};

/// What window nodes, one over the other, compute over one scan.
struct Ranges<'p> {
    scan: Flat<'p>,
    /// The windows over whose rows they slide, if it is not over the scan's.
    windows: Option<Below>,
    aggregates: Vec<Aggregate>,
    partition: Vec<Expr>,
    /// What each output column of the topmost node means, over the scan's columns and the aggregates.
    meanings: Vec<Expr>,
}

/// Plans a detector whose topmost operator is a window node.
pub(super) fn plan(
    planner: &Planner,
    logical: &LogicalPlan,
    above: &Flat<'_>,
    node: &Window,
) -> Result<DetectorPlan, PlanProblem> {
    let ranges = resolve(node)?;
    let schema = above.base.schema();
    let inline_all =
        |exprs: &[Expr]| exprs.iter().map(|e| inline(e, schema, &ranges.meanings)).collect::<Result<Vec<_>>>();
    let flat = Flat { outputs: inline_all(&above.outputs)?, ..Flat::over(above.base) };
    let having = inline_all(&above.predicates)?;
    let Ranges { scan, windows, aggregates, partition, .. } = ranges;
    let parts = match windows {
        None => {
            let (keys, operator) = (window::named(partition), Operator::OverRange { aggregates });
            Parts { operator, keys, fed: None, flat: &flat, scan: &scan, having }
        }
        Some(below) => {
            let (windows, keys, fed) = over_windows::placed(below, partition)?;
            let operator = Operator::OverWindows { windows, aggregates };
            Parts { operator, keys, fed: Some(fed), flat: &flat, scan: &scan, having }
        }
    };
    planner.assemble(logical, parts)
}

fn resolve(node: &Window) -> Result<Ranges<'_>, PlanProblem> {
    let below = flatten(&node.input)?;
    let mut ranges = match below.base {
        LogicalPlan::Window(inner) => {
            if !below.predicates.is_empty() {
                return Err(PlanProblem::form(
                    "a range over the rows that another range let pass is not run in this version",
                    "compute all aggregates in one SELECT and compare them in its QUALIFY",
                ));
            }
            let inner = resolve(inner)?;
            let schema = below.base.schema();
            let outputs = below.outputs.iter().map(|e| inline(e, schema, &inner.meanings));
            let meanings = outputs.collect::<Result<Vec<_>>>()?;
            Ranges { meanings, ..inner }
        }
        LogicalPlan::Aggregate(inner) => {
            let (scan, windows, meanings) = over_windows::resolve(&below, inner)?;
            Ranges { scan, windows: Some(windows), aggregates: Vec::new(), partition: Vec::new(), meanings }
        }
        _ => {
            let meanings = below.outputs.clone();
            Ranges { scan: below, windows: None, aggregates: Vec::new(), partition: Vec::new(), meanings }
        }
    };
    let (schema, inputs) = (node.input.schema(), ranges.meanings.clone());
    for (index, expr) in node.window_expr.iter().enumerate() {
        let inlined = inline(expr, schema, &inputs)?;
        let output = node.schema.field(inputs.len() + index).data_type().clone();
        let (aggregate, partition) = range_aggregate(&inlined, output, ranges.windows.is_some())?;
        if !ranges.aggregates.is_empty() && partition != ranges.partition {
            return Err(PlanProblem::form(
                "ranges with different PARTITION BY in one detector are not run in this version",
                "give all ranges of a detector the same PARTITION BY, or write two detectors",
            ));
        }
        ranges.partition = partition;
        ranges.meanings.push(own_column(aggregate_column(ranges.aggregates.len())));
        ranges.aggregates.push(aggregate);
    }
    Ok(ranges)
}

fn range_aggregate(expr: &Expr, output: DataType, over_windows: bool) -> Result<(Aggregate, Vec<Expr>), PlanProblem> {
    let Expr::WindowFunction(call) = expr else {
        return Err(PlanProblem::Planner(format!("no window function: {expr}")));
    };
    let WindowFunction { fun, params } = call.as_ref();
    let is_time = if over_windows { over_windows::is_start } else { is_event_time };
    let ordered = matches!(params.order_by.as_slice(), [sort] if sort.asc && is_time(&sort.expr));
    if !ordered && over_windows {
        return Err(over_windows::not_by_start());
    }
    if !ordered || params.window_frame.units != WindowFrameUnits::Range {
        return Err(PlanProblem::form(
            "a sliding range is ordered by event_time alone, ascending, and has a RANGE frame",
            "write OVER (PARTITION BY … ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING)",
        ));
    }
    let WindowFunctionDefinition::AggregateUDF(function) = fun else {
        return Err(window::unknown_aggregate(fun.name()));
    };
    let frame = (bound(&params.window_frame.start_bound)?, bound(&params.window_frame.end_bound)?);
    if frame.0 < frame.1 {
        return Err(PlanProblem::form("the range ends before it starts", "put the longer interval first"));
    }
    let WindowFunctionParams { args, filter, distinct, partition_by, .. } = params;
    let mut inputs = args.iter().chain(partition_by).chain(filter.as_deref());
    if inputs.any(|expr| expr.column_refs().iter().any(|column| column.name.starts_with("__aggregate_"))) {
        return Err(PlanProblem::form(
            "a range over another range's aggregate is not run in this version",
            "compare the aggregates in QUALIFY, or in the WHERE of an outer SELECT",
        ));
    }
    let kind = window::aggregate_kind(function.name(), *distinct)?;
    let aggregate = window::aggregate(kind, args, filter.as_deref(), frame, output)?;
    Ok((aggregate, partition_by.clone()))
}

/// Whether an expression over a scan is its `event_time`.
pub(super) fn is_event_time(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == "event_time")
}

/// How long before the row a frame's bound lies, microseconds.
fn bound(bound: &WindowFrameBound) -> Result<i64, PlanProblem> {
    match bound {
        WindowFrameBound::CurrentRow => Ok(0),
        WindowFrameBound::Preceding(value) if !value.is_null() => Ok(match value {
            ScalarValue::IntervalMonthDayNano(Some(interval))
                if interval.nanoseconds == 0 && interval.days == 0 && interval.months == 0 =>
            {
                0
            }
            other => interval_micros(other)?,
        }),
        _ => Err(PlanProblem::form(
            "a range without an end needs memory without end, and one into the future waits for ever",
            "bound it on both sides: RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW",
        )),
    }
}
