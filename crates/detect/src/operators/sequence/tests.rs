//! What the property test of streaming and batch cannot see: limits, and what is left behind.

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray, new_null_array};
use watchfire_record::{Batch, Column, Partition, Row};

use super::*;
use crate::StreamDetectors;
use crate::compile::compile_text;
use crate::identities::SecretHasher;
use crate::judge::Judge;
use crate::plan::Planner;

const SECOND: i64 = 1_000_000;

const PAIR: &str = "SELECT a.event_time AS made, b.raw AS used FROM cloudtrail a JOIN cloudtrail b ON a.principal = b.principal \
     AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '100 seconds' WHERE a.event_name = 'A' AND b.event_name = 'B'";
const ABSENCE: &str = "SELECT a.event_time, a.raw FROM cloudtrail a WHERE a.event_name = 'A' AND NOT EXISTS (SELECT 1 FROM cloudtrail b \
     WHERE a.principal = b.principal AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '100 seconds' AND b.event_name = 'B')";

/// One sequence, and who feeds it.
struct Scene {
    judge: Judge,
    sequences: Sequences,
    detectors: Arc<StreamDetectors>,
    records: usize,
}

/// A record: its second, its name, who did it, and how many bytes its text has.
type Record = (i64, &'static str, String, usize);

impl Scene {
    fn new(sql: &str, limits: Limits) -> Self {
        let streams = Stream::built_ins();
        let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
        let detector = compile_text(&Planner::new(&streams), "d", &text).unwrap();
        let detectors = StreamDetectors::by_stream(std::slice::from_ref(&detector), &streams).swap_remove(0);
        let sequences = Sequences::new(0, &detector, [&streams[0], &streams[0]], Manner::default()).unwrap();
        Self {
            judge: Judge::new(Arc::clone(&detectors), SecretHasher::new([1, 2, 3, 4]), 1, false).unwrap(),
            sequences: Sequences { limits, ..sequences },
            detectors,
            records: 0,
        }
    }

    fn feed(&mut self, records: &[Record], watermark: i64) -> Vec<Finding> {
        let row = |(second, ..): &Record| Row {
            event_time: second * SECOND,
            timestamp: 0,
            watermark: i64::MIN,
            offset: 0,
            index: 0,
            partition: 0,
            flags: 0,
            text_start: 0,
            text_end: 0,
            context: 0,
        };
        let column = |request: &watchfire_record::ColumnRequest| -> ArrayRef {
            let texts = |text: &dyn Fn(usize, &Record) -> String| -> ArrayRef {
                Arc::new(
                    records
                        .iter()
                        .enumerate()
                        .map(|(index, record)| Some(text(index, record)))
                        .collect::<StringArray>(),
                )
            };
            match request.name().as_str() {
                "event_id" => texts(&|index, _| format!("id{}", self.records + index)),
                "event_name" => texts(&|_, record| record.1.to_owned()),
                "principal" => texts(&|_, record| record.2.clone()),
                "raw" => texts(&|_, record| "x".repeat(record.3)),
                "event_time" => Arc::new(
                    records.iter().map(|record| Some(record.0 * SECOND)).collect::<TimestampMicrosecondArray>(),
                ),
                _ => new_null_array(&request.column_type.arrow(), records.len()),
            }
        };
        let batch = Batch {
            partitions: vec![Arc::new(Partition { topic: "t".into(), number: 0 })],
            rows: records.iter().map(row).collect(),
            columns: self.detectors.decoded.iter().map(|request| Column::Plain(column(request))).collect(),
            ..Batch::default()
        };
        self.records += records.len();
        let judgement = self.judge.select(&batch);
        if let Some(batch) = self.judge.feed(&batch, &judgement) {
            for feed in &batch.feeds {
                let detector = self.detectors.operators[feed.operator][0];
                self.sequences.feed(self.detectors.detectors[detector].input, &Fed::new(&batch, feed, 0));
            }
        }
        let mut found = Vec::new();
        for side in [0, 1] {
            self.sequences.advance(side, watermark.saturating_mul(SECOND), &mut found);
        }
        found
    }
}

fn records(seconds: std::ops::Range<i64>, name: &'static str, who: &str) -> Vec<Record> {
    seconds.map(|second| (second, name, who.to_owned(), 0)).collect()
}

#[test]
fn of_too_many_rows_the_oldest_go_and_of_too_many_pairs_too() {
    let mut scene = Scene::new(PAIR, Limits { rows: 20, matches: 15, ..LIMITS });
    assert_eq!(scene.feed(&records(0..21, "A", "u"), 0), []);
    assert_eq!(scene.sequences.statistics().dropped, 1);
    let found = scene.feed(&records(30..31, "B", "u"), 0);
    assert_eq!(found.len(), 15);
    assert!(found.iter().all(|finding| !finding.complete && finding.first_event_time >= 6 * SECOND));
    assert_eq!(scene.sequences.statistics().dropped, 2);
    // Another key is whole.
    scene.feed(&records(0..1, "A", "v"), 0);
    assert!(scene.feed(&records(30..31, "B", "v"), 0)[0].complete);
}

#[test]
fn a_record_at_the_watermark_joins_one_at_the_edge_of_the_bound() {
    for (sql, expected) in [(PAIR, 1), (ABSENCE, 0)] {
        let mut scene = Scene::new(sql, LIMITS);
        assert_eq!(scene.feed(&records(0..1, "A", "u"), 100), []);
        let found = scene.feed(&records(100..101, "B", "u"), 100).len();
        assert_eq!(found + scene.feed(&[], i64::MAX).len(), expected, "{sql}");
    }
}

#[test]
fn an_absence_that_was_pushed_out_is_counted() {
    let mut scene = Scene::new(ABSENCE, Limits { rows: 20, ..LIMITS });
    scene.feed(&records(0..21, "A", "u"), 0);
    let found = scene.feed(&[], i64::MAX);
    assert_eq!((found.len(), scene.sequences.statistics().dropped), (20, 1));
    assert!(found.iter().all(|finding| !finding.complete));
}

#[test]
fn of_what_needs_only_to_be_there_one_a_time_is_kept() {
    let mut scene = Scene::new(ABSENCE, LIMITS);
    let alike: Vec<Record> = std::iter::repeat_n((5, "B", "u".to_owned(), 0), 500).collect();
    scene.feed(&alike, 0);
    let one = scene.sequences.bytes;
    scene.feed(&alike, 0);
    assert_eq!(scene.sequences.bytes, one);
    assert!(one < 1000, "{one}");
    let found = scene.feed(&[records(0..1, "A", "u"), records(6..7, "A", "u")].concat(), i64::MAX);
    assert_eq!(found.iter().map(|finding| finding.first_event_time).collect::<Vec<_>>(), [6 * SECOND]);
}

#[test]
fn where_another_record_is_asked_for_two_of_a_time_stand_for_one_another() {
    let other = ABSENCE.replace("b.event_name = 'B'", "b.event_name = 'A' AND a.event_id <> b.event_id");
    for (count, expected) in [(1, 1), (2, 0), (3, 0)] {
        let mut scene = Scene::new(&other, LIMITS);
        let at_once: Vec<Record> = (0..count).map(|_| (0, "A", "u".to_owned(), 0)).collect();
        let found = scene.feed(&at_once, 0).len();
        assert_eq!(found + scene.feed(&[], i64::MAX).len(), expected, "{count} records");
    }
}

#[test]
fn where_another_record_is_asked_for_one_does_not_stand_for_two() {
    let other = ABSENCE.replace("b.event_name = 'B'", "b.event_name = 'B' AND a.event_id <> b.event_id");
    for (count, expected) in [(1, 1), (2, 0)] {
        let mut scene = Scene::new(&other, LIMITS);
        let at_once: Vec<Record> = (0..count).map(|_| (0, "B", "u".to_owned(), 0)).collect();
        scene.feed(&at_once, 0);
        // What comes now has the first one's id again, and is another record all the same.
        scene.records = 0;
        let found = scene.feed(&records(0..1, "A", "u"), 0).len();
        assert_eq!(found + scene.feed(&[], i64::MAX).len(), expected, "{count} records");
    }
}

#[test]
fn who_takes_the_most_memory_goes_first() {
    let mut scene = Scene::new(ABSENCE, Limits { bytes: 100_000, ..LIMITS });
    let small = |n: usize| (0, "A", format!("u{n}"), 10);
    scene.feed(&(0..20).map(small).collect::<Vec<_>>(), 0);
    let large: Vec<Record> = (0..200).map(|second| (second, "A", "flood".to_owned(), 1000)).collect();
    scene.feed(&large, 0);
    let statistics = scene.sequences.statistics();
    assert_eq!((statistics.keys, statistics.evicted), (20, 1));
    assert!(scene.sequences.bytes <= 90_000);
    let found = scene.feed(&[], i64::MAX);
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|finding| !finding.complete));
}

