//! Framing against a slow twin, and on hostile input.

use proptest::prelude::*;
use serde_json::value::RawValue;
use watchfire_record::limits::{RECORD_BYTES, REJECT_BYTES};
use watchfire_record::raw::PayloadKind::{self, Broken, Empty, TooLarge, Value};

use super::*;

/// A payload as the engine would see it.
type Payload = (i64, u32, PayloadKind, Vec<u8>);

/// Frames `text` with cuts after each of `sizes` bytes in turn, and at most `most` payloads a time.
fn frame(text: &[u8], sizes: &[usize], most: usize) -> Vec<Payload> {
    let (mut framer, mut payloads) = (Framer::default(), Vec::new());
    let (mut keep, mut there, mut turn) = (0usize, 0usize, 0usize);
    loop {
        there = (there + sizes[turn % sizes.len()]).min(text.len());
        turn += 1;
        let block = Block { bytes: &text[keep..there], base: keep as i64, end: there == text.len() };
        let mut frames = Vec::new();
        let kept = framer.frame(&block, most, &mut frames) as usize;
        assert!(kept >= keep && kept <= there, "keeps {kept} of {keep}..{there}");
        for f in &frames {
            payloads.push((f.offset, f.index, f.kind, block.bytes[f.start..f.end].to_vec()));
        }
        if block.end && frames.len() < most {
            assert_eq!(kept, text.len(), "all bytes are accounted for");
            return payloads;
        }
        keep = kept;
    }
}

fn check(text: &str, wanted: &[(i64, u32, PayloadKind, &str)]) {
    let wanted: Vec<Payload> = wanted.iter().map(|(o, i, k, t)| (*o, *i, *k, t.as_bytes().to_vec())).collect();
    for sizes in [&[usize::MAX / 2][..], &[1], &[3], &[7, 1]] {
        for most in [1, 2, 1000] {
            assert_eq!(frame(text.as_bytes(), sizes, most), wanted, "{text:?} cut by {sizes:?}, {most} at most");
        }
    }
}

#[test]
fn a_line_is_a_value() {
    check(
        "{\"a\":1}\n{\"b\":2}\r\n {\"c\":3} \n{\"d\":4}",
        &[
            (0, 0, Value, "{\"a\":1}"),
            (8, 0, Value, "{\"b\":2}"),
            (18, 0, Value, "{\"c\":3}"),
            (27, 0, Value, "{\"d\":4}"),
        ],
    );
}

#[test]
fn blank_lines_are_counted_and_a_mark_is_dropped() {
    check(
        "\u{feff}\n{\"a\":1}\n\n \t\n{}\n  ",
        &[
            (3, 0, Empty, ""),
            (4, 0, Value, "{\"a\":1}"),
            (12, 0, Empty, ""),
            (13, 0, Empty, ""),
            (16, 0, Value, "{}"),
            (19, 0, Empty, ""),
        ],
    );
    check("", &[]);
    check("\n", &[(0, 0, Empty, "")]);
}

#[test]
fn a_line_is_left_to_the_decoder_once_the_file_is_one_of_lines() {
    check(
        "{}\n{\"a\":1} {\"b\":2}\n{\"a\":{\"b\":1}\n",
        &[(0, 0, Value, "{}"), (3, 0, Value, "{\"a\":1} {\"b\":2}"), (19, 0, Value, "{\"a\":{\"b\":1}")],
    );
}

#[test]
fn values_that_share_lines_or_span_them_are_scanned() {
    check(
        "{\"a\":1} {\"b\":2}{\"c\":\n3}\n17 \"x\"\n",
        &[
            (0, 0, Value, "{\"a\":1}"),
            (8, 0, Value, "{\"b\":2}"),
            (15, 0, Value, "{\"c\":\n3}"),
            (24, 0, Value, "17"),
            (27, 0, Value, "\"x\""),
        ],
    );
    check(
        "{\n  \"a\": 1\n}\n{\n  \"b\": [\n {}\n ]\n}\n{\"c\":3}\n",
        &[(0, 0, Value, "{\n  \"a\": 1\n}"), (13, 0, Value, "{\n  \"b\": [\n {}\n ]\n}"), (33, 0, Value, "{\"c\":3}")],
    );
}

#[test]
fn after_a_broken_value_the_next_line_counts() {
    check(
        "{\"a\":\"x\n{\"b\":1}\n{\"c\":\n{\"d\":4}\n{\"e\":5}\n",
        &[
            (0, 0, Broken, "{\"a\":\"x"),
            (8, 0, Value, "{\"b\":1}"),
            (16, 0, Broken, "{\"c\":"),
            (22, 0, Value, "{\"d\":4}"),
            (30, 0, Value, "{\"e\":5}"),
        ],
    );
    check(
        "plain words\n{\"a\":1} trailing\n{\"b\":2",
        &[
            (0, 0, Broken, "plain words"),
            (12, 0, Value, "{\"a\":1}"),
            (20, 0, Broken, "trailing"),
            (29, 0, Broken, "{\"b\":2"),
        ],
    );
}

#[test]
fn envelopes_are_taken_apart() {
    check(
        "{\"Records\":[{\"a\":1}, {\"b\":2}\n,3],\"more\":{}}\n{\"c\":3}\n",
        &[(0, 0, Value, "{\"a\":1}"), (0, 1, Value, "{\"b\":2}"), (0, 2, Value, "3"), (44, 0, Value, "{\"c\":3}")],
    );
    check(" [\n {\"a\":1},\n {\"b\":2}\n]\n", &[(1, 0, Value, "{\"a\":1}"), (1, 1, Value, "{\"b\":2}")]);
    check("[] {\"Records\": [ ]}", &[(0, 0, Empty, ""), (3, 0, Empty, "")]);
}

