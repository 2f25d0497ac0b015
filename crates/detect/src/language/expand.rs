//! Shorthands written out, and what could fail on a row made NULL, before planning: engine and oracle run the same.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, Cte, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, Interval, JoinConstraint, JoinOperator,
    NamedWindowDefinition, ObjectName, OrderByExpr, OrderByOptions, Query, Select, SelectItem, SetExpr, TableFactor,
    TypedString, UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};

use super::codes;
use super::diagnostic::Diagnostic;
use super::functions::is_aggregate;
use super::hop;
use super::parse::Parsed;
use super::windowed::{self, RowTime};
use super::windows::{self, folded, is_call_of};

/// The query as it is planned: named windows put where they are used, `first_seen` and frames written out, names of the
/// SELECT list in QUALIFY replaced by what they stand for, columns without a name given one, columns named twice once,
/// casts as `TRY_CAST`, and division by zero as NULL.
///
/// # Errors
/// If a window is not defined, or not so that it can be put in.
pub fn expand(parsed: &Parsed) -> Result<Query, Vec<Diagnostic>> {
    let mut query = parsed.query.as_ref().clone();
    let mut expansion = Expansion { tables: windowed::common_tables(&query), problems: Vec::new() };
    expand_query(&mut query, &mut expansion);
    let problems = expansion.problems;
    if problems.is_empty() {
        return Ok(query);
    }
    let message = "this OVER clause names a window that is not defined, or changes it";
    let error = |span| {
        let span = parsed.source.range(span).unwrap_or_else(|| parsed.first_token());
        parsed.error(codes::NAMED_WINDOW, span, message).help("write the whole OVER clause out")
    };
    Err(problems.into_iter().map(|name: Ident| error(name.span)).collect())
}

/// A query on its way to its expanded form.
struct Expansion {
    /// The common table expressions as they are written.
    tables: Vec<Cte>,
    /// Windows that cannot be put in.
    problems: Vec<Ident>,
}

fn expand_query(query: &mut Query, expansion: &mut Expansion) {
    for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        expand_query(&mut cte.query, expansion);
    }
    expand_body(&mut query.body, expansion);
    hop::spread(query);
}

fn expand_body(body: &mut SetExpr, expansion: &mut Expansion) {
    match body {
        SetExpr::Select(select) => expand_select(select, expansion),
        SetExpr::Query(inner) => expand_query(inner, expansion),
        SetExpr::SetOperation { left, right, .. } => {
            expand_body(left, expansion);
            expand_body(right, expansion);
        }
        _ => {}
    }
}

fn expand_factor(factor: &mut TableFactor, expansion: &mut Expansion) {
    match factor {
        TableFactor::Derived { subquery, .. } => expand_query(subquery, expansion),
        TableFactor::NestedJoin { table_with_joins, .. } => expand_factor(&mut table_with_joins.relation, expansion),
        _ => {}
    }
}

fn expand_select(select: &mut Select, expansion: &mut Expansion) {
    // As it is written: what expands may not be known again.
    let time = match windowed::row_time(select, &expansion.tables) {
        RowTime::Window(start) => start,
        RowTime::Record | RowTime::Unnamed => Ident::new("event_time"),
    };
    for table in &mut select.from {
        expand_factor(&mut table.relation, expansion);
        table.joins.iter_mut().for_each(|join| expand_factor(&mut join.relation, expansion));
    }
    once_each(select);
    select.projection.iter_mut().for_each(name_item);
    let inlined = select.qualify.clone().map(|qualify| inline_names(qualify, &select.projection));
    select.qualify = inlined;
    let mut windows = std::mem::take(&mut select.named_window);
    let mut rewrite = Rewrite { windows: Vec::new(), time, problems: &mut expansion.problems };
    let _ = windows.visit(&mut rewrite);
    rewrite.windows = windows;
    select.window_before_qualify = false;
    let _ = select.projection.visit(&mut rewrite);
    let _ = select.selection.visit(&mut rewrite);
    for join in select.from.iter_mut().flat_map(|table| &mut table.joins) {
        use JoinOperator::{Inner, Join, Left, LeftOuter};
        if let Join(JoinConstraint::On(on))
        | Inner(JoinConstraint::On(on))
        | Left(JoinConstraint::On(on))
        | LeftOuter(JoinConstraint::On(on)) = &mut join.join_operator
        {
            let _ = on.visit(&mut rewrite);
        }
    }
    let _ = select.having.visit(&mut rewrite);
    let _ = select.qualify.visit(&mut rewrite);
    if let GroupByExpr::Expressions(exprs, _) = &mut select.group_by {
        let _ = exprs.visit(&mut rewrite);
    }
}

