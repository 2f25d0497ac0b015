//! The slow twin: one bare record decoded with `serde_json` alone, in the obvious way, after the same repair pass.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use watchfire_record::batch::flags;
use watchfire_record::json::{self, PathStep};
use watchfire_record::{ColumnRequest, ColumnSource, ColumnType, Format, Position};

use crate::formats;
use crate::repair::repair;
use crate::times::{self, Unit};

/// A JSON value that still has its duplicate members.
#[derive(Debug, Clone)]
enum Tree {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(Number::from_f64(value).expect("serde_json gives finite numbers")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element()? {
            elements.push(element);
        }
        Ok(Tree::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

/// Members of a record. `serde_json` takes 127 levels, so the record's own level is taken off first.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl Tree {
    fn record(text: &str) -> Option<Self> {
        let members: Members<'_> = serde_json::from_str(text).ok()?;
        let members = members.0.into_iter();
        members
            .map(|(key, raw)| Some((key, serde_json::from_str(raw.get()).ok()?)))
            .collect::<Option<_>>()
            .map(Self::Object)
    }

    fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => (*value).into(),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => text.as_str().into(),
            Self::Array(elements) => elements.iter().map(Self::value).collect(),
            Self::Object(members) => {
                let mut map = Map::new();
                for (key, value) in members {
                    map.insert(key.clone(), value.value());
                }
                Value::Object(map)
            }
        }
    }

    /// The value at a path if it is not `null`; sets `twice` if a member on the way is there twice.
    fn at(&self, path: &[PathStep], twice: &mut bool) -> Option<&Self> {
        let Some((step, rest)) = path.split_first() else {
            return (!matches!(self, Self::Null)).then_some(self);
        };
        match (step, self) {
            (PathStep::Key(key), Self::Object(members)) => {
                *twice |= members.iter().filter(|(name, _)| name == key).count() > 1;
                members.iter().rfind(|(name, _)| name == key)?.1.at(rest, twice)
            }
            (PathStep::Index(index), Self::Array(elements)) => {
                elements[json::array_index(*index, elements.len())?].at(rest, twice)
            }
            _ => None,
        }
    }

    fn text(&self) -> String {
        json::text(&self.value()).expect("not null")
    }
}

/// One value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Time(i64),
}

/// A decoded record.
#[derive(Debug, PartialEq)]
pub(crate) struct SlowRow {
    pub(crate) event_time: i64,
    pub(crate) flags: u16,
    pub(crate) cells: Vec<Cell>,
}

/// Why there is no row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum No {
    Object,
    EventTime,
}

/// Decodes a payload that is one record of a built-in format.
pub(crate) fn decode(
    format: Format,
    columns: &[ColumnRequest],
    text: &[u8],
    position: &Position,
) -> Result<SlowRow, No> {
    let (repaired, mut flags) = repair(text).unwrap_or_else(|| (text.to_vec(), 0));
    let repaired = String::from_utf8(repaired).expect("repaired");
    let record = Tree::record(&repaired).ok_or(No::Object)?;
    let mut state = State { record: &record, format, twice: false, wrong: false, position };
    let event_time = state.event_time().ok_or(No::EventTime)?;
    let cells = columns.iter().map(|column| state.cell(column, event_time, &repaired)).collect();
    flags |= if state.twice { flags::DUPLICATE_KEY } else { 0 };
    flags |= if state.wrong { flags::WRONG_TYPE } else { 0 };
    Ok(SlowRow { event_time, flags, cells })
}

struct State<'a> {
    record: &'a Tree,
    format: Format,
    twice: bool,
    wrong: bool,
    position: &'a Position,
}

fn steps(path: &str) -> Vec<PathStep> {
    path.split('.').map(|key| PathStep::Key(key.into())).collect()
}

