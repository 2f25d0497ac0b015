//! Detectors in a folder, tested as a user's are.

use std::fs;
use std::path::Path;

use watchfire_record::Stream;

use super::*;

const RULE: &str = "/*\ntitle = \"Logging stopped\"\nseverity = \"high\"\nabout = \"Somebody stops the trail.\"\nkey = [\"principal\"]\n*/\n\
    SELECT event_name, principal, event_time FROM cloudtrail WHERE event_name = 'StopLogging'\n";
const COUNTED: &str = "/*\ntitle = \"Many\"\nseverity = \"low\"\nabout = \"Three calls within a minute.\"\n*/\n\
    SELECT source_ip, event_time, count(*) OVER w AS calls FROM cloudtrail WHERE source_ip IS NOT NULL\n\
    WINDOW w AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '1 minute' PRECEDING) QUALIFY calls >= 3\n";

fn record(id: usize, name: &str) -> String {
    format!(
        "{{\"eventID\":\"e{id}\",\"eventTime\":\"2026-03-10T10:00:{id:02}Z\",\"eventName\":\"{name}\",\
         \"sourceIPAddress\":\"192.0.2.1\",\"userIdentity\":{{\"type\":\"IAMUser\",\"arn\":\"arn:aws:iam::1:user/a\"}}}}\n"
    )
}

fn write(folder: &Path, name: &str, rule: &str, fires: &str, quiet: &str) {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in [("detector.sql", rule), ("fires.jsonl", fires), ("quiet.jsonl", quiet)] {
        fs::write(folder.join(file), text).unwrap();
    }
}

fn test(folder: &Path, update: bool) -> Vec<Verdict> {
    let streams = Stream::built_ins();
    let rules = Rules::load(&[folder.to_path_buf()], &streams, &[]);
    assert_eq!(rules.errors(), 0, "{:?}", rules.diagnostics);
    all(&rules, &streams, update)
}

#[test]
fn goldens_are_written_then_held_to() {
    let folder = tempfile::tempdir().unwrap();
    let many: String = (0..4).map(|id| record(id, "ListBuckets")).collect();
    write(folder.path(), "many-calls", COUNTED, &many, &record(0, "ListBuckets"));
    write(folder.path(), "stopped", RULE, &record(1, "StopLogging"), &record(2, "StartLogging"));
    let missing = test(folder.path(), false);
    assert!(
        missing.iter().all(|v| matches!(v, Verdict::Failed(lines) if lines[0].contains("findings.jsonl is missing")))
    );
    assert_eq!(test(folder.path(), true), [Verdict::Updated(2, true), Verdict::Updated(1, true)]);
    assert_eq!(test(folder.path(), true), [Verdict::Updated(2, false), Verdict::Updated(1, false)]);
    assert_eq!(test(folder.path(), false), [Verdict::Passed(2), Verdict::Passed(1)]);

    let golden = folder.path().join("many-calls/findings.jsonl");
    let text = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, text.replace("\"calls\":4", "\"calls\":5")).unwrap();
    let Verdict::Failed(lines) = &test(folder.path(), false)[0] else { panic!("it was changed") };
    assert!(lines.join("\n").contains("row.calls: expected 5, found 4"), "{lines:?}");
}

#[test]
fn what_fires_where_it_should_not_fails() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "stopped", RULE, &record(1, "StopLogging"), &record(2, "StopLogging"));
    let Verdict::Failed(lines) = &test(folder.path(), true)[0] else { panic!("quiet.jsonl fires") };
    assert!(lines[0].starts_with("quiet.jsonl: 1"), "{lines:?}");
    write(folder.path(), "stopped", RULE, &record(1, "StopLogging"), "{\"eventName\":\"StopLogging\"}\n");
    let Verdict::Failed(lines) = &test(folder.path(), false)[0] else { panic!("a record has no time") };
    assert!(lines[0].contains("rejected"), "{lines:?}");
}

#[test]
fn a_file_by_itself_needs_no_tests() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("alone.sql"), RULE).unwrap();
    assert_eq!(test(folder.path(), false), [Verdict::NoTests]);
}

#[test]
fn a_test_has_a_table_of_its_own() {
    use watchfire_engine::detect::tables::{TableFormat, read};
    const LISTED: &str = "/*\ntitle = \"Listed\"\nseverity = \"low\"\nabout = \"An address on the list.\"\n*/\n\
        SELECT s.source_ip, b.list FROM cloudtrail s JOIN bad b ON b.address = s.source_ip\n";
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "listed",
        LISTED,
        &record(1, "ListBuckets"),
        &record(2, "ListBuckets").replace("192.", "193."),
    );
    let key = vec!["address".to_owned()];
    let table = read(("bad.csv", b"address,list\n193.0.2.1,x\n"), TableFormat::Csv, "bad", Vec::new(), key).unwrap();
    let (streams, tables) = (Stream::built_ins(), [std::sync::Arc::new(table)]);
    let test = || all(&Rules::load(&[folder.path().to_path_buf()], &streams, &tables), &streams, true);
    assert!(
        matches!(&test()[..], [Verdict::Failed(lines)] if lines[0].starts_with("quiet.jsonl: 1")),
        "the table's own"
    );
    fs::write(folder.path().join("listed/table.bad.csv"), "address,list\n192.0.2.1,y\n").unwrap();
    assert_eq!(test(), [Verdict::Updated(1, true)]);
    fs::write(folder.path().join("listed/table.bad.csv"), "address,list\n,y\n").unwrap();
    assert!(matches!(&test()[..], [Verdict::Failed(lines)] if lines[0].starts_with("table.bad.csv:2: ")));
}

#[test]
fn the_detectors_that_ship_find_what_they_should() {
    let streams = Stream::built_ins();
    let rules = Rules::load(&[], &streams, &[]);
    assert!(rules.files.len() >= 15 && rules.errors() == 0, "{:?}", rules.diagnostics);
    for (file, verdict) in rules.files.iter().zip(all(&rules, &streams, false)) {
        assert!(matches!(verdict, Verdict::Passed(found) if found > 0), "{}: {verdict:?}", file.name);
    }
}
