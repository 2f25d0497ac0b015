//! Messages as attackers and accidents make them: each is accounted for, and none stops what comes after it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::Broker;
use crate::program::Program;
use crate::records::{STOPPED, stop_logging};
use crate::scene::Scene;
use crate::waiting;

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Found,
    Rejected(&'static str),
    Skipped,
}

struct Case {
    id: &'static str,
    payload: Option<Vec<u8>>,
    outcome: Outcome,
}

#[test]
fn hostile_messages_are_counted_and_passed() {
    let Some(broker) = Broker::started() else { return };
    let scene = Scene::new(&broker, "hostile", 1);
    let (mut findings, mut rejects) = (scene.findings(), scene.rejects());
    let mut program = scene.program(STOPPED, &[]);
    program.await_ready();
    let cases = cases();
    for case in &cases {
        scene.send(0, case.payload.as_deref());
    }
    scene.flush();
    let last = |lines: &[crate::tail::Line]| lines.iter().any(|line| line.text("/row/event_id") == "last");
    assert!(findings.read_until(Duration::from_secs(20), last), "the good record after them is not found");
    let ids = |wanted: fn(&Outcome) -> bool| cases.iter().filter(move |case| wanted(&case.outcome)).map(|case| case.id);
    let rejected = ids(|outcome| matches!(outcome, Outcome::Rejected(_))).count();
    assert!(rejects.read_until(Duration::from_secs(10), |lines| lines.len() >= rejected), "{}", rejects.lines.len());
    check_counts(&program, &cases);
    assert!(program.terminate().success());
    findings.read_to_end();
    rejects.read_to_end();

    let mut found: Vec<&str> = findings.lines.iter().map(|line| line.text("/row/event_id")).collect();
    let mut expected: Vec<&str> = ids(|outcome| *outcome == Outcome::Found).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    check_rejects(&rejects.lines, &cases);
}

fn check_counts(program: &Program, cases: &[Case]) {
    let consumed = cases.len() as u64;
    let all = waiting::until(Duration::from_secs(10), || {
        let count = |what: &str| program.count(&format!("watchfire_records_{what}_total"));
        count("consumed") == consumed && count("processed") + count("rejected") + count("skipped") == consumed
    });
    assert!(all, "consumed = processed + rejected + skipped does not hold:\n{}", program.get("/metrics"));
    let of = |wanted: fn(&Outcome) -> bool| cases.iter().filter(|case| wanted(&case.outcome)).count() as u64;
    let expected = BTreeMap::from([
        ("processed", of(|outcome| *outcome == Outcome::Found)),
        ("rejected", of(|outcome| matches!(outcome, Outcome::Rejected(_)))),
        ("skipped", of(|outcome| *outcome == Outcome::Skipped)),
    ]);
    let counted = expected.keys().map(|what| (*what, program.count(&format!("watchfire_records_{what}_total"))));
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), expected);
}

fn check_rejects(lines: &[crate::tail::Line], cases: &[Case]) {
    let told: BTreeMap<u64, &str> =
        lines.iter().map(|line| (line.json["offset"].as_u64().expect("an offset"), line.text("/reason"))).collect();
    let expected = cases.iter().enumerate().filter_map(|(offset, case)| match case.outcome {
        Outcome::Rejected(reason) => Some((offset as u64, reason)),
        _ => None,
    });
    assert_eq!(told, expected.collect::<BTreeMap<_, _>>());
    for line in lines {
        assert!(!line.text("/detail").is_empty() && line.text("/topic") == "hostile", "{}", line.json);
        assert_eq!(line.json["detectors"], serde_json::json!(["detector-of-test"]));
    }
}

fn cases() -> Vec<Case> {
    let good = |id: &str| stop_logging(id, waiting::now());
    let with = |id: &str, member: &str| good(id).replacen('{', &format!("{{{member},"), 1);
    let case = |id, payload: Vec<u8>, outcome| Case { id, payload: Some(payload), outcome };
    let text = |id, payload: String, outcome| case(id, payload.into_bytes(), outcome);
    let truncated = good("truncated");
    let deep = format!("\"additionalEventData\":{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let control = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1773111600000,"message":"CWL CONTROL MESSAGE: Checking health of destination"}]}"#;
    vec![
        text("first", good("first"), Outcome::Found),
        text("truncated", truncated[..truncated.len() - 9].into(), Outcome::Rejected("truncated")),
        text("garbage", good("garbage") + " and more", Outcome::Rejected("garbage_after_value")),
        case("invalid-utf-8", invalid_utf8(good("invalid-utf-8")), Outcome::Found),
        text("lone-surrogate", with("lone-surrogate", r#""userAgent":"a\ud800b""#), Outcome::Found),
        text("duplicate-keys", with("duplicate-keys", r#""eventName":"StartLogging""#), Outcome::Found),
        text("out-of-range", with("out-of-range", r#""additionalEventData":{"n":1e400}"#), Outcome::Found),
        text("deep", with("deep", &deep), Outcome::Rejected("too_deep")),
        Case { id: "null", payload: None, outcome: Outcome::Skipped },
        text("empty", String::new(), Outcome::Skipped),
        text("empty-envelope", r#"{"Records":[]}"#.into(), Outcome::Skipped),
        text("control", control.into(), Outcome::Skipped),
        text(
            "timeless",
            r#"{"eventName":"StopLogging","eventID":"timeless"}"#.into(),
            Outcome::Rejected("no_event_time"),
        ),
        text("large", with("large", &format!("\"userAgent\":\"{}\"", "x".repeat(5 << 20))), Outcome::Found),
        text("last", good("last"), Outcome::Found),
    ]
}

/// Bytes that are no UTF-8 within a text.
fn invalid_utf8(record: String) -> Vec<u8> {
    let at = record.find("bob").expect("bob did it");
    let mut bytes = record.into_bytes();
    bytes[at..at + 2].copy_from_slice(b"\xff\xc0");
    bytes
}
