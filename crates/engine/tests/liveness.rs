//! A running detector that cannot fire any more is told of, with since when; and no longer once it can.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use watchfire_decode::Decoder;
use watchfire_detect::compile::compile_text;
use watchfire_detect::identities::SecretHasher;
use watchfire_detect::plan::Planner;
use watchfire_detect::{Judge, StreamDetectors};
use watchfire_engine::liveness::Liveness;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::{Caps, Metrics, Outlet};
use watchfire_finding::sinks::MemorySink;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Partition, RawBatch, SimulatedClock, Stream, time};
use watchfire_source::MemorySource;

const MINUTE: i64 = 60_000_000;

/// A detector of policies that are attached to a user by name.
const ATTACHED: &str = "SELECT principal FROM cloudtrail WHERE event_name = 'AttachUserPolicy' \
                        AND coalesce(request ->> 'policyArn', request ->> 'policyName') LIKE '%Administrator%'";
/// One whose value no record has.
const STOPPED: &str = "SELECT principal FROM cloudtrail WHERE event_name = 'StopLogging' AND error_code IS NULL";

fn start() -> i64 {
    time::parse("2026-01-01T00:00:00Z").unwrap()
}

/// A batch of calls in one minute, in which every second attaches a policy; `request` is what that one asks for.
fn batch(minute: i64, request: &str) -> RawBatch {
    let at = start() + minute * MINUTE;
    let partition = Arc::new(Partition { topic: "t".into(), number: 0 });
    let mut batch = RawBatch { stream: 0, ..RawBatch::default() };
    for index in 0..20 {
        let name = if index % 2 == 0 { "AttachUserPolicy" } else { "ListUsers" };
        let asked = if index % 2 == 0 { request } else { "{}" };
        let mut text = String::new();
        write!(
            text,
            r#"{{"eventTime":"{}","eventID":"{minute}-{index}","eventName":"{name}","requestParameters":{asked}}}"#,
            time::format(at)
        )
        .unwrap();
        batch.push(&partition, minute * 100 + index, at, PayloadKind::Value, text.as_bytes());
    }
    batch
}

/// Detectors by their names and texts.
fn detectors(texts: &[(&str, &str)]) -> Vec<Arc<StreamDetectors>> {
    let streams = vec![Stream::cloudtrail()];
    let planner = Planner::new(&streams);
    let detector = |(name, sql): &(&str, &str)| {
        let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
        compile_text(&planner, name, &text).unwrap()
    };
    let detectors: Vec<_> = texts.iter().map(detector).collect();
    StreamDetectors::by_stream(&detectors, &streams)
}

/// Runs both detectors over batches, with so many workers.
fn counted(batches: Vec<RawBatch>, workers: usize) -> Arc<Metrics> {
    let streams = detectors(&[("attached", ATTACHED), ("stopped", STOPPED)]);
    let metrics = pipeline::metrics(&streams);
    metrics.liveness.blind_after(10 * MINUTE);
    let run = Run {
        source: Box::new(MemorySource::bounded(batches)),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(MemorySink::new("memory")), true)],
        reject_sink: None,
        fires_early: false,
        workers,
        shards: 1,
        caps: Caps::default(),
        thorough: false,
        in_flight_bytes: 16 << 20,
        secret: [1, 2, 3, 4],
        changes: None,
        clock: Arc::new(SimulatedClock::at(start() + 120 * MINUTE)),
        metrics: Arc::clone(&metrics),
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    metrics
}

fn gauge(metrics: &Metrics, line: &str) -> Option<String> {
    let all = metrics.prometheus();
    all.lines().find_map(|shown| shown.strip_prefix(line)).map(|value| value.trim().to_owned())
}

const WITH: &str = r#"{"policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}"#;
const RENAMED: &str = r#"{"policy_arn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#;
const BLIND: &str = r#"watchfire_detector_blind_since_seconds{detector="attached",stream="cloudtrail"}"#;

#[test]
fn a_field_that_is_gone_is_told_and_its_return_ends_it() {
    for workers in [1, 3] {
        let usual: Vec<RawBatch> = (0..5).map(|minute| batch(minute, WITH)).collect();
        let gone: Vec<RawBatch> = (5..20).map(|minute| batch(minute, RENAMED)).collect();
        let metrics = counted([usual.clone(), gone.clone()].concat(), workers);
        let last = start() + 4 * MINUTE;
        let (since, fields) = metrics.liveness.blind_since(0, "attached").unwrap();
        assert_eq!((since, &*fields), (last, "request->>'policyArn' or request->>'policyName'"));
        assert_eq!(gauge(&metrics, BLIND), Some((last / 1_000_000).to_string()));
        assert_eq!(metrics.liveness.blind_since(0, "stopped"), None);

        let back = vec![batch(20, WITH)];
        let metrics = counted([usual.clone(), gone, back].concat(), workers);
        assert_eq!(metrics.liveness.blind_since(0, "attached"), None);
        assert_eq!(gauge(&metrics, BLIND).as_deref(), Some("0"));

        let short = (5..14).map(|minute| batch(minute, RENAMED)).collect();
        assert_eq!(counted([usual, short].concat(), workers).liveness.blind_since(0, "attached"), None);
    }
}

#[test]
fn another_version_starts_anew_and_what_stays_the_same_does_not() {
    let liveness = Liveness::new(&[Stream::cloudtrail()]);
    liveness.blind_after(10 * MINUTE);
    let look = |texts: &[(&str, &str)], minutes: std::ops::Range<i64>, request: &str| {
        let stream = &detectors(texts)[0];
        let mut decoder = Decoder::new(&stream.stream, 0, stream.decoded.clone());
        let mut judge = Judge::new(Arc::clone(stream), SecretHasher::new([0; 4]), 1, false).unwrap();
        for minute in minutes {
            let batch = decoder.decode(batch(minute, request));
            judge.select(&batch);
            liveness.look(0, &mut judge, &batch);
        }
    };
    let renamed = ATTACHED.replace("policyArn", "policy_arn");
    look(&[("attached", ATTACHED), ("same", ATTACHED)], 0..5, WITH);
    look(&[("attached", ATTACHED), ("same", ATTACHED)], 5..20, RENAMED);
    assert!(liveness.blind_since(0, "attached").is_some() && liveness.blind_since(0, "same").is_some());
    look(&[("attached", &renamed), ("same", ATTACHED)], 20..21, RENAMED);
    assert_eq!(liveness.blind_since(0, "attached"), None);
    assert!(liveness.blind_since(0, "same").is_some());
}

#[test]
fn conditions_that_no_record_met_are_counted() {
    let metrics = counted(vec![batch(0, WITH), batch(1, WITH)], 2);
    let line = |detector: &str, column: &str| {
        format!(
            r#"watchfire_detector_conditions_never_met{{detector="{detector}",stream="cloudtrail",column="{column}"}}"#
        )
    };
    assert_eq!(gauge(&metrics, &line("stopped", "event_name")).as_deref(), Some("1"));
    assert_eq!(gauge(&metrics, &line("attached", "event_name")), None);
}