#[test]
fn one_batch_does_not_find_more_than_memory_holds() {
    let mut scene = Scene::new(PAIR, Limits { found_bytes: 100_000, ..LIMITS });
    scene.feed(&records(0..50, "A", "u"), 0);
    let b: Vec<Record> = (0..50).map(|_| (60, "B", "u".to_owned(), 1000)).collect();
    let found = scene.feed(&b, 0);
    assert!((1..100).contains(&found.len()), "{}", found.len());
    assert_eq!(found.len() as u64 + scene.sequences.statistics().dropped, 50 * 50);
    assert!(found.iter().all(|finding| !finding.complete));
}

#[test]
fn keys_that_never_fired_go_first() {
    let mut scene = Scene::new(PAIR, Limits { keys: 10, ..LIMITS });
    scene.feed(&[(0, "A", "fired".to_owned(), 0), (0, "B", "fired".to_owned(), 0)], 0);
    let others: Vec<Record> = (0..10).map(|n| (0, "A", format!("u{n}"), 0)).collect();
    scene.feed(&others, 0);
    assert_eq!((scene.sequences.statistics().keys, scene.sequences.statistics().evicted), (10, 1));
    assert_eq!(scene.feed(&records(1..2, "B", "fired"), 0).len(), 1);
}

#[test]
fn nothing_is_left_behind_when_time_has_passed() {
    for sql in [PAIR, ABSENCE] {
        let mut scene = Scene::new(sql, Limits { keys: 50, rows: 5, ..LIMITS });
        for round in 0..200 {
            let start = round * 10;
            // Downwards: each is the earliest of its key.
            let records: Vec<Record> = (0..40)
                .map(|n| (start - n / 4, if n % 3 == 0 { "B" } else { "A" }, format!("u{}", round * 7 + n % 30), 3))
                .collect();
            scene.feed(&records, start - 200);
        }
        for side in &scene.sequences.due {
            assert!(side.len() <= 2 * 50 + 1024 + 1, "{}", side.len());
        }
        assert_eq!(scene.sequences.statistics().too_late, 0);
        scene.feed(&[], 200 * 10 + 200);
        assert_eq!((scene.sequences.statistics().keys, scene.sequences.bytes), (0, 0));
    }
}
