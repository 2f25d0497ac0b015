//! Look-up tables: what is known of a record's parts besides what it says: inventory, threat lists, what a scan found.
//!
//! A table has at most one row of a key at any time, so a record finds one row or none. Read [`Table`] first, then
//! [`TableRows`].

mod cells;
pub mod look_ups;
mod read;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use watchfire_record::{ColumnDefinition, ColumnType, limits};

use crate::language::nearest;
pub use look_ups::LookUps;
pub use read::{TableFormat, read};
pub use rows::TableRows;

/// The column that says from when on a row holds, that time included; NULL: since ever.
pub const VALID_FROM: &str = "valid_from";
/// The column that says until when a row holds, that time not included; NULL: for ever.
pub const VALID_TO: &str = "valid_to";

/// What is wrong with a table's definition or its file, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TableError(pub String);

/// What a table is called, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// Its name in SQL.
    pub name: String,
    /// Its columns, in the order of `SELECT *`. A path is where a value is in a line of JSON; of CSV its first step is
    /// the name in the header.
    pub columns: Vec<ColumnDefinition>,
    /// The columns that tell rows apart.
    pub key: Vec<String>,
}

impl TableDefinition {
    /// A definition that makes sense.
    ///
    /// # Errors
    /// If the key is not among the columns or of a type that is not looked up by, or there are too many columns.
    pub fn new(name: &str, columns: Vec<ColumnDefinition>, key: Vec<String>) -> Result<Self, TableError> {
        let wrong = |problem: String| Err(TableError(format!("tables.{name}: {problem}")));
        if columns.len() > limits::TABLE_COLUMNS {
            return wrong(format!("it has more than {} columns", limits::TABLE_COLUMNS));
        }
        if key.is_empty() {
            return wrong("it lacks its key: key = [\"arn\"] names the columns that tell its rows apart".into());
        }
        let definition = Self { name: name.to_owned(), columns, key };
        for (place, name) in definition.key.iter().enumerate() {
            let named = [VALID_FROM, VALID_TO].contains(&name.as_str()) || definition.key[..place].contains(name);
            match definition.column_type(name) {
                None => {
                    let near = nearest(name, definition.columns.iter().map(|column| column.name.as_str()));
                    let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                    return wrong(format!("its key names `{name}`, which is no column of it{hint}"));
                }
                Some(ColumnType::Float | ColumnType::Json) => {
                    return wrong(format!("its key `{name}` is of a type that is not compared exactly: make it text"));
                }
                Some(_) if named => return wrong(format!("`{name}` cannot be part of its key")),
                Some(_) => {}
            }
        }
        for name in [VALID_FROM, VALID_TO] {
            if definition.column_type(name).is_some_and(|column_type| column_type != ColumnType::Time) {
                return wrong(format!("`{name}` is when a row holds: its type is time"));
            }
        }
        Ok(definition)
    }

    /// The type of a column.
    #[must_use]
    pub fn column_type(&self, name: &str) -> Option<ColumnType> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.column_type)
    }

    /// The place of a column.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Its columns as SQL sees them; those of the key are never NULL.
    #[must_use]
    pub fn schema(&self) -> arrow::datatypes::Schema {
        let field = |column: &ColumnDefinition| {
            arrow::datatypes::Field::new(&column.name, column.column_type.arrow(), !self.key.contains(&column.name))
        };
        arrow::datatypes::Schema::new(self.columns.iter().map(field).collect::<Vec<_>>())
    }
}

/// A table: its definition, and its rows as they are now. Shared by all detectors that look up in it.
#[derive(Debug)]
pub struct Table {
    definition: TableDefinition,
    rows: RwLock<Arc<TableRows>>,
}

impl Table {
    /// A table with these rows, which were made for the same definition.
    #[must_use]
    pub fn new(definition: TableDefinition, rows: TableRows) -> Self {
        Self { definition, rows: RwLock::new(Arc::new(rows)) }
    }

    /// What it is called, and what it has.
    #[must_use]
    pub fn definition(&self) -> &TableDefinition {
        &self.definition
    }

    /// Its rows.
    #[must_use]
    pub fn rows(&self) -> Arc<TableRows> {
        Arc::clone(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new version of the table holds for event times from `from` on, and the one before it until then, microseconds.
    /// What no longer holds at `settled` is forgotten: no record before it will be judged any more.
    ///
    /// `from` must lie beyond the event times of all records that have been looked up for: then it does not matter which
    /// of them were judged before the change, and which after.
    pub fn replace(&self, next: &TableRows, from: i64, settled: i64) {
        let both = self.rows().followed_by(&self.definition, next, from, settled);
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(both);
    }
}
