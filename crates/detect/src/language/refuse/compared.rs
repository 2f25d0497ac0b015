//! What single comparisons ask of what they compare, and which values they compare it with that are not known.

use datafusion_sql::sqlparser::ast::{BinaryOperator as Op, Expr, UnaryOperator, Value};

use super::asked::{Asked, Pattern};
use super::asking::{Asks, How, Never, Reading, Unknown};
use super::expressions::text_of;
use super::over::arguments;
use super::scope::Scope;
use super::{Checker, MOST};
use crate::language::catalogue::{self, Values};

/// What is compared.
struct Operand<'a> {
    /// What is known of its values.
    values: Option<(Values<'a>, (String, String))>,
    /// That it is in upper case (true) or in lower case throughout.
    upper: Option<bool>,
    /// What it is in place of NULL.
    defaults: Vec<String>,
}

/// Values of one list that are looked at; of longer ones it is not said that none is known.
const LOOKED_AT: usize = 200;
/// Values that are not known for which it is looked what was meant.
const HINTS: usize = 20;

impl<'r> Reading<'r, '_> {
    pub(super) fn comparison(
        &mut self,
        whole: &Expr,
        left: &Expr,
        op: &Op,
        right: &Expr,
        want: bool,
    ) -> Result<Asks, Never> {
        let (operand, literal, op) = match (is_literal(left), is_literal(right)) {
            (false, true) => (left, right, op.clone()),
            (true, false) => (right, left, turned(op)),
            _ => return Ok(Asks::new()),
        };
        let compares = matches!(op, Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq);
        if compares && is_null(literal) {
            return Err(self.compared_with_null(whole));
        }
        match &op {
            Op::PGRegexMatch | Op::PGRegexNotMatch => {
                self.regex(whole, operand, literal, false, (op == Op::PGRegexMatch) != want)
            }
            Op::PGRegexIMatch | Op::PGRegexNotIMatch => {
                self.regex(whole, operand, literal, true, (op == Op::PGRegexIMatch) != want)
            }
            Op::Eq | Op::NotEq if number(literal).is_none() => {
                self.list(whole, operand, std::slice::from_ref(literal), (op == Op::Eq) != want)
            }
            _ if compares => {
                let asked = number(literal).and_then(|number| bounds(&op, want, number));
                self.number(whole, operand, Some(asked.unwrap_or_else(|| Asked::null(false))))
            }
            _ => Ok(Asks::new()),
        }
    }

    /// One of a list of literals, or, `left_out`, none of them.
    pub(super) fn list(&mut self, whole: &Expr, operand: &Expr, list: &[Expr], left_out: bool) -> Result<Asks, Never> {
        if list.iter().all(is_null) || left_out && list.iter().any(is_null) {
            return Err(self.compared_with_null(whole));
        }
        let list: Vec<&Expr> = list.iter().filter(|item| !is_null(item)).collect();
        if let Some(numbers) = list.iter().map(|item| number(item)).collect::<Option<Vec<f64>>>() {
            let (least, greatest) =
                numbers.iter().fold((f64::MAX, f64::MIN), |(least, most), n| (least.min(*n), most.max(*n)));
            let within = Asked::at_least(least, true).and(Asked::at_most(greatest, true));
            return self.number(whole, operand, if left_out { Some(Asked::null(false)) } else { within });
        }
        let Some(texts) =
            list.iter().map(|item| text_of(item).or_else(|| boolean(item))).collect::<Option<Vec<&str>>>()
        else {
            return Ok(self.ask(operand, Asked::null(false)));
        };
        let about = self.operand(operand);
        if !left_out {
            self.in_that_case(whole, &about, &texts)?;
        }
        self.values(whole, &about, &list, &texts, left_out)?;
        Ok(self.ask(operand, Asked::one_of(texts, left_out)))
    }

    /// Tells of values that are not known; if only known ones exist, whether this can hold.
    fn values(
        &mut self,
        whole: &Expr,
        about: &Operand<'_>,
        list: &[&Expr],
        texts: &[&str],
        left_out: bool,
    ) -> Result<(), Never> {
        let Some((values, of)) = &about.values else { return Ok(()) };
        let known = |text: &str| match about.upper {
            Some(_) => values.any(|value| value.eq_ignore_ascii_case(text)),
            None => values.has(text),
        };
        let mut unknown = Vec::new();
        for (item, text) in list.iter().zip(texts).take(LOOKED_AT) {
            if text.is_empty() || about.defaults.iter().any(|default| default == text) || known(text) {
                continue;
            }
            // What is like a value is looked for only for those that are told of: it takes long.
            let enough = self.without.is_some() || self.unknown.len() + unknown.len() >= HINTS;
            let nearest = if values.all && enough { None } else { values.nearest(text) };
            if values.all || nearest.is_some() {
                unknown.push((*item, *text, nearest));
            }
        }
        let all = unknown.len() == texts.len();
        let is_without = |item: &Expr| self.without.as_ref() == Some(&self.checker.span(item, self.select));
        if all && !left_out && unknown.iter().take(MOST).any(|(item, ..)| is_without(item)) {
            return Err(self.unknown_alone(whole));
        }
        let how = match (left_out, all) {
            (true, _) => How::LeftOut,
            (false, true) => How::Asked,
            (false, false) => How::AmongOthers,
        };
        let room = MOST.saturating_sub(self.unknown.len());
        for (item, text, nearest) in unknown.into_iter().take(room) {
            let nearest = nearest.map(|nearest| match about.upper {
                Some(true) => nearest.to_uppercase(),
                Some(false) => nearest.to_lowercase(),
                None => nearest,
            });
            let hint = nearest.map(|nearest| match nearest.eq_ignore_ascii_case(text) {
                true => format!("case matters: write '{nearest}'"),
                false => format!("did you mean '{nearest}'?"),
            });
            let span = self.checker.span(item, self.select);
            self.unknown.push(Unknown { span, text: text.to_owned(), word: values.word, hint, how, of: of.clone() });
        }
        Ok(())
    }

    pub(super) fn like(
        &mut self,
        whole: &Expr,
        operand: &Expr,
        pattern: &Expr,
        any_case: bool,
        negated: bool,
    ) -> Result<Asks, Never> {
        if is_null(pattern) {
            return Err(self.compared_with_null(whole));
        }
        let Some(text) = text_of(pattern).filter(|text| !text.contains('\\')) else {
            return Ok(self.ask(operand, Asked::null(false)));
        };
        if !any_case && !negated {
            let about = self.operand(operand);
            self.in_that_case(whole, &about, &[text])?;
        }
        let parts = text.chars().map(|c| match c {
            '%' => ".*".to_owned(),
            '_' => ".".to_owned(),
            c => regex::escape(c.encode_utf8(&mut [0; 4])),
        });
        let written = format!("^{}$", parts.collect::<String>());
        self.matching(whole, operand, (text, &written), any_case, negated)
    }

    fn regex(
        &mut self,
        whole: &Expr,
        operand: &Expr,
        pattern: &Expr,
        any_case: bool,
        negated: bool,
    ) -> Result<Asks, Never> {
        match text_of(pattern) {
            Some(text) => self.matching(whole, operand, (text, text), any_case, negated),
            None => Ok(self.ask(operand, Asked::null(false))),
        }
    }

    /// A text that a regular expression finds; the pattern as it is written comes first.
    fn matching(
        &mut self,
        whole: &Expr,
        operand: &Expr,
        (text, pattern): (&str, &str),
        any_case: bool,
        negated: bool,
    ) -> Result<Asks, Never> {
        let pattern = Pattern::new(pattern, any_case, !std::ptr::eq(text, pattern));
        let may_be = |value: &str| pattern.finds(value) != Some(false);
        let about = self.operand(operand);
        let span = || self.checker.span(whole, self.select);
        let is_told = match &self.without {
            Some(without) => *without == span(),
            None => self.unknown.len() < MOST,
        };
        if let Some((values, of)) = &about.values
            && is_told
            && !negated
            && values.all
            && about.defaults.is_empty()
            && !(values.may_be_longer() && text.contains("20"))
            && !values.any(|value| match about.upper {
                Some(true) => may_be(&value.to_uppercase()),
                Some(false) => may_be(&value.to_lowercase()),
                None => may_be(value),
            })
        {
            if self.without.is_some() {
                return Err(self.unknown_alone(whole));
            }
            let span = span();
            let (text, of) = (text.to_owned(), of.clone());
            self.unknown.push(Unknown { span, text, word: values.word, hint: None, how: How::Like, of });
        }
        Ok(self.ask(operand, Asked::like(pattern, negated)))
    }

    /// What a number is compared with, as far as it may be that at all.
    pub(super) fn number(&mut self, whole: &Expr, operand: &Expr, asked: Option<Asked>) -> Result<Asks, Never> {
        let (natural, why) = self.natural(operand);
        match asked.and_then(|asked| natural.and(asked)) {
            Some(asked) => Ok(self.ask(operand, asked)),
            None => Err(Never {
                span: self.checker.span(whole, self.select),
                why,
                help: "compare with a number that can be reached".to_owned(),
            }),
        }
    }

    /// A text in lower or upper case throughout is none that has letters of the other.
    fn in_that_case(&self, whole: &Expr, about: &Operand<'_>, texts: &[&str]) -> Result<(), Never> {
        let Some(upper) = about.upper else { return Ok(()) };
        let other =
            |text: &str| text.chars().any(|c| if upper { c.is_ascii_lowercase() } else { c.is_ascii_uppercase() });
        if !texts.iter().all(|text| other(text)) {
            return Ok(());
        }
        let (name, other) = if upper { ("upper", "lower") } else { ("lower", "upper") };
        Err(Never {
            span: self.checker.span(whole, self.select),
            why: format!("what {name}(…) gives has no letter in {other} case"),
            help: format!("write the text in {name} case"),
        })
    }

    fn compared_with_null(&self, whole: &Expr) -> Never {
        Never {
            span: self.checker.span(whole, self.select),
            why: "a comparison with NULL is NULL, which is not true".to_owned(),
            help: "write IS NULL or IS NOT NULL".to_owned(),
        }
    }

    fn unknown_alone(&self, whole: &Expr) -> Never {
        Never { span: self.checker.span(whole, self.select), why: String::new(), help: String::new() }
    }

    fn operand(&self, expr: &Expr) -> Operand<'r> {
        match expr {
            Expr::Nested(inner) => self.operand(inner),
            Expr::Function(function) => {
                let name = function.name.to_string().to_lowercase();
                let inner = arguments(function);
                match (name.as_str(), inner.as_slice()) {
                    ("upper" | "lower", [inner]) => Operand { upper: Some(name == "upper"), ..self.operand(inner) },
                    ("coalesce" | "ifnull" | "nvl", [first, defaults @ ..])
                        if defaults.iter().all(|default| text_of(default).is_some()) =>
                    {
                        let defaults = defaults.iter().filter_map(|default| text_of(default).map(str::to_owned));
                        Operand { defaults: defaults.collect(), ..self.operand(first) }
                    }
                    _ => Operand { values: None, upper: None, defaults: Vec::new() },
                }
            }
            _ => {
                let values = self.checker.known_values(expr, self.input);
                Operand { values, upper: None, defaults: Vec::new() }
            }
        }
    }
}

