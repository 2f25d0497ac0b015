//! From SQL to what our operators run: DataFusion plans the text, and here the plan is taken apart, checked against
//! what can be run, and put into one of the forms that operators have.

pub mod aggregates;
mod apart;
mod checked;
mod context;
pub mod flatten;
pub mod functions;
mod lift;
pub mod look_up;
mod names;
pub mod needs;
mod over_windows;
mod range;
pub mod sequence;
mod thresholds;
mod times;
mod union;
mod window;

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, LogicalPlan, TryCast};
use datafusion_optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion_optimizer::simplify_expressions::SimplifyExpressions;
use datafusion_optimizer::{Analyzer, Optimizer, OptimizerContext};
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use datafusion_sql::sqlparser::ast::{self, Query, Statement, visit_expressions_mut};
use watchfire_record::{ColumnRequest, Stream};

use crate::tables::Table;

pub use context::PlanningContext;
use flatten::{Flat, flatten};
use lift::Requests;
pub(crate) use lift::lift;
pub use look_up::LookUp;
pub use over_windows::WindowRows;
pub use sequence::{Sequence, SequenceKind};

/// Name of the column that an operator gives its aggregate of this index.
#[must_use]
pub fn aggregate_column(index: usize) -> String {
    format!("__aggregate_{index}")
}

/// Name of the column that the window operator gives its key of this index.
#[must_use]
pub fn key_column(index: usize) -> String {
    format!("__key_{index}")
}

/// The function that gives a window's end.
const WINDOW_END: &str = "window_end";
/// Name of the column that the window operator gives the window's start.
pub const WINDOW_COLUMN: &str = "__window";

/// Name of the column that a window's row gives its aggregate of this index, when a range slides over such rows.
#[must_use]
pub fn total_column(index: usize) -> String {
    format!("__total_{index}")
}

/// What kind of value an aggregate is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AggregateKind {
    /// `count(*)`, or `count(x)`: rows, or rows in which the argument is not NULL.
    Count,
    /// `count(DISTINCT x)`, exact up to a limit.
    CountDistinct,
    /// `sum(x)`; NULL beyond 64 bits.
    Sum,
    /// `avg(x)`.
    Average,
    /// `min(x)`.
    Least,
    /// `max(x)`.
    Greatest,
    /// `bool_and(x)`.
    All,
    /// `bool_or(x)`.
    Any,
}

impl AggregateKind {
    /// Whether it is NULL over no rows.
    #[must_use]
    pub fn can_be_null(&self) -> bool {
        !matches!(self, Self::Count | Self::CountDistinct)
    }
}

/// One aggregate of a range or window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// What is computed.
    pub kind: AggregateKind,
    /// Of what; `None` for `count(*)`.
    pub argument: Option<Expr>,
    /// Over which rows: `FILTER (WHERE …)`.
    pub filter: Option<Expr>,
    /// The type of its result.
    pub output: DataType,
    /// The range frame, for over-range: from how long before the row to how long before it, microseconds, both ends
    /// included. Zeroes for a window.
    pub frame: (i64, i64),
}

/// What the rows that pass the WHERE go through.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Each is a finding.
    Match,
    /// Aggregates over a sliding range before each row, by key.
    OverRange {
        /// The aggregates; post-expressions know them as [`aggregate_column`].
        aggregates: Vec<Aggregate>,
    },
    /// Aggregates over tumbling or hopping windows, by key.
    Window {
        /// The windows' length, microseconds.
        size: i64,
        /// From one window's start to the next one's, microseconds: the length, if they tumble.
        slide: i64,
        /// The aggregates; post-expressions know them as [`aggregate_column`].
        aggregates: Vec<Aggregate>,
    },
    /// Aggregates over a sliding range before each row of windows, by some of the windows' keys.
    OverWindows {
        /// The windows whose final rows the range slides over.
        windows: WindowRows,
        /// The range's aggregates; post-expressions know them as [`aggregate_column`].
        aggregates: Vec<Aggregate>,
    },
    /// Two records of one key within a bound of time, or one record without the other. Has two inputs; post-expressions
    /// know their columns as [`sequence::side_column`].
    Sequence(Sequence),
}

