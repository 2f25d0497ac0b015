//! Streaming equals batch: random detectors over random records, in random batches, by random numbers of workers and
//! shards, find what DataFusion finds over the accepted records at rest.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::RecordBatch;
use proptest::prelude::*;
use watchfire_engine::Outlet;
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::oracle::{self, OracleFinding};
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, StreamDetectors, compile};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::MemorySource;
use watchfire_engine::watermark::StreamClock;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{
    ColumnRequest, ColumnSource, Finding, Partition, RawBatch, Row, SimulatedClock, State, Stream, Value, time,
};

/// The clock of every run: records lie around it.
const NOW: i64 = 1_750_000_000_000_000;

#[derive(Debug, Clone)]
struct Case {
    sql: String,
    /// How long it learns, seconds; 0 for not at all.
    learn: u8,
    /// Partition and text of each record, in order of intake.
    records: Vec<(u8, String)>,
    cuts: Vec<bool>,
    workers: usize,
    shards: usize,
}

fn predicate() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        Just("event_name = 'A'".to_owned()),
        Just("event_name <> 'B'".to_owned()),
        Just("event_name IN ('A', 'C')".to_owned()),
        Just("event_name LIKE 'A%'".to_owned()),
        Just("event_name NOT LIKE '%B'".to_owned()),
        Just("lower(event_name) = 'a'".to_owned()),
        Just("error_code IS NULL".to_owned()),
        Just("error_code = 'AccessDenied'".to_owned()),
        Just("source_ip = user_name".to_owned()),
        Just("read_only".to_owned()),
        Just("NOT read_only".to_owned()),
        Just("(request ->> 'n') = '7'".to_owned()),
        Just("CAST((request ->> 'n') AS BIGINT) > 3".to_owned()),
        Just("event_name ~ '^[AB]$'".to_owned()),
        Just("event_name ~* 'a'".to_owned()),
        Just("event_name ILIKE '%b'".to_owned()),
        Just("user_name NOT ILIKE '%u%'".to_owned()),
        Just("true".to_owned()),
    ];
    atom.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

fn key() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("source_ip"),
        Just("user_name"),
        Just("source_ip, user_name"),
        Just("read_only"),
        Just("lower(user_name)")
    ]
}

fn aggregate() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("count(*)".to_owned()),
        Just("count(error_code)".to_owned()),
        Just("count(DISTINCT event_name)".to_owned()),
        Just("count(DISTINCT (request ->> 'n'))".to_owned()),
        predicate().prop_map(|p| format!("count(*) FILTER (WHERE {p})")),
        (total(), prop::option::of(predicate())).prop_map(|(total, filter)| match filter {
            Some(p) => format!("{total} FILTER (WHERE {p})"),
            None => total.to_owned(),
        }),
    ]
}

/// Aggregates of numbers: what they come to can be compared with a number.
fn total() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("sum(CAST((request ->> 'n') AS BIGINT))"),
        Just("avg(CAST((request ->> 'n') AS BIGINT))"),
        Just("sum(9223372036854775807 - octet_length(user_name))"),
        Just("min(CAST((request ->> 'n') AS BIGINT))"),
        Just("max(CAST((request ->> 'n') AS BIGINT))"),
        Just("min(octet_length(event_name))"),
        Just("max(CAST((request ->> 'n') AS DOUBLE PRECISION))"),
    ]
}

/// Aggregates of other types.
fn shown() -> impl Strategy<Value = String> {
    prop_oneof![
        aggregate(),
        Just("min(user_name)".to_owned()),
        Just("max(event_time)".to_owned()),
        Just("max(event_name) FILTER (WHERE read_only)".to_owned()),
        Just("bool_or(read_only)".to_owned()),
        Just("bool_and(read_only)".to_owned()),
        predicate().prop_map(|p| format!("bool_or({p})")),
    ]
}

fn window() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..90u8).prop_map(|s| format!("tumble(event_time, INTERVAL '{s} seconds')")),
        (1..40u8, 1..6u8, 0..9u8).prop_map(|(slide, times, more)| {
            let size = u32::from(slide) * u32::from(times) + u32::from(more);
            format!("hop(event_time, INTERVAL '{slide} seconds', INTERVAL '{size} seconds')")
        }),
    ]
}

fn comparison() -> impl Strategy<Value = String> {
    (prop_oneof![Just(">="), Just(">"), Just("<"), Just("="), Just("<>")], 0..5u8)
        .prop_map(|(op, n)| format!("{op} {n}"))
}

fn frame() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..90u8).prop_map(|s| format!("RANGE BETWEEN INTERVAL '{s} seconds' PRECEDING AND CURRENT ROW")),
        (10..90u8, 1..10u8).prop_map(|(a, b)| format!(
            "RANGE BETWEEN INTERVAL '{a} seconds' PRECEDING AND INTERVAL '{b} seconds' PRECEDING"
        )),
    ]
}

