//! Findings compared with what is expected, as multisets; ids, evidence and the like do not count.

use serde_json::{Map, Value};
use watchfire_engine::finding::to_json;
use watchfire_record::Finding;

/// The members that count, in the order in which they are written.
const MEMBERS: [&str; 6] = ["detector", "state", "window", "window_end", "keys", "row"];

/// A finding as it stands in `findings.jsonl`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected(Map<String, Value>);

impl Expected {
    /// What counts of a finding.
    pub fn of(finding: &Finding) -> Self {
        let line: Value = serde_json::from_str(&to_json(finding)).unwrap_or_default();
        Self::from_value(&line)
    }

    fn from_value(value: &Value) -> Self {
        Self(MEMBERS.iter().map(|name| ((*name).to_owned(), value[*name].clone())).collect())
    }

    /// The lines of a file.
    ///
    /// # Errors
    /// If a line is no JSON object.
    pub fn read(file: &str, text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(index, line): (usize, &str)| match serde_json::from_str::<Value>(line) {
            Ok(value) if value.is_object() => Ok(Self::from_value(&value)),
            Ok(_) => Err(format!("{file}:{}: a finding is a JSON object", index + 1)),
            Err(error) => Err(format!("{file}:{}: {error}", index + 1)),
        };
        lines.map(read).collect()
    }

    /// As a line of `findings.jsonl`, without the line's end.
    pub fn line(&self) -> String {
        serde_json::to_string(&self.0).expect("it was JSON before")
    }

    fn is_about_the_same(&self, other: &Self) -> bool {
        ["keys", "window_end"].iter().all(|member| self.0[*member] == other.0[*member])
    }

    /// What tells it from another, member by member and column by column.
    fn differences(&self, found: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (member, expected) in &self.0 {
            match (expected, &found.0[member]) {
                (Value::Object(expected), Value::Object(found)) => {
                    let names = expected.keys().chain(found.keys().filter(|name| !expected.contains_key(*name)));
                    for name in names {
                        differ(&format!("{member}.{name}"), expected.get(name), found.get(name), &mut lines);
                    }
                }
                (expected, found) => differ(member, Some(expected), Some(found), &mut lines),
            }
        }
        lines
    }
}

fn differ(name: &str, expected: Option<&Value>, found: Option<&Value>, lines: &mut Vec<String>) {
    if expected != found {
        let shown = |value: Option<&Value>| value.map_or("(nothing)".to_owned(), Value::to_string);
        lines.push(format!("  {name}: expected {}, found {}", shown(expected), shown(found)));
    }
}

/// What is missing and what is too much, for a person; empty if both are the same.
pub fn difference(expected: &[Expected], found: &[Expected]) -> Vec<String> {
    let mut unexpected: Vec<&Expected> = found.iter().collect();
    let mut missing = Vec::new();
    for one in expected {
        match unexpected.iter().position(|other| *other == one) {
            Some(place) => drop(unexpected.swap_remove(place)),
            None => missing.push(one),
        }
    }
    if missing.is_empty() && unexpected.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "fires.jsonl: of {} expected findings {} are missing, and {} are unexpected",
        expected.len(),
        missing.len(),
        unexpected.len()
    )];
    for one in missing {
        match unexpected.iter().position(|other| other.is_about_the_same(one)) {
            Some(place) => {
                let found = unexpected.swap_remove(place);
                lines.push(format!("another row, keys {}", one.0["keys"]));
                lines.extend(one.differences(found));
            }
            None => lines.push(format!("- {}", one.line())),
        }
    }
    lines.extend(unexpected.iter().map(|one| format!("+ {}", one.line())));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Expected> {
        Expected::read("findings.jsonl", &texts.join("\n")).unwrap()
    }

    const A: &str =
        r#"{"detector":"d","state":"final","window":null,"window_end":null,"keys":{"k":"a"},"row":{"k":"a","n":1}}"#;
    const A2: &str =
        r#"{"detector":"d","state":"final","window":null,"window_end":null,"keys":{"k":"a"},"row":{"n":2,"k":"a"}}"#;
    const B: &str =
        r#"{"detector":"d","state":"final","window":null,"window_end":null,"keys":{"k":"b"},"row":{"k":"b","n":1}}"#;

    #[test]
    fn order_does_not_count_and_number_does() {
        assert_eq!(difference(&lines(&[A, B, A]), &lines(&[A, A, B])), Vec::<String>::new());
        let text = difference(&lines(&[A, A, B]), &lines(&[A, B])).join("\n");
        assert!(text.contains("1 are missing, and 0 are unexpected") && text.contains(&format!("- {A}")), "{text}");
        assert_eq!(difference(&lines(&[]), &lines(&[B]))[1], format!("+ {B}"));
    }

    #[test]
    fn rows_of_one_key_are_compared_column_by_column() {
        let text = difference(&lines(&[A]), &lines(&[A2])).join("\n");
        assert!(text.contains("row.n: expected 1, found 2") && !text.contains("row.k"), "{text}");
    }

    #[test]
    fn what_is_no_finding_is_said_with_its_line() {
        let error = Expected::read("findings.jsonl", &format!("{A}\n\n[1]")).unwrap_err();
        assert!(error.starts_with("findings.jsonl:3:"), "{error}");
    }
}
