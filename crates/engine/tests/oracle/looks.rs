//! Detectors that look up in tables, and the tables.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use watchfire_engine::detect::tables::{TableFormat, read};
use watchfire_engine::detect::{Detector, Table};
use watchfire_engine::source::{Event, MemorySource, Source, SourceError};
use watchfire_record::json::PathStep;
use watchfire_record::{ColumnDefinition, ColumnType, Partition, time};

use super::{Case, NOW, aggregate, comparison, frame, joins, predicate, shown, window};

/// A table's name, key and columns.
type Declared = (&'static str, &'static [&'static str], &'static [(&'static str, ColumnType)]);

/// The tables of all cases.
const TABLES: [Declared; 3] = [
    (
        "people",
        &["person"],
        &[
            ("person", ColumnType::Text),
            ("team", ColumnType::Text),
            ("level", ColumnType::Integer),
            ("admin", ColumnType::Boolean),
            ("since", ColumnType::Time),
            ("tags", ColumnType::Json),
            ("valid_from", ColumnType::Time),
            ("valid_to", ColumnType::Time),
        ],
    ),
    (
        "pairs",
        &["address", "allowed"],
        &[("note", ColumnType::Text), ("allowed", ColumnType::Boolean), ("address", ColumnType::Text)],
    ),
    ("levels", &["n"], &[("n", ColumnType::Integer), ("label", ColumnType::Text), ("weight", ColumnType::Float)]),
];

/// How many tables there are. A case with twice as many lists has a second version of each.
const COUNT: usize = TABLES.len();

/// The second version of the tables of a case, if it has one, and when in its intake it comes.
pub struct Change {
    next: Vec<Arc<Table>>,
    /// Before which event.
    at: usize,
    /// From which time on it holds: beyond those of all records before it.
    from: i64,
}

impl Change {
    /// The change in the midst of so many events; `latest` tells the latest time of the first ones.
    pub fn of(case: &Case, events: usize, latest: impl Fn(usize) -> Option<i64>) -> Option<Self> {
        let next = tables(case.tables.get(COUNT..).filter(|lines| !lines.is_empty())?);
        let from = latest(events / 2).map_or(NOW, |time| time + 1);
        Some(Self { next, at: events / 2, from })
    }

    fn make(&self, tables: &[Arc<Table>]) {
        for (table, next) in tables.iter().zip(&self.next) {
            table.replace(&next.rows(), self.from, i64::MIN);
        }
    }
}

/// The detector over tables of its own, as they are after the change.
pub fn after(case: &Case, detector: &Detector, change: Option<&Change>) -> Detector {
    let own = tables(&case.tables);
    change.iter().for_each(|change| change.make(&own));
    over(detector, &own)
}

fn over(detector: &Detector, tables: &[Arc<Table>]) -> Detector {
    let named = |wanted: &Arc<Table>| {
        let name = &wanted.definition().name;
        tables.iter().find(|table| table.definition().name == *name).cloned().ok_or(())
    };
    detector.clone().over_tables(named).unwrap()
}

/// A source in the midst of which tables change.
pub struct Changing {
    inner: MemorySource,
    change: Option<Change>,
    tables: Vec<Arc<Table>>,
    given: usize,
}

impl Changing {
    /// These events, and the detector over the tables that change between them.
    pub fn new(case: &Case, detector: &Detector, events: Vec<Event>, change: Option<Change>) -> (Self, Detector) {
        let tables = tables(&case.tables);
        let detector = over(detector, &tables);
        (Self { inner: MemorySource::new(events), change, tables, given: 0 }, detector)
    }
}

impl Source for Changing {
    fn poll(&mut self, wait: Duration) -> Result<Event, SourceError> {
        if let Some(change) = self.change.take_if(|change| change.at == self.given) {
            // So that workers meet both versions.
            std::thread::sleep(Duration::from_millis(4));
            change.make(&self.tables);
        }
        let event = self.inner.poll(wait)?;
        self.given += usize::from(!matches!(event, Event::Nothing));
        Ok(event)
    }

    fn commit(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.commit(done)
    }

    fn release(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.release(done)
    }

    fn close(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.close(done)
    }

    fn set_paused(&mut self, paused: bool) {
        self.inner.set_paused(paused);
    }
}

/// The tables of a case, each by the lines of its file.
pub fn tables(lines: &[String]) -> Vec<Arc<Table>> {
    let column = |(name, column_type): &(&str, ColumnType)| ColumnDefinition {
        name: (*name).to_owned(),
        column_type: *column_type,
        path: vec![PathStep::Key((*name).to_owned())],
    };
    let table = |((name, key, columns), lines): (&Declared, &String)| {
        let key = key.iter().map(|name| (*name).to_owned()).collect();
        let columns = columns.iter().map(column).collect();
        let table = read((name, lines.as_bytes()), TableFormat::JsonLines, name, columns, key);
        Arc::new(table.unwrap_or_else(|error| panic!("{error}\n{lines}")))
    };
    TABLES.iter().zip(lines).map(table).collect::<Vec<_>>()
}

fn text() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("\"A\""), Just("\"B\""), Just("\"u1\""), Just("\"\""), Just("null")]
}

/// The rows of one person, one after the other, with gaps here and there.
fn person(name: &'static str) -> impl Strategy<Value = String> {
    let ends = prop::collection::btree_set(-70..50i64, 0..4);
    let level = prop_oneof![Just("7"), Just("3"), Just("null")];
    let admin = prop_oneof![Just("true"), Just("false"), Just("null")];
    let tags = prop_oneof![Just("{\"x\":7}"), Just("[1]"), Just("null")];
    let row = (text(), level, admin, tags, any::<bool>(), 0..3u8);
    (ends, prop::collection::vec(row, 5), any::<bool>(), any::<bool>()).prop_map(move |(ends, rows, open, absent)| {
        if absent {
            return String::new();
        }
        let at = |seconds: &i64| format!("\"{}\"", time::format(NOW + seconds * 1_000_000));
        let ends: Vec<String> = ends.iter().map(at).collect();
        let mut lines = String::new();
        for (index, (team, level, admin, tags, kept, since)) in rows.iter().enumerate().take(ends.len() + 1) {
            let from = index.checked_sub(1).map_or("null", |before| ends[before].as_str());
            let to = ends.get(index).map_or("null", String::as_str);
            let kept = *kept || (open && (from == "null" || to == "null"));
            let since = at(&(i64::from(*since) * 20 - 30));
            if kept {
                lines += &format!("{{\"person\":\"{name}\",\"team\":{team},\"level\":{level},\"admin\":{admin},\"tags\":{tags},\"since\":{since},\"valid_from\":{from},\"valid_to\":{to}}}\n");
            }
        }
        lines
    })
}

/// The lines of each table's file, of one version or of two.
pub fn lines() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        1 => one_version(),
        1 => (one_version(), one_version()).prop_map(|(before, after)| [before, after].concat()),
    ]
}