#[test]
fn a_broken_envelope_keeps_what_it_gave() {
    check(
        "[{\"a\":1},{\"b\":x},{}]\n{\"c\":3}\n",
        &[(0, 0, Value, "{\"a\":1}"), (0, 1, Broken, "{\"b\":x},{}]"), (21, 0, Value, "{\"c\":3}")],
    );
    check("[{} {}]\n{}", &[(0, 0, Value, "{}"), (0, 1, Broken, "{}]"), (8, 0, Value, "{}")]);
    check("[{},]\n{}", &[(0, 0, Value, "{}"), (0, 1, Broken, "]"), (6, 0, Value, "{}")]);
    check("{\"Records\":[{}], oops}\n", &[(0, 0, Value, "{}"), (0, 1, Broken, ", oops}")]);
    check("{\"Records\":[{},", &[(0, 0, Value, "{}"), (0, 1, Broken, "")]);
    check("{\"Records\":[{},{\"a\"", &[(0, 0, Value, "{}"), (0, 1, Broken, "{\"a\"")]);
}

#[test]
fn what_is_too_large_is_rejected_with_its_beginning() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(RECORD_BYTES));
    let text = format!("{long}\n{{}}\n{long}\n{{}}");
    let payloads = frame(text.as_bytes(), &[1 << 20], 100);
    let kinds: Vec<_> = payloads.iter().map(|p| (p.0, p.2, p.3.len())).collect();
    let second = long.len() as i64 + 1;
    assert_eq!(
        kinds,
        [
            (0, TooLarge, REJECT_BYTES),
            (second, Value, 2),
            (second + 3, TooLarge, REJECT_BYTES),
            (second * 2 + 3, Value, 2),
        ]
    );

    let envelope = format!("{{\"Records\":[{{}},{long},{{}}]}}\n{{}}");
    let payloads = frame(envelope.as_bytes(), &[1 << 20], 100);
    let kinds: Vec<_> = payloads.iter().map(|p| (p.1, p.2, p.3.len())).collect();
    assert_eq!(kinds, [(0, Value, 2), (1, TooLarge, REJECT_BYTES), (2, Value, 2), (0, Value, 2)]);
}

#[test]
fn a_long_line_of_a_file_of_lines_may_be_an_envelope() {
    let element = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let list = vec![element.as_str(); 20].join(",");
    let text = format!("{{}}\n{{\"Records\":[{list}]}}\n{{}}\n");
    let payloads = frame(text.as_bytes(), &[1 << 20], 100);
    assert_eq!(payloads.len(), 22);
    assert!(payloads[1..21].iter().enumerate().all(|(i, p)| (p.0, p.1, p.2) == (3, i as u32, Value)));
}

#[test]
fn many_truncated_lines_cost_little() {
    let text = "{\"a\":[\n".repeat(200_000);
    let payloads = frame(text.as_bytes(), &[1 << 20], usize::MAX);
    assert_eq!(payloads.len(), 200_000);
    assert!(payloads.iter().all(|p| p.2 == Broken && p.3 == b"{\"a\":["));
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has no infinities", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        "[a-z\"\\\\\n\u{e9}{}\\[\\], ]{0,40}".prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec(("[a-zR\"\\\\]{0,12}", inner), 0..5).prop_map(|members| {
                let members = members.iter().map(|(k, v)| format!("{}:{v}", serde_json::to_string(k).unwrap()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(",\n"))
            }),
        ]
    })
}

/// Values with separators of all kinds between them; scalars are always followed by one.
fn document() -> impl Strategy<Value = String> {
    prop::collection::vec((json(), prop::sample::select(vec!["\n", " ", "\r\n", "\n\n", " \n ", "\t"])), 0..8)
        .prop_map(|parts| parts.into_iter().map(|(value, separator)| value + separator).collect())
}

/// The values as serde_json cuts them, arrays taken apart all the way: the decoder does that with what framing leaves.
fn slow(text: &str) -> Vec<String> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    values.flat_map(|value| unfold(value.unwrap().get())).collect()
}

fn unfold(value: &str) -> Vec<String> {
    match serde_json::from_str::<Vec<&RawValue>>(value) {
        Ok(items) => items.iter().flat_map(|v| unfold(v.get())).collect(),
        Err(_) => vec![value.to_string()],
    }
}

/// What the decoder makes of the payloads: a line may hold several values.
fn decoded(payloads: &[Payload]) -> Vec<String> {
    let values = payloads.iter().filter(|p| p.2 == Value);
    values.flat_map(|(_, _, _, bytes)| slow(std::str::from_utf8(bytes).unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_input_gives_the_twins_values(text in document(), sizes in prop::collection::vec(1usize..60, 1..5), most in 1usize..20) {
        let payloads = frame(text.as_bytes(), &sizes, most);
        prop_assert!(payloads.iter().all(|p| p.2 != Broken && p.2 != TooLarge), "{payloads:?}");
        prop_assert_eq!(decoded(&payloads), slow(&text));
    }

    #[test]
    fn any_bytes_are_framed_in_order_whatever_the_cuts(
        text in document(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"{}[]\",:\n \\x0".to_vec())), 1..6),
        sizes in prop::collection::vec(1usize..60, 1..5),
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte) in changes {
            let length = bytes.len();
            if length > 0 {
                bytes[at.index(length)] = byte;
            }
        }
        let payloads = frame(&bytes, &sizes, 7);
        prop_assert!(payloads.windows(2).all(|w| (w[0].0, w[0].1) < (w[1].0, w[1].1)), "{payloads:?}");
        prop_assert_eq!(payloads, frame(&bytes, &[1 << 20], usize::MAX));
    }
}
