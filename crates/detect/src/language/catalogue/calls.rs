//! The calls that `CloudTrail` logs, by the service that they are made to: the table `calls.txt`, read once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

const TABLE: &str = include_str!("calls.txt");

/// What services' names end in, in the log.
const SUFFIX: &str = ".amazonaws.com";

/// All that the table says.
pub(super) struct Calls {
    names: HashSet<String>,
    /// For services whose calls are all known: their names.
    by_service: HashMap<&'static str, HashSet<String>>,
    services: BTreeSet<&'static str>,
    /// The services as `event_source` has them.
    sources: Vec<String>,
}

/// The table, read at the first look.
pub(super) static CALLS: LazyLock<Calls> = LazyLock::new(Calls::read);

impl Calls {
    fn read() -> Self {
        let mut calls =
            Self { names: HashSet::new(), by_service: HashMap::new(), services: BTreeSet::new(), sources: Vec::new() };
        let mut section = "*";
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            if !line.starts_with(' ') {
                section = line.trim_end();
            } else if section == "sources" {
                calls.services.extend(line.split_ascii_whitespace());
            } else {
                let names: Vec<String> = line.split_ascii_whitespace().flat_map(written_out).collect();
                if section != "*" {
                    calls.by_service.entry(section).or_default().extend(names.iter().cloned());
                }
                calls.names.extend(names);
            }
        }
        calls.sources = calls.services.iter().map(|service| format!("{service}{SUFFIX}")).collect();
        calls
    }

    /// Whether any service has a call of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// All services, as `event_source` has them.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Whether there is a service of this name, as `event_source` has it.
    pub fn has_source(&self, source: &str) -> bool {
        source.strip_suffix(SUFFIX).is_some_and(|service| self.services.contains(service))
    }

    /// Whether a service, as `event_source` has it, has a call of this name; `None` if not all of its calls are known.
    pub fn service_has(&self, source: &str, name: &str) -> Option<bool> {
        let names = self.by_service.get(source.strip_suffix(SUFFIX)?)?;
        Some(names.contains(name))
    }

    /// A service whose calls are all known and that has one of this name, as `event_source` has it.
    pub fn service_of(&self, name: &str) -> Option<String> {
        let mut services: Vec<&str> =
            self.by_service.iter().filter(|(_, names)| names.contains(name)).map(|(service, _)| *service).collect();
        services.sort_unstable();
        services.first().map(|service| format!("{service}{SUFFIX}"))
    }
}

/// The names that a word of the table stands for.
fn written_out(word: &'static str) -> Vec<String> {
    let Some((noun, verbs)) = word.split_once('.') else { return vec![word.to_owned()] };
    let name = |letter: char| {
        let plural = if letter.is_ascii_lowercase() { "s" } else { "" };
        format!("{}{noun}{plural}", verb(letter.to_ascii_uppercase()))
    };
    verbs.chars().map(name).collect()
}

fn verb(letter: char) -> &'static str {
    match letter {
        'A' => "Associate",
        'B' => "Batch",
        'C' => "Create",
        'D' => "Delete",
        'E' => "Enable",
        'G' => "Get",
        'I' => "Disassociate",
        'L' => "List",
        'M' => "Modify",
        'N' => "Cancel",
        'P' => "Put",
        'R' => "Register",
        'S' => "Start",
        'T' => "Stop",
        'U' => "Update",
        'X' => "Describe",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        let words = TABLE.lines().filter(|line| line.starts_with(' ')).flat_map(str::split_ascii_whitespace);
        for word in words.filter(|word| word.contains('.')) {
            let verbs = word.split_once('.').map_or("", |(_, verbs)| verbs);
            assert!(!verbs.is_empty() && verbs.chars().all(|c| !verb(c.to_ascii_uppercase()).is_empty()), "{word}");
        }
        assert!(CALLS.names.len() > 15_000, "{}", CALLS.names.len());
        for name in ["ConsoleLogin", "StopLogging", "ListAccessKeys", "CreateAccessKey", "SharedSnapshotVolumeCreated"]
        {
            assert!(CALLS.has(name), "{name}");
        }
        assert!(!CALLS.has("ConsolLogin") && !CALLS.has("PassRole"));
    }

    #[test]
    fn calls_are_found_by_their_service() {
        assert_eq!(CALLS.service_has("iam.amazonaws.com", "CreateUser"), Some(true));
        assert_eq!(CALLS.service_has("iam.amazonaws.com", "RunInstances"), Some(false));
        assert_eq!(CALLS.service_has("glue.amazonaws.com", "RunInstances"), None);
        assert_eq!(CALLS.service_of("RunInstances").as_deref(), Some("ec2.amazonaws.com"));
        assert!(CALLS.has_source("s3.amazonaws.com") && !CALLS.has_source("s3.amazon.com") && !CALLS.has_source("s3"));
    }
}
