//! Where settings are written: the file, the environment, the command line. Later ones win; each keeps where it was said.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::SettingsError;

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// In the file, with its type.
    Toml(toml::Value),
    /// In the environment or on the command line.
    Text(String),
}

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, from 1.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// `--set`.
    Argument,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Argument => f.write_str("--set"),
        }
    }
}

/// One value that somebody wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The setting's path.
    pub path: Vec<String>,
    /// Its value.
    pub value: Written,
    /// Who said so.
    pub origin: Origin,
}

/// What a settings file says; `shown` is its name in errors.
pub fn file(shown: &Path, text: &str) -> Result<Vec<Said>, SettingsError> {
    let line_of = |offset: usize| text[..text.floor_char_boundary(offset)].matches('\n').count() + 1;
    let wrong = |error: &toml::de::Error| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        SettingsError(format!("{}:{line}: {}", shown.display(), error.message()))
    };
    let values: toml::Table = toml::from_str(text).map_err(|error| wrong(&error))?;
    let spanned = DeTable::parse(text).map_err(|error| wrong(&error))?;
    let mut lines = BTreeMap::new();
    places(spanned.get_ref(), &mut Vec::new(), &mut lines);
    let mut said = Vec::new();
    leaves(values, &mut Vec::new(), &mut |path, value| {
        let line = lines.get(&path).map_or(1, |offset| line_of(*offset));
        said.push(Said { path, value: Written::Toml(value), origin: Origin::File(shown.into(), line) });
    });
    Ok(said)
}

fn leaves(table: toml::Table, path: &mut Vec<String>, found: &mut dyn FnMut(Vec<String>, toml::Value)) {
    for (key, value) in table {
        path.push(key);
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => leaves(inner, path, found),
            value => found(path.clone(), value),
        }
        path.pop();
    }
}

fn places(table: &DeTable<'_>, path: &mut Vec<String>, found: &mut BTreeMap<Vec<String>, usize>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        found.insert(path.clone(), key.span().start);
        if let DeValue::Table(inner) = value.get_ref() {
            places(inner, path, found);
        }
        path.pop();
    }
}

const PREFIX: &str = "WATCHFIRE_";
/// Variables that are read elsewhere.
const OTHERS: [&str; 2] = ["WATCHFIRE_LOG", "WATCHFIRE_KAFKA_PASSWORD"];

/// What the environment says: `WATCHFIRE_STREAMS__CLOUDTRAIL__LATENESS`.
pub fn environment(variables: impl Iterator<Item = (String, String)>) -> Result<Vec<Said>, SettingsError> {
    let mut said = Vec::new();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX).filter(|_| !OTHERS.contains(&name.as_str())) else { continue };
        let mut path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        if path.len() == 1 {
            single_underscores(&name, rest)?;
            continue;
        }
        if path[0] == "kafka" && path[1] == "raw" {
            // librdkafka's names have dots, which a variable's name cannot have.
            path = vec![path.remove(0), path.remove(0), path.join(".").replace('_', ".")];
        }
        said.push(Said { path, value: Written::Text(value), origin: Origin::Variable(name) });
    }
    said.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(said)
}

/// A variable that was meant as a setting, by its first word, is not passed over.
fn single_underscores(name: &str, rest: &str) -> Result<(), SettingsError> {
    let lower = rest.to_ascii_lowercase();
    let (tables, _) = super::schema::following(&[]);
    match tables.iter().find(|table| lower.starts_with(&format!("{table}_"))) {
        Some(table) => Err(SettingsError(format!(
            "the environment variable {name} sets nothing: tables are parted by two underscores, as in {PREFIX}{}__{}",
            table.to_ascii_uppercase(),
            &rest[table.len() + 1..]
        ))),
        None => Ok(()),
    }
}

/// What one `--set KEY=VALUE` says.
pub fn argument(text: &str) -> Result<Said, SettingsError> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(SettingsError(format!(
            "--set {text}: write KEY=VALUE, as in --set streams.cloudtrail.lateness=30s"
        )));
    };
    let path = key.trim().split('.').map(str::to_owned).collect();
    Ok(Said { path, value: Written::Text(value.to_owned()), origin: Origin::Argument })
}