fn one_version() -> impl Strategy<Value = Vec<String>> {
    let people =
        (person("u1"), person("U1"), person("u2"), person("1.1.1.1")).prop_map(|(a, b, c, d)| a + &b + &c + &d);
    let address = prop_oneof![Just("1.1.1.1"), Just("u1")];
    let pairs = prop::collection::btree_map((address, any::<bool>()), text(), 0..4).prop_map(|rows| {
        let line = |((address, allowed), note): (&(&str, bool), &&str)| {
            format!("{{\"address\":\"{address}\",\"allowed\":{allowed},\"note\":{note}}}\n")
        };
        rows.iter().map(line).collect()
    });
    let levels =
        prop::collection::btree_map(prop_oneof![Just(7), Just(3), Just(i64::MIN)], text(), 0..3).prop_map(|rows| {
            let line = |(n, label): (&i64, &&str)| format!("{{\"n\":{n},\"label\":{label},\"weight\":{}.5}}\n", n % 10);
            rows.iter().map(line).collect()
        });
    (people, pairs, levels).prop_map(|(people, pairs, levels): (String, String, String)| vec![people, pairs, levels])
}

/// What the person is found by.
fn by_person() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        3 => Just("f.person = s.user_name"),
        1 => Just("s.source_ip = f.person"),
        1 => Just("lower(s.user_name) = f.person"),
        1 => Just("f.person = coalesce(s.user_name, s.source_ip)"),
        1 => Just("f.person = CASE WHEN s.read_only THEN s.user_name ELSE s.source_ip END"),
    ]
}

/// What is said of the person's row, and of both.
fn of_row() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("f.team = 'A'"),
        Just("f.team <> s.event_name"),
        Just("f.team IS NULL"),
        Just("f.level > 3"),
        Just("f.admin"),
        Just("NOT f.admin"),
        Just("f.since < s.event_time"),
        Just("(f.tags ->> 'x') = '7'"),
        Just("(f.admin OR s.read_only)"),
        Just("f.level = CAST((s.request ->> 'n') AS BIGINT)"),
        Just("f.person IS NOT NULL"),
        Just("f.valid_to IS NULL"),
        Just("true"),
    ]
}

