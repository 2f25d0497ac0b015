//! Which settings there are, and what each takes.

use watchfire_engine::source::StartFrom;
use watchfire_record::{duration, limits};

use super::layers::Written;

/// What a setting's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A duration, as in `30s`.
    Duration,
    /// A number of bytes, as in `64MiB`.
    Bytes,
    /// A whole number from 1.
    Count,
    /// A whole number from 1, as large as one likes.
    Number,
    /// A part of one core's time, as in `25%`; more than 100 for more than one.
    Percent,
    /// `true` or `false`.
    Boolean,
    /// Texts; in the environment and after `--set`, parted by commas.
    List,
    /// A path into a record: keys parted by dots, or a list of keys and numbers.
    Path,
    /// Where reading starts.
    Start,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A text or number that is handed on as it is.
    Property,
}

/// One setting, or with `*` in its place a family of them.
#[derive(Debug)]
pub struct Entry {
    /// Its path; `*` stands for any name, a last `**` for any rest.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default, for those that have one and stand alone.
    pub default: &'static str,
}

const fn entry(path: &'static str, kind: Kind, default: &'static str) -> Entry {
    Entry { path, kind, default }
}

const FORMATS: Kind = Kind::Choice(&["cloudtrail", "lambda", "api", "json"]);
const TYPES: Kind = Kind::Choice(&["text", "json", "integer", "float", "boolean", "time"]);
const PROTOCOLS: Kind = Kind::Choice(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]);
const MECHANISMS: Kind = Kind::Choice(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
const MODES: Kind = Kind::Choice(&["append", "create"]);

/// All settings, in the order in which they are shown.
pub const ENTRIES: &[Entry] = &[
    entry("kafka.brokers", Kind::Text, "localhost:9092"),
    entry("kafka.group", Kind::Text, "watchfire"),
    entry("kafka.from", Kind::Start, "committed"),
    entry("kafka.security.protocol", PROTOCOLS, "plaintext"),
    entry("kafka.security.mechanism", MECHANISMS, "PLAIN"),
    entry("kafka.security.username", Kind::Text, ""),
    entry("kafka.security.password_file", Kind::Text, ""),
    entry("kafka.security.ca_file", Kind::Text, ""),
    entry("kafka.security.certificate_file", Kind::Text, ""),
    entry("kafka.security.key_file", Kind::Text, ""),
    entry("kafka.raw.**", Kind::Property, ""),
    entry("streams.*.topic", Kind::Text, ""),
    entry("streams.*.format", FORMATS, ""),
    entry("streams.*.envelope", Kind::Choice(&["auto", "none"]), ""),
    entry("streams.*.lateness", Kind::Duration, ""),
    entry("streams.*.idle", Kind::Duration, ""),
    entry("streams.*.skew", Kind::Duration, ""),
    entry("streams.*.identity", Kind::List, ""),
    entry("streams.*.known.*", Kind::List, ""),
    entry("streams.*.activity.*", Kind::List, ""),
    entry("streams.*.partition_activity", Kind::Boolean, ""),
    entry("streams.*.columns.*.path", Kind::Path, ""),
    entry("streams.*.columns.*.type", TYPES, ""),
    entry("tables.*.file", Kind::Text, ""),
    entry("tables.*.format", Kind::Choice(&["csv", "jsonl"]), ""),
    entry("tables.*.key", Kind::List, ""),
    entry("tables.*.columns.*.path", Kind::Path, ""),
    entry("tables.*.columns.*.type", TYPES, ""),
    entry("rules.folders", Kind::List, ""),
    entry("rules.blind_after", Kind::Duration, "1h"),
    entry("sinks.*.type", Kind::Choice(&["terminal", "file", "kafka"]), ""),
    entry("sinks.*.format", Kind::Choice(&["human", "json", "ocsf"]), ""),
    entry("sinks.*.path", Kind::Text, ""),
    entry("sinks.*.mode", MODES, ""),
    entry("sinks.*.topic", Kind::Text, ""),
    entry("sinks.*.brokers", Kind::Text, ""),
    entry("sinks.*.required", Kind::Boolean, ""),
    entry("rejects.type", Kind::Choice(&["file", "kafka"]), ""),
    entry("rejects.path", Kind::Text, ""),
    entry("rejects.mode", MODES, ""),
    entry("rejects.topic", Kind::Text, ""),
    entry("rejects.brokers", Kind::Text, ""),
    entry("admin.listen", Kind::Text, "127.0.0.1:9464"),
    entry("engine.workers", Kind::Count, ""),
    entry("engine.shards", Kind::Count, ""),
    entry("engine.in_flight", Kind::Bytes, ""),
    entry("limits.state.bytes", Kind::Bytes, ""),
    entry("limits.detector.keys", Kind::Number, ""),
    entry("limits.detector.bytes", Kind::Bytes, ""),
    entry("limits.detector.cpu", Kind::Percent, ""),
];

/// Limits that are built in: name, value, and what it counts.
pub const LIMITS: &[(&str, usize, &str)] = &[
    ("record_bytes", limits::RECORD_BYTES, "bytes"),
    ("nesting_depth", limits::NESTING_DEPTH, "levels"),
    ("envelope_depth", limits::ENVELOPE_DEPTH, "levels"),
    ("unfolded_bytes", limits::UNFOLDED_BYTES, "bytes"),
    ("reject_bytes", limits::REJECT_BYTES, "bytes"),
    ("rule_bytes", limits::RULE_BYTES, "bytes"),
    ("table_bytes", limits::TABLE_BYTES, "bytes"),
    ("table_rows", limits::TABLE_ROWS, "rows"),
    ("table_row_bytes", limits::TABLE_ROW_BYTES, "bytes"),
    ("table_columns", limits::TABLE_COLUMNS, "columns"),
    ("evidence_records", limits::EVIDENCE_RECORDS, "records"),
    ("keys", limits::KEYS, "keys a detector and shard"),
    ("distinct_values", limits::DISTINCT_VALUES, "values a key"),
    ("buffered_rows", limits::BUFFERED_ROWS, "rows a key"),
    ("activity_sources", limits::ACTIVITY_SOURCES, "sources a stream"),
    ("activity_quiet_minutes", limits::ACTIVITY_QUIET_MINUTES, "minutes"),
    ("activity_counts", limits::ACTIVITY_COUNTS, "counts a stream"),
];

/// The setting that a path names.
pub fn find(path: &[String]) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| {
        let pattern: Vec<&str> = entry.path.split('.').collect();
        match pattern.last() {
            Some(&"**") => path.len() >= pattern.len() && matches(&pattern[..pattern.len() - 1], path),
            _ => path.len() == pattern.len() && matches(&pattern, path),
        }
    })
}