impl Checker<'_> {
    /// What is known of the values of the column, or path, that an expression is.
    fn known_values(&self, expr: &Expr, input: &Scope) -> Option<(Values<'_>, (String, String))> {
        let (column, path) = match expr {
            Expr::BinaryOp { left, op: Op::LongArrow, right } => (left.as_ref(), Some(right)),
            _ => (expr, None),
        };
        let (stream, mut column) = input.column(column)?.of.clone()?;
        if let Some(path) = path {
            column = format!("{column} ->> {path}");
        }
        let definition = self.streams.iter().find(|known| known.name == stream)?;
        Some((catalogue::of(definition, &column)?, (stream, column)))
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(_)) || number(expr).is_some() || matches!(expr, Expr::Nested(inner) if is_literal(inner))
}

fn value(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Nested(inner) => value(inner),
        Expr::Value(value) => Some(&value.value),
        _ => None,
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(value(expr), Some(Value::Null))
}

fn boolean(expr: &Expr) -> Option<&'static str> {
    match value(expr) {
        Some(Value::Boolean(true)) => Some("true"),
        Some(Value::Boolean(false)) => Some("false"),
        _ => None,
    }
}

pub(super) fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr).map(|number| -number),
        _ => match value(expr)? {
            Value::Number(number, _) => number.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        },
    }
}

/// The operator when its operands change places.
fn turned(op: &Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::LtEq => Op::GtEq,
        Op::Gt => Op::Lt,
        Op::GtEq => Op::LtEq,
        // A regular expression is on the right.
        Op::PGRegexMatch | Op::PGRegexNotMatch | Op::PGRegexIMatch | Op::PGRegexNotIMatch => Op::Question,
        other => other.clone(),
    }
}

/// What a comparison with a number asks for, to be true or to be false.
fn bounds(op: &Op, want: bool, number: f64) -> Option<Asked> {
    match (op, want) {
        (Op::Eq, true) | (Op::NotEq, false) => Asked::at_least(number, true).and(Asked::at_most(number, true)),
        (Op::Gt, true) | (Op::LtEq, false) => Some(Asked::at_least(number, false)),
        (Op::GtEq, true) | (Op::Lt, false) => Some(Asked::at_least(number, true)),
        (Op::Lt, true) | (Op::GtEq, false) => Some(Asked::at_most(number, false)),
        (Op::LtEq, true) | (Op::Gt, false) => Some(Asked::at_most(number, true)),
        _ => None,
    }
}
