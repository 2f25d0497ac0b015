//! What `->` and `->>` mean, in one place: the decoder, the detectors and the oracle cannot differ.
//!
//! `->>` gives a string's value; `true` or `false`; a number as i64 or u64 in decimal, else as `serde_json` prints an f64; an
//! object or array as compact JSON with its keys in order, the last of duplicates winning. Missing, or `null` on the
//! way, is NULL.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// One step of a path into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathStep {
    /// A member of an object.
    Key(String),
    /// An element of an array; negative counts from its end.
    Index(i64),
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

/// The place of element `index` in an array of `len`, or `None` if there is none.
#[must_use]
pub fn array_index(index: i64, len: usize) -> Option<usize> {
    let at = if index < 0 { i64::try_from(len).ok()?.checked_add(index)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < len)
}

/// The value at `path`; `None` where it is missing.
#[must_use]
pub fn descend<'a>(value: &'a Value, path: &[PathStep]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match (step, value) {
        (PathStep::Key(key), Value::Object(members)) => members.get(key),
        (PathStep::Index(index), Value::Array(elements)) => elements.get(array_index(*index, elements.len())?),
        _ => None,
    })
}

/// The text of a value as `->>` gives it; `None` for `null`.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// `json -> path[0] … ->> path[n]` on JSON text; `None` if the text is no JSON or the value is missing or `null`.
#[must_use]
pub fn text_at(json: &str, path: &[PathStep]) -> Option<String> {
    text(descend(&parse(json).ok()?, path)?)
}

/// JSON text to a value. Unlike `serde_json`'s own, it gives no key a meaning: with the feature `raw_value`, that one
/// takes an object whose first key is its private marker for JSON in a string, which anybody can write into a log.
///
/// # Errors
/// If the text is no JSON, or nests deeper than 127 levels.
pub fn parse(json: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Plain>(json).map(|plain| plain.0)
}

struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Plain)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Plain(element)) = access.next_element()? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = serde_json::Map::new();
        while let Some((key, Plain(value))) = access.next_entry::<String, Plain>()? {
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

/// A 64-bit float as JSON prints it (`3.5`, `10.0`, `1e100`).
#[must_use]
pub fn float_text(number: f64) -> Option<String> {
    serde_json::Number::from_f64(number).map(|n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(json: &str, path: &[&str]) -> Option<String> {
        let path: Vec<_> = path.iter().map(|key| PathStep::Key((*key).into())).collect();
        text_at(json, &path)
    }

    #[test]
    fn every_kind_of_value_has_its_text() {
        let json = r#"{"s":"a\"b","t":true,"i":-7,"u":18446744073709551615,"f":3.50,"w":10.0,"o":{"z":1,"a":[1, 2],"z":3},"n":null}"#;
        for (key, expected) in [
            ("s", Some("a\"b")),
            ("t", Some("true")),
            ("i", Some("-7")),
            ("u", Some("18446744073709551615")),
            ("f", Some("3.5")),
            ("w", Some("10.0")),
            ("o", Some(r#"{"z":3,"a":[1,2]}"#)),
            ("n", None),
            ("missing", None),
        ] {
            assert_eq!(at(json, &[key]).as_deref(), expected, "{key}");
        }
        assert_eq!(at(json, &["n", "x"]), None);
        assert_eq!(at(json, &["s", "x"]), None);
    }

    #[test]
    fn no_key_is_taken_for_a_marker() {
        let key = "$serde_json::private::RawValue";
        for inner in [r#""{\"x\":1}""#, r#""no JSON""#, "7"] {
            let json = format!(r#"{{"{key}":{inner},"after":"seen"}}"#);
            assert_eq!(at(&json, &["after"]).as_deref(), Some("seen"), "{json}");
            assert!(at(&json, &[key]).is_some(), "{json}");
        }
    }
}
