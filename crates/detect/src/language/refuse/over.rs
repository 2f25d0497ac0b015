//! OVER clauses: sliding ranges of time before each row, and first_seen.

use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Interval, OrderByExpr, Select, Spanned,
    Value, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use datafusion_sql::sqlparser::tokenizer::Token;

use super::{Checker, Context};
use crate::language::codes;
use crate::language::diagnostic::Diagnostic;
use crate::language::windowed::{RowTime, names, row_time};
use crate::language::windows::{self, Problem, same};

const RANGE_EXAMPLE: &str = "RANGE INTERVAL '5 minutes' PRECEDING";

impl Checker<'_> {
    /// Refuses named windows that are defined twice.
    pub(super) fn named_windows(&mut self, select: &Select) {
        for (index, definition) in select.named_window.iter().enumerate() {
            if select.named_window[..index].iter().any(|earlier| same(&earlier.0, &definition.0)) {
                let span = self.parsed.source.range(definition.0.span).unwrap_or_else(|| self.select_token(select));
                let error =
                    self.error(codes::NAMED_WINDOW, span, format!("the window `{}` is defined twice", definition.0));
                self.report(error.help("give one of them another name"));
            }
        }
    }

    /// Checks the OVER clause of an aggregate.
    pub(super) fn over(&mut self, function: &Function, over: &WindowType, context: Context<'_>) {
        let Some(spec) = self.resolved(function, over, context) else { return };
        self.order(function, &spec, context);
        let span = self.over_span(function, context);
        match &spec.window_frame {
            Some(frame) => self.frame(frame, span),
            None if spec.order_by.is_empty() => {}
            None => {
                let error =
                    self.error(codes::FRAME, span, "without a frame, OVER counts from the beginning of the stream");
                self.report(
                    error.label("no RANGE here").help(format!("add one after ORDER BY event_time: {RANGE_EXAMPLE}")),
                );
            }
        }
    }

    /// Checks `first_seen(INTERVAL …) OVER (PARTITION BY …)`.
    pub(super) fn first_seen(&mut self, function: &Function, context: Context<'_>) {
        const FORM: &str = "write first_seen(INTERVAL '30 days') OVER (PARTITION BY principal, region)";
        let span = self.over_span(function, context);
        let Some(over) = &function.over else {
            let error = self.error(codes::FIRST_SEEN, span, "first_seen needs to know of what: it has no OVER");
            return self.report(error.label("no OVER here").help(FORM));
        };
        let Some(spec) = self.resolved(function, over, context) else { return };
        let problem = if spec.partition_by.is_empty() {
            Some("first_seen needs to know of what: its OVER has no PARTITION BY")
        } else if !spec.order_by.is_empty() || spec.window_frame.is_some() {
            Some("first_seen has its own order and range: its OVER is a PARTITION BY alone")
        } else if function.filter.is_some() || !matches!(arguments(function).as_slice(), [Expr::Interval(_)]) {
            Some("first_seen takes one interval: how long not to have seen it")
        } else {
            None
        };
        match (problem, arguments(function).first()) {
            (Some(problem), _) => {
                let error = self.error(codes::FIRST_SEEN, span, problem);
                self.report(error.help(FORM));
            }
            (None, _) if context.grouped => self.over_groups(function, context),
            (None, _) if row_time(context.select, &self.common_tables) == RowTime::Unnamed => {
                self.no_start(function, context);
            }
            (None, Some(Expr::Interval(interval))) => self.interval(interval, span),
            _ => {}
        }
    }

    fn resolved(&mut self, function: &Function, over: &WindowType, context: Context<'_>) -> Option<WindowSpec> {
        let problem = match windows::resolve(over, &context.select.named_window) {
            Ok(spec) => return Some(spec),
            Err(problem) => problem,
        };
        let fallback = self.over_span(function, context);
        let (name, message, help) = match problem {
            Problem::Unknown(name) => {
                let message = format!("there is no window `{name}` in this SELECT");
                (
                    name,
                    message,
                    "define it after WHERE: WINDOW name AS (PARTITION BY … ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING)",
                )
            }
            Problem::Circular(name) => {
                let message = format!("the window `{name}` is defined by itself");
                (name, message, "write PARTITION BY, ORDER BY and RANGE in its definition")
            }
            Problem::Changed(name, clause) => {
                let message = format!("the window `{name}` cannot be given a {clause} where it is used");
                (name, message, "define a second window")
            }
        };
        let span = self.parsed.source.range(name.span).unwrap_or(fallback);
        let error = self.error(codes::NAMED_WINDOW, span, message);
        self.report(error.help(help));
        None
    }

    fn order(&mut self, function: &Function, spec: &WindowSpec, context: Context<'_>) {
        if context.grouped {
            return self.over_groups(function, context);
        }
        let time = match row_time(context.select, &self.common_tables) {
            RowTime::Record => Ident::new("event_time"),
            RowTime::Window(start) => start,
            RowTime::Unnamed => return self.no_start(function, context),
        };
        let ordered = match spec.order_by.as_slice() {
            [OrderByExpr { expr, options, with_fill: None }] => names(expr, &time) && options.asc != Some(false),
            _ => false,
        };
        if ordered {
            return;
        }
        let first = spec.order_by.first().and_then(|order| self.parsed.source.expression(&order.expr));
        let span = first.unwrap_or_else(|| self.over_span(function, context));
        let message = match (spec.order_by.as_slice(), time.value == "event_time") {
            ([], _) => "without an order, OVER counts the whole stream and needs memory without end".to_owned(),
            (_, true) => "a sliding range is ordered by event_time alone, ascending".to_owned(),
            (_, false) => format!("a sliding range over windows is ordered by their start alone, `{time}`, ascending"),
        };
        let error = self.error(codes::OVER_ORDER, span, message);
        self.report(
            error
                .label(if spec.order_by.is_empty() { "no ORDER BY here" } else { "ordered by this" })
                .help(format!("write OVER (PARTITION BY … ORDER BY {time} {RANGE_EXAMPLE})")),
        );
    }

    /// A range over the groups of its own SELECT.
    fn over_groups(&mut self, function: &Function, context: Context<'_>) {
        let span = self.over_span(function, context);
        let error =
            self.error(codes::COMPOSED, span, "a sliding range over windows stands around them, not among them");
        self.report(error.label("computed beside the groups").help(
            "put the windows into a sub-query: FROM (SELECT tumble(…) AS start, … GROUP BY …), and the range into the SELECT around it",
        ));
    }

    /// A range over windows that do not say when they start.
    fn no_start(&mut self, function: &Function, context: Context<'_>) {
        let span = self.over_span(function, context);
        let message = "the windows that this slides over do not give their start, which orders them";
        let error = self.error(codes::COMPOSED, span, message);
        self.report(error.help(
            "add it to the SELECT of the GROUP BY: tumble(event_time, INTERVAL '1 hour') AS start, and write ORDER BY start",
        ));
    }

    fn frame(&mut self, frame: &WindowFrame, span: std::ops::Range<usize>) {
        if frame.units != WindowFrameUnits::Range {
            let error = self.error(
                codes::ROW_FRAME,
                span,
                format!("{} frames need ORDER BY event_time, event_id, and are not run in this version", frame.units),
            );
            return self.report(error.help(format!("bound the frame by time: {RANGE_EXAMPLE}")));
        }
        let end = frame.end_bound.as_ref().unwrap_or(&WindowFrameBound::CurrentRow);
        for bound in [&frame.start_bound, end] {
            let problem = match bound {
                WindowFrameBound::CurrentRow => None,
                WindowFrameBound::Preceding(None) => {
                    Some("a frame from the beginning of the stream needs memory without end")
                }
                WindowFrameBound::Following(_) => Some("a frame into the future waits for what has not happened"),
                WindowFrameBound::Preceding(Some(expr)) => match expr.as_ref() {
                    Expr::Interval(interval) => {
                        self.interval(interval, span.clone());
                        None
                    }
                    _ => Some("a frame over time is bounded by intervals"),
                },
            };
            if let Some(problem) = problem {
                let error = self.error(codes::FRAME, span.clone(), problem);
                self.report(error.help(format!(
                    "write {RANGE_EXAMPLE}, or RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 hour' PRECEDING"
                )));
            }
        }
    }

    /// Refuses intervals that are no literals, or whose length depends on the calendar.
    pub(super) fn interval(&mut self, interval: &Interval, fallback: std::ops::Range<usize>) {
        if let Some(error) = self.interval_problem(interval, fallback) {
            self.report(error);
        }
    }

    fn interval_problem(&self, interval: &Interval, fallback: std::ops::Range<usize>) -> Option<Diagnostic> {
        let span = self.parsed.source.range(interval.value.span()).unwrap_or(fallback);
        let literal = match interval.value.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::Number(text, _) => Some(text.to_lowercase()),
                _ => None,
            },
            _ => None,
        };
        let Some(literal) = literal else {
            let error = self.error(codes::FRAME, span, "the interval is no literal");
            return Some(error.help("write it in single quotes: INTERVAL '5 minutes'"));
        };
        let unit = interval.leading_field.as_ref().map_or(String::new(), ToString::to_string).to_lowercase();
        let words: Vec<_> = literal.split(|c: char| !c.is_alphabetic()).chain([unit.as_str()]).collect();
        let calendar = [
            "mon",
            "month",
            "months",
            "mons",
            "y",
            "year",
            "years",
            "yr",
            "yrs",
            "decade",
            "decades",
            "century",
            "centuries",
            "millennium",
        ];
        if words.iter().any(|word| calendar.contains(word)) {
            let error = self.error(codes::FRAME, span, "months and years have no fixed length");
            return Some(error.help("write the interval in days: INTERVAL '30 days'"));
        }
        if literal.contains('-') {
            let error = self.error(codes::FRAME, span, "the interval is negative");
            return Some(error.help("write its length: PRECEDING says that it lies before the row"));
        }
        None
    }

    /// From a function's name to the end of its OVER clause.
    fn over_span(&self, function: &Function, context: Context<'_>) -> std::ops::Range<usize> {
        let source = &self.parsed.source;
        let Some(name) = source.range(function.name.span()) else { return self.select_token(context.select) };
        let start = name.start;
        let mut end = source.call(start).end;
        while let Some(word) = source.lexemes.get(source.index(end)) {
            let next = source.lexemes.get(source.index(word.range.end));
            if word.is_word("FILTER") {
                end = source.call(word.range.start).end;
            } else if word.is_word("OVER") && function.over.is_some() {
                let opens = next.is_some_and(|next| next.token == Token::LParen);
                return start..if opens {
                    source.call(word.range.start).end
                } else {
                    next.map_or(end, |next| next.range.end)
                };
            } else {
                break;
            }
        }
        start..end
    }
}

/// The plain arguments of a call.
pub(super) fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let plain = list.args.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    plain.collect()
}
