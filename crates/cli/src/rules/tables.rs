//! The look-up tables of a run, whose files are read again as those of detectors are.

use std::path::PathBuf;
use std::sync::Arc;

use watchfire_engine::change::NewRows;
use watchfire_engine::detect::Table;
use watchfire_engine::detect::tables::TableRows;

use crate::settings::{SettingsError, TableSettings};

/// Tables with the rows that their files last had.
pub struct LiveTables(Vec<LiveTable>);

struct LiveTable {
    settings: TableSettings,
    table: Arc<Table>,
    read: Arc<TableRows>,
}

impl LiveTables {
    /// These tables, as they were just read.
    pub fn new(settings: &[TableSettings], tables: &[Arc<Table>]) -> Self {
        let live = |(settings, table): (&TableSettings, &Arc<Table>)| LiveTable {
            settings: settings.clone(),
            table: Arc::clone(table),
            read: table.rows(),
        };
        Self(settings.iter().zip(tables).map(live).collect())
    }

    /// Their files.
    pub fn files(&self) -> Vec<PathBuf> {
        self.0.iter().map(|live| live.settings.file().to_owned()).collect()
    }

    /// The tables whose files have other rows now, with these.
    ///
    /// # Errors
    /// If a file cannot be read, or makes no table; with the line.
    pub fn read(&self) -> Result<Vec<NewRows>, SettingsError> {
        let mut other = Vec::new();
        for LiveTable { settings, table, read } in &self.0 {
            let rows = settings.read()?.rows();
            if !rows.same_as(read) {
                other.push((Arc::clone(table), rows));
            }
        }
        Ok(other)
    }

    /// These rows are the tables' now.
    pub fn turn_to(&mut self, other: &[NewRows]) {
        for live in &mut self.0 {
            if let Some((_, rows)) = other.iter().find(|(table, _)| Arc::ptr_eq(table, &live.table)) {
                live.read = Arc::clone(rows);
            }
        }
    }
}
