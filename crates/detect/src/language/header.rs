//! The header of a detector's file: TOML in the comment that the file starts with.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use watchfire_record::{Severity, duration};

use super::codes;
use super::diagnostic::Diagnostic;
use super::nearest::nearest;

/// All keys that a header may have; the first three it must have.
pub const KEYS: [&str; 9] = ["title", "severity", "about", "attack", "noise", "response", "key", "suppress", "learn"];
const REQUIRED: usize = 3;

const EXAMPLE: &str =
    "start the file with /* and TOML: title = \"…\", severity = \"high\", about = \"…\", then */ and the SELECT";

/// What a detector's author says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// One line that says what happened.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it looks for.
    pub about: String,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// What else can cause it.
    pub noise: Option<String>,
    /// What to look at and do next.
    pub response: Option<String>,
    /// For match: the columns of the found row that are its keys.
    pub key: Vec<String>,
    /// How long further findings of one key join one alert, microseconds.
    pub suppress: Option<i64>,
    /// How long after the first event nothing is found, microseconds.
    pub learn: Option<i64>,
    /// The bytes of the file in which each key that is given has its value.
    pub spans: Vec<(String, Range<usize>)>,
    /// The bytes of the file in which each element of `key` stands.
    pub key_spans: Vec<Range<usize>>,
}

impl Header {
    /// Where the value of a key stands in the file.
    #[must_use]
    pub fn span(&self, key: &str) -> Option<Range<usize>> {
        self.spans.iter().find(|(name, _)| name == key).map(|(_, span)| span.clone())
    }
}

/// A detector's version: the first 12 hex digits of its text's BLAKE3 hash.
#[must_use]
pub fn version(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}

/// Reads the header; also gives the byte at which the SQL starts, even if the header is wrong.
///
/// # Errors
/// If there is no header, or something in it is wrong: everything that is.
pub(super) fn read(file: &str, text: &Arc<str>) -> (Result<Header, Vec<Diagnostic>>, Option<usize>) {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let open = start + (text[start..].len() - text[start..].trim_start().len());
    if !text[open..].starts_with("/*") {
        return (Err(vec![no_header(file, text, open)]), None);
    }
    let body = open + 2;
    let Some(length) = text[body..].find("*/") else {
        let error = Diagnostic::error(codes::NO_HEADER, file, text, open..body, "the header's comment has no end");
        return (Err(vec![error.label("opened here").help("close the header with */ before the SELECT")]), None);
    };
    let close = body + length;
    let reader = Reader { file, text, body, errors: Vec::new() };
    if ends_early(&text[body..close], &text[close + 2..]) {
        let error = reader.error(codes::HEADER_ENDS_EARLY, close..close + 2, "`*/` inside the header ends it here");
        let help = "write the text without `*/`: `*` alone, or in a TOML string \"*\\u002F\"";
        return (Err(vec![error.label("what follows is read as SQL").help(help)]), None);
    }
    (reader.read(open, &text[body..close]), Some(close + 2))
}

fn no_header(file: &str, text: &Arc<str>, at: usize) -> Diagnostic {
    let line_end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let first = |message| Diagnostic::error(codes::NO_HEADER, file, text, at..line_end, message).help(EXAMPLE);
    match text[at..].find("/*") {
        Some(comment) if text[at + comment..].contains("*/") && text[at + comment..].contains("title") => {
            first("the header must be the first thing in the file").label("this comes before it")
        }
        _ => first("the header is missing").label("here it should start"),
    }
}

/// Whether the first `*/` was meant as text: on its line something follows it that starts no query, and another `*/`
/// closes what nothing opened.
fn ends_early(header: &str, rest: &str) -> bool {
    let line = rest.lines().next().unwrap_or_default().trim();
    let starts_query = ["select", "with", "(", "--", "/*"].iter().any(|s| line.to_ascii_lowercase().starts_with(s));
    let closes_again = rest.find("*/").is_some_and(|close| rest.find("/*").is_none_or(|open| close < open));
    let in_string = header.lines().next_back().is_some_and(|line| line.contains(['"', '\'', '#']));
    !line.is_empty() && !starts_query && closes_again && in_string
}

