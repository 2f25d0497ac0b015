//! Detectors whose range slides over the rows of windows, or has `first_seen` beside other aggregates.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use watchfire_record::{Finding, State, Value};

use super::{aggregate, comparison, frame, key, predicate, shown, window};

/// A key of windows: how it is grouped by, and its name.
type Key = (&'static str, &'static str);

const KEYS: [Key; 5] = [
    ("source_ip", "source_ip"),
    ("user_name", "user_name"),
    ("read_only", "read_only"),
    ("lower(user_name)", "who"),
    ("octet_length(event_name)", "len"),
];

/// Keys of windows, and those of the range over them: some of these, or what is made of them.
fn keys() -> impl Strategy<Value = (Vec<Key>, String)> {
    let keys = prop::sample::subsequence(KEYS.to_vec(), 0..4);
    (keys, any::<prop::sample::Index>(), 0..5u8).prop_map(|(keys, chosen, form)| {
        let names: Vec<&str> = keys.iter().map(|(_, name)| *name).collect();
        let one = names.get(chosen.index(names.len().max(1))).copied();
        let partition = match (form, one) {
            (0, _) | (_, None) => String::new(),
            (1, Some(one)) => format!("PARTITION BY coalesce(CAST({one} AS TEXT), 'u1') "),
            (2, _) => format!("PARTITION BY {} ", names.join(", ")),
            (_, Some(one)) => format!("PARTITION BY {one} "),
        };
        (keys, partition)
    })
}

/// An aggregate over windows' rows: `a` is a number.
fn of_rows() -> impl Strategy<Value = String> {
    let call = prop_oneof![
        2 => Just("sum(CAST(a AS BIGINT))".to_owned()),
        1 => Just("count(*)".to_owned()),
        1 => Just("count(b)".to_owned()),
        1 => Just("max(a)".to_owned()),
        1 => Just("min(a)".to_owned()),
        1 => Just("avg(CAST(a AS BIGINT))".to_owned()),
        1 => Just("count(DISTINCT a)".to_owned()),
        1 => Just("count(DISTINCT w)".to_owned()),
        1 => Just("sum(octet_length(CAST(b AS TEXT)))".to_owned()),
    ];
    let filter = prop_oneof![
        3 => Just(""),
        1 => Just(" FILTER (WHERE a > 1)"),
        1 => Just(" FILTER (WHERE b IS NOT NULL)"),
    ];
    (call, filter).prop_map(|(call, filter)| format!("{call}{filter}"))
}

/// What is asked of a row in which `x` and `y` are ranges' aggregates.
fn after() -> impl Strategy<Value = String> {
    prop_oneof![
        comparison().prop_map(|c| format!("x {c}")),
        comparison().prop_map(|c| format!("x {c} AND y IS NOT NULL")),
        Just("a > 2 * x / 3.0".to_owned()),
        Just("a > x OR a > y".to_owned()),
        Just("x IS NULL".to_owned()),
        Just("true".to_owned()),
    ]
}

fn long_frame() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => frame(),
        1 => (60..400u16, 0..90u16).prop_map(|(from, to)| {
            let end = if to == 0 { "CURRENT ROW".to_owned() } else { format!("INTERVAL '{} seconds' PRECEDING", to.min(from)) };
            format!("RANGE BETWEEN INTERVAL '{from} seconds' PRECEDING AND {end}")
        }),
        1 => (1..200u16).prop_map(|s| format!("RANGE INTERVAL '{s} seconds' PRECEDING")),
    ]
}

/// Windows by these keys, with the columns `w`, the keys', `a` and `b`.
fn windows() -> impl Strategy<Value = (String, String)> {
    let having = prop_oneof![
        3 => Just(None),
        1 => comparison().prop_map(Some),
    ];
    (predicate(), keys(), aggregate(), shown(), having, window()).prop_map(
        |(p, (keys, partition), a, b, having, window)| {
            let shown: String = keys.iter().map(|(expr, name)| format!("{expr} AS {name}, ")).collect();
            let grouped: String = keys.iter().map(|(expr, _)| format!(", {expr}")).collect();
            let having = having.map_or(String::new(), |c| format!(" HAVING {a} {c}"));
            let sql = format!(
                "SELECT {window} AS w, {shown}{a} AS a, {b} AS b, min(event_time) AS first_time, max(event_time) AS last_time FROM cloudtrail WHERE {p} GROUP BY {window}{grouped}{having}"
            );
            (sql, partition)
        },
    )
}

