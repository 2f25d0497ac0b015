//! The batch meaning of a version of a detector.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use watchfire_engine::Change;
use watchfire_engine::change::Turned;
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::oracle::{self, AtRest, OracleFinding};
use watchfire_engine::detect::plan::{Operator, SequenceKind};
use watchfire_engine::detect::{Detector, Lifetime};
use watchfire_engine::watermark::StreamClock;
use watchfire_record::{ColumnRequest, ColumnSource, Finding, Partition, RawBatch, Row};

use super::run::{partition, stream_of};
use super::{CLOUDTRAIL_PARTITIONS, NOW, PARTITIONS, streams};

/// One stream's records at rest.
struct StreamAtRest {
    records: RecordBatch,
    accepted: Vec<bool>,
    times: Vec<i64>,
}

/// All records at rest.
pub struct Rest {
    streams: Vec<StreamAtRest>,
    /// By partition and offset.
    accepted: HashMap<(Arc<Partition>, i64), bool>,
}

impl Rest {
    /// The processed records of these batches in order of intake, which of them were accepted, and their times.
    pub fn new(caught_up: bool, batches: &[RawBatch]) -> Self {
        let mut accepted_at = HashMap::new();
        let mut at_rest = |index: usize| {
            let stream = &streams()[index];
            let columns: Vec<ColumnRequest> = stream
                .all_columns()
                .map(|(name, column_type)| ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type })
                .collect();
            let (mut decoder, mut clock) = (Decoder::new(stream, 0, Vec::new()), StreamClock::new(stream));
            let own = (0..PARTITIONS).filter(|number| stream_of(*number) == index);
            own.for_each(|number| clock.assign(partition(number), NOW, None));
            if caught_up {
                clock.caught_up(&partition(CLOUDTRAIL_PARTITIONS), NOW);
            }
            let schema = Arc::new(stream.schema());
            let (mut parts, mut accepted, mut times) = (Vec::new(), Vec::new(), Vec::new());
            for raw in batches.iter().filter(|batch| batch.stream == index) {
                let mut batch = decoder.decode(raw.clone());
                clock.stamp(&mut batch, NOW);
                let rows: Vec<u32> = (0..batch.rows.len() as u32).collect();
                let arrays = decoder.decode_rows(&batch, &rows, &columns);
                accepted.extend(batch.rows.iter().map(Row::accepted));
                times.extend(batch.rows.iter().map(|row| row.event_time));
                let place = |row: &Row| (Arc::clone(&batch.partitions[usize::from(row.partition)]), row.offset);
                accepted_at.extend(batch.rows.iter().map(|row| (place(row), row.accepted())));
                parts.push(RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap());
            }
            let records = arrow::compute::concat_batches(&schema, &parts).unwrap();
            StreamAtRest { records, accepted, times }
        };
        let streams = (0..streams().len()).map(&mut at_rest).collect();
        Self { streams, accepted: accepted_at }
    }

    /// What a version has of a stream: accepted records from when its state begins. (Which version of a detector without
    /// state judges a late record depends on when the one before it was taken away.)
    fn since(&self, stream: usize, since: i64) -> AtRest {
        let StreamAtRest { records, accepted, times } = &self.streams[stream];
        let within: Vec<bool> =
            times.iter().zip(accepted).map(|(time, accepted)| *accepted && *time >= since).collect();
        let processed = arrow::compute::filter_record_batch(records, &BooleanArray::from(within)).unwrap();
        AtRest { accepted: vec![true; processed.num_rows()], processed }
    }

    /// The least event time of all accepted records of a stream.
    fn earliest(&self, stream: usize) -> i64 {
        let StreamAtRest { accepted, times, .. } = &self.streams[stream];
        times.iter().zip(accepted).filter(|(_, accepted)| **accepted).map(|(time, _)| *time).min().unwrap_or(i64::MAX)
    }
}

/// Whether all records that a finding rests on were accepted.
pub fn of_accepted(finding: &Finding, rest: &Rest) -> bool {
    let place = |e: &watchfire_record::Evidence| (Arc::clone(&e.position.partition), e.position.offset);
    finding.evidence.iter().all(|evidence| rest.accepted[&place(evidence)])
}

/// A version, and when it was live.
#[derive(Debug)]
pub struct Version {
    pub detector: Arc<Detector>,
    pub lifetime: Lifetime,
}

/// What changes make of versions, by what the run said of them.
pub fn versions(first: &[Arc<Detector>], asked: &[Vec<Arc<Detector>>], changes: &[Change]) -> Vec<Version> {
    let always = |detector: &Arc<Detector>| Version { detector: Arc::clone(detector), lifetime: Lifetime::ALWAYS };
    let mut versions: Vec<Version> = first.iter().map(always).collect();
    for (asked, change) in asked.iter().zip(changes) {
        let from = |turned: &Turned| turned.from.unwrap_or(i64::MIN);
        let last = |versions: &[Version], turned: &Turned| {
            versions.iter().rev().find(|version| version.detector.info.name == turned.name).map(|v| v.lifetime.since)
        };
        let since: HashMap<String, i64> =
            change.changed.iter().map(|turned| (turned.name.clone(), last(&versions, turned).unwrap())).collect();
        for turned in change.changed.iter().chain(&change.removed).chain(&change.added) {
            let before = versions.iter_mut().filter(|version| version.detector.info.name == turned.name);
            before.for_each(|version| version.lifetime.to = version.lifetime.to.min(from(turned)));
        }
        for turned in change.changed.iter().chain(&change.added) {
            let detector = asked.iter().find(|detector| detector.info.name == turned.name).unwrap();
            let from = from(turned);
            let since = if turned.goes_on { since[&turned.name].min(from) } else { from };
            versions.push(Version { detector: Arc::clone(detector), lifetime: Lifetime { from, to: i64::MAX, since } });
        }
    }
    versions
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
}

/// What DataFusion finds over all records that a version's state has had, of what begins in its time.
pub fn expected(version: &Version, rest: &Rest) -> Vec<OracleFinding> {
    let Version { detector, lifetime } = version;
    let records: Vec<AtRest> = (0..streams().len()).map(|stream| rest.since(stream, lifetime.since)).collect();
    // When it is silent depends on all records, not on those alone.
    let detector = Detector { learn: 0, ..(**detector).clone() };
    let found = RUNTIME.with(|runtime| runtime.block_on(oracle::findings(&detector, &streams(), &records)));
    let mut found = found.unwrap();
    let silent_until = match version.detector.learn {
        0 => i64::MIN,
        learn => rest.earliest(detector.reads().stream).max(lifetime.since).saturating_add(learn),
    };
    let begins = |finding: &OracleFinding| match &detector.plan.operator {
        Operator::Match => None,
        Operator::OverRange { .. } => finding.window_end,
        Operator::Sequence(sequence) if sequence.kind != SequenceKind::Pair => {
            finding.window.map(|window| window - sequence.lower.min(0))
        }
        Operator::Window { .. } | Operator::OverWindows { .. } | Operator::Sequence(_) => finding.window,
    };
    let of_match = |finding: &OracleFinding| match &finding.row[0].1 {
        watchfire_record::Value::Time(time) => *time,
        other => panic!("a match's first column is its time, and this is {other:?}"),
    };
    found.retain(|finding| {
        let begins = begins(finding).unwrap_or_else(|| of_match(finding));
        lifetime.contains(begins) && begins >= silent_until
    });
    found
}
