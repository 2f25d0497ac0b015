//! The program as a user starts it: what it prints and how it ends.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

fn watchfire(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_watchfire")).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn one_record_gets_a_verdict() {
    let record =
        r#"{"eventTime":"2026-01-01T00:00:00Z","eventName":"StopLogging","eventSource":"cloudtrail.amazonaws.com"}"#;
    let output = watchfire(&["run", "-e", record]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("audit-logging-disabled"), "{}", text(&output.stdout));
}

#[test]
fn a_setting_that_is_not_there_is_refused_with_the_nearest() {
    let output = watchfire(&["config", "show", "--set", "streams.cloudtrail.latenes=30s"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("lateness"), "{}", text(&output.stderr));
}

#[test]
fn a_wrong_rule_is_shown_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.sql");
    let rule = "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\nSELECT event_time FROM cloudtrail WHERE event_nmae = 'X'\n";
    std::fs::write(&file, rule).unwrap();
    let output = watchfire(&["rules", "check", path(&file)]);
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(shown.contains("wrong.sql:6:41") && shown.contains("event_name"), "{shown}");
}

#[test]
fn records_that_are_seen_say_what_is_known_and_what_is_never_there() {
    let folder = tempfile::tempdir().unwrap();
    let (rule, seen) = (folder.path().join("own.sql"), folder.path().join("seen.jsonl"));
    let header = "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n";
    let sql = "SELECT event_time FROM cloudtrail WHERE event_name = 'OurOwnCall' AND request ->> 'trailname' = 'x'\n";
    std::fs::write(&rule, header.to_owned() + sql).unwrap();
    let record = |index: usize| {
        format!(
            "{{\"eventTime\":\"2026-01-01T00:00:00Z\",\"eventID\":\"{index}\",\"eventName\":\"OurOwnCall\",\"requestParameters\":{{\"trailName\":\"x\"}}}}\n"
        )
    };
    std::fs::write(&seen, (0..120).map(record).collect::<String>()).unwrap();
    let alone = text(&watchfire(&["rules", "check", path(&rule)]).stdout);
    assert!(alone.contains("W046") && !alone.contains("W047"), "{alone}");
    let output = watchfire(&["rules", "check", path(&rule), "--seen", path(&seen)]);
    let with_records = text(&output.stdout);
    assert!(output.status.success() && !with_records.contains("W046"), "{with_records}");
    assert!(with_records.contains("without request->>'trailname', which none of 120 records"), "{with_records}");
    let output = watchfire(&["rules", "check", path(&rule), "--set", "streams.cloudtrail.known.event_name=OurOwnCall"]);
    assert!(!text(&output.stdout).contains("W046"), "{}", text(&output.stdout));
}

