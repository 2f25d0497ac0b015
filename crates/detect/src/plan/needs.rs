//! Which columns must not be NULL for a detector to find anything.
//!
//! A need is a set of columns of which at least one must not be NULL. A condition that cannot be true while a column is
//! NULL needs it; what is not understood needs nothing. So without what is needed nothing can be found, and with it
//! something may be.

use std::collections::BTreeSet;

use datafusion_expr::{BinaryExpr, Case, Expr, Operator};

use super::sequence::SequenceKind;
use super::{Aggregate, AggregateKind, DetectorPlan, Operator as Runs, aggregate_column};

/// Columns, one of which must not be NULL.
pub type Need = BTreeSet<String>;

/// Needs that one condition may have. More: the rest is not looked at.
const MOST_NEEDS: usize = 32;
/// Columns of one need. More: it is not looked at, since one of so many is as good as always there.
const MOST_COLUMNS: usize = 12;

/// Needs, each of which must be met.
type Needs = BTreeSet<Need>;

/// The truth that is asked of a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    True,
    False,
    /// Either, but not NULL.
    Known,
}

impl DetectorPlan {
    /// What a record must have to pass the WHERE of the input of this index.
    #[must_use]
    pub fn needs_of_where(&self, input: usize) -> Vec<Need> {
        // That something is not there is what an absence looks for: it can be found without its other side.
        if input == 1 && matches!(&self.operator, Runs::Sequence(sequence) if sequence.kind == SequenceKind::Absent) {
            return Vec::new();
        }
        let of_each = self.inputs[input].predicates.iter().map(|predicate| needs(predicate, Wanted::True));
        smallest(of_each.fold(Needs::new(), together))
    }

    /// What records that pass the WHERE must have for the aggregates to become what is asked of them.
    #[must_use]
    pub fn needs_of_aggregates(&self) -> Vec<Need> {
        let aggregates = self.operator.aggregates();
        let asked = self.having.iter().flat_map(|having| conjuncts(having));
        let counted = asked.filter_map(|having| some_of(having, aggregates)).flat_map(values);
        let needed: Needs = self.having.iter().map(|having| needs(having, Wanted::True)).fold(Needs::new(), together);
        let valued = (0..).zip(aggregates).filter(|(index, aggregate)| {
            aggregate.kind.can_be_null() && needed.contains(&Need::from([aggregate_column(*index)]))
        });
        let valued = valued.filter_map(|(_, aggregate)| aggregate.argument.as_ref()).flat_map(values);
        smallest(counted.chain(valued).collect())
    }
}

/// Without those that others imply.
fn smallest(needs: Needs) -> Vec<Need> {
    let implied = |need: &Need| needs.iter().any(|other| other != need && other.is_subset(need));
    needs.iter().filter(|need| !need.is_empty() && !implied(need)).cloned().collect()
}

fn together(mut all: Needs, more: Needs) -> Needs {
    all.extend(more);
    while all.len() > MOST_NEEDS {
        all.pop_last();
    }
    all
}

/// Of each a need: that of one or of the other.
fn either(one: &Needs, other: &Needs) -> Needs {
    let pairs = one.iter().flat_map(|one| other.iter().map(move |other| one.union(other).cloned().collect::<Need>()));
    pairs.filter(|need| need.len() <= MOST_COLUMNS).take(MOST_NEEDS).collect()
}

fn needs(expr: &Expr, wanted: Wanted) -> Needs {
    match expr {
        Expr::Alias(alias) => needs(&alias.expr, wanted),
        Expr::Not(inner) => needs(
            inner,
            match wanted {
                Wanted::True => Wanted::False,
                Wanted::False => Wanted::True,
                Wanted::Known => Wanted::Known,
            },
        ),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let (one, other) = (needs(left, wanted), needs(right, wanted));
            let decided_by_both = match wanted {
                Wanted::True => *op == Operator::And,
                Wanted::False => *op == Operator::Or,
                Wanted::Known => false,
            };
            if decided_by_both { together(one, other) } else { either(&one, &other) }
        }
        Expr::IsNotNull(inner) if wanted == Wanted::True => values(inner),
        Expr::IsNull(inner) if wanted == Wanted::False => values(inner),
        Expr::IsTrue(inner) if wanted == Wanted::True => needs(inner, Wanted::True),
        Expr::IsFalse(inner) if wanted == Wanted::True => needs(inner, Wanted::False),
        Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_) => Needs::new(),
        Expr::Case(case) => by_case(case, |then| needs(then, wanted)),
        _ => values(expr),
    }
}

