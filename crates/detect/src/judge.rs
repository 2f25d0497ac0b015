//! What a worker does with a decoded batch: who wants which rows, what matches, what goes on to operators with state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use watchfire_record::{Batch, ColumnRequest, DetectorInfo, Evidence, Finding, Row, State, Value};

use crate::clauses::Clauses;
use crate::cost::{Cost, Meter};
use crate::detector::{Detector, StreamDetectors, identity_names, named};
use crate::expression::{Expression, record_batch, schema, schema_of};
use crate::identities::{Identities, SecretHasher};
use crate::identity::IdentityColumns;
use crate::lifetime::Lifetime;
use crate::liveness::{Condition, Field, Liveness};
use crate::matcher::{BatchColumns, Matcher, Met, Presence};
use crate::operators::feed::StreamBatch;
use crate::operators::feeder::Feeder;
use crate::operators::shared::{BatchInputs, SharedInputs};
use crate::tables::LookUps;
use crate::value::{Subject, finding_id, match_operator, value_at};

/// Reads columns of chosen rows of the batch at hand: match findings read most of theirs only when they are found.
pub type Fetch<'a> = dyn FnMut(&Batch, &[u32], &[ColumnRequest]) -> Vec<ArrayRef> + 'a;

/// Judges the batches of one stream in one worker.
pub struct Judge {
    detectors: Arc<StreamDetectors>,
    columns: BatchColumns,
    look_ups: LookUps,
    matcher: Matcher,
    liveness: Liveness,
    matches: Arc<BTreeMap<usize, MatchRow>>,
    feeder: Feeder,
    shared: SharedInputs,
    identity: Option<IdentityColumns>,
    hasher: SecretHasher,
    meter: Meter,
}

/// What takes longest to compile, and is the same for all workers.
#[derive(Clone)]
struct Compiled {
    matcher: Matcher,
    liveness: Liveness,
    matches: Arc<BTreeMap<usize, MatchRow>>,
}

impl Compiled {
    fn new(detectors: &StreamDetectors) -> Result<Self> {
        let clauses = &detectors.clauses;
        let mut matcher = Matcher::new(&clauses.different, &detectors.available, &clauses.conditions)?;
        let stateless = detectors.detectors.iter().enumerate().filter(|(_, detector)| !detector.stateful());
        let matches = stateless.map(|(index, detector)| Ok((index, MatchRow::new(detector, detectors)?)));
        let matches = Arc::new(matches.collect::<Result<_>>()?);
        Ok(Self { liveness: Liveness::new(detectors, &mut matcher), matcher, matches })
    }
}

/// The rows of a batch that pass each WHERE; for those of detectors with state, accepted rows only.
#[derive(Debug)]
pub struct Judgement {
    rows: Vec<Vec<u32>>,
}

/// Rows that operators with state want, each with its identity and the WHEREs that it passes.
#[derive(Debug, Default)]
pub struct Identified {
    /// Row, identity, index of the set.
    rows: Vec<(u32, u128, usize)>,
    /// Sets of WHEREs, each ascending.
    sets: Vec<Vec<u32>>,
}

/// How a match detector makes a finding of a row.
struct MatchRow {
    /// What is fetched for the rows that are found, then what the batch has of tables for them.
    columns: Vec<ColumnRequest>,
    /// How many are fetched.
    fetched: usize,
    event_id: usize,
    identity: Vec<usize>,
    outputs: Vec<(Arc<str>, Expression)>,
    keys: Vec<usize>,
    /// The keys by which rows of tables are joined.
    joined: Vec<Expression>,
    /// Which branch of a union it is; 0 for a detector without.
    branch: i64,
}

