//! What a worker does with a decoded batch: who wants which rows, what matches, what goes on to operators with state.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion_common::Result;
use watchfire_record::{
    Batch, Column, ColumnRequest, DetectorInfo, Evidence, Finding, Row, State, Value, interner::NULL_ID,
};

use crate::detector::{Detector, StreamDetectors, identity_names, named};
use crate::expression::{Expression, record_batch, schema, schema_of};
use crate::identities::{Identities, SecretHasher};
use crate::lifetime::Lifetime;
use crate::matcher::{BatchColumns, Matcher};
use crate::operators::input::records;
use crate::operators::shared::{BatchInputs, SharedInputs};
use crate::operators::{Feeder, OperatorBatch};
use crate::value::{Subject, finding_id, value_at};

/// Reads columns of chosen rows of the batch at hand: match findings read most of theirs only when they are found.
pub type Fetch<'a> = dyn FnMut(&Batch, &[u32], &[ColumnRequest]) -> Vec<ArrayRef> + 'a;

/// Judges the batches of one stream in one worker.
pub struct Judge {
    detectors: Arc<StreamDetectors>,
    columns: BatchColumns,
    matcher: Matcher,
    matches: BTreeMap<usize, MatchRow>,
    feeders: BTreeMap<usize, Feeder>,
    shared: SharedInputs,
    identity: Option<Vec<ColumnRequest>>,
    hasher: SecretHasher,
}

/// The rows of a batch that each detector wants; for those with state, accepted rows only.
#[derive(Debug)]
pub struct Judgement {
    rows: Vec<Vec<u32>>,
}

/// How a match detector makes a finding of a row.
struct MatchRow {
    columns: Vec<ColumnRequest>,
    event_id: usize,
    identity: Vec<usize>,
    outputs: Vec<(Arc<str>, Expression)>,
    keys: Vec<usize>,
}

impl Judge {
    /// A judge for the detectors of one stream. `hasher` is the same for all workers.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn new(detectors: Arc<StreamDetectors>, hasher: SecretHasher) -> Result<Self> {
        let clauses: Vec<_> = detectors.detectors.iter().map(|d| d.plan.predicates.clone()).collect();
        let (mut matches, mut feeders) = (BTreeMap::new(), BTreeMap::new());
        let mut shared = SharedInputs::default();
        for (index, detector) in detectors.detectors.iter().enumerate() {
            if detector.stateful() {
                let kept = &detectors.kept[index];
                feeders.insert(index, Feeder::new(index, detector, &detectors.stream, kept, &mut shared)?);
            } else {
                matches.insert(index, MatchRow::new(detector, &detectors)?);
            }
        }
        let stream = &detectors.stream;
        let needed = !stream.identity.is_empty() && !feeders.is_empty();
        let identity = needed.then(|| identity_names(stream).iter().map(|name| named(stream, name)).collect());
        Ok(Self {
            matcher: Matcher::new(&clauses, &detectors.available)?,
            columns: BatchColumns::new(detectors.decoded.clone()),
            detectors,
            matches,
            feeders,
            shared,
            identity,
            hasher,
        })
    }

    /// Which rows of a stamped batch each detector wants.
    pub fn select(&mut self, batch: &Batch) -> Judgement {
        let mut rows = self.matcher.select(batch, &self.columns);
        for detector in self.feeders.keys() {
            rows[*detector].retain(|row| batch.rows[*row as usize].accepted());
        }
        Judgement { rows }
    }

    /// Takes rows out that are not of their detector's time. One lifetime a detector, in their order.
    pub fn within(judgement: &mut Judgement, batch: &Batch, lifetimes: &[Lifetime]) {
        for (rows, lifetime) in judgement.rows.iter_mut().zip(lifetimes) {
            if *lifetime != Lifetime::ALWAYS {
                rows.retain(|row| lifetime.contains(batch.rows[*row as usize].event_time));
            }
        }
    }

    /// The findings of match detectors.
    pub fn matches(&self, batch: &Batch, judgement: &Judgement, fetch: &mut Fetch<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        for (index, row) in &self.matches {
            let rows = &judgement.rows[*index];
            if !rows.is_empty() {
                row.findings(&self.detectors.detectors[*index].info, batch, rows, fetch, &mut found);
            }
        }
        found
    }

    /// Whether records of this stream can be copies of one another, as far as its detectors are concerned.
    #[must_use]
    pub fn needs_identities(&self) -> bool {
        self.identity.is_some()
    }

    /// The identity of each row that an operator with state wants, and who wants it, by slot. In the order of the rows.
    #[must_use]
    pub fn identities(&self, batch: &Batch, judgement: &Judgement) -> Vec<(u32, u128, Vec<u32>)> {
        let Some(identity) = &self.identity else { return Vec::new() };
        let mut wanted: Vec<Vec<u32>> = vec![Vec::new(); batch.rows.len()];
        for detector in self.feeders.keys() {
            let slot = self.detectors.slots[*detector];
            judgement.rows[*detector].iter().for_each(|row| wanted[*row as usize].push(slot));
        }
        let rows = (0u32..).zip(wanted).filter(|(_, wanted)| !wanted.is_empty());
        let places: Vec<usize> = identity.iter().map(|column| self.place(column)).collect();
        rows.map(|(row, wanted)| (row, self.identity_of(batch, &places, row), wanted)).collect()
    }

    fn place(&self, column: &ColumnRequest) -> usize {
        self.columns.decoded().iter().position(|c| c == column).expect("identity columns are asked for")
    }

    fn identity_of(&self, batch: &Batch, places: &[usize], row: u32) -> u128 {
        places.iter().fold(0, |hash, place| match &batch.columns[*place] {
            Column::Interned { ids, values } => {
                let id = ids[row as usize];
                self.hasher.extend(hash, (id != NULL_ID).then(|| values.text(id)))
            }
            Column::Plain(array) => match array.as_string_opt::<i32>() {
                Some(texts) => {
                    let present = !arrow::array::Array::is_null(texts, row as usize);
                    self.hasher.extend(hash, present.then(|| texts.value(row as usize)))
                }
                None => match array.as_primitive_opt::<TimestampMicrosecondType>() {
                    Some(times) => self.hasher.extend(hash, times.value(row as usize)),
                    None => self.hasher.extend(hash, value_at(array, row as usize).to_string()),
                },
            },
        })
    }

    /// Takes copies out of a judgement. To be called for one batch after the other, in the order of intake.
    pub fn without_copies(
        &self,
        batch: &Batch,
        judgement: &mut Judgement,
        identified: Vec<(u32, u128, Vec<u32>)>,
        identities: &mut Identities,
    ) {
        for detector in self.feeders.keys() {
            if self.identity.is_some() {
                judgement.rows[*detector].clear();
            }
        }
        for (row, identity, wanted) in identified {
            let time = batch.rows[row as usize].event_time;
            for slot in identities.admit(time, identity, &wanted).iter() {
                let detector = self.detectors.place(*slot).expect("who wants a row is there");
                judgement.rows[detector].push(row);
            }
        }
    }

    /// What goes on to operators with state.
    #[must_use]
    pub fn feed(&self, batch: &Batch, judgement: &Judgement) -> Vec<OperatorBatch> {
        if self.feeders.keys().all(|index| judgement.rows[*index].is_empty()) {
            return Vec::new();
        }
        let event_id = named(&self.detectors.stream, "event_id");
        let records = Arc::new(records(batch, &self.columns, &event_id));
        let mut inputs = BatchInputs::new(&self.shared, batch, &self.columns, &self.hasher);
        let mut fed = Vec::new();
        for (index, feeder) in &self.feeders {
            let rows = &judgement.rows[*index];
            if !rows.is_empty() {
                fed.push(feeder.feed(batch, rows, &records, &mut inputs));
            }
        }
        fed
    }

    /// How many rows each detector wants, in the order of the stream's detectors.
    #[must_use]
    pub fn matched(judgement: &Judgement) -> Vec<u64> {
        judgement.rows.iter().map(|rows| rows.len() as u64).collect()
    }
}

