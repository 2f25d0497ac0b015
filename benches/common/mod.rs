//! What all benches run over: simulated CloudTrail records, in memory, always the same ones.

#![allow(dead_code, reason = "each bench needs some of it")]

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use criterion::Criterion;
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::identities::SecretHasher;
use watchfire_engine::detect::matcher::BatchColumns;
use watchfire_engine::detect::operators::OperatorBatch;
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, Judge, Shard, StreamDetectors, compile, oracle};
use watchfire_engine::watermark::StreamClock;
use watchfire_record::limits::BATCH_BYTES;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Batch, ColumnRequest, ColumnSource, Finding, Partition, RawBatch, Row, Stream, time};
use watchfire_simulator::{AttackPlan, Settings, Simulation, StreamKind};

/// What the simulator is started with.
const SEED: u64 = 20_261_127;
/// When the first record happens.
const START: &str = "2026-11-20T08:00:00Z";

/// Short measurements: some ten samples in some seconds.
pub fn criterion() -> Criterion {
    let criterion = Criterion::default().sample_size(10);
    criterion.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).configure_from_args()
}

/// Payloads of simulated records, in batches as a source gives them.
pub fn raw_batches(records: u64) -> Vec<RawBatch> {
    let settings = Settings {
        records: Some(records),
        streams: vec![StreamKind::CloudTrail],
        attacks: AttackPlan::Every(15_000_000),
        ..Settings::new(SEED, time::parse(START).expect("it is a time"))
    };
    let partition = Arc::new(Partition { topic: "cloudtrail".into(), number: 0 });
    let mut batches = vec![RawBatch::default()];
    for (offset, record) in (0..).zip(Simulation::new(&settings)) {
        if batches.last().is_none_or(|batch| batch.bytes.len() >= BATCH_BYTES) {
            batches.push(RawBatch::default());
        }
        let batch = batches.last_mut().expect("there is one");
        batch.push(&partition, offset, record.emit_time, PayloadKind::Value, record.json.as_bytes());
    }
    batches
}

/// How many bytes the payloads have.
pub fn bytes(batches: &[RawBatch]) -> u64 {
    batches.iter().map(|batch| batch.bytes.len() as u64).sum()
}

/// A detector of this SQL.
pub fn detector(name: &str, sql: &str) -> Detector {
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
    let compiled = compile::compile_text(&Planner::new(&[Stream::cloudtrail()]), name, &text);
    compiled.unwrap_or_else(|said| panic!("{}", said.iter().map(|d| d.render(false)).collect::<String>()))
}

/// Detectors, and records on their way to them.
pub struct Prepared {
    /// The detectors.
    pub detectors: Arc<StreamDetectors>,
    /// The decoded records.
    pub batches: Vec<Batch>,
    /// What a worker does with a batch.
    pub judge: Judge,
    /// The stream's watermark after each batch.
    pub watermarks: Vec<i64>,
}

impl Prepared {
    /// So many records for these detectors.
    pub fn new(records: u64, detectors: Vec<Detector>) -> Self {
        let detectors = Arc::new(StreamDetectors::new(Stream::cloudtrail(), 0, detectors));
        let mut decoder = Decoder::new(&detectors.stream, 0, detectors.decoded.clone());
        let mut clock = StreamClock::new(&detectors.stream);
        let (mut batches, mut watermarks) = (Vec::new(), Vec::new());
        for raw in raw_batches(records) {
            let mut batch = decoder.decode(raw);
            clock.stamp(&mut batch, i64::MAX);
            watermarks.push(clock.watermark());
            batches.push(batch);
        }
        let judge = Judge::new(Arc::clone(&detectors), SecretHasher::new([1, 2, 3, 4])).expect("detectors fit");
        Self { detectors, batches, judge, watermarks }
    }

    /// The rows of each batch as operators with state get them. Copies are few, and stay.
    pub fn fed(&mut self) -> Vec<Vec<OperatorBatch>> {
        let Self { batches, judge, .. } = self;
        let feed = |batch: &Batch| {
            let judgement = judge.select(batch);
            judge.feed(batch, &judgement)
        };
        batches.iter().map(feed).collect()
    }

    /// The rows through one shard, and, if they are to be judged, all findings.
    pub fn through_a_shard(&self, fed: &[Vec<OperatorBatch>], judged: bool) -> Vec<Finding> {
        let mut shard = Shard::new(std::slice::from_ref(&self.detectors), false).expect("detectors fit");
        let mut found = Vec::new();
        for (batches, watermark) in fed.iter().zip(&self.watermarks) {
            for batch in batches {
                let rows: Vec<u32> = (0..).take(batch.times.len()).collect();
                shard.feed(0, batch, &rows);
            }
            if judged {
                shard.advance(0, *watermark, &mut found);
            }
        }
        if judged {
            shard.advance(0, i64::MAX, &mut found);
        }
        found
    }

    /// One batch's columns as DataFusion wants them.
    pub fn table(&self, batch: &Batch) -> RecordBatch {
        use watchfire_engine::detect::expression::{record_batch, schema, schema_of};
        let columns = BatchColumns::new(self.detectors.decoded.clone());
        let rows: Vec<u32> = (0..).take(batch.rows.len()).collect();
        let available = &self.detectors.available;
        let arrays = available.iter().map(|request| columns.take(batch, request, &rows)).collect();
        record_batch(&schema(schema_of(available)), arrays, rows.len())
    }
}

/// Records at rest, with all columns, for the oracle.
pub struct AtRest {
    stream: Stream,
    records: RecordBatch,
    accepted: Vec<bool>,
    runtime: tokio::runtime::Runtime,
}

impl AtRest {
    /// So many records.
    pub fn new(records: u64) -> Self {
        let stream = Stream::cloudtrail();
        let column = |(name, column_type): (&str, _)| ColumnRequest {
            source: ColumnSource::Column(name.to_owned()),
            column_type,
        };
        let columns: Vec<ColumnRequest> = stream.all_columns().map(column).collect();
        let (mut decoder, mut clock) = (Decoder::new(&stream, 0, Vec::new()), StreamClock::new(&stream));
        let (mut parts, mut accepted) = (Vec::new(), Vec::new());
        for raw in raw_batches(records) {
            let mut batch = decoder.decode(raw);
            clock.stamp(&mut batch, i64::MAX);
            let rows: Vec<u32> = (0..).take(batch.rows.len()).collect();
            let arrays = decoder.decode_rows(&batch, &rows, &columns);
            accepted.extend(batch.rows.iter().map(Row::accepted));
            parts.push(RecordBatch::try_new(Arc::new(stream.schema()), arrays).expect("columns are the stream's"));
        }
        let records = arrow::compute::concat_batches(&Arc::new(stream.schema()), &parts).expect("they are alike");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing of the system");
        Self { stream, records, accepted, runtime }
    }

    /// How many findings DataFusion makes of them.
    pub fn findings(&self, detector: &Detector) -> usize {
        let found = oracle::findings(detector, &self.stream, &self.records, &self.accepted);
        self.runtime.block_on(found).expect("the oracle runs every plan").len()
    }
}