/// A stream that a detector reads, and what it wants of its records. A detector has one, but for a sequence, which has
/// two, and a union, which has one a branch.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Index of the stream.
    pub stream: usize,
    /// What must hold for a record: each of these.
    pub predicates: Vec<Expr>,
    /// Names and expressions of the keys by which rows find one another: PARTITION BY or GROUP BY without the window, or
    /// this side of a sequence's equalities; empty for match.
    pub keys: Vec<(String, Expr)>,
    /// For a range over windows: what of the keys rows go to shards by, as rows of different windows meet there.
    pub placed_by: Option<Vec<Expr>>,
    /// For match: names and expressions of the row that is found.
    pub outputs: Vec<(String, Expr)>,
    /// What the predicates read.
    pub predicate_columns: Vec<ColumnRequest>,
    /// What everything else reads.
    pub row_columns: Vec<ColumnRequest>,
    /// For a sequence: what of a row is kept, because conditions over both sides or the found row read it.
    pub kept_columns: Vec<ColumnRequest>,
    /// What is looked up in tables for all of these, each look-up after those that it builds on.
    pub look_ups: Vec<LookUp>,
    /// For match: the keys by which rows of tables are joined; they are part of a finding's identity.
    pub joined: Vec<Expr>,
}

/// A detector's plan. Expressions are over lifted columns (see [`ColumnRequest::name`]), for those after the operator
/// also over its own columns.
#[derive(Debug, Clone)]
pub struct DetectorPlan {
    /// The streams that it reads; one stream may be there twice.
    pub inputs: Vec<Input>,
    /// What the rows go through.
    pub operator: Operator,
    /// Names and expressions of the keys that findings show: PARTITION BY or GROUP BY without the window, or a sequence's
    /// equalities; empty for match. For a range over windows they are over the windows' rows.
    pub keys: Vec<(String, Expr)>,
    /// What must hold after the operator: each of these.
    pub having: Vec<Expr>,
    /// Names and expressions of the row that is found.
    pub outputs: Vec<(String, Expr)>,
    /// The plan as DataFusion made it, with NULL where casts and arithmetic fail: what the oracle runs.
    pub logical: LogicalPlan,
}

impl DetectorPlan {
    /// Whether it reads this stream.
    #[must_use]
    pub fn reads(&self, stream: usize) -> bool {
        self.inputs.iter().any(|input| input.stream == stream)
    }

    /// Whether it reads this stream and no other.
    #[must_use]
    pub fn reads_only(&self, stream: usize) -> bool {
        self.inputs.iter().all(|input| input.stream == stream)
    }
}

/// Why a plan cannot be run.
#[derive(Debug, Clone)]
pub enum PlanProblem {
    /// DataFusion refuses it: unknown names, wrong types.
    Planner(String),
    /// It can be planned, and is no form of ours. The text says which and what to write instead.
    Form {
        /// What is not run.
        message: String,
        /// What to write instead.
        help: String,
    },
    /// It joins, and not so that it can be run. The text says why and what to write instead.
    Join {
        /// What is not run.
        message: String,
        /// What to write instead.
        help: String,
    },
    /// It joins a table, and not so that it can be looked up in. The text says why and what to write instead.
    LookUp {
        /// What is not run.
        message: String,
        /// What to write instead.
        help: String,
        /// The table's name.
        table: String,
    },
    /// An operator over another one's rows that is not run. The text says why and what to write instead.
    Composed {
        /// What is not run.
        message: String,
        /// What to write instead.
        help: String,
        /// Words of which the first that there is shows where, at its last place.
        at: &'static [&'static str],
    },
}

impl From<datafusion_common::error::DataFusionError> for PlanProblem {
    fn from(error: datafusion_common::error::DataFusionError) -> Self {
        Self::Planner(error.strip_backtrace())
    }
}

impl PlanProblem {
    fn form(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Form { message: message.into(), help: help.into() }
    }

    fn join(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Join { message: message.into(), help: help.into() }
    }

    fn composed(message: impl Into<String>, help: impl Into<String>, at: &'static [&'static str]) -> Self {
        Self::Composed { message: message.into(), help: help.into(), at }
    }

    fn over_another() -> Self {
        Self::composed(
            "this operator over another operator's rows is not run in this version",
            "write one sliding range or one window over the stream itself, or a sliding range over the rows of one window",
            &["GROUP", "OVER", "JOIN", "UNION"],
        )
    }
}

