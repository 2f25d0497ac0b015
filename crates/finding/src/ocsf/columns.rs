//! Which columns of a finding have a place of their own in OCSF.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use watchfire_record::{Finding, Value};

use crate::json::unique_names;

/// A finding's keys and row; each column once, and whether it has found its place.
pub(super) struct Columns {
    columns: Vec<(Arc<str>, Value)>,
    mapped: Vec<bool>,
    observables: Vec<Json>,
}

impl Columns {
    pub(super) fn of(finding: &Finding) -> Self {
        let mut columns: Vec<(Arc<str>, Value)> = Vec::new();
        for column in finding.keys.iter().chain(&finding.row) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        Self { mapped: vec![false; columns.len()], columns, observables: Vec::new() }
    }

    /// Who did it.
    pub(super) fn actor(&mut self) -> Option<Json> {
        let mut user = Map::new();
        self.take("principal", &mut user, "uid");
        let arn = if user.contains_key("uid") { "uid_alt" } else { "uid" };
        self.take("user_arn", &mut user, arn);
        self.take("user_name", &mut user, "name");
        let mut account = Map::new();
        self.take("user_account_id", &mut account, "uid");
        insert(&mut user, "account", account);
        if !user.is_empty() {
            self.user_type(&mut user);
        }
        for (member, type_id, kind) in [("uid", 31, "User: uid"), ("name", 4, "User Name")] {
            self.observe(&format!("actor.user.{member}"), type_id, kind, user.get(member));
        }
        let mut session = Map::new();
        self.take("session_name", &mut session, "uid");
        self.take("access_key_id", &mut session, "credential_uid");
        self.take("issuer_arn", &mut session, "issuer");
        self.take_boolean("mfa_used", &mut session, "is_mfa");
        self.observe("actor.session.credential_uid", 19, "User Credential ID", session.get("credential_uid"));
        let mut actor = Map::new();
        insert(&mut actor, "user", user);
        insert(&mut actor, "session", session);
        self.take("invoked_by", &mut actor, "invoked_by");
        non_empty(actor)
    }

    fn user_type(&mut self, user: &mut Map<String, Json>) {
        let Some(kind) = self.text("user_type") else { return };
        let (type_id, name) = match kind.as_str() {
            "IAMUser" | "IdentityCenterUser" => (1, "User"),
            "Root" => (2, "Admin"),
            "AWSService" => (4, "Service"),
            other => (99, other),
        };
        user.insert("type_id".into(), type_id.into());
        user.insert("type".into(), name.into());
        // Two kinds share a name in OCSF: what the log said is kept beside it.
        if type_id == 99 {
            self.mark("user_type");
        }
    }

    /// Where it happened. Streams of the cloud that we know are its own; of others only a region or account tells.
    pub(super) fn cloud(&mut self, stream: &str) -> Option<Json> {
        let is_aws = matches!(stream, "cloudtrail" | "lambda" | "api");
        let mut account = Map::new();
        self.take("account_id", &mut account, "uid");
        self.observe("cloud.account.uid", 35, "Account: uid", account.get("uid"));
        let mut cloud = Map::new();
        insert(&mut cloud, "account", account);
        self.take("region", &mut cloud, "region");
        if cloud.is_empty() && !is_aws {
            return None;
        }
        cloud.insert("provider".into(), if is_aws { "AWS" } else { "Unknown" }.into());
        non_empty(cloud)
    }

    /// From where it was done, and what: the members of an evidence.
    pub(super) fn origin(&mut self) -> Map<String, Json> {
        let mut origin = Map::new();
        if self.text("source_ip").is_some_and(|text| text.parse::<IpAddr>().is_ok()) {
            let mut endpoint = Map::new();
            self.take("source_ip", &mut endpoint, "ip");
            insert(&mut origin, "src_endpoint", endpoint);
        }
        let mut api = Map::new();
        self.take("event_name", &mut api, "operation");
        if api.is_empty() {
            self.take("action", &mut api, "operation");
        }
        if !api.is_empty() {
            let mut service = Map::new();
            self.take("event_source", &mut service, "name");
            insert(&mut api, "service", service);
        }
        insert(&mut origin, "api", api);
        origin
    }

    /// What it was done to.
    pub(super) fn resources(&mut self) -> Vec<Json> {
        let mut resources = Vec::new();
        for (column, member, kind) in [("function_name", "name", "function"), ("api_id", "uid", "api")] {
            let mut resource = Map::new();
            self.take(column, &mut resource, member);
            if !resource.is_empty() {
                resource.insert("type".into(), kind.into());
                resources.push(Json::Object(resource));
            }
        }
        resources
    }

    /// What to pivot on, each with the place in the event where it stands.
    pub(super) fn observables(&mut self, evidences: &[Json]) -> Vec<Json> {
        let ip = evidences.first().and_then(|evidence| evidence.pointer("/src_endpoint/ip"));
        self.observe("evidences[0].src_endpoint.ip", 2, "IP Address", ip);
        std::mem::take(&mut self.observables)
    }

    /// Columns without a place of their own.
    pub(super) fn unmapped(&self) -> Vec<(String, Json)> {
        let names = unique_names(&self.columns);
        let rest = names.into_iter().zip(&self.columns).zip(&self.mapped).filter(|(_, mapped)| !**mapped);
        rest.map(|((name, (_, value)), _)| (name.into_owned(), serde_json::to_value(value).unwrap_or_default()))
            .collect()
    }

    fn observe(&mut self, name: &str, type_id: u32, kind: &str, value: Option<&Json>) {
        if let Some(value) = value {
            self.observables.push(json!({ "name": name, "type_id": type_id, "type": kind, "value": value }));
        }
    }

    /// Moves a column's text to `object`, unless it is missing or empty.
    fn take(&mut self, column: &str, object: &mut Map<String, Json>, member: &str) {
        if let Some(text) = self.text(column) {
            object.insert(member.into(), text.into());
            self.mark(column);
        }
    }

    fn take_boolean(&mut self, column: &str, object: &mut Map<String, Json>, member: &str) {
        let value = self.place(column).map(|at| &self.columns[at].1);
        if let Some(Value::Boolean(value)) = value {
            object.insert(member.into(), (*value).into());
            self.mark(column);
        }
    }

    fn text(&self, column: &str) -> Option<String> {
        let at = self.place(column)?;
        let text = self.columns[at].1.to_string();
        if text.is_empty() { None } else { Some(text) }
    }

    /// The first column of a name that is not NULL.
    fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|(name, value)| &**name == column && *value != Value::Null)
    }

    fn mark(&mut self, column: &str) {
        if let Some(at) = self.place(column) {
            self.mapped[at] = true;
        }
    }
}

fn insert(object: &mut Map<String, Json>, name: &str, members: Map<String, Json>) {
    object.extend(non_empty(members).map(|members| (name.to_owned(), members)));
}

fn non_empty(object: Map<String, Json>) -> Option<Json> {
    if object.is_empty() { None } else { Some(Json::Object(object)) }
}
