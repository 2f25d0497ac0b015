//! What is going to happen, step by step: how stories of an ordinary day and attacks are put together.

use std::sync::Arc;

use crate::cloudtrail::catalogue::Catalogue;
use crate::cloudtrail::{self, Problem};
use crate::estate::voice::{self, RoleSession};
use crate::estate::{Class, Estate, Voice, agents};
use crate::lambda::{Functions, Line};
use crate::moment::Moments;
use crate::random::{Random, mix};
use crate::settings::StreamKind;

const MILLI: i64 = 1000;

/// What makes one record.
#[derive(Debug)]
pub(crate) enum Act {
    /// An audit record, written when it is due.
    Call { event: usize, voice: Arc<Voice>, arguments: Vec<String>, problem: Option<Problem> },
    /// A record of another stream, written already.
    Line(StreamKind, Line),
}

/// One act and when it happens, microseconds.
#[derive(Debug)]
pub(crate) struct Step {
    pub event_time: i64,
    pub act: Act,
}

/// What steps are made from.
#[derive(Debug)]
pub(crate) struct World {
    pub estate: Estate,
    pub catalogue: Catalogue,
    pub functions: Functions,
    pub moments: Moments,
}

/// Steps in the making.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub world: &'a mut World,
    pub random: &'a mut Random,
    /// Counts plans of a kind, so that one after the other is about somebody else.
    pub number: usize,
    /// When the next step happens, microseconds.
    pub now: i64,
    /// The least time between two steps, microseconds.
    pub gap: i64,
    pub steps: Vec<Step>,
    pub principal: Option<String>,
    pub source_ip: Option<String>,
    pub function_name: Option<String>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(world: &'a mut World, random: &'a mut Random, number: usize, now: i64, gap: i64) -> Self {
        Self {
            world,
            random,
            number,
            now,
            gap,
            steps: Vec::new(),
            principal: None,
            source_ip: None,
            function_name: None,
        }
    }

    /// Lets time pass: between two bounds in milliseconds.
    pub(crate) fn pause(&mut self, least: i64, most: i64) {
        self.now += (self.random.between(least, most) * MILLI).max(self.gap);
    }

    /// Says who is behind it all.
    pub(crate) fn by(&mut self, voice: &Voice) {
        self.principal = Some(voice.principal.clone());
        self.source_ip = Some(voice.address.clone());
    }

    /// A call that succeeds.
    pub(crate) fn call(&mut self, voice: &Arc<Voice>, name: &str, arguments: &[&str]) {
        self.push(voice, name, arguments, None);
    }

    /// A call that the caller has no right to.
    pub(crate) fn denied(&mut self, voice: &Arc<Voice>, name: &str, arguments: &[&str]) {
        let event = &self.world.catalogue.events[self.world.catalogue.find(name)];
        let service = &self.world.catalogue.services[event.service];
        let problem = cloudtrail::denial(service, event, voice, self.random);
        self.push(voice, name, arguments, Some(problem));
    }

    /// A call that ends with a message but no error code.
    pub(crate) fn rejected(&mut self, voice: &Arc<Voice>, name: &str, arguments: &[&str], message: &str) {
        self.push(voice, name, arguments, Some(Problem { code: None, message: message.into() }));
    }

    fn push(&mut self, voice: &Arc<Voice>, name: &str, arguments: &[&str], problem: Option<Problem>) {
        let act = Act::Call {
            event: self.world.catalogue.find(name),
            voice: Arc::clone(voice),
            arguments: arguments.iter().map(|argument| (*argument).into()).collect(),
            problem,
        };
        self.steps.push(Step { event_time: self.now, act });
    }

    /// A record of another stream.
    pub(crate) fn line(&mut self, stream: StreamKind, line: Line) {
        self.steps.push(Step { event_time: line.event_time, act: Act::Line(stream, line) });
    }

    /// One of a class, another one for each plan.
    pub(crate) fn someone(&mut self, class: Class) -> Arc<Voice> {
        let World { estate, moments, .. } = &mut *self.world;
        estate.voice(class, self.number, self.now, self.random, moments)
    }

    /// One of a class whose credentials somebody else holds, elsewhere.
    pub(crate) fn stolen(&mut self, class: Class) -> Arc<Voice> {
        let voice = self.someone(class);
        let (address, agent) = (self.outside_address(), self.random.pick(agents::INTRUDER));
        Arc::new(Voice { address, agent: agent.into(), tls: true, console: false, endpoint: None, ..(*voice).clone() })
    }

    /// A user of the console, at the sign-in page (`at_sign_in`) or signed in.
    pub(crate) fn console_user(&mut self, address: &str, mfa: bool, signed_in: bool) -> Arc<Voice> {
        let place = &self.world.estate.place;
        let account_number = self.number % place.accounts.len();
        let account = place.accounts[account_number].clone();
        let name = place.people[self.number * 7 % place.people.len()].clone();
        let region = place.home_region(account_number).to_string();
        let id = format!("AIDA{:017X}", mix(self.number as u64, 0x1d));
        let [mut identity, arn] =
            voice::console_user(&account, &name, &id, self.now - 1_000_000, mfa, self.random, &mut self.world.moments);
        if !signed_in {
            identity = voice::at_sign_in(&account, &name, Some(&id));
        }
        let agent = agents::BROWSER[self.number % agents::BROWSER.len()];
        Arc::new(outside_voice(identity, &arn, &name, &account, &region, address, agent))
    }

    /// Somebody at the sign-in page who is not let in.
    pub(crate) fn at_sign_in(&mut self, user: &str, account: &str, address: &str, agent: &str) -> Arc<Voice> {
        let identity = voice::at_sign_in(account, user, None);
        let principal = format!("IAMUser:{account}:{user}");
        Arc::new(outside_voice(identity, &principal, user, account, "us-east-1", address, agent))
    }

    /// The root user of an account.
    pub(crate) fn root(&mut self, address: &str) -> Arc<Voice> {
        let place = &self.world.estate.place;
        let account_number = self.number % place.accounts.len();
        let account = place.accounts[account_number].clone();
        let region = place.home_region(account_number).to_string();
        let [identity, arn] = voice::root(&account, self.now - 5_000_000, self.random, &mut self.world.moments);
        let agent = agents::BROWSER[0];
        Arc::new(outside_voice(identity, &arn, "root", &account, &region, address, agent))
    }

    /// A service at work under a role of an account.
    pub(crate) fn service_role(&mut self, service: &str, role: &str) -> Arc<Voice> {
        let place = &self.world.estate.place;
        let account_number = self.number % place.accounts.len();
        let account = place.accounts[account_number].clone();
        let region = place.home_region(account_number).to_string();
        let session = RoleSession {
            account: &account,
            role,
            role_id: &format!("AROA{:017X}", mix(account_number as u64, role.len() as u64)),
            session: service,
            created: self.now - 20_000_000,
            mfa: false,
            invoked_by: Some(service),
            function_arn: None,
            federated: None,
        };
        let [identity, principal, arn] = voice::role_session(&session, self.random, &mut self.world.moments);
        let mut voice = outside_voice(identity, &arn, service, &account, &region, service, service);
        voice.principal = principal;
        voice.tls = false;
        Arc::new(voice)
    }

    /// Names of distinct things of a kind, at most as many as there are.
    pub(crate) fn distinct(&mut self, kind: &str, count: i64) -> Vec<String> {
        let mut names = self.world.estate.place.things.named(kind).to_vec();
        names.sort();
        names.dedup();
        let count = (count as usize).min(names.len());
        for place in 0..count {
            let other = place + self.random.below(names.len() - place);
            names.swap(place, other);
        }
        names.truncate(count);
        names
    }

    /// Any name of a kind.
    pub(crate) fn any(&mut self, kind: &str) -> String {
        let names = self.world.estate.place.things.named(kind);
        names[self.random.below(names.len())].clone()
    }

    /// An address that nobody of the estate has.
    pub(crate) fn outside_address(&mut self) -> String {
        match self.random.below(5) {
            0..2 => format!("203.0.113.{}", self.random.between(1, 254)),
            2..4 => format!("198.51.100.{}", self.random.between(1, 254)),
            _ => format!("2001:db8:bad:{:x}::{:x}", self.random.between(1, 0xffff), self.random.between(1, 0xffff)),
        }
    }

    /// An account of another organisation.
    pub(crate) fn outside_account(&mut self) -> String {
        let mut account = String::new();
        self.random.digits(&mut account, 12);
        account
    }

    /// The accounts of the estate.
    pub(crate) fn account(&self, number: usize) -> String {
        let accounts = &self.world.estate.place.accounts;
        accounts[number % accounts.len()].clone()
    }

    /// A long-lived key's id.
    pub(crate) fn key_id(&mut self) -> String {
        let mut key = String::from("AKIA");
        self.random.upper(&mut key, 16);
        key
    }
}

fn outside_voice(
    identity: String,
    arn: &str,
    name: &str,
    account: &str,
    region: &str,
    address: &str,
    agent: &str,
) -> Voice {
    Voice {
        identity,
        principal: arn.into(),
        arn: arn.into(),
        name: name.into(),
        account: account.into(),
        region: region.into(),
        address: address.into(),
        agent: agent.into(),
        console: agent.starts_with("Mozilla"),
        tls: true,
        endpoint: None,
        home: name.bytes().fold(1, |hash, byte| mix(hash, u64::from(byte))),
        reach: 1000,
    }
}
