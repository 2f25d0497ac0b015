//! Reading tables, what is said of those that are wrong, and what a key finds at a time.

use proptest::prelude::*;
use watchfire_record::json::PathStep;

use super::*;
use crate::value::value_at;

fn column(name: &str, column_type: ColumnType) -> ColumnDefinition {
    ColumnDefinition { name: name.into(), column_type, path: vec![PathStep::Key(name.into())] }
}

fn functions() -> Vec<ColumnDefinition> {
    vec![
        column("arn", ColumnType::Text),
        column("memory", ColumnType::Integer),
        column("public", ColumnType::Boolean),
        column("valid_from", ColumnType::Time),
        column("valid_to", ColumnType::Time),
    ]
}

fn csv(text: &str, columns: Vec<ColumnDefinition>) -> Result<Table, String> {
    let table = read(("f.csv", text.as_bytes()), TableFormat::Csv, "f", columns, vec!["arn".into()]);
    table.map_err(|error| error.0)
}

fn found(table: &Table, key: &str, time: i64) -> Option<String> {
    let rows = table.rows();
    let definition = table.definition();
    let texts: arrow::array::ArrayRef = Arc::new(arrow::array::StringArray::from(vec![key]));
    let bytes = rows::key_converter(definition).convert_columns(&[texts]).unwrap();
    let row = rows.row(rows.key(bytes.row(0).data())?, time)?;
    let last = definition.columns.len() - 1;
    Some(value_at(rows.column(last), row as usize).to_string())
}

