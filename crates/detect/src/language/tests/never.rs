//! What is said never to hold does not hold for any record, and what is planned is what is written.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion_expr::Expr;
use proptest::prelude::*;
use std::sync::Arc;
use watchfire_record::json::PathStep;
use watchfire_record::{ColumnDefinition, ColumnType, Stream};

use crate::compile::{compile, compile_text};
use crate::expression::{Conjunction, record_batch, schema};
use crate::language::codes;
use crate::plan::flatten::flatten;
use crate::plan::{DetectorPlan, Planner, lift};

const TEXTS: [Option<&str>; 5] = [None, Some("x"), Some("xy"), Some("Y"), Some("true")];
const NUMBERS: [Option<i64>; 5] = [None, Some(-1), Some(0), Some(2), Some(3)];

fn stream() -> Stream {
    let column = |(name, column_type): (&str, ColumnType)| ColumnDefinition {
        name: name.into(),
        column_type,
        path: vec![PathStep::Key(name.into())],
    };
    let columns = [("event_time", ColumnType::Time), ("event_id", ColumnType::Text), ("a", ColumnType::Text)];
    let columns = columns.into_iter().chain([("b", ColumnType::Text), ("n", ColumnType::Integer)]);
    Stream::declared("events", columns.map(column).collect())
}

fn condition() -> impl Strategy<Value = String> {
    let column = prop::sample::select(vec!["a", "b", "lower(a)", "upper(a)", "events.a"]);
    let text = prop::sample::select(vec!["'x'", "'xy'", "'Y'", "'X'", "'y'", "''", "NULL"]);
    let pattern = prop::sample::select(vec!["'x%'", "'%y'", "'_'", "'%Y%'", "'z%'"]);
    let regex = prop::sample::select(vec!["'^x'", "'y$'", "'^Y|z'"]);
    let number = prop::sample::select(vec!["-1", "0", "2", "3", "7", "NULL"]);
    let is = |options: Vec<&'static str>| prop::sample::select(options);
    let leaf = prop_oneof![
        (column.clone(), is(vec!["=", "<>"]), text.clone()).prop_map(|(c, op, t)| format!("{c} {op} {t}")),
        (text.clone(), is(vec!["=", "<>"]), column.clone()).prop_map(|(t, op, c)| format!("{t} {op} {c}")),
        (column.clone(), is(vec!["IN", "NOT IN"]), text.clone(), text)
            .prop_map(|(c, op, t, u)| format!("{c} {op} ({t}, {u})")),
        (column.clone(), is(vec!["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"]), pattern)
            .prop_map(|(c, op, p)| format!("{c} {op} {p}")),
        (column.clone(), is(vec!["~", "!~", "~*", "!~*"]), regex).prop_map(|(c, op, r)| format!("{c} {op} {r}")),
        (column, is(vec!["IS NULL", "IS NOT NULL"])).prop_map(|(c, op)| format!("{c} {op}")),
        (is(vec!["=", "<>", "<", "<=", ">", ">="]), number.clone()).prop_map(|(op, n)| format!("n {op} {n}")),
        (is(vec!["=", "<>", "<", "<=", ">", ">="]), number.clone()).prop_map(|(op, n)| format!("{n} {op} n")),
        (is(vec!["BETWEEN", "NOT BETWEEN"]), number.clone(), number.clone())
            .prop_map(|(op, n, m)| format!("n {op} {n} AND {m}")),
        (is(vec!["IN", "NOT IN"]), number.clone(), number).prop_map(|(op, n, m)| format!("n {op} ({n}, {m})")),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} AND {other})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} OR {other})")),
            1 => inner.prop_map(|inner| format!("NOT ({inner})")),
        ]
    })
}

fn text(below: &str, above: &str) -> String {
    let above = above.replace("events.a", "a");
    format!(
        "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\nSELECT event_id FROM (SELECT * FROM events WHERE {below}) WHERE {above}"
    )
}

/// Records with every value of each column beside every one of the others.
fn records() -> RecordBatch {
    let rows = TEXTS.len() * TEXTS.len() * NUMBERS.len();
    let pick = |row: usize, place: u32| row / 5usize.pow(place) % 5;
    let texts =
        |place: u32| -> ArrayRef { Arc::new((0..rows).map(|row| TEXTS[pick(row, place)]).collect::<StringArray>()) };
    let numbers: ArrayRef = Arc::new((0..rows).map(|row| NUMBERS[pick(row, 2)]).collect::<Int64Array>());
    let fields = ["a", "b", "n"].map(|name| {
        let column_type = stream().column_type(name).unwrap().arrow();
        arrow::datatypes::Field::new(name, column_type, true)
    });
    record_batch(&schema(fields.to_vec()), vec![texts(0), texts(1), numbers], rows)
}

fn passing(predicates: &[Expr]) -> Vec<u32> {
    let records = records();
    Conjunction::compile(predicates, &records.schema()).unwrap().rows(&records)
}

/// The conditions of a plan that nothing was made simpler in.
fn as_written(plan: &DetectorPlan) -> Vec<Expr> {
    let flat = flatten(&plan.logical).ok().unwrap();
    flat.predicates.iter().map(|predicate| lift(predicate, &stream()).unwrap()).collect()
}

#[test]
fn lists_with_null_are_not_taken_for_sets() {
    for (condition, rows) in [
        ("n NOT IN (NULL, 0) AND n IN (-1, -1)", 0),
        ("NOT (n IN (0, 2) AND n IN (2, NULL))", 50),
        ("n NOT IN (0, 2) OR n NOT IN (3, 7)", 100),
        ("n IN (-1, 0) AND n IN (0, 2)", 25),
        ("(n = 0 OR n = 2) AND (n = 2 OR n = 3)", 25),
        ("NOT (n IN (0, 2) AND n IN (3, 7))", 100),
    ] {
        let detector = compile_text(&Planner::new(&[stream()]), "d", &text(condition, "true")).unwrap();
        assert_eq!(passing(&detector.plan.inputs[0].predicates).len(), rows, "{condition}");
        assert_eq!(passing(&as_written(&detector.plan)).len(), rows, "{condition}, as written");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_said_never_to_hold_holds_for_no_record(below in condition(), above in condition()) {
        let text = text(&below, &above);
        let (detector, said) = compile(&Planner::new(&[stream()]), "d", "d", &text);
        let never = said.iter().any(|said| said.code == codes::NEVER && said.message.starts_with("no row passes"));
        let Some(detector) = detector.filter(|_| never) else { return Ok(()) };
        let passing = passing(&detector.plan.inputs[0].predicates);
        prop_assert!(passing.is_empty(), "{text}\n{said:?}\nbut rows {passing:?} pass");
    }

    #[test]
    fn what_is_planned_is_what_is_written(below in condition(), above in condition()) {
        let text = text(&below, &above);
        let (Some(detector), _) = compile(&Planner::new(&[stream()]), "d", "d", &text) else { return Ok(()) };
        let (planned, written) = (passing(&detector.plan.inputs[0].predicates), passing(&as_written(&detector.plan)));
        prop_assert_eq!(planned, written, "{}", text);
    }
}
