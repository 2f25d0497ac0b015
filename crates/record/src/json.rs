//! What `->` and `->>` mean, in one place: the decoder, the detectors and the oracle cannot differ.
//!
//! `->>` gives a string's value; `true` or `false`; a number as i64 or u64 in decimal, else as `serde_json` prints an f64; an
//! object or array as compact JSON with its keys in order, the last of duplicates winning. Missing, or `null` on the
//! way, is NULL.

use std::fmt;

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
    let value: Value = serde_json::from_str(json).ok()?;
    text(descend(&value, path)?)
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
}
