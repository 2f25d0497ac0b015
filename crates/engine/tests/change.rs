//! Detectors come, change and go while records flow: the others notice nothing, and each version finds what DataFusion
//! finds of what begins in its time, over all records that its state has had.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "change/batch.rs"]
mod batch;
#[path = "change/run.rs"]
mod run;
#[path = "change/single.rs"]
mod single;
#[path = "change/texts.rs"]
mod texts;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use batch::{Rest, Version, expected, of_accepted, versions};
use proptest::prelude::*;
use run::{Outcome, Step, assigned, caught_up, raw_batch, run};
use texts::{TEXTS, detector};
use watchfire_engine::detect::Detector;
use watchfire_engine::detect::operators::OperatorStatistics;
use watchfire_engine::source::Event;
use watchfire_record::{Finding, RawBatch, State, Stream, Value, time};

/// The clock of every run, and the time at which the broker took every record.
const NOW: i64 = 1_750_000_000_000_000;
const SECOND: i64 = 1_000_000;
/// Partitions of the first stream, and of both.
const CLOUDTRAIL_PARTITIONS: u8 = 2;
const PARTITIONS: u8 = 3;

fn streams() -> Vec<Stream> {
    vec![Stream { lateness: 15 * SECOND, ..Stream::cloudtrail() }, Stream { lateness: 10 * SECOND, ..Stream::api() }]
}

fn record(id: &str, name: &str, address: &str, user: &str, seconds: i64) -> String {
    format!(
        r#"{{"eventTime":"{}","eventID":"{id}","eventSource":"s","eventName":"{name}","sourceIPAddress":"{address}","awsRegion":"r{}","errorCode":null,"userIdentity":{{"userName":"{user}"}},"requestParameters":{{"n":{seconds}}}}}"#,
        time::format(NOW + seconds * SECOND),
        seconds.rem_euclid(3)
    )
}

fn api_record(address: &str, status: u8, seconds: i64) -> String {
    format!(
        r#"{{"requestTime":"{}","ip":"{address}","httpMethod":"A","status":{status}}}"#,
        time::format(NOW + seconds * SECOND)
    )
}

/// What becomes of each of the three detectors that change: none, or a text and an edition.
type Subjects = [Option<(u8, u8)>; 3];

#[derive(Debug, Clone)]
struct Case {
    /// Partition, event name, address and user by number, jitter of the time in seconds.
    records: Vec<(u8, u8, u8, u8, i8)>,
    cuts: Vec<bool>,
    /// After which batch, what is then asked for, and whether it is waited until what has ended is taken away.
    changes: Vec<(u8, Subjects, bool)>,
    /// Whether nobody waits for the second stream before its first record.
    caught_up: bool,
    workers: usize,
    shards: usize,
    fires_early: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let records = prop::collection::vec((0..PARTITIONS, 0..3u8, 0..2u8, 0..3u8, -20..2i8), 30..90);
    let count = u8::try_from(TEXTS.len()).unwrap();
    let subject = move || prop::option::weighted(0.8, (0..count, 0..4u8));
    // Often the same text in another edition: then there is state to go on with.
    let texts = prop::array::uniform3(0..count);
    let change = (0..30u8, [subject(), subject(), subject()], prop::bool::weighted(0.6), prop::bool::weighted(0.4));
    let changes = (texts, prop::collection::vec(change, 1..5)).prop_map(|(texts, changes)| {
        let of = |(at, mut subjects, same, rest): (u8, Subjects, bool, bool)| {
            if same {
                subjects.iter_mut().zip(texts).for_each(|(subject, text)| *subject = subject.map(|(_, e)| (text, e)));
            }
            (at, subjects, rest)
        };
        let mut changes: Vec<_> = changes.into_iter().map(of).collect();
        changes.sort_by_key(|change| change.0);
        changes
    });
    let cuts = prop::collection::vec(any::<bool>(), 90);
    (records, cuts, changes, any::<bool>(), 1..4usize, 1..4usize, any::<bool>()).prop_map(
        |(records, cuts, changes, caught_up, workers, shards, fires_early)| Case {
            records,
            cuts,
            changes,
            caught_up,
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
        let is_api = *partition >= CLOUDTRAIL_PARTITIONS;
        let text = if is_api {
            api_record(&format!("1.1.1.{address}"), *user, seconds)
        } else {
            record(&id, ["A", "B", "C"][usize::from(*name)], &format!("1.1.1.{address}"), &format!("u{user}"), seconds)
        };
        if open.last().is_some_and(|(last, _): &(u8, String)| (*last >= CLOUDTRAIL_PARTITIONS) != is_api) {
            batches.push(raw_batch(&std::mem::take(&mut open), &mut offsets));
        }
        open.push((*partition, text));
        if case.cuts[index] {
            batches.push(raw_batch(&std::mem::take(&mut open), &mut offsets));
        }
    }
    batches.push(raw_batch(&open, &mut offsets));
    batches.retain(|batch| !batch.payloads.is_empty());
    batches
}

/// What happens, in order, and what is asked for at each change.
fn steps(case: &Case, batches: &[RawBatch], others: &[Arc<Detector>]) -> (Vec<Step>, Vec<Vec<Arc<Detector>>>) {
    let (mut steps, mut asked, mut changes) = (begin(case), Vec::new(), case.changes.iter().peekable());
    for (index, batch) in batches.iter().enumerate() {
        while let Some((_, subjects, rest)) = changes.next_if(|change| usize::from(change.0) <= index) {
            let subject = |(number, what): (usize, &Option<(u8, u8)>)| {
                what.map(|(text, edition)| detector(&format!("subject-{number}"), text.into(), edition.into()))
            };
            let subjects = subjects.iter().enumerate().filter_map(subject);
            let wanted: Vec<_> = others.iter().cloned().chain(subjects).collect();
            asked.push(wanted.clone());
            steps.push(Step::Change(wanted));
            steps.extend(rest.then_some(Step::Rest));
        }
        steps.push(Step::Event(Event::Batch(batch.clone())));
    }
    (steps, asked)
}

fn begin(case: &Case) -> Vec<Step> {
    let mut steps = vec![assigned(PARTITIONS)];
    steps.extend(case.caught_up.then(|| caught_up(CLOUDTRAIL_PARTITIONS)));
    steps
}

/// A line, without what differs between runs.
type Line = (String, u32, State, Vec<(Arc<str>, Value)>);

/// Lines that were told of one detector, in order.
fn told(outcome: &Outcome, name: &str) -> Vec<Line> {
    let of = outcome.findings.iter().filter(|finding| finding.detector.name == name);
    let mut lines: Vec<_> = of.map(|f| (f.finding_id.to_string(), f.revision, f.state, f.row.clone())).collect();
    // Keys' operators lie in tables whose order is by chance.
    lines.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    lines
}

fn matched(outcome: &Outcome, stream: &str, name: &str) -> u64 {
    outcome.metrics.detector(stream, name).matched.load(Relaxed)
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
        let finals = life.iter().filter(|(_, state)| *state == State::Final).count();
        assert!(counted && ended && finals <= 1, "{id}: {life:?}");
    }
}

