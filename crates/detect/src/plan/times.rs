//! Times of microseconds where the planner takes nanoseconds, of which the years before 1678 and after 2262 are none.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_expr::{BinaryExpr, Expr, Operator};

/// A comparison whose sides the planner has made times of nanoseconds, because one is a text, as one of microseconds.
pub fn compared_in_micros(expr: Expr) -> Expr {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            Expr::BinaryExpr(BinaryExpr { left: in_micros(left), op, right: in_micros(right) })
        }
        Expr::Between(mut between) => {
            between.expr = in_micros(between.expr);
            between.low = in_micros(between.low);
            between.high = in_micros(between.high);
            Expr::Between(between)
        }
        Expr::InList(mut list) => {
            list.expr = in_micros(list.expr);
            list.list = list.list.into_iter().map(|item| *in_micros(Box::new(item))).collect();
            Expr::InList(list)
        }
        other => other,
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn in_micros(mut side: Box<Expr>) -> Box<Expr> {
    if let Expr::TryCast(cast) = side.as_mut()
        && let DataType::Timestamp(TimeUnit::Nanosecond, zone) = cast.field.data_type()
    {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
        cast.field = Arc::new(cast.field.as_ref().clone().with_data_type(micros));
    }
    side
}
