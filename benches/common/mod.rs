//! What all benches run over: simulated CloudTrail records, in memory, always the same ones.

#![allow(dead_code, reason = "each bench needs some of it")]

use std::sync::Arc;

use arrow::array::RecordBatch;
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::fresh::Fresh;
use watchfire_engine::detect::identities::SecretHasher;
use watchfire_engine::detect::matcher::BatchColumns;
use watchfire_engine::detect::operators::{Manner, StreamBatch};
use watchfire_engine::detect::oracle::{self, AtRest};
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, Judge, Shard, Step, StreamDetectors, StreamTime, compile};
use watchfire_engine::watermark::StreamClock;
use watchfire_record::limits::BATCH_BYTES;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Batch, ColumnRequest, ColumnSource, Partition, RawBatch, Row, Stream, time};
use watchfire_simulator::{AttackPlan, Settings, Simulation, StreamKind};

/// What the simulator is started with.
const SEED: u64 = 20_261_127;
/// When the first record happens.
const START: &str = "2026-11-20T08:00:00Z";

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
pub fn bytes(batches: &[RawBatch]) -> usize {
    batches.iter().map(|batch| batch.bytes.len()).sum()
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
    /// The stream's time after each batch.
    times: Vec<StreamTime>,
}

impl Prepared {
    /// So many records for these detectors.
    pub fn new(records: u64, detectors: Vec<Detector>) -> Self {
        let detectors = Arc::new(StreamDetectors::new(Stream::cloudtrail(), 0, detectors));
        let mut decoder = Decoder::new(&detectors.stream, 0, detectors.decoded.clone());
        let mut clock = StreamClock::new(&detectors.stream);
        let (mut batches, mut times) = (Vec::new(), Vec::new());
        for raw in raw_batches(records) {
            let mut batch = decoder.decode(raw);
            clock.stamp(&mut batch, i64::MAX);
            times.push(StreamTime { watermark: clock.watermark(), earliest: clock.earliest() });
            batches.push(batch);
        }
        let judge =
            Judge::new(Arc::clone(&detectors), SecretHasher::new([1, 2, 3, 4]), 1, false).expect("detectors fit");
        Self { detectors, batches, judge, times }
    }

    /// The rows of each batch as operators with state get them. Copies are few, and stay.
    pub fn fed(&mut self) -> Vec<Option<StreamBatch>> {
        let Self { batches, judge, .. } = self;
        let feed = |batch: &Batch| {
            let judgement = judge.select(batch);
            judge.feed(batch, &judgement)
        };
        batches.iter().map(feed).collect()
    }

    /// The rows through one shard, and, if they are to be judged, how many findings there are.
    pub fn through_a_shard(&self, fed: &[Option<StreamBatch>], judged: bool) -> usize {
        let streams = std::slice::from_ref(&self.detectors);
        let (manner, hasher) = (Manner::default(), SecretHasher::new([1, 2, 3, 4]));
        let mut shard = Shard::new(0, 1, manner);
        drop(shard.change(streams, Fresh::new(streams, &[], manner, &hasher).expect("detectors fit")));
        let nowhere = StreamTime { watermark: i64::MIN, earliest: i64::MAX };
        let mut found = 0;
        for (batch, time) in fed.iter().zip(&self.times) {
            let time = if judged { *time } else { nowhere };
            found += step(&mut shard, batch.as_ref(), time);
        }
        if judged { found + step(&mut shard, None, StreamTime { watermark: i64::MAX, earliest: 0 }) } else { found }
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

fn step(shard: &mut Shard, batch: Option<&StreamBatch>, time: StreamTime) -> usize {
    let found = shard.take(&[Step { stream: 0, batch, now: 0, times: &[time] }]);
    found.iter().map(Vec::len).sum()
}

/// Records at rest, with all columns, and what runs the oracle over them.
pub struct Oracle {
    stream: Stream,
    records: AtRest,
    runtime: tokio::runtime::Runtime,
}

impl Oracle {
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
        let processed = arrow::compute::concat_batches(&Arc::new(stream.schema()), &parts).expect("they are alike");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing of the system");
        Self { stream, records: AtRest { processed, accepted }, runtime }
    }

    /// How many findings DataFusion makes of them.
    pub fn findings(&self, detector: &Detector) -> usize {
        let found = oracle::findings(detector, std::slice::from_ref(&self.stream), std::slice::from_ref(&self.records));
        self.runtime.block_on(found).expect("the oracle runs every plan").len()
    }
}
