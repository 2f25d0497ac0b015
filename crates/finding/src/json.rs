//! Findings and rejected records as JSON lines.
//!
//! Lines are safe on a terminal too: what [`crate::escape()`] calls unsafe is written as a JSON escape, which readers of
//! JSON take for the same text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use watchfire_record::{Evidence, Finding, Reject, Severity, State, Value, time};

use crate::escape::is_unsafe;

/// A finding as one JSON line, without the line's end. Times are RFC 3339 in UTC, or null.
#[must_use]
pub fn to_json(finding: &Finding) -> String {
    to_line(&FindingLine::of(finding))
}

/// A rejected record as one JSON line, without the line's end; `detectors` are those that did not see it. Its bytes
/// stand in `bytes` if they are UTF-8, else base64-coded in `bytes_base64`.
#[must_use]
pub fn reject_to_json(reject: &Reject, detectors: &[Arc<str>]) -> String {
    let text = std::str::from_utf8(&reject.bytes).ok();
    to_line(&RejectLine {
        topic: &reject.position.partition.topic,
        partition: reject.position.partition.number,
        offset: reject.position.offset,
        index: reject.position.index,
        timestamp: time::format(reject.timestamp),
        reason: reject.reason,
        detail: &reject.detail,
        length: reject.length,
        bytes: text,
        bytes_base64: if text.is_none() { Some(STANDARD.encode(&reject.bytes)) } else { None },
        detectors: detectors.iter().map(|name| &**name).collect(),
    })
}

/// Any value as one JSON line without the line's end, safe on a terminal.
pub(crate) fn to_line(value: &impl Serialize) -> String {
    let mut bytes = Vec::with_capacity(1024);
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, SafeFormatter))
        .expect("our own types have text keys and write to memory");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

#[derive(Serialize)]
struct FindingLine<'a> {
    finding_id: String,
    revision: u32,
    detector: &'a str,
    state: State,
    window: Option<String>,
    window_end: Option<String>,
    keys: Columns<'a>,
    row: Columns<'a>,
    severity: Severity,
    attack: &'a [String],
    first_event_time: String,
    last_event_time: String,
    evidence: Vec<EvidenceLine<'a>>,
    title: &'a str,
    version: &'a str,
    stream: &'a str,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
}

impl<'a> FindingLine<'a> {
    fn of(finding: &'a Finding) -> Self {
        let detector = &*finding.detector;
        Self {
            finding_id: finding.finding_id.to_string(),
            revision: finding.revision,
            detector: &detector.name,
            state: finding.state,
            window: finding.window.map(time::format),
            window_end: finding.window_end.map(time::format),
            keys: Columns(&finding.keys),
            row: Columns(&finding.row),
            severity: detector.severity,
            attack: &detector.attack,
            first_event_time: time::format(finding.first_event_time),
            last_event_time: time::format(finding.last_event_time),
            evidence: finding.evidence.iter().map(EvidenceLine::of).collect(),
            title: &detector.title,
            version: &detector.version,
            stream: &detector.stream,
            complete: finding.complete,
            response: detector.response.as_deref(),
        }
    }
}

/// A record that a finding rests on, as it is written.
#[derive(Serialize)]
pub(crate) struct EvidenceLine<'a> {
    event_id: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
    index: u32,
    event_time: String,
}

impl<'a> EvidenceLine<'a> {
    pub(crate) fn of(evidence: &'a Evidence) -> Self {
        let position = &evidence.position;
        Self {
            event_id: &evidence.event_id,
            topic: &position.partition.topic,
            partition: position.partition.number,
            offset: position.offset,
            index: position.index,
            event_time: time::format(evidence.event_time),
        }
    }
}

#[derive(Serialize)]
struct RejectLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    index: u32,
    timestamp: String,
    reason: &'a str,
    detail: &'a str,
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_base64: Option<String>,
    detectors: Vec<&'a str>,
}

/// Columns as an object.
struct Columns<'a>(&'a [(Arc<str>, Value)]);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(unique_names(self.0).into_iter().zip(self.0.iter().map(|(_, value)| value)))
    }
}

/// The columns' names, no two alike: a repeated `a` is `a_2`, then `a_3`, unless a column has that name itself.
pub(crate) fn unique_names(columns: &[(Arc<str>, Value)]) -> Vec<Cow<'_, str>> {
    let given: HashSet<&str> = columns.iter().map(|(name, _)| &**name).collect();
    let mut used: HashSet<Cow<'_, str>> = HashSet::new();
    let mut names = Vec::with_capacity(columns.len());
    for (name, _) in columns {
        let mut unique = Cow::Borrowed(&**name);
        let mut number = 1;
        while used.contains(&unique) || (number > 1 && given.contains(&*unique)) {
            number += 1;
            unique = Cow::Owned(format!("{name}_{number}"));
        }
        used.insert(unique.clone());
        names.push(unique);
    }
    names
}

