//! Puts what was found into a column, in the column's type.

use simd_json::{Node, StaticNode};
use watchfire_record::ColumnType;
use watchfire_record::batch::flags;
use watchfire_record::time;

use crate::builder::Builder;
use crate::evaluate::{Body, Found};
use crate::json_text;
use crate::plan::ColumnPlan;
use crate::times::{self, Unit};

/// Appends one value. `buffer` is empty, for text that is made here. The result is bits of the record's flags.
pub(crate) fn append(
    plan: &ColumnPlan,
    found: Found<'_>,
    body: Body<'_>,
    buffer: &mut String,
    builder: &mut Builder,
) -> u16 {
    let value = scalar(found, body);
    let is_null = match plan.column_type {
        ColumnType::Text => return append_text(plan, found, body, buffer, builder),
        ColumnType::Json => return append_json(found, body, buffer, builder),
        ColumnType::Integer => {
            let value = value.integer(plan.reads_text);
            builder.integer(value);
            value.is_none()
        }
        ColumnType::Float => {
            let value = value.float(plan.reads_text);
            builder.float(value);
            value.is_none()
        }
        ColumnType::Boolean => {
            let value = value.boolean(plan.reads_text);
            builder.boolean(value);
            value.is_none()
        }
        ColumnType::Time => {
            let value = value.time();
            builder.time(value);
            value.is_none()
        }
    };
    let is_blank = matches!(value, Scalar::Missing) || (plan.reads_text && matches!(value, Scalar::Text("")));
    if is_null && !is_blank && plan.flags_type { flags::WRONG_TYPE } else { 0 }
}

fn append_text(plan: &ColumnPlan, found: Found<'_>, body: Body<'_>, buffer: &mut String, builder: &mut Builder) -> u16 {
    match scalar(found, body) {
        Scalar::Missing => builder.text(None),
        Scalar::Text(text) => builder.text(Some(text)),
        _ => {
            if let Found::Value(at) = found {
                body.append_text(at, buffer);
                builder.text(Some(buffer));
                return if plan.flags_type { flags::WRONG_TYPE } else { 0 };
            }
            builder.text(made_text(found).as_deref());
        }
    }
    0
}

/// The text of what is no value of the record.
fn made_text(found: Found<'_>) -> Option<String> {
    match found {
        Found::Integer(number) => Some(number.to_string()),
        Found::Float(number) => watchfire_record::json::float_text(number),
        Found::Time(micros) => Some(time::format(micros)),
        Found::Missing | Found::Value(_) | Found::Text(_) => None,
    }
}

fn append_json(found: Found<'_>, body: Body<'_>, buffer: &mut String, builder: &mut Builder) -> u16 {
    match (found, body) {
        (Found::Value(at), Body::Object { tape, .. }) => json_text::write(tape, at, buffer),
        (Found::Text(text), _) => buffer.push_str(&serde_json::Value::from(text).to_string()),
        _ => {
            builder.text(None);
            return 0;
        }
    }
    builder.text(Some(buffer));
    0
}

/// A value without regard to where it came from.
#[derive(Clone, Copy)]
enum Scalar<'a> {
    Missing,
    Text(&'a str),
    Integer(i64),
    /// Beyond `i64`.
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
    Time(i64),
    /// An object or an array.
    Nested,
}

fn scalar<'a>(found: Found<'a>, body: Body<'a>) -> Scalar<'a> {
    let at = match found {
        Found::Missing => return Scalar::Missing,
        Found::Text(text) => return Scalar::Text(text),
        Found::Integer(number) => return Scalar::Integer(number),
        Found::Float(number) => return Scalar::Float(number),
        Found::Time(micros) => return Scalar::Time(micros),
        Found::Value(at) => at,
    };
    let Body::Object { tape, .. } = body else { return Scalar::Missing };
    match tape[at] {
        Node::String(text) => Scalar::Text(text),
        Node::Static(StaticNode::Null) => Scalar::Missing,
        Node::Static(StaticNode::Bool(value)) => Scalar::Boolean(value),
        Node::Static(StaticNode::I64(number)) => Scalar::Integer(number),
        Node::Static(StaticNode::U64(number)) => {
            i64::try_from(number).map_or(Scalar::Unsigned(number), Scalar::Integer)
        }
        Node::Static(StaticNode::F64(number)) => Scalar::Float(number),
        Node::Object { .. } | Node::Array { .. } => Scalar::Nested,
    }
}

impl Scalar<'_> {
    /// Whole floats are integers too (`200.0`).
    fn integer(self, reads_text: bool) -> Option<i64> {
        match self {
            Self::Integer(number) | Self::Time(number) => Some(number),
            Self::Float(number) => whole(number),
            Self::Text(text) if reads_text => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
            _ => None,
        }
    }

    fn float(self, reads_text: bool) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(number as f64),
            Self::Unsigned(number) => Some(number as f64),
            Self::Float(number) => Some(number),
            Self::Text(text) if reads_text => text.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }

    fn boolean(self, reads_text: bool) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(value),
            Self::Text(text) if reads_text && (eq(text, "true") || eq(text, "yes")) => Some(true),
            Self::Text(text) if reads_text && (eq(text, "false") || eq(text, "no")) => Some(false),
            _ => None,
        }
    }

    fn time(self) -> Option<i64> {
        match self {
            Self::Time(micros) => Some(micros),
            Self::Text(text) => times::from_text(text, Unit::ByMagnitude),
            Self::Integer(number) => times::from_integer(number, Unit::ByMagnitude),
            Self::Float(number) => times::from_float(number, Unit::ByMagnitude),
            _ => None,
        }
    }
}

fn eq(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
}

fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number)).then_some(number as i64)
}