struct Reader<'a> {
    file: &'a str,
    text: &'a Arc<str>,
    /// Where the TOML starts in the file; its spans count from there.
    body: usize,
    errors: Vec<Diagnostic>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn error(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.file, self.text, span, message)
    }

    fn shift(&self, span: Range<usize>) -> Range<usize> {
        self.body + span.start..self.body + span.end
    }

    fn wrong(&mut self, value: &Value<'_>, message: String) {
        let error = self.error(codes::WRONG_VALUE, self.shift(value.span()), message);
        self.errors.push(error);
    }

    fn read(mut self, open: usize, toml: &str) -> Result<Header, Vec<Diagnostic>> {
        let table = match DeTable::parse(toml) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let span = error.span().unwrap_or(toml.len()..toml.len());
                let message = format!("the header is not valid TOML: {}", error.message());
                let error = self.error(codes::HEADER_SYNTAX, self.shift(span), message);
                return Err(vec![error.help("write one key a line, text in double quotes: title = \"…\"")]);
            }
        };
        self.unknown_keys(&table);
        self.missing_keys(open, &table);
        let header = Header {
            title: self.text_of(&table, "title").unwrap_or_default(),
            severity: self.severity_of(&table).unwrap_or(Severity::Informational),
            about: self.text_of(&table, "about").unwrap_or_default(),
            attack: self.techniques_of(&table),
            noise: self.text_of(&table, "noise"),
            response: self.text_of(&table, "response"),
            key: self.texts_of(&table, "key").iter().map(|(text, _)| text.clone()).collect(),
            suppress: self.duration_of(&table, "suppress"),
            learn: self.duration_of(&table, "learn"),
            spans: table.iter().map(|(k, v)| (k.get_ref().to_string(), self.shift(v.span()))).collect(),
            key_spans: self.key_spans(&table),
        };
        if self.errors.is_empty() { Ok(header) } else { Err(self.errors) }
    }

    fn unknown_keys(&mut self, table: &DeTable<'_>) {
        for key in table.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())) {
            let error = self.error(
                codes::UNKNOWN_KEY,
                self.shift(key.span()),
                format!("a header has no key `{}`", key.get_ref()),
            );
            let help = match nearest(key.get_ref(), KEYS) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the keys are {}", KEYS.join(", ")),
            };
            self.errors.push(error.help(help));
        }
    }

    fn missing_keys(&mut self, open: usize, table: &DeTable<'_>) {
        for (key, example) in
            KEYS[..REQUIRED].iter().zip(["\"What happened, in a line\"", "\"high\"", "\"What it looks for.\""])
        {
            if !table.contains_key(*key) {
                let error = self.error(codes::MISSING_KEY, open..open + 2, format!("the header lacks `{key}`"));
                self.errors.push(error.label("in this header").help(format!("add a line {key} = {example}")));
            }
        }
    }

    fn text_of(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => return Some(text.trim().to_owned()),
            DeValue::String(_) => self.wrong(value, format!("`{key}` is empty")),
            other => self.wrong(value, format!("`{key}` is a text in double quotes, not {}", kind(other))),
        }
        None
    }

    fn texts_of(&mut self, table: &DeTable<'_>, key: &str) -> Vec<(String, Range<usize>)> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let DeValue::Array(elements) = value.get_ref() else {
            let got = kind(value.get_ref());
            self.wrong(value, format!("`{key}` is a list of texts, as in [\"…\"], not {got}"));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for element in elements.iter() {
            match element.get_ref() {
                DeValue::String(text) if !text.is_empty() => texts.push((text.to_string(), element.span())),
                other => self
                    .wrong(element, format!("`{key}` is a list of texts that are not empty, not of {}", kind(other))),
            }
        }
        texts
    }

    fn key_spans(&self, table: &DeTable<'_>) -> Vec<Range<usize>> {
        let elements = table.get("key").and_then(|value| value.get_ref().as_array()).into_iter().flat_map(|a| a.iter());
        elements.map(|element| self.shift(element.span())).collect()
    }

    fn severity_of(&mut self, table: &DeTable<'_>) -> Option<Severity> {
        let text = self.text_of(table, "severity")?;
        text.parse().map_err(|message| self.wrong(&table["severity"], message)).ok()
    }

    fn duration_of(&mut self, table: &DeTable<'_>, key: &str) -> Option<i64> {
        let text = self.text_of(table, key)?;
        duration::parse(&text).map_err(|message| self.wrong(&table[key], message)).ok()
    }

    fn techniques_of(&mut self, table: &DeTable<'_>) -> Vec<String> {
        let techniques = self.texts_of(table, "attack");
        for (technique, span) in &techniques {
            if !is_technique(technique) {
                let message = format!("`{technique}` is no ATT&CK technique id");
                let error = self.error(codes::WRONG_VALUE, self.shift(span.clone()), message);
                self.errors.push(
                    error.help("write T and four digits, for a sub-technique a dot and three more: \"T1110.001\""),
                );
            }
        }
        techniques.into_iter().map(|(technique, _)| technique).collect()
    }
}