fn detector() -> impl Strategy<Value = String> {
    prop_oneof![
        predicate().prop_map(|p| format!("SELECT event_time, user_name, request ->> 'n' AS n FROM cloudtrail WHERE {p}")),
        (predicate(), key(), aggregate(), shown(), comparison(), window()).prop_map(|(p, k, a, b, c, window)| {
            format!("SELECT {window} AS w, window_end({window}) AS e, {k}, {a} AS a, {b} AS b FROM cloudtrail WHERE {p} GROUP BY {window}, {k} HAVING {a} {c}")
        }),
        (predicate(), key(), shown(), window()).prop_map(|(p, k, b, window)| {
            format!("SELECT {k}, {b} AS b FROM cloudtrail WHERE {p} GROUP BY {window}, {k} HAVING bool_or(read_only)")
        }),
        (predicate(), key(), aggregate(), shown(), comparison(), frame(), predicate()).prop_map(
            |(p, k, a, b, c, f, after)| {
                let over = |aggregate: &str| match aggregate.split_once(" FILTER ") {
                    Some((call, filter)) => format!("{call} FILTER {filter} OVER (PARTITION BY {k} ORDER BY event_time {f})"),
                    None => format!("{aggregate} OVER (PARTITION BY {k} ORDER BY event_time {f})"),
                };
                format!(
                    "SELECT user_name, event_time, x, y FROM (SELECT *, {} AS x, {} AS y FROM cloudtrail WHERE {p}) WHERE x {c} AND {after}",
                    over(&a),
                    over(&b)
                )
            }
        ),
        (predicate(), key(), 5..90u8).prop_map(|(p, k, s)| {
            format!(
                "SELECT user_name, event_time FROM cloudtrail WHERE {p} QUALIFY first_seen(INTERVAL '{s} seconds') OVER (PARTITION BY {k})"
            )
        }),
    ]
}

