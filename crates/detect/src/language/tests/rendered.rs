//! Diagnostics as a person reads them.

use super::super::{from_form, from_planner_error};
use super::{HEADER, parse, said, with_header};

fn shown(text: &str) -> String {
    said(text).iter().map(|diagnostic| diagnostic.render(false)).collect::<Vec<_>>().join("\n")
}

fn assert_shown(text: &str, expected: &str) {
    assert_eq!(shown(text), expected.trim_start_matches('\n'), "\n{}", shown(text));
}

#[test]
fn a_count_over_all_time() {
    assert_shown(
        &with_header(
            "SELECT access_key_id, count(*) AS n\nFROM cloudtrail\nWHERE access_key_id IS NOT NULL\nGROUP BY access_key_id\nHAVING count(*) > 5",
        ),
        r"
error[W012]: a count over all time needs memory without end
  --> queries/a-test/detector.sql:9:1
   |
 9 | GROUP BY access_key_id
   | ^^^^^^^^^^^^^^^^^^^^^^ no window here
   = help: count in a sliding range: count(*) OVER (PARTITION BY access_key_id ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING)",
    );
}

#[test]
fn several_lines_and_a_wide_gutter() {
    let sql =
        format!("SELECT *{}FROM cloudtrail\n\tWHERE region = 'é日' AND now() > event_time LIMIT 5", "\n".repeat(5));
    assert_shown(
        &with_header(&sql),
        r"
error[W022]: `now` gives another value at each run: a replay could not find the same again
   --> queries/a-test/detector.sql:12:26
    |
 12 |     WHERE region = 'é日' AND now() > event_time LIMIT 5
    |                              ^^^^^ 
    = help: compare with event_time, the record's own time, and let lateness decide what is too old
error[W013]: LIMIT needs all rows at once, and a stream has no last row
   --> queries/a-test/detector.sql:12:45
    |
 12 |     WHERE region = 'é日' AND now() > event_time LIMIT 5
    |                                                 ^^^^^^^ no end to wait for
    = help: take it out: say in WHERE, HAVING or QUALIFY which rows are findings; `suppress` in the header joins repeated ones into one alert"
            .replace("^^^^^ \n", "^^^^^\n")
            .as_str(),
    );
}

#[test]
fn names() {
    assert_shown(
        &with_header("SELECT eventName FROM cloudtrail"),
        r"
error[W028]: there is no column `eventName`
  --> queries/a-test/detector.sql:6:8
   |
 6 | SELECT eventName FROM cloudtrail
   |        ^^^^^^^^^ unknown
   = help: did you mean `event_name`? What has no column is reached by path: request ->> 'eventName'",
    );
    assert_shown(
        &with_header("SELECT * FROM cloudtrial"),
        r"
error[W027]: there is no stream or table `cloudtrial`
  --> queries/a-test/detector.sql:6:15
   |
 6 | SELECT * FROM cloudtrial
   |               ^^^^^^^^^^ unknown
   = help: did you mean `cloudtrail`?",
    );
    assert_shown(
        &with_header("SELECT startswith(region, 'eu') AS r FROM cloudtrail"),
        r"
error[W026]: there is no function `startswith`
  --> queries/a-test/detector.sql:6:8
   |
 6 | SELECT startswith(region, 'eu') AS r FROM cloudtrail
   |        ^^^^^^^^^^ unknown
   = help: it is `starts_with` here",
    );
    assert_shown(
        &with_header("SELECT request.bucket.name FROM cloudtrail"),
        r"
error[W028]: `request` is JSON, which is not reached into with dots
  --> queries/a-test/detector.sql:6:8
   |
 6 | SELECT request.bucket.name FROM cloudtrail
   |        ^^^^^^^^^^^^^^^^^^^
   = help: write request -> 'bucket' ->> 'name'",
    );
}

#[test]
fn syntax() {
    assert_shown(
        &with_header("SELECT region,\nFROM cloudtrail"),
        r"
error[W010]: an expression is expected here, not `FROM`
  --> queries/a-test/detector.sql:7:1
   |
 7 | FROM cloudtrail
   | ^^^^ not expected
   = help: take out the comma before it",
    );
    assert_shown(
        &with_header("SELECT * FROM cloudtrail WHERE region = 'eu"),
        r"
error[W010]: the SQL cannot be read: unterminated string literal
  --> queries/a-test/detector.sql:6:41
   |
 6 | SELECT * FROM cloudtrail WHERE region = 'eu
   |                                         ^ opened here, never closed
   = help: close the quotation mark; a quotation mark in a text is written twice: 'it''s'",
    );
}

