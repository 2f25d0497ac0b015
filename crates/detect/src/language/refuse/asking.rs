//! What the conditions of a SELECT ask of its rows, and which of them no row can meet.

use std::collections::BTreeMap;
use std::ops::Range;

use datafusion_sql::sqlparser::ast::{BinaryOperator as Op, Expr, JoinConstraint, JoinOperator, Select, UnaryOperator};

use super::Checker;
use super::asked::Asked;
use super::columns::{alias_key, aliases};
use super::compared::number;
use super::scope::Scope;
use crate::language::windows::{folded, is_call_of};

/// What is asked of each value, by how it is written.
pub(super) type Asks = BTreeMap<String, Asked>;

/// A condition that no row can meet.
#[derive(Debug, Clone)]
pub(super) struct Never {
    pub span: Range<usize>,
    pub why: String,
    pub help: String,
}

/// A value that is not known for the column that it is compared with.
#[derive(Debug, Clone)]
pub(super) struct Unknown {
    pub span: Range<usize>,
    /// As written.
    pub text: String,
    /// What such a value is: `event name`.
    pub word: &'static str,
    /// What may have been meant.
    pub hint: Option<String>,
    pub how: How,
    /// Stream and column.
    pub of: (String, String),
}

/// How an unknown value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is asked for.
    Asked,
    /// It is asked for, among others that are known.
    AmongOthers,
    /// It is left out.
    LeftOut,
    /// Something like it is asked for.
    Like,
    /// It is asked for of a service that has none of the name; the flag: and no other is.
    Elsewhere(bool),
}

/// A walk through the conditions of one SELECT.
pub(super) struct Reading<'r, 'c> {
    pub checker: &'r Checker<'c>,
    pub select: &'r Select,
    pub input: &'r Scope,
    /// Where a value that is not known stands that is taken not to exist.
    pub without: Option<Range<usize>>,
    /// What is asked by all that was read before.
    pub before: Asks,
    /// Operands of OR that no row can meet, though another operand may be met.
    pub parts: Vec<Never>,
    pub unknown: Vec<Unknown>,
}

impl<'r, 'c> Reading<'r, 'c> {
    pub fn new(checker: &'r Checker<'c>, select: &'r Select, input: &'r Scope) -> Self {
        let before = input.asks();
        Self { checker, select, input, without: None, before, parts: Vec::new(), unknown: Vec::new() }
    }

