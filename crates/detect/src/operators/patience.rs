//! How far counts have to grow before a condition on them can hold: until then nobody need look whether it does.

use datafusion_common::ScalarValue;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::post::aggregate_index;
use crate::plan::{Aggregate, AggregateKind};

/// What a condition asks of counts.
#[derive(Debug)]
pub enum Patience {
    /// The aggregate of this index is as large at least.
    AtLeast(usize, i64),
    /// All of these.
    All(Vec<Self>),
    /// One of these.
    Any(Vec<Self>),
    /// Something else: the next row may bring it.
    Unknown,
}

impl Patience {
    /// What all of these conditions on aggregates ask.
    #[must_use]
    pub fn of(conditions: &[Expr], aggregates: &[Aggregate]) -> Self {
        Self::All(conditions.iter().map(|condition| Self::of_one(condition, aggregates)).collect())
    }

    fn of_one(condition: &Expr, aggregates: &[Aggregate]) -> Self {
        let (left, op, right) = match condition {
            Expr::Alias(alias) => return Self::of_one(&alias.expr, aggregates),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => (&**left, op, &**right),
            _ => return Self::Unknown,
        };
        let both = || vec![Self::of_one(left, aggregates), Self::of_one(right, aggregates)];
        let at_least = |count, least, more| at_least(count, least, more, aggregates).unwrap_or(Self::Unknown);
        match op {
            Operator::And => Self::All(both()),
            Operator::Or => Self::Any(both()),
            Operator::GtEq => at_least(left, right, 0),
            Operator::Gt => at_least(left, right, 1),
            Operator::LtEq => at_least(right, left, 0),
            Operator::Lt => at_least(right, left, 1),
            _ => Self::Unknown,
        }
    }

    /// By how much at least one of the counts that it asks for has to grow before it can hold; 0 if it may hold now.
    pub fn growth_needed(&self, count: &impl Fn(usize) -> i64) -> u64 {
        match self {
            Self::AtLeast(index, least) => u64::try_from(least.saturating_sub(count(*index))).unwrap_or(0),
            Self::All(parts) => parts.iter().map(|part| part.growth_needed(count)).max().unwrap_or(0),
            Self::Any(parts) => parts.iter().map(|part| part.growth_needed(count)).min().unwrap_or(0),
            Self::Unknown => 0,
        }
    }

    /// Whether it asks for the count of this index.
    #[must_use]
    pub fn asks_for(&self, count: usize) -> bool {
        match self {
            Self::AtLeast(index, _) => *index == count,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.asks_for(count)),
            Self::Unknown => false,
        }
    }
}

fn at_least(count: &Expr, least: &Expr, more: i64, aggregates: &[Aggregate]) -> Option<Patience> {
    let index = aggregate_index(count)?;
    let counts = matches!(aggregates.get(index)?.kind, AggregateKind::Count | AggregateKind::CountDistinct);
    match least {
        Expr::Literal(ScalarValue::Int64(Some(least)), _) if counts => {
            Some(Patience::AtLeast(index, least.saturating_add(more)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{col, lit};
    use proptest::prelude::*;

    use super::*;
    use crate::plan::aggregate_column;

    const AGGREGATES: usize = 3;

    fn aggregates() -> Vec<Aggregate> {
        let kinds = [AggregateKind::Count, AggregateKind::CountDistinct, AggregateKind::Greatest];
        let aggregate = |kind| Aggregate {
            kind,
            argument: None,
            filter: None,
            output: arrow::datatypes::DataType::Int64,
            frame: (0, 0),
        };
        kinds.map(aggregate).to_vec()
    }

    fn condition() -> impl Strategy<Value = Expr> {
        let one = (0..AGGREGATES, -2i64..12, 0..4u8).prop_map(|(index, bound, form)| {
            let (count, bound) = (col(aggregate_column(index)), lit(bound));
            match form {
                0 => count.gt(bound),
                1 => count.gt_eq(bound),
                2 => bound.lt(count),
                _ => bound.lt_eq(count).alias("a"),
            }
        });
        one.prop_recursive(3, 8, 2, |inner| {
            (inner.clone(), inner, any::<bool>()).prop_map(|(a, b, both)| if both { a.and(b) } else { a.or(b) })
        })
    }

    fn holds(condition: &Expr, counts: &[i64; AGGREGATES]) -> bool {
        let value = |expr: &Expr| match expr {
            Expr::Literal(ScalarValue::Int64(Some(value)), _) => *value,
            other => counts[aggregate_index(other).unwrap()],
        };
        match condition {
            Expr::Alias(alias) => holds(&alias.expr, counts),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => holds(left, counts) && holds(right, counts),
                Operator::Or => holds(left, counts) || holds(right, counts),
                Operator::Gt => value(left) > value(right),
                Operator::GtEq => value(left) >= value(right),
                Operator::Lt => value(left) < value(right),
                _ => value(left) <= value(right),
            },
            other => panic!("{other}"),
        }
    }

    proptest! {
        #[test]
        fn counts_have_to_grow_as_far_as_is_said(
            conditions in proptest::collection::vec(condition(), 1..4),
            counts in proptest::array::uniform3(0i64..10),
        ) {
            let patience = Patience::of(&conditions, &aggregates());
            let needed = i64::try_from(patience.growth_needed(&|index| counts[index])).unwrap();
            let all = |counts: &[i64; AGGREGATES]| conditions.iter().all(|condition| holds(condition, counts));
            // What is no count may be anything after a row.
            for more in 0..needed {
                let greatest = if more == 0 { counts[2] } else { i64::MAX };
                prop_assert!(!all(&[counts[0] + more, counts[1] + more, greatest]), "{more} of {needed}");
            }
            if conditions.iter().flat_map(Expr::column_refs).all(|column| column.name != aggregate_column(2)) {
                prop_assert!(all(&[counts[0] + needed, counts[1] + needed, 0]), "{needed} is enough");
            }
        }
    }
}