fn record() -> impl Strategy<Value = String> {
    let name = prop_oneof![3 => Just("\"A\""), 2 => Just("\"B\""), 1 => Just("\"C\""), 1 => Just("\"AB\""), 1 => Just("null"), 1 => Just("7"), 1 => Just("{\"x\":1}")];
    let address = prop_oneof![Just("\"1.1.1.1\""), Just("\"u1\""), Just("null")];
    let user = prop_oneof![Just("\"u1\""), Just("\"U1\""), Just("\"u2\""), Just("null")];
    let error = prop_oneof![3 => Just("null"), 1 => Just("\"AccessDenied\""), 1 => Just("[1]")];
    let read_only = prop_oneof![Just("true"), Just("false"), Just("\"true\""), Just("3"), Just("null")];
    let n = prop_oneof![
        Just("7"),
        Just("\"7\""),
        Just("1e400"),
        Just("2.5"),
        Just("null"),
        Just("{\"b\":1,\"a\":2}"),
        Just("\"x\"")
    ];
    let request = prop_oneof![4 => n.prop_map(|n| format!("{{\"n\":{n}}}")), 1 => Just("null".to_owned())];
    let seconds = prop_oneof![8 => -60..40i64, 1 => -400..-300i64, 1 => 500..900i64];
    (name, address, user, error, read_only, request, seconds, 0..30u8).prop_map(
        |(name, address, user, error, read_only, request, seconds, id)| {
            format!(
                "{{\"eventTime\":\"{}\",\"eventID\":\"e{id}\",\"eventSource\":\"s\",\"eventName\":{name},\"sourceIPAddress\":{address},\"errorCode\":{error},\"readOnly\":{read_only},\"userIdentity\":{{\"userName\":{user}}},\"requestParameters\":{request}}}",
                time::format(NOW + seconds * 1_000_000)
            )
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let records = prop::collection::vec((0..3u8, record()), 0..60);
    let copied =
        (records, prop::collection::vec(any::<prop::sample::Index>(), 0..6)).prop_map(|(mut records, copies)| {
            for copy in copies {
                if !records.is_empty() {
                    let record = records[copy.index(records.len())].clone();
                    records.push(record);
                }
            }
            records
        });
    let cuts = prop::collection::vec(any::<bool>(), 70);
    let learn = prop_oneof![2 => Just(0), 1 => 1..99u8];
    (detector(), learn, copied, cuts, 1..4usize, 1..4usize)
        .prop_map(|(sql, learn, records, cuts, workers, shards)| Case { sql, learn, records, cuts, workers, shards })
}

fn stream() -> Stream {
    Stream { lateness: 45_000_000, ..Stream::cloudtrail() }
}

fn batches(case: &Case) -> Vec<RawBatch> {
    let partitions: Vec<_> = (0..3).map(|number| Arc::new(Partition { topic: "t".into(), number })).collect();
    let (mut batches, mut offsets) = (vec![RawBatch::default()], [0i64; 3]);
    for ((partition, text), cut) in case.records.iter().zip(&case.cuts) {
        let number = usize::from(*partition);
        let batch = batches.last_mut().unwrap();
        batch.push(&partitions[number], offsets[number], NOW, PayloadKind::Value, text.as_bytes());
        offsets[number] += 1;
        if *cut {
            batches.push(RawBatch::default());
        }
    }
    batches.retain(|batch| !batch.payloads.is_empty());
    batches
}

/// The processed records in order of intake with all columns, and which of them were accepted.
fn at_rest(stream: &Stream, batches: &[RawBatch]) -> Option<(RecordBatch, Vec<bool>)> {
    let columns: Vec<ColumnRequest> = stream
        .all_columns()
        .map(|(name, column_type)| ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type })
        .collect();
    let mut decoder = Decoder::new(stream, 0, Vec::new());
    let mut clock = StreamClock::new(stream);
    let (mut parts, mut accepted) = (Vec::new(), Vec::new());
    for partition in batches.iter().flat_map(|batch| &batch.partitions) {
        clock.assign(Arc::clone(partition), NOW, None);
    }
    for raw in batches {
        let mut batch = decoder.decode(raw.clone());
        clock.stamp(&mut batch, NOW);
        let rows: Vec<u32> = (0..batch.rows.len() as u32).collect();
        let arrays = decoder.decode_rows(&batch, &rows, &columns);
        accepted.extend(batch.rows.iter().map(Row::accepted));
        parts.push(RecordBatch::try_new(Arc::new(stream.schema()), arrays).unwrap());
    }
    let first = parts.first()?.schema();
    Some((arrow::compute::concat_batches(&first, &parts).unwrap(), accepted))
}

fn stream_through(case: &Case, detector: &Detector, batches: Vec<RawBatch>, fires_early: bool) -> Vec<Finding> {
    let streams = vec![Arc::new(StreamDetectors::new(stream(), 0, vec![detector.clone()]))];
    let sink = MemorySink::new("memory");
    let metrics = pipeline::metrics(&streams);
    let run = Run {
        source: Box::new(MemorySource::bounded(batches)),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early,
        workers: case.workers,
        shards: case.shards,
        in_flight_bytes: 1 << 20,
        secret: [1, 2, 3, 4],
        clock: Arc::new(SimulatedClock::at(NOW)),
        metrics: Arc::clone(&metrics),
        changes: None,
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert!(metrics.total().balanced(), "{:?}", metrics.total());
    sink.findings()
}

type Comparable = (String, Option<i64>, Vec<(String, Value)>, Vec<(String, Value)>);

fn comparable(finding: &Finding) -> Comparable {
    let plain = |values: &[(Arc<str>, Value)]| values.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
    (finding.finding_id.to_string(), finding.window, plain(&finding.keys), plain(&finding.row))
}

fn comparable_oracle(finding: &OracleFinding) -> Comparable {
    (finding.finding_id.to_string(), finding.window, finding.keys.clone(), finding.row.clone())
}

/// Every finding has one end, and before it counts its revisions without a gap.
fn check_lives(findings: &[Finding]) {
    let mut lives: BTreeMap<_, Vec<(u32, State)>> = BTreeMap::new();
    for finding in findings {
        lives.entry(finding.finding_id).or_default().push((finding.revision, finding.state));
    }
    for (id, life) in lives {
        let mut ended = false;
        for (index, (revision, state)) in life.iter().enumerate() {
            assert_eq!(*revision as usize, index + 1, "{id}: {life:?}");
            assert!(!ended || *state != State::Updated, "{id}: {life:?}");
            ended = matches!(state, State::Final | State::Withdrawn);
        }
        assert!(ended, "{id} has no end: {life:?}");
        assert!(life.iter().filter(|(_, state)| *state == State::Final).count() <= 1, "{id} is final twice: {life:?}");
    }
}

fn check(case: &Case) {
    let stream = stream();
    let planner = Planner::new(std::slice::from_ref(&stream));
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{}", case.sql);
    let mut detector = compile::compile_text(&planner, "case", &text).unwrap_or_else(|problems| {
        panic!("{}\n{}", case.sql, problems.iter().map(|p| p.render(false)).collect::<String>())
    });
    if detector.stateful() {
        detector.learn = i64::from(case.learn) * 1_000_000;
    }
    let batches = batches(case);
    let expected: Vec<Comparable> = match at_rest(&stream, &batches) {
        None => Vec::new(),
        Some((records, accepted)) => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let found = runtime.block_on(oracle::findings(&detector, &stream, &records, &accepted)).unwrap();
            found.iter().map(comparable_oracle).collect()
        }
    };
    for fires_early in [false, true] {
        let findings = stream_through(case, &detector, batches.clone(), fires_early);
        check_lives(&findings);
        let mut found: Vec<_> = findings.iter().filter(|f| f.state == State::Final).map(comparable).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected, "streaming (left) and batch (right) differ for\n{}", case.sql);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn streaming_equals_batch(case in case()) {
        check(&case);
    }
}

/// How many random cases are tried: `WATCHFIRE_CASES`, or 1,500.
fn cases() -> u32 {
    std::env::var("WATCHFIRE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1500)
}
