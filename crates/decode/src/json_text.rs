//! The text of a value on the tape, exactly as `record::json` gives it.

use simd_json::{Node, StaticNode};
use watchfire_record::json::float_text;

use crate::tree::extent;

/// Objects with more members than this have their duplicate keys found by hash: looking at each pair is quadratic.
const FEW_MEMBERS: usize = 16;

/// Writes the value at `at` as compact JSON: keys in order, the last of duplicates in the place of the first.
///
/// Recursion is bounded by the nesting depth that the parser lets through.
pub(crate) fn write(tape: &[Node<'_>], at: usize, out: &mut String) {
    match tape[at] {
        Node::String(text) => write_string(text, out),
        Node::Static(value) => write_static(value, out),
        Node::Array { len, .. } => {
            out.push('[');
            let mut at = at + 1;
            for n in 0..len {
                if n > 0 {
                    out.push(',');
                }
                write(tape, at, out);
                at += extent(&tape[at]);
            }
            out.push(']');
        }
        Node::Object { len, .. } => write_object(tape, at + 1, len, out),
    }
}

fn write_object(tape: &[Node<'_>], at: usize, len: usize, out: &mut String) {
    let mut members = Vec::with_capacity(len);
    let mut next = at;
    for _ in 0..len {
        if let Node::String(key) = tape[next] {
            members.push((key, next + 1));
        }
        next += 1 + extent(&tape[next + 1]);
    }
    out.push('{');
    for (n, (key, value)) in unique(members).into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write(tape, value, out);
    }
    out.push('}');
}

fn unique(members: Vec<(&str, usize)>) -> Vec<(&str, usize)> {
    if members.len() <= FEW_MEMBERS {
        let twice = |(n, (key, _)): (usize, &(&str, usize))| members[..n].iter().any(|(other, _)| other == key);
        if !members.iter().enumerate().any(twice) {
            return members;
        }
    }
    let mut places = std::collections::HashMap::with_capacity_and_hasher(members.len(), ahash::RandomState::default());
    let mut kept: Vec<(&str, usize)> = Vec::with_capacity(members.len());
    for (key, value) in members {
        match places.entry(key) {
            std::collections::hash_map::Entry::Occupied(place) => {
                let place: usize = *place.get();
                kept[place].1 = value;
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}

/// A number, `true`, `false` or `null`.
fn write_static(value: StaticNode, out: &mut String) {
    use std::fmt::Write;
    let written = match value {
        // The parser reads `-0`, and nothing else, as a signed zero; `serde_json` makes it a float.
        StaticNode::I64(0) => out.write_str("-0.0"),
        StaticNode::I64(number) => write!(out, "{number}"),
        StaticNode::U64(number) => write!(out, "{number}"),
        StaticNode::F64(number) => out.write_str(&float_text(number).unwrap_or_else(|| "null".into())),
        StaticNode::Bool(value) => out.write_str(if value { "true" } else { "false" }),
        StaticNode::Null => out.write_str("null"),
    };
    written.expect("writing to a string does not fail");
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0C => "\\f",
            0..=0x1F => "",
            _ => continue,
        };
        out.push_str(&text[written..at]);
        out.push_str(short);
        if short.is_empty() {
            out.push_str("\\u00");
            out.push(char::from(b'0' + (byte >> 4)));
            out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
        }
        written = at + 1;
    }
    out.push_str(&text[written..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let tape = simd_json::to_tape(&mut bytes).unwrap();
        let mut out = String::new();
        write(&tape.0, 0, &mut out);
        out
    }

    #[test]
    fn it_is_what_serde_json_writes() {
        let many: String = (0..40).map(|n| format!("\"k{}\":{n},", n % 30)).collect();
        let many = format!("{{{}\"z\":[]}}", many);
        for text in [
            r#"{"a":1,"b":{"x":[],"y":{}},"a":[2,{"a":null,"a":true}]}"#,
            r#"["\u0000\u001f\u0008\f\n\r\t\"\\\/\u007fé😀"]"#,
            "[-0, 0, -0.0, 0.0, 1.0, 1e2, 1e100, 3.50, 18446744073709551615, 18446744073709551616, -9223372036854775808]",
            "[-9223372036854775809, 123456789012345678901234567890, 0.1, 1e-7, 5e-324, 1.7976931348623157e308, 1e-400]",
            &many,
        ] {
            let value = watchfire_record::json::parse(text).unwrap();
            assert_eq!(written(text), value.to_string(), "{text}");
        }
    }
}
