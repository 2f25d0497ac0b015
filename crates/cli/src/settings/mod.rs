//! Settings: four layers become one typed value, once, before anything starts.
//!
//! [`schema`] knows which settings there are, [`layers`] where they are written, [`typed`] what they become.

pub mod layers;
pub mod schema;
pub mod show;
mod sources;
mod streams;
mod tables;
mod typed;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use layers::{Origin, Said};
use watchfire_engine::detect::language::nearest;

pub use tables::TableSettings;
pub use typed::{EngineSettings, Settings, kafka_properties};

/// The settings file that is read if it is there and no other is named.
const FILE: &str = "watchfire.toml";

/// What is wrong with the settings, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub String);

/// Values by their path, each with who set it.
#[derive(Debug, Default)]
pub struct Merged {
    values: BTreeMap<Vec<String>, (toml::Value, Origin)>,
}

/// Reads all layers.
///
/// # Errors
/// If a file cannot be read, a key does not exist, or a value is wrong: the first that is.
pub fn load(config: Option<&Path>, arguments: &[String]) -> Result<Settings, SettingsError> {
    let mut said = match config {
        Some(path) => read_file(path)?,
        None if Path::new(FILE).exists() => read_file(Path::new(FILE))?,
        None => Vec::new(),
    };
    let variables = std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
    said.extend(layers::environment(variables)?);
    for argument in arguments {
        said.push(layers::argument(argument)?);
    }
    Settings::from_merged(merge(said)?)
}

fn read_file(path: &Path) -> Result<Vec<Said>, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        SettingsError(format!("the settings file `{}` cannot be read: {error}; check --config", path.display()))
    })?;
    layers::file(path, &text)
}

/// Checks each value, and lets later ones win.
fn merge(said: Vec<Said>) -> Result<Merged, SettingsError> {
    let mut merged = Merged::default();
    for Said { path, value, origin } in said {
        let path = fold_rest(path);
        let Some(entry) = schema::find(&path) else { return Err(unknown(&path, &origin)) };
        let value = schema::read(entry.kind, &value)
            .map_err(|problem| SettingsError(format!("{}: {problem} ({origin})", path.join("."))))?;
        merged.values.insert(path, (value, origin));
    }
    Ok(merged)
}

/// librdkafka's names have dots in them: what follows `kafka.raw` is one name.
fn fold_rest(path: Vec<String>) -> Vec<String> {
    if path.len() > 3 && path[0] == "kafka" && path[1] == "raw" {
        return vec!["kafka".into(), "raw".into(), path[2..].join(".")];
    }
    path
}

fn unknown(path: &[String], origin: &Origin) -> SettingsError {
    let shown = path.join(".");
    let said = |text: String| SettingsError(format!("{text} ({origin})"));
    if path[0] == "limits" {
        return said(format!("`{shown}` cannot be set: limits are built in; `watchfire config show` lists them"));
    }
    if shown.starts_with("kafka.security.") && path.last().is_some_and(|name| name.contains("password")) {
        return said(format!(
            "`{shown}` does not exist: a password has no place in settings; put it into the environment variable \
             WATCHFIRE_KAFKA_PASSWORD, or into a file that kafka.security.password_file names"
        ));
    }
    for depth in 0..path.len() {
        let (names, any) = schema::following(&path[..depth]);
        if any || names.contains(&path[depth].as_str()) {
            continue;
        }
        let table = path[..depth].join(".");
        let join = |name: &str| if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
        if names.is_empty() {
            return said(format!("`{shown}` does not exist: `{table}` is a value, not a table"));
        }
        return said(match nearest(&path[depth], names.iter().copied()) {
            Some(name) => format!("`{}` does not exist; did you mean `{}`?", join(&path[depth]), join(name)),
            None if table.is_empty() => {
                format!("`{}` does not exist; there are the tables {}", path[depth], names.join(", "))
            }
            None => format!("`{}` does not exist; `{table}` has {}", join(&path[depth]), names.join(", ")),
        });
    }
    let (names, any) = schema::following(path);
    let example = if any { "NAME" } else { names.first().copied().unwrap_or("…") };
    said(format!("`{shown}` is a table: set what is in it, as in {shown}.{example}"))
}

impl Merged {
    /// The value at a path.
    fn get(&self, path: &str) -> Option<&toml::Value> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        self.values.get(&path).map(|(value, _)| value)
    }

    /// Who set the value at a path.
    fn origin(&self, path: &[String]) -> Option<&Origin> {
        self.values.get(path).map(|(_, origin)| origin)
    }

    /// All values below a path as a table.
    fn table(&self, below: &[&str]) -> toml::Table {
        let mut root = toml::Table::new();
        for (path, (value, _)) in &self.values {
            if path.len() <= below.len() || !below.iter().zip(path).all(|(a, b)| a == b) {
                continue;
            }
            insert(&mut root, &path[below.len()..], value.clone());
        }
        root
    }

    /// The names directly below a table.
    fn names(&self, below: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.values.keys().filter(|path| path[0] == below && path.len() > 1).map(|path| path[1].clone()).collect();
        names.dedup();
        names
    }

    /// Where a table was last written, for errors about the whole of it.
    fn place(&self, below: &[&str]) -> String {
        let inside = |path: &&Vec<String>| below.iter().zip(path.iter()).all(|(a, b)| a == b);
        let origin = self.values.iter().filter(|(path, _)| inside(path)).map(|(_, (_, origin))| origin).next_back();
        origin.map_or(String::new(), |origin| format!(" ({origin})"))
    }
}

fn insert(table: &mut toml::Table, path: &[String], value: toml::Value) {
    match path {
        [] => {}
        [name] => drop(table.insert(name.clone(), value)),
        [name, rest @ ..] => {
            let inner = table.entry(name.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The default of a setting that stands alone.
fn schema_default(path: &str) -> &'static str {
    schema::ENTRIES.iter().find(|entry| entry.path == path).map_or("", |entry| entry.default)
}
