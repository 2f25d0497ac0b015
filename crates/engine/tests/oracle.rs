//! Streaming equals batch: random detectors over random records, in random batches, from partitions that come and go, by
//! random numbers of workers and shards, find what DataFusion finds over the accepted records at rest.
//!
//! `scripts/soak oracle` runs many cases; see `oracle/soak.rs`. What was once found wrong stays in `oracle/known.rs`.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "oracle/composed.rs"]
mod composed;
#[path = "oracle/joins.rs"]
mod joins;
#[path = "oracle/known.rs"]
mod known;
#[path = "oracle/lives.rs"]
mod lives;
#[path = "oracle/looks.rs"]
mod looks;
#[path = "oracle/soak.rs"]
mod soak;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use lives::Life;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::oracle::{self, AtRest, OracleFinding};
use watchfire_engine::detect::plan::{Operator, Planner, SequenceKind};
use watchfire_engine::detect::{Detector, StreamDetectors, compile};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::{Event, Source};
use watchfire_engine::watermark::StreamClock;
use watchfire_engine::{Caps, Outlet};
use watchfire_record::{
    ColumnRequest, ColumnSource, Evidence, Finding, FindingId, Row, SimulatedClock, State, Stream, Value, time,
};

/// The clock of every run: records lie around it.
const NOW: i64 = 1_750_000_000_000_000;

/// How many partitions the first stream has.
const CLOUDTRAIL_PARTITIONS: u8 = 3;
/// How many both streams have.
const PARTITIONS: u8 = 5;

#[derive(Debug, Clone)]
struct Case {
    sql: String,
    /// The lines of the tables that it looks up in; none if it does not.
    tables: Vec<String>,
    /// How long it learns, seconds; 0 for not at all.
    learn: u8,
    /// Partition and text of each record, in order of intake. The partitions from [`CLOUDTRAIL_PARTITIONS`] on are `api`'s.
    records: Vec<(u8, String)>,
    cuts: Vec<bool>,
    /// From when to when each partition is read; it starts with the first record, unless said otherwise.
    lives: Vec<Life>,
    workers: usize,
    shards: usize,
}

/// As it stands in `oracle/known.rs`.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sql, tables, learn, records, cuts, lives, workers, shards } = self;
        let cuts = &cuts[..records.len().min(cuts.len())];
        for table in tables {
            writeln!(f, "/* a table:\n{table}*/")?;
        }
        writeln!(f, "Known {{\n    name: \"\",\n    sql: {sql:?},\n    learn: {learn},\n    records: &[")?;
        records.iter().try_for_each(|(partition, text)| writeln!(f, "        ({partition}, r#\"{text}\"#),"))?;
        writeln!(f, "    ],\n    cuts: &{cuts:?},\n    lives: &{lives:?},")?;
        write!(f, "    workers: {workers},\n    shards: {shards},\n}}")
    }
}

fn predicate() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        Just("event_name = 'A'".to_owned()),
        Just("event_name <> 'B'".to_owned()),
        Just("event_name IN ('A', 'C')".to_owned()),
        Just("event_name LIKE 'A%'".to_owned()),
        Just("event_name IN ('A', NULL)".to_owned()),
        Just("event_name NOT IN ('B', 'C')".to_owned()),
        Just("event_name NOT IN ('AB', NULL)".to_owned()),
        Just("event_name NOT LIKE '%B'".to_owned()),
        Just("lower(event_name) = 'a'".to_owned()),
        Just("error_code IS NULL".to_owned()),
        Just("error_code = 'AccessDenied'".to_owned()),
        Just("source_ip = user_name".to_owned()),
        Just("read_only".to_owned()),
        Just("NOT read_only".to_owned()),
        Just("(request ->> 'n') = '7'".to_owned()),
        Just("CAST((request ->> 'n') AS BIGINT) > 3".to_owned()),
        Just("CAST((request ->> 'n') AS BIGINT) * 4611686018427387904 > 0".to_owned()),
        Just(
            "(CAST((request ->> 'n') AS BIGINT) + 9223372036854775800) / (octet_length(event_name) - 1) > 3".to_owned()
        ),
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
        Just("-9223372036854775808"),
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
    let one = prop_oneof![
        3 => (0..CLOUDTRAIL_PARTITIONS, record()),
        1 => (CLOUDTRAIL_PARTITIONS..PARTITIONS, joins::api_record()),
    ];
    let records = prop::collection::vec(one, 0..80);
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
    let cuts = prop::collection::vec(any::<bool>(), 90);
    let learn = prop_oneof![2 => Just(0), 1 => 1..99u8];
    let partitions = usize::from(PARTITIONS);
    let lives = prop_oneof![
        2 => Just(vec![Life::WHOLE; partitions]),
        1 => prop::collection::vec(lives::life(), partitions)
    ];
    let alone = |sql| (sql, Vec::new());
    let detector = prop_oneof![
        3 => detector().prop_map(alone),
        2 => joins::detector().prop_map(alone),
        2 => composed::detector().prop_map(alone),
        2 => (looks::detector(), looks::lines()),
    ];
    (detector, learn, copied, cuts, lives, 1..4usize, 1..4usize).prop_map(
        |((sql, tables), learn, records, cuts, lives, workers, shards)| Case {
            sql,
            tables,
            learn,
            records,
            cuts,
            lives,
            workers,
            shards,
        },
    )
}

