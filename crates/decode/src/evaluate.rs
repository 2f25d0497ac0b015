//! What a column's rule finds in one record.

use std::fmt::Write;

use simd_json::{Node, StaticNode};
use watchfire_record::batch::{Context, flags};
use watchfire_record::{Partition, json};

use crate::formats;
use crate::json_text;
use crate::line::Line;
use crate::plan::{Chain, LineField, Rule, System};
use crate::tree::{MISSING, NodeId};

/// A record's value.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    /// A JSON object on the tape, and where on it the tree's paths are.
    Object { tape: &'a [Node<'a>], found: &'a [u32] },
    /// A line of text.
    Line(&'a Line<'a>),
    /// Not looked at: no column is made of it.
    Unread,
}

/// What is known of a record besides its value.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) partition: &'a Partition,
    pub(crate) offset: i64,
    pub(crate) index: u32,
    pub(crate) context: &'a Context,
    /// The text as written.
    pub(crate) raw: &'a [u8],
    /// Microseconds; known before the value is read only for rows of an earlier batch.
    pub(crate) event_time: Option<i64>,
    /// Microseconds; `i64::MIN` for none.
    pub(crate) watermark: i64,
    pub(crate) flags: u16,
}

/// What a rule found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found<'a> {
    Missing,
    /// A value on the tape, not `null`.
    Value(usize),
    Text(&'a str),
    Integer(i64),
    Float(f64),
    /// Microseconds since the epoch, UTC.
    Time(i64),
}

impl<'a> Found<'a> {
    fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Self::Text)
    }
}

impl<'a> Body<'a> {
    /// Where on the tape the value at a path is; `None` if it is missing or `null`.
    pub(crate) fn at(&self, node: NodeId) -> Option<usize> {
        let Self::Object { tape, found } = self else { return None };
        let at = found[node as usize];
        (at != MISSING && tape[at as usize] != Node::Static(StaticNode::Null)).then_some(at as usize)
    }

    /// The text of a value that is text.
    fn string(&self, at: usize) -> Option<&'a str> {
        match self {
            Self::Object { tape, .. } => match tape[at] {
                Node::String(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn first(&self, chain: &Chain) -> Option<usize> {
        let counts = |at: &usize| match self.string(*at) {
            Some("") => !chain.skip_empty,
            Some("-") => !chain.skip_dash,
            _ => true,
        };
        chain.nodes.iter().filter_map(|node| self.at(*node)).find(counts)
    }

    /// Appends the text of the value at `at` as `->>` gives it. Says whether it was text.
    pub(crate) fn append_text(&self, at: usize, out: &mut String) -> bool {
        if let Some(text) = self.string(at) {
            out.push_str(text);
            return true;
        }
        if let Self::Object { tape, .. } = self {
            json_text::write(tape, at, out);
        }
        false
    }
}

/// Evaluates `rule`; `buffer` is empty, and holds text that is made here. Sets bits of `record_flags`.
pub(crate) fn evaluate<'a>(
    rule: &Rule,
    body: Body<'a>,
    origin: &Origin<'a>,
    buffer: &'a mut String,
    record_flags: &mut u16,
) -> Found<'a> {
    match rule {
        Rule::Null => Found::Missing,
        Rule::EventTime => origin.event_time.map_or(Found::Missing, Found::Time),
        Rule::Raw => match simdutf8::basic::from_utf8(origin.raw) {
            Ok(text) => Found::Text(text),
            Err(_) => {
                buffer.push_str(&String::from_utf8_lossy(origin.raw));
                Found::Text(buffer)
            }
        },
        Rule::System(system) => self::system(*system, origin, buffer),
        Rule::EventId(chain, takes_log_event) => event_id(chain, *takes_log_event, body, origin, buffer),
        Rule::Chain(chain, field) => match body {
            Body::Line(line) => from_line(line, *field),
            _ => value(body.first(chain)),
        },
        Rule::FunctionName(chain) => {
            let group = origin.context.log_group.as_deref().and_then(|group| group.strip_prefix("/aws/lambda/"));
            group.map_or_else(|| value(body.first(chain)), Found::Text)
        }
        Rule::Action(node) => {
            let Some(at) = body.at(*node) else { return Found::Missing };
            body.string(at).map_or(Found::Value(at), |name| Found::Text(formats::action(name)))
        }
        Rule::SessionName { user_type, arn } => {
            let Some(arn) = body.at(*arn).and_then(|at| body.string(at)) else { return Found::Missing };
            let assumed = body.at(*user_type).and_then(|at| body.string(at)) == Some("AssumedRole");
            let is_session = assumed || arn.contains(":assumed-role/");
            Found::text(arn.rsplit_once('/').filter(|_| is_session).map(|(_, session)| session))
        }
        Rule::Principal { stable, parts, address } => principal(stable, parts, address, body, buffer, record_flags),
        Rule::Below(inner, steps) => below(inner, steps, body, origin, buffer),
    }
}

fn value<'a>(at: Option<usize>) -> Found<'a> {
    at.map_or(Found::Missing, Found::Value)
}

fn system<'a>(system: System, origin: &Origin<'a>, buffer: &'a mut String) -> Found<'a> {
    match system {
        System::Topic => Found::Text(&origin.partition.topic),
        System::Partition => Found::Integer(origin.partition.number.into()),
        System::Offset => Found::Integer(origin.offset),
        System::Index => Found::Integer(origin.index.into()),
        System::Watermark if origin.watermark == i64::MIN => Found::Missing,
        System::Watermark => Found::Time(origin.watermark),
        System::Flags => {
            buffer.push_str(&flags::text(origin.flags));
            Found::Text(buffer)
        }
    }
}

fn event_id<'a>(
    chain: &Chain,
    takes_log_event: bool,
    body: Body<'a>,
    origin: &Origin<'a>,
    buffer: &'a mut String,
) -> Found<'a> {
    if let Some(at) = body.first(chain) {
        return Found::Value(at);
    }
    if let Some(id) = origin.context.event_id.as_deref().filter(|id| takes_log_event && !id.is_empty()) {
        return Found::Text(id);
    }
    write!(buffer, "{}/{}/{}", origin.partition, origin.offset, origin.index)
        .expect("writing to a string does not fail");
    Found::Text(buffer)
}

