//! What conditions ask of one value, and whether any value meets it.
//!
//! What is kept never asks for more than the conditions do: where they say what cannot be kept, less is asked. So what
//! is impossible here is impossible, and what is possible here may not be.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

/// How many texts times tests are tried; past it nothing is said of them.
const MOST_TRIED: usize = 100_000;

/// What is asked of a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Each must hold of its text.
    tests: Vec<Test>,
    /// The least that it may be.
    low: Option<Bound>,
    /// The greatest that it may be.
    high: Option<Bound>,
    /// Whether it must be NULL, or must not.
    null: Option<bool>,
}

/// A test of a text.
#[derive(Debug, Clone)]
enum Test {
    /// One of these, or none of these.
    OneOf(Rc<BTreeSet<String>>, bool),
    /// Like this, or not.
    Like(Rc<Pattern>, bool),
    /// All of one of these.
    Either(Rc<Vec<Vec<Test>>>),
}

/// A regular expression, which is built only if somebody tries it: most conditions are about texts of which nothing is
/// known.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    any_case: bool,
    dots_match_lines: bool,
    built: OnceCell<Option<Regex>>,
}

impl Pattern {
    /// This expression, in whatever case if so said; with `dots_match_lines` a dot is any character.
    pub fn new(text: &str, any_case: bool, dots_match_lines: bool) -> Self {
        Self { text: text.to_owned(), any_case, dots_match_lines, built: OnceCell::new() }
    }