    /// Reads all conditions that a row must meet.
    pub fn all(&mut self) -> Result<(), Never> {
        for join in self.select.from.iter().flat_map(|table| &table.joins) {
            if let JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) =
                &join.join_operator
            {
                self.further(on)?;
            }
        }
        for condition in [&self.select.selection, &self.select.having, &self.select.qualify].into_iter().flatten() {
            self.further(condition)?;
        }
        Ok(())
    }

    /// What is known of the SELECT list's counts goes on to the SELECT around.
    pub fn counts(&mut self) {
        for (alias, expr) in aliases(self.select) {
            if matches!(expr, Expr::Function(function) if is_call_of(function, "count")) {
                let (natural, _) = self.natural(expr);
                self.before.insert(alias_key(&alias), natural);
            }
        }
    }

    /// Reads one condition more.
    pub fn further(&mut self, condition: &Expr) -> Result<(), Never> {
        let asks = self.condition(condition, true)?;
        let before = std::mem::take(&mut self.before);
        self.before = self.both(before, asks, condition)?;
        Ok(())
    }

    /// What a condition asks for, to be true or to be false.
    fn condition(&mut self, expr: &Expr, want: bool) -> Result<Asks, Never> {
        match expr {
            Expr::Nested(inner) => self.condition(inner, want),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.condition(expr, !want),
            Expr::BinaryOp { left, op: op @ (Op::And | Op::Or), right } => {
                let (first, second) = (self.condition(left, want), self.condition(right, want));
                if (*op == Op::And) == want { self.both(first?, second?, right) } else { self.either(first, second) }
            }
            _ => self.leaf(expr, want),
        }
    }

    fn both(&self, mut asks: Asks, further: Asks, condition: &Expr) -> Result<Asks, Never> {
        for (key, asked) in further {
            let both = match asks.remove(&key) {
                Some(before) => before.and(asked),
                None => Some(asked),
            };
            match both {
                Some(both) => asks.insert(key, both),
                None => {
                    return Err(Never {
                        span: self.span_of(condition, &key),
                        why: format!("no value of {} is both this and what else is asked of it", quoted(&key)),
                        help: "take one of the two out, or join them by OR: of values, x IN ('a', 'b')".to_owned(),
                    });
                }
            };
        }
        Ok(asks)
    }

    fn either(&mut self, first: Result<Asks, Never>, second: Result<Asks, Never>) -> Result<Asks, Never> {
        match (first, second) {
            (Ok(first), Ok(mut second)) => {
                let joined = first.into_iter().filter_map(|(key, one)| Some((one.or(second.remove(&key)?), key)));
                Ok(joined.map(|(asked, key)| (key, asked)).collect())
            }
            (Err(never), Ok(asks)) | (Ok(asks), Err(never)) => {
                self.parts.push(never);
                Ok(asks)
            }
            (Err(never), Err(other)) => {
                self.parts.push(other);
                Err(never)
            }
        }
    }

    fn leaf(&mut self, expr: &Expr, want: bool) -> Result<Asks, Never> {
        match expr {
            Expr::BinaryOp { left, op, right } => self.comparison(expr, left, op, right, want),
            Expr::InList { expr: operand, list, negated } => self.list(expr, operand, list, *negated == want),
            Expr::Like { negated, any: false, expr: operand, pattern, escape_char: None } => {
                self.like(expr, operand, pattern, false, *negated == want)
            }
            Expr::ILike { negated, any: false, expr: operand, pattern, escape_char: None } => {
                self.like(expr, operand, pattern, true, *negated == want)
            }
            Expr::Between { expr: operand, negated, low, high } if *negated != want => {
                let bounds = number(low).zip(number(high));
                let between = bounds.map(|(low, high)| Asked::at_least(low, true).and(Asked::at_most(high, true)));
                self.number(expr, operand, between.unwrap_or_else(|| Some(Asked::null(false))))
            }
            Expr::IsNull(operand) => Ok(self.ask(operand, Asked::null(want))),
            Expr::IsNotNull(operand) => Ok(self.ask(operand, Asked::null(!want))),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                Ok(self.ask(expr, Asked::one_of([if want { "true" } else { "false" }], false)))
            }
            _ => Ok(Asks::new()),
        }
    }

    pub(super) fn ask(&self, operand: &Expr, asked: Asked) -> Asks {
        Asks::from([(self.key(operand), asked)])
    }

    /// How a value is written, so that the same one is known again.
    pub fn key(&self, expr: &Expr) -> String {
        match expr {
            Expr::Nested(inner) => self.key(inner),
            Expr::Identifier(name) => folded(name),
            Expr::CompoundIdentifier(parts) => self.input.key(parts),
            Expr::BinaryOp { left, op: op @ (Op::Arrow | Op::LongArrow), right } => {
                format!("{} {op} {right}", self.key(left))
            }
            _ => expr.to_string(),
        }
    }

    /// Where a condition speaks of a value; else the whole of it.
    fn span_of(&self, condition: &Expr, key: &str) -> Range<usize> {
        let part = match condition {
            Expr::Nested(inner) => return self.span_of(inner, key),
            Expr::BinaryOp { left, op: Op::And, right } => {
                [right, left].into_iter().find(|part| self.speaks_of(part, key)).map(|part| self.span_of(part, key))
            }
            _ => None,
        };
        part.unwrap_or_else(|| self.checker.span(condition, self.select))
    }

    fn speaks_of(&self, condition: &Expr, key: &str) -> bool {
        match condition {
            Expr::Nested(inner) => self.speaks_of(inner, key),
            Expr::BinaryOp { left, op: Op::And | Op::Or, right } => {
                self.speaks_of(left, key) || self.speaks_of(right, key)
            }
            Expr::BinaryOp { left, right, .. } => self.key(left) == key || self.key(right) == key,
            Expr::InList { expr, .. }
            | Expr::Like { expr, .. }
            | Expr::ILike { expr, .. }
            | Expr::Between { expr, .. }
            | Expr::IsNull(expr)
            | Expr::IsNotNull(expr)
            | Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.key(expr) == key || self.speaks_of(expr, key),
            _ => self.key(condition) == key,
        }
    }
}

/// A name as it is shown; what is no name is shown as it is written.
pub(super) fn quoted(key: &str) -> String {
    if key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.') {
        format!("`{key}`")
    } else {
        key.to_owned()
    }
}