/// Takes out what the SELECT list has before under the same name: a row shows it once. Not where GROUP BY counts places.
fn once_each(select: &mut Select) {
    if let GroupByExpr::Expressions(exprs, _) = &select.group_by
        && exprs.iter().any(|expr| matches!(expr, Expr::Value(_)))
    {
        return;
    }
    let everything = select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_)));
    let mut seen = HashSet::new();
    select.projection.retain(|item| match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => !everything && seen.insert((folded(name), folded(name))),
        SelectItem::ExprWithAlias { expr, alias } => seen.insert((folded(alias), expr.to_string())),
        SelectItem::UnnamedExpr(expr) => seen.insert((expr.to_string(), expr.to_string())),
        _ => true,
    });
}

/// Gives an expression without a name its own text as name, as its author wrote it.
fn name_item(item: &mut SelectItem) {
    if let SelectItem::UnnamedExpr(expr) = item
        && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
    {
        let alias = windowed::name_of(expr);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// Replaces names of the SELECT list that stand for aggregates or ranges.
fn inline_names(mut qualify: Expr, projection: &[SelectItem]) -> Expr {
    let computed = projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if has_aggregate(expr) => Some((folded(alias), expr.clone())),
        _ => None,
    });
    let _ = qualify.visit(&mut Inline(computed.collect()));
    qualify
}

struct Inline(Vec<(String, Expr)>);

impl VisitorMut for Inline {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && let Some((_, meant)) = self.0.iter().find(|(alias, _)| *alias == folded(name))
        {
            *expr = nested(meant.clone());
        }
        ControlFlow::Continue(())
    }
}

/// Whether an expression has an aggregate, or a function over a range, in it.
fn has_aggregate(expr: &Expr) -> bool {
    let found = datafusion_sql::sqlparser::ast::visit_expressions(expr, |expr| match expr {
        Expr::Function(function) if function.over.is_some() || is_aggregate(&function.name) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// Rewrites expressions from the leaves up.
struct Rewrite<'a> {
    windows: Vec<NamedWindowDefinition>,
    /// What orders the rows.
    time: Ident,
    problems: &'a mut Vec<Ident>,
}

impl VisitorMut for Rewrite<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            // It wants its origin in nanoseconds, whatever the time that it is for has.
            Expr::Function(function) if is_call_of(function, "date_bin") => arguments_mut(function).for_each(of_nanos),
            Expr::Function(function) if function.over.is_some() => {
                self.over(function);
                if is_call_of(function, "first_seen") {
                    *expr = first_seen(function, &self.time);
                }
            }
            Expr::Cast { kind, data_type, .. } => {
                *kind = CastKind::TryCast;
                of_micros(data_type);
            }
            Expr::TypedString(literal) => of_micros(&mut literal.data_type),
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                escaped_as_usual(pattern, escape_char);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Divide, right } => *expr = division(left, right),
            Expr::BinaryOp { left, op: BinaryOperator::Modulo, right } if !is_nonzero(right) => {
                *expr = binary(left.as_ref().clone(), BinaryOperator::Modulo, null_if_zero(right));
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand }
                if !matches!(operand.as_ref(), Expr::Value(_) | Expr::Interval(_)) =>
            {
                *expr = nested(binary(number("0"), BinaryOperator::Minus, nested(operand.as_ref().clone())));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Times are of microseconds, as records' are: of nanoseconds, which the planner takes otherwise, the years after 2262
/// are none.
fn of_micros(data_type: &mut DataType) {
    if let DataType::Timestamp(precision @ None, _) = data_type {
        *precision = Some(6);
    }
}

fn of_nanos(expr: &mut Expr) {
    if let Expr::TypedString(TypedString { data_type: DataType::Timestamp(precision, _), .. })
    | Expr::Cast { data_type: DataType::Timestamp(precision, _), .. } = expr
    {
        *precision = None;
    }
}

/// `LIKE 'a#_b' ESCAPE '#'` as `LIKE 'a\_b'`, which is the form that can be run.
fn escaped_as_usual(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    let Some(Value::SingleQuotedString(character)) = escape.as_ref().map(|escape| &escape.value) else { return };
    let (mut characters, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. })) =
        (character.chars(), pattern)
    else {
        return;
    };
    let (Some(character), None) = (characters.next(), characters.next()) else { return };
    let mut usual = String::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        let literal = if next == character { rest.next() } else { None };
        match literal {
            Some(escaped @ ('%' | '_' | '\\')) => usual.extend(['\\', escaped]),
            Some(escaped) => usual.push(escaped),
            None if next == '\\' => usual.push_str("\\\\"),
            None => usual.push(next),
        }
    }
    *text = usual;
    *escape = None;
}

