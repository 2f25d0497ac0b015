use std::sync::Arc;

use watchfire_record::activity::{MINUTE, Sources};
use watchfire_record::batch::flags;
use watchfire_record::{Batch, Partition, Row, Stream, limits};

use super::Activity;
use super::ledger::Ledger;
use super::rows::Closed;
use crate::job::Work;
use crate::watermark::StreamClock;

const QUIET: i64 = limits::ACTIVITY_QUIET_MINUTES as i64;

const ROW: Row = Row {
    event_time: 0,
    timestamp: i64::MAX / 2,
    watermark: i64::MIN,
    offset: 0,
    index: 0,
    partition: 0,
    flags: 0,
    text_start: 0,
    text_end: 0,
    context: 0,
};

fn stream() -> Stream {
    let sources = Sources { column: "function_name".into(), values: vec!["a".into(), "b".into()] };
    Stream { sources: vec![sources], ..Stream::lambda() }
}

fn partition() -> Arc<Partition> {
    Arc::new(Partition { topic: "t".into(), number: 0 })
}

/// A ledger that reads one partition from its beginning, and its stream's clock.
fn scene() -> (Ledger, StreamClock) {
    let own = Partition { topic: "activity".into(), number: 0 };
    let (mut ledger, mut clock) = (Ledger::new(0, &stream(), own), StreamClock::new(&stream()));
    ledger.assign(&partition(), 0, false);
    clock.assign(partition(), 0, None);
    (ledger, clock)
}

/// Records at these minutes, all of the source of this number.
fn take(ledger: &mut Ledger, clock: &mut StreamClock, minutes: &[i64], number: u32) {
    let row = |minute: &i64| Row { event_time: minute * MINUTE, ..ROW };
    let rows: Vec<Row> = minutes.iter().map(row).collect();
    let mut batch = Batch { partitions: vec![partition()], rows, ..Batch::default() };
    clock.stamp(&mut batch, 0);
    let named: Vec<(u32, u32)> = (0u32..).zip(minutes).map(|(row, _)| (row, number)).collect();
    ledger.count(&batch, &named);
}

/// The rows as they are written.
fn lines(closed: &Closed) -> Vec<String> {
    let batches: Vec<_> = closed.batches().collect();
    let texts = batches.iter().flat_map(|raw| raw.payloads.iter().map(|payload| raw.payload_bytes(payload)));
    texts.map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
}

fn minutes(closed: &Closed) -> Vec<(i64, i64)> {
    closed.runs.iter().map(|(from, to)| (from / MINUTE, to / MINUTE)).collect()
}

