//! The language by examples: each folder of `tests/sql` with a `detector.sql` is one, with the records that it runs over
//! and what it finds in them; `tests/sql/refused` has what is not run, and what is said of it, word by word.
//!
//! `WATCHFIRE_UPDATE=1 cargo test --workspace --test sql` writes the expected files anew, to be read before they are
//! kept. What is found must also be what the oracle finds, so a wrong file cannot be made by updating alone.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "sql/documents.rs"]
mod documents;
#[path = "sql/example.rs"]
mod example;
#[path = "sql/refusal.rs"]
mod refusal;
#[path = "sql/run.rs"]
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use watchfire_engine::detect::Table;
use watchfire_engine::detect::compile::{compile, compile_all};
use watchfire_engine::detect::language::{self, codes};
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::tables::{self, TableFormat};
use watchfire_record::json::PathStep;
use watchfire_record::{ColumnDefinition, ColumnType, Stream};

/// Where the examples are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql")
}

/// Whether expected files are to be written.
fn updating() -> bool {
    std::env::var("WATCHFIRE_UPDATE").is_ok_and(|value| value == "1")
}

/// The streams of the examples: those built in, and one with a column of each type, whose records are short.
fn streams() -> Vec<Stream> {
    let types = [
        ("event_time", ColumnType::Time),
        ("event_id", ColumnType::Text),
        ("kind", ColumnType::Text),
        ("who", ColumnType::Text),
        ("n", ColumnType::Integer),
        ("m", ColumnType::Integer),
        ("x", ColumnType::Float),
        ("ok", ColumnType::Boolean),
        ("data", ColumnType::Json),
    ];
    let column = |(name, column_type): (&str, ColumnType)| ColumnDefinition {
        name: name.to_owned(),
        column_type,
        path: vec![PathStep::Key(name.to_owned())],
    };
    let columns = types.into_iter().map(column).chain([ColumnDefinition {
        name: "raw".to_owned(),
        column_type: ColumnType::Text,
        path: Vec::new(),
    }]);
    let mut events = Stream::declared("events", columns.collect());
    events.identity = vec!["event_id".to_owned()];
    let mut streams = Stream::built_ins();
    streams.push(events);
    streams
}

/// The tables of the examples, read from `tests/sql/tables`.
fn tables() -> Vec<Arc<Table>> {
    use ColumnType::{Boolean, Integer, Json, Text, Time};
    let of = |file: &str, key: &[&str], types: &[(&str, ColumnType)]| {
        let (name, end) = file.split_once('.').unwrap();
        let column = |(name, column_type): &(&str, ColumnType)| ColumnDefinition {
            name: (*name).to_owned(),
            column_type: *column_type,
            path: Vec::new(),
        };
        let columns = types.iter().map(column).collect();
        let format = if end == "csv" { TableFormat::Csv } else { TableFormat::JsonLines };
        let bytes = std::fs::read(folder().join("tables").join(file)).unwrap();
        let key = key.iter().map(|name| (*name).to_owned()).collect();
        Arc::new(tables::read((file, &bytes), format, name, columns, key).unwrap())
    };
    let functions = [
        ("name", Text),
        ("owner", Text),
        ("critical", Boolean),
        ("memory", Integer),
        (tables::VALID_FROM, Time),
        (tables::VALID_TO, Time),
    ];
    vec![
        of("bad_addresses.csv", &["address"], &[("address", Text), ("list", Text), ("since", Time)]),
        of("functions.csv", &["name"], &functions),
        of("approved.jsonl", &["account", "region"], &[("account", Integer), ("region", Text), ("by", Json)]),
        of("office_addresses.csv", &["address"], &[]),
    ]
}

/// A planner for the examples.
fn planner() -> Planner {
    Planner::with_tables(&streams(), &tables())
}

/// The expected text of a file, written first if that is asked for; the difference, if there is one.
fn compare(path: &Path, found: &str) -> Option<String> {
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return None;
    }
    if updating() {
        std::fs::write(path, found).unwrap();
        return None;
    }
    let shown = path.strip_prefix(folder()).unwrap_or(path).display();
    Some(format!("{shown}: expected\n{expected}\nfound\n{found}"))
}

/// Fails with every difference.
fn hold(differences: &[String]) {
    let advice = "see tests/sql.rs: WATCHFIRE_UPDATE=1 writes expected files anew";
    assert!(differences.is_empty(), "{}\n\n{} differ ({advice})", differences.join("\n\n"), differences.len());
}

#[test]
fn every_example_finds_what_it_should() {
    let examples = example::all(&folder());
    assert!(examples.len() > 50, "only {} examples are found below {}", examples.len(), folder().display());
    hold(&examples.iter().flat_map(run::differences).collect::<Vec<_>>());
}

#[test]
fn every_refusal_is_worded_as_it_should_be() {
    hold(&refusal::all().iter().filter_map(|path| refusal::difference(path)).collect::<Vec<_>>());
}

#[test]
fn what_ships_can_fire() {
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("queries");
    let files = language::load(&[queries]).unwrap();
    let (detectors, said) = compile_all(&Planner::new(&Stream::built_ins()), &files);
    assert!(detectors.len() >= 25 && detectors.len() == files.len());
    let never = said.iter().filter(|said| [codes::UNKNOWN_VALUE, codes::NEVER].contains(&said.code));
    hold(&never.map(|said| said.render(false)).collect::<Vec<_>>());
}

#[test]
fn what_finds_something_is_not_said_never_to() {
    let wrong = example::all(&folder()).into_iter().filter_map(|example| {
        let (_, said) = compile(&planner(), &example.name, &example.name, &example.sql);
        let never = said.into_iter().find(|d| d.code == codes::NEVER && d.message.starts_with("no row passes"))?;
        let finds = !std::fs::read_to_string(example.folder.join("findings.jsonl")).unwrap().trim().is_empty();
        finds.then(|| format!("{}\n{}", example.name, never.render(false)))
    });
    hold(&wrong.collect::<Vec<_>>());
}

#[test]
fn every_code_is_said_at_least_once() {
    let said: String = refusal::all().iter().map(|path| refusal::said(path)).collect();
    // What depends on the run that is to take a detector is tried where such runs are: in cli's `rules/book.rs`.
    let here = codes::ALL.iter().filter(|(code, _)| *code != codes::STREAM_NOT_READ);
    let unsaid = here.filter(|(code, _)| !said.contains(&format!("[{code}]")));
    let unsaid: Vec<String> = unsaid.map(|(code, meaning)| format!("{code}: {meaning}")).collect();
    assert!(unsaid.is_empty(), "add a file to tests/sql/refused for\n{}", unsaid.join("\n"));
}

#[test]
fn every_detector_of_the_documents_is_an_example() {
    let examples: Vec<String> = example::all(&folder()).iter().map(|example| documents::plain(&example.sql)).collect();
    let missing = documents::detectors().into_iter().filter(|(_, sql)| {
        let sql = documents::plain(sql);
        !examples.iter().any(|example| example.ends_with(&sql))
    });
    let missing: Vec<String> = missing.map(|(place, sql)| format!("{place}:\n{sql}")).collect();
    assert!(missing.is_empty(), "add an example to tests/sql/documents for\n{}", missing.join("\n\n"));
}
