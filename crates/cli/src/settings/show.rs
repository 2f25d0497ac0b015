//! Every setting, its value, and who set it.

use watchfire_record::{Envelope, Format, Stream, activity, duration};

use super::layers::Origin;
use super::{Settings, schema};

/// One setting as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// Its path.
    pub setting: String,
    /// Its value as text; empty for none.
    pub value: String,
    /// `default`, `built in`, or who set it.
    pub layer: String,
}

/// All settings in order.
pub fn rows(settings: &Settings) -> Vec<Row> {
    let mut rows = Vec::new();
    for entry in schema::ENTRIES {
        match entry.path {
            "kafka.raw.**" => written(settings, &["kafka", "raw"], &mut rows),
            "streams.*.topic" => settings.streams.iter().for_each(|stream| rows.extend(of_stream(settings, stream))),
            "tables.*.file" => written(settings, &["tables"], &mut rows),
            "sinks.*.type" => written(settings, &["sinks"], &mut rows),
            "rejects.type" => written(settings, &["rejects"], &mut rows),
            path if path.contains('*') || path.starts_with("rejects.") => {}
            path => rows.push(row(settings, path, default(settings, path, entry.default))),
        }
        if entry.path == "kafka.security.password_file" {
            rows.push(password());
        }
    }
    let limit = |(name, value, unit): &(&str, usize, &str)| Row {
        setting: format!("limits.{name}"),
        value: format!("{value} {unit}"),
        layer: "built in".into(),
    };
    rows.extend(schema::LIMITS.iter().map(limit));
    rows
}

fn password() -> Row {
    let name = watchfire_engine::source::kafka::settings::PASSWORD_VARIABLE;
    let set = std::env::var_os(name).is_some();
    let (value, layer) = if set { ("(set)", name) } else { ("", "default") };
    Row { setting: "kafka.security password".into(), value: value.into(), layer: layer.into() }
}

fn default(settings: &Settings, path: &str, default: &str) -> String {
    match path {
        "engine.workers" => settings.engine.workers.to_string(),
        "engine.shards" => settings.engine.shards.to_string(),
        "rules.folders" => "(the detectors that ship)".into(),
        _ => default.to_owned(),
    }
}

fn row(settings: &Settings, path: &str, default: String) -> Row {
    let parts: Vec<String> = path.split('.').map(str::to_owned).collect();
    let set = settings.merged.values.get(&parts).map(|(value, origin)| (shown(&parts, value), origin.to_string()));
    let (value, layer) = set.unwrap_or((default, "default".into()));
    Row { setting: path.to_owned(), value, layer }
}

/// What was written below a table.
fn written(settings: &Settings, below: &[&str], rows: &mut Vec<Row>) {
    for (path, (value, origin)) in &settings.merged.values {
        if path.len() > below.len() && below.iter().zip(path).all(|(a, b)| a == b) {
            rows.push(Row { setting: name(path), value: shown(path, value), layer: origin.to_string() });
        }
    }
}

fn name(path: &[String]) -> String {
    let part = |part: &String| if part.contains('.') { format!("\"{part}\"") } else { part.clone() };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

fn of_stream(settings: &Settings, stream: &Stream) -> Vec<Row> {
    let format = match stream.format {
        Format::CloudTrail => "cloudtrail",
        Format::Lambda => "lambda",
        Format::Api => "api",
        Format::Json => "json",
    };
    let envelope = if stream.envelope == Envelope::Auto { "auto" } else { "none" };
    let values = [
        ("topic", stream.topic.clone()),
        ("format", format.to_owned()),
        ("envelope", envelope.to_owned()),
        ("lateness", duration::format(stream.lateness)),
        ("idle", duration::format(stream.idle)),
        ("skew", duration::format(stream.skew)),
        ("identity", stream.identity.join(", ")),
        ("partition_activity", stream.partition_sources.to_string()),
    ];
    let mut rows = Vec::new();
    // What is made of the others is not set.
    for (key, value) in values.into_iter().filter(|_| stream.name != activity::NAME) {
        let path = ["streams", &stream.name, key].map(str::to_owned);
        let layer = settings.merged.origin(&path).map_or("default".to_owned(), Origin::to_string);
        rows.push(Row { setting: path.join("."), value, layer });
    }
    for table in ["known", "activity", "columns"] {
        written(settings, &["streams", &stream.name, table], &mut rows);
    }
    rows
}

/// A value as text. What is or may be a secret is only said to be there.
fn shown(path: &[String], value: &toml::Value) -> String {
    let name = path.last().map_or("", String::as_str);
    let secret = ["password", "secret", ".pem", "key.pem", "oauthbearer.config"].iter().any(|word| name.contains(word));
    if secret && !name.ends_with("_file") && !name.ends_with(".location") {
        return "(set)".into();
    }
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => {
            let separator = if name == "path" { "." } else { ", " };
            let text = |item: &toml::Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            items.iter().map(text).collect::<Vec<_>>().join(separator)
        }
        other => other.to_string(),
    }
}
