//! JSON as attackers write it, each case with the outcome that it must have.

use watchfire_record::batch::flags;
use watchfire_record::limits::{NESTING_DEPTH, RECORD_BYTES, REJECT_BYTES};

use super::*;

const TIME: &str = r#""eventTime":"2026-11-24T10:00:00Z""#;

fn flags_and_agent(record: &[u8]) -> (u16, Cell) {
    let stream = Stream::cloudtrail();
    let batch = decode(&stream, vec![column(&stream, "user_agent")], &[record]);
    assert_eq!(batch.rows.len(), 1, "{:?}", batch.rejects);
    (batch.rows[0].flags, cells(&batch, 0).remove(0))
}

fn with_agent(agent: &str) -> Vec<u8> {
    format!("{{{TIME},\"userAgent\":{agent}}}").into_bytes()
}

#[test]
fn bad_text_is_repaired_and_flagged() {
    let bad = [&with_agent("\"a")[..with_agent("\"a").len() - 1], b"\xFF\xC3b\"}"].concat();
    assert_eq!(flags_and_agent(&bad), (flags::REPAIRED_TEXT, some("a\u{FFFD}\u{FFFD}b")));
    assert_eq!(flags_and_agent(&with_agent(r#""a\ud800""#)), (flags::REPAIRED_TEXT, some("a\u{FFFD}")));
    assert_eq!(flags_and_agent(&with_agent(r#""\udc00\ud83d\ude00""#)), (flags::REPAIRED_TEXT, some("\u{FFFD}😀")));
    assert_eq!(flags_and_agent(&with_agent(r#""\u0000""#)), (0, some("\0")));
}

#[test]
fn numbers_beyond_floats_are_null_and_flagged() {
    assert_eq!(flags_and_agent(&with_agent("1e400")), (flags::NUMBER_OUT_OF_RANGE, Cell::Null));
    assert_eq!(flags_and_agent(&with_agent("-0")), (flags::WRONG_TYPE, some("-0.0")));
    assert_eq!(
        flags_and_agent(&with_agent("18446744073709551616")),
        (flags::WRONG_TYPE, some("1.8446744073709552e+19"))
    );
}

#[test]
fn the_last_of_duplicates_counts_and_is_flagged() {
    let twice = format!("{{{TIME},\"userAgent\":\"a\",\"user\\u0041gent\":\"b\"}}");
    assert_eq!(flags_and_agent(twice.as_bytes()), (flags::DUPLICATE_KEY, some("b")));
    let gone = format!("{{{TIME},\"userAgent\":\"a\",\"userAgent\":null}}");
    assert_eq!(flags_and_agent(gone.as_bytes()), (flags::DUPLICATE_KEY, Cell::Null));
    let unwanted = format!("{{{TIME},\"x\":1,\"x\":2}}");
    assert_eq!(flags_and_agent(unwanted.as_bytes()), (0, Cell::Null));
}

#[test]
fn another_type_is_text_in_text_columns_and_null_in_others() {
    let object = r#"{"b":1, "a":[true, null], "b":2}"#;
    assert_eq!(flags_and_agent(&with_agent(object)), (flags::WRONG_TYPE, some(r#"{"b":2,"a":[true,null]}"#)));
    let stream = Stream::cloudtrail();
    let record = format!("{{{TIME},\"readOnly\":7}}");
    let batch = decode(&stream, vec![column(&stream, "read_only")], &[record.as_bytes()]);
    assert_eq!((batch.rows[0].flags, cells(&batch, 0)), (flags::WRONG_TYPE, vec![Cell::Null]));
}

#[test]
fn null_on_a_path_hides_nothing() {
    let stream = Stream::cloudtrail();
    let record = format!("{{{TIME},\"requestParameters\":null,\"userIdentity\":null,\"eventName\":\"X\"}}");
    let columns = vec![column(&stream, "event_name"), column(&stream, "user_arn"), path("request", &["a", "b"])];
    let batch = decode(&stream, columns, &[record.as_bytes()]);
    assert_eq!(
        (cells(&batch, 0), cells(&batch, 1), cells(&batch, 2)),
        (vec![some("X")], vec![Cell::Null], vec![Cell::Null])
    );
}

fn reject_of(payload: &[u8]) -> (&'static str, String) {
    let batch = decode(&Stream::cloudtrail(), Vec::new(), &[payload]);
    assert_eq!((batch.rows.len(), batch.rejects.len()), (0, 1), "{:?}", batch.skipped);
    let reject = &batch.rejects[0];
    assert_eq!((&reject.bytes[..], reject.length), (&payload[..payload.len().min(REJECT_BYTES)], payload.len()));
    (reject.reason, reject.detail.clone())
}

#[test]
fn what_is_broken_is_kept_with_its_reason_and_place() {
    let whole = format!("{{{TIME}}}");
    for (payload, reason, place) in [
        (&whole[..20], "truncated", "byte 20"),
        (&whole[..8], "truncated", "byte 8"),
        (&format!("{whole} x"), "garbage_after_value", &format!("at {}", whole.len() + 1)),
        (&format!("{whole}{whole}"), "garbage_after_value", &format!("at {}", whole.len())),
        (&format!("{{{TIME},}}"), "invalid_json", &format!("byte {}", whole.len())),
        ("{\"eventTime\":nope}", "invalid_json", "byte 14"),
        ("nope", "invalid_json", "byte 1"),
        ("7", "not_an_object", ""),
        ("\"text\"", "not_an_object", ""),
        ("null", "not_an_object", ""),
        ("{}", "no_event_time", "`eventTime`"),
        ("{\"eventTime\":\"yesterday\"}", "no_event_time", "cannot be read"),
        ("{\"eventTime\":null,\"Records\":[]}", "no_event_time", "cannot be read"),
        ("{\"eventTime\":\"1969-12-31T23:59:59Z\"}", "no_event_time", "cannot be read"),
    ] {
        let (actual, detail) = reject_of(payload.as_bytes());
        assert_eq!(actual, reason, "{payload}");
        assert!(detail.contains(place), "{payload}: {detail}");
    }
}

#[test]
fn depth_is_limited_to_the_named_one() {
    let nested = |levels: usize| format!("{{{TIME},\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let batch = decode(&Stream::cloudtrail(), Vec::new(), &[nested(NESTING_DEPTH - 1).as_bytes()]);
    assert_eq!(batch.rows.len(), 1);
    assert_eq!(reject_of(nested(NESTING_DEPTH).as_bytes()).0, "too_deep");
    assert_eq!(reject_of(nested(10_000).as_bytes()).0, "too_deep");
    assert_eq!(reject_of("{\"a\":".repeat(10_000).as_bytes()).0, "too_deep");
    assert_eq!(reject_of("[".repeat(1_000_000).as_bytes()).0, "too_deep");
}

#[test]
fn size_is_limited_and_the_beginning_kept() {
    let large = with_agent(&format!("\"{}\"", "x".repeat(RECORD_BYTES)));
    assert_eq!(reject_of(&large).0, "too_large");
    let (flags, agent) = flags_and_agent(&with_agent(&format!("\"{}\"", "x".repeat(1 << 20))));
    assert_eq!((flags, agent), (0, some(&"x".repeat(1 << 20))));
}

#[test]
fn nothing_at_all_is_skipped_and_counted() {
    let stream = Stream::cloudtrail();
    let mut raw = raw(&[b"", b" \n\t", b"\xEF\xBB\xBF"]);
    raw.push(&partition(), 103, TIMESTAMP, PayloadKind::Empty, b"");
    let batch = decode_all(&mut Decoder::new(&stream, 0, Vec::new()), raw);
    assert_eq!(batch.skipped, [("blank", 3), ("empty", 1)]);
    assert_eq!(batch.next_offsets, [104]);
}

#[test]
fn a_byte_order_mark_is_dropped() {
    let batch = decode(&Stream::cloudtrail(), Vec::new(), &[format!("\u{FEFF}{{{TIME}}}").as_bytes()]);
    assert_eq!(batch.row_text(&batch.rows[0]), format!("{{{TIME}}}").as_bytes());
}

#[test]
fn what_the_source_gave_up_on_is_rejected() {
    let stream = Stream::cloudtrail();
    let mut raw = raw(&[]);
    raw.push(&partition(), 1, TIMESTAMP, PayloadKind::TooLarge, b"{\"a\":");
    raw.push(&partition(), 2, TIMESTAMP, PayloadKind::Broken, b"{\"a\":");
    let batch = decode_all(&mut Decoder::new(&stream, 0, Vec::new()), raw);
    assert_eq!(reasons(&batch), ["too_large", "truncated"]);
}

fn several(text: &str) -> Batch {
    let stream = Stream::cloudtrail();
    let mut decoder = Decoder::new(&stream, 0, vec![column(&stream, "event_name")]).allow_several(true);
    decode_all(&mut decoder, raw(&[text.as_bytes()]))
}

fn named(name: &str) -> String {
    format!("{{{TIME},\"eventName\":\"{name}\"}}")
}

#[test]
fn values_of_one_payload_are_numbered() {
    let (a, b) = (named("A"), named("B"));
    let batch = several(&format!("{a} [{b},7,{a}]\n{b}{a}"));
    assert_eq!(cells(&batch, 0), ["A", "B", "A", "B", "A"].map(some));
    assert_eq!(batch.rows.iter().map(|row| row.index).collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    assert_eq!((reasons(&batch), batch.rejects[0].position.index), (vec!["not_an_object"], 2));
}

#[test]
fn after_a_broken_value_it_goes_on_at_the_next_line() {
    let (a, b) = (named("A"), named("B"));
    for (text, names, reasons_expected) in [
        (format!("{a} nope {b}"), vec!["A"], vec!["garbage_after_value"]),
        (format!("{a} {{\"x\":nope}} {b}\n{b}"), vec!["A", "B"], vec!["invalid_json"]),
        (format!("{a}\n{{\"x\":\"y\n{b}\n{a}"), vec!["A", "B", "A"], vec!["truncated"]),
        (format!("{{\"x\":nope}}\n{b}"), vec!["B"], vec!["invalid_json"]),
        (format!("{{\n\"x\":\n{a}\n"), vec!["A"], vec!["truncated", "garbage_after_value"]),
    ] {
        let batch = several(&text);
        assert_eq!(cells(&batch, 0), names.iter().map(|name| some(name)).collect::<Vec<_>>(), "{text}");
        assert_eq!(reasons(&batch), reasons_expected, "{text}");
    }
}

#[test]
fn a_flood_of_rejects_is_counted_and_not_kept() {
    let batch = decode(&Stream::cloudtrail(), Vec::new(), &[format!("[{}1]", "1,".repeat(4999)).as_bytes()]);
    assert_eq!((batch.rejects.len(), batch.skipped_total(), batch.consumed()), (1000, 4000, 5000));
    let batch = several(&"{\n".repeat(200_000));
    assert_eq!(batch.consumed(), 200_000);
}
