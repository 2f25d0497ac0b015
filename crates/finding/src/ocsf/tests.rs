//! Events are held to the needed part of the published schema, kept as data in `tests/data/ocsf-2004.json`.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use watchfire_record::{DetectorInfo, FindingId};

use super::*;
use crate::samples::{at, columns, detector, finding, numbered, text, with_detector};
use watchfire_record::Value;

const NOW: i64 = 1_795_600_000_123_456;

fn schema() -> Json {
    serde_json::from_str(include_str!("../../tests/data/ocsf-2004.json")).unwrap()
}

/// All that is wrong with an event, each with its place.
fn faults(event: &Json) -> Vec<String> {
    let schema = schema();
    let mut faults = Vec::new();
    check_object(&schema, &schema["class"], "", event, &mut faults);
    if event["type_uid"].as_u64() != Some(200_400 + event["activity_id"].as_u64().unwrap_or(99)) {
        faults.push("type_uid is not class_uid * 100 + activity_id".into());
    }
    for observable in event["observables"].as_array().into_iter().flatten() {
        let place = observable["name"].as_str().unwrap_or("?");
        let pointer = format!("/{}", place.replace('[', "/").replace(']', "").replace('.', "/"));
        if event.pointer(&pointer) != Some(&observable["value"]) {
            faults.push(format!("observable {place} has another value than its place"));
        }
    }
    faults
}

fn check_object(schema: &Json, kind: &Json, place: &str, value: &Json, faults: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return faults.push(format!("{place} is no object")) };
    let attributes = kind["attributes"].as_object().unwrap();
    for (name, attribute) in attributes {
        if attribute["requirement"] == "required" && !members.contains_key(name) {
            faults.push(format!("{place}.{name} is missing"));
        }
    }
    let needs_one = kind["at_least_one"].as_array();
    if needs_one.is_some_and(|names| !names.iter().any(|name| members.contains_key(name.as_str().unwrap()))) {
        faults.push(format!("{place} has none of its {needs_one:?}"));
    }
    for (name, value) in members {
        let place = format!("{place}.{name}");
        let Some(attribute) = attributes.get(name) else {
            faults.push(format!("{place} is not in the schema"));
            continue;
        };
        match value.as_array().filter(|_| attribute["array"] == true) {
            Some(elements) => elements.iter().for_each(|value| check(schema, attribute, &place, value, faults)),
            None if attribute["array"] == true => faults.push(format!("{place} is no array")),
            None => check(schema, attribute, &place, value, faults),
        }
    }
}

fn check(schema: &Json, attribute: &Json, place: &str, value: &Json, faults: &mut Vec<String>) {
    let is_right = match attribute["type"].as_str().unwrap() {
        "string_t" => value.is_string(),
        "integer_t" | "long_t" => value.is_i64() || value.is_u64(),
        "timestamp_t" => value.as_i64().is_some_and(|millis| (0..=253_402_300_799_999).contains(&millis)),
        "boolean_t" => value.is_boolean(),
        "ip_t" => value.as_str().is_some_and(|text| text.len() <= 40 && text.parse::<IpAddr>().is_ok()),
        "any" => true,
        object => {
            let kind = &schema["objects"][object.strip_prefix("object:").unwrap()];
            return check_object(schema, kind, place, value, faults);
        }
    };
    let is_listed = attribute["enum"].as_array().is_none_or(|listed| listed.contains(value));
    if !(is_right && is_listed) {
        faults.push(format!("{place} is {value}, not {attribute}"));
    }
}

fn event(finding: &Finding) -> Json {
    let event = to_ocsf(finding, NOW);
    assert_eq!(faults(&event), [""; 0], "{event:#}");
    event
}

#[test]
fn the_schema_is_of_the_version_that_we_name() {
    assert_eq!(schema()["version"], VERSION);
    let mut broken = to_ocsf(&finding(), NOW);
    broken["severity_id"] = 7.into();
    broken["finding_info"].as_object_mut().unwrap().remove("uid");
    broken["surprise"] = true.into();
    assert_eq!(faults(&broken).len(), 3);
}

