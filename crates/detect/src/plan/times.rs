//! Times of microseconds where the planner takes nanoseconds, of which the years before 1678 and after 2262 are none.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_expr::{BinaryExpr, Expr, Operator};

/// A comparison whose sides the planner has made times of nanoseconds, because one is a text, as one of microseconds.
pub fn compared_in_micros(mut expr: Expr) -> Expr {
    let mut sides: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => vec![left, right],
        Expr::Between(between) => vec![&mut between.expr, &mut between.low, &mut between.high],
        Expr::InList(list) => std::iter::once(&mut *list.expr).chain(&mut list.list).collect(),
        _ => return expr,
    };
    if sides.iter().all(|side| nanos_of(side).is_some()) {
        sides.iter_mut().for_each(|side| in_micros(side));
    }
    expr
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// The zone of a time that was made one of nanoseconds.
fn nanos_of(side: &Expr) -> Option<Option<Arc<str>>> {
    let Expr::TryCast(cast) = side else { return None };
    match cast.field.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => Some(zone.clone()),
        _ => None,
    }
}

fn in_micros(side: &mut Expr) {
    if let Some(zone) = nanos_of(side)
        && let Expr::TryCast(cast) = side
    {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, zone);
        cast.field = Arc::new(cast.field.as_ref().clone().with_data_type(micros));
    }
}
