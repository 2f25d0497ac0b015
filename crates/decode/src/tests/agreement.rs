//! The fast path and its slow twin agree on every column, flag and outcome.

use proptest::prelude::*;
use watchfire_record::{ColumnRequest, Envelope, Position, Stream};

use super::*;
use crate::slow::{self, No, SlowRow};

const KEYS: [&str; 44] = [
    "eventName",
    "eventSource",
    "awsRegion",
    "recipientAccountId",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "readOnly",
    "eventID",
    "eventTime",
    "userIdentity",
    "type",
    "arn",
    "accountId",
    "userName",
    "invokedBy",
    "sessionContext",
    "sessionIssuer",
    "attributes",
    "mfaAuthenticated",
    "additionalEventData",
    "MFAUsed",
    "requestParameters",
    "tags",
    "env",
    "timestamp",
    "time",
    "record",
    "metrics",
    "durationMs",
    "memorySizeMB",
    "requestId",
    "message",
    "functionName",
    "requestTimeEpoch",
    "requestTime",
    "status",
    "path",
    "user",
    "authorizer",
    "principalId",
    "responseLength",
    "$serde_json::private::RawValue",
    "\\u0065ventName",
];

const SCALARS: [&str; 50] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1.0",
    "200",
    "-7",
    "1e400",
    "-1e999",
    "1e-400",
    "0e999999999999",
    "1E5",
    "3.50",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "0.1",
    "5e-324",
    "1.7976931348623157e308",
    "9007199254740993",
    "1700000000000",
    r#""""#,
    r#""-""#,
    r#""200""#,
    r#""12.5""#,
    r#""1e999""#,
    r#""true""#,
    r#""Yes""#,
    r#""no""#,
    r#""maybe""#,
    r#""\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\u0000\n\"\\\/""#,
    r#""2026-11-24T10:00:00Z""#,
    r#""24/Nov/2026:10:00:00 +0000""#,
    r#""1764000000000""#,
    r#""AssumedRole""#,
    r#""arn:aws:sts::1:assumed-role/role/session""#,
    r#""GetFunction20150331v2""#,
    r#""é😀""#,
    r#""x\u00e9""#,
    "[]",
    "{}",
    "[1,2,{\"a\":1}]",
    "1.",
    "nope",
];

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::sample::select(&SCALARS[..48]).prop_map(String::from),
        1 => proptest::sample::select(&SCALARS[..]).prop_map(String::from),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        1 => "-?[1-9][0-9]{0,25}(\\.[0-9]{1,25})?(e-?[0-9]{1,3})?",
        1 => any::<i64>().prop_map(|number| number.to_string()),
        2 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ]
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (proptest::sample::select(&KEYS[..]), value).prop_map(|(key, value)| format!("\"{key}\":{value}"));
    proptest::collection::vec(member, 0..8).prop_map(|members| members.join(","))
}

fn json() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            4 => members(inner.clone()).prop_map(|members| format!("{{{members}}}")),
            1 => proptest::collection::vec(inner, 0..4).prop_map(|elements| format!("[{}]", elements.join(" , "))),
        ]
    })
}

