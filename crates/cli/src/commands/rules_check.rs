//! `rules check`: are detectors understood, and if not, what is wrong with them?

use serde_json::json;
use watchfire_engine::detect::language::{Diagnostic, missing_tests_warning};

use crate::arguments::RulesCheck;
use crate::failure::Failure;
use crate::rules::Rules;
use crate::screen::{Screen, numbers, paint};
use crate::settings::Settings;

mod seen;

/// Prints what is wrong.
///
/// # Errors
/// [`Failure::Rule`] if a detector is wrong.
pub fn run(options: &RulesCheck, settings: &Settings, screen: &Screen) -> Result<(), Failure> {
    let paths = if options.paths.is_empty() { &settings.rules } else { &options.paths };
    let mut rules = Rules::load(paths, &settings.streams, &settings.read_tables()?);
    if !options.seen.is_empty() {
        rules = seen::with_records(rules, options, settings, screen)?;
    }
    for warning in rules.files.iter().filter_map(missing_tests_warning) {
        if !rules.diagnostics.contains(&warning) {
            rules.diagnostics.push(warning);
        }
    }
    let errors = rules.errors();
    let warnings = rules.diagnostics.len() - errors;
    if options.json {
        let diagnostics: Vec<_> = rules.diagnostics.iter().map(Diagnostic::to_json).collect();
        let line = json!({
            "detectors": rules.files.len(), "errors": errors, "warnings": warnings, "diagnostics": diagnostics,
        });
        screen.print(&format!("{line}\n"))?;
    } else {
        let mut text = String::new();
        for diagnostic in &rules.diagnostics {
            text += &format!("{}\n\n", diagnostic.render(screen.colour()));
        }
        let code = if errors > 0 { "1;31" } else { "1;32" };
        let last = format!(
            "{}, {}, {}",
            numbers::of(rules.files.len() as u64, "detector", "detectors"),
            numbers::of(errors as u64, "error", "errors"),
            numbers::of(warnings as u64, "warning", "warnings")
        );
        text += &format!("{}\n", paint(screen.colour(), code, &last));
        screen.print(&text)?;
    }
    if errors > 0 { Err(Failure::Rule) } else { Ok(()) }
}
