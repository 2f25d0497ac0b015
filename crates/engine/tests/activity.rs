//! The stream `activity`: a row for each declared source and minute, whatever way the records come; and detectors over it.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "activity/scene.rs"]
mod scene;
#[path = "activity/slow.rs"]
mod slow;

use std::sync::Arc;

use proptest::prelude::*;
use scene::{
    ACTIVITY, ALL, Act, NOW, ONE, Row, START, Said, Threads, assigned, batches, detector, partition, rows, run,
};
use watchfire_engine::source::Event;
use watchfire_record::activity::MINUTE;
use watchfire_record::{Finding, State, Value};

const SECOND: i64 = 1_000_000;
const PARTITIONS: [i32; 4] = [0, 1, 2, 3];

/// Detectors of each kind over `activity`.
const SILENCES: [(&str, &str); 6] = [
    ("match", "SELECT stream, kind, source, event_time FROM activity WHERE observed AND records = 0"),
    (
        "window",
        "SELECT tumble(event_time, INTERVAL '3 minutes') AS w, source, sum(records) AS n, count(*) AS minutes \
         FROM activity WHERE observed AND kind <> 'partition' \
         GROUP BY tumble(event_time, INTERVAL '3 minutes'), source HAVING sum(records) = 0",
    ),
    (
        "range",
        "SELECT source, event_time, n, m FROM (SELECT *, sum(records) OVER last AS n, count(*) OVER last AS m \
         FROM activity WHERE observed \
         WINDOW last AS (PARTITION BY stream, kind, source ORDER BY event_time RANGE INTERVAL '2 minutes' PRECEDING)) \
         WHERE n = 0 AND m = 3",
    ),
    (
        "first",
        "SELECT source, event_time FROM activity WHERE records > 0 \
         QUALIFY first_seen(INTERVAL '5 minutes') OVER (PARTITION BY stream, source)",
    ),
    (
        "absence",
        "SELECT a.source, a.event_time FROM activity a WHERE a.records > 0 AND NOT EXISTS (SELECT 1 FROM activity b \
         WHERE b.source = a.source AND b.records > 0 \
         AND b.event_time BETWEEN a.event_time + INTERVAL '1 minute' AND a.event_time + INTERVAL '3 minutes')",
    ),
    (
        "baseline",
        "SELECT source, w, n, before FROM (SELECT source, w, n, sum(n) OVER (PARTITION BY source ORDER BY w \
         RANGE BETWEEN INTERVAL '4 minutes' PRECEDING AND INTERVAL '2 minutes' PRECEDING) AS before \
         FROM (SELECT source, tumble(event_time, INTERVAL '2 minutes') AS w, sum(records) AS n \
         FROM activity GROUP BY w, source)) WHERE n = 0 AND before > 0",
    ),
];

fn said() -> impl Strategy<Value = Said> {
    let source = prop_oneof![
        4 => Just(("111", "north")),
        2 => Just(("222", "south")),
        1 => Just(("333", "of nobody's")),
        1 => Just(("444", "")),
    ];
    let at = prop_oneof![8 => 0..9 * MINUTE, 1 => 20 * MINUTE..25 * MINUTE, 1 => -9 * MINUTE..0, 3 => (0..9i64).prop_map(|m| m * MINUTE)];
    (prop::sample::select(PARTITIONS.to_vec()), source, at).prop_map(|(partition, (account, shop), at)| Said {
        partition,
        source: if partition < 2 { account } else { shop },
        at,
    })
}

fn threads() -> impl Strategy<Value = Threads> {
    (1..4usize, 1..4usize).prop_map(|(workers, shards)| Threads { workers, shards })
}

/// Bounded input: all partitions, in whole.
fn whole(events: Vec<Event>) -> Vec<Act> {
    let ended = PARTITIONS.map(|number| Event::Ended(partition(number)));
    let events = [vec![assigned(&PARTITIONS)], events, ended.to_vec()].concat();
    events.into_iter().map(Act::Event).collect()
}

type Comparable = (String, Option<i64>, Option<i64>, Vec<(String, Value)>);

