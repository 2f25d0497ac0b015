//! Tables that detectors look up in, as they are declared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use watchfire_engine::detect::Table;
use watchfire_engine::detect::tables::{self, TableFormat};
use watchfire_record::{ColumnDefinition, ColumnType, Stream, limits};

use super::streams::{check_name, column_type_of, path_of};
use super::typed::list;
use super::{Merged, SettingsError};

/// A table as it is declared; its file is not read yet.
#[derive(Debug, Clone)]
pub struct TableSettings {
    name: String,
    file: PathBuf,
    format: TableFormat,
    columns: Vec<ColumnDefinition>,
    key: Vec<String>,
}

pub(super) fn build(merged: &Merged, streams: &[Stream]) -> Result<Vec<TableSettings>, SettingsError> {
    merged.names("tables").iter().map(|name| declared(merged, name, streams)).collect()
}

fn declared(merged: &Merged, name: &str, streams: &[Stream]) -> Result<TableSettings, SettingsError> {
    check_name(name, &format!("tables.{name}"))?;
    let wrong = |problem: &str| SettingsError(format!("tables.{name}: {problem}{}", merged.place(&["tables", name])));
    if streams.iter().any(|stream| stream.name == name) {
        return Err(wrong("there is a stream of this name"));
    }
    let text = |key: &str| merged.get(&format!("tables.{name}.{key}")).and_then(toml::Value::as_str);
    let Some(file) = text("file") else { return Err(wrong("it lacks its file: file = \"functions.csv\"")) };
    let file = PathBuf::from(file);
    let Some(format) = text("format").map_or_else(|| format_of(&file), named) else {
        return Err(wrong("the file's name does not say how it is written: add format = \"csv\", or \"jsonl\""));
    };
    let table = merged.table(&["tables", name, "columns"]);
    let columns = table.iter().map(|(column, definition)| {
        let setting = format!("tables.{name}.columns.{column}");
        check_name(column, &setting)?;
        let default = if [tables::VALID_FROM, tables::VALID_TO].contains(&column.as_str()) { "time" } else { "text" };
        let column_type: ColumnType = column_type_of(definition, default);
        Ok(ColumnDefinition { name: column.clone(), column_type, path: path_of(definition) })
    });
    let columns = columns.collect::<Result<_, SettingsError>>()?;
    Ok(TableSettings { name: name.to_owned(), file, format, columns, key: list(merged, &format!("tables.{name}.key")) })
}

fn named(format: &str) -> Option<TableFormat> {
    match format {
        "csv" => Some(TableFormat::Csv),
        "jsonl" => Some(TableFormat::JsonLines),
        _ => None,
    }
}

/// How a file is written, by its name's end.
fn format_of(file: &Path) -> Option<TableFormat> {
    match file.extension()?.to_str()? {
        "csv" => Some(TableFormat::Csv),
        "jsonl" | "ndjson" => Some(TableFormat::JsonLines),
        _ => None,
    }
}

impl TableSettings {
    /// Where its rows are.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The table, read from its file.
    ///
    /// # Errors
    /// If the file cannot be read, or makes no table; with the line.
    pub fn read(&self) -> Result<Arc<Table>, SettingsError> {
        let shown = self.file.display().to_string();
        let unreadable =
            |error: String| SettingsError(format!("tables.{}: the file `{shown}` cannot be read: {error}", self.name));
        let length = std::fs::metadata(&self.file).map_err(|error| unreadable(error.to_string()))?.len();
        if length > limits::TABLE_BYTES as u64 {
            return Err(unreadable(format!("it has {length} bytes, and {} are allowed", limits::TABLE_BYTES)));
        }
        let bytes = std::fs::read(&self.file).map_err(|error| unreadable(error.to_string()))?;
        let (columns, key) = (self.columns.clone(), self.key.clone());
        let table = tables::read((&shown, &bytes), self.format, &self.name, columns, key);
        table.map(Arc::new).map_err(|error| SettingsError(error.0))
    }
}