/// FROM with one table or several, and what of it can be shown: a text and a number.
fn from() -> impl Strategy<Value = (String, &'static str, &'static str)> {
    let person = (by_person(), of_row(), 0..6u8).prop_map(|(by, said, form)| {
        let from = match form {
            0 => format!("cloudtrail s JOIN people f ON {by}"),
            1 => format!("people f JOIN cloudtrail s ON {by} AND {said}"),
            2 => format!("cloudtrail s LEFT JOIN people f ON {by}"),
            3 => format!("cloudtrail s LEFT JOIN people f ON {by} AND {said}"),
            4 => format!("cloudtrail s JOIN (SELECT person, team, level, admin, since, tags, valid_to FROM people WHERE admin OR level > 3) f ON {by}"),
            _ => format!("(SELECT * FROM cloudtrail WHERE event_name <> 'C') s LEFT JOIN (SELECT *, coalesce(level, 5) + 1 AS higher FROM people) f ON {by}"),
        };
        (from, "f.team", "f.level")
    });
    let chained = (by_person(), any::<bool>()).prop_map(|(by, left)| {
        let kind = if left { "LEFT JOIN" } else { "JOIN" };
        (format!("cloudtrail s JOIN people f ON {by} {kind} levels l ON l.n = f.level"), "l.label", "f.level")
    });
    let several = prop_oneof![
        Just("cloudtrail s JOIN pairs p ON p.address = s.source_ip AND p.allowed = s.read_only LEFT JOIN people f ON f.person = s.user_name"),
        Just("cloudtrail s LEFT JOIN people f ON f.person = s.user_name LEFT JOIN pairs p ON p.allowed AND p.allowed = f.admin AND p.address = s.source_ip"),
        Just("cloudtrail s LEFT JOIN pairs p ON p.address = s.source_ip AND p.allowed = true JOIN people f ON f.person = s.user_name"),
    ]
    .prop_map(|from: &str| (from.to_owned(), "p.note", "f.level"));
    let number = Just((
        "cloudtrail s LEFT JOIN people f ON f.person = s.user_name JOIN levels l ON l.n = CAST((s.request ->> 'n') AS BIGINT)".to_owned(),
        "l.label",
        "l.n",
    ));
    prop_oneof![5 => person, 2 => chained, 2 => several, 1 => number]
}

/// What is said of the record by a table, in WHERE.
fn looked_up() -> impl Strategy<Value = String> {
    let key = || prop_oneof![Just("s.user_name"), Just("s.source_ip"), Just("lower(s.user_name)")];
    prop_oneof![
        key().prop_map(|key| format!("{key} IN (SELECT person FROM people)")),
        key().prop_map(|key| format!("{key} IN (SELECT person FROM people WHERE admin)")),
        key().prop_map(|key| format!("{key} NOT IN (SELECT person FROM people)")),
        key().prop_map(|key| format!(
            "EXISTS (SELECT 1 FROM people f WHERE f.person = {key} AND f.team <> s.event_name)"
        )),
        key().prop_map(|key| format!("NOT EXISTS (SELECT 1 FROM people f WHERE f.person = {key})")),
        key().prop_map(|key| format!(
            "NOT EXISTS (SELECT 1 FROM people f WHERE {key} = f.person AND (f.level > 3 OR s.read_only))"
        )),
        key().prop_map(|key| format!(
            "(s.read_only OR EXISTS (SELECT 1 FROM people f WHERE f.person = {key} AND f.admin))"
        )),
        Just("CAST((s.request ->> 'n') AS BIGINT) NOT IN (SELECT n FROM levels)".to_owned()),
        Just("EXISTS (SELECT 1 FROM pairs p WHERE p.allowed = s.read_only AND p.address = s.source_ip)".to_owned()),
    ]
}

/// FROM and WHERE, and what can be shown of it.
fn source() -> impl Strategy<Value = (String, &'static str, &'static str)> {
    prop_oneof![
        4 => (from(), predicate(), of_row()).prop_map(|((from, text, number), p, said)| {
            let said = if from.contains("people f") || from.contains(") f") { said } else { "true" };
            (format!("{from} WHERE {p} AND {said}"), text, number)
        }),
        2 => (looked_up(), predicate()).prop_map(|(looked_up, p)| {
            (format!("cloudtrail s WHERE {looked_up} AND {p}"), "s.user_name", "octet_length(s.event_name)")
        }),
        1 => (looked_up(), from()).prop_map(|(looked_up, (from, text, number))| {
            (format!("{from} WHERE {}", looked_up.replace(" f WHERE", " g WHERE").replace("f.", "g.")), text, number)
        }),
    ]
}

