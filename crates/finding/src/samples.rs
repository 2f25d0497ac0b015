//! Findings for tests.

use std::sync::Arc;

use watchfire_record::{
    DetectorInfo, Evidence, Finding, FindingId, Partition, Position, Reject, Severity, State, Value, time,
};

/// Microseconds of an RFC 3339 time.
pub(crate) fn at(text: &str) -> i64 {
    time::parse(text).unwrap()
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.into())
}

pub(crate) fn columns(pairs: Vec<(&str, Value)>) -> Vec<(Arc<str>, Value)> {
    pairs.into_iter().map(|(name, value)| (Arc::from(name), value)).collect()
}

pub(crate) fn detector() -> DetectorInfo {
    DetectorInfo {
        name: "console-sign-in-guessed".into(),
        version: "0123456789ab".into(),
        stream: "cloudtrail".into(),
        title: "Console password guessed".into(),
        severity: Severity::High,
        attack: vec!["T1110.001".into(), "T1078.004".into()],
        about: "Many failed sign-ins of one user, then one that succeeded.".into(),
        noise: Some("A forgotten password.".into()),
        response: Some(
            "Ask the user. If it was not them: end the session, reset the password, ask for a second factor.".into(),
        ),
        suppress: None,
    }
}

/// A finding of a window, as most are.
pub(crate) fn finding() -> Finding {
    let partition = Arc::new(Partition { topic: "cloudtrail".into(), number: 2 });
    let first = at("2026-11-24T14:00:07Z");
    let last = at("2026-11-24T14:02:31.500Z");
    let evidence = |id: &str, offset, event_time| Evidence {
        event_id: id.into(),
        position: Position { partition: Arc::clone(&partition), offset, index: 0 },
        event_time,
    };
    Finding {
        finding_id: FindingId(std::array::from_fn(|i| 0xa0 + u8::try_from(i).unwrap())),
        revision: 1,
        state: State::New,
        detector: Arc::new(detector()),
        window: Some(at("2026-11-24T14:00:00Z")),
        window_end: Some(at("2026-11-24T14:05:00Z")),
        keys: columns(vec![("principal", text("arn:aws:iam::123456789012:user/alice"))]),
        row: columns(vec![
            ("principal", text("arn:aws:iam::123456789012:user/alice")),
            ("source_ip", text("198.51.100.7")),
            ("region", text("eu-west-1")),
            ("failures", Value::Integer(42)),
        ]),
        first_event_time: first,
        last_event_time: last,
        evidence: vec![evidence("e-1", 1001, first), evidence("e-2", 1043, last)],
        complete: true,
        caused_at: at("2026-11-24T14:02:32Z"),
    }
}

/// The same with another id.
pub(crate) fn numbered(number: u8) -> Finding {
    let mut finding = finding();
    finding.finding_id = FindingId([number; 16]);
    finding
}

/// The same with another detector's text.
pub(crate) fn with_detector(change: impl FnOnce(&mut DetectorInfo)) -> Finding {
    let mut finding = finding();
    let mut info = detector();
    change(&mut info);
    finding.detector = Arc::new(info);
    finding
}

pub(crate) fn reject(bytes: &[u8]) -> Reject {
    let partition = Arc::new(Partition { topic: "cloudtrail".into(), number: 0 });
    Reject {
        position: Position { partition, offset: 9, index: 1 },
        timestamp: at("2026-11-24T14:02:32Z"),
        reason: "truncated",
        detail: "the text ends within an object".into(),
        bytes: bytes.to_vec(),
        length: 70_000,
    }
}
