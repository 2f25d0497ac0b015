//! What is known of the values that streams' columns have, so that a value which is none of them can be told of.
//!
//! Facts about the logs' formats, not about anybody's log: what a log has besides is said by the settings
//! (`streams.NAME.known`) or seen in records. So a value that is not here is "not known here", and no more than that.

mod calls;
mod values;

use watchfire_record::{Format, Stream};

use super::nearest::nearest_within;
use calls::CALLS;
use values::{EACH, Each};

/// What is known of one column's values.
pub(super) struct Values<'a> {
    /// What such a value is: `event name`.
    pub word: &'static str,
    /// Whether a value that is not known is worth a warning by itself, not only if it is nearly one that is.
    pub all: bool,
    set: Set,
    /// What the settings add, or records that were looked at.
    added: &'a [String],
}

#[derive(Clone, Copy)]
enum Set {
    /// Names of calls: with the API's version at the end, or without.
    Calls,
    /// Services.
    Sources,
    /// These, in whatever case if so said.
    Words(&'static [&'static str], bool),
    /// None but those added.
    Nothing,
}

/// What is known of a column's values, if anything; `column` is a name, or a path as it is written.
pub(super) fn of<'a>(stream: &'a Stream, column: &str) -> Option<Values<'a>> {
    // What is a name of an event is one of an action, too.
    let added = stream.known.get(column).or_else(|| stream.known.get("event_name").filter(|_| column == "action"));
    let added = added.map_or(&[][..], Vec::as_slice);
    let values = |word, all, set| Some(Values { word, all, set, added });
    // A column that the settings read from elsewhere is not the format's any more.
    if stream.columns.iter().any(|own| own.name == column && !own.path.is_empty()) || stream.format == Format::Json {
        return if added.is_empty() { None } else { values("value", true, Set::Nothing) };
    }
    match (stream.format, column) {
        (Format::CloudTrail, "event_name" | "action") => return values("event name", true, Set::Calls),
        (Format::CloudTrail, "event_source") => return values("event source", true, Set::Sources),
        _ => {}
    }
    let known = |each: &&Each| each.format == stream.format && each.column == column;
    match EACH.iter().find(known) {
        Some(each) => values(each.word, each.all, Set::Words(each.values, each.any_case)),
        None if added.is_empty() => None,
        None => values("value", true, Set::Nothing),
    }
}

impl Values<'_> {
    /// Whether a value is one of those known.
    pub fn has(&self, text: &str) -> bool {
        self.added.iter().any(|added| added == text)
            || match self.set {
                Set::Calls => CALLS.has(text) || CALLS.has(without_version(text)),
                Set::Sources => CALLS.has_source(text),
                Set::Words(words, any_case) => {
                    words.iter().any(|word| *word == text || any_case && word.eq_ignore_ascii_case(text))
                }
                Set::Nothing => false,
            }
    }

    /// Whether a value is known, and not by what settings or records add.
    pub fn is_built_in(&self, text: &str) -> bool {
        !self.added.iter().any(|added| added == text) && self.has(text)
    }

    /// Whether a known value passes a test.
    pub fn any(&self, mut test: impl FnMut(&str) -> bool) -> bool {
        self.added.iter().any(|added| test(added))
            || match self.set {
                Set::Calls => CALLS.names().any(test),
                Set::Sources => CALLS.sources().iter().any(|source| test(source)),
                Set::Words(words, any_case) => words
                    .iter()
                    .any(|word| test(word) || any_case && (test(&word.to_lowercase()) || test(&word.to_uppercase()))),
                Set::Nothing => false,
            }
    }

    /// Whether names may have more at their end than is known of them here: an API's version.
    pub fn may_be_longer(&self) -> bool {
        matches!(self.set, Set::Calls)
    }

    /// The known value that was most likely meant.
    pub fn nearest(&self, text: &str) -> Option<String> {
        // What is not said to be all there is may well be another value: only a slip of the pen is told of.
        let one_of = if self.all { 3 } else { 8 };
        let nearest = |names: &mut dyn Iterator<Item = &str>| nearest_within(text, names, one_of).map(str::to_owned);
        let mut added = self.added.iter().map(String::as_str);
        let found = match self.set {
            Set::Calls => {
                // In an order of their own, so that of two equally near ones it is always the same.
                let mut names: Vec<&str> = CALLS.names().collect();
                names.sort_unstable();
                nearest(&mut added.chain(names))
            }
            Set::Sources => {
                let whole = format!("{text}.amazonaws.com");
                if CALLS.has_source(&whole) {
                    return Some(whole);
                }
                nearest(&mut added.chain(CALLS.sources().iter().map(String::as_str)))
            }
            Set::Words(words, _) => nearest(&mut added.chain(words.iter().copied())),
            Set::Nothing => nearest(&mut added),
        };
        found.filter(|found| found != text)
    }
}