impl<'a> State<'a> {
    fn at(&mut self, path: &str) -> Option<&'a Tree> {
        self.record.at(&steps(path), &mut self.twice)
    }

    fn event_time(&mut self) -> Option<i64> {
        let (paths, unit) = match self.format {
            Format::CloudTrail => (vec!["eventTime"], Unit::ByMagnitude),
            Format::Lambda => (vec!["timestamp", "time"], Unit::ByMagnitude),
            _ => (vec!["requestTimeEpoch", "requestTime"], Unit::ByMagnitude),
        };
        let values: Vec<_> = paths.iter().map(|path| (*path, self.at(path))).collect();
        values.into_iter().find_map(|(path, value)| {
            let unit = if path == "requestTimeEpoch" { Unit::Milliseconds } else { unit };
            time(value?, unit)
        })
    }

    /// The first of several paths that is neither missing nor, among several, empty; all of them are looked at.
    fn chain(&mut self, paths: &[&str]) -> Option<&'a Tree> {
        let values: Vec<_> = paths.iter().map(|path| self.at(path)).collect();
        let is_api = self.format == Format::Api;
        values.into_iter().flatten().find(|value| match value {
            Tree::Text(text) => !(text.is_empty() && paths.len() > 1 || text == "-" && is_api),
            _ => true,
        })
    }

    fn cell(&mut self, column: &ColumnRequest, event_time: i64, raw: &str) -> Cell {
        let name = match &column.source {
            ColumnSource::Column(name) => name.as_str(),
            ColumnSource::Path(name, path) => return self.path(name, path),
            ColumnSource::LookUp(_) => return Cell::Null,
        };
        match name {
            "event_time" => return Cell::Time(event_time),
            "raw" => return Cell::Text(raw.into()),
            "event_id" => return Cell::Text(self.event_id()),
            "action" => return self.action(),
            "session_name" => return self.session_name(),
            "principal" if self.format == Format::CloudTrail => return self.principal(),
            _ => {}
        }
        let value = self.chain(paths(self.format, name));
        let Some(value) = value else { return Cell::Null };
        let lenient = self.format == Format::Api || name == "read_only" || name == "mfa_used";
        let cell = match (column.column_type, value) {
            (ColumnType::Json, value) => return Cell::Text(value.value().to_string()),
            (ColumnType::Text, Tree::Text(text)) => return Cell::Text(text.clone()),
            (ColumnType::Text, value) => {
                self.wrong |= name != "message";
                return Cell::Text(value.text());
            }
            (_, Tree::Text(text)) if lenient && text.is_empty() => return Cell::Null,
            (column_type, Tree::Text(text)) if lenient => typed_text(column_type, text),
            (column_type, value) => typed(column_type, value),
        };
        self.wrong |= cell == Cell::Null;
        cell
    }

    fn path(&mut self, name: &str, path: &[PathStep]) -> Cell {
        let mut all = steps(paths(self.format, name)[0]);
        all.extend_from_slice(path);
        self.record.at(&all, &mut self.twice).map_or(Cell::Null, |value| Cell::Text(value.text()))
    }

    fn event_id(&mut self) -> String {
        let own = if self.format == Format::CloudTrail { self.at("eventID") } else { None };
        match own {
            Some(Tree::Text(text)) if !text.is_empty() => text.clone(),
            Some(Tree::Text(_)) | None => self.position.to_string(),
            Some(other) => {
                self.wrong = true;
                other.text()
            }
        }
    }

    fn action(&mut self) -> Cell {
        match self.at("eventName") {
            None => Cell::Null,
            Some(Tree::Text(text)) => Cell::Text(formats::action(text).into()),
            Some(other) => {
                self.wrong = true;
                Cell::Text(other.text())
            }
        }
    }

    fn session_name(&mut self) -> Cell {
        let (kind, arn) = (self.at("userIdentity.type"), self.at("userIdentity.arn"));
        let Some(Tree::Text(arn)) = arn else { return Cell::Null };
        let is_role = matches!(kind, Some(Tree::Text(kind)) if kind == "AssumedRole") || arn.contains(":assumed-role/");
        match arn.rfind('/') {
            Some(slash) if is_role => Cell::Text(arn[slash + 1..].into()),
            _ => Cell::Null,
        }
    }

    fn principal(&mut self) -> Cell {
        let paths = ["userIdentity.sessionContext.sessionIssuer.arn", "userIdentity.arn", "userIdentity.invokedBy"];
        let stable = self.chain(&paths);
        let parts = ["userIdentity.type", "userIdentity.accountId", "userIdentity.userName"];
        let parts = parts.map(|path| self.chain(&[path, ""]));
        let address = self.chain(&["sourceIPAddress", ""]);
        let mut shown = |value: &Tree| {
            self.wrong |= !matches!(value, Tree::Text(_));
            value.text()
        };
        if let Some(stable) = stable {
            return Cell::Text(shown(stable));
        }
        if parts[1].is_some() || parts[2].is_some() {
            let all = parts.map(|part| part.map(&mut shown).unwrap_or_default());
            let cut = if parts[2].is_some() { 3 } else { 2 };
            return Cell::Text(all[..cut].join(":"));
        }
        address.map_or(Cell::Null, |address| Cell::Text(shown(address)))
    }
}

