//! A detector ready to run, and all detectors of one stream.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use datafusion_expr::Expr;
use watchfire_record::{ColumnRequest, ColumnSource, DetectorInfo, Stream};

use crate::matcher::is_system;
use crate::plan::{DetectorPlan, Input, LookUp, Operator, look_up};
use crate::tables::Table;

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
        (0..self.plan.inputs.len()).map(|input| Self { input, ..self.clone() })
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
#[derive(Debug, Clone)]
pub struct StreamDetectors {
    /// The stream.
    pub stream: Stream,
    /// Its index in the engine's list.
    pub stream_index: usize,
    /// The detectors; one that reads the stream twice is there twice.
    pub detectors: Vec<Detector>,
    /// Those with state, by their indices: all of one entry ask for the same aggregates of the same rows, keys and
    /// windows, and differ in what they find in them, so that one operator serves them.
    pub operators: Vec<Vec<usize>>,
    /// The detectors' names, each once, in their order.
    pub names: Vec<String>,
    /// For each of the detectors, the place of its name.
    pub places: Vec<usize>,
    /// What a row in a sliding range keeps until it is final: all that a found row of any such detector needs.
    pub kept: Vec<ColumnRequest>,
    /// What every batch is decoded to: all that predicates read, and all that detectors with state keep.
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
        let mut sorted: Vec<Vec<Detector>> = streams.iter().map(|_| Vec::new()).collect();
        for part in detectors.iter().flat_map(Detector::by_input) {
            sorted[part.reads().stream].push(part);
        }
        let one = |(index, (stream, detectors)): (usize, (&Stream, Vec<Detector>))| {
            Arc::new(Self::new(stream.clone(), index, detectors))
        };
        streams.iter().zip(sorted).enumerate().map(one).collect()
    }

    /// The detectors of one stream.
    #[must_use]
    pub fn new(stream: Stream, stream_index: usize, detectors: Vec<Detector>) -> Self {
        let (mut available, mut kept) = (Vec::new(), Vec::new());
        for detector in &detectors {
            if matches!(detector.plan.operator, Operator::OverRange { .. }) {
                detector.row_columns(&stream).into_iter().for_each(|request| add(&mut kept, request));
            }
            let state = if detector.stateful() { detector.row_columns(&stream) } else { Vec::new() };
            for request in detector.reads().predicate_columns.iter().cloned().chain(state) {
                add(&mut available, request);
            }
        }
        let (look_ups, looked_up) = look_ups(&detectors);
        look_ups.iter().flat_map(|l| &l.key_columns).for_each(|request| add(&mut available, request.clone()));
        available.retain(|request| !request.is_looked_up());
        available.sort_by_key(is_system);
        let (mut names, mut places, mut known) = (Vec::new(), Vec::new(), HashMap::new());
        for name in detectors.iter().map(|detector| &detector.info.name) {
            places.push(*known.entry(name.as_str()).or_insert_with(|| {
                names.push(name.clone());
                names.len() - 1
            }));
        }
        let decoded: Vec<ColumnRequest> = available.iter().filter(|request| !is_system(request)).cloned().collect();
        available.splice(decoded.len()..decoded.len(), looked_up.iter().cloned());
        let operators = operators(&detectors);
        Self {
            stream,
            stream_index,
            names,
            places,
            detectors,
            operators,
            kept,
            decoded,
            look_ups,
            looked_up,
            available,
        }
    }
}

/// All look-ups of detectors, and what is taken of each, in their order.
fn look_ups(detectors: &[Detector]) -> (Vec<LookUp>, Vec<ColumnRequest>) {
    let (mut look_ups, mut taken) = (Vec::<LookUp>::new(), Vec::new());
    for detector in detectors {
        let Input { predicate_columns, row_columns, kept_columns, look_ups: own, .. } = detector.reads();
        for look_up in own {
            if !look_ups.iter().any(|known| known.name == look_up.name) {
                look_ups.push(look_up.clone());
            }
        }
        let of_keys = own.iter().flat_map(|look_up| &look_up.key_columns);
        let read = predicate_columns.iter().chain(row_columns).chain(kept_columns).chain(of_keys);
        read.filter(|request| request.is_looked_up()).for_each(|request| add(&mut taken, request.clone()));
    }
    let place = |request: &ColumnRequest| match &request.source {
        ColumnSource::LookUp(source) => look_ups.iter().position(|look_up| look_up.name == source.look_up()),
        _ => None,
    };
    taken.sort_by_key(place);
    (look_ups, taken)
}

fn operators(detectors: &[Detector]) -> Vec<Vec<usize>> {
    let mut operators: Vec<Vec<usize>> = Vec::new();
    let mut known = HashMap::new();
    for (index, detector) in detectors.iter().enumerate().filter(|(_, detector)| detector.stateful()) {
        let (predicates, DetectorPlan { keys, operator, .. }) = (&detector.reads().predicates, &detector.plan);
        if !matches!(operator, Operator::Window { .. }) {
            operators.push(vec![index]);
            continue;
        }
        let keys: Vec<&Expr> = keys.iter().map(|(_, expr)| expr).collect();
        let place = *known.entry((predicates, keys, operator)).or_insert(operators.len());
        if place == operators.len() {
            operators.push(Vec::new());
        }
        operators[place].push(index);
    }
    operators
}