impl Rewrite<'_> {
    /// Puts named windows in and ends frames that are given by their start alone.
    fn over(&mut self, function: &mut Function) {
        let Some(over) = &function.over else { return };
        match windows::resolve(over, &self.windows) {
            Ok(mut spec) => {
                if let Some(frame) = &mut spec.window_frame {
                    frame.end_bound.get_or_insert(WindowFrameBound::CurrentRow);
                }
                function.over = Some(WindowType::WindowSpec(spec));
            }
            Err(
                windows::Problem::Unknown(name) | windows::Problem::Circular(name) | windows::Problem::Changed(name, _),
            ) => {
                self.problems.push(name);
            }
        }
    }
}

/// `count(*) OVER (PARTITION BY … ORDER BY event_time RANGE BETWEEN … PRECEDING AND INTERVAL '1 microsecond' PRECEDING) = 0`.
fn first_seen(function: &Function, time: &Ident) -> Expr {
    let partition_by = match &function.over {
        Some(WindowType::WindowSpec(spec)) => spec.partition_by.clone(),
        _ => Vec::new(),
    };
    let age = match &function.args {
        FunctionArguments::List(list) => list.args.first(),
        _ => None,
    };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(age))) = age else { return Expr::Function(function.clone()) };
    let time = OrderByExpr {
        expr: Expr::Identifier(time.clone()),
        options: OrderByOptions { asc: None, nulls_first: None },
        with_fill: None,
    };
    let preceding = |expr: Expr| WindowFrameBound::Preceding(Some(Box::new(expr)));
    let frame = WindowFrame {
        units: WindowFrameUnits::Range,
        start_bound: preceding(age.clone()),
        end_bound: Some(preceding(interval("1 microsecond"))),
    };
    let mut count = call("count", vec![FunctionArgExpr::Wildcard]);
    count.over = Some(WindowType::WindowSpec(WindowSpec {
        window_name: None,
        partition_by,
        order_by: vec![time],
        window_frame: Some(frame),
    }));
    nested(binary(Expr::Function(count), BinaryOperator::Eq, number("0")))
}

/// Division that gives NULL where it fails. The least integer divided by -1 is beyond the greatest: subtracting from
/// zero does not fail there.
fn division(left: &Expr, right: &Expr) -> Expr {
    if is_nonzero(right) {
        return binary(left.clone(), BinaryOperator::Divide, right.clone());
    }
    let quotient = binary(left.clone(), BinaryOperator::Divide, null_if_zero(right));
    if matches!(left, Expr::Value(_)) {
        return quotient;
    }
    let minus_one = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number("1")) };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen {
            condition: binary(nested(right.clone()), BinaryOperator::Eq, minus_one),
            result: binary(number("0"), BinaryOperator::Minus, nested(left.clone())),
        }],
        else_result: Some(Box::new(quotient)),
    }
}

/// Whether an expression is a positive number: then dividing by it cannot fail.
fn is_nonzero(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_nonzero(inner),
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse::<f64>().is_ok_and(|number| number != 0.0),
            _ => false,
        },
        _ => false,
    }
}

fn null_if_zero(expr: &Expr) -> Expr {
    Expr::Function(call("nullif", vec![FunctionArgExpr::Expr(expr.clone()), FunctionArgExpr::Expr(number("0"))]))
}

fn call(name: &str, args: Vec<FunctionArgExpr>) -> Function {
    let args = args.into_iter().map(FunctionArg::Unnamed).collect();
    Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}

/// `name(argument)`.
pub(super) fn call_of(name: &str, argument: Expr) -> Expr {
    Expr::Function(call(name, vec![FunctionArgExpr::Expr(argument)]))
}

/// `left + right`.
pub(super) fn plus(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::Plus, right)
}

fn arguments_mut(function: &mut Function) -> impl Iterator<Item = &mut Expr> {
    let list = if let FunctionArguments::List(list) = &mut function.args { Some(list) } else { None };
    list.into_iter().flat_map(|list| &mut list.args).filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}

fn plain_arguments(function: &Function) -> impl DoubleEndedIterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}

/// The first plain argument of a call.
pub(super) fn first_argument(function: &Function) -> Option<&Expr> {
    plain_arguments(function).next()
}

/// The last plain argument of a call.
pub(super) fn last_argument(function: &Function) -> Option<&Expr> {
    plain_arguments(function).next_back()
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

pub(super) fn nested(expr: Expr) -> Expr {
    match expr {
        Expr::Identifier(_) | Expr::Value(_) | Expr::Nested(_) | Expr::Function(_) => expr,
        other => Expr::Nested(Box::new(other)),
    }
}

fn number(text: &str) -> Expr {
    Expr::Value(Value::Number(text.to_owned(), false).with_empty_span())
}

fn interval(text: &str) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(Expr::Value(Value::SingleQuotedString(text.to_owned()).with_empty_span())),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}