fn finals(findings: &[Finding], name: &str) -> Vec<Comparable> {
    let own = findings.iter().filter(|finding| finding.detector.name == name && finding.state == State::Final);
    let one = |finding: &Finding| {
        let row = finding.row.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        (finding.finding_id.to_string(), finding.window, finding.window_end, row)
    };
    let mut finals: Vec<Comparable> = own.map(one).collect();
    finals.sort_by(|a, b| a.0.cmp(&b.0));
    finals
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_and_what_is_found_in_them_are_those_at_rest(
        records in prop::collection::vec(said(), 0..60),
        cuts in prop::collection::vec(any::<bool>(), 60),
        threads in threads(),
        early in any::<bool>(),
    ) {
        let events = batches(&records, &cuts, 0, Some(NOW));
        let expected = slow::rows(&PARTITIONS, &events);
        let mut detectors: Vec<_> = SILENCES.iter().map(|(name, sql)| detector(name, sql)).collect();
        detectors.push(detector("all", ALL));
        let (found, metrics) = run(&detectors, whole(events), threads, NOW, early);
        let all: Vec<Finding> = found.iter().filter(|finding| finding.detector.name == "all").cloned().collect();
        prop_assert_eq!(rows(&all), expected.clone());
        prop_assert_eq!(metrics.counts(ACTIVITY).processed, expected.len() as u64);
        for detector in &detectors[..SILENCES.len()] {
            let at_rest = slow::findings(detector, &expected);
            let one = |f: &watchfire_engine::detect::oracle::OracleFinding| {
                (f.finding_id.to_string(), f.window, f.window_end, f.row.clone())
            };
            let at_rest: Vec<Comparable> = at_rest.iter().map(one).collect();
            prop_assert_eq!(finals(&found, &detector.info.name), at_rest, "{}", detector.info.name);
        }
    }

    #[test]
    fn rows_do_not_depend_on_the_order_in_which_records_come(
        records in prop::collection::vec(said(), 1..40),
        order in any::<u64>(),
        cuts in prop::collection::vec(any::<bool>(), 40),
        threads in threads(),
    ) {
        // Within the lateness, so that all are accepted in whatever order.
        let mut records: Vec<Said> = records.into_iter().map(|said| Said { at: said.at.rem_euclid(3 * MINUTE), ..said }).collect();
        let row = |records: &[Said], cuts: &[bool], threads| {
            rows(&run(&[detector("all", ALL)], whole(batches(records, cuts, 0, Some(NOW))), threads, NOW, false).0)
        };
        let once = row(&records, &[], ONE);
        let mut seed = order;
        for place in (1..records.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            records.swap(place, (seed >> 33) as usize % (place + 1));
        }
        prop_assert_eq!(row(&records, &cuts, threads), once);
    }

    #[test]
    fn no_minute_that_was_not_read_in_whole_is_taken_for_observed(
        records in prop::collection::vec((said(), 0..150 * SECOND), 1..50),
        unread in prop::collection::vec(0..8usize, 4),
        elsewhere in prop::collection::vec((0..60usize, 0..20usize), 4),
    ) {
        // Delivered up to two and a half minutes late, less than the lateness.
        let mut records: Vec<(Said, i64)> = records
            .into_iter()
            .map(|(said, delay)| (Said { at: said.at.rem_euclid(12 * MINUTE), ..said }, delay))
            .map(|(said, delay)| (said.clone(), START + said.at + delay))
            .collect();
        records.sort_by_key(|(_, received)| *received);
        let all = rows(&run(&[detector("all", ALL)], read(&records, &[0; 4], &[(0, 0); 4]), ONE, NOW, false).0);
        let some = read(&records, &unread, &elsewhere);
        for row in rows(&run(&[detector("all", ALL)], some, ONE, NOW, false).0).iter().filter(|row| row.observed) {
            let of = |row: &Row| (row.minute, row.stream.clone(), row.kind.clone(), row.source.clone());
            let whole = all.iter().find(|whole| of(whole) == of(row));
            prop_assert_eq!(whole.map(|whole| whole.records), Some(row.records), "{:?}", row);
        }
    }
}