#[test]
fn both_formats_give_the_same_rows() {
    let text =
        "memory,arn,more,public,valid_from,valid_to\r\n128,\"a\"\"b,c\",x,TRUE,,2026-01-01T00:00:00Z\n\n,z,,false,,\n";
    let of_csv = csv(text, functions()).unwrap();
    let lines = "{\"arn\":\"z\",\"public\":false,\"memory\":null}\n\n{\"public\":true,\"arn\":\"a\\\"b,c\",\"memory\":\"128\",\"valid_to\":\"2026-01-01T00:00:00Z\",\"more\":1}";
    let of_lines =
        read(("f.jsonl", lines.as_bytes()), TableFormat::JsonLines, "f", functions(), vec!["arn".into()]).unwrap();
    assert_eq!(of_csv.rows().len(), 2);
    for place in 0..functions().len() {
        assert_eq!(of_csv.rows().column(place), of_lines.rows().column(place), "{place}");
    }
    assert_eq!(value_at(of_csv.rows().column(0), 0).to_string(), "a\"b,c");
    assert_eq!((of_csv.rows().valid(1), of_csv.rows().is_empty()), ((i64::MIN, i64::MAX), false));
    let without = csv("\u{feff}arn,owner,valid_from\na,me,2026-01-01T00:00:00Z\n", Vec::new()).unwrap();
    assert_eq!(without.definition().column_type("owner"), Some(ColumnType::Text));
    assert_eq!(without.definition().column_type("valid_from"), Some(ColumnType::Time));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, says) in [
        (
            "arn,memory,public,valid_from,valid_to\na,1,true,,\nb,lots,true,,\n",
            "f.csv:3: the column `memory` wants a whole",
        ),
        ("arn,memory,public,valid_from,valid_to\na,1,maybe,,\n", "f.csv:2: the column `public` wants true or false"),
        ("arn,memory,public,valid_from,valid_to\na,1,true,soon,\n", "f.csv:2: the column `valid_from` wants a time"),
        ("arn,memory,public,valid_from,valid_to\na,1,true\n", "f.csv:2: 3 values, and the header names 5"),
        ("arn,memory,public,valid_from,valid_to\n,1,true,,\n", "f.csv:2: its key `arn` is empty"),
        (
            "arn,memory,public,valid_from,valid_to\na,1,true,,\nb,1,true,,\na,2,true,,\n",
            "f.csv:4: the key a is there twice at one time, first in line 2",
        ),
        (
            "arn,memory,public,valid_from,valid_to\na,1,true,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z\n",
            "f.csv:2: it holds at no time",
        ),
        (
            "arn,memory,publik,valid_from,valid_to\n",
            "f.csv:1: the header has no `public`, which the column `public` is read from; did you mean `publik`?",
        ),
    ] {
        let said = csv(text, functions()).unwrap_err();
        assert!(said.starts_with(says), "{text}: {said}");
    }
    for (text, says) in [
        ("arn,Owner\n", "f.csv:1: the header's `Owner` is no name in SQL"),
        ("arn,arn\n", "f.csv:1: the header has `arn` twice"),
        ("name\n", "tables.f: its key names `arn`"),
        ("arn\n\"a\nb", ""),
    ] {
        let said = csv(text, Vec::new()).err().unwrap_or_default();
        assert!(said.starts_with(says), "{text}: {said}");
    }
    let long = format!("arn\na\n{}\n", "x".repeat(limits::TABLE_ROW_BYTES + 1));
    assert!(csv(&long, Vec::new()).unwrap_err().starts_with("f.csv:3: a row has at most"));
    for (lines, says) in [
        ("{\"arn\":\"a\"}\n[1]\n", "f.jsonl:2: a row is an object"),
        ("{\"arn\":\"a\"}\n{\"arn\":\n", "f.jsonl:2: no JSON"),
    ] {
        let table = read(("f.jsonl", lines.as_bytes()), TableFormat::JsonLines, "f", functions(), vec!["arn".into()]);
        let said = table.unwrap_err().0;
        assert!(said.starts_with(says), "{said}");
    }
    for (columns, key, says) in [
        (functions(), vec![], "lacks its key"),
        (functions(), vec!["arm"], "names `arm`, which is no column of it; did you mean `arn`?"),
        (functions(), vec!["valid_to"], "cannot be part of its key"),
        (vec![column("x", ColumnType::Float)], vec!["x"], "not compared exactly"),
        (vec![column("x", ColumnType::Text), column("valid_to", ColumnType::Text)], vec!["x"], "its type is time"),
    ] {
        let key = key.into_iter().map(str::to_owned).collect();
        let said = TableDefinition::new("f", columns, key).unwrap_err().0;
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_row_holds_from_its_first_instant_to_before_its_last() {
    let text = "arn,valid_from,valid_to,owner\na,,1970-01-01T00:00:01Z,x\na,1970-01-01T00:00:01Z,1970-01-01T00:00:02Z,y\na,1970-01-01T00:00:03Z,,z\n";
    let table = csv(text, Vec::new()).unwrap();
    let at = |micros| found(&table, "a", micros);
    assert_eq!(
        [at(-5), at(999_999), at(1_000_000), at(1_999_999)].map(Option::unwrap_or_default),
        ["x", "x", "y", "y"]
    );
    assert_eq!((at(2_000_000), at(3_000_000)), (None, Some("z".into())));
    assert_eq!(found(&table, "b", 0), None);
    let rows = table.rows();
    assert_eq!([0, 1_999_999, 2_000_000, 3_000_000].map(|time| rows.any_at(time)), [true, true, false, true]);
}

#[test]
fn a_new_version_holds_from_its_instant_on() {
    let one = csv("arn,owner\na,x\nb,x\n", Vec::new()).unwrap();
    let two = csv("arn,owner\na,y\nc,y\n", Vec::new()).unwrap();
    one.replace(&two.rows(), 100, i64::MIN);
    let at = |key, time| found(&one, key, time);
    assert_eq!(
        [at("a", 99), at("a", 100), at("b", 99), at("b", 100)].map(Option::unwrap_or_default),
        ["x", "y", "x", ""]
    );
    assert_eq!((at("c", 99), at("c", 100)), (None, Some("y".into())));
    let three = csv("arn,owner\na,z\n", Vec::new()).unwrap();
    one.replace(&three.rows(), 200, 100);
    assert_eq!(one.rows().len(), 3, "what ended by 100 is forgotten");
    let at = |key, time| found(&one, key, time);
    assert_eq!([at("a", 199), at("a", 200), at("c", 199)].map(Option::unwrap_or_default), ["y", "z", "y"]);
    assert_eq!((at("a", 99), at("c", 200)), (None, None));
}

#[test]
fn a_worker_that_knows_a_key_takes_a_new_version() {
    use watchfire_record::{Batch, Column, ColumnRequest, ColumnSource, Interner, LookUpSource, Row};
    let table = Arc::new(csv("arn,owner\nb,x\n", Vec::new()).unwrap());
    let request = |source| ColumnRequest { source, column_type: ColumnType::Text };
    let who = request(ColumnSource::Column("who".into()));
    let wanted = [
        request(ColumnSource::LookUp(LookUpSource::Found("f[who]".into()))),
        request(ColumnSource::LookUp(LookUpSource::Column("f[who]".into(), "owner".into()))),
    ];
    let look_up = crate::plan::LookUp {
        name: "f[who]".into(),
        table: Arc::clone(&table),
        keys: vec![datafusion_expr::Expr::Column(datafusion_common::Column::from_name("who"))],
        key_columns: vec![who.clone()],
    };
    let columns = crate::matcher::BatchColumns::new([who].into_iter().chain(wanted.clone()).collect());
    let hasher = crate::identities::SecretHasher::new([1, 2, 3, 4]);
    let mut look_ups = LookUps::new(&[look_up], &wanted).unwrap();
    let mut values = Interner::new(10, 100);
    let ids: Vec<u32> = ["a", "b", "c"].iter().map(|text| values.intern(text).unwrap()).collect();
    let mut owners = |interned: bool, time: i64| {
        let row = Row {
            event_time: time,
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
        let mut who = Column::Interned { ids: ids.clone(), values: Arc::new(values.clone()) };
        if !interned {
            who = Column::Plain(who.to_array());
        }
        let mut batch = Batch { rows: vec![row; 3], columns: vec![who], ..Batch::default() };
        look_ups.extend(&mut batch, &columns, &hasher);
        let [_, found, owner] = batch.columns.as_slice() else { panic!("two columns are added") };
        let shown = |row| (!found.to_array().is_null(row)).then(|| value_at(&owner.to_array(), row).to_string());
        [0, 1, 2].map(|row| shown(row).unwrap_or_default())
    };
    assert_eq!(owners(true, 0), ["", "x", ""]);
    table.replace(&csv("arn,owner\na,y\nb,z\n", Vec::new()).unwrap().rows(), 100, i64::MIN);
    for interned in [true, false, true] {
        assert_eq!(owners(interned, 99), ["", "x", ""]);
        assert_eq!(owners(interned, 100), ["y", "z", ""]);
    }
}

/// Times are about this one, microseconds.
const EPOCH: i64 = 1_750_000_000_000_000;

/// A row's key, and two times.
type Row = (u8, i64, i64);

/// Rows as their author wrote them: key, from when, and how long.
fn intervals() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0..4u8, -20..20i64, 1..9i64), 0..12)
}

