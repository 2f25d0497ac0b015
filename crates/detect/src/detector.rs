//! A detector ready to run, and all detectors of one stream.

use std::collections::HashSet;
use std::sync::Arc;

use watchfire_record::{ColumnRequest, ColumnSource, DetectorInfo, Stream};

use crate::matcher::is_system;
use crate::plan::{DetectorPlan, Operator};

/// One detector: what its findings say of it, and its plan.
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
}

impl Detector {
    /// Whether it keeps state, and so looks at accepted records only.
    #[must_use]
    pub fn stateful(&self) -> bool {
        !matches!(self.plan.operator, Operator::Match)
    }

    /// What a row that is only counted needs: what its expressions read, and its id.
    #[must_use]
    pub fn fold_columns(&self, stream: &Stream) -> Vec<ColumnRequest> {
        let mut columns = self.plan.row_columns.clone();
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
/// The set can change while records flow. What stays is known by its **slot**, not by its place, which may change.
#[derive(Debug, Clone)]
pub struct StreamDetectors {
    /// The stream.
    pub stream: Stream,
    /// Its index in the engine's list.
    pub stream_index: usize,
    /// The detectors, in the order of their slots.
    pub detectors: Vec<Arc<Detector>>,
    /// The number of each detector's version among all that this stream has had: ascending, none given twice.
    pub slots: Vec<u32>,
    /// For each detector, what its rows in a sliding range keep until they are final; empty for others. It stays as it
    /// was when the version came, and has what found rows of all need that came with it.
    pub kept: Vec<Arc<[ColumnRequest]>>,
    /// What every batch is decoded to: all that predicates read, and all that detectors with state keep.
    pub decoded: Vec<ColumnRequest>,
    /// The same and the system columns that predicates read, which come from the rows themselves.
    pub available: Vec<ColumnRequest>,
}

impl StreamDetectors {
    /// The detectors of one stream, none of which was there before.
    #[must_use]
    pub fn new(stream: Stream, stream_index: usize, detectors: Vec<Detector>) -> Self {
        let detectors: Vec<_> = detectors.into_iter().map(Arc::new).collect();
        let slots = (0u32..).take(detectors.len()).collect();
        let kept = layouts(&stream, &[], &detectors);
        Self::assemble(stream, stream_index, detectors, slots, kept)
    }

    /// The same without those whose slots `stays` does not hold for, and with others after them. `first_slot` is the
    /// first that was never given.
    #[must_use]
    pub fn changed(&self, stays: impl Fn(u32) -> bool, added: Vec<Arc<Detector>>, first_slot: u32) -> Self {
        let staying: Vec<usize> = (0..self.slots.len()).filter(|place| stays(self.slots[*place])).collect();
        let mut kept: Vec<_> = staying.iter().map(|place| Arc::clone(&self.kept[*place])).collect();
        kept.extend(layouts(&self.stream, &kept, &added));
        let slots = staying.iter().map(|place| self.slots[*place]).chain((first_slot..).take(added.len())).collect();
        let detectors = staying.iter().map(|place| Arc::clone(&self.detectors[*place])).chain(added).collect();
        Self::assemble(self.stream.clone(), self.stream_index, detectors, slots, kept)
    }

    fn assemble(
        stream: Stream,
        stream_index: usize,
        detectors: Vec<Arc<Detector>>,
        slots: Vec<u32>,
        kept: Vec<Arc<[ColumnRequest]>>,
    ) -> Self {
        let mut available = Columns::default();
        for detector in &detectors {
            let state = if detector.stateful() { detector.row_columns(&stream) } else { Vec::new() };
            detector.plan.predicate_columns.iter().cloned().chain(state).for_each(|request| available.add(request));
        }
        // Some may be there for a detector that has gone.
        kept.iter().flat_map(|layout| layout.iter()).for_each(|request| available.add(request.clone()));
        let mut available = available.list;
        available.sort_by_key(is_system);
        let decoded = available.iter().filter(|request| !is_system(request)).cloned().collect();
        Self { stream, stream_index, detectors, slots, kept, decoded, available }
    }

    /// Where the detector of a slot is; `None` if it has gone.
    #[must_use]
    pub fn place(&self, slot: u32) -> Option<usize> {
        self.slots.binary_search(&slot).ok()
    }
}

/// What rows of these detectors keep: one of the layouts that are `known` where one has all that is needed, else one for
/// all others together, so that a batch's rows are put into as few forms as can be.
fn layouts(stream: &Stream, known: &[Arc<[ColumnRequest]>], detectors: &[Arc<Detector>]) -> Vec<Arc<[ColumnRequest]>> {
    let needs = |detector: &Arc<Detector>| match detector.plan.operator {
        Operator::OverRange { .. } => detector.row_columns(stream),
        _ => Vec::new(),
    };
    let covering = |needs: &[ColumnRequest]| known.iter().find(|layout| needs.iter().all(|c| layout.contains(c)));
    let needs: Vec<Vec<ColumnRequest>> = detectors.iter().map(needs).collect();
    let mut common = Columns::default();
    needs.iter().filter(|needs| covering(needs).is_none()).flatten().for_each(|request| common.add(request.clone()));
    let common: Arc<[ColumnRequest]> = common.list.into();
    let layout = |needs: &Vec<ColumnRequest>| {
        if needs.is_empty() { Arc::default() } else { Arc::clone(covering(needs).unwrap_or(&common)) }
    };
    needs.iter().map(layout).collect()
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
