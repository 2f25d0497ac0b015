//! The estate: an organisation's accounts, its people, its things, and those who call.

pub(crate) mod actors;
pub(crate) mod agents;
pub(crate) mod things;
pub(crate) mod voice;

use std::sync::Arc;

pub(crate) use actors::{Actor, Class};
pub(crate) use things::Things;
pub(crate) use voice::Voice;

use crate::moment::Moments;
use crate::random::{Random, mix};

const ACCOUNTS: usize = 8;
const REGIONS: [&str; 5] = ["us-east-1", "eu-west-1", "eu-central-1", "us-west-2", "ap-southeast-2"];
/// Regions in which nobody here works.
pub(crate) const UNUSED_REGIONS: [&str; 6] =
    ["sa-east-1", "ap-northeast-3", "af-south-1", "me-central-1", "ap-east-1", "eu-south-2"];
/// Addresses that all of an office's people share.
const OFFICES: [&str; 3] = ["192.0.2.10", "192.0.2.20", "192.0.2.30"];
const VPN: &str = "192.0.2.40";

/// What does not change: where everything is, and who is there.
#[derive(Debug)]
pub(crate) struct Place {
    pub accounts: Vec<String>,
    pub regions: [&'static str; 5],
    pub people: Vec<String>,
    pub things: Things,
}

impl Place {
    /// Where an account's people and users work.
    pub(crate) fn home_region(&self, account: usize) -> &'static str {
        self.regions[account % 2]
    }

    /// Where a person is just now: mostly at their office, sometimes on the VPN, at home, or travelling.
    pub(crate) fn whereabouts(&self, person: &str, random: &mut Random) -> String {
        let home = person.bytes().fold(7, |hash, byte| mix(hash, u64::from(byte)));
        match random.below(100) {
            0..70 => OFFICES[home as usize % OFFICES.len()].to_string(),
            70..88 => VPN.to_string(),
            88..97 => format!("100.{}.{}.{}", 64 + home % 60, (home >> 8) % 256, (home >> 16) % 254 + 1),
            _ => {
                let mut address = String::from("2001:db8:7a:");
                random.hex(&mut address, 4);
                address.push_str("::1f");
                address
            }
        }
    }
}

/// The place and those who call.
#[derive(Debug)]
pub(crate) struct Estate {
    pub place: Place,
    actors: Vec<Vec<Actor>>,
}

impl Estate {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        let things = Things::new(&mut random);
        let account = |random: &mut Random| {
            let mut account = String::new();
            random.digits(&mut account, 12);
            account
        };
        let accounts = (0..ACCOUNTS).map(|_| account(&mut random)).collect();
        let mut people = things.named("person").to_vec();
        people.sort();
        people.dedup();
        let place = Place { accounts, regions: REGIONS, people, things };
        let actors = Class::ALL.iter().map(|class| actors::of_class(*class, &place, &mut random)).collect();
        Self { place, actors }
    }

    /// One of a class, few of whom do most of the work: how it speaks, which calls it makes, and which are denied to it.
    pub(crate) fn someone(
        &mut self,
        class: Class,
        time: i64,
        random: &mut Random,
        moments: &mut Moments,
    ) -> (Arc<Voice>, u64, u64) {
        let actors = &mut self.actors[class as usize];
        let number = random.skewed(actors.len());
        let actor = &mut actors[number];
        (actor.voice(time, &self.place, random, moments), actor.home, actor.denied_home())
    }

    /// The names of all functions that call others.
    pub(crate) fn function_names(&self) -> Vec<String> {
        self.actors[Class::Function as usize].iter().map(|actor| actor.session.clone()).collect()
    }

    /// The voice of one of a class by number, from 0 on and round again.
    pub(crate) fn voice(
        &mut self,
        class: Class,
        number: usize,
        time: i64,
        random: &mut Random,
        moments: &mut Moments,
    ) -> Arc<Voice> {
        let actors = &mut self.actors[class as usize];
        let number = number % actors.len();
        actors[number].voice(time, &self.place, random, moments)
    }
}
