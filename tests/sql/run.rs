//! An example through the compiler and the engine, and through the oracle.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::RecordBatch;
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::matcher::is_system;
use watchfire_engine::detect::oracle::{self, AtRest};
use watchfire_engine::detect::{Detector, StreamDetectors, compile};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::finding::to_json;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::MemorySource;
use watchfire_engine::watermark::StreamClock;
use watchfire_engine::{Caps, Outlet};
use watchfire_record::{ColumnRequest, ColumnSource, Finding, RawBatch, Row, SimulatedClock, State, Stream, Value};

use super::example::Example;
use super::{compare, planner, streams};

/// What counts of a finding, as in the `findings.jsonl` of a shipped detector.
const MEMBERS: [&str; 6] = ["detector", "state", "window", "window_end", "keys", "row"];

/// How an example is run: records a batch, workers, shards, whether it fires early.
const RUNS: [(usize, usize, usize, bool); 4] =
    [(1000, 1, 1, false), (1, 3, 2, false), (3, 2, 3, true), (1, 1, 1, true)];

/// All that is not as it should be with an example.
pub fn differences(example: &Example) -> Vec<String> {
    let streams = streams();
    let detector = match compile::compile_text(&planner(), &example.name, &example.sql) {
        Ok(detector) => detector,
        Err(said) => {
            let said: Vec<String> = said.iter().map(|diagnostic| diagnostic.render(false)).collect();
            return vec![format!("{}: it is refused\n{}", example.name, said.join("\n"))];
        }
    };
    let expected = at_rest(example, &detector, &streams);
    let mut differences = Vec::new();
    for (size, workers, shards, fires_early) in RUNS {
        let findings = through_the_engine(example, &detector, &streams, (size, workers, shards, fires_early));
        let mut found: Vec<Comparable> = findings.iter().map(comparable).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        // By their texts: NaN is not equal to itself.
        if format!("{found:?}") != format!("{expected:?}") {
            differences.push(format!(
                "{}: the engine (batches of {size}, {workers} workers, {shards} shards, early: {fires_early}) finds\n{found:#?}\nand the oracle\n{expected:#?}",
                example.name
            ));
        }
        if size == RUNS[0].0 {
            differences.extend(compare(&example.folder.join("findings.jsonl"), &lines(&findings)));
        }
    }
    differences
}

/// The lines of `findings.jsonl`, in order of time.
fn lines(findings: &[Finding]) -> String {
    let mut findings: Vec<&Finding> = findings.iter().collect();
    let order = |finding: &&Finding| (finding.window_end, finding.last_event_time, finding.window);
    let line = |finding: &Finding| {
        let whole: serde_json::Value = serde_json::from_str(&to_json(finding)).unwrap();
        let counts = MEMBERS.iter().map(|name| ((*name).to_owned(), whole[*name].clone()));
        serde_json::to_string(&counts.collect::<serde_json::Map<_, _>>()).unwrap() + "\n"
    };
    findings.sort_by_cached_key(|finding| (order(finding), line(finding)));
    findings.into_iter().map(line).collect()
}

fn through_the_engine(
    example: &Example,
    detector: &Detector,
    streams: &[Stream],
    (size, workers, shards, fires_early): (usize, usize, usize, bool),
) -> Vec<Finding> {
    let streams = StreamDetectors::by_stream(std::slice::from_ref(detector), streams);
    let sink = MemorySink::new("memory");
    let metrics = pipeline::metrics(&streams);
    let run = Run {
        source: Box::new(MemorySource::bounded(example.batches(detector.reads().stream, size))),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early,
        workers,
        shards,
        in_flight_bytes: 16 << 20,
        secret: [1, 2, 3, 4],
        clock: Arc::new(SimulatedClock::at(example.now())),
        metrics: Arc::clone(&metrics),
        changes: None,
        caps: Caps::default(),
        thorough: false,
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let counts = metrics.total();
    assert_eq!(counts.processed, example.records.len() as u64, "{}: a record is not processed", example.name);
    sink.findings().into_iter().filter(|finding| finding.state == State::Final).collect()
}

/// Identity, window, keys and row.
type Comparable = (String, Option<i64>, Vec<(String, Value)>, Vec<(String, Value)>);

fn comparable(finding: &Finding) -> Comparable {
    let plain = |values: &[(Arc<str>, Value)]| values.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
    (finding.finding_id.to_string(), finding.window, plain(&finding.keys), plain(&finding.row))
}

/// What the oracle finds. The records are of the stream that the detector reads first.
fn at_rest(example: &Example, detector: &Detector, streams: &[Stream]) -> Vec<Comparable> {
    let of_stream = |(index, stream): (usize, &Stream)| {
        let batches = if index == detector.reads().stream { example.batches(index, 1) } else { Vec::new() };
        all_columns(stream, index, batches, example.now())
    };
    let records: Vec<AtRest> = streams.iter().enumerate().map(of_stream).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(oracle::findings(detector, streams, &records)).unwrap();
    found.into_iter().map(|f| (f.finding_id.to_string(), f.window, f.keys, f.row)).collect()
}

/// The records with all columns, in order of intake, and which of them are accepted.
fn all_columns(stream: &Stream, index: usize, batches: Vec<RawBatch>, now: i64) -> AtRest {
    let column =
        |(name, column_type): (&str, _)| ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type };
    let columns: Vec<ColumnRequest> = stream.all_columns().map(column).collect();
    // What is noticed of a record is that of all its columns; the record's text has nothing of its own.
    let walked = columns.iter().filter(|column| !is_system(column) && column.name() != "raw").cloned().collect();
    let mut decoder = Decoder::new(stream, index, walked);
    let mut clock = StreamClock::new(stream);
    for partition in batches.iter().flat_map(|batch| &batch.partitions) {
        clock.assign(Arc::clone(partition), now, None);
    }
    let (mut parts, mut accepted) = (Vec::new(), Vec::new());
    for raw in batches {
        let mut batch = decoder.decode(raw);
        clock.stamp(&mut batch, now);
        let rows: Vec<u32> = (0..u32::try_from(batch.rows.len()).unwrap()).collect();
        let arrays = decoder.decode_rows(&batch, &rows, &columns);
        accepted.extend(batch.rows.iter().map(Row::accepted));
        parts.push(RecordBatch::try_new(Arc::new(stream.schema()), arrays).unwrap());
    }
    AtRest { processed: arrow::compute::concat_batches(&Arc::new(stream.schema()), &parts).unwrap(), accepted }
}
