//! What a detector may not say, refused by name: a walk over the syntax tree against what is allowed.

mod asked;
mod asking;
mod calls;
mod clauses;
mod columns;
mod compared;
mod counted;
mod expressions;
mod group;
mod joins;
mod never;
mod over;
mod scope;
mod warnings;

use std::ops::Range;
use std::sync::Arc;

use datafusion_sql::sqlparser::ast::{Cte, Expr, Query, Select, Spanned};
use watchfire_record::Stream;

use super::diagnostic::Diagnostic;
use super::parse::Parsed;
use super::windowed::common_tables;
use crate::tables::Table;

/// More diagnostics than a person reads of one file are not collected.
const MOST: usize = 50;

/// What is wrong with a detector that can be read: refused forms, unknown names, and warnings, in the order of the
/// file. What cannot be decided without types is left to the planner.
#[must_use]
pub fn check(parsed: &Parsed, streams: &[Stream], tables: &[Arc<Table>]) -> Vec<Diagnostic> {
    let mut checker = Checker {
        parsed,
        streams,
        tables,
        with_names: Vec::new(),
        common_tables: common_tables(&parsed.query),
        sequences: 0,
        found: Vec::new(),
    };
    checker.query(&parsed.query);
    if !checker.found.iter().any(Diagnostic::is_error) {
        checker.columns();
    }
    let mut found = checker.found;
    found.sort_by_key(|diagnostic| diagnostic.span.start);
    found.dedup_by(|a, b| a.code == b.code && a.span == b.span);
    found
}

/// A walk in progress.
struct Checker<'a> {
    parsed: &'a Parsed,
    streams: &'a [Stream],
    tables: &'a [Arc<Table>],
    /// Names that WITH clauses have defined so far; the planner knows where each is visible.
    with_names: Vec<String>,
    /// All common table expressions.
    common_tables: Vec<Cte>,
    /// How many joins and sub-queries of streams there are.
    sequences: usize,
    found: Vec<Diagnostic>,
}

/// Where in a SELECT an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    List,
    Where,
    Group,
    Having,
    Window,
    Qualify,
}

/// An expression's surroundings.
#[derive(Clone, Copy)]
struct Context<'a> {
    select: &'a Select,
    place: Place,
    grouped: bool,
}

impl Checker<'_> {
    fn error(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        self.parsed.error(code, span, message)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MOST {
            self.found.push(diagnostic);
        }
    }

    /// The text of a range of the file.
    fn text(&self, range: Range<usize>) -> &str {
        &self.parsed.text[range]
    }

    /// The bytes of an expression, or of the SELECT that it is in if the syntax tree does not say.
    fn span(&self, expr: &Expr, select: &Select) -> Range<usize> {
        self.parsed.source.expression(expr).unwrap_or_else(|| self.select_token(select))
    }

    fn select_token(&self, select: &Select) -> Range<usize> {
        self.parsed.source.range(select.select_token.0.span).unwrap_or_else(|| self.parsed.first_token())
    }

    /// The bytes of a clause of a SELECT.
    fn clause(&self, select: &Select, keyword: &str) -> Range<usize> {
        let token = self.select_token(select);
        self.parsed.source.clause(token.start, keyword).unwrap_or(token)
    }

    /// The bytes of a sub-query, its parentheses not among them.
    fn query_span(&self, query: &Query) -> Range<usize> {
        self.parsed.source.range(query.span()).unwrap_or_else(|| self.parsed.first_token())
    }
}
