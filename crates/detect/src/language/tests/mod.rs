//! The language from the outside: what is refused, how it is said, what passes, and what it becomes.

mod accepted;
mod never;
mod refused;
mod rendered;

use watchfire_record::Stream;

use super::{Diagnostic, check, parse};

const HEADER: &str = "/*\ntitle = \"T\"\nseverity = \"high\"\nabout = \"A\"\n*/\n";
/// The line of a file with [`HEADER`] in which the SQL starts.
const SQL_LINE: usize = 6;

fn with_header(sql: &str) -> String {
    format!("{HEADER}{sql}")
}

/// All that is said of a file.
fn said(text: &str) -> Vec<Diagnostic> {
    match parse("queries/a-test/detector.sql", text) {
        Ok(parsed) => check(&parsed, &Stream::built_ins(), &[]),
        Err(errors) => errors,
    }
}
