//! Access logs of the APIs, in a JSON format of the estate's own as API Gateway lets its users choose one.

use crate::estate::Place;
use crate::estate::agents;
use crate::lambda::Line;
use crate::moment::{Moments, push_number};
use crate::random::{Random, mix};
use crate::template::push_escaped;

/// Addresses that clients come from; each meets a refusal at most once in so many refusals.
const CLIENTS: u64 = 1 << 20;

const ROUTES: &[(&str, &str)] = &[
    ("GET", "/orders/{id}"),
    ("GET", "/orders"),
    ("POST", "/orders"),
    ("GET", "/products/{id}"),
    ("GET", "/products"),
    ("GET", "/products/{id}/reviews"),
    ("POST", "/carts/{id}/items"),
    ("DELETE", "/carts/{id}/items/{item}"),
    ("GET", "/users/{id}/profile"),
    ("PUT", "/users/{id}/profile"),
    ("POST", "/sessions"),
    ("GET", "/invoices/{id}"),
    ("GET", "/search"),
    ("POST", "/payments"),
    ("GET", "/health"),
    ("GET", "/stock/{id}"),
    ("POST", "/webhooks/{id}"),
];

/// A request, before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    pub address: &'a str,
    pub agent: &'a str,
    pub method: &'a str,
    pub route: &'a str,
    pub path: &'a str,
    /// Empty for none.
    pub user: &'a str,
    pub status: i64,
    pub bytes: i64,
    pub latency_ms: i64,
    pub account: &'a str,
    pub api: &'a str,
}

/// Those who use the APIs.
#[derive(Debug)]
pub(crate) struct Clients {
    seed: u64,
    refusals: u64,
}

impl Clients {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, refusals: 0 }
    }

    /// An ordinary request at `time` (microseconds).
    pub(crate) fn next(&mut self, time: i64, place: &Place, random: &mut Random, moments: &mut Moments) -> Line {
        let (method, route) = ROUTES[random.skewed(ROUTES.len())];
        let (status, client) = match random.below(1000) {
            0..10 => {
                // Refusals go round all clients, so that none ever has many, however fast the run.
                self.refusals += 1;
                (if random.below(3) == 0 { 403 } else { 401 }, mix(self.seed, self.refusals % CLIENTS))
            }
            10..35 => (404, random.next()),
            35..45 => (400, random.next()),
            45..48 => (502, random.next()),
            48..80 => (304, random.next()),
            _ => (if method == "POST" { 201 } else { 200 }, random.next()),
        };
        let client = mix(self.seed, client % CLIENTS);
        let address = client_address(client);
        let path = path_of(route, random);
        let user = if client.is_multiple_of(5) || status == 401 {
            String::new()
        } else {
            format!("user-{}", client % 90_000_000)
        };
        let api = mix(self.seed, route.len() as u64) as usize;
        let apis = place.things.named("api");
        let request = Request {
            address: &address,
            agent: agents::CLIENT[client as usize % agents::CLIENT.len()],
            method,
            route,
            path: &path,
            user: &user,
            status,
            bytes: if status == 304 { 0 } else { random.between(40, 400) * random.between(1, 60) },
            latency_ms: random.between(3, 60) + random.mostly_small(40.0),
            account: &place.accounts[api % place.accounts.len()],
            api: &apis[api % apis.len()],
        };
        write(&request, time, random, moments)
    }
}

fn client_address(client: u64) -> String {
    if client.is_multiple_of(4) {
        format!(
            "2001:db8:{:x}:{:x}::{:x}",
            0x100 + (client >> 8) % 0xe00,
            (client >> 24) & 0xffff,
            (client >> 40) & 0xfff
        )
    } else {
        format!("100.{}.{}.{}", 64 + (client >> 8) % 60, (client >> 16) % 256, (client >> 24) % 254 + 1)
    }
}

fn path_of(route: &str, random: &mut Random) -> String {
    let mut path = String::from("/v1");
    for part in route.split('/').skip(1) {
        path.push('/');
        match part {
            "{id}" => random.digits(&mut path, 8),
            "{item}" => random.hex(&mut path, 12),
            fixed => path.push_str(fixed),
        }
    }
    path
}

/// The record of a request at `time` (microseconds).
pub(crate) fn write(request: &Request, time: i64, random: &mut Random, moments: &mut Moments) -> Line {
    let event_time = time / 1000 * 1000;
    let mut id = String::new();
    random.uuid(&mut id);
    // Some stages were set up with quotes around every value, some without.
    let quoted = mix(request.route.len() as u64, 3).is_multiple_of(2);
    let mut json = String::with_capacity(720);
    json.push_str(r#"{"requestId":""#);
    json.push_str(&id);
    text(&mut json, "extendedRequestId", &extended_id(random));
    text(&mut json, "ip", request.address);
    text(&mut json, "caller", "-");
    text(&mut json, "user", if request.user.is_empty() { "-" } else { request.user });
    json.push_str(r#"","requestTime":""#);
    moments.access_log(&mut json, event_time);
    json.push_str(r#"","requestTimeEpoch":"#);
    push_number(&mut json, event_time / 1000);
    json.push_str(r#","httpMethod":""#);
    json.push_str(request.method);
    text(&mut json, "resourcePath", request.route);
    text(&mut json, "path", request.path);
    json.push('"');
    number(&mut json, "status", request.status, quoted);
    json.push_str(r#","protocol":"HTTP/1.1""#);
    number(&mut json, "responseLength", request.bytes, quoted);
    if matches!(request.status, 401 | 403) {
        json.push_str(r#","integrationLatency":"-","authorizerError":"#);
        json.push_str(if request.status == 401 {
            r#""Unauthorized"#
        } else {
            r#""The client is not allowed to do this"#
        });
    } else {
        number(&mut json, "integrationLatency", request.latency_ms, quoted);
        json.push_str(r#","authorizerError":"-"#);
    }
    text(&mut json, "userAgent", request.agent);
    text(&mut json, "apiId", request.api);
    text(&mut json, "stage", "v1");
    text(&mut json, "accountId", request.account);
    json.push_str("\"}");
    Line { event_time, id, json }
}

fn extended_id(random: &mut Random) -> String {
    let mut id = String::new();
    random.base64(&mut id, 15);
    id.push('=');
    id
}

/// Ends the text before it, and leaves its own open.
fn text(json: &mut String, name: &str, value: &str) {
    json.push_str("\",\"");
    json.push_str(name);
    json.push_str("\":\"");
    push_escaped(json, value);
}

fn number(json: &mut String, name: &str, value: i64, quoted: bool) {
    let quote = if quoted { "\"" } else { "" };
    for part in [",\"", name, "\":", quote] {
        json.push_str(part);
    }
    push_number(json, value);
    json.push_str(quote);
}