fn time(value: &Tree, unit: Unit) -> Option<i64> {
    match value {
        Tree::Text(text) => times::from_text(text, unit),
        Tree::Number(number) => match number.as_i64() {
            Some(number) => times::from_integer(number, unit),
            None if number.is_u64() => None,
            None => times::from_float(number.as_f64()?, unit),
        },
        _ => None,
    }
}

fn typed(column_type: ColumnType, value: &Tree) -> Cell {
    match (column_type, value) {
        (ColumnType::Boolean, Tree::Boolean(value)) => Cell::Boolean(*value),
        (ColumnType::Float, Tree::Number(number)) => number.as_f64().map_or(Cell::Null, Cell::Float),
        (ColumnType::Integer, Tree::Number(number)) => match (number.as_i64(), number.is_f64(), number.as_f64()) {
            (Some(number), _, _) => Cell::Integer(number),
            (None, true, Some(number)) => whole(number),
            _ => Cell::Null,
        },
        _ => Cell::Null,
    }
}

fn typed_text(column_type: ColumnType, text: &str) -> Cell {
    let float = || text.parse::<f64>().ok().filter(|number| number.is_finite());
    match column_type {
        ColumnType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" => Cell::Boolean(true),
            "false" | "no" => Cell::Boolean(false),
            _ => Cell::Null,
        },
        ColumnType::Float => float().map_or(Cell::Null, Cell::Float),
        ColumnType::Integer => match text.parse() {
            Ok(number) => Cell::Integer(number),
            Err(_) => float().map_or(Cell::Null, whole),
        },
        _ => Cell::Null,
    }
}

fn whole(number: f64) -> Cell {
    let limit = 2f64.powi(63);
    if number.trunc() == number && number >= -limit && number < limit {
        Cell::Integer(number as i64)
    } else {
        Cell::Null
    }
}

/// Where the plain columns are, as the design's text has them.
fn paths(format: Format, name: &str) -> &'static [&'static str] {
    match format {
        Format::CloudTrail => cloudtrail_paths(name),
        Format::Lambda => lambda_paths(name),
        Format::Api | Format::Json => api_paths(name),
    }
}

fn cloudtrail_paths(name: &str) -> &'static [&'static str] {
    match name {
        "event_name" => &["eventName"],
        "event_source" => &["eventSource"],
        "region" => &["awsRegion"],
        "account_id" => &["recipientAccountId", "userIdentity.accountId"],
        "source_ip" => &["sourceIPAddress"],
        "user_agent" => &["userAgent"],
        "error_code" => &["errorCode"],
        "error_message" => &["errorMessage"],
        "event_type" => &["eventType"],
        "event_category" => &["eventCategory"],
        "read_only" => &["readOnly"],
        "user_type" => &["userIdentity.type"],
        "user_arn" => &["userIdentity.arn"],
        "user_name" => &["userIdentity.userName"],
        "user_account_id" => &["userIdentity.accountId"],
        "access_key_id" => &["userIdentity.accessKeyId"],
        "issuer_arn" => &["userIdentity.sessionContext.sessionIssuer.arn"],
        "invoked_by" => &["userIdentity.invokedBy"],
        "mfa_used" => &["additionalEventData.MFAUsed", "userIdentity.sessionContext.attributes.mfaAuthenticated"],
        "request" => &["requestParameters"],
        "response" => &["responseElements"],
        "additional" => &["additionalEventData"],
        "resources" => &["resources"],
        "user_identity" => &["userIdentity"],
        other => panic!("{other}"),
    }
}

fn lambda_paths(name: &str) -> &'static [&'static str] {
    match name {
        "function_name" => &["functionName", "function_name", "record.functionName"],
        "request_id" => &["requestId", "record.requestId", "AWSRequestId", "function_request_id"],
        "level" => &["level", "record.level"],
        "message" => &["message", "record.message"],
        "type" => &["type"],
        "status" => &["status", "record.status"],
        "duration_ms" => &["record.metrics.durationMs"],
        "billed_ms" => &["record.metrics.billedDurationMs"],
        "memory_mb" => &["record.metrics.memorySizeMB"],
        "max_memory_mb" => &["record.metrics.maxMemoryUsedMB"],
        "init_ms" => &["record.metrics.initDurationMs"],
        "error_type" => &["errorType", "record.errorType"],
        "record" => &["record"],
        other => panic!("{other}"),
    }
}

fn api_paths(name: &str) -> &'static [&'static str] {
    match name {
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
        other => panic!("{other}"),
    }
}
