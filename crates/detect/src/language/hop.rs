//! Hopping windows as DataFusion runs them: each row once a window that it lies in, by `unnest`.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableAlias,
    TableFactor, TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions, visit_expressions,
};

use super::expand::{call_of, nested, plus};
use super::windows::{folded, is_call_of};
use crate::plan::functions::{HOP_COLUMN, HOP_STARTS};

/// The first `hop(…)` in what a SELECT returns, groups by, or filters groups with.
pub(super) fn first_hop(select: &Select) -> Option<Function> {
    let mut found = None;
    let mut look = |expr: &Expr| match expr {
        Expr::Function(function) if is_call_of(function, "hop") => {
            found = Some(function.clone());
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    // One after the other until it is found.
    let _ = visit_expressions(&select.projection, &mut look).is_break()
        || visit_expressions(&select.having, &mut look).is_break()
        || visit_expressions(&select.group_by, &mut look).is_break();
    found
}

/// Moves FROM and WHERE into a sub-query that gives each row once a window, and puts the window's start in the place of
/// `hop(…)`.
pub(super) fn spread(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let Some(hop) = first_hop(select) else { return };
    let mut subquery = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let mut replace = Replace(Expr::Function(hop.clone()));
    let _ = select.projection.visit(&mut replace);
    let _ = select.having.visit(&mut replace);
    if let GroupByExpr::Expressions(exprs, _) = &mut select.group_by {
        let _ = exprs.visit(&mut replace);
    }
    let time = super::expand::first_argument(&hop).cloned();
    let starts = Function { name: name_of(HOP_STARTS), ..hop };
    let unnested = call_of("unnest", Expr::Function(starts));
    let mut inner = Select {
        projection: Vec::new(),
        having: None,
        qualify: None,
        named_window: Vec::new(),
        ..Select::clone(select)
    };
    inner.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    inner.projection = vec![
        SelectItem::Wildcard(WildcardAdditionalOptions::default()),
        SelectItem::ExprWithAlias { expr: unnested, alias: Ident::new(HOP_COLUMN) },
    ];
    subquery.with = None;
    let mut derived = |inner: Select, alias: Ident| {
        *subquery.body = SetExpr::Select(Box::new(inner));
        TableFactor::Derived {
            lateral: false,
            subquery: Box::new(subquery.clone()),
            alias: Some(TableAlias { explicit: true, name: alias, columns: Vec::new(), at: None }),
            sample: None,
        }
    };
    if let [from] = select.from.as_mut_slice()
        && !from.joins.is_empty()
    {
        // With tables beside it, the stream alone: so that all keep their names.
        let stream = of_time(from, time.as_ref());
        let alias = table_name(stream).unwrap_or_else(|| Ident::new("rows"));
        inner.selection = None;
        inner.from = vec![TableWithJoins { relation: stream.clone(), joins: Vec::new() }];
        *stream = derived(inner, alias);
        return;
    }
    let alias = select.from.first().and_then(|table| table_name(&table.relation)).unwrap_or_else(|| Ident::new("rows"));
    let relation = derived(inner, alias);
    select.selection = None;
    select.from = vec![TableWithJoins { relation, joins: Vec::new() }];
}

/// What of a join the time is a column of.
fn of_time<'a>(from: &'a mut TableWithJoins, time: Option<&Expr>) -> &'a mut TableFactor {
    let qualifier = match time {
        Some(Expr::CompoundIdentifier(parts)) => parts.first().map(folded),
        _ => None,
    };
    let is_it = |factor: &TableFactor| qualifier.is_some() && table_name(factor).as_ref().map(folded) == qualifier;
    match from.joins.iter().position(|join| is_it(&join.relation)) {
        Some(place) => &mut from.joins[place].relation,
        None => &mut from.relation,
    }
}

/// The name by which a table's columns can be qualified.
fn table_name(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, .. } => name.0.last().and_then(ObjectNamePart::as_ident).cloned(),
        _ => None,
    }
}

fn name_of(name: &str) -> ObjectName {
    ObjectName::from(vec![Ident::new(name)])
}

/// Replaces one call, and `window_end` of it.
struct Replace(Expr);

impl VisitorMut for Replace {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let start = || Expr::Identifier(Ident::new(HOP_COLUMN));
        if same_call(expr, &self.0) {
            *expr = start();
        } else if let Expr::Function(function) = &*expr
            && is_call_of(function, "window_end")
            && super::expand::first_argument(function).is_some_and(|argument| argument == &start())
            && let Expr::Function(hop) = &self.0
            && let Some(size) = super::expand::last_argument(hop)
        {
            *expr = nested(plus(start(), size.clone()));
        }
        ControlFlow::Continue(())
    }
}

/// Whether two calls are written alike.
pub(super) fn same_call(a: &Expr, b: &Expr) -> bool {
    a.to_string().eq_ignore_ascii_case(&b.to_string())
}
