//! Requested columns, compiled: which paths of a record each is made of, and how.

use watchfire_record::json::PathStep;
use watchfire_record::limits::NESTING_DEPTH;
use watchfire_record::{ColumnRequest, ColumnSource, ColumnType, Format, Stream};

use crate::formats;
use crate::times::Unit;
use crate::tree::{NodeId, Tree};

/// All columns of one request.
pub(crate) struct Plan {
    pub(crate) tree: Tree,
    /// Where the event time may be, the best first.
    pub(crate) times: Vec<(NodeId, Unit)>,
    /// First keys of `times`: an object with one of them is a record, whatever else it looks like.
    pub(crate) time_keys: Vec<String>,
    /// Whether a log event's own time stands in for a missing event time.
    pub(crate) log_event_time: bool,
    pub(crate) columns: Vec<ColumnPlan>,
    /// Whether any column is read from the record's value.
    pub(crate) reads_value: bool,
}

/// One column.
pub(crate) struct ColumnPlan {
    pub(crate) rule: Rule,
    pub(crate) column_type: ColumnType,
    /// Whether a value of another type is flagged. Not where `->>` or the column's definition takes any.
    pub(crate) flags_type: bool,
    /// Whether a typed column also reads text (`"200"`, `"true"`, `"Yes"`).
    pub(crate) reads_text: bool,
}

/// How a value is found.
pub(crate) enum Rule {
    /// Always NULL.
    Null,
    EventTime,
    /// The first of the chain, the log event's id if wanted, else the position.
    EventId(Chain, bool),
    Raw,
    System(System),
    /// The first of the chain; for text lines, a field of the line.
    Chain(Chain, LineField),
    /// The log group's function, else the chain.
    FunctionName(Chain),
    /// `CloudTrail`'s event name without a version at its end.
    Action(NodeId),
    /// What follows the last `/` of a role session's ARN.
    SessionName {
        user_type: NodeId,
        arn: NodeId,
    },
    /// Who did it; see `formats::cloudtrail`.
    Principal {
        stable: Chain,
        parts: [NodeId; 3],
        address: Chain,
    },
    /// `->>` below a column that is no JSON value of the record.
    Below(Box<Rule>, Vec<PathStep>),
}

/// Paths, of which the first that has a value counts.
pub(crate) struct Chain {
    pub(crate) nodes: Vec<NodeId>,
    /// Whether an empty text is no value. A single path keeps it.
    pub(crate) skip_empty: bool,
    /// Whether `-` is no value.
    pub(crate) skip_dash: bool,
}

impl Chain {
    pub(crate) fn new(nodes: Vec<NodeId>) -> Self {
        Self { skip_empty: nodes.len() > 1, skip_dash: false, nodes }
    }
}

/// System columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Topic,
    Partition,
    Offset,
    Index,
    Watermark,
    Flags,
}

/// What a column takes from a text line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineField {
    None,
    RequestId,
    Level,
    Message,
    Kind,
    Status,
    ErrorType,
    Duration,
    Billed,
    Init,
    Memory,
    MaxMemory,
}

impl Plan {
    pub(crate) fn new(stream: &Stream, requests: &[ColumnRequest]) -> Self {
        let mut tree = Tree::new();
        let (times, time_keys) = event_time(stream, &mut tree);
        let columns: Vec<_> = requests.iter().map(|request| column(stream, request, &mut tree)).collect();
        let log_event_time = matches!(stream.format, Format::Lambda | Format::Api);
        let reads_value = columns.iter().any(|column| column.rule.reads_value());
        Self { tree, times, time_keys, log_event_time, columns, reads_value }
    }
}

impl Rule {
    fn reads_value(&self) -> bool {
        match self {
            Self::Null | Self::EventTime | Self::Raw | Self::System(_) => false,
            Self::EventId(chain, _) => !chain.nodes.is_empty(),
            Self::Below(rule, _) => rule.reads_value(),
            _ => true,
        }
    }
}