impl Judge {
    /// A judge for the detectors of one stream, whose state is kept in so many `shards`. `hasher` is the same for all
    /// workers. With `thorough`, what WHEREs cost is measured in each batch.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn new(detectors: Arc<StreamDetectors>, hasher: SecretHasher, shards: usize, thorough: bool) -> Result<Self> {
        let compiled = Compiled::new(&detectors)?;
        Self::with(compiled, detectors, hasher, shards, thorough)
    }

    /// The same for so many workers.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn several(
        workers: usize,
        detectors: &Arc<StreamDetectors>,
        hasher: &SecretHasher,
        shards: usize,
        thorough: bool,
    ) -> Result<Vec<Self>> {
        let compiled = Compiled::new(detectors)?;
        let one = |_| Self::with(compiled.clone(), Arc::clone(detectors), hasher.clone(), shards, thorough);
        (0..workers).map(one).collect()
    }

    fn with(
        compiled: Compiled,
        detectors: Arc<StreamDetectors>,
        hasher: SecretHasher,
        shards: usize,
        thorough: bool,
    ) -> Result<Self> {
        let Compiled { matcher, liveness, matches } = compiled;
        let clauses = &detectors.clauses;
        let mut shared = SharedInputs::new(detectors.available.clone(), Arc::clone(&detectors.kept));
        let feeder = Feeder::new(&detectors, shards, &mut shared)?;
        shared.finish(&clauses.conditions)?;
        let stream = &detectors.stream;
        let needed = !stream.identity.is_empty() && !clauses.stateful.is_empty();
        let columns = BatchColumns::new(detectors.decoded.iter().chain(&detectors.looked_up).cloned().collect());
        let place = |name: &String| {
            let column = named(stream, name);
            columns.decoded().iter().position(|other| *other == column).expect("identity columns are asked for")
        };
        let places = || identity_names(stream).iter().map(place).collect();
        let identity = needed.then(|| IdentityColumns::new(places(), hasher.clone()));
        Ok(Self {
            liveness,
            matcher,
            columns,
            look_ups: LookUps::new(&detectors.look_ups, &detectors.looked_up)?,
            matches,
            feeder,
            shared,
            identity,
            hasher,
            meter: Meter::new(clauses, detectors.detectors.len(), thorough),
            detectors,
        })
    }

    /// Adds to a stamped batch what tables have for its rows. To be called once, before all else.
    pub fn look_up(&mut self, batch: &mut Batch) {
        self.meter.begin();
        self.look_ups.extend(batch, &self.columns, &self.hasher);
        let detectors = self.detectors.detectors.iter().enumerate();
        self.meter.looked_up(detectors.filter(|(_, one)| !one.reads().look_ups.is_empty()).map(|(index, _)| index));
    }

    /// Which rows of a stamped batch each detector wants.
    pub fn select(&mut self, batch: &Batch) -> Judgement {
        self.meter.begin();
        let mut rows = self.matcher.measured(batch, &self.columns, self.meter.weights());
        if batch.rows.iter().any(|row| !row.accepted()) {
            for clause in &self.detectors.clauses.stateful {
                rows[*clause].retain(|row| batch.rows[*row as usize].accepted());
            }
        }
        self.meter.matched();
        Judgement { rows }
    }

    /// Whether detectors could fire, as far as the batches so far tell: what the last one had of the fields that they need,
    /// and what has become of their conditions since the last time that this was asked.
    pub fn liveness(&mut self) -> (impl Iterator<Item = (&Field, Presence)>, Vec<(Condition, Met)>) {
        let changes = self.liveness.changes(&self.matcher);
        (self.fields().iter().zip(self.matcher.presence().iter().copied()), changes)
    }

    /// The fields that batches are looked at for, in the order of [`Self::liveness`].
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        self.liveness.fields()
    }

    /// Whose batches it judges.
    #[must_use]
    pub fn detectors(&self) -> &Arc<StreamDetectors> {
        &self.detectors
    }

    /// The findings of match detectors, which are live for these times, one entry a detector.
    pub fn matches(
        &mut self,
        batch: &Batch,
        judgement: &Judgement,
        lifetimes: &[Lifetime],
        fetch: &mut Fetch<'_>,
    ) -> Vec<Finding> {
        let (mut found, span) = (Vec::new(), span(batch));
        self.meter.begin();
        for (index, row) in self.matches.iter() {
            let rows = &judgement.rows[self.detectors.clauses.of_detector[*index]];
            if rows.is_empty() {
                continue;
            }
            let info = &self.detectors.detectors[*index].info;
            if lifetimes[*index].contains_all(span) {
                row.findings(info, batch, (rows, &self.columns), fetch, &mut found);
            } else {
                let mut rows = rows.clone();
                rows.retain(|row| lifetimes[*index].contains(batch.rows[*row as usize].event_time));
                row.findings(info, batch, (&rows, &self.columns), fetch, &mut found);
            }
            self.meter.found(*index);
        }
        found
    }

    /// Whether records of this stream can be copies of one another, as far as its detectors are concerned.
    #[must_use]
    pub fn needs_identities(&self) -> bool {
        self.identity.is_some()
    }

    /// The rows that operators with state want, in order, with their identities.
    #[must_use]
    pub fn identities(&mut self, batch: &Batch, judgement: &Judgement) -> Identified {
        let Some(identity) = &mut self.identity else { return Identified::default() };
        self.meter.begin();
        identity.learn(batch);
        let (of_row, sets) = sets(&self.detectors.clauses, batch.rows.len(), judgement);
        let rows = (0u32..).zip(of_row).filter(|(_, set)| !sets[*set].is_empty());
        let rows = rows.map(|(row, set)| (row, identity.of(batch, row), set)).collect();
        self.meter.fed(with_rows(&self.detectors, judgement));
        Identified { rows, sets }
    }

    /// Takes copies out of a judgement. To be called for one batch after the other, in the order of intake.
    pub fn without_copies(
        &self,
        batch: &Batch,
        judgement: &mut Judgement,
        identified: &Identified,
        identities: &mut Identities,
    ) {
        let numbers: Vec<u32> = identified.sets.iter().map(|set| identities.set(set)).collect();
        let mut copies: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (row, identity, set) in &identified.rows {
            let time = batch.rows[*row as usize].event_time;
            for clause in identities.refused(time, *identity, numbers[*set]) {
                copies.entry(clause).or_default().push(*row);
            }
        }
        for (clause, copies) in copies {
            let clause = self.detectors.clauses.with_number(clause);
            judgement.rows[clause].retain(|row| copies.binary_search(row).is_err());
        }
    }

    /// What goes on to operators with state; `None` if no row does.
    #[must_use]
    pub fn feed(&mut self, batch: &Batch, judgement: &Judgement) -> Option<StreamBatch> {
        if self.detectors.clauses.stateful.iter().all(|clause| judgement.rows[*clause].is_empty()) {
            return None;
        }
        self.meter.begin();
        let mut inputs = BatchInputs::new(&mut self.shared, batch, &self.columns, &self.hasher);
        let fed = self.feeder.feed(batch, &self.columns, &judgement.rows, &mut inputs);
        self.meter.fed(with_rows(&self.detectors, judgement));
        Some(fed)
    }

    /// What each detector cost here since this was last asked.
    pub fn costs(&mut self) -> Vec<Cost> {
        self.meter.take(&self.detectors.clauses)
    }

    /// How many rows each detector, which are live for these times, wants.
    #[must_use]
    pub fn matched(&self, batch: &Batch, judgement: &Judgement, lifetimes: &[Lifetime]) -> Vec<u64> {
        let span = span(batch);
        let one = |(clause, lifetime): (&usize, &Lifetime)| {
            let rows = &judgement.rows[*clause];
            let within = |row: &&u32| lifetime.contains(batch.rows[**row as usize].event_time);
            if lifetime.contains_all(span) { rows.len() as u64 } else { rows.iter().filter(within).count() as u64 }
        };
        self.detectors.clauses.of_detector.iter().zip(lifetimes).map(one).collect()
    }
}

