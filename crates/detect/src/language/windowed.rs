//! Rows of windows that a SELECT reads from a sub-query: which of their columns is the window's start, by which a sliding
//! range over them is ordered.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Cte, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, Visit, Visitor,
};

use super::windows::{folded, is_call_of, same};

/// How many sub-queries are looked through.
const DEPTH: usize = 32;

/// What orders the rows that a SELECT reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowTime {
    /// They are records, or are not known: their `event_time`.
    Record,
    /// They are windows', and this column is the start.
    Window(Ident),
    /// They are windows', and have no column for the start.
    Unnamed,
}

/// All common table expressions of a query, wherever they are.
pub(super) fn common_tables(query: &Query) -> Vec<Cte> {
    struct All(Vec<Cte>);
    impl Visitor for All {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            self.0.extend(query.with.iter().flat_map(|with| with.cte_tables.clone()));
            ControlFlow::Continue(())
        }
    }
    let mut all = All(Vec::new());
    let _ = query.visit(&mut all);
    all.0
}

/// What orders the rows that a SELECT reads.
pub(super) fn row_time(select: &Select, tables: &[Cte]) -> RowTime {
    of_input(select, tables, DEPTH)
}

fn of_input(select: &Select, tables: &[Cte], depth: usize) -> RowTime {
    match select.from.as_slice() {
        [table] if table.joins.is_empty() && depth > 0 => of_factor(&table.relation, tables, depth - 1),
        _ => RowTime::Record,
    }
}

fn of_factor(factor: &TableFactor, tables: &[Cte], depth: usize) -> RowTime {
    match factor {
        TableFactor::Derived { subquery, .. } => of_body(&subquery.body, tables, depth),
        TableFactor::Table { name, .. } => {
            let name = name.0.last().and_then(|part| part.as_ident());
            let table = tables.iter().find(|table| name.is_some_and(|name| same(name, &table.alias.name)));
            table.map_or(RowTime::Record, |table| of_body(&table.query.body, tables, depth))
        }
        TableFactor::NestedJoin { table_with_joins, .. } if table_with_joins.joins.is_empty() => {
            of_factor(&table_with_joins.relation, tables, depth)
        }
        _ => RowTime::Record,
    }
}

fn of_body(body: &SetExpr, tables: &[Cte], depth: usize) -> RowTime {
    match body {
        SetExpr::Select(select) => of_rows(select, tables, depth),
        SetExpr::Query(inner) => of_body(&inner.body, tables, depth),
        _ => RowTime::Record,
    }
}

/// What orders the rows that a SELECT gives.
fn of_rows(select: &Select, tables: &[Cte], depth: usize) -> RowTime {
    let grouped = matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if !exprs.is_empty());
    let time = if grouped { RowTime::Unnamed } else { of_input(select, tables, depth) };
    let passed = |expr: &Expr| match (&time, expr) {
        (RowTime::Window(start), Expr::Identifier(name)) => same(start, name),
        (RowTime::Window(start), Expr::CompoundIdentifier(parts)) => parts.last().is_some_and(|name| same(start, name)),
        _ => grouped && is_window(expr),
    };
    if time == RowTime::Record {
        return time;
    }
    let named = select.projection.iter().find_map(|item| match (item, &time) {
        (SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..), RowTime::Window(start)) => Some(start.clone()),
        (SelectItem::ExprWithAlias { expr, alias }, _) if passed(expr) => Some(alias.clone()),
        (SelectItem::UnnamedExpr(expr), _) if passed(expr) => Some(match expr {
            Expr::Identifier(name) => name.clone(),
            Expr::CompoundIdentifier(parts) => parts.last()?.clone(),
            other => name_of(other),
        }),
        _ => None,
    });
    named.map_or(RowTime::Unnamed, RowTime::Window)
}

/// The name of a column that has none.
pub(super) fn name_of(expr: &Expr) -> Ident {
    Ident::with_quote('"', expr.to_string().replace('"', "'"))
}

fn is_window(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => ["tumble", "hop"].iter().any(|name| is_call_of(function, name)),
        Expr::Nested(inner) => is_window(inner),
        _ => false,
    }
}

/// Whether an expression names this column.
pub(super) fn names(expr: &Expr, column: &Ident) -> bool {
    match expr {
        Expr::Identifier(name) => folded(name) == folded(column),
        Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|name| folded(name) == folded(column)),
        _ => false,
    }
}