/// The rows that do not hold at the time of one before them of the same key.
fn sound(rows: Vec<Row>) -> Vec<Row> {
    let mut kept: Vec<Row> = Vec::new();
    for (key, from, length) in rows {
        let (from, to) = (from, from + length);
        if kept.iter().all(|(other, f, t)| *other != key || to <= *f || *t <= from) {
            kept.push((key, from, to));
        }
    }
    kept
}

fn table_of(rows: &[Row], name: &str) -> Table {
    let line = |(index, (key, from, to)): (usize, &Row)| {
        let time = |micros: &i64| watchfire_record::time::format(EPOCH + *micros);
        format!(
            "{{\"arn\":\"{key}\",\"valid_from\":\"{}\",\"valid_to\":\"{}\",\"n\":\"{name}{index}\"}}\n",
            time(from),
            time(to)
        )
    };
    let lines: String = rows.iter().enumerate().map(line).collect();
    let columns = vec![
        column("arn", ColumnType::Text),
        column("valid_from", ColumnType::Time),
        column("valid_to", ColumnType::Time),
        column("n", ColumnType::Text),
    ];
    read(("t", lines.as_bytes()), TableFormat::JsonLines, "t", columns, vec!["arn".into()]).unwrap()
}

proptest! {
    #[test]
    fn versions_find_what_a_search_finds(old in intervals(), new in intervals(), from in -15..15i64) {
        let (old, new) = (sound(old), sound(new));
        let table = table_of(&old, "old");
        let search = |rows: &[Row], name: &str, key: u8, time: i64| {
            let row = rows.iter().position(|(k, f, t)| *k == key && *f <= time && time < *t);
            row.map(|row| format!("{name}{row}"))
        };
        let check = |expected: &dyn Fn(u8, i64) -> Option<String>| {
            for time in -25..25i64 {
                for key in 0..5u8 {
                    prop_assert_eq!(found(&table, &key.to_string(), EPOCH + time), expected(key, time));
                }
                let any = (0..5u8).any(|key| expected(key, time).is_some());
                prop_assert_eq!(table.rows().any_at(EPOCH + time), any);
            }
            Ok(())
        };
        check(&|key, time| search(&old, "old", key, time))?;
        table.replace(&table_of(&new, "new").rows(), EPOCH + from, i64::MIN);
        check(&|key, time| if time < from { search(&old, "old", key, time) } else { search(&new, "new", key, time) })?;
    }
}
