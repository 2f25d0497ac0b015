//! What each column is made of.

use watchfire_record::batch::flags;
use watchfire_record::{Column, ColumnDefinition};

use super::*;

fn cloudtrail(name: &str, members: &str) -> Cell {
    value(&Stream::cloudtrail(), name, &format!("{{\"eventTime\":\"2026-11-24T10:00:00Z\",{members}}}"))
}

#[test]
fn a_principal_is_the_first_stable_name() {
    for (members, expected) in [
        (r#""userIdentity":{"arn":"a","invokedBy":"i","sessionContext":{"sessionIssuer":{"arn":"s"}}}"#, some("s")),
        (r#""userIdentity":{"arn":"a","sessionContext":{"sessionIssuer":{"arn":""}}}"#, some("a")),
        (r#""userIdentity":{"arn":null,"invokedBy":"i","type":"AWSService"}"#, some("i")),
        (r#""userIdentity":{"type":"IAMUser","accountId":"1","userName":"bob"}"#, some("IAMUser:1:bob")),
        (r#""userIdentity":{"type":"AWSAccount","accountId":"1"}"#, some("AWSAccount:1")),
        (r#""userIdentity":{"type":"IAMUser","userName":"bob"},"sourceIPAddress":"1.2.3.4""#, some("IAMUser::bob")),
        (r#""userIdentity":{"type":"Unknown"},"sourceIPAddress":"1.2.3.4""#, some("1.2.3.4")),
        (r#""userIdentity":"root","sourceIPAddress":"1.2.3.4""#, some("1.2.3.4")),
        (r#""sourceIPAddress":"""#, Cell::Null),
    ] {
        assert_eq!(cloudtrail("principal", members), expected, "{members}");
    }
}

#[test]
fn a_session_name_is_only_a_role_sessions() {
    let arn = |arn: &str, kind: &str| format!(r#""userIdentity":{{"type":"{kind}","arn":"{arn}"}}"#);
    for (members, expected) in [
        (arn("arn:aws:sts::1:assumed-role/role/alice", "AssumedRole"), some("alice")),
        (arn("arn:aws:sts::1:assumed-role/role/alice", ""), some("alice")),
        (arn("arn:aws:iam::1:user/path/bob", "IAMUser"), Cell::Null),
        (arn("arn:aws:sts::1:federated-user/bob", "FederatedUser"), Cell::Null),
    ] {
        assert_eq!(cloudtrail("session_name", &members), expected, "{members}");
    }
}

#[test]
fn truth_is_read_in_every_spelling() {
    let session =
        |value: &str| format!(r#""userIdentity":{{"sessionContext":{{"attributes":{{"mfaAuthenticated":{value}}}}}}}"#);
    for (name, members, expected) in [
        ("read_only", r#""readOnly":true"#.into(), Cell::Boolean(true)),
        ("read_only", r#""readOnly":"false""#.into(), Cell::Boolean(false)),
        ("mfa_used", r#""additionalEventData":{"MFAUsed":"Yes"}"#.into(), Cell::Boolean(true)),
        (
            "mfa_used",
            format!(r#""additionalEventData":{{"MFAUsed":"No"}},{}"#, session("\"true\"")),
            Cell::Boolean(false),
        ),
        ("mfa_used", format!(r#""additionalEventData":{{"MFAUsed":""}},{}"#, session("\"true\"")), Cell::Boolean(true)),
        ("mfa_used", session("\"false\""), Cell::Boolean(false)),
        ("mfa_used", r#""x":1"#.into(), Cell::Null),
    ] {
        assert_eq!(cloudtrail(name, &members), expected, "{members}");
    }
}

#[test]
fn cloudtrails_other_columns() {
    for (name, members, expected) in [
        ("action", r#""eventName":"UpdateFunctionCode20150331v2""#, some("UpdateFunctionCode")),
        ("event_name", r#""eventName":"UpdateFunctionCode20150331v2""#, some("UpdateFunctionCode20150331v2")),
        ("account_id", r#""recipientAccountId":"","userIdentity":{"accountId":"2"}"#, some("2")),
        ("account_id", r#""recipientAccountId":"1","userIdentity":{"accountId":"2"}"#, some("1")),
        ("event_id", r#""eventID":"e-1""#, some("e-1")),
        ("event_id", r#""eventID":"""#, some("logs/3/100/0")),
        ("error_message", r#""errorMessage":"""#, some("")),
        ("request", r#""requestParameters":{ "a" : [1, "\u0041"] }"#, some(r#"{"a":[1,"A"]}"#)),
        ("request", r#""requestParameters":"text""#, some("\"text\"")),
        ("request", r#""requestParameters":null"#, Cell::Null),
        ("event_time", r#""x":1"#, Cell::Time(1_795_514_400_000_000)),
    ] {
        assert_eq!(cloudtrail(name, members), expected, "{name} {members}");
    }
}

#[test]
fn below_a_json_column_every_type_is_text() {
    let stream = Stream::cloudtrail();
    let record =
        br#"{"eventTime":"2026-11-24T10:00:00Z","requestParameters":{"a":{"n":1.50,"o":{"x":[ 1 ]}},"l":[1,"z"]}}"#;
    let last = vec![PathStep::Key("l".into()), PathStep::Index(-1)];
    let last = ColumnRequest { source: ColumnSource::Path("request".into(), last), column_type: ColumnType::Text };
    let columns = vec![path("request", &["a", "n"]), path("request", &["a", "o"]), path("request", &["l", "n"]), last];
    let batch = decode(&stream, columns, &[record]);
    let values: Vec<_> = (0..4).map(|n| cells(&batch, n).remove(0)).collect();
    assert_eq!(values, [some("1.5"), some(r#"{"x":[1]}"#), Cell::Null, some("z")]);
    assert_eq!(batch.rows[0].flags, 0);
}

#[test]
fn below_a_text_column_its_text_is_read_as_json() {
    let stream = Stream::lambda();
    let record = |message: &str| format!(r#"{{"timestamp":1795514400500,"message":{message}}}"#);
    let texts = [record(r#""{\"a\":[1]}""#), record(r#"{"a":[1]}"#), record("\"no JSON\"")];
    let texts: Vec<_> = texts.iter().map(String::as_bytes).collect();
    let batch = decode(&stream, vec![path("message", &["a"])], &texts);
    assert_eq!(cells(&batch, 0), [some("[1]"), some("[1]"), Cell::Null]);
}

#[test]
fn lambda_reads_application_logs_and_telemetry() {
    let stream = Stream::lambda();
    let report = r#"{"time":"2026-11-24T10:00:00.5Z","type":"platform.report","record":{"requestId":"r","status":"timeout",
        "metrics":{"durationMs":3000.5,"billedDurationMs":3001,"memorySizeMB":128,"maxMemoryUsedMB":64,"initDurationMs":7}}}"#;
    let log = r#"{"timestamp":1795514400500,"level":"INFO","requestId":"r","message":{"a": 1},"errorType":"E","function_name":"f"}"#;
    for (name, in_report, in_log) in [
        ("event_time", Cell::Time(1_795_514_400_500_000), Cell::Time(1_795_514_400_500_000)),
        ("event_id", some("logs/3/100/0"), some("logs/3/100/0")),
        ("request_id", some("r"), some("r")),
        ("type", some("platform.report"), Cell::Null),
        ("status", some("timeout"), Cell::Null),
        ("duration_ms", Cell::Float(3000.5), Cell::Null),
        ("billed_ms", Cell::Float(3001.0), Cell::Null),
        ("memory_mb", Cell::Integer(128), Cell::Null),
        ("max_memory_mb", Cell::Integer(64), Cell::Null),
        ("init_ms", Cell::Float(7.0), Cell::Null),
        ("level", Cell::Null, some("INFO")),
        ("message", Cell::Null, some(r#"{"a":1}"#)),
        ("error_type", Cell::Null, some("E")),
        ("function_name", Cell::Null, some("f")),
    ] {
        assert_eq!((value(&stream, name, report), value(&stream, name, log)), (in_report, in_log), "{name}");
    }
    let batch = decode(&stream, vec![column(&stream, "message")], &[log.as_bytes()]);
    assert_eq!(batch.rows[0].flags, 0, "an object is no wrong type for a message");
}

#[test]
fn api_reads_numbers_in_text_and_takes_dashes_for_nothing() {
    let stream = Stream::api();
    let record = r#"{"requestTime":"24/Nov/2026:10:00:00 +0000","requestId":"r","ip":"-","identity":{"sourceIp":"1.2.3.4"},
        "user":"-","caller":"c","httpMethod":"GET","path":"/x","status":"200","responseLength":"-","integrationLatency":"12.5",
        "routeKey":"GET /x","authorizerError":"-"}"#;
    for (name, expected) in [
        ("event_time", Cell::Time(1_795_514_400_000_000)),
        ("source_ip", some("1.2.3.4")),
        ("principal", some("c")),
        ("method", some("GET")),
        ("resource_path", some("GET /x")),
        ("status", Cell::Integer(200)),
        ("response_bytes", Cell::Null),
        ("latency_ms", Cell::Float(12.5)),
        ("authorizer_error", Cell::Null),
        ("user_agent", Cell::Null),
    ] {
        assert_eq!(value(&stream, name, record), expected, "{name}");
    }
    let both = r#"{"requestTime":"24/Nov/2026:10:00:00 +0000","requestTimeEpoch":"1795514400123"}"#;
    assert_eq!(value(&stream, "event_time", both), Cell::Time(1_795_514_400_123_000));
}

#[test]
fn declared_streams_read_by_path() {
    let define = |name: &str, column_type, path: &[&str]| ColumnDefinition {
        name: name.into(),
        column_type,
        path: path.iter().map(|key| PathStep::Key((*key).into())).collect(),
    };
    let stream = Stream::declared(
        "audit",
        vec![
            define("event_time", ColumnType::Time, &["meta", "at"]),
            define("event_id", ColumnType::Text, &["id"]),
            define("verb", ColumnType::Text, &[]),
            define("count", ColumnType::Integer, &["n"]),
            define("object", ColumnType::Json, &["object"]),
        ],
    );
    let record = r#"{"meta":{"at":1795514400},"verb":"get","n":7.0,"object":{"kind":"pod"}}"#;
    for (name, expected) in [
        ("event_time", Cell::Time(1_795_514_400_000_000)),
        ("event_id", some("logs/3/100/0")),
        ("verb", some("get")),
        ("count", Cell::Integer(7)),
        ("object", some(r#"{"kind":"pod"}"#)),
    ] {
        assert_eq!(value(&stream, name, record), expected, "{name}");
    }
    let batch =
        decode(&stream, vec![path("object", &["kind"])], &[record.as_bytes(), br#"{"meta":7}"#, br#"{"Records":[]}"#]);
    assert_eq!(cells(&batch, 0), [some("pod")]);
    assert_eq!(reasons(&batch), ["no_event_time", "no_event_time"]);
}

#[test]
fn rows_are_read_late_with_the_systems_columns() {
    let stream = Stream::cloudtrail();
    let record = |name: &str| format!(r#" {{"eventTime":"2026-11-24T10:00:00Z","eventName":"{name}"}} "#);
    let (a, b) = (record("A"), format!("\u{FEFF}{}", record("B\\ud800")));
    let mut decoder = Decoder::new(&stream, 0, vec![column(&stream, "event_name")]);
    let mut batch = decode_all(&mut decoder, raw(&[a.as_bytes(), b.as_bytes()]));
    batch.rows[1].watermark = 5;
    batch.rows[1].flags |= flags::LATE;
    let names = ["event_name", "_topic", "_partition", "_offset", "_index", "_watermark", "_flags", "raw"];
    let columns: Vec<_> = names.iter().map(|name| column(&stream, name)).collect();
    let late = decoder.decode_rows(&batch, &[1, 0, 1], &columns);
    let row = |row: usize| late.iter().map(|array| cell(array, row)).collect::<Vec<_>>();
    let number = Cell::Integer;
    let common = |offset| vec![some("logs"), number(3), number(offset), number(0)];
    let second = [
        vec![some("B\u{FFFD}")],
        common(101),
        vec![Cell::Time(5), some("repaired_text,late"), some(b.trim_start_matches('\u{FEFF}').trim())],
    ]
    .concat();
    let first = [vec![some("A")], common(100), vec![Cell::Null, some(""), some(a.trim())]].concat();
    assert_eq!((row(0), row(1), row(2)), (second.clone(), first, second));
    assert!(decoder.decode_rows(&batch, &[], &columns).iter().all(|array| array.is_empty()));
}

#[test]
fn repeated_texts_are_interned_over_batches() {
    let stream = Stream::cloudtrail();
    let record = br#"{"eventTime":"2026-11-24T10:00:00Z","eventName":"A","eventID":"x"}"#;
    let mut decoder = Decoder::new(&stream, 0, vec![column(&stream, "event_name"), column(&stream, "request")]);
    let first = decode_all(&mut decoder, raw(&[record]));
    let second = decode_all(&mut decoder, raw(&[record, record]));
    for (batch, rows) in [(&first, 1), (&second, 2)] {
        assert!(matches!(&batch.columns[0], Column::Interned { ids, .. } if *ids == vec![0; rows]));
        assert!(matches!(&batch.columns[1], Column::Plain(_)));
        assert_eq!((batch.sequence, batch.rows[0].timestamp, batch.rows[0].watermark), (7, TIMESTAMP, i64::MIN));
    }
}