/// Plans detectors against a fixed list of streams. One for all detectors: building it costs milliseconds.
pub struct Planner {
    context: PlanningContext,
    streams: Vec<Stream>,
    tables: Vec<Arc<Table>>,
    analyzer: Analyzer,
    joiner: Optimizer,
    simplifier: Optimizer,
    options: ConfigOptions,
}

impl Planner {
    /// A planner that knows these streams, and no tables to look up in.
    #[must_use]
    pub fn new(streams: &[Stream]) -> Self {
        Self::with_tables(streams, &[])
    }

    /// A planner that knows these streams, and these tables to look up in. No two have one name. Detectors that run
    /// together are planned with the same tables: a new version of one is its [`Table::replace`].
    #[must_use]
    pub fn with_tables(streams: &[Stream], tables: &[Arc<Table>]) -> Self {
        Self {
            context: PlanningContext::new(streams, tables),
            streams: streams.to_vec(),
            tables: tables.to_vec(),
            analyzer: Analyzer::new(),
            joiner: Optimizer::with_rules(vec![Arc::new(DecorrelatePredicateSubquery::new())]),
            simplifier: Optimizer::with_rules(vec![Arc::new(SimplifyExpressions::new())]),
            options: ConfigOptions::new(),
        }
    }

    /// The streams it knows.
    #[must_use]
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// The tables it knows.
    #[must_use]
    pub fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// Plans one expanded query.
    ///
    /// # Errors
    /// If a name or type is wrong, or the plan is no form that can be run.
    pub fn plan(&self, query: &Query) -> Result<DetectorPlan, PlanProblem> {
        let written = self.written(query)?;
        let plan = self.plan_of(&self.simplified(written.clone())?)?;
        Ok(DetectorPlan { logical: written, ..plan })
    }

    fn plan_of(&self, logical: &LogicalPlan) -> Result<DetectorPlan, PlanProblem> {
        sequence::refuse_sub_queries(logical)?;
        let flat = flatten(logical)?;
        match flat.base {
            LogicalPlan::TableScan(_) => self.plan_match(logical, &flat),
            LogicalPlan::Window(node) => range::plan(self, logical, &flat, node),
            LogicalPlan::Aggregate(node) => window::plan(self, logical, &flat, node),
            LogicalPlan::Join(node) => sequence::plan(self, logical, &flat, node),
            LogicalPlan::Union(_) => union::plan(self, logical, &flat),
            other => Err(PlanProblem::form(
                format!("a detector does not run `{}`", first_word(&other.display().to_string())),
                "write one SELECT over one stream: WHERE, then a sliding range (OVER) or a window (GROUP BY tumble(…))",
            )),
        }
    }

    fn simplified(&self, written: LogicalPlan) -> Result<LogicalPlan> {
        apart::together_again(self.optimize(&self.simplifier, apart::lists_apart(written)?)?)
    }

    fn optimize(&self, by: &Optimizer, plan: LogicalPlan) -> Result<LogicalPlan> {
        by.optimize(plan, &OptimizerContext::new().with_skip_failing_rules(false), |_, _| {})
    }

    /// The plan as the query has it, with its types, and with nothing that can fail.
    fn written(&self, query: &Query) -> Result<LogicalPlan> {
        let options =
            ParserOptions { collect_spans: true, map_string_types_to_utf8view: false, ..ParserOptions::default() };
        let planner = SqlToRel::new_with_options(&self.context, options);
        let plan = planner.sql_statement_to_plan(Statement::Query(Box::new(names::apart(with_window_ends(query)))))?;
        let plan = self.analyzer.execute_and_check(plan, &self.options, |_, _| {})?;
        // EXISTS and NOT EXISTS as the joins that they are.
        self.optimize(&self.joiner, window::each_key_once(nothing_that_can_fail(plan)?)?)
    }

    fn plan_match(&self, logical: &LogicalPlan, flat: &Flat<'_>) -> Result<DetectorPlan, PlanProblem> {
        let parts =
            Parts { operator: Operator::Match, keys: Vec::new(), fed: None, flat, scan: flat, having: Vec::new() };
        self.assemble(logical, parts)
    }