/// Whether one of these services has a call of this name; `None` if not all of a service's calls are known.
pub(super) fn services_have<'a>(sources: impl IntoIterator<Item = &'a String>, name: &str) -> Option<bool> {
    let mut has = false;
    for source in sources {
        has |= CALLS.service_has(source, without_version(name))?;
    }
    Some(has)
}

/// A service that has a call of this name.
pub(super) fn service_of(name: &str) -> Option<String> {
    CALLS.service_of(without_version(name))
}

/// Columns that have a value only in records with one of these values in another column.
pub(super) fn only_with(format: Format, column: &str) -> Option<(&'static str, &'static [&'static str])> {
    let found = values::ONLY_WITH.iter().find(|only| only.format == format && only.column == column)?;
    Some((found.other, found.values))
}

/// The name without `20150331v2` at its end.
pub(super) fn without_version(name: &str) -> &str {
    let stem = match name.rsplit_once('v') {
        Some((stem, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => stem,
        _ => name,
    };
    let undated = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let digits = stem[undated.len()..].bytes().filter(u8::is_ascii_digit).count();
    if digits == 8 && stem[undated.len()..].starts_with("20") { undated } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_off() {
        for (name, stem) in [
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("ListFunctions20150331", "ListFunctions"),
            ("CreateDistribution2020_05_31", "CreateDistribution"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("Invoke", "Invoke"),
            ("20150331v2", ""),
        ] {
            assert_eq!(without_version(name), stem);
        }
    }

    #[test]
    fn what_is_known_and_what_was_meant() {
        let (cloudtrail, lambda, api) = (Stream::cloudtrail(), Stream::lambda(), Stream::api());
        for (stream, column, text, meant) in [
            (&cloudtrail, "event_name", "ConsolLogin", "ConsoleLogin"),
            (&cloudtrail, "event_name", "consolelogin", "ConsoleLogin"),
            (&cloudtrail, "event_source", "s3.amazon.com", "s3.amazonaws.com"),
            (&cloudtrail, "event_source", "kms", "kms.amazonaws.com"),
            (&cloudtrail, "user_type", "IamUser", "IAMUser"),
            (&cloudtrail, "event_type", "AwsApiCalls", "AwsApiCall"),
            (&cloudtrail, "event_category", "management", "Management"),
            (&cloudtrail, "error_code", "AccesDenied", "AccessDenied"),
            (&cloudtrail, "response ->> 'ConsoleLogin'", "Failures", "Failure"),
            (&lambda, "type", "platform.reports", "platform.report"),
            (&lambda, "level", "EROR", "ERROR"),
            (&api, "method", "post", "POST"),
        ] {
            let values = of(stream, column).unwrap();
            assert!(!values.has(text) && values.has(meant), "{column} {text}");
            assert_eq!(values.nearest(text).as_deref(), Some(meant), "{column} {text}");
        }
        assert!(of(&lambda, "level").unwrap().has("Error"));
        assert!(of(&cloudtrail, "event_name").unwrap().has("UpdateFunctionCode20150331v2"));
        assert!(of(&cloudtrail, "source_ip").is_none() && of(&lambda, "status").unwrap().has("timeout"));
    }

    #[test]
    fn settings_add_to_what_is_known() {
        let mut stream = Stream::cloudtrail();
        stream.known.insert("event_name".into(), vec!["OurOwnCall".into()]);
        stream.known.insert("region".into(), vec!["home-1".into()]);
        assert!(of(&stream, "action").unwrap().has("OurOwnCall"));
        assert!(
            of(&stream, "event_name").unwrap().has("OurOwnCall")
                && of(&stream, "event_name").unwrap().has("StopLogging")
        );
        assert!(!of(&stream, "region").unwrap().has("eu-west-1"));
        stream.columns.iter_mut().find(|c| c.name == "user_type").unwrap().path =
            vec![watchfire_record::json::PathStep::Key("kind".into())];
        assert!(of(&stream, "user_type").is_none());
    }
}