fn from_line<'a>(line: &Line<'a>, field: LineField) -> Found<'a> {
    let float = |number: Option<f64>| number.map_or(Found::Missing, Found::Float);
    let integer = |number: Option<i64>| number.map_or(Found::Missing, Found::Integer);
    match field {
        LineField::None => Found::Missing,
        LineField::RequestId => Found::text(line.request_id),
        LineField::Level => Found::text(line.level),
        LineField::Message => Found::text(line.message),
        LineField::Kind => Found::text(line.kind),
        LineField::Status => Found::text(line.status),
        LineField::ErrorType => Found::text(line.error_type),
        LineField::Duration => float(line.duration),
        LineField::Billed => float(line.billed),
        LineField::Init => float(line.init),
        LineField::Memory => integer(line.memory),
        LineField::MaxMemory => integer(line.max_memory),
    }
}

/// Type, account and name are joined by colons, each at its place, with none at the end: `AWSAccount:123456789012`.
fn principal<'a>(
    stable: &Chain,
    parts: &[NodeId; 3],
    address: &Chain,
    body: Body<'a>,
    buffer: &'a mut String,
    record_flags: &mut u16,
) -> Found<'a> {
    if let Some(at) = body.first(stable) {
        return Found::Value(at);
    }
    let places = parts.map(|node| body.at(node).filter(|at| body.string(*at) != Some("")));
    if places[1].is_none() && places[2].is_none() {
        return value(body.first(address).filter(|at| body.string(*at) != Some("")));
    }
    for (n, place) in places.iter().enumerate() {
        if n > 0 && places[n..].iter().any(Option::is_some) {
            buffer.push(':');
        }
        if place.is_some_and(|at| !body.append_text(at, buffer)) {
            *record_flags |= flags::WRONG_TYPE;
        }
    }
    Found::Text(buffer)
}

fn below<'a>(
    inner: &Rule,
    steps: &[json::PathStep],
    body: Body<'a>,
    origin: &Origin<'a>,
    buffer: &'a mut String,
) -> Found<'a> {
    let (mut derived, mut text) = (String::new(), String::new());
    match evaluate(inner, body, origin, &mut derived, &mut 0) {
        Found::Text(found) => text.push_str(found),
        Found::Value(at) => _ = body.append_text(at, &mut text),
        _ => return Found::Missing,
    }
    let Some(found) = json::text_at(&text, steps) else { return Found::Missing };
    buffer.push_str(&found);
    Found::Text(buffer)
}