#[test]
fn rows_are_as_one_would_log_them() {
    let (mut ledger, mut clock) = scene();
    take(&mut ledger, &mut clock, &[0, 0, 3], 1);
    let closed = ledger.close(&clock, i64::MIN, 7).unwrap();
    assert_eq!(
        lines(&closed)[..2],
        [
            r#"{"event_time":"1970-01-01T00:00:00Z","stream":"lambda","kind":"function","source":"a","records":2,"observed":true}"#,
            r#"{"event_time":"1970-01-01T00:00:00Z","stream":"lambda","kind":"function","source":"b","records":0,"observed":true}"#,
        ]
    );
    assert_eq!((minutes(&closed), lines(&closed).len()), (vec![(0, 2)], 4));
    assert!(ledger.close(&clock, i64::MIN, 7).is_none(), "a minute is over once");
    let raw = closed.batches().next().unwrap();
    assert_eq!(raw.payloads.iter().map(|p| (p.offset, p.index)).collect::<Vec<_>>(), [(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn what_the_end_of_input_says_is_not_observed() {
    let (mut ledger, mut clock) = scene();
    take(&mut ledger, &mut clock, &[0, 3], 1);
    clock.finish();
    let closed = ledger.close(&clock, i64::MIN, 0).unwrap();
    let observed: Vec<bool> = lines(&closed).iter().map(|line| line.contains("true")).collect();
    assert_eq!(minutes(&closed), [(0, 4)]);
    assert_eq!(observed, [true, true, true, true, false, false, false, false], "a minute's lateness is not over");
}

#[test]
fn after_too_many_minutes_without_a_record_there_are_none_until_one_comes() {
    let mut whole = scene();
    take(&mut whole.0, &mut whole.1, &[0, 2 * QUIET, 2 * QUIET + 3], 1);
    let once = whole.0.close(&whole.1, i64::MIN, 0).unwrap();
    assert_eq!(minutes(&once), [(0, 1 + QUIET), (2 * QUIET, 2 * QUIET + 2)]);
    assert_eq!(once.left_out, QUIET as u64 - 1);

    let (mut ledger, mut clock) = scene();
    let (mut made, mut left_out) = (Vec::new(), 0);
    take(&mut ledger, &mut clock, &[0], 1);
    for minute in [QUIET / 2, QUIET + 9, 2 * QUIET] {
        // Silence is long before a record ends it.
        clock.follow([(partition(), Some(minute * MINUTE))], 0);
        let closed = ledger.close(&clock, i64::MIN, 0).unwrap();
        left_out += closed.left_out;
        made.extend(minutes(&closed));
    }
    take(&mut ledger, &mut clock, &[2 * QUIET, 2 * QUIET + 3], 1);
    let closed = ledger.close(&clock, i64::MIN, 0).unwrap();
    made.extend(minutes(&closed));
    assert_eq!(made, [(0, QUIET / 2), (QUIET / 2, 1 + QUIET), (2 * QUIET, 2 * QUIET + 2)]);
    assert_eq!(left_out, once.left_out, "it does not matter in how many steps time went");
}

#[test]
fn a_minute_of_which_not_all_could_be_counted_is_not_observed() {
    let (ledger, mut clock) = scene();
    // A minute takes one count for any record at all, and one for each source.
    let mut ledger = ledger.with_room(3);
    take(&mut ledger, &mut clock, &[0], 1);
    take(&mut ledger, &mut clock, &[1, 2, 4], 1);
    let closed = ledger.close(&clock, i64::MIN, 0).unwrap();
    let of_a: Vec<String> = lines(&closed).into_iter().step_by(2).collect();
    let said = |line: &String| (line.contains("\"records\":1"), line.contains("\"observed\":true"));
    assert_eq!(of_a.iter().map(said).collect::<Vec<_>>(), [(true, true), (false, false), (false, false)]);
}

#[test]
fn rows_of_a_stream_that_comes_late_are_late() {
    let (mut ledger, mut clock) = scene();
    take(&mut ledger, &mut clock, &[0, 3], 1);
    let closed = ledger.close(&clock, MINUTE, 0).unwrap();
    let row = |minute: i64| Row { event_time: minute * MINUTE, ..ROW };
    let mut batch = Batch { rows: vec![row(0), row(1)], ..Batch::default() };
    closed.stamp(&mut batch);
    assert_eq!(batch.rows.iter().map(|row| row.flags).collect::<Vec<_>>(), [flags::LATE, 0]);
    assert_eq!(closed.accepted(), Some((MINUTE, MINUTE)));
}

#[test]
fn activity_waits_for_streams_that_have_records_to_come() {
    let other = Stream { name: "other".into(), ..stream() };
    let streams = [stream(), other, Stream::activity()];
    let mut activity = Activity::new(streams.iter());
    let mut clocks: Vec<StreamClock> = streams.iter().map(StreamClock::new).collect();
    let second = Arc::new(Partition { topic: "u".into(), number: 0 });
    for (stream, partition) in [(0, partition()), (1, Arc::clone(&second))] {
        clocks[stream].assign(Arc::clone(&partition), 0, None);
        let assignment = watchfire_source::Assignment { partition, stream };
        activity.note(&Work::Assigned(vec![(assignment, None)]), &clocks, 0);
    }
    let ledger = &mut activity.ledgers[0];
    take(ledger, &mut clocks[0], &[0, 3], 1);
    assert_eq!(activity.close(&mut clocks, i64::MIN, 0).len(), 1);
    assert_eq!(activity.time(&clocks), i64::MIN, "the other stream has yet to begin");
    clocks[1].caught_up(&second, 0);
    activity.close(&mut clocks, i64::MIN, 0);
    assert_eq!(activity.time(&clocks), 2 * MINUTE, "the other stream has nothing");
}