fn over(call: &str, partition: &str, frame: &str) -> String {
    format!("{call} OVER ({partition}ORDER BY w {frame})")
}

fn over_windows() -> impl Strategy<Value = String> {
    let ranges = (of_rows(), of_rows(), long_frame(), long_frame());
    (windows(), ranges, after(), 0..5u8, 1..300u16).prop_map(
        |((windows, partition), (x, y, f, g), after, form, seconds)| {
            let (x, y) = (over(&x, &partition, &f), over(&y, &partition, &g));
            match form {
                0 => format!("SELECT * FROM (SELECT *, {x} AS x, {y} AS y FROM ({windows})) WHERE {after}"),
                1 => {
                    let after = after.replace('x', &format!("{x} ")).replace(" y", &format!(" {y}"));
                    format!("SELECT w, a, b FROM ({windows}) AS windows WHERE a > 0 QUALIFY {after} OR {y} = 1")
                }
                2 => format!(
                    "WITH hours AS ({windows}) SELECT w, a + 1 AS a, x FROM (SELECT hours.w, a, {x} AS x, {y} AS y FROM hours WHERE b IS NOT NULL) AS t WHERE {after}"
                ),
                3 if !partition.is_empty() => format!(
                    "SELECT w, a FROM ({windows}) QUALIFY first_seen(INTERVAL '{seconds} seconds') OVER ({partition})"
                ),
                _ => format!("SELECT w AS start, a, b, {x} AS x FROM ({windows}) WINDOW unused AS (ORDER BY w {f})"),
            }
        },
    )
}

/// `first_seen` and something else of the same keys.
fn first_seen_and_more() -> impl Strategy<Value = String> {
    (predicate(), key(), 5..90u8, aggregate(), comparison(), frame()).prop_map(|(p, k, s, a, c, f)| {
        let over = format!("OVER (PARTITION BY {k} ORDER BY event_time {f})");
        format!(
            "SELECT user_name, event_time, {a} {over} AS a FROM cloudtrail WHERE {p} QUALIFY first_seen(INTERVAL '{s} seconds') OVER (PARTITION BY {k}) AND {a} {over} {c}"
        )
    })
}

/// Ranges over windows, and ranges with `first_seen` and more.
pub fn detector() -> impl Strategy<Value = String> {
    prop_oneof![4 => over_windows(), 1 => first_seen_and_more()]
}

/// What a range over windows finds is told once, and rests on records of the row's own window.
pub fn check_row(finding: &Finding) -> TestCaseResult {
    let ends = finding.window.zip(finding.window_end);
    prop_assert!(ends.is_some(), "{:?}", finding);
    let (start, end) = ends.unwrap_or_default();
    prop_assert_eq!((finding.state, finding.revision), (State::Final, 1), "{:?}", finding);
    prop_assert!(!finding.evidence.is_empty() && finding.complete, "{:?}", finding);
    let times = finding.evidence.iter().map(|evidence| evidence.event_time);
    let times: Vec<i64> = times.chain([finding.first_event_time, finding.last_event_time]).collect();
    prop_assert!(times.iter().all(|time| (start..end).contains(time)), "{:?}", finding);
    let shown = |wanted: &str| finding.row.iter().find(|(name, _)| **name == *wanted).map(|(_, value)| value.clone());
    for (name, time) in [("first_time", finding.first_event_time), ("last_time", finding.last_event_time)] {
        prop_assert!(shown(name).is_none_or(|value| value == Value::Time(time)), "{}: {:?}", name, finding);
    }
    Ok(())
}
