//! An ordinary day does not look like an attack, at a slow rate or a fast one.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use watchfire_simulator::{AttackPlan, Record, Settings, Simulation, StreamKind};

const MINUTE: i64 = 60_000_000;

fn ordinary(streams: Vec<StreamKind>, rate: f64, records: u64) -> Vec<Record> {
    let start = 1_795_500_000_000_000;
    let settings =
        Settings { streams, rate, records: Some(records), attacks: AttackPlan::None, ..Settings::new(21, start) };
    Simulation::new(&settings).collect()
}

fn parsed(records: &[Record]) -> Vec<(i64, Value)> {
    records.iter().map(|record| (record.event_time, serde_json::from_str(&record.json).expect("JSON"))).collect()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The most distinct values that one key has within a window of some minutes.
fn most_distinct<'a>(rows: impl Iterator<Item = (i64, &'a str, String)>, minutes: i64) -> usize {
    let mut by_key: HashMap<&str, Vec<(i64, String)>> = HashMap::new();
    rows.for_each(|(time, key, value)| by_key.entry(key).or_default().push((time, value)));
    let mut most = 0;
    for rows in by_key.values_mut() {
        rows.sort();
        for (place, (time, _)) in rows.iter().enumerate() {
            let within = rows[..=place].iter().rev().take_while(|(earlier, _)| earlier + minutes * MINUTE >= *time);
            most = most.max(within.map(|(_, value)| value.as_str()).collect::<HashSet<_>>().len());
        }
    }
    most
}

fn principal(value: &Value) -> &str {
    let issuer = text(value, "/userIdentity/sessionContext/sessionIssuer/arn");
    if issuer.is_empty() { text(value, "/userIdentity/arn") } else { issuer }
}

/// What in an audit record could be taken for an attack; other records are not parsed.
const MARKS: &[&str] = &[
    "ConsoleLogin",
    "GetSecretValue",
    "\"GetParameter\"",
    "\"GetParameters\"",
    "AccessDenied",
    "Unauthorized",
    "StartSession",
    "SendCommand",
    "SendSSHPublicKey",
    "UpdateFunctionCode",
    "CreateAccessKey",
    "CreateLoginProfile",
    "StopLogging",
    "DeleteTrail",
    "UpdateAssumeRolePolicy",
    "GetFederationToken",
    "LeaveOrganization",
    "\"Root\"",
];

fn audit_is_quiet(rate: f64, records: u64) {
    let mut records = ordinary(vec![StreamKind::CloudTrail], rate, records);
    records.retain(|record| MARKS.iter().any(|mark| record.json.contains(mark)));
    let rows = parsed(&records);
    let named =
        |names: &'static [&'static str]| rows.iter().filter(move |(_, v)| names.contains(&text(v, "/eventName")));

    let failures = named(&["ConsoleLogin"]).filter(|(_, v)| text(v, "/errorMessage") == "Failed authentication");
    let failures = failures.map(|(time, v)| (*time, text(v, "/sourceIPAddress"), text(v, "/eventID").into()));
    assert!(most_distinct(failures, 5) < 5, "failed sign-ins");

    let secrets = named(&["GetSecretValue", "GetParameter", "GetParameters"]).map(|(time, v)| {
        (*time, principal(v), v.pointer("/requestParameters").map(Value::to_string).unwrap_or_default())
    });
    assert!(most_distinct(secrets, 10) < 8, "secrets");

    let denied = rows.iter().filter(|(_, v)| {
        let code = text(v, "/errorCode");
        code.contains("AccessDenied") || code.contains("Unauthorized")
    });
    let denied = denied.map(|(time, v)| (*time, principal(v), text(v, "/eventName").into()));
    assert!(most_distinct(denied, 10) < 4, "denied calls");

    let shells = named(&["StartSession", "SendCommand", "SendSSHPublicKey"])
        .filter(|(_, v)| !text(v, "/requestParameters/target").is_empty())
        .map(|(time, v)| (*time, principal(v), text(v, "/requestParameters/target").into()));
    assert!(most_distinct(shells, 10) < 2, "shells");

    for (_, value) in named(&["ConsoleLogin"]).filter(|(_, v)| text(v, "/responseElements/ConsoleLogin") == "Success") {
        let user = text(value, "/userIdentity/type") == "IAMUser";
        assert!(!user || text(value, "/additionalEventData/MFAUsed") == "Yes", "a user without a second factor");
    }
    for (_, value) in named(&["UpdateFunctionCode20150331v2"]) {
        let who = principal(value);
        assert!(who.contains("role/ci-") || who.contains("cfn-exec"), "{who}");
    }
    for (_, value) in named(&["CreateAccessKey", "CreateLoginProfile"]) {
        assert_eq!(text(value, "/userIdentity/userName"), text(value, "/requestParameters/userName"));
    }
    let never = ["StopLogging", "DeleteTrail", "UpdateAssumeRolePolicy", "GetFederationToken", "LeaveOrganization"];
    assert!(
        rows.iter().all(|(_, v)| !never.contains(&text(v, "/eventName")) && text(v, "/userIdentity/type") != "Root")
    );
}

#[test]
fn a_slow_day_is_quiet() {
    audit_is_quiet(20.0, 60_000);
}

#[test]
fn a_fast_day_is_quiet() {
    audit_is_quiet(1_200.0, 480_000);
}

#[test]
fn ordinary_things_happen() {
    let rows = parsed(&ordinary(vec![StreamKind::CloudTrail], 20.0, 60_000));
    let count = |name: &str| rows.iter().filter(|(_, v)| text(v, "/eventName") == name).count();
    let expected = ["ConsoleLogin", "UpdateFunctionCode20150331v2", "RunInstances", "CreateSnapshot", "AssumeRole"];
    for name in expected {
        assert!(count(name) >= 10, "{name}: {}", count(name));
    }
    for name in ["StartSession", "CreateAccessKey", "AuthorizeSecurityGroupIngress", "SendCommand", "PutBucketPolicy"] {
        assert!(count(name) >= 1, "{name}");
    }
}

#[test]
fn functions_and_apis_are_quiet() {
    let rows = parsed(&ordinary(vec![StreamKind::Lambda, StreamKind::Api], 500.0, 200_000));
    let failed = rows.iter().filter(|(_, v)| matches!(text(v, "/record/status"), "error" | "timeout"));
    let failed = failed.map(|(time, v)| (*time, text(v, "/function_name"), text(v, "/record/requestId").to_string()));
    let most = most_distinct(failed, 5);
    assert!((1..4).contains(&most), "{most} failures of one function");

    let status = |value: &Value| value["status"].as_str().and_then(|s| s.parse().ok()).or(value["status"].as_i64());
    let refused = rows.iter().filter(|(_, v)| matches!(status(v), Some(401 | 403)));
    let refused = refused.map(|(time, v)| (*time, text(v, "/ip"), text(v, "/requestId").to_string()));
    let most = most_distinct(refused, 5);
    assert!((1..4).contains(&most), "{most} refusals of one address");

    let quoted = rows.iter().filter(|(_, v)| v["status"].is_string()).count();
    let plain = rows.iter().filter(|(_, v)| v["status"].is_i64()).count();
    assert!(quoted > 1_000 && plain > 1_000);
    assert!(rows.iter().any(|(_, v)| text(v, "/integrationLatency") == "-"));
}