/// The different sets of WHEREs (of operators with state) that rows pass, and which of them each row has.
fn sets(clauses: &Clauses, rows: usize, judgement: &Judgement) -> (Vec<usize>, Vec<Vec<u32>>) {
    let mut of_row = vec![0; rows];
    let mut sets: Vec<Vec<u32>> = vec![Vec::new()];
    let mut grown: HashMap<usize, usize> = HashMap::new();
    for clause in &clauses.stateful {
        grown.clear();
        for row in &judgement.rows[*clause] {
            let set = &mut of_row[*row as usize];
            *set = *grown.entry(*set).or_insert_with(|| {
                let mut with = sets[*set].clone();
                with.push(clauses.number(*clause));
                sets.push(with);
                sets.len() - 1
            });
        }
    }
    (of_row, sets)
}

/// The operators, each as its detectors, that get rows of a batch.
fn with_rows<'a>(
    detectors: &'a StreamDetectors,
    judgement: &'a Judgement,
) -> impl Iterator<Item = &'a Vec<usize>> + Clone {
    let clause = |members: &&Vec<usize>| detectors.clauses.of_detector[members[0]];
    detectors.operators.iter().filter(move |members| !judgement.rows[clause(members)].is_empty())
}

/// The first and the last event time of a batch.
fn span(batch: &Batch) -> (i64, i64) {
    let times = || batch.rows.iter().map(|row| row.event_time);
    (times().min().unwrap_or(i64::MIN), times().max().unwrap_or(i64::MIN))
}

