//! Detectors come, change and go while records flow: the others notice nothing, and each version finds what DataFusion
//! finds over the records of its time.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch};
use crossbeam::channel::Receiver;
use proptest::prelude::*;
use watchfire_engine::change::{self, Turned};
use watchfire_engine::decode::Decoder;
use watchfire_engine::detect::oracle::{self, OracleFinding};
use watchfire_engine::detect::plan::{Operator, Planner};
use watchfire_engine::detect::{Detector, Lifetime, StreamDetectors, compile};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::{Assignment, Event, Source, SourceError};
use watchfire_engine::watermark::StreamClock;
use watchfire_engine::{Change, EngineError, Metrics, Outlet, RuleControl};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{
    ColumnRequest, ColumnSource, Finding, Partition, RawBatch, Row, SimulatedClock, State, Stream, Value, time,
};

/// The clock of every run, and the time at which the broker took every record.
const NOW: i64 = 1_750_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// What the detectors of a random case are.
const TEXTS: [&str; 9] = [
    "SELECT event_time, user_name FROM cloudtrail WHERE event_name = 'A'",
    "SELECT tumble(event_time, INTERVAL '20 seconds') AS w, source_ip, count(*) AS n FROM cloudtrail WHERE event_name <> 'C' GROUP BY tumble(event_time, INTERVAL '20 seconds'), source_ip HAVING count(*) >= 2",
    "SELECT tumble(event_time, INTERVAL '60 seconds') AS w, count(DISTINCT user_name) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '60 seconds') HAVING count(DISTINCT user_name) < 3",
    "SELECT hop(event_time, INTERVAL '10 seconds', INTERVAL '30 seconds') AS w, user_name, count(*) AS n FROM cloudtrail GROUP BY hop(event_time, INTERVAL '10 seconds', INTERVAL '30 seconds'), user_name HAVING count(*) >= 2",
    "SELECT user_name, event_time, n FROM (SELECT *, count(*) OVER (PARTITION BY user_name ORDER BY event_time RANGE INTERVAL '40 seconds' PRECEDING) AS n FROM cloudtrail WHERE event_name <> 'B') WHERE n >= 2",
    "SELECT source_ip, region, event_time, n FROM (SELECT *, count(DISTINCT event_name) OVER (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '25 seconds' PRECEDING) AS n FROM cloudtrail) WHERE n >= 2 AND region <> 'x'",
    "SELECT user_name, error_code, request ->> 'n' AS k, event_time FROM cloudtrail QUALIFY first_seen(INTERVAL '30 seconds') OVER (PARTITION BY user_name, error_code)",
    "SELECT source_ip, event_time FROM cloudtrail WHERE event_name = 'A' QUALIFY first_seen(INTERVAL '50 seconds') OVER (PARTITION BY source_ip)",
    "SELECT event_name, event_time, n FROM (SELECT *, sum(octet_length(event_name)) OVER (PARTITION BY event_name ORDER BY event_time RANGE INTERVAL '15 seconds' PRECEDING) AS n FROM cloudtrail) WHERE n >= 2",
];

fn stream() -> Stream {
    Stream { lateness: 15 * SECOND, ..Stream::cloudtrail() }
}

/// The detector of this name whose text is `TEXTS[text]`; another `edition` is another version of the same.
fn detector(name: &str, text: usize, edition: usize) -> Arc<Detector> {
    let planner = Planner::new(&[stream()]);
    let text =
        format!("/*\ntitle = \"{edition}\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{}", TEXTS[text % TEXTS.len()]);
    Arc::new(compile::compile_text(&planner, name, &text).unwrap())
}

/// What happens in a run, one after the other.
#[derive(Clone)]
enum Step {
    Event(Event),
    /// From here on the detectors are these.
    Change(Vec<Arc<Detector>>),
    /// Time for what has ended to be taken away.
    Rest,
}

/// Plays steps; each change is live before the next step.
struct Script {
    steps: VecDeque<Step>,
    control: RuleControl,
    waiting: Option<Receiver<Result<Change, EngineError>>>,
    changes: Arc<Mutex<Vec<Change>>>,
    metrics: Arc<Metrics>,
    rested: u32,
}

