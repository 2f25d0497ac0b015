//! Expressions: which operators, casts and forms a detector may use.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Query, Spanned, TimezoneInfo, UnaryOperator, Value,
    Visit, Visitor,
};

use super::over::arguments;
use super::{Checker, Context, Place};
use crate::language::codes;
use crate::language::windows::is_call_of;

/// Visits the expressions of one SELECT, not those of the sub-queries in them.
struct Walk<'c, 'a, 's> {
    checker: &'c mut Checker<'a>,
    context: Context<'s>,
    nested: usize,
}

impl Visitor for Walk<'_, '_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.nested += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.nested -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.nested == 0 {
            self.checker.form(expr, self.context);
        }
        ControlFlow::Continue(())
    }
}

impl Checker<'_> {
    /// Checks an expression and all below it.
    pub(super) fn expression(&mut self, root: &impl Visit, context: Context<'_>) {
        let _ = root.visit(&mut Walk { checker: self, context, nested: 0 });
    }

    fn form(&mut self, expr: &Expr, context: Context<'_>) {
        match expr {
            _ if is_plain(expr) => {}
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => self.distinct_from(right, context),
            Expr::Interval(interval) => self.interval(interval, self.span(expr, context.select)),
            Expr::Value(value) => self.literal(expr, &value.value, context),
            Expr::TypedString(typed) => self.cast(expr, &typed.data_type, context),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::TryCast | CastKind::DoubleColon,
                data_type,
                format: None,
                array: false,
                ..
            } => {
                self.cast(expr, data_type, context);
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, context),
            Expr::Function(function) => self.call(function, context),
            Expr::Substring { substring_from, substring_for, shorthand, .. } => {
                let name = if *shorthand { "substr" } else { "substring" };
                self.literal_arguments(name, &[substring_from.as_deref(), substring_for.as_deref()], context);
            }
            Expr::InSubquery { .. }
            | Expr::Exists { .. }
            | Expr::Subquery(_)
            | Expr::AnyOp { .. }
            | Expr::AllOp { .. } => {
                self.sub_query(expr, context);
            }
            Expr::SimilarTo { .. } | Expr::RLike { .. } => {
                self.refuse_form(
                    expr,
                    context,
                    "SIMILAR TO and RLIKE are not supported",
                    "write a regular expression: x ~ '^(a|b)$'",
                );
            }
            Expr::AtTimeZone { .. } => {
                self.refuse_form(
                    expr,
                    context,
                    "times here are UTC, without a zone",
                    "take AT TIME ZONE out; add the difference as an interval if you need local time",
                );
            }
            Expr::CompoundFieldAccess { .. } | Expr::JsonAccess { .. } => {
                self.refuse_form(expr, context, "values inside JSON are not reached with [ ] or :", "write request -> 'tags' ->> 'env'; an array's element by its index, from 0: request -> 'items' ->> 0");
            }
            _ => self.refuse_form(
                expr,
                context,
                "this expression is not supported",
                "write it with comparisons, AND, OR, CASE and functions",
            ),
        }
    }

    /// The parser takes all that follows IS DISTINCT FROM as its right side, AND and OR too, which PostgreSQL does not.
    fn distinct_from(&mut self, right: &Expr, context: Context<'_>) {
        use BinaryOperator as Op;
        let tighter = match right {
            Expr::BinaryOp { op, .. } => matches!(
                op,
                Op::Plus
                    | Op::Minus
                    | Op::Multiply
                    | Op::Divide
                    | Op::Modulo
                    | Op::StringConcat
                    | Op::Arrow
                    | Op::LongArrow
            ),
            Expr::UnaryOp { op, .. } => *op != UnaryOperator::Not,
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Nested(_)
            | Expr::Function(_) => true,
            Expr::Cast { .. } | Expr::Interval(_) | Expr::TypedString(_) | Expr::Case { .. } => true,
            _ => false,
        };
        if !tighter {
            self.refuse_form(
                right,
                context,
                "what belongs to IS DISTINCT FROM is not clear here",
                "put parentheses around the comparison: (a IS DISTINCT FROM b) AND c",
            );
        }
    }

    fn refuse_form(&mut self, expr: &Expr, context: Context<'_>, message: &str, help: &str) {
        let error = self.error(codes::CLAUSE, self.span(expr, context.select), message);
        self.report(error.help(help));
    }

    fn sub_query(&mut self, expr: &Expr, context: Context<'_>) {
        if self.looks_up(expr, context) {
            return;
        }
        let span = self.span(expr, context.select);
        let (message, help) = match expr {
            Expr::Exists { subquery, .. } if context.place == Place::Where && !context.grouped => {
                self.sequences += 1;
                return self.query(subquery);
            }
            Expr::Exists { .. } => (
                "EXISTS stands only in the WHERE of a SELECT without GROUP BY",
                "write WHERE … AND NOT EXISTS (SELECT 1 FROM cloudtrail b WHERE …)",
            ),
            Expr::InSubquery { .. } => (
                "IN (SELECT …) from a stream is not run in this version",
                "write the values as a list, x IN ('a', 'b'), or put them into a table: x IN (SELECT name FROM a table)",
            ),
            _ => ("a sub-query as a value is not run in this version", "write the value, or count in a sliding range"),
        };
        let error = self.error(codes::JOIN, span, message);
        self.report(error.help(help));
    }

    fn literal(&mut self, expr: &Expr, value: &Value, context: Context<'_>) {
        match value {
            Value::Number(..)
            | Value::SingleQuotedString(_)
            | Value::DollarQuotedString(_)
            | Value::EscapedStringLiteral(_)
            | Value::UnicodeStringLiteral(_)
            | Value::Boolean(_)
            | Value::Null => {}
            Value::Placeholder(_) => {
                self.refuse_form(expr, context, "a detector has no parameters", "write the value itself")
            }
            _ => self.refuse_form(
                expr,
                context,
                "this kind of literal is not supported",
                "write a text in single quotes, or a number",
            ),
        }
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, context: Context<'_>) {
        use BinaryOperator as Op;
        let help = match op {
            Op::Plus | Op::Minus => return self.arithmetic_on_time(left, right, context),
            Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch => {
                return self.pattern(right, context);
            }
            Op::Multiply
            | Op::Divide
            | Op::Modulo
            | Op::StringConcat
            | Op::Gt
            | Op::Lt
            | Op::GtEq
            | Op::LtEq
            | Op::Eq
            | Op::NotEq
            | Op::And
            | Op::Or
            | Op::PGLikeMatch
            | Op::PGILikeMatch
            | Op::PGNotLikeMatch
            | Op::PGNotILikeMatch
            | Op::Arrow
            | Op::LongArrow => return,
            Op::Question | Op::QuestionAnd | Op::QuestionPipe => {
                "to ask whether a key is there, write request ->> 'key' IS NOT NULL"
            }
            Op::HashArrow | Op::HashLongArrow => "write the path step by step: request -> 'tags' ->> 'env'",
            Op::AtArrow | Op::ArrowAt | Op::AtQuestion | Op::AtAt => {
                "compare values: request ->> 'key' = 'value', or search the text: request ->> 'list' LIKE '%\"value\"%'"
            }
            Op::PGOverlap => "to combine conditions, write AND",
            Op::PGStartsWith => "write starts_with(text, prefix)",
            Op::Spaceship => "write IS NOT DISTINCT FROM",
            Op::Xor => "write (a AND NOT b) OR (b AND NOT a)",
            _ => "write it with + - * / %, comparisons, AND, OR, ||, ->, ->> and ~",
        };
        let span = self.operator_span(left, right, context);
        let error = self.error(codes::OPERATOR, span, format!("the operator {op} is not supported"));
        self.report(error.help(help));
    }

    /// The operator between two operands.
    fn operator_span(&self, left: &Expr, right: &Expr, context: Context<'_>) -> std::ops::Range<usize> {
        let start = self.span(right, context.select).start;
        let opening = |text: &str| text == "(" || text == "-" || text == "NOT";
        let mut before = self.parsed.source.before(start);
        while let Some(lexeme) = before.filter(|lexeme| opening(self.text(lexeme.range.clone()))) {
            before = self.parsed.source.before(lexeme.range.start);
        }
        before.map_or_else(|| self.span(left, context.select), |lexeme| lexeme.range.clone())
    }

    /// A time from a record's text may lie at the end of what can be counted: adding to it could fail.
    fn arithmetic_on_time(&mut self, left: &Expr, right: &Expr, context: Context<'_>) {
        for side in [left, right] {
            if is_time_cast(side) {
                let error = self.error(
                    codes::CAST,
                    self.span(side, context.select),
                    "a time from a record's text can be compared, but not added to",
                );
                self.report(error.help("add the interval to event_time, on the other side of the comparison"));
            }
        }
    }

    fn cast(&mut self, expr: &Expr, data_type: &DataType, context: Context<'_>) {
        let allowed = match data_type {
            DataType::Text
            | DataType::Varchar(None)
            | DataType::String(None)
            | DataType::CharacterVarying(None)
            | DataType::Boolean
            | DataType::Bool
            | DataType::BigInt(None)
            | DataType::Int8(None)
            | DataType::Int(None)
            | DataType::Int4(None)
            | DataType::Integer(None)
            | DataType::SmallInt(None)
            | DataType::Int2(None)
            | DataType::Double(ExactNumberInfo::None)
            | DataType::DoublePrecision
            | DataType::Float(ExactNumberInfo::None)
            | DataType::Float8
            | DataType::Float4
            | DataType::Real
            | DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => true,
            DataType::Interval { .. } => is_literal(expr),
            _ => false,
        };
        if !allowed {
            let error = self.error(
                codes::CAST,
                self.span(expr, context.select),
                format!("a cast to {data_type} is not supported"),
            );
            self.report(error.help(
                "cast to TEXT, BIGINT, DOUBLE PRECISION, BOOLEAN or TIMESTAMP; a value that does not fit is NULL",
            ));
        }
    }

    /// A regular expression must be a literal, and one that can be read: else a record could stop the query.
    pub(super) fn pattern(&mut self, pattern: &Expr, context: Context<'_>) {
        let span = self.parsed.source.range(pattern.span()).unwrap_or_else(|| self.span(pattern, context.select));
        let Some(text) = text_of(pattern) else {
            let error = self.error(
                codes::ARGUMENT,
                span,
                "a regular expression that a record can choose could stop the detector",
            );
            return self.report(error.label("no literal").help("write the regular expression in single quotes"));
        };
        if let Err(error) = regex::Regex::new(text) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let error = self.error(codes::ARGUMENT, span, format!("the regular expression cannot be read: {reason}"));
            self.report(error.help("write it in the syntax of Rust's regex crate: no look-around, no back-references"));
        }
    }
}

