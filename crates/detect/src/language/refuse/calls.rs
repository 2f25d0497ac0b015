//! Calls: aggregates, functions over ranges, and functions of one row, each against a list.

use datafusion_sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    UnaryOperator, Value,
};

use super::expressions::is_literal;
use super::over::arguments;
use super::{Checker, Context, Place};
use crate::language::codes;
use crate::language::functions::{self, Argument, Refused};
use crate::language::nearest::nearest;
use crate::language::windows::folded;

const AGGREGATES: &str =
    "write count, count(DISTINCT x), sum, avg, min, max, bool_and or bool_or, each with FILTER (WHERE …) if you like";

impl Checker<'_> {
    pub(super) fn call(&mut self, function: &Function, context: Context<'_>) {
        let name = match function.name.0.as_slice() {
            [part] => part.as_ident().map(folded),
            _ => None,
        };
        let Some(name) = name else { return self.unknown_function(function, &function.name.to_string(), context) };
        match functions::refused(&name) {
            Some(reason) => self.refused_call(function, &name, reason, context),
            None if functions::AGGREGATES.contains(&name.as_str()) => self.aggregate(function, &name, context),
            None if name == "first_seen" => self.placed_first_seen(function, context),
            None => match functions::find(&name) {
                Some(scalar) => self.scalar_call(function, scalar, context),
                None => self.unknown_function(function, &name, context),
            },
        }
    }

    fn call_span(&self, function: &Function, context: Context<'_>) -> std::ops::Range<usize> {
        self.span(&Expr::Function(function.clone()), context.select)
    }

    fn refused_call(&mut self, function: &Function, name: &str, reason: Refused, context: Context<'_>) {
        let (code, message, help) = match reason {
            Refused::Volatile => (
                codes::VOLATILE,
                format!("`{name}` gives another value at each run: a replay could not find the same again"),
                "compare with event_time, the record's own time, and let lateness decide what is too old",
            ),
            Refused::Row => (
                codes::ROW_FRAME,
                format!("`{name}` needs ORDER BY event_time, event_id, and is not run in this version"),
                "count in a sliding range: count(*) FILTER (WHERE …) OVER (PARTITION BY … ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING)",
            ),
            Refused::Inexact => (codes::INEXACT, format!("`{name}` is not exact over a stream"), AGGREGATES),
            Refused::Later => (codes::AGGREGATE, format!("`{name}` is not run in this version"), AGGREGATES),
            Refused::Session => (
                codes::SESSION,
                "session windows are not supported: only their end tells what belongs to them".to_owned(),
                "count in a sliding range: count(*) OVER (PARTITION BY … ORDER BY event_time RANGE INTERVAL '30 minutes' PRECEDING)",
            ),
            Refused::Fails => (
                codes::UNKNOWN_FUNCTION,
                format!("`{name}` fails, or takes up memory without end, on some values that a record can have"),
                functions::in_place_of_failing(name),
            ),
        };
        let span = self.call_span(function, context);
        let error = self.error(code, span, message);
        self.report(error.help(help));
    }

    fn unknown_function(&mut self, function: &Function, name: &str, context: Context<'_>) {
        let span = self.parsed.source.range(datafusion_sql::sqlparser::ast::Spanned::span(&function.name));
        let span = span.unwrap_or_else(|| self.call_span(function, context));
        let error =
            self.error(codes::UNKNOWN_FUNCTION, span, format!("there is no function `{name}`")).label("unknown");
        let known = functions::SCALARS.iter().map(|scalar| scalar.name).chain(functions::AGGREGATES);
        let help = match functions::elsewhere(name) {
            Some("->>") => "reach into JSON with operators: request -> 'tags' ->> 'env'".to_owned(),
            Some("JOIN") => "ranges of addresses are not looked up in this version: list the addresses in a table, and join by the address; a few ranges can be written as texts: source_ip LIKE '10.%'".to_owned(),
            Some(here) => format!("it is `{here}` here"),
            None => match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "the functions that detectors may call are listed in the manual: docs/src/functions.md".to_owned()
                }
            },
        };
        self.report(error.help(help));
    }

    /// What no function here takes, with or without OVER.
    fn plain(&mut self, function: &Function, context: Context<'_>) -> bool {
        let list = match &function.args {
            FunctionArguments::List(list) => list,
            FunctionArguments::Subquery(_) => {
                let error = self.error(
                    codes::JOIN,
                    self.call_span(function, context),
                    "a sub-query as an argument is not run in this version",
                );
                self.report(error.help("write the value, or count in a sliding range"));
                return false;
            }
            FunctionArguments::None => {
                &FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() }
            }
        };
        let named = list.args.iter().any(|arg| !matches!(arg, FunctionArg::Unnamed(_)));
        let odd = !list.clauses.is_empty()
            || !matches!(function.parameters, FunctionArguments::None)
            || function.uses_odbc_syntax
            || function.null_treatment.is_some()
            || !function.within_group.is_empty();
        if named || odd {
            let error = self.error(
                codes::CLAUSE,
                self.call_span(function, context),
                "a call with named arguments, or with a clause in it, is not supported",
            );
            self.report(error.help("write the arguments alone, with commas between them"));
        }
        !named && !odd
    }

    fn aggregate(&mut self, function: &Function, name: &str, context: Context<'_>) {
        if !self.plain(function, context) {
            return;
        }
        self.aggregate_arguments(function, name, context);
        if self.misplaced(function, context) {
            return;
        }
        match &function.over {
            Some(over) => self.over(function, over, context),
            None if !context.grouped => {
                let error = self.error(
                    codes::UNBOUNDED,
                    self.call_span(function, context),
                    format!("a {name} over all time needs memory without end"),
                );
                self.report(error.label("no window here").help("count in a sliding range: count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING), or in windows: GROUP BY tumble(event_time, INTERVAL '1 hour')"));
            }
            None => {}
        }
    }

    fn aggregate_arguments(&mut self, function: &Function, name: &str, context: Context<'_>) {
        let FunctionArguments::List(list) = &function.args else { return };
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let fits = match list.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(_))] => true,
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => !distinct && name == "count",
            _ => false,
        };
        let span = || self.call_span(function, context);
        if !fits {
            let error = self.error(codes::ARGUMENT, span(), format!("{name} takes one argument"));
            self.report(error.help(if list.args.len() > 1 {
                "to count combinations, put them together: count(DISTINCT concat_ws('|', a, b))"
            } else {
                AGGREGATES
            }));
        } else if distinct && !matches!(name, "count" | "min" | "max") {
            let error = self.error(codes::AGGREGATE, span(), format!("{name}(DISTINCT …) is not run in this version"));
            self.report(error.help(AGGREGATES));
        }
    }

    /// Aggregates have values only after WHERE and GROUP BY.
    fn misplaced(&mut self, function: &Function, context: Context<'_>) -> bool {
        let help = match context.place {
            Place::Where if function.over.is_some() => {
                "compare it in QUALIFY, after WHERE, or in the WHERE of an outer SELECT"
            }
            Place::Where => "compare it in HAVING, after GROUP BY tumble(…); a sliding range in QUALIFY",
            Place::Group | Place::Window => "take it out of GROUP BY and WINDOW; compute it in a sub-query",
            Place::Having if function.over.is_some() => "compare it in QUALIFY",
            Place::List | Place::Having | Place::Qualify => return false,
        };
        let error = self.error(
            codes::MISPLACED,
            self.call_span(function, context),
            "this is computed after the clause that it stands in",
        );
        self.report(error.label("not known yet").help(help));
        true
    }

    fn placed_first_seen(&mut self, function: &Function, context: Context<'_>) {
        if self.plain(function, context) && !self.misplaced(function, context) {
            self.first_seen(function, context);
        }
    }

    fn scalar_call(&mut self, function: &Function, scalar: &functions::Scalar, context: Context<'_>) {
        if !self.plain(function, context) {
            return;
        }
        let distinct = matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment.is_some());
        if function.over.is_some() || function.filter.is_some() || distinct {
            let message = format!("`{}` is computed from one row: it has no OVER, FILTER or DISTINCT", scalar.name);
            let error = self.error(codes::AGGREGATE, self.call_span(function, context), message);
            return self.report(error.help(AGGREGATES));
        }
        let (Some(last), arguments) = (scalar.arguments.last(), arguments(function)) else { return };
        for (index, argument) in arguments.into_iter().enumerate() {
            self.argument(scalar.name, scalar.arguments.get(index).unwrap_or(last), argument, context);
        }
    }

    /// Arguments that must be literals, of functions with a syntax of their own.
    pub(super) fn literal_arguments(&mut self, name: &'static str, arguments: &[Option<&Expr>], context: Context<'_>) {
        let scalar = functions::find(name).map_or(&[][..], |scalar| scalar.arguments);
        for (kind, argument) in scalar.iter().skip(1).zip(arguments) {
            if let Some(argument) = argument {
                self.argument(name, kind, argument, context);
            }
        }
    }

    fn argument(&mut self, name: &str, kind: &Argument, argument: &Expr, context: Context<'_>) {
        let wanted = match kind {
            Argument::Any => return,
            Argument::Pattern => return self.pattern(argument, context),
            Argument::Literal if is_literal(argument) => return,
            Argument::Count if whole_number(argument).is_some_and(|n| n >= 0) => return,
            Argument::Ordinal if whole_number(argument).is_some_and(|n| n != 0) => return,
            Argument::Literal => "a literal",
            Argument::Count => "a whole number, not negative",
            Argument::Ordinal => "a whole number but 0",
        };
        let message = format!("`{name}` wants {wanted} here: with another value a record could stop the detector");
        let error = self.error(codes::ARGUMENT, self.span(argument, context.select), message);
        self.report(error.label(format!("not {wanted}")).help("write the value itself, not a column or an expression"));
    }
}

fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Nested(inner) => whole_number(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => whole_number(expr).map(|number| -number),
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
