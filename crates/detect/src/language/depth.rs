//! Refuses SQL that is short and becomes long: what stands for several copies of a part, within another such, doubles
//! with each level when it is planned.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Expr, Query, Select, SelectItem, SetExpr, TableFactor, Visit, Visitor, visit_expressions,
};

use super::windows::is_call_of;

/// How many expressions that stand for copies of their parts may be within one another.
const COPYING: usize = 10;
/// How often a column of an inner SELECT may come to be written in an outer one.
const WRITTEN: usize = 4096;

/// What is too deep, and what to do; `None` if nothing is.
pub fn too_deep(query: &Query) -> Option<(String, &'static str)> {
    if query.visit(&mut Copying(0)).is_break() {
        return Some((
            format!("more than {COPYING} of BETWEEN, CASE, coalesce and nullif stand within one another"),
            "write one CASE with several WHENs, one coalesce with several values, or split the detector",
        ));
    }
    (written(query) > WRITTEN).then(|| {
        (
            format!("columns of inner SELECTs are used so often that they would be written more than {WRITTEN} times"),
            "use a column of a sub-query or WITH fewer times in one expression, or nest fewer of them",
        )
    })
}

/// Counts such expressions from the outermost in.
struct Copying(usize);

fn is_copying(expr: &Expr) -> bool {
    match expr {
        Expr::Between { .. } | Expr::Case { .. } => true,
        Expr::Function(call) => {
            ["coalesce", "nullif", "nvl", "nvl2", "ifnull"].iter().any(|name| is_call_of(call, name))
        }
        _ => false,
    }
}

impl Visitor for Copying {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0 += usize::from(is_copying(expr));
        if self.0 > COPYING { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0 -= usize::from(is_copying(expr));
        ControlFlow::Continue(())
    }
}

/// How often at most a column of the innermost SELECTs comes to be written in one expression of this query.
fn written(query: &Query) -> usize {
    let tables = query.with.iter().flat_map(|with| &with.cte_tables);
    tables.fold(of_body(&query.body), |product, table| product.saturating_mul(written(&table.query)))
}

fn of_body(body: &SetExpr) -> usize {
    match body {
        SetExpr::Select(select) => of_select(select),
        SetExpr::Query(query) => written(query),
        SetExpr::SetOperation { left, right, .. } => of_body(left).max(of_body(right)),
        _ => 1,
    }
}

fn of_select(select: &Select) -> usize {
    let own = select.projection.iter().map(columns_of).max().unwrap_or(1).max(1);
    let factors = select
        .from
        .iter()
        .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
    factors.fold(own, |product, factor| match factor {
        TableFactor::Derived { subquery, .. } => product.saturating_mul(written(subquery)),
        _ => product,
    })
}

fn columns_of(item: &SelectItem) -> usize {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return 1 };
    let mut count = 0;
    let _ = visit_expressions(expr, |part| {
        count += usize::from(matches!(part, Expr::Identifier(_) | Expr::CompoundIdentifier(_)));
        ControlFlow::<()>::Continue(())
    });
    count
}