/// A value is that of one of the branches; `of` says what that one needs.
fn by_case(case: &Case, of: impl Fn(&Expr) -> Needs) -> Needs {
    let branch = |(when, then): &(Box<Expr>, Box<Expr>)| {
        let taken = if case.expr.is_none() { needs(when, Wanted::True) } else { Needs::new() };
        (!is_null(then)).then(|| together(taken, of(then)))
    };
    let otherwise = case.else_expr.as_ref().filter(|otherwise| !is_null(otherwise)).map(|otherwise| of(otherwise));
    let branches = case.when_then_expr.iter().filter_map(branch).chain(otherwise);
    branches.reduce(|one, other| either(&one, &other)).unwrap_or_default()
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.is_null())
}

/// What must not be NULL for an expression not to be.
fn values(expr: &Expr) -> Needs {
    match expr {
        Expr::Column(column) => Needs::from([Need::from([column.name.clone()])]),
        Expr::Alias(alias) => values(&alias.expr),
        Expr::Cast(cast) => values(&cast.expr),
        Expr::TryCast(cast) => values(&cast.expr),
        Expr::Negative(inner) => values(inner),
        Expr::Not(inner) => values(inner),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => needs(expr, Wanted::Known),
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => Needs::new(),
            _ => together(values(left), values(right)),
        },
        Expr::Like(like) => together(values(&like.expr), values(&like.pattern)),
        Expr::InList(list) => values(&list.expr),
        // Beside one bound that it is beyond, the other may be NULL.
        Expr::Between(between) => values(&between.expr),
        Expr::Case(case) => by_case(case, values),
        Expr::ScalarFunction(call) => match call.func.name() {
            "coalesce" | "nvl" | "ifnull" => {
                let each: Vec<Needs> = call.args.iter().map(values).collect();
                each.split_first().map_or_else(Needs::new, |(first, rest)| {
                    rest.iter().fold(first.clone(), |one, other| either(&one, other))
                })
            }
            name if IS_NULL_WITH_ITS_FIRST.contains(&name) => call.args.first().map_or_else(Needs::new, values),
            _ => Needs::new(),
        },
        _ => Needs::new(),
    }
}

/// Functions that give NULL when their first argument is NULL.
const IS_NULL_WITH_ITS_FIRST: [&str; 31] = [
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "contains",
    "date_bin",
    "date_part",
    "date_trunc",
    "ends_with",
    "initcap",
    "json_get",
    "json_get_text",
    "left",
    "lower",
    "ltrim",
    "nullif",
    "octet_length",
    "regexp_count",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "translate",
    "upper",
];

fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        Expr::Alias(alias) => conjuncts(&alias.expr),
        _ => vec![expr],
    }
}