#[test]
fn a_file_goes_in_and_findings_come_out() {
    let folder = tempfile::tempdir().unwrap();
    let (input, findings) = (folder.path().join("in.jsonl"), folder.path().join("out.jsonl"));
    let record = |id: u8, name: &str| {
        format!("{{\"eventTime\":\"2026-01-01T00:00:0{id}Z\",\"eventID\":\"{id}\",\"eventName\":\"{name}\"}}\n")
    };
    std::fs::write(&input, record(1, "StopLogging") + &record(2, "DescribeTrails") + "{\"broken\":\n").unwrap();
    let output = watchfire(&["run", "--input", path(&input), "--stream", "cloudtrail", "--findings", path(&findings)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = std::fs::read_to_string(&findings).unwrap();
    assert_eq!(found.lines().count(), 1, "{found}");
    assert!(found.contains("\"state\":\"final\"") && found.contains("\"event_id\":\"1\""), "{found}");
    assert!(
        text(&output.stderr).contains("3 consumed = 2 processed + 1 rejected + 0 skipped"),
        "{}",
        text(&output.stderr)
    );
}

/// Six minutes of two functions, of which one says nothing after the second.
fn two_functions() -> String {
    let line = |minute: u8, name: &str| {
        format!(
            "{{\"timestamp\":\"2026-01-01T00:0{minute}:00Z\",\"level\":\"INFO\",\"functionName\":\"{name}\",\"message\":\"m\"}}\n"
        )
    };
    let of_minute = |minute: u8| line(minute, "check") + &if minute < 2 { line(minute, "pay") } else { String::new() };
    (0..6).map(of_minute).collect()
}

const SILENT: &str = "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n\
                      SELECT source, event_time FROM activity WHERE source = 'pay' AND records = 0 AND observed\n";

#[test]
fn silence_is_found_in_a_file_of_those_who_speak() {
    let folder = tempfile::tempdir().unwrap();
    let (rule, input, found) =
        (folder.path().join("silent.sql"), folder.path().join("in.jsonl"), folder.path().join("out.jsonl"));
    std::fs::write(&rule, SILENT).unwrap();
    std::fs::write(&input, two_functions()).unwrap();
    let line = ["run", "--input", path(&input), "--stream", "lambda", "--rules", path(&rule)];
    let sources = ["--findings", path(&found), "--set", "streams.lambda.activity.function_name=pay,check"];
    let output = watchfire(&[&line[..], &sources].concat());
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("activity: 12 consumed = 12 processed"), "{said}");
    let found = std::fs::read_to_string(&found).unwrap();
    // Of the last minutes it is not known what is yet to come: the stream's lateness is a minute.
    let times: Vec<bool> =
        found.lines().zip(2..4).map(|(line, minute)| line.contains(&format!("T00:0{minute}:00Z"))).collect();
    assert_eq!((found.lines().count(), times), (2, vec![true, true]), "{found}");

    let output = watchfire(&line);
    assert!(text(&output.stderr).contains("streams.NAME.activity.COLUMN"), "{}", text(&output.stderr));
}

#[test]
fn a_detector_of_silence_is_tested_and_checked_as_others_are() {
    let folder = tempfile::tempdir().unwrap();
    let rule = folder.path().join("silent");
    std::fs::create_dir(&rule).unwrap();
    let row = |records: u8| {
        format!(
            "{{\"event_time\":\"2026-01-01T00:00:00Z\",\"stream\":\"lambda\",\"kind\":\"function\",\"source\":\"pay\",\"records\":{records},\"observed\":true}}\n"
        )
    };
    for (name, content) in [("detector.sql", SILENT.to_owned()), ("fires.jsonl", row(0)), ("quiet.jsonl", row(1))] {
        std::fs::write(rule.join(name), content).unwrap();
    }
    let sources = |names: &str| format!("streams.lambda.activity.function_name={names}");
    let output = watchfire(&["rules", "test", "--update", path(folder.path()), "--set", &sources("pay")]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(std::fs::read_to_string(rule.join("findings.jsonl")).unwrap().contains("\"source\":\"pay\""));
    let check =
        |names: &str| text(&watchfire(&["rules", "check", path(folder.path()), "--set", &sources(names)]).stdout);
    assert!(!check("pay,check").contains("W046"), "{}", check("pay,check"));
    assert!(check("paid,check").contains("W046"), "a source that nobody declares: {}", check("paid,check"));
}

#[test]
fn what_is_decoded_is_told_of_each_stream() {
    let folder = tempfile::tempdir().unwrap();
    let rule = folder.path().join("d.sql");
    let header = "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n";
    for (sql, decoded) in [
        ("SELECT request_id FROM lambda WHERE level = 'ERROR'", "of each record level; of those found also request_id"),
        ("SELECT path FROM api WHERE status = 500", "of each record status; of those found also path"),
        ("SELECT source FROM activity WHERE records = 0", "of each record records; of those found also source"),
        (
            "SELECT event_name FROM cloudtrail WHERE error_code = 'x'",
            "of each record error_code; of those found also event_name",
        ),
        ("SELECT event_time FROM lambda", "of each record its time alone"),
    ] {
        std::fs::write(&rule, header.to_owned() + sql).unwrap();
        let output =
            watchfire(&["rules", "explain", path(&rule), "--set", "streams.lambda.activity.function_name=pay"]);
        let shown = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains(&format!("decodes {decoded}")), "{sql}: {shown}");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
