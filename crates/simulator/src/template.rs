//! Small templates for JSON: text with places in angle brackets that are filled anew for each record.
//!
//! | place | filled with |
//! | --- | --- |
//! | `<bucket>`, `<bucket.2>` | a thing of the estate; the same one wherever the same place occurs in one record |
//! | `<$1>`, `<$1 secret>` | what the caller gave; what follows, if nothing was given |
//! | `<account>`, `<region>`, `<actor>`, `<address>` | who calls and from where |
//! | `<hex 8>`, `<upper 16>`, `<base64 20>`, `<digits 12>`, `<int 1 50>`, `<uuid>` | chance |
//! | `<pick a\|b\|c>` | one of these |
//! | `<now>`, `<spoken>`, `<epoch>` | the record's time: RFC 3339, as IAM says it, milliseconds |
//! | `<list 1 5>…</list>` | so many of it, with commas between |

use crate::estate::Things;
use crate::estate::things::{KINDS, STAGES, WORDS};
use crate::moment::{Moments, push_number};
use crate::random::{Random, mix, scale};

#[derive(Debug, Clone)]
enum Piece {
    Text(Box<str>),
    Thing { kind: usize, slot: u64 },
    Argument { index: usize, otherwise: Option<Box<Self>> },
    Account,
    Region,
    Actor,
    Address,
    Hex(usize),
    Upper(usize),
    Base64(usize),
    Digits(usize),
    Integer(i64, i64),
    Uuid,
    Pick(Vec<Box<str>>),
    Now,
    Spoken,
    Epoch,
    List { least: i64, most: i64, body: Vec<Self> },
}

/// What the places of a template are filled from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub things: &'a Things,
    pub account: &'a str,
    pub region: &'a str,
    pub actor: &'a str,
    pub address: &'a str,
    pub arguments: &'a [String],
    /// Decides which things an actor deals with.
    pub home: u64,
    /// How many things of a kind an actor deals with.
    pub reach: usize,
    /// Decides which of them it is in this record.
    pub salt: u64,
    /// Microseconds.
    pub time: i64,
}

/// A parsed template.
#[derive(Debug, Clone)]
pub(crate) struct Template(Vec<Piece>);

impl Template {
    /// # Panics
    /// On a wrong template: all are part of this crate.
    pub(crate) fn new(text: &str) -> Self {
        let (pieces, rest) = parse(text);
        assert!(rest.is_empty(), "template closes a list that it did not open: {text}");
        Self(pieces)
    }

    pub(crate) fn fill(&self, out: &mut String, scene: &Scene, random: &mut Random, moments: &mut Moments) {
        fill(&self.0, out, scene, 0, random, moments);
    }
}

fn parse(mut rest: &str) -> (Vec<Piece>, &str) {
    let mut pieces = Vec::new();
    while let Some(open) = rest.find('<') {
        if open > 0 {
            pieces.push(Piece::Text(rest[..open].into()));
        }
        let close = rest[open..].find('>').unwrap_or_else(|| panic!("template place is not closed: {rest}")) + open;
        let inside = &rest[open + 1..close];
        rest = &rest[close + 1..];
        if inside == "/list" {
            return (pieces, rest);
        }
        if let Some(bounds) = inside.strip_prefix("list ") {
            let (least, most) = two_numbers(bounds);
            let (body, after) = parse(rest);
            rest = after;
            pieces.push(Piece::List { least, most, body });
        } else {
            pieces.push(place(inside));
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.into()));
    }
    (pieces, "")
}