#[test]
fn headers() {
    assert_shown(
        &HEADER.replace("\"A\"", "\"any of arn:aws:iam::*/role\""),
        r#"
error[W003]: `*/` inside the header ends it here
  --> queries/a-test/detector.sql:4:31
   |
 4 | about = "any of arn:aws:iam::*/role"
   |                              ^^ what follows is read as SQL
   = help: write the text without `*/`: `*` alone, or in a TOML string "*\u002F""#
            .replace("4:31", "4:30")
            .as_str(),
    );
    assert_shown(
        &with_header("SELECT * FROM cloudtrail").replace("severity", "severty"),
        r#"
error[W006]: the header lacks `severity`
  --> queries/a-test/detector.sql:1:1
   |
 1 | /*
   | ^^ in this header
   = help: add a line severity = "high"
error[W005]: a header has no key `severty`
  --> queries/a-test/detector.sql:3:1
   |
 3 | severty = "high"
   | ^^^^^^^
   = help: did you mean `severity`?"#,
    );
    assert_shown(
        "SELECT * FROM cloudtrail",
        r#"
error[W002]: the header is missing
  --> queries/a-test/detector.sql:1:1
   |
 1 | SELECT * FROM cloudtrail
   | ^^^^^^^^^^^^^^^^^^^^^^^^ here it should start
   = help: start the file with /* and TOML: title = "…", severity = "high", about = "…", then */ and the SELECT"#,
    );
}

#[test]
fn forms_of_other_engines_are_translated() {
    assert_shown(
        &with_header("SELECT * FROM TABLE(TUMBLE(TABLE api, DESCRIPTOR(event_time), INTERVAL '10' MINUTES))"),
        r"
error[W016]: `TUMBLE` over a table is another engine's form
  --> queries/a-test/detector.sql:6:21
   |
 6 | SELECT * FROM TABLE(TUMBLE(TABLE api, DESCRIPTOR(event_time), INTERVAL '10' MINUTES))
   |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a window table function
   = help: select from the stream itself and write GROUP BY tumble(event_time, INTERVAL '10 minutes'), …",
    );
}

#[test]
fn warnings() {
    assert_shown(
        &with_header("SELECT * FROM cloudtrail WHERE event_name = 'AddPermission'"),
        r"
warning[W041]: the event name of `AddPermission` carries an API version in the log, so that this comparison misses it
  --> queries/a-test/detector.sql:6:45
   |
 6 | SELECT * FROM cloudtrail WHERE event_name = 'AddPermission'
   |                                             ^^^^^^^^^^^^^^^
   = help: compare the column without version: action = 'AddPermission'",
    );
    assert_shown(
        &with_header(
            "SELECT * FROM cloudtrail\nQUALIFY first_seen(INTERVAL '1 day') OVER (PARTITION BY request ->> 'x')",
        ),
        r"
warning[W040]: the key request ->> 'x' can be NULL, and all records without it are then one group
  --> queries/a-test/detector.sql:7:57
   |
 7 | QUALIFY first_seen(INTERVAL '1 day') OVER (PARTITION BY request ->> 'x')
   |                                                         ^^^^^^^^^^^^^^^ may be NULL
   = help: if that is not meant, add WHERE request ->> 'x' IS NOT NULL",
    );
}

#[test]
fn what_the_planner_says_gets_a_place() {
    let parsed = parse("a.sql", &with_header("SELECT region FROM cloudtrail WHERE read_only > 'x'")).unwrap();
    for (message, code, at) in [
        ("Schema error: No field named cloudtrail.read_only. Valid fields are cloudtrail.region.", "W028", "read_only"),
        ("Error during planning: Invalid function 'region'.\nDid you mean 'x'?", "W026", "region"),
        ("type_coercion\ncaused by\nError during planning: Cannot coerce 'read_only' to Utf8", "W037", "read_only"),
        ("something else", "W037", "SELECT"),
    ] {
        let diagnostic = from_planner_error(&parsed, message);
        assert_eq!((diagnostic.code, &parsed.text[diagnostic.span.clone()]), (code, at), "{message}");
        assert!(!diagnostic.message.contains("Valid fields") && !diagnostic.message.contains("caused by"));
    }
    assert_eq!(from_form(&parsed, "not run", "write it otherwise").position(), (6, 1));
}

#[test]
fn as_json() {
    let json = said(&with_header("SELECT\neventName FROM cloudtrail"))[0].to_json();
    assert_eq!(
        (&json["code"], &json["line"], &json["column"], &json["end_column"]),
        (&"W028".into(), &7.into(), &1.into(), &10.into())
    );
}