pub(super) fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) | Expr::Interval(_) => true,
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr }
        | Expr::Nested(expr)
        | Expr::Cast { expr, .. } => is_literal(expr),
        Expr::Array(array) => array.elem.iter().all(is_literal),
        Expr::Function(call) => is_call_of(call, "chr") && arguments(call).into_iter().all(is_literal),
        _ => false,
    }
}

fn is_time_cast(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_time_cast(inner),
        Expr::Cast { data_type: DataType::Timestamp(..), expr, .. } => !is_literal(expr),
        _ => false,
    }
}

/// The text of a literal, if it is one.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => text_of(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
                Some(text)
            }
            Value::DollarQuotedString(text) => Some(&text.value),
            _ => None,
        },
        _ => None,
    }
}

/// Forms that are right wherever they stand; what is in them is looked at on its own.
fn is_plain(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::InList { .. }
            | Expr::Between { .. }
            | Expr::Nested(_)
            | Expr::Case { .. }
            | Expr::Position { .. }
            | Expr::Trim { .. }
            | Expr::Extract { .. }
            | Expr::Array(_)
            | Expr::Like { any: false, .. }
            | Expr::ILike { any: false, .. }
            | Expr::UnaryOp { op: UnaryOperator::Not | UnaryOperator::Minus | UnaryOperator::Plus, .. }
    )
}