fn streams() -> Vec<Stream> {
    vec![Stream { lateness: 45_000_000, ..Stream::cloudtrail() }, Stream { lateness: 30_000_000, ..Stream::api() }]
}

/// The processed records of the stream of this index in order of intake with all columns, and which of them were accepted.
fn at_rest(index: usize, stream: &Stream, events: &[Event]) -> AtRest {
    let columns: Vec<ColumnRequest> = stream
        .all_columns()
        .map(|(name, column_type)| ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type })
        .collect();
    let mut decoder = Decoder::new(stream, 0, Vec::new());
    let mut clock = StreamClock::new(stream);
    let (mut parts, mut accepted) = (Vec::new(), Vec::new());
    let schema = Arc::new(stream.schema());
    for event in events.iter().filter(|event| lives::stream_of(event) == index) {
        let Event::Batch(raw) = event else {
            lives::move_time(&mut clock, event);
            continue;
        };
        let mut batch = decoder.decode(raw.clone());
        clock.stamp(&mut batch, NOW);
        let rows: Vec<u32> = (0..batch.rows.len() as u32).collect();
        let arrays = decoder.decode_rows(&batch, &rows, &columns);
        accepted.extend(batch.rows.iter().map(Row::accepted));
        parts.push(RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap());
    }
    AtRest { processed: arrow::compute::concat_batches(&schema, &parts).unwrap(), accepted }
}

/// The latest event time of all records in these events, microseconds.
fn latest(streams: &[Stream], events: &[Event]) -> Option<i64> {
    let times = streams.iter().enumerate().flat_map(|(index, stream)| {
        let records = at_rest(index, stream, events).processed;
        let times = records.column_by_name("event_time").unwrap();
        times.as_primitive::<TimestampMicrosecondType>().values().to_vec()
    });
    times.max()
}