/// Compact JSON in which unsafe characters are escaped beyond what JSON asks for.
struct SafeFormatter;

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|b| b < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_unsafe(*c)) {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{columns, finding, reject, text, with_detector};

    #[test]
    fn a_line_has_its_members_in_order() {
        let expected = concat!(
            r#"{"finding_id":"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf","revision":1,"detector":"console-sign-in-guessed","#,
            r#""state":"new","window":"2026-11-24T14:00:00Z","window_end":"2026-11-24T14:05:00Z","#,
            r#""keys":{"principal":"arn:aws:iam::123456789012:user/alice"},"#,
            r#""row":{"principal":"arn:aws:iam::123456789012:user/alice","source_ip":"198.51.100.7","region":"eu-west-1","failures":42},"#,
            r#""severity":"high","attack":["T1110.001","T1078.004"],"#,
            r#""first_event_time":"2026-11-24T14:00:07Z","last_event_time":"2026-11-24T14:02:31.500Z","#,
            r#""evidence":[{"event_id":"e-1","topic":"cloudtrail","partition":2,"offset":1001,"index":0,"event_time":"2026-11-24T14:00:07Z"},"#,
            r#"{"event_id":"e-2","topic":"cloudtrail","partition":2,"offset":1043,"index":0,"event_time":"2026-11-24T14:02:31.500Z"}],"#,
            r#""title":"Console password guessed","version":"0123456789ab","stream":"cloudtrail","complete":true,"#,
            r#""response":"Ask the user. If it was not them: end the session, reset the password, ask for a second factor."}"#,
        );
        assert_eq!(to_json(&finding()), expected);
        let mut other = with_detector(|d| d.response = None);
        (other.window, other.window_end) = (None, None);
        let line = to_json(&other);
        assert!(line.contains(r#""window":null,"window_end":null"#) && line.ends_with(r#""complete":true}"#), "{line}");
    }

    #[test]
    fn columns_of_one_name_are_told_apart() {
        let names = |given: &[&str]| {
            let columns = columns(given.iter().map(|name| (*name, Value::Null)).collect());
            unique_names(&columns).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&["a", "b", "a", "a"]), ["a", "b", "a_2", "a_3"]);
        assert_eq!(names(&["a", "a", "a_2"]), ["a", "a_3", "a_2"]);
        assert_eq!(names(&["a_2", "a", "a", "a_2"]), ["a_2", "a", "a_3", "a_2_2"]);
    }

    #[test]
    fn every_kind_of_value_is_written() {
        let mut finding = finding();
        finding.row = columns(vec![
            ("n", Value::Null),
            ("b", Value::Boolean(true)),
            ("u", Value::Unsigned(u64::MAX)),
            ("f", Value::Float(2.0)),
            ("x", Value::Float(f64::NAN)),
            ("t", Value::Time(0)),
            ("s", text("a\"\n\u{202e}\u{7f}\u{e0041}é")),
        ]);
        let line = to_json(&finding);
        let row = concat!(
            r#""row":{"n":null,"b":true,"u":18446744073709551615,"f":2.0,"x":null,"t":"1970-01-01T00:00:00Z","#,
            r#""s":"a\"\n\u202e\u007f\udb40\udc41é"}"#
        );
        assert!(line.contains(row), "{line}");
    }

    #[test]
    fn a_reject_keeps_its_bytes() {
        let detectors = [Arc::from("root-used")];
        let expected = concat!(
            r#"{"topic":"cloudtrail","partition":0,"offset":9,"index":1,"timestamp":"2026-11-24T14:02:32Z","#,
            r#""reason":"truncated","detail":"the text ends within an object","length":70000,"#,
            r#""bytes":"{\"a\"","detectors":["root-used"]}"#
        );
        assert_eq!(reject_to_json(&reject(b"{\"a\""), &detectors), expected);
        let line = reject_to_json(&reject(b"\xff\x00"), &detectors);
        assert!(line.contains(r#""bytes_base64":"/wA=""#) && !line.contains(r#""bytes":"#), "{line}");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_is_safe_on_the_way(value in any::<String>()) {
            let mut finding = finding();
            finding.row = columns(vec![("value", text(&value))]);
            let line = to_json(&finding);
            prop_assert!(!line.chars().any(|c| c.is_control() || is_unsafe(c)));
            let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(parsed["row"]["value"].as_str(), Some(value.as_str()));
        }
    }
}
