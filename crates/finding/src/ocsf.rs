//! A finding as an OCSF event of class 2004, Detection Finding.
//!
//! What the class has no place for goes to `unmapped`; where a finding came from stands in `evidences`, since the class
//! has no source of its own. `time` and `metadata.uid` tell one state of a finding from another; `finding_info.uid` is
//! the finding.

mod columns;

use serde_json::{Map, Value as Json, json};
use watchfire_record::{Finding, Severity, State, time};

use crate::attack;
use crate::json::{EvidenceLine, to_line};
use columns::Columns;

/// The version of OCSF that events are of.
pub const VERSION: &str = "1.8.0";

const CATEGORY: u32 = 2;
const CLASS: u32 = 2004;

/// A finding as an OCSF event; `now`, microseconds since the epoch, is when it is written.
#[must_use]
pub fn to_ocsf(finding: &Finding, now: i64) -> Json {
    let (activity_id, activity) = activity(finding);
    let (severity_id, severity) = severity(finding.detector.severity);
    let (status_id, status) = if finding.state == State::Withdrawn { (6, "Deleted") } else { (1, "New") };
    let mut columns = Columns::of(finding);
    let actor = columns.actor();
    let cloud = columns.cloud(&finding.detector.stream);
    let evidences = evidences(finding, &mut columns, actor.as_ref());
    let resources = columns.resources();
    let profiles: Vec<&str> = [("cloud", cloud.is_some()), ("host", actor.is_some())]
        .iter()
        .filter(|(_, used)| *used)
        .map(|(p, _)| *p)
        .collect();
    let mut event = json!({
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("Detection Finding: {activity}"),
        "time": millis(now),
        "start_time": millis(finding.first_event_time),
        "end_time": millis(finding.last_event_time),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": activity_id == 1,
        "message": message(finding),
        "finding_info": finding_info(finding, now),
        "metadata": metadata(finding, &profiles),
    });
    let observables = columns.observables(&evidences);
    let optional = [
        ("actor", actor),
        ("cloud", cloud),
        ("evidences", list(evidences)),
        ("resources", list(resources)),
        ("observables", list(observables)),
        ("remediation", finding.detector.response.as_ref().map(|text| json!({ "desc": text }))),
        ("unmapped", Some(unmapped(finding, &columns))),
    ];
    let members = event.as_object_mut().expect("it was written as an object");
    members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    event
}

/// The same as one JSON line, without the line's end.
#[must_use]
pub fn to_ocsf_line(finding: &Finding, now: i64) -> String {
    to_line(&to_ocsf(finding, now))
}

fn activity(finding: &Finding) -> (u32, &'static str) {
    match finding.state {
        State::Withdrawn => (3, "Close"),
        State::New => (1, "Create"),
        State::Final if finding.revision == 1 => (1, "Create"),
        State::Updated | State::Final => (2, "Update"),
    }
}

fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}

fn list(elements: Vec<Json>) -> Option<Json> {
    if elements.is_empty() { None } else { Some(Json::Array(elements)) }
}

fn message(finding: &Finding) -> String {
    let keys: Vec<String> = finding.keys.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if keys.is_empty() {
        finding.detector.title.clone()
    } else {
        format!("{}: {}", finding.detector.title, keys.join(", "))
    }
}

fn finding_info(finding: &Finding, now: i64) -> Json {
    let detector = &*finding.detector;
    let mut tactics: Vec<&str> =
        detector.attack.iter().filter_map(|id| attack::technique(id)).map(|technique| technique.tactic.name).collect();
    tactics.dedup();
    let mut info = json!({
        "uid": finding.finding_id.to_string(),
        "title": detector.title,
        "desc": detector.about,
        "first_seen_time": millis(finding.first_event_time),
        "last_seen_time": millis(finding.last_event_time),
        "analytic": {
            "name": detector.name, "uid": detector.name, "type_id": 1, "type": "Rule", "version": detector.version,
        },
        "attacks": detector.attack.iter().map(|id| attack_object(id)).collect::<Vec<_>>(),
        "types": tactics,
    });
    // Of a later state only the change is known here; when the finding was made, the first event says.
    info[if finding.revision == 1 { "created_time" } else { "modified_time" }] = millis(now).into();
    info
}

fn attack_object(id: &str) -> Json {
    let named = |id: &str| match attack::technique(id) {
        Some(technique) => json!({ "uid": id, "name": technique.name }),
        None => json!({ "uid": id }),
    };
    let mut object = json!({ "version": attack::VERSION, "technique": named(attack::parent(id).unwrap_or(id)) });
    if attack::parent(id).is_some() {
        object["sub_technique"] = named(id);
    }
    if let Some(technique) = attack::technique(id) {
        object["tactic"] = json!({ "uid": technique.tactic.id, "name": technique.tactic.name });
    }
    object
}

fn metadata(finding: &Finding, profiles: &[&str]) -> Json {
    json!({
        "version": VERSION,
        "uid": format!("{}/{}", finding.finding_id, finding.revision),
        "correlation_uid": finding.finding_id.to_string(),
        "log_name": finding.detector.stream,
        "product": { "name": "Watchfire", "vendor_name": "Watchfire", "version": env!("CARGO_PKG_VERSION") },
        "profiles": profiles,
    })
}

/// First, if it is known, who did what from where; then each record that the finding rests on.
fn evidences(finding: &Finding, columns: &mut Columns, actor: Option<&Json>) -> Vec<Json> {
    let mut origin = columns.origin();
    if !origin.is_empty() {
        origin.insert("name".into(), "origin".into());
        origin.extend(actor.map(|actor| ("actor".to_owned(), actor.clone())));
    }
    let origin = if origin.is_empty() { None } else { Some(Json::Object(origin)) };
    let records = finding.evidence.iter().map(|evidence| {
        json!({ "name": "record", "uid": evidence.event_id, "data": serde_json::to_value(EvidenceLine::of(evidence)).unwrap_or_default() })
    });
    origin.into_iter().chain(records).collect()
}

fn unmapped(finding: &Finding, columns: &Columns) -> Json {
    json!({
        "state": finding.state,
        "revision": finding.revision,
        "window": finding.window.map(time::format),
        "window_end": finding.window_end.map(time::format),
        "complete": finding.complete,
        "columns": Json::Object(columns.unmapped().into_iter().collect::<Map<_, _>>()),
    })
}

#[cfg(test)]
mod tests;
