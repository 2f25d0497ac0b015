//! What is around records, and what only looks like it.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use watchfire_record::Envelope;
use watchfire_record::batch::flags;

use super::*;

fn record(name: &str) -> String {
    format!(r#"{{"eventTime":"2026-11-24T10:00:00Z","eventName":"{name}"}}"#)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn zipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn folded(text: &str) -> String {
    quoted(&STANDARD.encode(zipped(text)))
}

fn cloudtrail(payload: &[u8]) -> Batch {
    let stream = Stream::cloudtrail();
    decode(&stream, vec![column(&stream, "event_name")], &[payload])
}

fn names(batch: &Batch) -> Vec<Cell> {
    cells(batch, 0)
}

fn subscription(events: &[String]) -> String {
    format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/aws/lambda/f","logStream":"s","subscriptionFilters":["x"],"logEvents":[{}]}}"#,
        events.join(",")
    )
}

fn log_event(id: &str, message: &str) -> String {
    format!(r#"{{"id":"{id}","timestamp":1795514400123,"message":{}}}"#, quoted(message))
}

#[test]
fn every_envelope_is_opened() {
    let (a, b) = (record("A"), record("B"));
    let records = format!(r#"{{"Records":[{a}, {b}]}}"#);
    let logs = subscription(&[log_event("1", &a), log_event("2", &b)]);
    let bare = STANDARD.encode(zipped(&logs));
    for payload in [
        records.clone(),
        format!("[{a},{b}]"),
        format!(r#"[{{"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{a}}},{b}]"#),
        logs.clone(),
        format!(r#"{{"awslogs":{{"data":{}}}}}"#, folded(&logs)),
        folded(&logs),
        bare,
        quoted(&records),
        format!(r#"{{"Type":"Notification","Message":{}}}"#, quoted(&records)),
        format!(r#"{{"Records":[{{"body":{}}},{{"Sns":{{"Message":{}}}}}]}}"#, quoted(&a), quoted(&b)),
        format!(
            r#"{{"Records":[{{"messageId":"1","body":{}}}]}}"#,
            quoted(&format!(r#"{{"Message":{}}}"#, quoted(&records)))
        ),
        format!(r#"{{"Records":[{{"kinesis":{{"data":{}}}}},{{"kinesis":{{"data":{}}}}}]}}"#, folded(&a), folded(&b)),
        format!(
            r#"{{"records":[{{"recordId":"1","data":{}}},{{"data":{}}}]}}"#,
            folded(&a),
            quoted(&STANDARD.encode(&b))
        ),
        format!(r#"{{"schema":{{"type":"struct"}},"payload":{records}}}"#),
        format!(r#"{{"schema":null,"payload":{}}}"#, quoted(&records)),
        format!(r#"{{"\u0052ecords" : [ {a}, {b} ] }}"#),
    ] {
        let batch = cloudtrail(payload.as_bytes());
        assert_eq!(names(&batch), [some("A"), some("B")], "{payload}: {:?}", batch.rejects);
        assert_eq!(batch.rows.iter().map(|row| row.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((batch.row_text(&batch.rows[0]), batch.row_text(&batch.rows[1])), (a.as_bytes(), b.as_bytes()));
    }
    assert_eq!(names(&cloudtrail(&zipped(&records))), [some("A"), some("B")]);
}

#[test]
fn a_large_envelope_is_opened_as_a_small_one() {
    let records: Vec<_> = (0..2000).map(|n| record(&n.to_string())).collect();
    let batch = cloudtrail(format!(r#"{{"Records":[{}]}}"#, records.join(",")).as_bytes());
    assert_eq!(names(&batch), (0..2000).map(|n| some(&n.to_string())).collect::<Vec<_>>());
    let padded = record("A").replace('}', &format!(r#","Records":[{}],"x":"{}"}}"#, record("B"), "x".repeat(100_000)));
    assert_eq!(names(&cloudtrail(padded.as_bytes())), [some("A")], "a large record is one as well");
}

#[test]
fn a_bad_element_rejects_itself_only() {
    let (a, b) = (record("A"), record("B"));
    let deep = format!(r#"{{"eventTime":"2026-11-24T10:00:00Z","x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let batch = cloudtrail(format!(r#"{{"Records":[{a},{{}},7,{{"x":nope}},{deep},null,{b}]}}"#).as_bytes());
    assert_eq!(names(&batch), [some("A"), some("B")]);
    assert_eq!(reasons(&batch), ["no_event_time", "not_an_object", "invalid_json", "too_deep", "not_an_object"]);
    assert_eq!(batch.rejects.iter().map(|reject| reject.position.index).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!((batch.rows[1].index, &batch.rejects[0].bytes[..]), (6, &b"{}"[..]));
    let cut = cloudtrail(format!(r#"[{a} {b}]"#).as_bytes());
    assert_eq!((names(&cut), reasons(&cut)), (vec![some("A")], vec!["invalid_json"]));
}

#[test]
fn empty_and_control_messages_are_skipped() {
    let stream = Stream::cloudtrail();
    let payloads: [&[u8]; 5] = [
        br#"{"Records":[]}"#,
        b"[ ]",
        br#"{"messageType":"DATA_MESSAGE","logEvents":[]}"#,
        br#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: checking"}]}"#,
        br#"{"schema":null,"payload":null}"#,
    ];
    let batch = decode(&stream, Vec::new(), &payloads);
    assert_eq!(batch.skipped, [("empty_records", 3), ("control_message", 1), ("empty", 1)]);
    assert_eq!(batch.consumed(), 5);
}

#[test]
fn a_record_is_never_taken_for_an_envelope() {
    let inner = record("Inner");
    for key in ["Records", "detail", "Message", "body", "data", "payload", "logEvents"] {
        for value in [format!("[{inner}]"), inner.clone(), quoted(&inner)] {
            let members = format!(r#","detail-type":"x","schema":1,"messageType":"CONTROL_MESSAGE","{key}":{value}}}"#);
            let payload = record("Outer").replace('}', &members);
            assert_eq!(names(&cloudtrail(payload.as_bytes())), [some("Outer")], "{payload}");
        }
    }
    let hidden = format!(r#"{{"x":{{"Records":[{inner}]}}}}"#);
    assert_eq!(reasons(&cloudtrail(hidden.as_bytes())), ["no_event_time"]);
}

#[test]
fn envelopes_nest_only_so_deep() {
    let mut text = record("A");
    for _ in 0..4 {
        text = format!("[{text}]");
    }
    assert_eq!(names(&cloudtrail(text.as_bytes())), [some("A")]);
    assert_eq!(reasons(&cloudtrail(format!("[{text}]").as_bytes())), ["envelope_too_deep"]);
    assert_eq!(reasons(&cloudtrail("[".repeat(100).as_bytes())), ["truncated"]);
}

#[test]
fn what_unfolds_without_end_is_rejected() {
    let bomb = format!("{{\"x\":\"{}\"}}", "x".repeat(65 << 20));
    let batch = cloudtrail(format!(r#"{{"data":{}}}"#, folded(&bomb)).as_bytes());
    assert_eq!(reasons(&batch), ["unfolded_too_large"]);
    let batch = cloudtrail(br#"{"awslogs":{"data":"H4sIAAAA!"}}"#);
    assert_eq!(reasons(&batch), ["broken_encoding"]);
}

#[test]
fn repairs_around_a_record_flag_it() {
    let message = quoted(&record("A")).replace("A", "A\\ud800");
    let batch = cloudtrail(format!(r#"{{"Message":{message}}}"#).as_bytes());
    assert_eq!((names(&batch), batch.rows[0].flags), (vec![some("A\u{FFFD}")], flags::REPAIRED_TEXT));
    let bad = [br#"{"Records":["#, record("A").replace('A', "").as_bytes(), b",", &[0xFF], b"]}"].concat();
    assert_eq!(reasons(&cloudtrail(&bad)), ["invalid_json"]);
}

#[test]
fn without_envelopes_only_arrays_are_opened() {
    let mut stream = Stream::cloudtrail();
    stream.envelope = Envelope::None;
    let a = record("A");
    let payloads = [format!("[{a},[{a}]]"), format!(r#"{{"Records":[{a}]}}"#), quoted(&a)];
    let payloads: Vec<_> = payloads.iter().map(String::as_bytes).collect();
    let batch = decode(&stream, Vec::new(), &payloads);
    assert_eq!((batch.rows.len(), reasons(&batch)), (1, vec!["not_an_object", "no_event_time", "not_an_object"]));
}

fn lambda(events: &[String], columns: &[&str]) -> Batch {
    let stream = Stream::lambda();
    let columns: Vec<_> = columns.iter().map(|name| column(&stream, name)).collect();
    let mut decoder = Decoder::new(&stream, 0, columns.clone());
    let batch = decode_all(&mut decoder, raw(&[subscription(events).as_bytes()]));
    let rows: Vec<u32> = (0..batch.rows.len() as u32).collect();
    for (n, array) in decoder.decode_rows(&batch, &rows, &columns).iter().enumerate() {
        let late: Vec<_> = (0..array.len()).map(|row| cell(array, row)).collect();
        assert_eq!(late, cells(&batch, n), "read late");
    }
    batch
}

#[test]
fn log_events_give_what_their_messages_lack() {
    let events = [
        log_event("1", r#"{"level":"INFO","message":"m"}"#),
        log_event("2", "2026-11-24T10:00:00.000Z\tr-1\tERROR\tfailed\n"),
        log_event(
            "3",
            "REPORT RequestId: r-1\tDuration: 3.5 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n",
        ),
        log_event("4", "[1] some text"),
        log_event("5", "{'python': 'dict'}"),
        log_event("6", " \n"),
    ];
    let columns = [
        "event_id",
        "event_time",
        "function_name",
        "level",
        "message",
        "request_id",
        "duration_ms",
        "memory_mb",
        "type",
        "raw",
    ];
    let batch = lambda(&events, &columns);
    assert_eq!((batch.rows.len(), &batch.skipped[..]), (5, &[("blank", 1)][..]), "{:?}", batch.rejects);
    assert_eq!(cells(&batch, 0), ["1", "2", "3", "4", "5"].map(some));
    assert_eq!(cells(&batch, 1), vec![Cell::Time(1_795_514_400_123_000); 5]);
    assert_eq!(cells(&batch, 2), vec![some("f"); 5]);
    assert_eq!(cells(&batch, 3), [some("INFO"), some("ERROR"), Cell::Null, Cell::Null, Cell::Null]);
    assert_eq!(cells(&batch, 4)[..2], [some("m"), some("failed")]);
    assert_eq!(cells(&batch, 4)[3..], [some("[1] some text"), some("{'python': 'dict'}")]);
    assert_eq!(cells(&batch, 5)[1..3], [some("r-1"), some("r-1")]);
    assert_eq!(
        (&cells(&batch, 6)[2], &cells(&batch, 7)[2], &cells(&batch, 8)[2]),
        (&Cell::Float(3.5), &Cell::Integer(128), &some("platform.report"))
    );
    assert_eq!(cells(&batch, 9)[1], some("2026-11-24T10:00:00.000Z\tr-1\tERROR\tfailed\n"));
    let context = &batch.contexts[batch.rows[0].context as usize];
    assert_eq!((context.owner.as_deref(), context.log_stream.as_deref()), (Some("1"), Some("s")));
}

#[test]
fn what_a_function_logs_is_not_unwrapped() {
    let forged = r#"{"Records":[{"timestamp":"2020-01-01T00:00:00Z","message":"forged"}]}"#;
    let batch = lambda(
        &[log_event("1", forged), log_event("2", &format!("[{forged}]")), log_event("3", &quoted(forged))],
        &["event_time"],
    );
    assert_eq!(cells(&batch, 0), vec![Cell::Time(1_795_514_400_123_000); 3]);
}

#[test]
fn a_line_without_an_envelope_is_no_record() {
    let batch = decode(&Stream::lambda(), Vec::new(), &[b"2026-11-24T10:00:00.000Z\tr-1\tERROR\tfailed"]);
    assert_eq!(reasons(&batch), ["invalid_json"]);
    let topic = format!(r#"{{"Message":{}}}"#, quoted("2026-11-24T10:00:00.000Z\tr-1\tERROR\tfailed"));
    let stream = Stream::lambda();
    let batch = decode(&stream, vec![column(&stream, "level")], &[topic.as_bytes(), br#"{"Message":"no time"}"#]);
    assert_eq!((cells(&batch, 0), reasons(&batch)), (vec![some("ERROR")], vec!["no_event_time"]));
}
