//! Changes one by one.

use watchfire_engine::detect::compile;
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::tables::{self, TableFormat};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{ColumnDefinition, ColumnType};

use super::*;

/// Batches of one record each, a second apart from `from` on, in one partition; ids are `e` and the second.
fn seconds(range: std::ops::Range<i64>, offsets: &mut HashMap<u8, i64>) -> Vec<Step> {
    let one = |second| raw_batch(&[(0, record(&format!("e{second}"), "A", "1.1.1.1", "u1", second))], offsets);
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
    assert_eq!(matched(&outcome, "cloudtrail", "calls"), 190);
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
    assert_eq!(matched(&outcome, "cloudtrail", "a"), 86);
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

#[test]
fn a_table_has_other_rows_for_what_comes_after_all_that_was_seen() {
    let table = |rows: &str| {
        let column =
            |name: &str| ColumnDefinition { name: name.into(), column_type: ColumnType::Text, path: Vec::new() };
        let columns = vec![column("name"), column("team")];
        let bytes = format!("name,team\n{rows}");
        let read = tables::read(("t.csv", bytes.as_bytes()), TableFormat::Csv, "people", columns, vec!["name".into()]);
        Arc::new(read.unwrap())
    };
    let (people, later) = (table("u1,red\n"), table("u1,blue\nu2,green\n"));
    let planner = Planner::with_tables(&streams(), &[Arc::clone(&people)]);
    let sql = "SELECT s.event_time, p.team FROM cloudtrail s JOIN people p ON p.name = s.user_name";
    let text = format!("/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\n{sql}");
    let detector = Arc::new(compile::compile_text(&planner, "teams", &text).unwrap());
    let mut offsets = HashMap::new();
    let mut steps = vec![assigned(1)];
    steps.extend(seconds(-100..-60, &mut offsets));
    steps.push(Step::Tables(vec![Arc::clone(&detector)], vec![(people, later.rows())]));
    // Before the instant from which the other rows hold, then beyond it.
    steps.extend(seconds(-70..-65, &mut offsets).into_iter().map(|step| again(step, "b")));
    steps.extend(seconds(-60..-30, &mut offsets));
    let outcome = run(&[Arc::clone(&detector)], steps, 2, 1, true);
    let of_team = |team: &str| {
        let has = |finding: &&Finding| finding.row.contains(&("team".into(), Value::Text(team.into())));
        outcome.findings.iter().filter(has).count()
    };
    assert_eq!((of_team("red"), of_team("blue")), (45, 30));
    assert_eq!((outcome.changes[0].tables.as_slice(), outcome.changes[0].unchanged), (&["people".to_owned()][..], 1));
}
