//! What settings become.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use watchfire_engine::Caps;
use watchfire_engine::detect::Table;
use watchfire_engine::finding::SinkSettings;
use watchfire_engine::finding::sinks::RejectSettings;
use watchfire_engine::source::KafkaSettings;
use watchfire_engine::source::kafka::settings::PASSWORD_VARIABLE;
use watchfire_record::{Stream, duration};

use super::tables::{self, TableSettings};
use super::{Merged, SettingsError, streams};
use crate::process;

/// All settings.
#[derive(Debug)]
pub struct Settings {
    /// How Kafka is reached and read.
    pub kafka: KafkaSettings,
    /// The built-in streams, adjusted, then those that are declared.
    pub streams: Vec<Stream>,
    /// The tables that detectors look up in; their files are not read yet.
    pub tables: Vec<TableSettings>,
    /// Files and folders of detectors; none: those that ship.
    pub rules: Vec<PathBuf>,
    /// How long a field that a detector needs is not there before it is told of, microseconds.
    pub blind_after: i64,
    /// Where findings go; none: the terminal.
    pub sinks: BTreeMap<String, SinkSettings>,
    /// Where rejected records go.
    pub rejects: Option<RejectSettings>,
    /// Where the admin listener listens, `host:port`; `None`: nowhere.
    pub admin: Option<String>,
    /// Whether somebody set that.
    pub admin_is_set: bool,
    /// Threads and memory.
    pub engine: EngineSettings,
    /// What they were made of.
    pub merged: Merged,
}

/// Threads and memory of the engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineSettings {
    /// Threads that decode and match.
    pub workers: usize,
    /// Threads that keep state.
    pub shards: usize,
    /// Bytes between intake and delivery.
    pub in_flight: usize,
    /// What one detector may take, and all together: a quarter of what the process may, unless it is said.
    pub caps: Caps,
}

impl Settings {
    pub(super) fn from_merged(merged: Merged) -> Result<Self, SettingsError> {
        let mut sinks = BTreeMap::new();
        for name in merged.names("sinks") {
            sinks.insert(name.clone(), part(&merged, &["sinks", &name])?);
        }
        let rejects = if merged.table(&["rejects"]).is_empty() { None } else { Some(part(&merged, &["rejects"])?) };
        let listen = merged.get("admin.listen").and_then(|v| v.as_str());
        let admin = listen.unwrap_or(super::schema_default("admin.listen"));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let number = |path: &str, default: usize| {
            let value = merged.get(path).and_then(toml::Value::as_integer);
            value.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
        };
        let workers = number("engine.workers", cores);
        let streams = streams::build(&merged)?;
        Ok(Self {
            kafka: part(&merged, &["kafka"])?,
            tables: tables::build(&merged, &streams)?,
            streams,
            rules: list(&merged, "rules.folders").into_iter().map(PathBuf::from).collect(),
            blind_after: duration_of(&merged, "rules.blind_after"),
            sinks,
            rejects,
            admin: (!admin.is_empty()).then(|| admin.to_owned()),
            admin_is_set: listen.is_some(),
            engine: EngineSettings {
                workers,
                shards: number("engine.shards", cores),
                in_flight: number("engine.in_flight", (64 << 20).max(workers * (24 << 20))),
                caps: caps(&merged),
            },
            merged,
        })
    }

    /// The tables that detectors look up in, read from their files.
    ///
    /// # Errors
    /// If a file cannot be read, or makes no table.
    pub fn read_tables(&self) -> Result<Vec<Arc<Table>>, SettingsError> {
        self.tables.iter().map(TableSettings::read).collect()
    }

    /// The index of a stream.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn stream_index(&self, name: &str) -> Result<usize, SettingsError> {
        self.streams.iter().position(|stream| stream.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.streams.iter().map(|stream| stream.name.as_str()).collect();
            SettingsError(format!(
                "there is no stream `{name}`: there are {}; declare others under streams.{name} in watchfire.toml",
                names.join(", ")
            ))
        })
    }
}

/// What one detector may take, and all together: half of what the process may, unless it is said.
fn caps(merged: &Merged) -> Caps {
    let number = |path: &str| {
        let value = merged.get(path).and_then(toml::Value::as_integer);
        value.and_then(|number| u64::try_from(number).ok())
    };
    let percent = |text: &str| text.trim().trim_end_matches('%').trim().parse::<f64>().ok();
    let cpu = merged.get("limits.detector.cpu").and_then(toml::Value::as_str).and_then(percent);
    Caps {
        keys: number("limits.detector.keys"),
        bytes: number("limits.detector.bytes"),
        cpu: cpu.map(|percent| percent / 100.0),
        state: number("limits.state.bytes").or_else(|| process::memory().map(|bytes| bytes / 4)),
    }
}

pub(super) fn list(merged: &Merged, path: &str) -> Vec<String> {
    let items = merged.get(path).and_then(toml::Value::as_array);
    items.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn duration_of(merged: &Merged, path: &str) -> i64 {
    let said = merged.get(path).and_then(|value| duration::parse(value.as_str()?).ok());
    said.or_else(|| duration::parse(super::schema_default(path)).ok()).unwrap_or_default()
}

fn part<T: DeserializeOwned>(merged: &Merged, below: &[&str]) -> Result<T, SettingsError> {
    let table = toml::Value::Table(merged.table(below));
    table.try_into().map_err(|error: toml::de::Error| {
        SettingsError(format!("{}: {}{}", below.join("."), error.message().trim(), merged.place(below)))
    })
}

/// librdkafka's properties by which others than the consumer reach the same brokers.
///
/// # Errors
/// If the password's file cannot be read.
pub fn kafka_properties(kafka: &KafkaSettings) -> Result<BTreeMap<String, String>, SettingsError> {
    let security = &kafka.security;
    let mut properties = BTreeMap::from([
        ("bootstrap.servers".to_owned(), kafka.brokers.clone()),
        ("security.protocol".to_owned(), security.protocol.name().to_owned()),
    ]);
    // Of librdkafka's own, those that say how brokers are reached; others may be for consumers only.
    let reaching = |name: &str| ["ssl.", "sasl.", "socket.", "broker."].iter().any(|start| name.starts_with(start));
    properties.extend(kafka.raw.iter().filter(|(name, _)| reaching(name)).map(|(n, v)| (n.clone(), v.clone())));
    let mut add = |name: &str, value: String| drop(properties.insert(name.to_owned(), value));
    let files = [
        ("ssl.ca.location", &security.ca_file),
        ("ssl.certificate.location", &security.certificate_file),
        ("ssl.key.location", &security.key_file),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            add(name, file.display().to_string());
        }
    }
    if security.protocol.signs_in() {
        add("sasl.mechanism", security.mechanism.name().to_owned());
        add("sasl.username", security.username.clone().unwrap_or_default());
        add("sasl.password", password(kafka)?);
    }
    Ok(properties)
}

fn password(kafka: &KafkaSettings) -> Result<String, SettingsError> {
    let Some(file) = &kafka.security.password_file else {
        return Ok(std::env::var(PASSWORD_VARIABLE).unwrap_or_default());
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        SettingsError(format!("kafka.security.password_file: `{}` cannot be read: {error}", file.display()))
    })?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}