type Comparable = (String, Option<i64>, Vec<(String, Value)>);

fn check_versions(outcome: &Outcome, versions: &[Version], rest: &Rest) {
    let mut found: BTreeMap<(String, String), Vec<Comparable>> = BTreeMap::new();
    for f in outcome.findings.iter().filter(|finding| finding.state == State::Final && of_accepted(finding, rest)) {
        let row = f.row.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let of = found.entry((f.detector.name.clone(), f.detector.version.clone())).or_default();
        of.push((f.finding_id.to_string(), f.window, row));
    }
    let mut wanted: BTreeMap<(String, String), Vec<Comparable>> = BTreeMap::new();
    for version in versions {
        let info = &version.detector.info;
        let of = wanted.entry((info.name.clone(), info.version.clone())).or_default();
        let expected = expected(version, rest);
        of.extend(expected.into_iter().map(|f| (f.finding_id.to_string(), f.window, f.row)));
    }
    for (version, mut wanted) in wanted {
        let mut found = found.remove(&version).unwrap_or_default();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, wanted, "streaming (left) and batch (right) differ for {version:?}");
    }
    assert!(found.is_empty(), "nobody knows who found {found:?}");
}

fn check(case: &Case) {
    let others: Vec<_> = (0..TEXTS.len()).map(|text| detector(&format!("other-{text}"), text, 0)).collect();
    let first: Vec<_> = others.iter().cloned().chain([detector("subject-0", 1, 0)]).collect();
    let batches = batches(case);
    let (steps, asked) = steps(case, &batches, &others);
    let mut still = begin(case);
    still.extend(batches.iter().map(|batch| Step::Event(Event::Batch(batch.clone()))));
    let without = run(&others, still, case.workers, case.shards, case.fires_early);
    let with = run(&first, steps, case.workers, case.shards, case.fires_early);
    for other in &others {
        let name = other.info.name.as_str();
        assert_eq!(told(&with, name), told(&without, name), "{name} noticed a change");
        for part in &other.plan.inputs {
            let stream = &streams()[part.stream].name;
            assert_eq!(
                matched(&with, stream, name),
                matched(&without, stream, name),
                "{name} missed or had twice a record"
            );
            // Of what several hold each counts a part, so that bytes depend on who else is there.
            let operator = |outcome: &Outcome| OperatorStatistics {
                bytes: 0,
                ..outcome.metrics.detector(stream, name).operator()
            };
            assert_eq!(operator(&with), operator(&without), "{name}");
        }
    }
    check_lives(&with.findings);
    check_versions(&with, &versions(&first, &asked, &with.changes), &Rest::new(case.caught_up, &batches));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changes_are_seen_by_nobody_else(case in case()) {
        check(&case);
    }
}

/// How many random cases are tried: a tenth of `WATCHFIRE_CASES`, or 150.
fn cases() -> u32 {
    std::env::var("WATCHFIRE_CASES").ok().and_then(|n| n.parse::<u32>().ok()).map_or(150, |cases| cases.div_ceil(10))
}
