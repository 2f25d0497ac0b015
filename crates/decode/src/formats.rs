//! Which members of a record the columns of the built-in formats are made of.

use watchfire_record::Format;
use watchfire_record::json::PathStep;

use crate::plan::{Chain, ColumnPlan, LineField, Rule};
use crate::tree::{NodeId, Tree};

/// Where a record's own id may be.
pub(crate) fn event_id(format: Format, tree: &mut Tree) -> Vec<NodeId> {
    match format {
        Format::CloudTrail => vec![tree.dotted("eventID")],
        Format::Lambda | Format::Api => Vec::new(),
        // Every stream has the column; a declared one may leave it to the position.
        Format::Json => Vec::new(),
    }
}

/// The path of a JSON column; empty if `name` is none.
pub(crate) fn json_path(format: Format, name: &str) -> Vec<PathStep> {
    let key = match (format, name) {
        (Format::CloudTrail, "request") => "requestParameters",
        (Format::CloudTrail, "response") => "responseElements",
        (Format::CloudTrail, "additional") => "additionalEventData",
        (Format::CloudTrail, "resources") => "resources",
        (Format::CloudTrail, "user_identity") => "userIdentity",
        (Format::Lambda, "record") => "record",
        (Format::Json, name) => name,
        _ => return Vec::new(),
    };
    vec![PathStep::Key(key.into())]
}

/// Completes the plan of a column of a built-in format; it stays NULL if there is none of that name.
pub(crate) fn column(format: Format, name: &str, tree: &mut Tree, plan: &mut ColumnPlan) {
    match format {
        Format::CloudTrail => cloudtrail(name, tree, plan),
        Format::Lambda => lambda(name, tree, plan),
        Format::Api => api(name, tree, plan),
        Format::Json => {}
    }
}

fn chain(tree: &mut Tree, paths: &[&str]) -> Chain {
    Chain::new(paths.iter().map(|path| tree.dotted(path)).collect())
}

const TYPE: &str = "userIdentity.type";
const ARN: &str = "userIdentity.arn";
const ACCOUNT: &str = "userIdentity.accountId";
const NAME: &str = "userIdentity.userName";
const INVOKED_BY: &str = "userIdentity.invokedBy";
const ISSUER: &str = "userIdentity.sessionContext.sessionIssuer.arn";
const SESSION_MFA: &str = "userIdentity.sessionContext.attributes.mfaAuthenticated";

/// Who did it is the session's issuer, the user's ARN, or the service that acted; else type, account and user name, if
/// there is an account or a name; else the address.
fn cloudtrail(name: &str, tree: &mut Tree, plan: &mut ColumnPlan) {
    let paths: &[&str] = match name {
        "event_name" => &["eventName"],
        "event_source" => &["eventSource"],
        "region" => &["awsRegion"],
        "account_id" => &["recipientAccountId", ACCOUNT],
        "source_ip" => &["sourceIPAddress"],
        "user_agent" => &["userAgent"],
        "error_code" => &["errorCode"],
        "error_message" => &["errorMessage"],
        "event_type" => &["eventType"],
        "event_category" => &["eventCategory"],
        "read_only" => &["readOnly"],
        "user_type" => &[TYPE],
        "user_arn" => &[ARN],
        "user_name" => &[NAME],
        "user_account_id" => &[ACCOUNT],
        "access_key_id" => &["userIdentity.accessKeyId"],
        "issuer_arn" => &[ISSUER],
        "invoked_by" => &[INVOKED_BY],
        "mfa_used" => &["additionalEventData.MFAUsed", SESSION_MFA],
        "request" => &["requestParameters"],
        "response" => &["responseElements"],
        "additional" => &["additionalEventData"],
        "resources" => &["resources"],
        "user_identity" => &["userIdentity"],
        _ => return cloudtrail_derived(name, tree, plan),
    };
    plan.reads_text = matches!(name, "read_only" | "mfa_used");
    plan.rule = Rule::Chain(chain(tree, paths), LineField::None);
}

fn cloudtrail_derived(name: &str, tree: &mut Tree, plan: &mut ColumnPlan) {
    plan.rule = match name {
        "action" => Rule::Action(tree.dotted("eventName")),
        "session_name" => Rule::SessionName { user_type: tree.dotted(TYPE), arn: tree.dotted(ARN) },
        "principal" => Rule::Principal {
            stable: chain(tree, &[ISSUER, ARN, INVOKED_BY]),
            parts: [TYPE, ACCOUNT, NAME].map(|path| tree.dotted(path)),
            address: chain(tree, &["sourceIPAddress"]),
        },
        _ => return,
    };
}

