//! What is refused, or warned of, and what is said of it.

use std::path::{Path, PathBuf};

use watchfire_engine::detect::compile::compile_all;
use watchfire_engine::detect::language::{self, Diagnostic};

use super::{compare, folder, planner};

/// All files and folders of `tests/sql/refused` of which something is said.
pub fn all() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder().join("refused")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_none_or(|e| e != "expected")).collect();
    paths.sort();
    paths
}

/// What is said of one, as `rules check` shows it.
pub fn said(path: &Path) -> String {
    let shown: Vec<String> = diagnostics(path).iter().map(|diagnostic| diagnostic.render(false)).collect();
    // Files are named from here, whatever the machine.
    let here = format!("{}/", folder().join("refused").display());
    shown.iter().map(|text| text.replace(&here, "") + "\n").collect()
}

fn diagnostics(path: &Path) -> Vec<Diagnostic> {
    match language::load(&[path.to_path_buf()]) {
        Err(said) => said,
        Ok(files) => {
            let mut said = compile_all(&planner(), &files).1;
            said.extend(files.iter().filter_map(language::missing_tests_warning));
            said
        }
    }
}

/// What is not said as its `.expected` file has it.
pub fn difference(path: &Path) -> Option<String> {
    let said = said(path);
    if said.is_empty() {
        return Some(format!("{}: nothing is said of it: if it runs now, it is an example", path.display()));
    }
    compare(&path.with_extension("expected"), &said)
}