/// A record that mostly has an event time of every format.
fn record() -> impl Strategy<Value = String> {
    let times = r#""eventTime":"2026-11-24T10:00:00Z","timestamp":1764000000000,"requestTimeEpoch":"1764000000000""#;
    let time = prop_oneof![8 => Just(times), 1 => Just(r#""eventTime":7"#), 1 => Just("\"x\":1")];
    (time, members(json()), any::<bool>()).prop_map(|(time, members, first)| match (members.is_empty(), first) {
        (true, _) => format!("{{{time}}}"),
        (_, true) => format!("{{{time},{members}}}"),
        _ => format!(" {{{members}, {time}}}\n"),
    })
}

#[derive(Debug, Clone)]
enum Mutation {
    None,
    Cut(usize),
    Replace(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize),
    Nest(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let interesting =
        prop_oneof![Just(b'"'), Just(b'\\'), Just(0), Just(0xFF), Just(b','), Just(b'}'), Just(b'{'), any::<u8>()];
    let snippets: [&[u8]; 8] =
        [b"\\ud800", b"\xED\xA0\x80", b"\xC3", b"1e999", b"\\u00", b"\"\"", b"\x00", b"\xEF\xBB\xBF"];
    prop_oneof![
        6 => Just(Mutation::None),
        1 => any::<usize>().prop_map(Mutation::Cut),
        2 => (any::<usize>(), interesting).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        2 => (any::<usize>(), proptest::sample::select(snippets.to_vec())).prop_map(|(at, text)| Mutation::Insert(at, text.to_vec())),
        1 => any::<usize>().prop_map(Mutation::Remove),
        1 => (100usize..140).prop_map(Mutation::Nest),
    ]
}

fn mutated(text: &str, mutation: &Mutation) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let len = bytes.len();
    match mutation {
        Mutation::None => {}
        Mutation::Cut(at) => bytes.truncate(at % len),
        Mutation::Replace(at, byte) => bytes[at % len] = *byte,
        Mutation::Insert(at, snippet) => drop(bytes.splice(at % len..at % len, snippet.iter().copied())),
        Mutation::Remove(at) => drop(bytes.remove(at % len)),
        Mutation::Nest(levels) => {
            let nested = format!("{{\"requestParameters\":{}{},", "[".repeat(*levels), "]".repeat(*levels));
            return text.replacen('{', &nested, 1).into_bytes();
        }
    }
    bytes
}

fn requests(stream: &Stream) -> Vec<ColumnRequest> {
    let mut columns = all_columns(stream);
    let paths: &[(&str, &[&str])] = match stream.name.as_str() {
        "cloudtrail" => &[("request", &["tags", "env"]), ("user_identity", &["arn"]), ("request", &["tags"])],
        "lambda" => &[("record", &["metrics"]), ("record", &["metrics", "durationMs"])],
        _ => &[],
    };
    columns.extend(paths.iter().map(|(column, keys)| path(column, keys)));
    if stream.name == "cloudtrail" {
        let steps = vec![PathStep::Key("tags".into()), PathStep::Index(-1)];
        columns
            .push(ColumnRequest { source: ColumnSource::Path("request".into(), steps), column_type: ColumnType::Text });
    }
    columns
}

/// Pieces of envelopes, records and nonsense in any order.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let record = r#"{"eventTime":"2026-11-24T10:00:00Z","timestamp":1764000000000,"requestTimeEpoch":1764000000000}"#;
    let logs = r#"{"messageType":"DATA_MESSAGE","logGroup":"/aws/lambda/f","logEvents":["#;
    let event = r#"{"id":"1","timestamp":1764000000000,"message":"START RequestId: r"}"#;
    let text = r#"{"Message":"{\"timestamp\":1764000000000}"}"#;
    let pieces = [
        record,
        logs,
        event,
        text,
        "{\"Records\":[",
        "{\"body\":",
        "{\"detail-type\":1,\"detail\":",
        "[",
        "]",
        "{",
        "}",
        "]}",
    ];
    let more = [",", ":", "\"", "\\", "\n", " ", "7", "null", "{}", "\"H4sI\"", "{\"data\":\"e30=\"}", "\u{FEFF}"];
    let pieces = [pieces, more].concat().into_iter().map(|piece| piece.as_bytes().to_vec()).collect::<Vec<_>>();
    let piece = prop_oneof![9 => proptest::sample::select(pieces), 1 => any::<u8>().prop_map(|byte| vec![byte])];
    proptest::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

/// Holds the fast path to its twin over one payload.
fn check(stream: &Stream, text: &[u8]) {
    let mut stream = stream.clone();
    stream.envelope = Envelope::None;
    let columns = requests(&stream);
    let mut decoder = Decoder::new(&stream, 0, columns.clone());
    let batch = decode_all(&mut decoder, raw(&[text]));
    let trimmed = &text[crate::scan::trim(text, 0..text.len())];
    if trimmed.is_empty() {
        assert_eq!(batch.skipped, [("blank", 1)]);
        return;
    }
    if trimmed[0] == b'[' {
        return;
    }
    assert_eq!(batch.consumed(), 1);
    let position = Position { partition: partition(), offset: 100, index: 0 };
    let shown = String::from_utf8_lossy(text);
    match slow::decode(stream.format, &columns, trimmed, &position) {
        Ok(expected) => {
            assert_eq!(batch.rows.len(), 1, "{shown}: {:?}", batch.rejects);
            let event_time = batch.rows[0].event_time;
            let late = decoder.decode_rows(&batch, &[0], &columns);
            for (n, request) in columns.iter().enumerate() {
                let expected = if request.name() == "raw" {
                    some(&String::from_utf8_lossy(trimmed))
                } else {
                    expected.cells[n].clone()
                };
                let fast = cells(&batch, n).remove(0);
                assert_eq!(fast, expected, "{} of {shown}", request.name());
                assert_eq!(cell(&late[n], 0), fast, "{} of {shown}, late", request.name());
            }
            let SlowRow { event_time: slow_time, flags, .. } = expected;
            assert_eq!((event_time, batch.rows[0].flags), (slow_time, flags), "{shown}");
        }
        Err(No::EventTime) => assert_eq!(reasons(&batch), ["no_event_time"], "{shown}"),
        Err(No::Object) => {
            let known = ["truncated", "invalid_json", "garbage_after_value", "too_deep", "not_an_object"];
            assert!(batch.rows.is_empty() && known.contains(&batch.rejects[0].reason), "{shown}: {:?}", batch.rejects);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_paths_agree(record in record(), mutation in mutation(), stream in 0..3usize) {
        check(&Stream::built_ins()[stream], &mutated(&record, &mutation));
    }

    #[test]
    fn both_paths_agree_on_noise(noise in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\u0d8e1-. ntf\xC3\xFF\n".to_vec()), 0..40)) {
        check(&Stream::cloudtrail(), &noise);
    }

    #[test]
    fn whatever_comes_is_counted_and_read_again(noise in noise(), several in any::<bool>(), stream in 0..3usize) {
        let stream = Stream::built_ins().swap_remove(stream);
        let columns = all_columns(&stream);
        let mut decoder = Decoder::new(&stream, 0, columns.clone()).allow_several(several);
        let batch = decode_all(&mut decoder, raw(&[&noise]));
        let rows: Vec<u32> = (0..batch.rows.len() as u32).collect();
        for (n, array) in decoder.decode_rows(&batch, &rows, &columns).iter().enumerate() {
            let late: Vec<_> = rows.iter().map(|row| cell(array, *row as usize)).collect();
            assert_eq!(late, cells(&batch, n));
        }
    }
}