fn is_technique(text: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let Some(id) = text.strip_prefix('T') else { return false };
    match id.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(id, 4),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(text) if text.is_empty() => "an empty text",
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "/*\ntitle = \"T\"\nseverity = \"high\" # comment\nabout = \"A\"\nattack = [\"T1110.001\", \"T1078\"]\n\
                        key = [\"principal\"]\nsuppress = \"1 hour\"\n*/\nSELECT 1";

    fn read_text(text: &str) -> (Result<Header, Vec<Diagnostic>>, Option<usize>) {
        read("a.sql", &Arc::from(text))
    }

    #[test]
    fn reads_all_keys_and_where_they_stand() {
        for text in [GOOD.to_owned(), format!("\u{feff}\n {GOOD}"), GOOD.replace('\n', "\r\n")] {
            let (header, sql_start) = read_text(&text);
            let header = header.unwrap();
            assert_eq!((header.title.as_str(), header.severity, header.about.as_str()), ("T", Severity::High, "A"));
            assert_eq!(header.attack, ["T1110.001", "T1078"]);
            assert_eq!(
                (header.key.clone(), header.suppress, header.learn),
                (vec!["principal".to_owned()], Some(3_600_000_000), None)
            );
            assert_eq!(&text[header.span("suppress").unwrap()], "\"1 hour\"");
            assert_eq!(&text[header.key_spans[0].clone()], "\"principal\"");
            assert_eq!(text[sql_start.unwrap()..].trim(), "SELECT 1");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = "/* titel = \"T\"\nseverity = 3\nattack = [\"T11\"] */ SELECT 1";
        let (header, sql_start) = read_text(text);
        let codes: Vec<_> = header.unwrap_err().into_iter().map(|d| (d.code, text[d.span].to_owned())).collect();
        let expected = [("W005", "titel"), ("W006", "/*"), ("W006", "/*"), ("W007", "3"), ("W007", "\"T11\"")];
        assert_eq!(codes, expected.map(|(code, at)| (code, at.to_owned())));
        assert!(sql_start.is_some());
    }

    #[test]
    fn a_closing_mark_after_the_header_is_none_of_its_own() {
        let text = GOOD.replace("SELECT 1", "SELECT ' */ ' /* x */");
        assert!(read_text(&text).0.is_ok());
        let text = GOOD.replace("about = \"A\"", "about = \"arn:aws:iam::*/x\"");
        let errors = read_text(&text).0.unwrap_err();
        assert_eq!((errors[0].code, &text[errors[0].span.clone()]), ("W003", "*/"));
    }

    #[test]
    fn a_version_is_twelve_hex_digits_of_the_text() {
        assert_eq!(version("a").len(), 12);
        assert_ne!(version("a"), version("b"));
    }
}
