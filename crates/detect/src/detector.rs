//! A detector ready to run, and all detectors of one stream.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use watchfire_record::{ColumnRequest, ColumnSource, DetectorInfo, Stream};

use crate::clauses::Clauses;
use crate::matcher::is_system;
use crate::plan::{DetectorPlan, Input, LookUp, Operator, look_up};
use crate::tables::Table;
use crate::version::{Version, Versions};

/// One detector, as it reads one of its inputs: what its findings say of it, and its plan.
#[derive(Debug, Clone)]
pub struct Detector {
    /// What its findings carry.
    pub info: Arc<DetectorInfo>,
    /// For match: the columns of the found row that are the finding's keys.
    pub key: Vec<String>,
    /// How long after a stream's first record it is silent, microseconds; 0 for detectors that do not learn.
    pub learn: i64,
    /// What it runs.
    pub plan: DetectorPlan,
    /// Which of the plan's inputs this is about: a detector of several is there once for each.
    pub input: usize,
}

impl Detector {
    /// Whether it keeps state, and so looks at accepted records only.
    #[must_use]
    pub fn stateful(&self) -> bool {
        !matches!(self.plan.operator, Operator::Match)
    }

    /// What it reads.
    #[must_use]
    pub fn reads(&self) -> &Input {
        &self.plan.inputs[self.input]
    }

    /// The detector once for each of its inputs.
    pub fn by_input(&self) -> impl Iterator<Item = Self> {
        (0..self.plan.inputs.len()).map(|input| self.of_input(input))
    }

    /// The detector as it reads one of its inputs.
    #[must_use]
    pub fn of_input(&self, input: usize) -> Self {
        Self { input, ..self.clone() }
    }

    /// The same over other tables: `other` gives the one in the place of each.
    ///
    /// # Errors
    /// That of `other`.
    pub fn over_tables<E>(mut self, other: impl Fn(&Arc<Table>) -> Result<Arc<Table>, E>) -> Result<Self, E> {
        let mut others = HashMap::new();
        for look_up in self.plan.inputs.iter_mut().flat_map(|input| &mut input.look_ups) {
            look_up.table = match others.entry(look_up.table.definition().name.clone()) {
                Entry::Occupied(known) => Arc::clone(known.get()),
                Entry::Vacant(new) => Arc::clone(new.insert(other(&look_up.table)?)),
            };
        }
        self.plan.logical = look_up::over_tables(self.plan.logical, &others);
        Ok(self)
    }

    /// What a row that is only counted needs: what its expressions read, and its id.
    #[must_use]
    pub fn fold_columns(&self, stream: &Stream) -> Vec<ColumnRequest> {
        let mut columns = self.reads().row_columns.clone();
        add(&mut columns, named(stream, "event_id"));
        columns
    }

    /// What a found row needs: what its expressions read, the record's identity, its id.
    #[must_use]
    pub fn row_columns(&self, stream: &Stream) -> Vec<ColumnRequest> {
        let mut columns = self.fold_columns(stream);
        identity_names(stream).iter().for_each(|name| add(&mut columns, named(stream, name)));
        columns
    }
}

/// The columns in which two copies of a record are equal, or, where a stream has none, its position.
#[must_use]
pub fn identity_names(stream: &Stream) -> Vec<String> {
    if stream.identity.is_empty() {
        return ["_topic", "_partition", "_offset", "_index"].map(String::from).to_vec();
    }
    let mut names = stream.identity.clone();
    // Identities are kept until the watermark passes their time, so the time is part of every one.
    if !names.iter().any(|name| name == "event_time") {
        names.push("event_time".to_owned());
    }
    names
}

/// The stream's column of this name, as it is asked for.
///
/// # Panics
/// If the stream has no such column.
#[must_use]
pub fn named(stream: &Stream, name: &str) -> ColumnRequest {
    let column_type = stream.column_type(name).expect("identity columns are the stream's own");
    ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type }
}