    /// Lifts all expressions of a plan's parts and lists the columns they read.
    fn assemble(&self, logical: &LogicalPlan, parts: Parts<'_, '_>) -> Result<DetectorPlan, PlanProblem> {
        let stream = self.stream_of(parts.scan.base)?;
        let definition = &self.streams[stream];
        let (mut predicate_columns, mut row_columns) = (Requests::default(), Requests::default());
        for predicate in &parts.scan.predicates {
            predicate_columns.add(predicate, definition)?;
        }
        let operator = parts.operator.lifted(definition, &mut row_columns)?;
        if operator.aggregates().len().max(operator.fed_aggregates().len()) > 64 {
            return Err(PlanProblem::form("more than 64 aggregates in one detector", "write several detectors"));
        }
        let mut lift_row = |expr: &Expr| -> Result<Expr> {
            row_columns.add(expr, definition)?;
            lift(expr, definition)
        };
        let names = logical.schema().fields().iter().map(|f| f.name().clone());
        let outputs = names.zip(&parts.flat.outputs).map(|(name, expr)| Ok((name, lift_row(expr)?)));
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        let keys = parts.keys.iter().map(|(name, expr)| Ok((name.clone(), lift_row(expr)?)));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let is_column = parts.keys.iter().map(|(_, expr)| matches!(expr, Expr::Column(_))).collect::<Vec<_>>();
        let (fed_keys, placed_by) = match parts.fed {
            None => (keys.clone(), None),
            Some(FedKeys { keys, placed_by }) => {
                let keys = keys.into_iter().map(|(name, expr)| Ok((name, lift_row(&expr)?)));
                let keys = keys.collect::<Result<Vec<_>>>()?;
                (keys, Some(placed_by.iter().map(&mut lift_row).collect::<Result<Vec<_>>>()?))
            }
        };
        let having = parts.having.iter().map(&mut lift_row).collect::<Result<Vec<_>>>()?;
        let of_match = matches!(operator, Operator::Match);
        let joined = parts.scan.joined.iter().filter(|_| of_match).map(&mut lift_row).collect::<Result<Vec<_>>>()?;
        let predicates = parts.scan.predicates.iter().map(|p| lift(p, definition)).collect::<Result<Vec<_>>>()?;
        let read = Read::new(predicate_columns, row_columns);
        let input = Input {
            stream,
            predicates,
            keys: fed_keys,
            placed_by,
            outputs: outputs.clone(),
            predicate_columns: read.by_predicates,
            row_columns: read.by_rows,
            kept_columns: Vec::new(),
            look_ups: read.look_ups,
            joined,
        };
        let keys = window::as_shown(keys, &is_column, &outputs);
        Ok(DetectorPlan { inputs: vec![input], operator, keys, having, outputs, logical: logical.clone() })
    }

    /// The stream that a node scans.
    fn stream_of(&self, base: &LogicalPlan) -> Result<usize, PlanProblem> {
        if let Some(table) = look_up::table_of(base) {
            return Err(look_up::not_read(table));
        }
        let LogicalPlan::TableScan(scan) = base else {
            return Err(PlanProblem::over_another());
        };
        let stream = self.streams.iter().position(|s| s.name == scan.table_name.table());
        stream.ok_or_else(|| PlanProblem::Planner(format!("table '{}' not found", scan.table_name)))
    }
}

/// What an input reads.
struct Read {
    by_predicates: Vec<ColumnRequest>,
    by_rows: Vec<ColumnRequest>,
    look_ups: Vec<LookUp>,
}

impl Read {
    fn new(by_predicates: Requests, mut by_rows: Requests) -> Self {
        let (by_predicates, look_ups) = by_predicates.into_parts();
        by_rows.look_up(look_ups);
        let (by_rows, look_ups) = by_rows.into_parts();
        Self { by_predicates, by_rows, look_ups }
    }
}

/// A plan taken apart, before lifting.
struct Parts<'a, 'p> {
    operator: Operator,
    keys: Vec<(String, Expr)>,
    /// By what the stream's rows find one another, if not by the keys.
    fed: Option<FedKeys>,
    /// The chain above the operator (for match: above the scan); its outputs are the found row.
    flat: &'a Flat<'p>,
    /// The chain above the scan.
    scan: &'a Flat<'p>,
    having: Vec<Expr>,
}

/// The keys of windows under a range, and what of them rows go to shards by.
struct FedKeys {
    keys: Vec<(String, Expr)>,
    placed_by: Vec<Expr>,
}

