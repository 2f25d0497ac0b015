//! Why something is rejected, said so that a person can find it.

use serde::de::IgnoredAny;
use watchfire_record::limits::NESTING_DEPTH;

use crate::scan;

/// A reason to reject, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// A short fixed name, for counting.
    pub(crate) reason: &'static str,
    /// What was wrong and where, for a person.
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What is wrong with `text`, which the parser refused. Positions are bytes from its start.
pub(crate) fn diagnose(text: &[u8]) -> Fault {
    if let Some(at) = scan::too_deep(text, NESTING_DEPTH) {
        return Fault::new("too_deep", format!("at byte {at} it nests deeper than {NESTING_DEPTH} levels"));
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Err(error)) if error.is_eof() => {
            Fault::new("truncated", format!("it ends at byte {} inside a value", text.len()))
        }
        Some(Err(error)) => {
            let at = byte_offset(text, error.line(), error.column());
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            Fault::new("invalid_json", format!("at byte {at}: {what}"))
        }
        Some(Ok(_)) => {
            let end = values.byte_offset();
            let rest = scan::skip_space(text, end);
            if rest < text.len() {
                return Fault::new(
                    "garbage_after_value",
                    format!("the value ends at byte {end}, but more follows at {rest}"),
                );
            }
            Fault::new("invalid_json", "the parser refuses it")
        }
        None => Fault::new("invalid_json", "there is no value"),
    }
}

/// `serde_json` counts lines from 1, and bytes in them from 1.
fn byte_offset(text: &[u8], line: usize, column: usize) -> usize {
    let newline = line.checked_sub(2).and_then(|n| memchr::memchr_iter(b'\n', text).nth(n));
    newline.map_or(0, |at| at + 1) + column.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_named_and_placed() {
        let deep = "[".repeat(10_000);
        for (text, reason, detail) in [
            (r#"{"a":"#, "truncated", "it ends at byte 5 inside a value"),
            (r#"{"a":"b"#, "truncated", "it ends at byte 7 inside a value"),
            ("{\n\"a\":nope}", "invalid_json", "at byte 7: expected ident"),
            (r#"{"a":1} x"#, "garbage_after_value", "the value ends at byte 7, but more follows at 8"),
            (&deep, "too_deep", "at byte 128 it nests deeper than 128 levels"),
        ] {
            assert_eq!(diagnose(text.as_bytes()), Fault::new(reason, detail), "{text:.20}");
        }
    }
}