/// Records with when they were received, in that order. Of each partition the first ones are not read, nor those while it
/// is another's: from a place in the order on, for so many places.
fn read(records: &[(Said, i64)], unread: &[usize], elsewhere: &[(usize, usize)]) -> Vec<Act> {
    let mut next = [0usize; 4];
    let mut acts = vec![Act::Event(assigned(&PARTITIONS))];
    for (place, (said, received)) in records.iter().enumerate() {
        for (number, (from, count)) in PARTITIONS.into_iter().zip(elsewhere).filter(|(_, (_, count))| *count > 0) {
            let lost = Event::Revoked { partitions: vec![partition(number)], lost: true };
            acts.extend((place == *from).then_some(Act::Event(lost)));
            acts.extend((place == from + count).then(|| Act::Event(assigned(&[number]))));
        }
        let own = said.partition as usize;
        let (from, count) = elsewhere[own];
        if next[own] >= unread[own] && !(from..from + count).contains(&place) {
            let events = batches(std::slice::from_ref(said), &[], next[own] as i64, Some(*received));
            acts.extend(events.into_iter().map(Act::Event));
        }
        next[own] += 1;
    }
    acts.extend(PARTITIONS.map(|number| Act::Event(Event::CaughtUp(partition(number)))));
    acts
}

/// A record of each minute of these, by `source`, at its start.
fn each(partition: i32, source: &'static str, minutes: impl IntoIterator<Item = i64>) -> Vec<Said> {
    minutes.into_iter().map(|minute| Said { partition, source, at: minute * MINUTE }).collect()
}

fn of(rows: &[Row], source: &str) -> Vec<(i64, i64, bool)> {
    rows.iter().filter(|row| row.source == source).map(|row| (row.minute, row.records, row.observed)).collect()
}

/// The rows while time goes by after some acts.
fn live(acts: Vec<Act>, now: i64) -> Vec<Row> {
    rows(&run(&[detector("all", ALL)], acts, ONE, now, true).0)
}

/// So many minutes in which nothing comes.
fn minutes(count: usize) -> impl Iterator<Item = Act> {
    std::iter::repeat_with(|| Act::Pass(MINUTE)).take(count)
}

#[test]
fn who_has_gone_silent_is_told_while_others_talk() {
    let mut records = [each(2, "north", 0..20), each(2, "south", 0..6)].concat();
    records.sort_by_key(|said| said.at);
    let (found, _) =
        run(&[detector("range", SILENCES[2].1)], whole(batches(&records, &[true; 40], 0, None)), ONE, NOW, true);
    let first = found.iter().find(|finding| finding.row[0].1 == Value::Text("south".into())).unwrap();
    assert_eq!((first.state, first.row[1].1.clone()), (State::Final, Value::Time(START + 8 * MINUTE)));
    assert!(!found.iter().any(|finding| finding.row[0].1 == Value::Text("north".into())));
}

#[test]
fn a_stream_that_is_silent_as_a_whole_is_told_by_the_clock() {
    let mut acts: Vec<Act> = vec![Act::Event(assigned(&[2]))];
    acts.extend(batches(&each(2, "north", 0..5), &[], 0, None).into_iter().map(Act::Event));
    acts.extend([Act::Event(Event::CaughtUp(partition(2))), Act::Pass(31 * SECOND)]);
    acts.extend(minutes(12));
    let rows = live(acts, START + 4 * MINUTE);
    let north = of(&rows, "north");
    assert_eq!(north[..6], [(0, 1, true), (1, 1, true), (2, 1, true), (3, 1, true), (4, 1, true), (5, 0, true)]);
    // The watermark stood 3 minutes behind the last record, and went on as the clock did.
    assert!(
        north.len() >= 11 && north[5..].iter().all(|(_, records, observed)| *records == 0 && *observed),
        "{north:?}"
    );
}

#[test]
fn a_stream_that_ends_before_its_time_was_known_is_waited_for() {
    // Its second partition gives nothing, so that only the end says that no more will come.
    let events = batches(&[each(0, "111", [-1]), each(2, "north", [3])].concat(), &[], 0, Some(NOW));
    let rows = live(whole(events), NOW);
    assert_eq!(of(&rows, "111"), [(-1, 1, false)]);
    assert!(rows.iter().all(|row| row.flags.is_empty()));
}