impl Operator {
    /// The aggregates that post-expressions know; none for match.
    #[must_use]
    pub fn aggregates(&self) -> &[Aggregate] {
        match self {
            Self::Match | Self::Sequence(_) => &[],
            Self::OverRange { aggregates } | Self::Window { aggregates, .. } | Self::OverWindows { aggregates, .. } => {
                aggregates
            }
        }
    }

    /// The aggregates over the stream's records; none for match.
    #[must_use]
    pub fn fed_aggregates(&self) -> &[Aggregate] {
        match self {
            Self::OverWindows { windows, .. } => &windows.aggregates,
            other => other.aggregates(),
        }
    }

    fn lifted(self, stream: &Stream, requests: &mut Requests) -> Result<Self> {
        let mut lift_one = |expr: Option<Expr>| -> Result<Option<Expr>> {
            let Some(expr) = expr else { return Ok(None) };
            requests.add(&expr, stream)?;
            lift(&expr, stream).map(Some)
        };
        let mut lift_all = |aggregates: Vec<Aggregate>| -> Result<Vec<Aggregate>> {
            let lifted = aggregates
                .into_iter()
                .map(|a| Ok(Aggregate { argument: lift_one(a.argument)?, filter: lift_one(a.filter)?, ..a }));
            lifted.collect()
        };
        Ok(match self {
            Self::Match | Self::Sequence(_) => self,
            Self::OverRange { aggregates } => Self::OverRange { aggregates: lift_all(aggregates)? },
            Self::Window { size, slide, aggregates } => Self::Window { size, slide, aggregates: lift_all(aggregates)? },
            Self::OverWindows { windows, aggregates } => {
                // What the range looks at are the windows' own columns.
                let windows = WindowRows { aggregates: lift_all(windows.aggregates)?, ..windows };
                Self::OverWindows { windows, aggregates }
            }
        })
    }
}

/// `window_end(tumble(t, size))` written out as `tumble(t, size) + size`.
fn with_window_ends(query: &Query) -> Query {
    let mut query = query.clone();
    let _ = visit_expressions_mut(&mut query, |expr| {
        if let ast::Expr::Function(call) = &*expr
            && call.name.to_string().eq_ignore_ascii_case(WINDOW_END)
            && let [window] = arguments(call).as_slice()
            && let ast::Expr::Function(tumble) = window
            && let [_, size] = arguments(tumble).as_slice()
        {
            let (left, right) = (Box::new(window.clone()), Box::new(size.clone()));
            *expr = ast::Expr::Nested(Box::new(ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Plus, right }));
        }
        ControlFlow::<()>::Continue(())
    });
    query
}

fn arguments(call: &ast::Function) -> Vec<ast::Expr> {
    let ast::FunctionArguments::List(list) = &call.args else { return Vec::new() };
    let plain = list.args.iter().filter_map(|argument| match argument {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    plain.collect()
}

/// Functions that DataFusion does not run, but has other expressions for.
const STAND_FOR_OTHERS: [&str; 5] = ["coalesce", "nvl", "ifnull", "nvl2", "arrow_cast"];

/// Casts, written or implied, and arithmetic give NULL where they fail: no record can stop a query. Functions that stand
/// for other expressions become these.
fn nothing_that_can_fail(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let preserver = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = preserver.save(&expr);
            let expr = expr.transform_up(|e| match times::compared_in_micros(e) {
                Expr::Cast(cast) => Ok(Transformed::yes(Expr::TryCast(TryCast { expr: cast.expr, field: cast.field }))),
                Expr::BinaryExpr(operation) => checked::checked(operation, &schema),
                Expr::ScalarFunction(call) if STAND_FOR_OTHERS.contains(&call.func.name()) => stands_for(call, &schema),
                other => Ok(Transformed::no(other)),
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(rewritten.data)
}

fn stands_for(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let context = SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build();
    Ok(match call.func.simplify(call.args, &context)? {
        ExprSimplifyResult::Simplified(other) => Transformed::yes(other),
        ExprSimplifyResult::Original(args) => Transformed::no(Expr::ScalarFunction(ScalarFunction { args, ..call })),
    })
}

fn first_word(text: &str) -> &str {
    text.split([':', ' ']).next().unwrap_or(text)
}

pub(crate) fn own_column(name: String) -> Expr {
    Expr::Column(Column::from_name(name))
}