fn matches(pattern: &[&str], path: &[String]) -> bool {
    pattern.iter().zip(path).all(|(wanted, name)| *wanted == "*" || wanted == name)
}

/// What may follow a path: names, and whether any name may.
pub fn following(path: &[String]) -> (Vec<&'static str>, bool) {
    let (mut names, mut any) = (Vec::new(), false);
    for entry in ENTRIES {
        let pattern: Vec<&'static str> = entry.path.split('.').collect();
        if pattern.len() <= path.len() || !matches(&pattern[..path.len()], path) {
            continue;
        }
        match pattern[path.len()] {
            "*" | "**" => any = true,
            name if !names.contains(&name) => names.push(name),
            _ => {}
        }
    }
    (names, any)
}

/// A written value in the one form that is kept, or what is wrong with it.
pub fn read(kind: Kind, written: &Written) -> Result<toml::Value, String> {
    use toml::Value::{Array, Boolean, Integer, String};
    match kind {
        Kind::Text | Kind::Property => scalar(written).map(String),
        Kind::Duration => {
            let text = scalar(written)?;
            duration::parse(&text).map(|_| String(text))
        }
        Kind::Start => StartFrom::try_from(scalar(written)?).map(|start| String(start.into())),
        Kind::Bytes => bytes(&scalar(written)?).map(Integer),
        Kind::Count => {
            let text = scalar(written)?;
            let count = text.parse::<i64>().ok().filter(|n| (1..=1024).contains(n));
            count.map(Integer).ok_or_else(|| format!("`{text}` is no whole number from 1 to 1024"))
        }
        Kind::Number => {
            let text = scalar(written)?;
            let number = text.replace('_', "").parse::<i64>().ok().filter(|number| *number >= 1);
            number.map(Integer).ok_or_else(|| format!("`{text}` is no whole number from 1 on"))
        }
        Kind::Percent => {
            let text = scalar(written)?;
            let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
            let fits = number.is_some_and(|number| number > 0.0 && number <= 100_000.0);
            if fits { Ok(String(text)) } else { Err(format!("`{text}` is no part of a core's time: write `25%`")) }
        }
        Kind::Boolean => match scalar(written)?.as_str() {
            "true" => Ok(Boolean(true)),
            "false" => Ok(Boolean(false)),
            other => Err(format!("`{other}` is neither true nor false")),
        },
        Kind::Choice(choices) => {
            let text = scalar(written)?;
            let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(&text));
            found
                .map(|choice| String((*choice).to_owned()))
                .ok_or_else(|| format!("`{text}` is not one of {}", choices.join(", ")))
        }
        Kind::List => list(written).map(|items| Array(items.into_iter().map(String).collect())),
        Kind::Path => path_steps(written),
    }
}