fn add(columns: &mut Vec<ColumnRequest>, request: ColumnRequest) {
    if !columns.contains(&request) {
        columns.push(request);
    }
}

/// All detectors of one stream, and what the decoder must deliver for them. Shared by all workers and shards.
///
/// The set can change while records flow. What stays is known by its numbers, not by its place, which may change.
#[derive(Debug, Clone)]
pub struct StreamDetectors {
    /// The stream.
    pub stream: Stream,
    /// Its index in the engine's list.
    pub stream_index: usize,
    /// The detectors, in the order of their slots; one that reads the stream twice is there twice.
    pub detectors: Vec<Arc<Detector>>,
    /// For each of the detectors, its version's number.
    pub slots: Vec<u32>,
    /// Those with state, by their indices: all of one entry ask for the same aggregates of the same rows, keys and
    /// windows, and differ in what they find in them, so that one operator serves them.
    pub operators: Vec<Vec<usize>>,
    /// For each of the operators, its number among all that there have been. The two sides of a sequence have one.
    pub numbers: Vec<u32>,
    /// Their different WHEREs.
    pub clauses: Clauses,
    /// What a row in a sliding range keeps until it is final: all that a found row of any such detector needs.
    pub kept: Arc<[ColumnRequest]>,
    /// What every batch is decoded to: all that predicates read, all that detectors with state keep, and the columns of
    /// the stream's sources.
    pub decoded: Vec<ColumnRequest>,
    /// What is looked up in tables, each look-up after those that it builds on.
    pub look_ups: Vec<LookUp>,
    /// What is taken of these, in their order: every batch has it after what is decoded.
    pub looked_up: Vec<ColumnRequest>,
    /// All these, and the system columns that predicates read, which come from the rows themselves.
    pub available: Vec<ColumnRequest>,
}

impl StreamDetectors {
    /// These detectors by the streams that they read, in the order of the streams.
    #[must_use]
    pub fn by_stream(detectors: &[Detector], streams: &[Stream]) -> Vec<Arc<Self>> {
        let versions = Versions::first(detectors);
        let one = |(index, stream): (usize, &Stream)| Arc::new(Self::of(versions.list(), stream.clone(), index, None));
        streams.iter().enumerate().map(one).collect()
    }

    /// The detectors of one stream.
    #[must_use]
    pub fn new(stream: Stream, stream_index: usize, detectors: Vec<Detector>) -> Self {
        Self::of(Versions::first(&detectors).list(), stream, stream_index, None)
    }

    /// The same stream with those of these versions that read it; the very same if nothing changes for it.
    #[must_use]
    pub fn changed(self: &Arc<Self>, versions: &[Version]) -> Arc<Self> {
        let reads = |version: &&Version| version.parts.iter().any(|part| part.reads().stream == self.stream_index);
        let mut slots: Vec<u32> = self.slots.clone();
        slots.dedup();
        if versions.iter().filter(reads).map(|version| version.slot).eq(slots) {
            return Arc::clone(self);
        }
        Arc::new(Self::of(versions, self.stream.clone(), self.stream_index, Some(&self.clauses)))
    }

