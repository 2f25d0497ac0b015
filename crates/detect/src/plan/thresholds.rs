//! Comparisons that an aggregate with a limit cannot answer.

use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::{Aggregate, AggregateKind, DetectorPlan, aggregate_column, total_column};

const COMPARISONS: [Operator; 6] =
    [Operator::Eq, Operator::NotEq, Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq];

impl DetectorPlan {
    /// A number that a `count(DISTINCT …)` is compared with and that, as it stays at `limit`, it cannot be told from
    /// more.
    #[must_use]
    pub fn threshold_above(&self, limit: usize) -> Option<f64> {
        let mut names = saturating(self.operator.aggregates(), aggregate_column);
        let mut looked_at: Vec<&Expr> = self.having.iter().chain(self.outputs.iter().map(|(_, expr)| expr)).collect();
        if let super::Operator::OverWindows { windows, aggregates } = &self.operator {
            names.extend(saturating(&windows.aggregates, total_column));
            looked_at.extend(&windows.having);
            looked_at.extend(aggregates.iter().flat_map(|a| a.argument.iter().chain(&a.filter)));
        }
        if names.is_empty() {
            return None;
        }
        looked_at.into_iter().find_map(|expr| untold(expr, &names, limit))
    }
}

/// The names of the distinct counts among these.
fn saturating(aggregates: &[Aggregate], name: fn(usize) -> String) -> Vec<String> {
    let distinct = aggregates.iter().enumerate().filter(|(_, a)| a.kind == AggregateKind::CountDistinct);
    distinct.map(|(index, _)| name(index)).collect()
}

fn untold(expr: &Expr, saturating: &[String], limit: usize) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
    let limit = limit as f64;
    let mut found = None;
    let walked = expr.apply(|node| {
        found = thresholds(node, saturating).into_iter().find(|(op, threshold)| match op {
            // The comparison changes its answer just below the number, or just above it.
            Operator::GtEq | Operator::Lt => *threshold > limit,
            _ => *threshold >= limit,
        });
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.ok().and(found).map(|(_, threshold)| threshold)
}

/// What one comparison compares such an aggregate with.
fn thresholds(node: &Expr, saturating: &[String]) -> Vec<(Operator, f64)> {
    match node {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if COMPARISONS.contains(op) => {
            let straight = is_one_of(left, saturating).then(|| number(right).map(|n| (*op, n)));
            let swapped = is_one_of(right, saturating).then(|| Some((op.swap()?, number(left)?)));
            straight.into_iter().chain(swapped).flatten().collect()
        }
        Expr::InList(list) if is_one_of(&list.expr, saturating) => {
            list.list.iter().filter_map(|item| Some((Operator::Eq, number(item)?))).collect()
        }
        Expr::Between(between) if is_one_of(&between.expr, saturating) => {
            let bounds = [(Operator::GtEq, &between.low), (Operator::LtEq, &between.high)];
            bounds.into_iter().filter_map(|(op, bound)| Some((op, number(bound)?))).collect()
        }
        _ => Vec::new(),
    }
}

fn is_one_of(expr: &Expr, names: &[String]) -> bool {
    match expr {
        Expr::Column(column) => names.contains(&column.name),
        Expr::Alias(alias) => is_one_of(&alias.expr, names),
        Expr::TryCast(cast) => is_one_of(&cast.expr, names),
        _ => false,
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&arrow::datatypes::DataType::Float64).ok()? {
            ScalarValue::Float64(number) => number,
            _ => None,
        },
        Expr::Alias(alias) => number(&alias.expr),
        _ => None,
    }
}