fn scalar(written: &Written) -> Result<String, String> {
    match written {
        Written::Text(text) => Ok(text.clone()),
        Written::Toml(toml::Value::String(text)) => Ok(text.clone()),
        Written::Toml(toml::Value::Integer(number)) => Ok(number.to_string()),
        Written::Toml(toml::Value::Float(number)) => Ok(number.to_string()),
        Written::Toml(toml::Value::Boolean(value)) => Ok(value.to_string()),
        Written::Toml(toml::Value::Datetime(time)) => Ok(time.to_string()),
        Written::Toml(toml::Value::Array(_)) => Err("one value is expected here, not a list".into()),
        Written::Toml(toml::Value::Table(_)) => Err("a value is expected here, not a table".into()),
    }
}

fn list(written: &Written) -> Result<Vec<String>, String> {
    let items = match written {
        Written::Toml(toml::Value::Array(items)) => items.clone(),
        Written::Text(text) if text.trim_start().starts_with('[') => {
            let table: toml::Table =
                toml::from_str(&format!("list = {text}")).map_err(|error| error.message().to_owned())?;
            table.get("list").and_then(|list| list.as_array().cloned()).unwrap_or_default()
        }
        other => {
            let text = scalar(other)?;
            return Ok(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect());
        }
    };
    let text =
        |item: &toml::Value| item.as_str().map(str::to_owned).ok_or("a list of texts is expected here".to_owned());
    items.iter().map(text).collect()
}

fn path_steps(written: &Written) -> Result<toml::Value, String> {
    let empty = || "the path is empty: write keys parted by dots, as in \"detail.user.name\"".to_owned();
    if let Written::Toml(toml::Value::Array(steps)) = written {
        let fits = |step: &toml::Value| step.is_str() || step.is_integer();
        let whole = !steps.is_empty() && steps.iter().all(fits);
        return if whole { Ok(toml::Value::Array(steps.clone())) } else { Err(empty()) };
    }
    let text = scalar(written)?;
    let steps: Vec<toml::Value> = text.split('.').map(|step| toml::Value::String(step.to_owned())).collect();
    if steps.iter().any(|step| step.as_str() == Some("")) { Err(empty()) } else { Ok(toml::Value::Array(steps)) }
}

fn bytes(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = trimmed.split_at(digits);
    let size: i64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" | "k" | "K" => 1 << 10,
        "MiB" | "m" | "M" => 1 << 20,
        "GiB" | "g" | "G" => 1 << 30,
        _ => return Err(format!("`{text}` is no size: write bytes, or a number with KiB, MiB or GiB")),
    };
    let total =
        number.parse::<i64>().ok().and_then(|n| n.checked_mul(size)).filter(|n| (1 << 20..=1 << 40).contains(n));
    total.ok_or_else(|| format!("`{text}` is no size between 1MiB and 1024GiB"))
}
