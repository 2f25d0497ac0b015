//! One wrong file for each refusal.

use super::{SQL_LINE, said, with_header};

/// SQL, what is said of it, and the part of the SQL that the caret is under.
const WRONG: &[(&str, &str, &str)] = &[
    // Not readable, or not one SELECT.
    ("SELECT a FROM cloudtrail WHERE", "W010", ""),
    ("SELECT event_name, FROM cloudtrail", "W010", "FROM"),
    ("SELECT * FROM cloudtrail QUALIFY true WHERE true", "W010", "WHERE"),
    ("SELECT * FROM cloudtrail WHERE (event_name = 'x'", "W010", ""),
    ("SELECT * FROM cloudtrail WHERE event_name = 'x", "W010", "'"),
    ("SELECT * FROM cloudtrail WHERE event_name = 'x' /* open", "W010", ""),
    ("SELECT * FROM cloudtrail END WHERE read_only", "W010", "END"),
    ("SELECT * FROM cloudtrail WHERE event_name 'x'", "W010", "'x'"),
    ("DELETE FROM cloudtrail", "W011", "DELETE"),
    ("create table t (x int)", "W011", "create"),
    ("SELECT * FROM cloudtrail; SELECT 1", "W011", "SELECT"),
    ("VALUES (1)", "W011", "VALUES"),
    ("-- nothing but a comment", "W011", ""),
    // Without end.
    ("SELECT region, count(*) FROM cloudtrail GROUP BY region", "W012", "GROUP BY region"),
    ("SELECT count(*) AS n FROM cloudtrail", "W012", "count(*)"),
    ("SELECT region AS r, count(*) FROM cloudtrail GROUP BY r HAVING count(*) > 3", "W012", "GROUP BY r"),
    ("SELECT * FROM cloudtrail ORDER BY event_time DESC", "W013", "ORDER BY event_time DESC"),
    ("SELECT * FROM cloudtrail WHERE read_only LIMIT 10", "W013", "LIMIT 10"),
    ("SELECT * FROM cloudtrail OFFSET 3", "W013", "OFFSET 3"),
    ("SELECT * FROM cloudtrail FETCH FIRST 3 ROWS ONLY", "W013", "FETCH FIRST 3 ROWS ONLY"),
    ("SELECT * FROM (SELECT * FROM cloudtrail LIMIT 5) t", "W013", "LIMIT 5"),
    ("SELECT DISTINCT region FROM cloudtrail", "W014", "DISTINCT"),
    ("SELECT DISTINCT ON (region) region FROM cloudtrail", "W014", "DISTINCT"),
    // Ranges over windows.
    (
        "SELECT n FROM (SELECT tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS n FROM cloudtrail GROUP BY hour) \
         QUALIFY n > sum(n) OVER (ORDER BY event_time RANGE INTERVAL '1 day' PRECEDING)",
        "W021",
        "event_time",
    ),
    (
        "WITH hours AS (SELECT hop(event_time, INTERVAL '1 hour', INTERVAL '2 hours') AS hour, count(*) AS n FROM cloudtrail GROUP BY hour), \
         later AS (SELECT n, hour AS start FROM hours) \
         SELECT n FROM later QUALIFY n > sum(n) OVER (ORDER BY hour RANGE INTERVAL '1 day' PRECEDING)",
        "W021",
        "hour",
    ),
    (
        "SELECT n FROM (SELECT count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour')) \
         QUALIFY n > sum(n) OVER (ORDER BY hour RANGE INTERVAL '1 day' PRECEDING)",
        "W048",
        "sum(n) OVER (ORDER BY hour RANGE INTERVAL '1 day' PRECEDING)",
    ),
    (
        "SELECT count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour'), region \
         QUALIFY first_seen(INTERVAL '1 day') OVER (PARTITION BY region)",
        "W048",
        "first_seen(INTERVAL '1 day') OVER (PARTITION BY region)",
    ),
    // Windows of other kinds and other engines.
    (
        "SELECT count(*) FROM cloudtrail GROUP BY session(event_time, INTERVAL '5 minutes')",
        "W015",
        "session(event_time, INTERVAL '5 minutes')",
    ),
    (
        "SELECT * FROM TABLE(TUMBLE(TABLE cloudtrail, DESCRIPTOR(event_time), INTERVAL '10' MINUTES))",
        "W016",
        "TUMBLE(TABLE cloudtrail, DESCRIPTOR(event_time), INTERVAL '10' MINUTES)",
    ),
    (
        "SELECT * FROM HOP(cloudtrail, event_time, INTERVAL '1 minute', INTERVAL '5 minutes')",
        "W016",
        "HOP(cloudtrail, event_time, INTERVAL '1 minute', INTERVAL '5 minutes')",
    ),
    ("SELECT * FROM cloudtrail MATCH_RECOGNIZE (PARTITION BY principal)", "W016", "MATCH_RECOGNIZE"),
    ("SELECT * FROM cloudtrail EMIT CHANGES", "W016", "EMIT CHANGES"),
    (
        "SELECT hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes') AS w, count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour')",
        "W017",
        "hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes')",
    ),
    // Several inputs.
    ("SELECT a.region FROM cloudtrail a LEFT JOIN lambda b ON a.event_id = b.event_id", "W018", "JOIN"),
    ("SELECT a.region FROM cloudtrail a CROSS JOIN lambda b", "W018", "JOIN"),
    ("SELECT a.region FROM cloudtrail a JOIN lambda b USING (event_id)", "W018", "JOIN"),
    ("SELECT a.region FROM cloudtrail a JOIN lambda b ON a.event_id = b.event_id JOIN api c ON true", "W018", "JOIN"),
    ("SELECT a.region, b.nope FROM cloudtrail a JOIN lambda b ON a.event_id = b.event_id", "W028", "nope"),
    ("SELECT a.region FROM cloudtrail a JOIN lambda b ON a.event_id = c.event_id", "W028", "c.event_id"),
    (
        "SELECT region FROM cloudtrail a WHERE NOT EXISTS (SELECT 1 FROM lambda b WHERE b.event_id = a.nope)",
        "W028",
        "nope",
    ),
    ("SELECT * FROM cloudtrail, lambda", "W018", "lambda"),
    ("SELECT * FROM cloudtrail ASOF JOIN lambda ON true", "W018", "ASOF"),
    ("SELECT event_id FROM cloudtrail UNION SELECT event_id FROM lambda", "W018", "UNION"),
    ("SELECT event_id FROM cloudtrail UNION ALL SELECT nope FROM lambda", "W028", "nope"),
    ("SELECT event_id FROM cloudtrail EXCEPT SELECT event_id FROM lambda", "W018", "EXCEPT"),
    (
        "SELECT * FROM cloudtrail WHERE region IN (SELECT region FROM cloudtrail)",
        "W018",
        "region IN (SELECT region FROM cloudtrail)",
    ),
    ("SELECT EXISTS (SELECT 1 FROM lambda) AS x FROM cloudtrail", "W018", "SELECT 1 FROM lambda"),
    ("SELECT (SELECT 1) AS x FROM cloudtrail", "W018", "SELECT 1"),
    ("WITH RECURSIVE t AS (SELECT 1) SELECT * FROM t", "W018", "WITH"),
    // OVER.
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (ORDER BY event_time ROWS 3 PRECEDING) > 2",
        "W019",
        "count(*) OVER (ORDER BY event_time ROWS 3 PRECEDING)",
    ),
    ("SELECT lag(region) OVER (ORDER BY event_time) AS before FROM cloudtrail", "W019", "lag(region)"),
    ("SELECT row_number() OVER (ORDER BY event_time, event_id) AS n FROM cloudtrail", "W019", "row_number()"),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (ORDER BY event_time) > 2",
        "W020",
        "count(*) OVER (ORDER BY event_time)",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (ORDER BY event_time RANGE UNBOUNDED PRECEDING) > 2",
        "W020",
        "count(*) OVER (ORDER BY event_time RANGE UNBOUNDED PRECEDING)",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER w > 2 WINDOW w AS (ORDER BY event_time RANGE BETWEEN CURRENT ROW AND INTERVAL '1 hour' FOLLOWING)",
        "W020",
        "count(*) OVER w",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 month' PRECEDING) > 2",
        "W020",
        "'1 month'",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (ORDER BY event_time RANGE INTERVAL '1' YEAR PRECEDING) > 2",
        "W020",
        "'1'",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (PARTITION BY region) > 2",
        "W021",
        "count(*) OVER (PARTITION BY region)",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (ORDER BY region RANGE INTERVAL '1 hour' PRECEDING) > 2",
        "W021",
        "region",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (ORDER BY event_time DESC RANGE INTERVAL '1 hour' PRECEDING) > 2",
        "W021",
        "event_time",
    ),
    ("SELECT * FROM cloudtrail QUALIFY count(*) OVER w > 2", "W031", "w"),
    (
        "SELECT * FROM cloudtrail WINDOW w AS (ORDER BY event_time), w AS (PARTITION BY region) QUALIFY true",
        "W031",
        "w",
    ),
    (
        "SELECT count(*) OVER (w PARTITION BY region) AS n FROM cloudtrail WINDOW w AS (ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING)",
        "W031",
        "w",
    ),
    ("SELECT count(*) OVER w AS n FROM cloudtrail WINDOW w AS (w)", "W031", "w"),
    ("SELECT * FROM cloudtrail QUALIFY first_seen(INTERVAL '1 day')", "W032", "first_seen(INTERVAL '1 day')"),
    (
        "SELECT * FROM cloudtrail QUALIFY first_seen(INTERVAL '1 day') OVER ()",
        "W032",
        "first_seen(INTERVAL '1 day') OVER ()",
    ),
    (
        "SELECT * FROM cloudtrail QUALIFY first_seen(region) OVER (PARTITION BY principal)",
        "W032",
        "first_seen(region) OVER (PARTITION BY principal)",
    ),
    // Functions.
    ("SELECT * FROM cloudtrail WHERE event_time > now() - INTERVAL '1 hour'", "W022", "now()"),
    ("SELECT * FROM cloudtrail WHERE event_time > CURRENT_TIMESTAMP", "W022", "CURRENT_TIMESTAMP"),
    ("SELECT uuid() AS id FROM cloudtrail", "W022", "uuid()"),
    ("SELECT * FROM cloudtrail WHERE random() < 0.1", "W022", "random()"),
    (
        "SELECT approx_distinct(region) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour')",
        "W023",
        "approx_distinct(region)",
    ),
    (
        "SELECT median(read_only) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour')",
        "W023",
        "median(read_only)",
    ),
    ("SELECT stddev(status) AS n FROM api GROUP BY tumble(event_time, INTERVAL '1 hour')", "W024", "stddev(status)"),
    ("SELECT upper(region) OVER (ORDER BY event_time) AS n FROM cloudtrail", "W024", "upper(region)"),
    ("SELECT uper(region) AS r FROM cloudtrail", "W026", "uper"),
    ("SELECT json_extract(request, 'x') AS r FROM cloudtrail", "W026", "json_extract"),
    ("SELECT to_timestamp(raw) AS r FROM cloudtrail", "W026", "to_timestamp(raw)"),
    ("SELECT pg_catalog.lower(raw) AS r FROM cloudtrail", "W026", "pg_catalog.lower"),
    ("SELECT split_part(region, '-', status) AS r FROM api", "W033", "status"),
    ("SELECT substr(raw, 1, -1) AS r FROM cloudtrail", "W033", "-1"),
    ("SELECT substring(raw FROM length(region)) AS r FROM cloudtrail", "W033", "length(region)"),
    ("SELECT * FROM cloudtrail WHERE raw ~ region", "W033", "region"),
    ("SELECT * FROM cloudtrail WHERE raw ~ 'a('", "W033", "'a('"),
    ("SELECT * FROM cloudtrail WHERE regexp_like(raw, '(?<=a)b')", "W033", "'(?<=a)b'"),
    (
        "SELECT count(DISTINCT region, principal) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour')",
        "W033",
        "count(DISTINCT region, principal)",
    ),
    ("SELECT * FROM cloudtrail WHERE count(*) > 3", "W034", "count(*)"),
    ("SELECT * FROM cloudtrail HAVING region = 'x'", "W034", "HAVING region = 'x'"),
    ("SELECT upper(region) AS r FROM cloudtrail WHERE r = 'X'", "W034", "r"),
    // Operators, casts, other forms.
    ("SELECT * FROM cloudtrail WHERE request ? 'x'", "W025", "?"),
    ("SELECT * FROM cloudtrail WHERE request @> '{}'", "W025", "@>"),
    ("SELECT * FROM cloudtrail WHERE (request #>> '{a,b}') = 'x'", "W025", "#>>"),
    ("SELECT * FROM cloudtrail WHERE read_only && (mfa_used)", "W025", "&&"),
    ("SELECT (request ->> 'x')::jsonb AS x FROM cloudtrail", "W035", "request ->> 'x'"),
    ("SELECT (request ->> 'x')::timestamp + INTERVAL '1 day' AS x FROM cloudtrail", "W035", "request ->> 'x'"),
    ("SELECT request['x'] AS x FROM cloudtrail", "W029", "request['x'"),
    ("SELECT * FROM cloudtrail WHERE region SIMILAR TO 'x'", "W029", "region SIMILAR TO 'x'"),
    (
        "SELECT event_time AT TIME ZONE 'Europe/Berlin' AS x FROM cloudtrail",
        "W029",
        "event_time AT TIME ZONE 'Europe/Berlin'",
    ),
    ("SELECT * FROM cloudtrail WHERE region IS DISTINCT FROM 'a' AND read_only", "W029", "'a' AND read_only"),
    ("SELECT * FROM cloudtrail WHERE region = $1", "W029", "$1"),
    ("SELECT 1 AS one", "W029", "SELECT"),
    ("SELECT * FROM cloudtrail FOR UPDATE", "W029", "SELECT * FROM cloudtrail"),
    (
        "SELECT count(*) AS n FROM cloudtrail GROUP BY ROLLUP (region), tumble(event_time, INTERVAL '1 hour')",
        "W029",
        "region",
    ),
    ("SELECT * FROM unnest(ARRAY[1]) x", "W029", "FROM unnest(ARRAY[1]) x"),
    // Names.
    ("SELECT * FROM cloudtrial", "W027", "cloudtrial"),
    ("SELECT * FROM aws.cloudtrail", "W027", "aws.cloudtrail"),
    ("SELECT eventName FROM cloudtrail", "W028", "eventName"),
    ("SELECT * FROM cloudtrail WHERE region = \"us-east-1\"", "W028", "\"us-east-1\""),
    ("SELECT c.bucket FROM cloudtrail c", "W028", "bucket"),
    ("SELECT request.bucketName FROM cloudtrail", "W028", "request.bucketName"),
    ("SELECT d.region FROM cloudtrail c", "W028", "d.region"),
    ("SELECT principal FROM (SELECT region FROM cloudtrail) t", "W028", "principal"),
    ("WITH w AS (SELECT region FROM cloudtrail) SELECT principal FROM w", "W028", "principal"),
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (PARTITION BY princpal ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) > 2",
        "W028",
        "princpal",
    ),
    // Warnings.
    (
        "SELECT * FROM cloudtrail QUALIFY count(*) OVER (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) > 2",
        "W040",
        "principal",
    ),
    (
        "SELECT tumble(event_time, INTERVAL '1 hour') AS w, region, count(*) AS n FROM cloudtrail WHERE principal IS NOT NULL GROUP BY 1, 2",
        "W040",
        "region",
    ),
    ("SELECT * FROM cloudtrail WHERE event_name = 'UpdateFunctionCode'", "W041", "'UpdateFunctionCode'"),
    (
        "SELECT * FROM cloudtrail WHERE action IN ('Invoke', 'AddPermission20150331v2')",
        "W041",
        "'AddPermission20150331v2'",
    ),
    ("SELECT * FROM cloudtrail WHERE event_name = 'ConsolLogin'", "W046", "'ConsolLogin'"),
    ("SELECT * FROM cloudtrail WHERE event_name IN ('StopLogging', 'stoplogging')", "W046", "'stoplogging'"),
    ("SELECT * FROM cloudtrail c WHERE c.event_source = 's3.amazon.com'", "W046", "'s3.amazon.com'"),
    ("SELECT * FROM cloudtrail WHERE event_source LIKE '%.amazon.com'", "W046", "event_source LIKE '%.amazon.com'"),
    (
        "SELECT * FROM cloudtrail WHERE event_source = 'iam.amazonaws.com' AND action = 'RunInstances'",
        "W046",
        "'RunInstances'",
    ),
    ("SELECT * FROM cloudtrail WHERE error_code = 'Access_Denied'", "W046", "'Access_Denied'"),
    ("SELECT * FROM cloudtrail WHERE user_type <> 'IamUser'", "W046", "'IamUser'"),
    ("SELECT * FROM cloudtrail WHERE response ->> 'ConsoleLogin' = 'Failed'", "W046", "'Failed'"),
    ("SELECT * FROM lambda WHERE level = 'EROR'", "W046", "'EROR'"),
    ("SELECT * FROM api WHERE method IN ('post')", "W046", "'post'"),
    ("SELECT x FROM (SELECT event_type AS x FROM cloudtrail) WHERE x = 'AwsApiCal'", "W046", "'AwsApiCal'"),
    ("SELECT * FROM cloudtrail WHERE error_code <> NULL", "W047", "error_code <> NULL"),
    ("SELECT * FROM cloudtrail WHERE region NOT IN ('a', NULL)", "W047", "region NOT IN ('a', NULL)"),
    ("SELECT * FROM cloudtrail WHERE region = 'a' AND region = 'b'", "W047", "region = 'b'"),
    ("SELECT * FROM cloudtrail WHERE region IS NULL AND region LIKE 'a%'", "W047", "region LIKE 'a%'"),
    ("SELECT * FROM api WHERE status > 500 AND NOT status >= 400", "W047", "NOT status >= 400"),
    ("SELECT * FROM api WHERE status BETWEEN 500 AND 400", "W047", "status BETWEEN 500 AND 400"),
    ("SELECT * FROM api WHERE upper(path) LIKE '/Admin%'", "W047", "upper(path) LIKE '/Admin%'"),
    ("SELECT * FROM cloudtrail WHERE read_only AND read_only = false", "W047", "read_only = false"),
    ("SELECT * FROM (SELECT * FROM api WHERE status = 200) WHERE status = 404", "W047", "status = 404"),
    ("SELECT * FROM lambda WHERE type = 'platform.start' AND init_ms > 5", "W047", "init_ms"),
    ("SELECT * FROM cloudtrail WHERE user_type = 'Root' AND session_name LIKE 'x%'", "W047", "session_name"),
    (
        "SELECT * FROM cloudtrail WHERE principal IS NOT NULL QUALIFY count(DISTINCT principal) OVER (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) > 1",
        "W047",
        "count(DISTINCT principal) OVER (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) > 1",
    ),
    (
        "SELECT count(*) AS n FROM cloudtrail GROUP BY tumble(event_time, INTERVAL '1 hour') HAVING count(*) < 0",
        "W047",
        "count(*) < 0",
    ),
    (
        "SELECT count(*) FILTER (WHERE region = 'a') AS n FROM cloudtrail WHERE region = 'b' GROUP BY tumble(event_time, INTERVAL '1 hour')",
        "W047",
        "region = 'a'",
    ),
];

