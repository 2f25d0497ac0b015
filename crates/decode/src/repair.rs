//! The one repair pass before any parser: what would hide a whole record for the sake of one value is replaced.

use std::borrow::Cow;

use watchfire_record::batch::flags;

use crate::scan;

/// A copy of `text` with bytes that are no UTF-8 and lone surrogate escapes as U+FFFD, and numbers beyond 64-bit floats
/// as `null`; with the flags that say so. `None` if there was nothing to repair.
pub(crate) fn repair(text: &[u8]) -> Option<(Vec<u8>, u16)> {
    let lossy = String::from_utf8_lossy(text);
    let mut found = if matches!(lossy, Cow::Owned(_)) { flags::REPAIRED_TEXT } else { 0 };
    let bytes = lossy.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => {
                let end = scan::skip_string(bytes, at).unwrap_or(bytes.len());
                found |= copy_string(&bytes[at..end], &mut out);
                end
            }
            b'-' | b'0'..=b'9' => {
                let end = number_end(bytes, at);
                found |= copy_number(&bytes[at..end], &mut out);
                end
            }
            other => {
                out.push(other);
                at + 1
            }
        };
        at = end;
    }
    (found != 0).then_some((out, found))
}

fn number_end(bytes: &[u8], at: usize) -> usize {
    let within = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    bytes[at..].iter().position(|byte| !within(byte)).map_or(bytes.len(), |n| at + n)
}

/// Only a well-formed number becomes `null`: a malformed one is for the parser to refuse.
fn copy_number(number: &[u8], out: &mut Vec<u8>) -> u16 {
    let text = std::str::from_utf8(number).unwrap_or_default();
    let beyond = text.parse::<f64>().is_ok_and(f64::is_infinite) && is_json_number(number);
    out.extend_from_slice(if beyond { b"null" } else { number });
    if beyond { flags::NUMBER_OUT_OF_RANGE } else { 0 }
}

fn is_json_number(number: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = number.strip_prefix(b"-").unwrap_or(number);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}

fn copy_string(string: &[u8], out: &mut Vec<u8>) -> u16 {
    let mut found = 0;
    let mut at = 0;
    while let Some(hit) = memchr::memchr(b'\\', &string[at..]) {
        let escape = at + hit;
        out.extend_from_slice(&string[at..escape]);
        let length = match surrogate(&string[escape..]) {
            Surrogate::None => 2.min(string.len() - escape),
            Surrogate::Pair => 12,
            Surrogate::Lone => {
                out.extend_from_slice(b"\\ufffd");
                found = flags::REPAIRED_TEXT;
                at = escape + 6;
                continue;
            }
        };
        at = escape + length;
        out.extend_from_slice(&string[escape..at]);
    }
    out.extend_from_slice(&string[at..]);
    found
}

/// What a `\uXXXX` is of a character.
pub(crate) enum Surrogate {
    None,
    Pair,
    Lone,
}

/// What the escape at the start of `text` is.
pub(crate) fn surrogate(text: &[u8]) -> Surrogate {
    match unit(text) {
        Some(0xD800..=0xDBFF) => match text.get(6..).and_then(unit) {
            Some(0xDC00..=0xDFFF) => Surrogate::Pair,
            _ => Surrogate::Lone,
        },
        Some(0xDC00..=0xDFFF) => Surrogate::Lone,
        _ => Surrogate::None,
    }
}

/// The UTF-16 unit that the `\uXXXX` at the start of `text` stands for.
pub(crate) fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)? as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(text: &[u8]) -> (String, u16) {
        let (bytes, flags) = repair(text).unwrap();
        (String::from_utf8(bytes).unwrap(), flags)
    }

    #[test]
    fn one_bad_byte_or_surrogate_does_not_hide_a_record() {
        assert_eq!(repaired(b"{\"a\":\"x\xFFy\"}"), ("{\"a\":\"x\u{FFFD}y\"}".into(), flags::REPAIRED_TEXT));
        for (text, expected) in [
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""a\uDC00b""#, r#""a\ufffdb""#),
            (r#""\ud800\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud800\n\\ud800""#, r#""\ufffd\n\\ud800""#),
        ] {
            assert_eq!(repaired(text.as_bytes()), (expected.into(), flags::REPAIRED_TEXT), "{text}");
        }
    }

    #[test]
    fn numbers_beyond_floats_are_null() {
        let long = "9".repeat(400);
        for number in ["1e400", "-1E+999", "1.5e309", &long] {
            assert_eq!(repaired(format!("[{number}, 1]").as_bytes()), ("[null, 1]".into(), flags::NUMBER_OUT_OF_RANGE));
        }
    }

    #[test]
    fn what_is_sound_or_beyond_repair_is_left() {
        for text in [
            r#"{"a":"1e400 \ud83d\ude00 \\ud800"}"#,
            "[1e-400, 0e999, 1e308]",
            "[01e400, 1e400.5]",
            r#""\u12"#,
            r#""\"#,
        ] {
            assert_eq!(repair(text.as_bytes()), None, "{text}");
        }
    }
}
