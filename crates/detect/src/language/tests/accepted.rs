//! What passes, and what it is expanded to.

use datafusion_sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion_sql::sqlparser::parser::Parser;
use watchfire_record::Stream;

use super::super::{expand, load, missing_tests};
use super::{check, parse, said, with_header};
use crate::plan::Planner;

/// The expanded query's text, read again to the same text.
fn expanded(sql: &str) -> String {
    let parsed = parse("a.sql", &with_header(sql)).unwrap_or_else(|errors| panic!("{sql}\n{errors:?}"));
    let errors: Vec<_> = check(&parsed, &Stream::built_ins(), &[]).into_iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{sql}\n{errors:?}");
    let text = expand(&parsed).unwrap().to_string();
    let again = Parser::parse_sql(&PostgreSqlDialect {}, &text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_eq!(again[0].to_string(), text);
    text
}

#[test]
fn shorthands_are_written_out() {
    for (sql, expected) in [
        (
            "SELECT source_ip, count(*) OVER w AS n FROM cloudtrail WHERE read_only \
             WINDOW w AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING) QUALIFY N >= 10",
            "SELECT source_ip, count(*) OVER (PARTITION BY source_ip ORDER BY event_time RANGE BETWEEN INTERVAL '5 minutes' PRECEDING AND CURRENT ROW) AS n \
             FROM cloudtrail WHERE read_only \
             QUALIFY count(*) OVER (PARTITION BY source_ip ORDER BY event_time RANGE BETWEEN INTERVAL '5 minutes' PRECEDING AND CURRENT ROW) >= 10",
        ),
        (
            "SELECT region FROM cloudtrail WINDOW regions AS (PARTITION BY region), w AS (regions ORDER BY event_time) \
             QUALIFY count(*) OVER (w RANGE INTERVAL '1 hour' PRECEDING) > 3",
            "SELECT region FROM cloudtrail QUALIFY count(*) OVER (PARTITION BY region ORDER BY event_time RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) > 3",
        ),
        (
            "SELECT region FROM cloudtrail QUALIFY NOT first_seen(INTERVAL '30 days') OVER (PARTITION BY principal, region)",
            "SELECT region FROM cloudtrail QUALIFY NOT (count(*) OVER (PARTITION BY principal, region ORDER BY event_time \
             RANGE BETWEEN INTERVAL '30 days' PRECEDING AND INTERVAL '1 microsecond' PRECEDING) = 0)",
        ),
        (
            "SELECT n FROM (SELECT t.*, n + 1 AS m FROM (SELECT tumble(event_time, INTERVAL '1 hour') AS Hour, region, count(*) AS n \
             FROM cloudtrail GROUP BY 1, region) AS t) AS u QUALIFY first_seen(INTERVAL '7 days') OVER (PARTITION BY region)",
            "SELECT n FROM (SELECT t.*, n + 1 AS m FROM (SELECT tumble(event_time, INTERVAL '1 hour') AS Hour, region, count(*) AS n \
             FROM cloudtrail GROUP BY 1, region) AS t) AS u QUALIFY (count(*) OVER (PARTITION BY region ORDER BY Hour \
             RANGE BETWEEN INTERVAL '7 days' PRECEDING AND INTERVAL '1 microsecond' PRECEDING) = 0)",
        ),
        (
            "SELECT status::bigint AS a, CAST(status AS TEXT) AS b, status FROM api",
            "SELECT TRY_CAST(status AS BIGINT) AS a, TRY_CAST(status AS TEXT) AS b, status FROM api",
        ),
        (
            "SELECT status / 2 AS a, 7 / status AS b, status % response_bytes AS c, -status AS d, -1 AS e FROM api",
            "SELECT status / 2 AS a, 7 / nullif(status, 0) AS b, status % nullif(response_bytes, 0) AS c, (0 - status) AS d, -1 AS e FROM api",
        ),
        (
            "SELECT status / response_bytes AS a FROM api",
            "SELECT CASE WHEN response_bytes = -1 THEN 0 - status ELSE status / nullif(response_bytes, 0) END AS a FROM api",
        ),
        (
            "SELECT region, Region, upper(region) AS r, upper(region) AS r FROM cloudtrail c",
            "SELECT region, upper(region) AS r FROM cloudtrail c",
        ),
        (
            "SELECT region, * FROM (SELECT *, region FROM cloudtrail) AS t",
            "SELECT * FROM (SELECT * FROM cloudtrail) AS t",
        ),
        (
            "SELECT request ->> 'x', region FROM cloudtrail",
            "SELECT request ->> 'x' AS \"request ->> 'x'\", region FROM cloudtrail",
        ),
        (
            "WITH a AS (SELECT status::text AS s FROM api) SELECT s FROM (SELECT * FROM a) AS b;",
            "WITH a AS (SELECT TRY_CAST(status AS TEXT) AS s FROM api) SELECT s FROM (SELECT * FROM a) AS b",
        ),
    ] {
        assert_eq!(expanded(sql), expected);
    }
}

/// Detectors that this version runs.
const GOOD: &[&str] = &[
    "SELECT source_ip, principal, event_time, failures\nFROM (SELECT *, count(*) OVER five_minutes AS failures\n      FROM cloudtrail\n      \
     WHERE event_name = 'ConsoleLogin' AND error_message = 'Failed authentication' AND source_ip IS NOT NULL\n      \
     WINDOW five_minutes AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING))\nWHERE failures >= 10",
    "SELECT *, count(DISTINCT region) OVER w AS regions FROM cloudtrail WHERE principal LIKE '%' \
     WINDOW w AS (PARTITION BY principal ORDER BY event_time RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 hour' PRECEDING) \
     QUALIFY regions >= 3",
    "SELECT principal, region FROM cloudtrail WHERE principal IS NOT NULL AND region <> '' \
     QUALIFY first_seen(INTERVAL '30 days') OVER (PARTITION BY principal, region)",
    "SELECT tumble(event_time, INTERVAL '5 minutes') AS start, source_ip, count(*) FILTER (WHERE status >= 500) AS n FROM api \
     WHERE (source_ip = 'a' OR source_ip IN ('b')) GROUP BY tumble(event_time, INTERVAL '5 minutes'), source_ip HAVING count(*) > 10",
    "SELECT c.principal, c.request ->> 'bucketName' AS bucket, upper(c.region) AS r, c._topic FROM cloudtrail AS c \
     WHERE c.event_time >= TIMESTAMP '2026-01-01 00:00:00' AND (c.request -> 'tags' -> 0 ->> 'key') ~* '^a|b$' AND c.raw ILIKE '%x%'",
    "SELECT CASE WHEN method = 'GET' THEN 'read' ELSE 'write' END AS kind, substring(path FROM 1 FOR 10) AS p, trim(both '/' from path) AS q, \
     extract(hour FROM event_time) AS h, position('a' IN path) AS a, coalesce(authorizer_error, 'none') AS e FROM api \
     WHERE status BETWEEN 400 AND 499 AND regexp_like(path, '\\.\\.(/|%2f)', 'i') AND length(path) > 3 AND date_part('dow', event_time) = 0",
    "SELECT function_name, message FROM lambda WHERE (record ->> 'level' IS DISTINCT FROM level) AND (record ->> 'n')::double precision > 1.5e3",
    "SELECT hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes') AS start, window_end(hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes')) AS stop, \
     c.source_ip, sum(c.response_bytes) AS bytes, max(c.status) FILTER (WHERE c.method = 'GET') AS worst FROM api AS c WHERE c.source_ip IS NOT NULL \
     GROUP BY start, c.source_ip HAVING sum(c.response_bytes) > 1000000 AND bool_or(c.status >= 500)",
    "SELECT event_time, source_ip, slowest, usual FROM (SELECT *, max(latency_ms) OVER w AS slowest, avg(latency_ms::bigint) OVER w AS usual FROM api \
     WHERE source_ip <> '' WINDOW w AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING)) WHERE slowest > usual * 10",
    "WITH refused AS (SELECT * FROM cloudtrail WHERE error_code LIKE 'Access%') SELECT principal FROM refused",
    "SELECT a.principal, a.event_time AS made, b.event_time AS used, b.request ->> 'name' AS trail\nFROM cloudtrail a JOIN cloudtrail b\n  \
     ON a.principal = b.principal AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '10 minutes'\n\
     WHERE a.event_name = 'CreateAccessKey' AND b.event_name = 'DeleteTrail'",
    "SELECT made.user_name, used.function_name, used.event_time AS at FROM (SELECT * FROM cloudtrail WHERE event_name = 'Invoke') AS made \
     JOIN lambda used ON made.request ->> 'functionName' = used.function_name AND used.event_time >= made.event_time \
     AND used.event_time < made.event_time + INTERVAL '1 minute' WHERE used.level = 'ERROR' OR made.read_only",
    "SELECT principal, a.event_time FROM cloudtrail a WHERE a.event_name = 'StopLogging' AND NOT EXISTS (SELECT 1 FROM cloudtrail b \
     WHERE b.principal = a.principal AND b.event_name = 'StartLogging' AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 hour')",
    "SELECT principal, event_time, source_ip FROM cloudtrail WHERE event_name = 'ConsoleLogin' \
     UNION ALL SELECT principal, event_time, source_ip FROM api WHERE status = 401 UNION ALL SELECT function_name, event_time, NULL AS source_ip FROM lambda WHERE level = 'FATAL'",
    "select Event_Name, \"region\" from CloudTrail where EVENT_NAME = 'StopLogging' -- trailing",
];

#[test]
fn good_detectors_pass_without_a_word_and_can_be_planned() {
    let planner = Planner::new(&Stream::built_ins());
    for sql in GOOD {
        let said = said(&with_header(sql));
        assert!(said.is_empty(), "{sql}\n{}", said[0].render(false));
        expanded(sql);
        let parsed = parse("a.sql", &with_header(sql)).unwrap();
        let plan = planner.plan(&expand(&parsed).unwrap());
        assert!(plan.is_ok(), "{sql}\n{:?}", plan.err());
    }
}

#[test]
fn the_longest_chain_that_is_read_can_be_planned() {
    let sql = format!("SELECT * FROM cloudtrail WHERE region = 'a'{}", " OR region = 'a'".repeat(299));
    let parsed = parse("a.sql", &with_header(&sql)).unwrap();
    assert!(check(&parsed, &Stream::built_ins(), &[]).is_empty());
    assert!(Planner::new(&Stream::built_ins()).plan(&expand(&parsed).unwrap()).is_ok());
}

#[test]
fn a_source_is_never_null() {
    let sql = "SELECT * FROM activity QUALIFY sum(records) OVER (PARTITION BY stream, source ORDER BY event_time \
               RANGE INTERVAL '1 hour' PRECEDING) = 0";
    let parsed = parse("a.sql", &with_header(sql)).unwrap();
    assert!(check(&parsed, &Stream::built_ins(), &[]).is_empty());
}

#[test]
fn the_detectors_that_ship_pass() {
    let queries = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../queries");
    let rules = load(&[queries]).unwrap_or_else(|errors| panic!("{}", errors[0].render(false)));
    for rule in &rules {
        let parsed = parse(&rule.file, &rule.text).unwrap_or_else(|errors| panic!("{}", errors[0].render(false)));
        assert_eq!(parsed.name, rule.name);
        let said = check(&parsed, &Stream::built_ins(), &[]);
        let shown: Vec<_> = said.iter().map(|diagnostic| diagnostic.render(false)).collect();
        assert!(!said.iter().any(super::Diagnostic::is_error), "{}", shown.join("\n"));
        assert!(expand(&parsed).is_ok());
        assert!(missing_tests(rule).len() <= 3);
    }
    assert!(!rules.is_empty());
}

#[test]
fn no_division_stops_a_query() {
    use arrow::array::{AsArray, RecordBatch};
    use arrow::datatypes::Int64Type;
    let sql = expanded(
        "SELECT status / response_bytes AS d, status % response_bytes AS m, -status AS n, status / 0 AS z FROM api",
    );
    let rows = "(VALUES (-9223372036854775807 - 1, -1), (7, -1), (7, 0), (7, 2), (NULL, -1), (7, NULL)) AS api(status, response_bytes)";
    let context = datafusion::prelude::SessionContext::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches: Vec<RecordBatch> = runtime.block_on(async {
        let frame = context.sql(&sql.replace("FROM api", &format!("FROM {rows}"))).await.unwrap();
        frame.collect().await.unwrap()
    });
    let column = |index: usize| -> Vec<Option<i64>> {
        batches.iter().flat_map(|batch| batch.column(index).as_primitive::<Int64Type>().iter()).collect()
    };
    assert_eq!(column(0), [Some(i64::MIN), Some(-7), None, Some(3), None, None]);
    assert_eq!(column(1), [Some(0), Some(0), None, Some(1), None, None]);
    assert_eq!(column(2), [Some(i64::MIN), Some(-7), Some(-7), Some(-7), None, Some(-7)]);
    assert_eq!(column(3), [None; 6]);
}