    fn of(versions: &[Version], stream: Stream, stream_index: usize, before: Option<&Clauses>) -> Self {
        let parts = versions.iter().flat_map(|version| version.parts.iter().map(move |part| (version, part)));
        let parts: Vec<_> = parts.filter(|(_, part)| part.reads().stream == stream_index).collect();
        let detectors: Vec<Arc<Detector>> = parts.iter().map(|(_, part)| Arc::clone(part)).collect();
        let (mut available, mut kept) = (Columns::default(), Columns::default());
        for detector in &detectors {
            if matches!(detector.plan.operator, Operator::OverRange { .. }) {
                detector.row_columns(&stream).into_iter().for_each(|request| kept.add(request));
            }
            let state = if detector.stateful() { detector.row_columns(&stream) } else { Vec::new() };
            for request in detector.reads().predicate_columns.iter().cloned().chain(state) {
                available.add(request);
            }
        }
        // What is noticed of a record does not hang on what other detectors read: where it is asked for, all is looked at.
        if detectors.iter().any(|detector| asks_for_flags(detector)) {
            let walked = stream.all_columns().filter(|(name, _)| *name != "raw");
            walked.for_each(|(name, _)| available.add(named(&stream, name)));
        }
        // Whatever detectors read, records are counted by these.
        stream.sources.iter().for_each(|sources| available.add(named(&stream, &sources.column)));
        let (look_ups, looked_up) = look_ups(&detectors);
        look_ups.iter().flat_map(|l| &l.key_columns).for_each(|request| available.add(request.clone()));
        let mut available = available.list;
        available.retain(|request| !request.is_looked_up());
        available.sort_by_key(is_system);
        let decoded: Vec<ColumnRequest> = available.iter().filter(|request| !is_system(request)).cloned().collect();
        available.splice(decoded.len()..decoded.len(), looked_up.iter().cloned());
        let (numbers, operators) = operators(&parts).into_iter().unzip();
        Self {
            clauses: Clauses::new(&detectors, before),
            slots: parts.iter().map(|(version, _)| version.slot).collect(),
            kept: kept.list.into(),
            stream,
            stream_index,
            detectors,
            operators,
            numbers,
            decoded,
            look_ups,
            looked_up,
            available,
        }
    }
}

fn asks_for_flags(detector: &Detector) -> bool {
    let mut read = detector.reads().predicate_columns.iter().chain(&detector.reads().row_columns);
    read.any(|request| matches!(&request.source, ColumnSource::Column(name) if name == "_flags"))
}

/// All look-ups of detectors, and what is taken of each, in their order.
fn look_ups(detectors: &[Arc<Detector>]) -> (Vec<LookUp>, Vec<ColumnRequest>) {
    let (mut look_ups, mut taken) = (Vec::<LookUp>::new(), Columns::default());
    for detector in detectors {
        let Input { predicate_columns, row_columns, kept_columns, look_ups: own, .. } = detector.reads();
        for look_up in own {
            if !look_ups.iter().any(|known| known.name == look_up.name) {
                look_ups.push(look_up.clone());
            }
        }
        let of_keys = own.iter().flat_map(|look_up| &look_up.key_columns);
        let read = predicate_columns.iter().chain(row_columns).chain(kept_columns).chain(of_keys);
        read.filter(|request| request.is_looked_up()).for_each(|request| taken.add(request.clone()));
    }
    let mut taken = taken.list;
    let place = |request: &ColumnRequest| match &request.source {
        ColumnSource::LookUp(source) => look_ups.iter().position(|look_up| look_up.name == source.look_up()),
        _ => None,
    };
    taken.sort_by_key(place);
    (look_ups, taken)
}

/// The operators' numbers, and the indices of the detectors of each.
fn operators(parts: &[(&Version, &Arc<Detector>)]) -> Vec<(u32, Vec<usize>)> {
    let mut operators: Vec<(u32, Vec<usize>)> = Vec::new();
    let mut known = HashMap::new();
    for (index, (version, part)) in parts.iter().enumerate().filter(|(_, (_, part))| part.stateful()) {
        let place = *known.entry((version.operator, part.input)).or_insert(operators.len());
        if place == operators.len() {
            operators.push((version.operator, Vec::new()));
        }
        operators[place].1.push(index);
    }
    operators
}

/// Columns, each once, in the order in which they were first asked for.
#[derive(Default)]
struct Columns {
    list: Vec<ColumnRequest>,
    known: HashSet<ColumnRequest>,
}

impl Columns {
    fn add(&mut self, request: ColumnRequest) {
        if self.known.insert(request.clone()) {
            self.list.push(request);
        }
    }
}