/// The argument of a count of which at least one is asked for.
fn some_of<'a>(having: &Expr, aggregates: &'a [Aggregate]) -> Option<&'a Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = having else { return None };
    let (column, op, number) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(number, _)) => (column, *op, number),
        (Expr::Literal(number, _), Expr::Column(column)) => (column, op.swap()?, number),
        _ => return None,
    };
    let number = number.to_string().parse::<f64>().ok()?;
    let asks_for_some = match op {
        Operator::GtEq | Operator::Eq => number > 0.0,
        Operator::Gt => number >= 0.0,
        _ => false,
    };
    let (_, aggregate) = (0..).zip(aggregates).find(|(index, _)| aggregate_column(*index) == column.name)?;
    let counts = matches!(aggregate.kind, AggregateKind::Count | AggregateKind::CountDistinct);
    aggregate.argument.as_ref().filter(|_| asks_for_some && counts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, StringArray};
    use datafusion_expr::{col, lit};
    use proptest::prelude::*;

    use super::*;
    use crate::compile::compile_text;
    use crate::expression::{Expression, record_batch, schema};
    use crate::plan::Planner;
    use watchfire_record::Stream;

    fn needed(sql: &str) -> Vec<String> {
        let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
        let detector = compile_text(&Planner::new(&Stream::built_ins()), "d", &text).unwrap();
        let needs = detector.plan.needs_of_where(0).into_iter().chain(detector.plan.needs_of_aggregates());
        needs.map(|need| need.into_iter().collect::<Vec<_>>().join(" | ")).collect()
    }

    #[test]
    fn a_detector_says_what_it_needs() {
        assert_eq!(
            needed(
                "SELECT event_name FROM cloudtrail WHERE event_name = 'StopLogging' AND error_code IS NULL AND coalesce(request ->> 'name', request ->> 'trailName') LIKE '%x'"
            ),
            ["event_name", "request->>'name' | request->>'trailName'"]
        );
        assert_eq!(
            needed(
                "SELECT event_name FROM cloudtrail WHERE event_name = 'a' OR (event_name = 'b' AND user_name = 'c')"
            ),
            ["event_name"]
        );
        assert_eq!(
            needed(
                "SELECT event_name FROM cloudtrail WHERE coalesce(user_type, '') <> 'Root' AND NOT (read_only OR region = 'x')"
            ),
            ["read_only", "region"]
        );
        assert_eq!(
            needed(
                "SELECT principal FROM cloudtrail WHERE event_name = 'GetPasswordData' QUALIFY count(DISTINCT request ->> 'instanceId') OVER (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '10 minutes' PRECEDING) >= 5"
            ),
            ["event_name", "request->>'instanceId'"]
        );
        assert_eq!(
            needed(
                "SELECT function_name FROM lambda GROUP BY tumble(event_time, INTERVAL '1 hour'), function_name HAVING max(duration_ms) > 5 AND count(*) > 3 AND count(level) < 5"
            ),
            ["duration_ms"]
        );
    }

    fn condition() -> impl Strategy<Value = Expr> {
        let column = prop::sample::select(vec!["a", "b", "c"]).prop_map(col);
        let value = column.prop_recursive(2, 6, 2, |inner| {
            prop_oneof![
                inner.clone(),
                (inner.clone(), inner.clone())
                    .prop_map(|(one, other)| datafusion_functions::core::expr_fn::coalesce(vec![one, other])),
                inner.clone().prop_map(datafusion_functions::string::expr_fn::lower),
                (inner.clone(), inner).prop_map(|(one, other)| datafusion_functions::core::expr_fn::nullif(one, other)),
            ]
        });
        let leaf = prop_oneof![
            value.clone().prop_map(|value| value.eq(lit("x"))),
            (value.clone(), value.clone()).prop_map(|(one, other)| one.not_eq(other)),
            value.clone().prop_map(Expr::is_null),
            value.clone().prop_map(Expr::is_not_null),
            (value.clone(), any::<bool>()).prop_map(|(value, not)| value.in_list(vec![lit("x"), lit("y")], not)),
            value.prop_map(|value| value.like(lit("%x"))),
        ];
        leaf.prop_recursive(4, 16, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(one, other)| one.and(other)),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| one.or(other)),
                inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
                inner.clone().prop_map(Expr::is_true),
                inner.clone().prop_map(Expr::is_false),
                inner.prop_map(|inner| Expr::IsNotTrue(Box::new(inner))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn without_what_is_needed_a_condition_is_never_true(condition in condition()) {
            let names = ["a", "b", "c"];
            let fields = schema(names.map(|name| arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Utf8, true)).to_vec());
            let values = [None, Some("x"), Some("y")];
            let column = |place: u32| -> ArrayRef {
                Arc::new((0..27u32).map(|row| values[(row / 3u32.pow(place) % 3) as usize]).collect::<StringArray>())
            };
            let batch = record_batch(&fields, vec![column(0), column(1), column(2)], 27);
            let holds = Expression::compile(&condition, &fields).unwrap().holds(&batch);
            for need in smallest(needs(&condition, Wanted::True)) {
                for row in 0..27 {
                    let met = names.iter().zip(0..).any(|(name, place)| {
                        need.contains(*name) && arrow::array::Array::is_valid(batch.column(place).as_string::<i32>(), row)
                    });
                    prop_assert!(met || !holds.value(row), "{condition} needs {need:?}, row {row}");
                }
            }
        }
    }
}
