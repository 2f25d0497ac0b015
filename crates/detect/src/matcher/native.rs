//! Conditions on a text that need no planner: what rule writers use most, prepared once and told by a look at the text.
//!
//! Each says what DataFusion says of the same expression; the tests hold them to it. What is not here is evaluated by
//! DataFusion, whose regular expressions and searches are prepared anew at each call.

use std::collections::HashSet;

use datafusion_common::ScalarValue;
use datafusion_expr::expr::InList;
use datafusion_expr::{BinaryExpr, Expr, Like, Operator};
use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};

/// A condition on a text that is not NULL.
pub struct Native {
    test: Test,
    negated: bool,
}

enum Test {
    Equal(Box<str>),
    OneOf(HashSet<Box<str>, ahash::RandomState>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<Finder<'static>>),
    Pattern(Regex),
}

impl Native {
    /// The condition that an expression is, if it is one of these.
    #[must_use]
    pub fn of(expr: &Expr) -> Option<Self> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let text = literal(right).filter(|_| is_column(left))?;
                let (test, negated) = match op {
                    Operator::Eq => (Test::Equal(text.into()), false),
                    Operator::NotEq => (Test::Equal(text.into()), true),
                    Operator::RegexMatch => (pattern(text, false)?, false),
                    Operator::RegexNotMatch => (pattern(text, false)?, true),
                    Operator::RegexIMatch => (pattern(text, true)?, false),
                    Operator::RegexNotIMatch => (pattern(text, true)?, true),
                    _ => return None,
                };
                Some(Self { test, negated })
            }
            Expr::InList(InList { expr, list, negated }) if is_column(expr) => {
                let texts = list.iter().map(|item| literal(item).map(Into::into)).collect::<Option<_>>()?;
                Some(Self { test: Test::OneOf(texts), negated: *negated })
            }
            Expr::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive }) if is_column(expr) => {
                Some(Self { test: like(literal(pattern)?, *case_insensitive)?, negated: *negated })
            }
            Expr::Not(inner) => Self::of(inner).map(|native| Self { negated: !native.negated, ..native }),
            Expr::Alias(alias) => Self::of(&alias.expr),
            _ => None,
        }
    }

    /// Whether it holds for a text.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        let found = match &self.test {
            Test::Equal(wanted) => **wanted == *text,
            Test::OneOf(wanted) => wanted.contains(text),
            Test::Prefix(prefix) => text.starts_with(&**prefix),
            Test::Suffix(suffix) => text.ends_with(&**suffix),
            Test::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Test::Pattern(pattern) => pattern.is_match(text),
        };
        found != self.negated
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_))
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}

/// A regular expression, as `~` and `~*` take it.
fn pattern(text: &str, any_case: bool) -> Option<Test> {
    let text = if any_case { format!("(?i){text}") } else { text.to_owned() };
    Regex::new(&text).ok().map(Test::Pattern)
}

/// A LIKE pattern without `_` and escapes.
fn like(text: &str, any_case: bool) -> Option<Test> {
    if text.contains(['_', '\\']) {
        return None;
    }
    if any_case {
        let parts: Vec<String> = text.split('%').map(regex::escape).collect();
        let whole = format!("^{}$", parts.join(".*"));
        let built = RegexBuilder::new(&whole).case_insensitive(true).dot_matches_new_line(true).build();
        return built.ok().map(Test::Pattern);
    }
    Some(match text.split('%').collect::<Vec<_>>()[..] {
        [whole] => Test::Equal(whole.into()),
        [prefix, ""] => Test::Prefix(prefix.into()),
        ["", suffix] => Test::Suffix(suffix.into()),
        ["", part, ""] => Test::Contains(Box::new(Finder::new(part).into_owned())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, StringArray};
    use datafusion_expr::{col, lit};
    use proptest::prelude::*;

    use super::*;
    use crate::expression::{Expression, record_batch, schema};

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "[aAbB%_.\\n\u{212a}kKé]{0,6}", Just("ab".to_owned())]
    }

    fn condition() -> impl Strategy<Value = Expr> {
        let pattern = prop_oneof!["%?[aAbk]{0,3}%?", "[ab%]{0,4}", texts()];
        let expression = prop_oneof!["\\^?[aAbk.]{0,3}\\$?", Just("(a|B)+".to_owned())];
        prop_oneof![
            (texts(), any::<bool>()).prop_map(|(t, eq)| if eq { col("x").eq(lit(t)) } else { col("x").not_eq(lit(t)) }),
            (prop::collection::vec(texts(), 0..4), any::<bool>())
                .prop_map(|(list, negated)| col("x").in_list(list.into_iter().map(lit).collect(), negated)),
            (pattern, any::<bool>(), any::<bool>()).prop_map(|(p, negated, any_case)| Expr::Like(Like::new(
                negated,
                Box::new(col("x")),
                Box::new(lit(p)),
                None,
                any_case
            ))),
            (expression, 0..4usize).prop_map(|(p, op)| {
                let ops =
                    [Operator::RegexMatch, Operator::RegexNotMatch, Operator::RegexIMatch, Operator::RegexNotIMatch];
                Expr::BinaryExpr(BinaryExpr::new(Box::new(col("x")), ops[op], Box::new(lit(p))))
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn native_conditions_say_what_datafusion_says(expr in condition(), values in prop::collection::vec(texts(), 1..6)) {
            let Some(native) = Native::of(&expr) else { return Ok(()) };
            let fields = schema(vec![arrow::datatypes::Field::new("x", arrow::datatypes::DataType::Utf8, true)]);
            let array: ArrayRef = Arc::new(StringArray::from_iter_values(&values));
            let said = Expression::compile(&expr, &fields).unwrap().evaluate(&record_batch(&fields, vec![array], values.len()));
            let said: Vec<bool> = said.as_boolean().iter().map(Option::unwrap).collect();
            let found: Vec<bool> = values.iter().map(|value| native.holds(value)).collect();
            prop_assert_eq!(found, said, "{}", expr);
        }
    }
}
