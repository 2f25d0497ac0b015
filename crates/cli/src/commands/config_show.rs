//! `config show`: every setting, its value, and which layer set it.

use crate::arguments::Json;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::screen::table::Table;
use crate::settings::{Settings, show};

/// Prints all settings.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(options: &Json, settings: &Settings, screen: &Screen) -> Result<(), Failure> {
    let rows = show::rows(settings);
    if options.json {
        let text = serde_json::to_string_pretty(&rows).expect("rows are texts");
        return Ok(screen.print(&format!("{text}\n"))?);
    }
    let mut table = Table::default();
    for row in rows {
        let value = watchfire_engine::finding::escape(&row.value).into_owned();
        table.row([row.setting, row.layer, if value.is_empty() { "–".into() } else { value }]);
    }
    Ok(screen.print(&table.lines())?)
}