/// Application logs, platform telemetry (its parts are in `record`), and text lines.
fn lambda(name: &str, tree: &mut Tree, plan: &mut ColumnPlan) {
    let (paths, field): (&[&str], _) = match name {
        "function_name" => {
            let paths = ["functionName", "function_name", "record.functionName"];
            plan.rule = Rule::FunctionName(chain(tree, &paths));
            return;
        }
        "request_id" => {
            (&["requestId", "record.requestId", "AWSRequestId", "function_request_id"], LineField::RequestId)
        }
        "level" => (&["level", "record.level"], LineField::Level),
        "message" => (&["message", "record.message"], LineField::Message),
        "type" => (&["type"], LineField::Kind),
        "status" => (&["status", "record.status"], LineField::Status),
        "duration_ms" => (&["record.metrics.durationMs"], LineField::Duration),
        "billed_ms" => (&["record.metrics.billedDurationMs"], LineField::Billed),
        "memory_mb" => (&["record.metrics.memorySizeMB"], LineField::Memory),
        "max_memory_mb" => (&["record.metrics.maxMemoryUsedMB"], LineField::MaxMemory),
        "init_ms" => (&["record.metrics.initDurationMs"], LineField::Init),
        "error_type" => (&["errorType", "record.errorType"], LineField::ErrorType),
        "record" => (&["record"], LineField::None),
        _ => return,
    };
    // A message may be an object: that is its type too.
    plan.flags_type = name != "message";
    plan.rule = Rule::Chain(chain(tree, paths), field);
}

/// Names are the user's choice; these are the usual ones.
fn api(name: &str, tree: &mut Tree, plan: &mut ColumnPlan) {
    let paths: &[&str] = match name {
        "api_id" => &["apiId"],
        "stage" => &["stage"],
        "request_id" => &["requestId"],
        "source_ip" => &["ip", "sourceIp", "identity.sourceIp"],
        "principal" => &[
            "authorizer.principalId",
            "authorizerPrincipalId",
            "principalId",
            "user",
            "caller",
            "identity.user",
            "identity.caller",
        ],
        "method" => &["httpMethod", "method"],
        "path" => &["path"],
        "resource_path" => &["resourcePath", "routeKey"],
        "status" => &["status"],
        "response_bytes" => &["responseLength"],
        "latency_ms" => &["integrationLatency", "responseLatency"],
        "user_agent" => &["userAgent", "identity.userAgent"],
        "authorizer_error" => &["authorizerError", "authorizer.error"],
        _ => return,
    };
    let mut chain = chain(tree, paths);
    chain.skip_dash = true;
    plan.rule = Rule::Chain(chain, LineField::None);
}

/// A name without the API's date and version at its end: `UpdateFunctionCode20150331v2`, `Invoke2015_03_31`. A `V2`
/// that belongs to the name stays (`ListObjectsV2`).
pub(crate) fn action(name: &str) -> &str {
    let bytes = name.as_bytes();
    let digits_from_end = |bytes: &[u8]| bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let version = digits_from_end(bytes);
    let before = &bytes[..bytes.len() - version];
    let unversioned = if version > 0 && before.ends_with(b"v") { &before[..before.len() - 1] } else { bytes };
    match date_length(unversioned).or_else(|| date_length(bytes)) {
        Some(length) if date_length(unversioned).is_some() => &name[..unversioned.len() - length],
        Some(length) => &name[..bytes.len() - length],
        None => name,
    }
}

/// How long the date at the end of `bytes` is: four digits of a year from 2000 on, two and two, each pair after an
/// optional `_`.
fn date_length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    for _ in 0..2 {
        rest = digits_off(rest, 2)?;
        rest = rest.strip_suffix(b"_").unwrap_or(rest);
    }
    let year = rest.get(rest.len().checked_sub(4)?..)?;
    let is_year = year.starts_with(b"20") && year.iter().all(u8::is_ascii_digit);
    is_year.then(|| bytes.len() - (rest.len() - 4))
}

fn digits_off(bytes: &[u8], count: usize) -> Option<&[u8]> {
    let (rest, digits) = bytes.split_at_checked(bytes.len().checked_sub(count)?)?;
    digits.iter().all(u8::is_ascii_digit).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_the_name_without_its_version() {
        for (name, expected) in [
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("CreateFunction20150331", "CreateFunction"),
            ("GetFunction2015_03_31v12", "GetFunction"),
            ("GetFunction2015_0331", "GetFunction"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("Invokev2", "Invokev2"),
            ("Invoke19990331", "Invoke19990331"),
            ("Invoke2015033v1", "Invoke2015033v1"),
            ("Invoke20150331v", "Invoke20150331v"),
            ("20150331", ""),
            ("A120150331", "A1"),
            ("é20150331v2", "é"),
            ("", ""),
        ] {
            assert_eq!(action(name), expected, "{name}");
        }
    }
}