#[test]
fn each_wrong_form_is_refused_by_its_code_at_its_place() {
    let mut differences = Vec::new();
    for (sql, code, at) in WRONG {
        let text = with_header(sql);
        let said = said(&text);
        let column = |at: usize| {
            text[text.len() - sql.len()..].get(..at - (text.len() - sql.len())).map_or(0, |b| b.chars().count() + 1)
        };
        let right = match said.as_slice() {
            [one] => {
                let helped = one.help.as_ref().is_some_and(|help| help.len() > 10) || *code == "W010";
                let place = one.position() == (SQL_LINE, column(one.span.start));
                one.code == *code && text.get(one.span.clone()) == Some(at) && helped && place
            }
            _ => false,
        };
        if !right {
            differences.push(format!("{sql}\n{code} {at}\n{}", all(&said)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn every_code_of_the_language_has_a_wrong_file() {
    let elsewhere = [
        "W001", "W002", "W003", "W004", "W005", "W006", "W007", "W008", "W030", "W036", "W037", "W038", "W039", "W042",
        "W043", "W044", "W045", "W050",
    ];
    for (code, meaning) in super::super::codes::ALL {
        let here = WRONG.iter().any(|(_, wrong, _)| wrong == code);
        assert!(here != elsewhere.contains(code), "{code}: {meaning}");
    }
}

#[test]
fn headers_are_refused_where_they_are_wrong() {
    let good = with_header("SELECT * FROM cloudtrail");
    for (from, to, code, at) in [
        ("/*\n", "-- mine\n/*\n", "W002", "-- mine"),
        ("/*\ntitle", "title", "W002", "title = \"T\""),
        ("\"A\"\n*/\nSELECT", "\"A\"\nSELECT", "W002", "/*"),
        ("about = \"A\"", "about = \"arn:aws:iam::*/x\"", "W003", "*/"),
        ("title = \"T\"", "title = T", "W004", "T"),
        ("title = \"T\"", "title = \"T\"\nsupress = \"1 hour\"", "W005", "supress"),
        ("title = \"T\"\n", "", "W006", "/*"),
        ("\"high\"", "\"hihg\"", "W007", "\"hihg\""),
        ("\"high\"", "3", "W007", "3"),
        ("title = \"T\"", "title = \"\"", "W007", "\"\""),
        ("title = \"T\"", "title = \"T\"\nsuppress = \"soon\"", "W007", "\"soon\""),
        ("title = \"T\"", "title = \"T\"\nattack = [\"T1110\", \"T1110.1\"]", "W007", "\"T1110.1\""),
        ("title = \"T\"", "title = \"T\"\nattack = \"T1110\"", "W007", "\"T1110\""),
        ("title = \"T\"", "title = \"T\"\nkey = [\"princpal\"]", "W028", "\"princpal\""),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let said = said(&text);
        let [diagnostic] = said.as_slice() else { panic!("{text}\n{}", all(&said)) };
        assert_eq!((diagnostic.code, &text[diagnostic.span.clone()]), (code, at), "{}", all(&said));
    }
}

#[test]
fn a_key_without_effect_is_warned_of() {
    let sql = "SELECT tumble(event_time, INTERVAL '1 hour') AS w, count(*) AS n FROM cloudtrail GROUP BY 1";
    let said = said(&with_header(sql).replacen("title", "key = [\"n\"]\ntitle", 1));
    assert_eq!(said.iter().map(|d| (d.code, d.is_error())).collect::<Vec<_>>(), [("W042", false)]);
}

#[test]
fn depth_and_length_are_bounded() {
    let chain =
        |operators: usize| format!("SELECT * FROM cloudtrail WHERE read_only{}", " OR read_only".repeat(operators));
    for (sql, code) in [
        (format!("SELECT * FROM cloudtrail WHERE {}true{}", "(".repeat(5000), ")".repeat(5000)), "W030"),
        (format!("SELECT * FROM cloudtrail WHERE {} true", "NOT ".repeat(5000)), "W030"),
        (format!("SELECT * FROM cloudtrail WHERE {}read_only{}", "NOT (".repeat(40), ")".repeat(40)), "W030"),
        (format!("SELECT * FROM {}cloudtrail{}", "(SELECT * FROM ".repeat(500), ")".repeat(500)), "W030"),
        (format!("SELECT * FROM cloudtrail WHERE read_only{}", " IS TRUE".repeat(5000)), "W030"),
        (format!("SELECT '1'{} AS x FROM cloudtrail", "::text".repeat(5000)), "W030"),
        (format!("SELECT {}1 {} FROM cloudtrail", "CASE WHEN true THEN ".repeat(2000), "END ".repeat(2000)), "W030"),
        (chain(10_000), "W030"),
        (
            format!("SELECT event_id FROM cloudtrail{}", " UNION ALL SELECT event_id FROM cloudtrail".repeat(3000)),
            "W030",
        ),
        (format!("SELECT '{}' AS x FROM cloudtrail", "x".repeat(300_000)), "W001"),
    ] {
        let said = said(&with_header(&sql));
        assert_eq!(said.iter().map(|d| d.code).collect::<Vec<_>>(), [code], "{}\n{}", &sql[..60], all(&said));
    }
    assert_eq!(said(&with_header(""))[0].code, "W011");
    assert!(said(&with_header(&chain(590))).is_empty());
}

#[test]
fn not_more_is_said_than_a_person_reads() {
    let sql = format!("SELECT {} FROM cloudtrail", vec!["nope"; 5000].join(", "));
    let count = said(&with_header(&sql)).len();
    assert!((2..=50).contains(&count), "{count}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever is cut out of, or put into, a good detector: it is read or refused, and what is said can be shown.
    #[test]
    fn no_text_is_too_odd(cut in 0..400usize, length in 0..30usize, put in "[a-z0-9'\"()*/ ,;=\\n\u{1b}é$\\[\\]-]{0,12}") {
        let good = with_header(
            "SELECT principal, count(DISTINCT request ->> 'x') OVER w AS n, first_seen(INTERVAL '1 day') OVER (PARTITION BY region)\n\
             FROM (SELECT * FROM cloudtrail WHERE event_name IN ('a', 'b') AND (request -> 'é' ->> 1)::bigint / 3 > 4)\n\
             WINDOW w AS (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING) QUALIFY n > 3",
        );
        let start = good.floor_char_boundary(cut.min(good.len()));
        let end = good.floor_char_boundary((start + length).min(good.len()));
        let text = format!("{}{put}{}", &good[..start], &good[end..]);
        for diagnostic in said(&text) {
            let escaped = !diagnostic.render(false).contains('\u{1b}');
            proptest::prop_assert!(escaped);
            let _ = diagnostic.to_json();
        }
        if let Ok(parsed) = super::parse("a.sql", &text) {
            let _ = super::super::expand(&parsed);
        }
    }
}

fn all(said: &[super::Diagnostic]) -> String {
    said.iter().map(|diagnostic| diagnostic.render(false)).collect::<Vec<_>>().join("\n")
}