#[test]
fn what_was_before_the_first_record_that_is_read_is_not_observed() {
    let mut acts: Vec<Act> = vec![Act::Event(assigned(&[2]))];
    // Delivered half a minute late: the last record that was not read may be as new as that.
    let received = START + 2 * MINUTE + 30 * SECOND;
    let mut events = batches(&each(2, "north", [0]), &[], 700, Some(received));
    events.extend(batches(&each(2, "north", 1..9), &[], 701, Some(NOW)));
    acts.extend(events.into_iter().map(Act::Event));
    let observed: Vec<bool> = of(&live(acts, NOW), "south").iter().map(|row| row.2).collect();
    assert_eq!(observed, [false, false, false, true, true, false, false, false, false]);
}

#[test]
fn what_others_read_is_not_observed() {
    let mut acts = vec![Act::Whole(false), Act::Event(assigned(&[2]))];
    acts.extend(batches(&each(2, "north", 0..9), &[], 0, Some(NOW)).into_iter().map(Act::Event));
    let rows = live(acts, NOW);
    assert!(of(&rows, "south").iter().all(|row| !row.2));
    let own = of(&rows, "shops/2");
    assert_eq!(own[..5].iter().map(|row| row.2).collect::<Vec<_>>(), [true; 5], "of its own partition all is seen");
}

#[test]
fn a_partition_that_was_handed_over_is_not_observed_until_it_is_back() {
    let script = |back: bool| {
        let mut acts = vec![Act::Event(assigned(&[2, 3]))];
        let both = [each(2, "north", 0..4), each(3, "south", 0..4)].concat();
        let events = batches(&both, &[], 0, Some(NOW));
        acts.extend(events.into_iter().map(Act::Event));
        acts.push(Act::Event(Event::Revoked { partitions: vec![partition(3)], lost: true }));
        let mut later = batches(&each(2, "north", 4..9), &[], 4, Some(NOW));
        if back {
            acts.push(Act::Event(assigned(&[3])));
            let received = START + 6 * MINUTE;
            acts.extend(batches(&each(3, "south", [6]), &[], 50, Some(received)).into_iter().map(Act::Event));
        }
        later.extend(batches(&each(2, "north", 9..14), &[], 9, Some(NOW)));
        later.extend(back.then(|| batches(&each(3, "south", [13]), &[], 51, Some(NOW))).into_iter().flatten());
        acts.extend(later.into_iter().map(Act::Event));
        let rows = live(acts, NOW);
        of(&rows, "south").iter().map(|row| row.2).collect::<Vec<_>>()
    };
    // Of the lost partition all is known until its watermark, at the start; what is over by then is over.
    assert_eq!(script(false), [false; 14]);
    assert_eq!(script(true)[..11], [false, false, false, false, false, false, true, true, true, true, false]);
}

#[test]
fn while_the_source_cannot_be_seen_nothing_is_observed() {
    let mut acts: Vec<Act> = vec![Act::Event(assigned(&[2]))];
    acts.extend(batches(&each(2, "north", 0..5), &[], 0, None).into_iter().map(Act::Event));
    acts.extend([Act::Available(false), Act::Pass(3 * MINUTE), Act::Available(true)]);
    acts.extend(batches(&each(2, "north", [8, 9, 10, 11, 12]), &[], 5, None).into_iter().map(Act::Event));
    let north = of(&live(acts, START + 5 * MINUTE), "north");
    let observed: Vec<bool> = north.iter().map(|row| row.2).collect();
    assert_eq!(observed[..9], [true, true, true, true, true, false, false, false, true]);
}

#[test]
fn rows_written_down_are_records_of_the_stream_too() {
    let line = r#"{"event_time":"2025-06-15T15:07:00Z","stream":"orders","kind":"shop","source":"north","records":0,"observed":true}"#;
    let logged = Arc::new(watchfire_record::Partition { topic: "logged".into(), number: 0 });
    let mut raw = watchfire_record::RawBatch { stream: ACTIVITY, ..watchfire_record::RawBatch::default() };
    raw.push(&logged, 0, NOW, watchfire_record::raw::PayloadKind::Value, line.as_bytes());
    let acts = vec![Act::Event(Event::Batch(raw))];
    assert_eq!(of(&live(acts, NOW), "north"), [(0, 0, true)]);
}