impl MatchRow {
    fn new(detector: &Detector, detectors: &StreamDetectors) -> Result<Self> {
        let mut columns = detector.row_columns(&detectors.stream);
        columns.sort_by_key(ColumnRequest::is_looked_up);
        let fetched = columns.iter().filter(|request| !request.is_looked_up()).count();
        let fields = schema(schema_of(&columns));
        let joined = detector.reads().joined.iter().map(|expr| Expression::compile(expr, &fields));
        let joined = joined.collect::<Result<_>>()?;
        let place = |name: &str| columns.iter().position(|c| c.name() == name).expect("row_columns names it");
        let outputs = detector.reads().outputs.iter();
        let outputs = outputs.map(|(name, expr)| Ok((name.as_str().into(), Expression::compile(expr, &fields)?)));
        let outputs: Vec<(Arc<str>, Expression)> = outputs.collect::<Result<_>>()?;
        let key = |name: &String| outputs.iter().position(|(output, _)| **output == **name);
        Ok(Self {
            event_id: place("event_id"),
            identity: identity_names(&detectors.stream).iter().map(|name| place(name)).collect(),
            keys: detector.key.iter().filter_map(key).collect(),
            outputs,
            columns,
            fetched,
            joined,
            branch: i64::try_from(detector.input).expect("branches are few"),
        })
    }

    fn findings(
        &self,
        info: &Arc<DetectorInfo>,
        batch: &Batch,
        (rows, columns): (&[u32], &BatchColumns),
        fetch: &mut Fetch<'_>,
        found: &mut Vec<Finding>,
    ) {
        if rows.is_empty() {
            return;
        }
        let (fetched, looked_up) = self.columns.split_at(self.fetched);
        let mut arrays = fetch(batch, rows, fetched);
        arrays.extend(looked_up.iter().map(|request| columns.take(batch, request, rows)));
        let table = record_batch(&schema(schema_of(&self.columns)), arrays.clone(), rows.len());
        let outputs: Vec<ArrayRef> = self.outputs.iter().map(|(_, expression)| expression.evaluate(&table)).collect();
        let joined: Vec<ArrayRef> = self.joined.iter().map(|expression| expression.evaluate(&table)).collect();
        let operator = match_operator(&self.joined);
        for (place, row) in rows.iter().enumerate() {
            let row_at = |index: usize| (Arc::clone(&self.outputs[index].0), value_at(&outputs[index], place));
            let keys: Vec<(Arc<str>, Value)> = self.keys.iter().map(|index| row_at(*index)).collect();
            let looked_up = joined.iter().map(|array| value_at(array, place));
            let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).chain(looked_up).collect();
            let identity: Vec<Value> = self.identity.iter().map(|column| value_at(&arrays[*column], place)).collect();
            let record = &batch.rows[*row as usize];
            let event_id = value_at(&arrays[self.event_id], place).to_string();
            found.push(Finding {
                finding_id: finding_id(&info.name, operator, self.branch, &key_values, Subject::Record(&identity)),
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
