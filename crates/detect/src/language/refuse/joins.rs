//! Joins, and the names of what is joined: streams, and tables to look up in.

use datafusion_sql::sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, SetExpr, Spanned, TableFactor,
};

use super::{Checker, Context, Place};
use crate::language::codes;
use crate::language::nearest::nearest;
use crate::language::windows::folded;
use crate::plan::sequence;

/// What is written in place of a join with a table that is not run.
const LOOK_UP: &str =
    "for what a table has for a record, JOIN functions f ON f.arn = s.principal, or LEFT JOIN to keep records without";

impl Checker<'_> {
    /// A join is a sequence of two sides, or a look-up in a table: JOIN … ON …. What its condition must say is seen in the
    /// plan. `sides` says how many streams are joined so far, this side among them, and whether this one is a table.
    pub(super) fn join(&mut self, join: &Join, (sides, looked_up): (usize, bool), select: &Select) {
        let problem = match &join.join_operator {
            _ if sides > 2 => Some("a sequence has two sides in this version, and this is a third"),
            _ if join.global => Some("GLOBAL is not supported here"),
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => self.condition(constraint, select),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) if looked_up => {
                self.condition(constraint, select)
            }
            JoinOperator::CrossJoin(_) => Some("a join without ON holds every record against every other"),
            JoinOperator::Left(_)
            | JoinOperator::LeftOuter(_)
            | JoinOperator::Right(_)
            | JoinOperator::RightOuter(_)
            | JoinOperator::FullOuter(_) => Some("an outer join is not run in this version"),
            _ => Some("this kind of join is not supported"),
        };
        self.sequences += usize::from(!looked_up && sides > 1);
        self.factor(&join.relation, select);
        let Some(problem) = problem else { return };
        // The last JOIN before what is joined.
        let relation = self.parsed.source.range(join.relation.span());
        let end = relation.map_or(self.parsed.sql_start, |range| range.start);
        let words = self.parsed.source.lexemes[..self.parsed.source.index(end)].iter().rev();
        let keyword = words.into_iter().find(|lexeme| lexeme.is_word("JOIN")).map(|lexeme| lexeme.range.clone());
        let error = self.error(codes::JOIN, keyword.unwrap_or_else(|| self.select_token(select)), problem);
        let help = if looked_up {
            LOOK_UP.to_owned()
        } else {
            format!(
                "for this and then that, {}; for this without that, NOT EXISTS (SELECT 1 FROM … WHERE …)",
                sequence::EXAMPLE
            )
        };
        self.report(error.label("joins two inputs").help(help));
    }

    fn condition(&mut self, constraint: &JoinConstraint, select: &Select) -> Option<&'static str> {
        match constraint {
            JoinConstraint::On(condition) => {
                let context = Context { select, place: Place::Where, grouped: false };
                self.expression(condition, context);
                None
            }
            _ => Some("a join without ON holds every record against every other"),
        }
    }

    /// Whether what is joined is a table, or a sub-query over one.
    pub(super) fn reads_table(&self, factor: &TableFactor) -> bool {
        match factor {
            TableFactor::Table { name, .. } => match name.0.as_slice() {
                [part] => part.as_ident().is_some_and(|name| self.is_table(&folded(name))),
                _ => false,
            },
            TableFactor::Derived { subquery, .. } => self.query_reads_table(subquery),
            TableFactor::NestedJoin { table_with_joins, .. } => self.reads_table(&table_with_joins.relation),
            _ => false,
        }
    }

    /// Whether a sub-query reads a table and no stream.
    pub(super) fn query_reads_table(&self, query: &Query) -> bool {
        match query.body.as_ref() {
            SetExpr::Select(select) => {
                let all = select.from.iter().flat_map(|from| {
                    std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
                });
                !select.from.is_empty() && all.into_iter().all(|factor| self.reads_table(factor))
            }
            SetExpr::Query(inner) => self.query_reads_table(inner),
            _ => false,
        }
    }

    fn is_table(&self, name: &str) -> bool {
        !self.with_names.iter().any(|defined| defined == name)
            && self.tables.iter().any(|table| table.definition().name == name)
    }

    /// A sub-query of IN or EXISTS over a table, which is a look-up; whether it is one.
    pub(super) fn looks_up(&mut self, expr: &Expr, context: Context<'_>) -> bool {
        let (Expr::InSubquery { subquery, .. } | Expr::Exists { subquery, .. }) = expr else { return false };
        if !self.query_reads_table(subquery) || context.place != Place::Where {
            return false;
        }
        if let Expr::InSubquery { .. } = expr
            && !context.select.selection.as_ref().is_some_and(|condition| is_conjunct(expr, condition))
        {
            let span = self.span(expr, context.select);
            let error =
                self.error(codes::JOIN, span, "IN (SELECT …) inside OR, NOT (…) or CASE is not run in this version");
            self.report(
                error.help("write EXISTS (SELECT 1 FROM functions f WHERE f.arn = …), or join it to the rest by AND"),
            );
        }
        self.query(subquery);
        true
    }

    pub(super) fn table(&mut self, name: &ObjectName) {
        let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let known = match parts.as_slice() {
            [table] => {
                let table = folded(table);
                let is_stream = self.streams.iter().any(|stream| stream.name == table);
                is_stream || self.with_names.contains(&table) || self.is_table(&table)
            }
            _ => false,
        };
        if known {
            return;
        }
        let span = self.parsed.source.range(name.span()).unwrap_or_else(|| self.parsed.first_token());
        let written = parts.last().map(|part| part.value.as_str()).unwrap_or_default();
        let streams: Vec<_> = self.streams.iter().map(|stream| stream.name.as_str()).collect();
        let tables: Vec<_> = self.tables.iter().map(|table| table.definition().name.as_str()).collect();
        let error = self.error(codes::UNKNOWN_STREAM, span, format!("there is no stream or table `{name}`"));
        let help = match nearest(written, streams.iter().chain(&tables).copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let of_tables =
                    if tables.is_empty() { String::new() } else { format!(", the tables {}", tables.join(", ")) };
                format!("the streams are {}{of_tables}; others are declared in the settings", streams.join(", "))
            }
        };
        self.report(error.label("unknown").help(help));
    }
}

/// Whether an expression is one of the conditions that AND joins in `condition`.
fn is_conjunct(expr: &Expr, condition: &Expr) -> bool {
    use datafusion_sql::sqlparser::ast::BinaryOperator;
    match condition {
        Expr::Nested(inner) => is_conjunct(expr, inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => is_conjunct(expr, left) || is_conjunct(expr, right),
        other => std::ptr::eq(other, expr) || other == expr,
    }
}
