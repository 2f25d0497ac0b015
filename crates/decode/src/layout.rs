//! One set of requested columns: how they are found, and what builds them.

use std::borrow::Cow;

use arrow::array::ArrayRef;
use simd_json::{Node, StaticNode};
use watchfire_record::batch::flags;
use watchfire_record::{Column, ColumnRequest, ColumnSource, ColumnType, Stream};

use crate::append;
use crate::builder::Builder;
use crate::evaluate::{self, Body, Found, Origin};
use crate::line::{self, Line};
use crate::parser::{Parsed, Parser};
use crate::plan::Plan;
use crate::repair;
use crate::times::{self, Unit};
use crate::tree::{MISSING, NodeId};

/// Requested columns with their builders.
pub(crate) struct Layout {
    pub(crate) requests: Vec<ColumnRequest>,
    pub(crate) plan: Plan,
    found: Vec<u32>,
    columns: Columns,
}

/// The columns that are built.
struct Columns {
    builders: Vec<Builder>,
    /// For text that rules make.
    made: String,
    /// For text that columns make of values.
    text: String,
}

/// What came of reading a text as a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was one: one value was appended to each column.
    Row { event_time: i64, flags: u16 },
    /// An object with an event time that cannot be read.
    BadTime,
    /// An object without an event time: no record, unless an envelope.
    NoTime,
    /// JSON, but no object.
    NoObject,
    /// No JSON, not even repaired.
    Invalid,
}

impl Layout {
    /// For batches: texts that may repeat are interned.
    pub(crate) fn new(stream: &Stream, requests: Vec<ColumnRequest>) -> Self {
        let builders = requests.iter().map(interning_builder).collect();
        Self::with_builders(stream, requests, builders)
    }

    /// For chosen rows: Arrow arrays only.
    pub(crate) fn plain(stream: &Stream, requests: Vec<ColumnRequest>) -> Self {
        let builders = requests.iter().map(|request| Builder::plain(request.column_type)).collect();
        Self::with_builders(stream, requests, builders)
    }

    fn with_builders(stream: &Stream, requests: Vec<ColumnRequest>, builders: Vec<Builder>) -> Self {
        let plan = Plan::new(stream, &requests);
        let columns = Columns { builders, made: String::new(), text: String::new() };
        Self { requests, plan, found: Vec::new(), columns }
    }

    pub(crate) fn begin(&mut self, rows: usize) {
        self.columns.builders.iter_mut().for_each(|builder| builder.begin(rows));
    }

    pub(crate) fn finish(&mut self) -> Vec<Column> {
        self.columns.builders.iter_mut().map(Builder::finish).collect()
    }

    pub(crate) fn finish_arrays(&mut self) -> Vec<ArrayRef> {
        self.columns.builders.iter_mut().map(Builder::finish_array).collect()
    }

    /// Reads `origin.raw` as a JSON record, if need be after the repair pass.
    #[inline]
    pub(crate) fn read_json(&mut self, parser: &mut Parser, origin: &Origin<'_>) -> Outcome {
        self.read_text(parser, origin.raw, origin).unwrap_or_else(|| self.read_repaired(parser, origin))
    }

    #[cold]
    fn read_repaired(&mut self, parser: &mut Parser, origin: &Origin<'_>) -> Outcome {
        let Some((repaired, flags)) = repair::repair(origin.raw) else { return Outcome::Invalid };
        let origin = Origin { flags: origin.flags | flags, ..*origin };
        self.read_text(parser, &repaired, &origin).unwrap_or(Outcome::Invalid)
    }

    /// `None` if the text is no JSON.
    #[inline]
    fn read_text(&mut self, parser: &mut Parser, text: &[u8], origin: &Origin<'_>) -> Option<Outcome> {
        let Self { plan, columns, found, .. } = self;
        parser.parse(text, &plan.tree, found, |record| columns.read_record(plan, record, origin))
    }

    /// Reads `origin.raw` as a line of text.
    pub(crate) fn read_line(&mut self, origin: &Origin<'_>) -> Outcome {
        let text = String::from_utf8_lossy(origin.raw);
        let repaired = if matches!(text, Cow::Owned(_)) { flags::REPAIRED_TEXT } else { 0 };
        let line: Line<'_> = line::parse(&text);
        let Some(event_time) = origin.event_time.or(origin.context.timestamp).or(line.time) else {
            return Outcome::NoTime;
        };
        let origin = Origin { event_time: Some(event_time), ..*origin };
        let flags = origin.flags | repaired | self.columns.append(&self.plan, Body::Line(&line), &origin);
        Outcome::Row { event_time, flags }
    }

    /// Appends a row of columns that are made of its origin alone.
    pub(crate) fn read_origin(&mut self, origin: &Origin<'_>) {
        self.columns.append(&self.plan, Body::Unread, origin);
    }
}

impl Columns {
    fn read_record(&mut self, plan: &Plan, record: Parsed<'_>, origin: &Origin<'_>) -> Outcome {
        let Parsed { tape, found, twice } = record;
        if !matches!(tape.first(), Some(Node::Object { .. })) {
            return Outcome::NoObject;
        }
        let Some(event_time) = origin.event_time.or_else(|| event_time(plan, tape, found, origin)) else {
            let present = plan.times.iter().any(|(node, _)| found[*node as usize] != MISSING);
            return if present { Outcome::BadTime } else { Outcome::NoTime };
        };
        let flags = origin.flags | if twice { flags::DUPLICATE_KEY } else { 0 };
        let origin = Origin { event_time: Some(event_time), ..*origin };
        let flags = flags | self.append(plan, Body::Object { tape, found }, &origin);
        Outcome::Row { event_time, flags }
    }

    /// Appends one value to each column.
    fn append(&mut self, plan: &Plan, body: Body<'_>, origin: &Origin<'_>) -> u16 {
        let mut flags = 0;
        for (plan, builder) in plan.columns.iter().zip(&mut self.builders) {
            self.made.clear();
            self.text.clear();
            let found: Found<'_> = evaluate::evaluate(&plan.rule, body, origin, &mut self.made, &mut flags);
            flags |= append::append(plan, found, body, &mut self.text, builder);
        }
        flags
    }
}

fn event_time(plan: &Plan, tape: &[Node<'_>], found: &[u32], origin: &Origin<'_>) -> Option<i64> {
    let own = plan.times.iter().find_map(|(node, unit)| time_at(tape, found, *node, *unit));
    own.or_else(|| origin.context.timestamp.filter(|_| plan.log_event_time))
}

/// JSON and raw text rarely repeat.
fn interning_builder(request: &ColumnRequest) -> Builder {
    let raw = matches!(&request.source, ColumnSource::Column(name) if name == "raw");
    match request.column_type {
        ColumnType::Text if !raw => Builder::interned(),
        other => Builder::plain(other),
    }
}

fn time_at(tape: &[Node<'_>], found: &[u32], node: NodeId, unit: Unit) -> Option<i64> {
    let at = found[node as usize];
    if at == MISSING {
        return None;
    }
    match tape[at as usize] {
        Node::String(text) => times::from_text(text, unit),
        Node::Static(StaticNode::I64(number)) => times::from_integer(number, unit),
        Node::Static(StaticNode::U64(number)) => times::from_integer(i64::try_from(number).ok()?, unit),
        Node::Static(StaticNode::F64(number)) => times::from_float(number, unit),
        _ => None,
    }
}