fn stream_through(case: &Case, detector: &Detector, source: impl Source + 'static, fires_early: bool) -> Vec<Finding> {
    let streams = StreamDetectors::by_stream(std::slice::from_ref(detector), &streams());
    let sink = MemorySink::new("memory");
    let metrics = pipeline::metrics(&streams);
    let run = Run {
        source: Box::new(source),
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
        caps: Caps::default(),
        thorough: false,
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert!(metrics.total().balanced(), "{:?}", metrics.total());
    sink.findings()
}

type Values = Vec<(String, Value)>;
type Comparable = (String, Option<i64>, Option<i64>, Values, Values);

fn comparable(finding: &Finding) -> Comparable {
    let plain = |values: &[(Arc<str>, Value)]| values.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
    let id = finding.finding_id.to_string();
    (id, finding.window, finding.window_end, plain(&finding.keys), plain(&finding.row))
}

fn comparable_oracle(finding: &OracleFinding) -> Comparable {
    let id = finding.finding_id.to_string();
    (id, finding.window, finding.window_end, finding.keys.clone(), finding.row.clone())
}

/// Every finding has one end, and before it counts its revisions without a gap.
fn check_lives(findings: &[Finding]) -> TestCaseResult {
    let mut lives: BTreeMap<_, Vec<(u32, State)>> = BTreeMap::new();
    for finding in findings {
        lives.entry(finding.finding_id).or_default().push((finding.revision, finding.state));
    }
    for (id, life) in lives {
        let mut ended = false;
        for (index, (revision, state)) in life.iter().enumerate() {
            prop_assert_eq!(*revision as usize, index + 1, "{}: {:?}", id, life);
            prop_assert!(!ended || *state != State::Updated, "{}: {:?}", id, life);
            ended = matches!(state, State::Final | State::Withdrawn);
        }
        prop_assert!(ended, "{} has no end: {:?}", id, life);
        let finals = life.iter().filter(|(_, state)| *state == State::Final).count();
        prop_assert!(finals <= 1, "{} is final twice: {:?}", id, life);
    }
    Ok(())
}

/// What a sequence finds rests on one record of each side, or, an absence, on one; what a window finds, on its own records.
fn check_evidence(detector: &Detector, findings: &[Finding]) -> TestCaseResult {
    match &detector.plan.operator {
        Operator::OverWindows { .. } => return findings.iter().try_for_each(composed::check_row),
        Operator::Window { .. } => return findings.iter().try_for_each(check_window),
        _ => {}
    }
    let Operator::Sequence(sequence) = &detector.plan.operator else { return Ok(()) };
    for finding in findings {
        let times: Vec<i64> = finding.evidence.iter().map(|evidence| evidence.event_time).collect();
        let wanted = if sequence.kind == SequenceKind::Absent { 1 } else { 2 };
        prop_assert_eq!(times.len(), wanted, "{:?}", finding);
        let ends = [times[0], times[times.len() - 1]];
        prop_assert_eq!(ends, [finding.first_event_time, finding.last_event_time], "{:?}", finding);
        prop_assert!(finding.complete, "{:?}", finding);
    }
    Ok(())
}

/// A window's finding rests on records of the window, shown in order of time, the first and the last among them.
fn check_window(finding: &Finding) -> TestCaseResult {
    let (start, end) = finding.window.zip(finding.window_end).unwrap_or_default();
    let times: Vec<i64> = finding.evidence.iter().map(|evidence| evidence.event_time).collect();
    prop_assert!(!times.is_empty() && times.is_sorted(), "{:?}", finding);
    let ends = [times[0], times[times.len() - 1]];
    prop_assert_eq!(ends, [finding.first_event_time, finding.last_event_time], "{:?}", finding);
    prop_assert!(ends.iter().all(|time| (start..end).contains(time)), "{:?}", finding);
    Ok(())
}

/// What final findings rest on, by their ids.
fn grounds(findings: &[Finding]) -> BTreeMap<FindingId, (Vec<Evidence>, i64, bool)> {
    let of = |finding: &Finding| (finding.evidence.clone(), finding.caused_at, finding.complete);
    let finals = findings.iter().filter(|finding| finding.state == State::Final);
    finals.map(|finding| (finding.finding_id, of(finding))).collect()
}

/// Building one costs milliseconds, and a case about as much.
static PLANNER: LazyLock<Planner> = LazyLock::new(|| Planner::new(&streams()));

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
}

fn check(case: &Case) -> TestCaseResult {
    let streams = streams();
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{}", case.sql);
    let compiled = if case.tables.is_empty() {
        compile::compile_text(&PLANNER, "case", &text)
    } else {
        compile::compile_text(&Planner::with_tables(&streams, &looks::tables(&case.tables)), "case", &text)
    };
    let mut detector = compiled.unwrap_or_else(|problems| {
        panic!("{}\n{}", case.sql, problems.iter().map(|p| p.render(false)).collect::<String>())
    });
    if !matches!(detector.plan.operator, Operator::Match | Operator::Sequence(_)) {
        detector.learn = i64::from(case.learn) * 1_000_000;
    }
    let events = lives::events(case);
    let records: Vec<AtRest> = streams.iter().enumerate().map(|(index, s)| at_rest(index, s, &events)).collect();
    let change = || looks::Change::of(case, events.len(), |first| latest(&streams, &events[..first]));
    let at_the_end = looks::after(case, &detector, change().as_ref());
    let found = RUNTIME.with(|runtime| runtime.block_on(oracle::findings(&at_the_end, &streams, &records)));
    let found = found.unwrap_or_else(|error| panic!("{}\n{error}", case.sql));
    let expected: Vec<Comparable> = found.iter().map(comparable_oracle).collect();
    let mut rests_on = None;
    for fires_early in [false, true] {
        let (source, detector) = looks::Changing::new(case, &detector, events.clone(), change());
        let findings = stream_through(case, &detector, source, fires_early);
        check_lives(&findings)?;
        check_evidence(&detector, &findings)?;
        let mut found: Vec<_> = findings.iter().filter(|f| f.state == State::Final).map(comparable).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert_eq!(found, expected.clone(), "streaming (left) and batch (right) differ for\n{}", case.sql);
        let grounds = grounds(&findings);
        let others = rests_on.get_or_insert_with(|| grounds.clone());
        prop_assert_eq!(&*others, &grounds, "told early (right), findings rest on other records for\n{}", case.sql);
    }
    Ok(())
}

#[test]
fn streaming_equals_batch() {
    soak::run(&soak::Settings::of_environment(), case, |case| check(&case));
}
