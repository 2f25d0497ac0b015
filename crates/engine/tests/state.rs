//! What operators keep is bounded, and what they find is told as soon as it is true.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{StreamDetectors, compile::compile_text};
use watchfire_engine::finding::sinks::MemorySink;
use watchfire_engine::pipeline::{self, Run};
use watchfire_engine::source::MemorySource;
use watchfire_engine::{Caps, Outlet};
use watchfire_record::limits::BUFFERED_ROWS;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Finding, Partition, RawBatch, SimulatedClock, State, Stream, Value, time};

/// A whole day's start.
const DAY: i64 = 1_750_032_000_000_000;
const SECOND: i64 = 1_000_000;
/// When all is received.
const NOW: i64 = DAY + 3600 * SECOND;

/// Event time, user, event name.
type Record<'a> = (i64, &'a str, &'a str);

static STREAMS: LazyLock<Vec<Stream>> = LazyLock::new(|| vec![Stream::cloudtrail()]);
static PLANNER: LazyLock<Planner> = LazyLock::new(|| Planner::new(&STREAMS));

/// What a detector finds in batches of records.
fn found(sql: &str, fires_early: bool, batches: Vec<Vec<Record<'_>>>) -> Vec<Finding> {
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
    let detector = compile_text(&PLANNER, "d", &text).unwrap();
    let streams = StreamDetectors::by_stream(&[detector], &STREAMS);
    let partition = Arc::new(Partition { topic: "t".into(), number: 0 });
    let mut offset = 0;
    let mut raw = |records: Vec<Record<'_>>| {
        let mut batch = RawBatch::default();
        for (event_time, user, name) in records {
            let text = format!(
                r#"{{"eventTime":"{}","eventID":"{offset}","eventName":"{name}","userIdentity":{{"userName":"{user}"}}}}"#,
                time::format(event_time)
            );
            batch.push(&partition, offset, NOW, PayloadKind::Value, text.as_bytes());
            offset += 1;
        }
        batch
    };
    let sink = MemorySink::new("memory");
    let run = Run {
        source: Box::new(MemorySource::bounded(batches.into_iter().map(&mut raw).collect())),
        first_times: HashMap::new(),
        several_values: false,
        sinks: vec![Outlet::new(Box::new(sink.clone()), true)],
        reject_sink: None,
        fires_early,
        workers: 2,
        shards: 1,
        caps: Caps::default(),
        thorough: false,
        in_flight_bytes: 64 << 20,
        secret: [1, 2, 3, 4],
        changes: None,
        clock: Arc::new(SimulatedClock::at(NOW)),
        metrics: pipeline::metrics(&streams),
        streams,
    };
    pipeline::run(run, &AtomicBool::new(false), &mut |_| {}).unwrap();
    sink.findings()
}

#[test]
fn rows_of_a_key_beyond_the_limit_are_let_go_from_the_earliest_on() {
    let many: Vec<Record<'_>> = (0i64..).take(BUFFERED_ROWS).map(|row| (DAY + row, "u", "a")).collect();
    let mut batches: Vec<_> = many.chunks(100_000).map(<[_]>::to_vec).collect();
    // The first of a batch has no place among them, the next has.
    batches.push(vec![(DAY - 10 * SECOND, "u", "b"), (DAY + 10 * SECOND, "u", "last")]);
    let sql = "SELECT event_time, names FROM (SELECT *, count(DISTINCT event_name) OVER \
               (PARTITION BY user_name ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS names FROM cloudtrail) \
               WHERE event_name = 'last'";
    let findings = found(sql, false, batches);
    let shown: Vec<_> = findings.iter().map(|finding| (finding.row[1].1.clone(), finding.complete)).collect();
    assert_eq!(shown, [(Value::Integer(2), false)]);
}

#[test]
fn a_record_at_the_watermark_is_in_the_window_that_begins_there() {
    // CloudTrail's records may be twenty minutes late.
    let batches = vec![vec![(DAY + 20 * 60 * SECOND, "u", "a")], vec![(DAY, "v", "a")], vec![(DAY - 1, "w", "a")]];
    let sql = "SELECT tumble(event_time, INTERVAL '1 minute') AS w, user_name FROM cloudtrail \
               GROUP BY tumble(event_time, INTERVAL '1 minute'), user_name HAVING count(*) > 0";
    let findings = found(sql, false, batches);
    let users: BTreeSet<String> = findings.iter().map(|finding| finding.row[1].1.to_string()).collect();
    assert_eq!(users, BTreeSet::from(["u".to_owned(), "v".to_owned()]));
}

/// Where the windows of one minute in which a second of the day lies start, one each `slide` seconds.
fn windows(second: i64, slide: i64) -> impl Iterator<Item = i64> {
    let latest = second - second.rem_euclid(slide);
    (0..60 / slide).map(move |back| latest - back * slide)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// One record a batch: the record that crosses the line brings the finding, in whatever order records come.
    #[test]
    fn a_window_is_told_with_the_record_that_makes_it_true(
        records in proptest::collection::vec((0i64..300, 0usize..3, 0usize..5), 1..80),
        slide in proptest::sample::select(vec![60i64, 20]),
        (rows, marked, names) in (1i64..6, 0i64..4, 0i64..4),
        either in any::<bool>(),
    ) {
        let window = if slide == 60 {
            "tumble(event_time, INTERVAL '1 minute')"
        } else {
            "hop(event_time, INTERVAL '20 seconds', INTERVAL '1 minute')"
        };
        let join = if either { "OR" } else { "AND" };
        let sql = format!(
            "SELECT {window} AS w, user_name, count(*) AS n FROM cloudtrail GROUP BY {window}, user_name HAVING count(*) >= {rows} \
             AND (count(*) FILTER (WHERE event_name = 'n0') > {marked} {join} count(DISTINCT event_name) > {names})"
        );
        let (users, all) = (["u0", "u1", "u2"], ["n0", "n1", "n2", "n3", "n4"]);
        let batches = records.iter().map(|(at, user, name)| vec![(DAY + at * SECOND, users[*user], all[*name])]);
        let findings = found(&sql, true, batches.collect());

        let mut seen: BTreeMap<(usize, i64), Vec<usize>> = BTreeMap::new();
        let (mut expected, mut told) = (Vec::new(), BTreeSet::new());
        for (at, user, name) in records {
            for start in windows(at, slide) {
                let seen = seen.entry((user, start)).or_default();
                seen.push(name);
                let is_marked = seen.iter().filter(|name| **name == 0).count() as i64 > marked;
                let has_names = seen.iter().collect::<BTreeSet<_>>().len() as i64 > names;
                let rest = if either { is_marked || has_names } else { is_marked && has_names };
                if seen.len() as i64 >= rows && rest && told.insert((user, start)) {
                    expected.push((DAY + start * SECOND, users[user].to_owned(), seen.len() as i64));
                }
            }
        }
        let new = findings.iter().filter(|finding| finding.state == State::New);
        let mut new: Vec<_> = new.map(|finding| {
            let (Value::Text(user), Value::Integer(count)) = (&finding.row[1].1, &finding.row[2].1) else { panic!("{finding:?}") };
            (finding.window.unwrap(), user.to_string(), *count)
        }).collect();
        new.sort();
        expected.sort();
        prop_assert_eq!(new, expected, "{}", sql);
    }
}