fn event_time(stream: &Stream, tree: &mut Tree) -> (Vec<(NodeId, Unit)>, Vec<String>) {
    let built_in: &[(&str, Unit)] = match stream.format {
        Format::CloudTrail => &[("eventTime", Unit::ByMagnitude)],
        Format::Lambda => &[("timestamp", Unit::ByMagnitude), ("time", Unit::ByMagnitude)],
        Format::Api => &[("requestTimeEpoch", Unit::Milliseconds), ("requestTime", Unit::ByMagnitude)],
        Format::Json => &[],
    };
    let own = path_of(stream, "event_time");
    if own.is_empty() && !built_in.is_empty() {
        let times = built_in.iter().map(|(key, unit)| (tree.dotted(key), *unit)).collect();
        return (times, built_in.iter().map(|(key, _)| (*key).into()).collect());
    }
    let path = if own.is_empty() { vec![PathStep::Key("event_time".into())] } else { own };
    let first = match &path[0] {
        PathStep::Key(key) => vec![key.clone()],
        PathStep::Index(_) => Vec::new(),
    };
    (vec![(tree.path(&path), Unit::ByMagnitude)], first)
}

/// The path that a stream's declaration gives a column; empty if its format computes it.
fn path_of(stream: &Stream, name: &str) -> Vec<PathStep> {
    stream.columns.iter().find(|column| column.name == name).map(|column| column.path.clone()).unwrap_or_default()
}

fn column(stream: &Stream, request: &ColumnRequest, tree: &mut Tree) -> ColumnPlan {
    let column_type = request.column_type;
    let mut plan = match &request.source {
        ColumnSource::Column(name) => named(stream, name, column_type, tree),
        ColumnSource::Path(name, steps) => below(stream, name, steps, tree),
        ColumnSource::LookUp(_) => unreachable!("tables are looked up after decoding"),
    };
    plan.column_type = column_type;
    plan
}

fn named(stream: &Stream, name: &str, column_type: ColumnType, tree: &mut Tree) -> ColumnPlan {
    let api = stream.format == Format::Api;
    let mut plan = ColumnPlan { rule: Rule::Null, column_type, flags_type: true, reads_text: api };
    if let Some(rule) = common(name) {
        plan.rule = rule;
        return plan;
    }
    let mut path = path_of(stream, name);
    if path.is_empty() && stream.format == Format::Json && stream.columns.iter().any(|column| column.name == name) {
        path.push(PathStep::Key(name.into()));
    }
    let declared = (!path.is_empty() && path.len() <= NESTING_DEPTH).then(|| {
        let mut chain = Chain::new(vec![tree.path(&path)]);
        chain.skip_dash = api;
        chain
    });
    if name == "event_id" {
        let mut chain = declared.unwrap_or_else(|| Chain::new(formats::event_id(stream.format, tree)));
        chain.skip_empty = true;
        plan.rule = Rule::EventId(chain, matches!(stream.format, Format::Lambda | Format::Api));
        return plan;
    }
    match declared {
        Some(chain) => plan.rule = Rule::Chain(chain, LineField::None),
        None => formats::column(stream.format, name, tree, &mut plan),
    }
    plan
}

/// Columns that are alike in all streams.
fn common(name: &str) -> Option<Rule> {
    Some(match name {
        "event_time" => Rule::EventTime,
        "raw" => Rule::Raw,
        "_topic" => Rule::System(System::Topic),
        "_partition" => Rule::System(System::Partition),
        "_offset" => Rule::System(System::Offset),
        "_index" => Rule::System(System::Index),
        "_watermark" => Rule::System(System::Watermark),
        "_flags" => Rule::System(System::Flags),
        _ => return None,
    })
}

/// `->>` below a column. Below a JSON column that is one value of the record, the path goes on in the record itself.
fn below(stream: &Stream, name: &str, steps: &[PathStep], tree: &mut Tree) -> ColumnPlan {
    let json = ColumnType::Json;
    let mut scratch = Tree::new();
    let base = named(stream, name, json, &mut scratch);
    let mut path = path_of(stream, name);
    if path.is_empty() {
        path = formats::json_path(stream.format, name);
    }
    let is_json = stream.column_type(name) == Some(json) && !path.is_empty();
    path.extend_from_slice(steps);
    let rule = match base.rule {
        Rule::Null => Rule::Null,
        _ if path.len() > NESTING_DEPTH => Rule::Null,
        _ if is_json => Rule::Chain(Chain::new(vec![tree.path(&path)]), LineField::None),
        _ => Rule::Below(Box::new(named(stream, name, ColumnType::Text, tree).rule), steps.to_vec()),
    };
    ColumnPlan { rule, column_type: ColumnType::Text, flags_type: false, reads_text: false }
}