    /// Whether it finds something in a text; `None` if it cannot be built.
    pub fn finds(&self, text: &str) -> Option<bool> {
        let built = self.built.get_or_init(|| {
            let mut builder = RegexBuilder::new(&self.text);
            builder.case_insensitive(self.any_case).dot_matches_new_line(self.dots_match_lines).build().ok()
        });
        built.as_ref().map(|built| built.is_match(text))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound {
    value: f64,
    /// Whether it may be the value itself.
    included: bool,
}

impl Asked {
    /// NULL, or not NULL.
    pub fn null(is: bool) -> Self {
        Self { null: Some(is), ..Self::default() }
    }

    /// One of these texts, or, `negated`, another.
    pub fn one_of<'a>(texts: impl IntoIterator<Item = &'a str>, negated: bool) -> Self {
        let texts = Rc::new(texts.into_iter().map(str::to_owned).collect());
        Self { tests: vec![Test::OneOf(texts, negated)], ..Self::null(false) }
    }

    /// A text like this, or, `negated`, one that is not.
    pub fn like(pattern: Pattern, negated: bool) -> Self {
        Self { tests: vec![Test::Like(Rc::new(pattern), negated)], ..Self::null(false) }
    }

    /// A number from `low` on, with it or without.
    pub fn at_least(low: f64, included: bool) -> Self {
        Self { low: Some(Bound { value: low, included }), ..Self::null(false) }
    }

    /// A number up to `high`, with it or without.
    pub fn at_most(high: f64, included: bool) -> Self {
        Self { high: Some(Bound { value: high, included }), ..Self::null(false) }
    }

    /// Both, unless no value is both.
    pub fn and(mut self, other: Self) -> Option<Self> {
        self.null = match (self.null, other.null) {
            (Some(one), Some(another)) if one != another => return None,
            (one, another) => one.or(another),
        };
        self.low = tighter(self.low, other.low, |a, b| a > b);
        self.high = tighter(self.high, other.high, |a, b| a < b);
        self.tests.extend(other.tests);
        self.possible().then_some(self)
    }

    /// One or the other.
    pub fn or(self, other: Self) -> Self {
        let tests = if self.tests.is_empty() || other.tests.is_empty() {
            Vec::new()
        } else {
            vec![Test::Either(Rc::new(vec![self.tests, other.tests]))]
        };
        Self {
            tests,
            low: self.low.zip(other.low).map(|(a, b)| one(a, b, |a, b| a < b, |a, b| a || b)),
            high: self.high.zip(other.high).map(|(a, b)| one(a, b, |a, b| a > b, |a, b| a || b)),
            null: self.null.filter(|null| other.null == Some(*null)),
        }
    }

    /// Whether it must not be NULL.
    pub fn is_present(&self) -> bool {
        self.null == Some(false)
    }

    /// The texts that it can be, if they can be counted.
    pub fn texts(&self) -> Option<BTreeSet<String>> {
        let all = texts_of(&self.tests)?;
        (all.len() * size(&self.tests) <= MOST_TRIED)
            .then(|| all.into_iter().filter(|text| self.tests.iter().all(|test| test.holds(text))).collect())
    }

    fn possible(&self) -> bool {
        let numbers = match (self.low, self.high) {
            (Some(low), Some(high)) => {
                low.value < high.value || low.value == high.value && low.included && high.included
            }
            _ => true,
        };
        numbers && self.texts().is_none_or(|texts| !texts.is_empty())
    }
}

fn tighter(a: Option<Bound>, b: Option<Bound>, tighter: fn(f64, f64) -> bool) -> Option<Bound> {
    let (Some(first), Some(second)) = (a, b) else { return a.or(b) };
    Some(one(first, second, tighter, |a, b| a && b))
}

/// The one of two bounds that is wanted; of two at the same value, whether it is included.
fn one(a: Bound, b: Bound, wanted: fn(f64, f64) -> bool, included: fn(bool, bool) -> bool) -> Bound {
    if a.value == b.value {
        return Bound { included: included(a.included, b.included), ..a };
    }
    if wanted(a.value, b.value) { a } else { b }
}

/// A finite set that has all texts which pass the tests.
fn texts_of(tests: &[Test]) -> Option<BTreeSet<String>> {
    tests.iter().find_map(|test| match test {
        Test::OneOf(texts, false) => Some(texts.as_ref().clone()),
        Test::Either(ways) => ways.iter().map(|tests| texts_of(tests)).try_fold(BTreeSet::new(), |mut all, texts| {
            all.extend(texts?);
            Some(all)
        }),
        _ => None,
    })
}

fn size(tests: &[Test]) -> usize {
    let of = |test: &Test| match test {
        Test::Either(ways) => ways.iter().map(|tests| size(tests)).sum(),
        _ => 1,
    };
    tests.iter().map(of).sum::<usize>().max(1)
}

impl Test {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::OneOf(texts, negated) => texts.contains(text) != *negated,
            Self::Like(pattern, negated) => pattern.finds(text).is_none_or(|found| found != *negated),
            Self::Either(ways) => ways.iter().any(|tests| tests.iter().all(|test| test.holds(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A condition on a number or text, and whether a value meets it.
    #[derive(Debug, Clone)]
    enum Condition {
        In(Vec<u8>, bool),
        Low(u8, bool),
        High(u8, bool),
        Null(bool),
        And(Box<Condition>, Box<Condition>),
        Or(Box<Condition>, Box<Condition>),
    }

    impl Condition {
        fn asked(&self) -> Option<Asked> {
            Some(match self {
                Self::In(list, negated) => {
                    let list: Vec<String> = list.iter().map(u8::to_string).collect();
                    Asked::one_of(list.iter().map(String::as_str), *negated)
                }
                Self::Low(low, included) => Asked::at_least(f64::from(*low), *included),
                Self::High(high, included) => Asked::at_most(f64::from(*high), *included),
                Self::Null(is) => Asked::null(*is),
                Self::And(one, another) => one.asked()?.and(another.asked()?)?,
                Self::Or(one, another) => match (one.asked(), another.asked()) {
                    (Some(one), Some(another)) => one.or(another),
                    (one, another) => one.or(another)?,
                },
            })
        }

        fn holds(&self, value: Option<u8>) -> bool {
            match self {
                Self::In(list, negated) => value.is_some_and(|value| list.contains(&value) != *negated),
                Self::Low(low, included) => value.is_some_and(|v| v > *low || v == *low && *included),
                Self::High(high, included) => value.is_some_and(|v| v < *high || v == *high && *included),
                Self::Null(is) => value.is_none() == *is,
                Self::And(one, another) => one.holds(value) && another.holds(value),
                Self::Or(one, another) => one.holds(value) || another.holds(value),
            }
        }
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let leaf = prop_oneof![
            (prop::collection::vec(0..6u8, 1..4), any::<bool>()).prop_map(|(list, not)| Condition::In(list, not)),
            (0..6u8, any::<bool>()).prop_map(|(low, included)| Condition::Low(low, included)),
            (0..6u8, any::<bool>()).prop_map(|(high, included)| Condition::High(high, included)),
            any::<bool>().prop_map(Condition::Null),
        ];
        leaf.prop_recursive(4, 24, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| Condition::And(a.into(), b.into())),
                (inner.clone(), inner).prop_map(|(a, b)| Condition::Or(a.into(), b.into())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_called_impossible_is_met_by_no_value(condition in condition()) {
            let met: Vec<Option<u8>> = (0..7).map(Some).chain([None]).filter(|value| condition.holds(*value)).collect();
            let Some(asked) = condition.asked() else {
                prop_assert!(met.is_empty(), "{met:?}");
                return Ok(());
            };
            prop_assert!(!(asked.is_present() && met.contains(&None)));
            if let Some(texts) = asked.texts() {
                prop_assert!(met.iter().flatten().all(|value| texts.contains(&value.to_string())), "{texts:?} {met:?}");
            }
        }
    }

    #[test]
    fn contradictions_are_seen() {
        let one = |text| Asked::one_of([text], false);
        assert!(one("a").and(one("b")).is_none());
        assert!(one("a").and(Asked::one_of(["a"], true)).is_none());
        assert!(one("a").or(one("b")).and(one("c")).is_none());
        assert!(one("ab").and(Asked::like(Pattern::new("^b", false, false), false)).is_none());
        assert!(Asked::at_least(5.0, false).and(Asked::at_most(5.0, true)).is_none());
        assert!(Asked::null(true).and(one("a")).is_none());
        assert!(one("a").or(Asked::null(true)).and(one("b")).is_some(), "less is known of alternatives");
    }
}