#[test]
fn a_finding_is_a_detection_finding() {
    let event = event(&finding());
    assert_eq!(event["time"], 1_795_600_000_123_i64);
    assert_eq!(event["message"], "Console password guessed: principal arn:aws:iam::123456789012:user/alice");
    let info = &event["finding_info"];
    assert_eq!(info["uid"], "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
    assert_eq!(info["first_seen_time"], at("2026-11-24T14:00:07Z") / 1000);
    let guessing = json!({
        "version": "18.0",
        "technique": { "uid": "T1110", "name": "Brute Force" },
        "sub_technique": { "uid": "T1110.001", "name": "Password Guessing" },
        "tactic": { "uid": "TA0006", "name": "Credential Access" },
    });
    assert_eq!(info["attacks"][0], guessing);
    assert_eq!(info["types"], json!(["Credential Access", "Initial Access"]));
    assert_eq!(event["actor"], json!({ "user": { "uid": "arn:aws:iam::123456789012:user/alice" } }));
    assert_eq!(event["cloud"], json!({ "region": "eu-west-1", "provider": "AWS" }));
    assert_eq!(event["evidences"][0]["src_endpoint"], json!({ "ip": "198.51.100.7" }));
    assert_eq!(event["evidences"][1]["data"]["offset"], 1001);
    assert_eq!(event["unmapped"]["columns"], json!({ "failures": 42 }));
    assert_eq!(event["metadata"]["profiles"], json!(["cloud", "host"]));
    assert_eq!(event["observables"].as_array().map(Vec::len), Some(2));
}

#[test]
fn states_are_activities() {
    for (state, revision, type_uid, status, is_alert) in [
        (State::New, 1, 200_401, "New", true),
        (State::Final, 1, 200_401, "New", true),
        (State::Updated, 2, 200_402, "New", false),
        (State::Final, 3, 200_402, "New", false),
        (State::Withdrawn, 2, 200_403, "Deleted", false),
    ] {
        let event = event(&Finding { state, revision, ..finding() });
        assert_eq!(event["type_uid"], type_uid);
        assert_eq!((&event["status"], &event["is_alert"]), (&status.into(), &is_alert.into()));
        let info = &event["finding_info"];
        assert_eq!(
            (info.get("created_time").is_some(), info.get("modified_time").is_some()),
            (revision == 1, revision != 1)
        );
    }
    for (i, severity) in Severity::ALL.into_iter().enumerate() {
        assert_eq!(event(&with_detector(|d| d.severity = severity))["severity_id"], i + 1);
    }
}

#[test]
fn columns_find_their_place_or_stay_unmapped() {
    let mut finding = finding();
    finding.keys.clear();
    finding.row = columns(vec![
        ("principal", text("arn:aws:iam::1:role/deploy")),
        ("user_arn", text("arn:aws:sts::1:assumed-role/deploy/ci")),
        ("user_name", text("")),
        ("user_type", text("AssumedRole")),
        ("session_name", text("ci")),
        ("access_key_id", text("ASIAX")),
        ("mfa_used", Value::Boolean(false)),
        ("account_id", Value::Integer(123)),
        ("source_ip", text("AWS Internal")),
        ("event_name", text("PutUserPolicy")),
        ("event_source", text("iam.amazonaws.com")),
        ("function_name", text("pay")),
        ("region", Value::Null),
        ("region", text("us-east-1")),
        ("region", text("eu-west-1")),
    ]);
    let event = event(&finding);
    let user = json!({
        "uid": "arn:aws:iam::1:role/deploy", "uid_alt": "arn:aws:sts::1:assumed-role/deploy/ci",
        "type_id": 99, "type": "AssumedRole",
    });
    assert_eq!(event["actor"]["user"], user);
    assert_eq!(event["actor"]["session"], json!({ "uid": "ci", "credential_uid": "ASIAX", "is_mfa": false }));
    assert_eq!(event["cloud"], json!({ "account": { "uid": "123" }, "region": "us-east-1", "provider": "AWS" }));
    assert_eq!(
        event["evidences"][0]["api"],
        json!({ "operation": "PutUserPolicy", "service": { "name": "iam.amazonaws.com" } })
    );
    assert_eq!(event["resources"], json!([{ "name": "pay", "type": "function" }]));
    let unmapped = json!({ "user_name": "", "source_ip": "AWS Internal", "region": null, "region_3": "eu-west-1" });
    assert_eq!(event["unmapped"]["columns"], unmapped);
}

#[test]
fn a_finding_of_an_unknown_stream_without_anything_is_valid() {
    let mut finding = with_detector(|d| {
        d.stream = "pods".into();
        d.attack = vec!["T9999.001".into()];
        d.response = None;
    });
    (finding.keys, finding.row, finding.evidence) = (vec![], vec![], vec![]);
    let event = event(&finding);
    assert_eq!(event["finding_info"]["attacks"][0]["technique"], json!({ "uid": "T9999" }));
    assert!(["actor", "cloud", "evidences", "observables"].iter().all(|name| event.get(name).is_none()), "{event:#}");
}

const NAMES: [&str; 16] = [
    "principal",
    "user_arn",
    "user_name",
    "user_type",
    "user_account_id",
    "session_name",
    "access_key_id",
    "mfa_used",
    "invoked_by",
    "account_id",
    "region",
    "source_ip",
    "event_name",
    "event_source",
    "function_name",
    "other",
];

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Unsigned),
        any::<f64>().prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
        Just(Value::Text("2001:db8::1".into())),
        Just(Value::Text("Root".into())),
        (0..253_402_300_799_999_999i64).prop_map(Value::Time),
    ]
}

fn any_columns() -> impl Strategy<Value = Vec<(Arc<str>, Value)>> {
    prop::collection::vec((prop::sample::select(&NAMES[..]).prop_map(Arc::from), any_value()), 0..12)
}

proptest! {
    #[test]
    fn every_finding_is_a_valid_event(
        keys in any_columns(), row in any_columns(), state in 0usize..4, revision in 1u32..4, severity in 0usize..5,
        stream in prop::sample::select(vec!["cloudtrail", "api", "pods"]), id in any::<[u8; 16]>(), title in any::<String>(),
    ) {
        let state = [State::New, State::Updated, State::Final, State::Withdrawn][state];
        let severity = Severity::ALL[severity];
        let detector = Arc::new(DetectorInfo { stream: stream.into(), severity, title, ..detector() });
        let finding = Finding { finding_id: FindingId(id), keys, row, state, revision, detector, ..numbered(0) };
        let event = to_ocsf(&finding, NOW);
        prop_assert_eq!(faults(&event), Vec::<String>::new());
        let line = to_ocsf_line(&finding, NOW);
        prop_assert!(!line.chars().any(char::is_control));
        let read: Json = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(read["message"].as_str(), event["message"].as_str());
    }
}
