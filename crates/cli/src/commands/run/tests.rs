//! A verdict on one record, and a bounded run, as a user starts them.

use clap::Parser;

use super::*;
use crate::arguments::{Arguments, Command};

const RULE: &str = "/*\ntitle = \"Logging stopped\"\nseverity = \"high\"\nabout = \"Somebody stops the trail.\"\n*/\n\
    SELECT event_name, event_time FROM cloudtrail WHERE event_name = 'StopLogging'\n";

fn start(arguments: &[&str]) -> Result<(), Failure> {
    let arguments = Arguments::try_parse_from([&["watchfire", "run"], arguments].concat()).unwrap();
    let settings = crate::settings::load(arguments.config.as_deref(), &arguments.set).unwrap();
    let Command::Run(options) = arguments.command else { panic!("it is a run") };
    run(&options, settings, &Screen::new())
}

fn record(name: &str) -> String {
    format!("{{\"eventID\":\"e1\",\"eventTime\":\"2026-03-10T10:00:00Z\",\"eventName\":\"{name}\"}}")
}

#[test]
fn one_record_gets_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let rule = folder.path().join("stopped.sql");
    std::fs::write(&rule, RULE).unwrap();
    let rule = rule.to_str().unwrap();
    let verdict = |record: &str| start(&["--gate", "--rules", rule, "-e", record]);
    assert!(matches!(verdict(&record("StopLogging")), Err(Failure::Findings)));
    assert!(verdict(&record("StartLogging")).is_ok());
    assert!(
        matches!(verdict("{\"eventName\":\"StopLogging\"}"), Err(Failure::Setting(text)) if text.contains("rejected"))
    );
    assert!(start(&["--rules", rule, "-e", &record("StopLogging")]).is_ok());
}

#[test]
fn a_bounded_run_writes_final_findings_and_keeps_rejects() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("stopped.sql"), RULE).unwrap();
    let records = [record("StopLogging"), "{\"broken".into(), record("StartLogging")].join("\n");
    std::fs::write(path("in.jsonl"), records).unwrap();
    let (rule, input, out, rejects) = (path("stopped.sql"), path("in.jsonl"), path("out.jsonl"), path("rejects.jsonl"));
    let line =
        ["--input", &input, "--stream", "cloudtrail", "--rules", &rule, "--findings", &out, "--rejects", &rejects];
    start(&line).unwrap();
    start(&line).unwrap();
    let found = std::fs::read_to_string(&out).unwrap();
    assert_eq!(found.lines().count(), 1, "a second run starts the file anew: {found}");
    assert!(found.contains("\"state\":\"final\"") && found.contains("\"detector\":\"stopped\""), "{found}");
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 1);
}

#[test]
fn mistakes_have_their_exit_codes() {
    let missing = start(&["--input", "nowhere.jsonl"]);
    assert!(matches!(missing, Err(Failure::Setting(text)) if text.contains("nowhere.jsonl")));
    assert!(
        matches!(start(&["--stream", "cloudtrial", "-e", "{}"]), Err(Failure::Setting(text)) if text.contains("cloudtrial"))
    );
    let folder = tempfile::tempdir().unwrap();
    let rule = folder.path().join("wrong.sql");
    std::fs::write(&rule, RULE.replace("event_name =", "event_nmae =")).unwrap();
    let wrong = start(&["--rules", rule.to_str().unwrap(), "-e", "{}"]);
    assert!(matches!(wrong, Err(Failure::Rule)));
}