/// Matches, windows, ranges, sequences and unions that look up.
pub fn detector() -> impl Strategy<Value = String> {
    let keys = prop_oneof![Just("user_name, "), Just("")];
    prop_oneof![
        4 => source().prop_map(|(source, text, number)| {
            format!("SELECT s.event_time, s.user_name, {text} AS shown, {number} AS n FROM {source}")
        }),
        2 => (source(), keys.clone(), aggregate(), shown(), comparison(), window()).prop_map(|((source, text, number), k, a, b, c, window)| {
            let window = window.replace("event_time", "s.event_time");
            format!("SELECT {window} AS w, {k}{text} AS shown, {a} AS a, {b} AS b, count(DISTINCT {text}) AS c, max({number}) AS m FROM {source} GROUP BY {window}, {k}{text} HAVING {a} {c}")
        }),
        2 => (source(), keys, aggregate(), comparison(), frame()).prop_map(|((source, text, number), k, a, c, f)| {
            let over = |call: &str| format!("{call} OVER (PARTITION BY {k}{text} ORDER BY s.event_time {f})");
            let counted = match a.split_once(" FILTER ") {
                Some((call, filter)) => format!("{call} FILTER {filter} OVER (PARTITION BY {k}{text} ORDER BY s.event_time {f})"),
                None => over(&a),
            };
            format!("SELECT user_name, t, shown, x, y FROM (SELECT s.user_name, s.event_time AS t, {text} AS shown, {counted} AS x, {} AS y FROM {source}) WHERE x {c}", over(&format!("sum({number})")))
        }),
        1 => (source(), 5..90u8).prop_map(|((source, text, _), s)| {
            format!("SELECT s.user_name, s.event_time, {text} AS shown FROM {source} QUALIFY first_seen(INTERVAL '{s} seconds') OVER (PARTITION BY {text}, s.source_ip)")
        }),
        1 => (source(), source(), joins::branch()).prop_map(|((a, shown, _), (b, other, _), c)| {
            format!("SELECT s.event_time, s.source_ip, {shown} AS n FROM {a} UNION ALL SELECT s.event_time, s.source_ip, {other} AS n FROM {b} UNION ALL {c}")
        }),
        1 => (predicate(), joins::branch()).prop_map(|(p, b)| {
            let a = format!("SELECT event_time, source_ip, request ->> 'n' AS n FROM cloudtrail WHERE {p}");
            format!("SELECT u.event_time, f.team, u.n FROM ({a} UNION ALL {b}) u JOIN people f ON f.person = u.source_ip WHERE f.team <> u.n")
        }),
        2 => sequence(),
    ]
}

/// Sequences of which a side, or the pair, looks up.
fn sequence() -> impl Strategy<Value = String> {
    let bound =
        (1..60u8).prop_map(|s| format!("b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '{s} seconds'"));
    let equal = prop_oneof![
        Just("a.source_ip = b.source_ip"),
        Just("a.user_name = b.user_name"),
        Just("a.read_only = b.read_only")
    ];
    (bound, equal, of_row(), 0..7u8).prop_map(|(bound, equal, said, form)| {
        let said = said.replace("s.", "b.");
        let shown = "a.event_time AS made, b.event_time AS used, a.source_ip AS ip";
        let looking = |by: &str| format!("(SELECT s.*, f.team FROM cloudtrail s JOIN people f ON f.person = {by})");
        match form {
            0 => format!("SELECT {shown}, f.team FROM cloudtrail a JOIN cloudtrail b ON {equal} AND {bound} JOIN people f ON f.person = b.user_name WHERE {said}"),
            1 => format!("SELECT {shown}, f.team FROM cloudtrail a JOIN cloudtrail b ON {equal} AND {bound} LEFT JOIN people f ON f.person = b.source_ip AND {said}"),
            2 => format!("SELECT {shown}, f.team AS x, g.level AS y FROM cloudtrail a JOIN cloudtrail b ON {equal} AND {bound} LEFT JOIN people f ON f.person = a.user_name JOIN people g ON g.person = b.user_name WHERE f.team IS DISTINCT FROM g.team"),
            3 => format!("SELECT {shown}, a.team FROM {} a JOIN cloudtrail b ON {equal} AND {bound} AND a.team <> b.event_name", looking("s.user_name")),
            4 => format!("SELECT {shown}, b.team FROM {} a JOIN {} b ON a.team = b.team AND {bound}", looking("s.user_name"), looking("s.source_ip")),
            5 => format!("SELECT a.event_time, a.user_name, a.team FROM {} a WHERE NOT EXISTS (SELECT 1 FROM cloudtrail b WHERE {equal} AND {bound})", looking("s.user_name")),
            _ => format!("SELECT a.event_time, a.user_name FROM cloudtrail a WHERE EXISTS (SELECT 1 FROM {} b WHERE {equal} AND {bound} AND b.team = 'A')", looking("s.user_name")),
        }
    })
}