impl Source for Script {
    fn poll(&mut self, _wait: Duration) -> Result<Event, SourceError> {
        if let Some(answered) = &self.waiting {
            match answered.try_recv() {
                Ok(change) => {
                    self.changes.lock().unwrap().push(change.unwrap());
                    self.waiting = None;
                }
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
            return Ok(Event::Nothing);
        }
        match self.steps.pop_front() {
            None => Ok(Event::Finished),
            Some(Step::Event(event)) => Ok(event),
            Some(Step::Change(detectors)) => {
                self.waiting = Some(self.control.ask(detectors));
                Ok(Event::Nothing)
            }
            Some(Step::Rest) => {
                std::thread::sleep(Duration::from_millis(10));
                self.rested += 1;
                if self.metrics.rules.ending.load(Relaxed) > 0 && self.rested < 40 {
                    self.steps.push_front(Step::Rest);
                } else {
                    self.rested = 0;
                }
                Ok(Event::Nothing)
            }
        }
    }

    fn commit(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn release(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn close(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }
}

/// What a run came to.
struct Outcome {
    findings: Vec<Finding>,
    changes: Vec<Change>,
    metrics: Arc<Metrics>,
}

/// Runs `steps`, with these detectors at the start.
fn run(first: &[Arc<Detector>], steps: Vec<Step>, workers: usize, shards: usize, fires_early: bool) -> Outcome {
    let first = first.iter().map(|detector| (**detector).clone()).collect();
    let streams = vec![Arc::new(StreamDetectors::new(stream(), 0, first))];
    let (sink, metrics) = (MemorySink::new("memory"), pipeline::metrics(&streams));
    let (control, requests) = change::control();
    let changes = Arc::new(Mutex::new(Vec::new()));
    let script = Script {
        steps: steps.into(),
        control,
        waiting: None,
        changes: Arc::clone(&changes),
        metrics: Arc::clone(&metrics),
        rested: 0,
    };
    let run = Run {
        source: Box::new(script),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early,
        workers,
        shards,
        in_flight_bytes: 1 << 20,
        secret: [1, 2, 3, 4],
        clock: Arc::new(SimulatedClock::at(NOW)),
        metrics: Arc::clone(&metrics),
        changes: Some(requests),
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert!(metrics.total().balanced(), "{:?}", metrics.total());
    let changes = std::mem::take(&mut *changes.lock().unwrap());
    Outcome { findings: sink.findings(), changes, metrics }
}

fn partition(number: u8) -> Arc<Partition> {
    Arc::new(Partition { topic: "t".into(), number: i32::from(number) })
}

fn assigned(partitions: u8) -> Step {
    let assignment = |number| Assignment { partition: partition(number), stream: 0 };
    Step::Event(Event::Assigned((0..partitions).map(assignment).collect()))
}

/// A batch of records, each of a partition; offsets go on from `offsets`.
fn batch(records: &[(u8, String)], offsets: &mut HashMap<u8, i64>) -> RawBatch {
    let mut batch = RawBatch::default();
    for (number, text) in records {
        let offset = offsets.entry(*number).or_default();
        batch.push(&partition(*number), *offset, NOW, PayloadKind::Value, text.as_bytes());
        *offset += 1;
    }
    batch
}

fn record(id: &str, name: &str, address: &str, user: &str, seconds: i64) -> String {
    format!(
        r#"{{"eventTime":"{}","eventID":"{id}","eventSource":"s","eventName":"{name}","sourceIPAddress":"{address}","awsRegion":"r","errorCode":null,"userIdentity":{{"userName":"{user}"}},"requestParameters":{{"n":{seconds}}}}}"#,
        time::format(NOW + seconds * SECOND)
    )
}

/// Lines that were told of one detector, in order, without what differs between runs.
fn told(outcome: &Outcome, name: &str) -> Vec<(String, u32, State, Vec<(Arc<str>, Value)>)> {
    let of = outcome.findings.iter().filter(|finding| finding.detector.name == name);
    let mut lines: Vec<_> = of.map(|f| (f.finding_id.to_string(), f.revision, f.state, f.row.clone())).collect();
    // Keys' operators lie in tables whose order is by chance.
    lines.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    lines
}

fn matched(outcome: &Outcome, name: &str) -> u64 {
    outcome.metrics.detector("cloudtrail", name).matched.load(Relaxed)
}

/// Every finding has one end, and before it counts its revisions without a gap.
fn check_lives(findings: &[Finding]) {
    let mut lives: BTreeMap<_, Vec<(u32, State)>> = BTreeMap::new();
    for finding in findings {
        lives.entry(finding.finding_id).or_default().push((finding.revision, finding.state));
    }
    for (id, life) in lives {
        let counted = life.iter().enumerate().all(|(index, (revision, _))| *revision as usize == index + 1);
        let ended = life.last().is_some_and(|(_, state)| matches!(state, State::Final | State::Withdrawn));
        assert!(counted && ended, "{id}: {life:?}");
    }
}

// --- what each version finds -------------------------------------------------------------------------------------------

/// The processed records in order of intake with all columns, which of them were accepted, and their times.
fn at_rest(batches: &[RawBatch], partitions: u8) -> (RecordBatch, Vec<bool>, Vec<i64>) {
    let stream = stream();
    let columns: Vec<ColumnRequest> = stream
        .all_columns()
        .map(|(name, column_type)| ColumnRequest { source: ColumnSource::Column(name.to_owned()), column_type })
        .collect();
    let (mut decoder, mut clock) = (Decoder::new(&stream, 0, Vec::new()), StreamClock::new(&stream));
    (0..partitions).for_each(|number| clock.assign(partition(number), NOW, None));
    let (mut parts, mut accepted, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for raw in batches {
        let mut batch = decoder.decode(raw.clone());
        clock.stamp(&mut batch, NOW);
        let rows: Vec<u32> = (0..batch.rows.len() as u32).collect();
        let arrays = decoder.decode_rows(&batch, &rows, &columns);
        accepted.extend(batch.rows.iter().map(Row::accepted));
        times.extend(batch.rows.iter().map(|row| row.event_time));
        parts.push(RecordBatch::try_new(Arc::new(stream.schema()), arrays).unwrap());
    }
    (arrow::compute::concat_batches(&Arc::new(stream.schema()), &parts).unwrap(), accepted, times)
}

/// What DataFusion finds over the records of a version's time, but for windows that are not within it.
fn expected(
    detector: &Detector,
    lifetime: Lifetime,
    at_rest: &(RecordBatch, Vec<bool>, Vec<i64>),
) -> Vec<OracleFinding> {
    let (records, accepted, times) = at_rest;
    let within: Vec<bool> = times.iter().map(|time| lifetime.contains(*time)).collect();
    let records = arrow::compute::filter_record_batch(records, &BooleanArray::from(within.clone())).unwrap();
    let accepted: Vec<bool> = accepted.iter().zip(&within).filter(|(_, w)| **w).map(|(a, _)| *a).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut found = runtime.block_on(oracle::findings(detector, &stream(), &records, &accepted)).unwrap();
    if let Operator::Window { size, .. } = detector.plan.operator {
        found.retain(|finding| {
            let start = finding.window.unwrap();
            start >= lifetime.from && start + size <= lifetime.to
        });
    }
    found
}

/// A version, and when it was live.
struct Version {
    detector: Arc<Detector>,
    lifetime: Lifetime,
}

/// What changes make of versions, by what the run said of them.
fn versions(first: &[Arc<Detector>], asked: &[Vec<Arc<Detector>>], changes: &[Change]) -> Vec<Version> {
    let always = |detector: &Arc<Detector>| Version { detector: Arc::clone(detector), lifetime: Lifetime::ALWAYS };
    let mut versions: Vec<Version> = first.iter().map(always).collect();
    for (asked, change) in asked.iter().zip(changes) {
        let from = |turned: &Turned| turned.from.unwrap_or(i64::MIN);
        for turned in change.changed.iter().chain(&change.removed).chain(&change.added) {
            let before = versions.iter_mut().filter(|version| version.detector.info.name == turned.name);
            before.for_each(|version| version.lifetime.to = version.lifetime.to.min(from(turned)));
        }
        for turned in change.changed.iter().chain(&change.added) {
            let detector = asked.iter().find(|detector| detector.info.name == turned.name).unwrap();
            let lifetime = Lifetime { from: from(turned), to: i64::MAX };
            versions.push(Version { detector: Arc::clone(detector), lifetime });
        }
    }
    versions
}

type Comparable = (String, Option<i64>, Vec<(String, Value)>);

fn check_versions(outcome: &Outcome, versions: &[Version], at_rest: &(RecordBatch, Vec<bool>, Vec<i64>)) {
    let mut found: BTreeMap<(String, String), Vec<Comparable>> = BTreeMap::new();
    for f in outcome.findings.iter().filter(|finding| finding.state == State::Final) {
        let row = f.row.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let of = found.entry((f.detector.name.clone(), f.detector.version.clone())).or_default();
        of.push((f.finding_id.to_string(), f.window, row));
    }
    let mut wanted: BTreeMap<(String, String), Vec<Comparable>> = BTreeMap::new();
    for version in versions.iter().filter(|version| version.detector.stateful()) {
        let info = &version.detector.info;
        let of = wanted.entry((info.name.clone(), info.version.clone())).or_default();
        let expected = expected(&version.detector, version.lifetime, at_rest);
        of.extend(expected.into_iter().map(|f| (f.finding_id.to_string(), f.window, f.row)));
    }
    for (version, mut wanted) in wanted {
        let mut found = found.remove(&version).unwrap_or_default();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, wanted, "streaming (left) and batch (right) differ for {version:?}");
    }
}

// --- random cases ------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
struct Case {
    /// Partition, event name, address and user by number, jitter of the time in seconds.
    records: Vec<(u8, u8, u8, u8, i8)>,
    cuts: Vec<bool>,
    /// After which batch, and what then becomes of each of the three that change: none, or a text and an edition.
    changes: Vec<(u8, [Option<(u8, u8)>; 3], bool)>,
    workers: usize,
    shards: usize,
    fires_early: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let records = prop::collection::vec((0..2u8, 0..3u8, 0..2u8, 0..3u8, -20..2i8), 30..90);
    let subject = || prop::option::weighted(0.7, (0..9u8, 0..2u8));
    let change = (0..30u8, [subject(), subject(), subject()], prop::bool::weighted(0.4));
    let changes = prop::collection::vec(change, 1..4).prop_map(|mut changes| {
        changes.sort_by_key(|change| change.0);
        changes
    });
    (records, prop::collection::vec(any::<bool>(), 90), changes, 1..4usize, 1..4usize, any::<bool>()).prop_map(
        |(records, cuts, changes, workers, shards, fires_early)| Case {
            records,
            cuts,
            changes,
            workers,
            shards,
            fires_early,
        },
    )
}

fn batches(case: &Case) -> Vec<RawBatch> {
    let (mut batches, mut open, mut offsets) = (Vec::new(), Vec::new(), HashMap::new());
    for (index, (partition, name, address, user, jitter)) in case.records.iter().enumerate() {
        let seconds = (index as i64) * 3 - 300 + i64::from(*jitter);
        let id = format!("e{}", index / 2 * (index % 7).min(1));
        let (name, address, user) =
            (["A", "B", "C"][usize::from(*name)], format!("1.1.1.{address}"), format!("u{user}"));
        open.push((*partition, record(&id, name, &address, &user, seconds)));
        if case.cuts[index] {
            batches.push(batch(&std::mem::take(&mut open), &mut offsets));
        }
    }
    batches.push(batch(&open, &mut offsets));
    batches.retain(|batch| !batch.payloads.is_empty());
    batches
}

fn check(case: &Case) {
    let others: Vec<_> = (0..TEXTS.len()).map(|text| detector(&format!("other-{text}"), text, 0)).collect();
    let first: Vec<_> = others.iter().cloned().chain([detector("subject-0", 1, 0)]).collect();
    let batches = batches(case);
    let (mut steps, mut asked, mut changes) = (vec![assigned(2)], Vec::new(), case.changes.iter().peekable());
    for (index, batch) in batches.iter().enumerate() {
        while let Some((_, subjects, rest)) = changes.next_if(|change| usize::from(change.0) <= index) {
            let subject = |(number, what): (usize, &Option<(u8, u8)>)| {
                what.map(|(text, edition)| detector(&format!("subject-{number}"), text.into(), edition.into()))
            };
            let wanted: Vec<_> =
                others.iter().cloned().chain(subjects.iter().enumerate().filter_map(subject)).collect();
            asked.push(wanted.clone());
            steps.push(Step::Change(wanted));
            steps.extend(rest.then_some(Step::Rest));
        }
        steps.push(Step::Event(Event::Batch(batch.clone())));
    }
    let still = vec![assigned(2)].into_iter().chain(batches.iter().map(|b| Step::Event(Event::Batch(b.clone()))));
    let without = run(&others, still.collect(), case.workers, case.shards, case.fires_early);
    let with = run(&first, steps, case.workers, case.shards, case.fires_early);
    for other in &others {
        let name = other.info.name.as_str();
        assert_eq!(told(&with, name), told(&without, name), "{name} noticed a change");
        assert_eq!(matched(&with, name), matched(&without, name), "{name} missed or had twice a record");
        let operator = |outcome: &Outcome| outcome.metrics.detector("cloudtrail", name).operator();
        assert_eq!(operator(&with), operator(&without), "{name}");
    }
    check_lives(&with.findings);
    check_versions(&with, &versions(&first, &asked, &with.changes), &at_rest(&batches, 2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn changes_are_seen_by_nobody_else(case in case()) {
        check(&case);
    }
}

/// How many random cases are tried: a tenth of `WATCHFIRE_CASES`, or 150.
fn cases() -> u32 {
    std::env::var("WATCHFIRE_CASES").ok().and_then(|n| n.parse::<u32>().ok()).map_or(150, |cases| cases.div_ceil(10))
}

// --- one by one --------------------------------------------------------------------------------------------------------

/// Batches of one record each, a second apart from `from` on, in one partition; ids are `e` and the second.
fn seconds(range: std::ops::Range<i64>, offsets: &mut HashMap<u8, i64>) -> Vec<Step> {
    let one = |second| batch(&[(0, record(&format!("e{second}"), "A", "1.1.1.1", "u1", second))], offsets);
    range.map(one).map(|batch| Step::Event(Event::Batch(batch))).collect()
}

fn of_version<'a>(outcome: &'a Outcome, version: &Detector) -> Vec<&'a Finding> {
    let same = |finding: &&Finding| finding.detector == version.info && finding.state == State::Final;
    outcome.findings.iter().filter(same).collect()
}

#[test]
fn versions_of_a_window_meet_at_one_instant() {
    let (old, new) = (detector("calls", 1, 0), detector("calls", 1, 1));
    let mut offsets = HashMap::new();
    let mut steps = vec![assigned(1)];
    steps.extend(seconds(-200..-95, &mut offsets));
    steps.push(Step::Change(vec![Arc::clone(&new)]));
    steps.extend(seconds(-95..-10, &mut offsets));
    let outcome = run(&[Arc::clone(&old)], steps, 2, 2, true);
    let met = outcome.changes[0].changed[0].from.unwrap();
    assert_eq!(met, NOW - 80 * SECOND, "the first window beyond what was seen, {}", time::format(met));
    let ends = |version| of_version(&outcome, version).iter().map(|f| f.window_end.unwrap()).max().unwrap();
    let starts = |version| of_version(&outcome, version).iter().map(|f| f.window.unwrap()).min().unwrap();
    assert_eq!((ends(&old), starts(&new)), (met, met));
    let counted: i64 = [&old, &new]
        .iter()
        .flat_map(|version| of_version(&outcome, version))
        .map(|finding| match finding.row[2].1 {
            Value::Integer(count) => count,
            ref other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(counted, 190, "each record is in one window of one version");
    assert_eq!(matched(&outcome, "calls"), 190);
}

#[test]
fn a_match_changes_without_a_gap_and_what_comes_late_is_judged_once() {
    let (old, new) = (detector("a", 0, 0), detector("a", 0, 1));
    let mut offsets = HashMap::new();
    let mut steps = vec![assigned(1)];
    steps.extend(seconds(-100..-60, &mut offsets));
    steps.push(Step::Change(vec![Arc::clone(&new)]));
    // Before the instant at which they meet, then beyond it, until the old one has gone; then one that is very late.
    steps.extend(seconds(-70..-65, &mut offsets).into_iter().map(|step| again(step, "b")));
    steps.extend(seconds(-60..-30, &mut offsets));
    steps.push(Step::Rest);
    steps.extend(seconds(-99..-98, &mut offsets).into_iter().map(|step| again(step, "c")));
    steps.extend(seconds(-30..-20, &mut offsets));
    let outcome = run(&[Arc::clone(&old)], steps, 3, 1, true);
    let ids = |version| -> Vec<String> {
        let mut ids: Vec<_> = of_version(&outcome, version).iter().map(|f| f.evidence[0].event_id.clone()).collect();
        ids.sort();
        ids
    };
    let (by_old, by_new) = (ids(&old), ids(&new));
    assert_eq!((by_old.len(), by_new.len()), (45, 41), "{by_old:?} {by_new:?}");
    assert!(by_old.contains(&"b-70".into()) && by_new.contains(&"c-99".into()) && by_new.contains(&"e-60".into()));
    assert_eq!(matched(&outcome, "a"), 86);
    assert_eq!(outcome.metrics.rules.ending.load(Relaxed), 0);
}

/// The same record under another id.
fn again(step: Step, id: &str) -> Step {
    let Step::Event(Event::Batch(raw)) = step else { return step };
    let text = String::from_utf8(raw.bytes.clone()).unwrap().replace("\"eventID\":\"e", &format!("\"eventID\":\"{id}"));
    let mut changed = RawBatch::default();
    changed.push(&raw.partitions[0], raw.payloads[0].offset, NOW, PayloadKind::Value, text.as_bytes());
    Step::Event(Event::Batch(changed))
}

#[test]
fn what_is_added_begins_and_what_is_removed_ends() {
    let (stays, comes, goes) = (detector("stays", 4, 0), detector("comes", 2, 0), detector("goes", 0, 0));
    let mut offsets = HashMap::new();
    let mut steps = vec![assigned(1)];
    steps.extend(seconds(-200..-130, &mut offsets));
    steps.push(Step::Change(vec![Arc::clone(&stays), Arc::clone(&comes)]));
    steps.push(Step::Change(vec![Arc::clone(&stays), Arc::clone(&comes)]));
    steps.extend(seconds(-130..-10, &mut offsets));
    steps.push(Step::Rest);
    let outcome = run(&[Arc::clone(&stays), Arc::clone(&goes)], steps, 2, 2, false);
    let [first, second] = &outcome.changes[..] else { panic!("{:?}", outcome.changes) };
    assert_eq!((first.added[0].name.as_str(), first.added[0].from), ("comes", Some(NOW - 100 * SECOND)));
    assert_eq!((first.removed[0].name.as_str(), first.removed[0].from), ("goes", Some(NOW - 131 * SECOND + 1)));
    assert_eq!((first.unchanged, second.is_empty(), second.unchanged), (1, true, 2));
    assert_eq!(of_version(&outcome, &goes).len(), 70);
    assert_eq!(of_version(&outcome, &stays).len(), 189);
    assert_eq!(of_version(&outcome, &comes).iter().map(|f| f.window.unwrap()).min(), Some(NOW - 100 * SECOND));
    let counted: Vec<_> = outcome.metrics.detectors().iter().map(|detector| detector.name.clone()).collect();
    assert_eq!(counted, ["stays", "comes"], "who has gone is not on the metrics any more");
    assert_eq!(outcome.metrics.finding_lines().iter().sum::<u64>(), outcome.findings.len() as u64);
    assert_eq!(outcome.metrics.rules.reloads.load(Relaxed), 1);
}
