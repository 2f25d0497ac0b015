//! GROUP BY: only together with a window of time.

use datafusion_sql::sqlparser::ast::{Expr, GroupByExpr, Select, SelectItem, Value};

use super::Checker;
use crate::language::codes;
use crate::language::hop::{first_hop, same_call};
use crate::language::windows::{is_call_of, same};

impl Checker<'_> {
    /// Checks the GROUP BY; tells whether there is one.
    pub(super) fn group_by(&mut self, select: &Select) -> bool {
        let (exprs, plain) = match &select.group_by {
            GroupByExpr::All(_) => (&[][..], false),
            GroupByExpr::Expressions(exprs, modifiers) => (exprs.as_slice(), modifiers.is_empty()),
        };
        if plain && exprs.is_empty() {
            self.having_alone(select);
            return false;
        }
        let span = self.clause(select, "GROUP");
        if !plain {
            let error = self.error(codes::CLAUSE, span, "GROUP BY with ALL, ROLLUP, CUBE or TOTALS is not supported");
            self.report(
                error.help(
                    "write the window and the keys: GROUP BY tumble(event_time, INTERVAL '5 minutes'), source_ip",
                ),
            );
            return true;
        }
        let meant: Vec<&Expr> = exprs.iter().map(|expr| meaning(expr, select)).collect();
        if !meant.iter().any(|expr| is_call_of_one(expr, &WINDOWS)) {
            let keys: Vec<_> = meant.iter().map(|expr| self.text(self.span(expr, select)).to_owned()).collect();
            let error = self.error(codes::UNBOUNDED, span, "a count over all time needs memory without end");
            self.report(error.label("no window here").help(format!(
                "count in a sliding range: count(*) OVER (PARTITION BY {} ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING)",
                keys.join(", ")
            )));
        }
        self.hops(select, &meant);
        true
    }

    /// A SELECT has one hopping window at most, and groups by it.
    fn hops(&mut self, select: &Select, groups: &[&Expr]) {
        let Some(hop) = first_hop(select).map(Expr::Function) else { return };
        let problem = if !groups.iter().any(|group| same_call(group, &hop)) {
            "a hopping window is one of the GROUP BY, written as it is there"
        } else if groups.iter().filter(|group| is_call_of_one(group, &WINDOWS)).count() > 1 {
            "two windows in one GROUP BY"
        } else {
            return;
        };
        let error = self.error(codes::HOP, self.span(&hop, select), problem);
        self.report(error.help(
            "write GROUP BY hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes'), …: every minute, over five",
        ));
    }

    fn having_alone(&mut self, select: &Select) {
        if select.having.is_some() {
            let error = self.error(
                codes::MISPLACED,
                self.clause(select, "HAVING"),
                "HAVING filters groups, and there is no GROUP BY",
            );
            self.report(error.help("filter sliding ranges with QUALIFY, rows with WHERE, or add GROUP BY tumble(event_time, INTERVAL '5 minutes'), …"));
        }
    }
}

/// Functions that bound a group in time; those that are not run are refused by their own names.
const WINDOWS: [&str; 4] = ["tumble", "hop", "session", "session_window"];

fn is_call_of_one(expr: &Expr, names: &[&str]) -> bool {
    match expr {
        Expr::Function(function) => names.iter().any(|name| is_call_of(function, name)),
        Expr::Nested(inner) => is_call_of_one(inner, names),
        _ => false,
    }
}

/// Whether an expression is the start of a window.
pub(super) fn is_window(expr: &Expr) -> bool {
    is_call_of_one(expr, &["tumble", "hop"])
}

/// What an element of GROUP BY stands for: a name or a number of the SELECT list, else itself.
pub(super) fn meaning<'a>(expr: &'a Expr, select: &'a Select) -> &'a Expr {
    match expr {
        Expr::Identifier(name) => {
            let named = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if same(alias, name) => Some(expr),
                _ => None,
            });
            named.unwrap_or(expr)
        }
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => {
                let item = number.parse::<usize>().ok().and_then(|n| select.projection.get(n.checked_sub(1)?));
                match item {
                    Some(SelectItem::UnnamedExpr(meant) | SelectItem::ExprWithAlias { expr: meant, .. }) => meant,
                    _ => expr,
                }
            }
            _ => expr,
        },
        _ => expr,
    }
}
