//! Reads a table's file: CSV with a header, or a JSON object a line.

use arrow::array::ArrayRef;
use watchfire_record::json::{self, PathStep};
use watchfire_record::{ColumnDefinition, ColumnType, limits};

use super::cells::Cells;
use super::rows::Unfit;
use super::{Table, TableDefinition, TableError, TableRows, VALID_FROM, VALID_TO};
use crate::language::nearest;

/// How a table's file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Values parted by commas, the first line with the columns' names; an empty value is NULL.
    Csv,
    /// A JSON object a line; what is missing is NULL.
    JsonLines,
}

/// A file on its way to a table.
struct File<'a> {
    shown: &'a str,
    bytes: &'a [u8],
    name: &'a str,
}

/// Reads the table `name` from the bytes of its file, which errors call `shown`. Of a CSV file without declared columns
/// all are taken, as text.
///
/// # Errors
/// If the file is too large, cannot be read as the format says, or its rows make no table; with the line.
pub fn read(
    (shown, bytes): (&str, &[u8]),
    format: TableFormat,
    name: &str,
    columns: Vec<ColumnDefinition>,
    key: Vec<String>,
) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let file = File { shown, bytes, name };
    if bytes.len() > limits::TABLE_BYTES {
        return Err(TableError(format!("{shown}: a table's file has at most {} bytes", limits::TABLE_BYTES)));
    }
    match format {
        TableFormat::Csv => file.csv(columns, key),
        TableFormat::JsonLines => file.json_lines(columns, key),
    }
}

impl File<'_> {
    fn error(&self, line: u64, problem: impl std::fmt::Display) -> TableError {
        TableError(format!("{}:{line}: {problem}", self.shown))
    }

    fn csv(&self, columns: Vec<ColumnDefinition>, key: Vec<String>) -> Result<Table, TableError> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(self.bytes);
        let header: Vec<String> = match reader.headers() {
            Ok(header) => header.iter().map(|name| name.trim().to_owned()).collect(),
            Err(error) => return Err(self.error(1, error)),
        };
        let columns = if columns.is_empty() { self.header_columns(&header)? } else { columns };
        let definition = TableDefinition::new(self.name, columns, key)?;
        let places = definition.columns.iter().map(|column| self.header_place(&header, column));
        let places: Vec<usize> = places.collect::<Result<_, _>>()?;
        let mut growing = Growing::new(self, &definition);
        let mut record = csv::StringRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => return Err(self.error(line, plain(&error))),
            }
            let line = record.position().map_or(line, csv::Position::line);
            if record.len() != header.len() {
                let (found, wanted) = (record.len(), header.len());
                return Err(self.error(line, format!("{found} values, and the header names {wanted}")));
            }
            growing.row(line, record.as_slice().len(), |cells, column| {
                cells.push(record.get(places[column]).filter(|text| !text.is_empty()))
            })?;
        }
        growing.finish()
    }

    /// All columns of a header, as text; the times of validity as times.
    fn header_columns(&self, header: &[String]) -> Result<Vec<ColumnDefinition>, TableError> {
        let column = |name: &String| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(fits) {
                let problem = format!("the header's `{name}` is no name in SQL: declare the table's columns, as in");
                return Err(self.error(1, format!("{problem} tables.{}.columns.NAME.path = \"{name}\"", self.name)));
            }
            let is_time = [VALID_FROM, VALID_TO].contains(&name.as_str());
            let column_type = if is_time { ColumnType::Time } else { ColumnType::Text };
            Ok(ColumnDefinition { name: name.clone(), column_type, path: vec![PathStep::Key(name.clone())] })
        };
        if let Some((_, twice)) = header.iter().enumerate().find(|(place, name)| header[..*place].contains(name)) {
            return Err(self.error(1, format!("the header has `{twice}` twice")));
        }
        header.iter().map(column).collect()
    }

    fn header_place(&self, header: &[String], column: &ColumnDefinition) -> Result<usize, TableError> {
        let wanted = column.path.first().map_or_else(|| column.name.clone(), ToString::to_string);
        header.iter().position(|name| *name == wanted).ok_or_else(|| {
            let hint = nearest(&wanted, header.iter().map(String::as_str));
            let hint = hint.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
            self.error(
                1,
                format!("the header has no `{wanted}`, which the column `{}` is read from{hint}", column.name),
            )
        })
    }

    fn json_lines(&self, columns: Vec<ColumnDefinition>, key: Vec<String>) -> Result<Table, TableError> {
        if columns.is_empty() {
            let name = self.name;
            return Err(TableError(format!(
                "tables.{name}: of JSON lines the columns are declared: tables.{name}.columns.NAME.type = \"text\""
            )));
        }
        let definition = TableDefinition::new(self.name, columns, key)?;
        let mut growing = Growing::new(self, &definition);
        for (line, bytes) in (1u64..).zip(self.bytes.split(|byte| *byte == b'\n')) {
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let text = std::str::from_utf8(bytes).map_err(|error| self.error(line, error))?;
            let value = json::parse(text).map_err(|error| self.error(line, format!("no JSON: {error}")))?;
            if !value.is_object() {
                return Err(self.error(line, "a row is an object: {\"column\": value, …}"));
            }
            growing.row(line, bytes.len(), |cells, column| {
                let column = &definition.columns[column];
                let own = [PathStep::Key(column.name.clone())];
                let path = if column.path.is_empty() { &own[..] } else { &column.path };
                cells.push_json(json::descend(&value, path))
            })?;
        }
        growing.finish()
    }
}

/// What the reader of CSV says, without its own line.
fn plain(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "no UTF-8".into(),
        _ => error.to_string(),
    }
}

/// Rows that are read so far.
struct Growing<'a> {
    file: &'a File<'a>,
    definition: &'a TableDefinition,
    cells: Vec<Cells>,
    lines: Vec<u64>,
}

impl<'a> Growing<'a> {
    fn new(file: &'a File<'a>, definition: &'a TableDefinition) -> Self {
        let cells = definition.columns.iter().map(|column| Cells::new(column.column_type)).collect();
        Self { file, definition, cells, lines: Vec::new() }
    }

    fn row(
        &mut self,
        line: u64,
        bytes: usize,
        mut push: impl FnMut(&mut Cells, usize) -> Result<(), &'static str>,
    ) -> Result<(), TableError> {
        if bytes > limits::TABLE_ROW_BYTES {
            return Err(self.file.error(line, format!("a row has at most {} bytes", limits::TABLE_ROW_BYTES)));
        }
        if self.lines.len() == limits::TABLE_ROWS {
            return Err(self.file.error(line, format!("a table has at most {} rows", limits::TABLE_ROWS)));
        }
        for (place, cells) in self.cells.iter_mut().enumerate() {
            push(cells, place).map_err(|expected| {
                let name = &self.definition.columns[place].name;
                self.file.error(line, format!("the column `{name}` wants {expected}"))
            })?;
        }
        self.lines.push(line);
        Ok(())
    }

    fn finish(mut self) -> Result<Table, TableError> {
        let columns: Vec<ArrayRef> = self.cells.iter_mut().map(Cells::finish).collect();
        let rows = TableRows::new(self.definition, &columns).map_err(|Unfit { row, other, why }| {
            let before = other.map_or(String::new(), |other| {
                format!(
                    ", first in line {}: a key has one row at a time; take one out, or say in {VALID_FROM} and {VALID_TO} when each holds",
                    self.lines[other]
                )
            });
            self.file.error(self.lines[row], format!("{why}{before}"))
        })?;
        Ok(Table::new(self.definition.clone(), rows))
    }
}