fn place(inside: &str) -> Piece {
    if let Some(argument) = inside.strip_prefix('$') {
        let (index, otherwise) = argument.split_once(' ').map_or((argument, None), |(i, o)| (i, Some(o)));
        let index = index.parse::<usize>().expect("template arguments are numbered") - 1;
        return Piece::Argument { index, otherwise: otherwise.map(|o| Box::new(place(o))) };
    }
    let (name, rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let number = || rest.parse().unwrap_or_else(|_| panic!("template place needs a number: {inside}"));
    match name {
        "account" => Piece::Account,
        "region" => Piece::Region,
        "actor" => Piece::Actor,
        "address" => Piece::Address,
        "hex" => Piece::Hex(number()),
        "upper" => Piece::Upper(number()),
        "base64" => Piece::Base64(number()),
        "digits" => Piece::Digits(number()),
        "int" => {
            let (low, high) = two_numbers(rest);
            Piece::Integer(low, high)
        }
        "uuid" => Piece::Uuid,
        "pick" => Piece::Pick(rest.split('|').map(Into::into).collect()),
        "word" => Piece::Pick(WORDS.iter().map(|w| (*w).into()).collect()),
        "stage" => Piece::Pick(STAGES.iter().map(|w| (*w).into()).collect()),
        "now" => Piece::Now,
        "spoken" => Piece::Spoken,
        "epoch" => Piece::Epoch,
        _ => thing(name),
    }
}

fn thing(name: &str) -> Piece {
    let (name, slot) = name.split_once('.').unwrap_or((name, "0"));
    let kind = KINDS.iter().position(|kind| kind.name == name);
    let kind = kind.unwrap_or_else(|| panic!("template names an unknown thing: {name}"));
    Piece::Thing { kind, slot: slot.parse().expect("template slots are numbers") }
}

fn two_numbers(text: &str) -> (i64, i64) {
    let (low, high) = text.split_once(' ').expect("template ranges have two bounds");
    let number = |text: &str| text.parse().expect("template bounds are numbers");
    (number(low), number(high))
}

fn fill(pieces: &[Piece], out: &mut String, scene: &Scene, item: u64, random: &mut Random, moments: &mut Moments) {
    for piece in pieces {
        fill_one(piece, out, scene, item, random, moments);
    }
}

fn fill_one(piece: &Piece, out: &mut String, scene: &Scene, item: u64, random: &mut Random, moments: &mut Moments) {
    match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Thing { kind, slot } => {
            let names = scene.things.of(*kind);
            let choice = scale(mix(scene.salt, (*kind as u64) << 16 | slot << 8 | item), scene.reach);
            out.push_str(&names[scale(mix(scene.home, (*kind as u64) << 32 | choice as u64), names.len())]);
        }
        Piece::Argument { index, otherwise } => match (scene.arguments.get(*index), otherwise) {
            (Some(argument), _) => out.push_str(argument),
            (None, Some(otherwise)) => fill_one(otherwise, out, scene, item, random, moments),
            (None, None) => {}
        },
        Piece::Account => out.push_str(scene.account),
        Piece::Region => out.push_str(scene.region),
        Piece::Actor => out.push_str(scene.actor),
        Piece::Address => out.push_str(scene.address),
        Piece::Hex(digits) => random.hex(out, *digits),
        Piece::Upper(digits) => random.upper(out, *digits),
        Piece::Base64(digits) => random.base64(out, *digits),
        Piece::Digits(digits) => random.digits(out, *digits),
        Piece::Integer(low, high) => push_number(out, random.between(*low, *high)),
        Piece::Uuid => random.uuid(out),
        Piece::Pick(choices) => out.push_str(&choices[random.below(choices.len())]),
        Piece::Now => moments.seconds(out, scene.time),
        Piece::Spoken => moments.spoken(out, scene.time),
        Piece::Epoch => push_number(out, scene.time / 1000),
        Piece::List { least, most, body } => {
            for item in 0..random.between(*least, *most) {
                if item > 0 {
                    out.push(',');
                }
                fill(body, out, scene, item as u64, random, moments);
            }
        }
    }
}

/// Appends text with what JSON wants escaped.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, arguments: &[String], salt: u64, reach: usize) -> String {
        let mut random = Random::new(1, 1);
        let things = Things::new(&mut Random::new(1, 2));
        let scene = Scene {
            things: &things,
            account: "111122223333",
            region: "eu-west-1",
            actor: "someone",
            address: "192.0.2.7",
            arguments,
            home: 5,
            reach,
            salt,
            time: 1_795_514_400_000_000,
        };
        let mut out = String::new();
        Template::new(text).fill(&mut out, &scene, &mut random, &mut Moments::new());
        out
    }

    #[test]
    fn places_are_filled() {
        assert_eq!(
            filled("{\"a\":\"<account>\",\"r\":\"<region>\"}", &[], 0, 1),
            "{\"a\":\"111122223333\",\"r\":\"eu-west-1\"}"
        );
        assert_eq!(filled("<$1>/<$2 actor>", &["x".into()], 0, 1), "x/someone");
        assert_eq!(filled("<now> <epoch>", &[], 0, 1), "2026-11-24T10:00:00Z 1795514400000");
        assert_eq!(filled("<list 3 3><pick a|a></list>.", &[], 0, 1), "a,a,a.");
        assert_eq!(filled("<hex 9>", &[], 0, 1).len(), 9);
    }

    #[test]
    fn one_place_is_one_thing_within_a_record_and_few_things_within_reach() {
        let twice = filled("<bucket> <bucket>", &[], 99, 100);
        let (first, second) = twice.split_once(' ').expect("two names");
        assert_eq!(first, second);
        let seen: std::collections::HashSet<String> = (0..200).map(|salt| filled("<secret>", &[], salt, 2)).collect();
        assert_eq!(seen.len(), 2);
        let wide: std::collections::HashSet<String> =
            (0..200).map(|salt| filled("<secret>", &[], salt, 10_000)).collect();
        assert!(wide.len() > 50);
    }

    #[test]
    fn hostile_text_stays_json() {
        let mut out = String::from("\"");
        push_escaped(&mut out, "a\"b\\c\nd\u{1}é");
        out.push('"');
        assert_eq!(serde_json::from_str::<String>(&out).expect("JSON"), "a\"b\\c\nd\u{1}é");
    }
}