impl MatchRow {
    fn new(detector: &Detector, detectors: &StreamDetectors) -> Result<Self> {
        let columns = detector.row_columns(&detectors.stream);
        let fields = schema(schema_of(&columns));
        let place = |name: &str| columns.iter().position(|c| c.name() == name).expect("row_columns names it");
        let outputs = detector.plan.outputs.iter();
        let outputs = outputs.map(|(name, expr)| Ok((name.as_str().into(), Expression::compile(expr, &fields)?)));
        let outputs: Vec<(Arc<str>, Expression)> = outputs.collect::<Result<_>>()?;
        let key = |name: &String| outputs.iter().position(|(output, _)| **output == **name);
        Ok(Self {
            event_id: place("event_id"),
            identity: identity_names(&detectors.stream).iter().map(|name| place(name)).collect(),
            keys: detector.key.iter().filter_map(key).collect(),
            outputs,
            columns,
        })
    }

    fn findings(
        &self,
        info: &Arc<DetectorInfo>,
        batch: &Batch,
        rows: &[u32],
        fetch: &mut Fetch<'_>,
        found: &mut Vec<Finding>,
    ) {
        let arrays = fetch(batch, rows, &self.columns);
        let table = record_batch(&schema(schema_of(&self.columns)), arrays.clone(), rows.len());
        let outputs: Vec<ArrayRef> = self.outputs.iter().map(|(_, expression)| expression.evaluate(&table)).collect();
        for (place, row) in rows.iter().enumerate() {
            let row_at = |index: usize| (Arc::clone(&self.outputs[index].0), value_at(&outputs[index], place));
            let keys: Vec<(Arc<str>, Value)> = self.keys.iter().map(|index| row_at(*index)).collect();
            let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
            let identity: Vec<Value> = self.identity.iter().map(|column| value_at(&arrays[*column], place)).collect();
            let record = &batch.rows[*row as usize];
            let event_id = value_at(&arrays[self.event_id], place).to_string();
            found.push(Finding {
                finding_id: finding_id(&info.name, "match", 0, &key_values, Subject::Record(&identity)),
                keys,
                row: (0..self.outputs.len()).map(row_at).collect(),
                evidence: vec![Evidence { event_id, position: batch.position(record), event_time: record.event_time }],
                ..match_finding(info, record)
            });
        }
    }
}

fn match_finding(info: &Arc<DetectorInfo>, record: &Row) -> Finding {
    Finding {
        finding_id: watchfire_record::FindingId([0; 16]),
        revision: 1,
        state: State::Final,
        detector: Arc::clone(info),
        window: None,
        window_end: None,
        keys: Vec::new(),
        row: Vec::new(),
        first_event_time: record.event_time,
        last_event_time: record.event_time,
        evidence: Vec::new(),
        complete: true,
        caused_at: record.timestamp,
    }
}
