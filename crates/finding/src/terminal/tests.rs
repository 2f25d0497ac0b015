use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::escape::is_unsafe;
use crate::samples::{columns, finding, text, with_detector};

const PLAIN: Style = Style { colour: false, width: 80 };
const COLOURED: Style = Style { colour: true, width: 80 };

/// The text without its colours.
fn bleached(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

#[test]
fn a_finding_is_a_block() {
    let expected = "\
▌ 2026-11-24 14:02:31  HIGH  Console password guessed
▌ who     arn:aws:iam::123456789012:user/alice
▌ from    198.51.100.7, eu-west-1
▌ found   failures=42
▌ when    14:00:07 to 14:02:31, window 14:00:00 to 14:05:00 UTC
▌ attack  T1110.001 Password Guessing (Credential Access)
▌         T1078.004 Cloud Accounts (Initial Access)
▌ next    Ask the user. If it was not them: end the session, reset the password,
▌         ask for a second factor.
▌ rule    console-sign-in-guessed · cloudtrail · a0a1a2a3

";
    let shown = render(&finding(), &PLAIN);
    assert_eq!(shown, expected, "\n{shown}");
}

#[test]
fn updates_and_withdrawals_are_one_line() {
    let mut finding = finding();
    finding.state = State::Updated;
    finding.row[3].1 = Value::Integer(57);
    finding.keys = columns(vec![("principal", text("alice"))]);
    finding.row[0].1 = text("alice");
    let expected = "▌ 2026-11-24 14:02:31  UPDATED  Console password guessed · alice · failures=57\n";
    assert_eq!(render(&finding, &PLAIN), expected);
    finding.state = State::Withdrawn;
    let expected = "▌ 2026-11-24 14:02:31  WITHDRAWN  Console password guessed · alice\n";
    assert_eq!(render(&finding, &PLAIN), expected);
    assert_eq!(render(&finding, &COLOURED).matches("\u{1b}[2;9m").count(), 1);
}

#[test]
fn joined_findings_are_one_line() {
    let joined = Joined { detector: Arc::clone(&finding().detector), subject: "198.51.100.7".into(), count: 12 };
    assert_eq!(render_joined(&joined, &PLAIN), "▌ … and 12 more: Console password guessed · 198.51.100.7\n");
}

#[test]
fn a_match_without_keys_needs_few_lines() {
    let mut finding = with_detector(|d| {
        d.title = "A trail was stopped".into();
        d.severity = Severity::Informational;
        d.attack = vec!["T9999".into()];
        d.response = None;
    });
    finding.keys.clear();
    finding.row = columns(vec![("count", Value::Integer(1)), ("why", Value::Null), ("share", Value::Float(0.5))]);
    (finding.window, finding.window_end) = (None, None);
    finding.first_event_time = finding.last_event_time;
    finding.complete = false;
    let expected = "\
▌ 2026-11-24 14:02:31  INFO  A trail was stopped
▌ found   count=1  why=NULL  share=0.5
▌ attack  T9999
▌ note    A limit was reached: what is counted may be more.
▌ rule    console-sign-in-guessed · cloudtrail · a0a1a2a3

";
    let shown = render(&finding, &PLAIN);
    assert_eq!(shown, expected, "\n{shown}");
}

#[test]
fn other_keys_stand_in_for_a_principal() {
    let mut finding = finding();
    finding.keys = columns(vec![("access_key_id", text("AKIA")), ("stage", Value::Null)]);
    finding.row = columns(vec![("access_key_id", text("AKIA")), ("calls", Value::Integer(3))]);
    let shown = render(&finding, &PLAIN);
    assert!(shown.contains("▌ who     access_key_id=AKIA, stage=NULL\n▌ found   calls=3\n"), "\n{shown}");
}

#[test]
fn hostile_values_are_shown_and_do_nothing() {
    let mut finding = finding();
    finding.row = columns(vec![
        ("user_name", text("bob\u{1b}[2J\n▌ who     nobody")),
        ("path", text("/a\u{202e}gpj.exe")),
        ("agent", text(&"x".repeat(1 << 20))),
    ]);
    let shown = render(&finding, &PLAIN);
    assert!(shown.contains("bob\\u{1b}[2J\\n▌ who     nobody"), "\n{shown}");
    assert!(shown.contains("path=/a\\u{202e}gpj.exe") && shown.contains("xx…xx"), "\n{shown}");
}

#[test]
fn colours_change_nothing_else() {
    for severity in Severity::ALL {
        for state in [State::New, State::Updated, State::Final, State::Withdrawn] {
            let mut finding = with_detector(|d| d.severity = severity);
            finding.state = state;
            let coloured = render(&finding, &COLOURED);
            assert!(coloured.contains('\u{1b}'));
            assert_eq!(bleached(&coloured), render(&finding, &PLAIN));
        }
    }
}

proptest! {
    #[test]
    fn whatever_it_says_it_is_safe_and_fits(
        name in any::<String>(), value in any::<String>(), title in any::<String>(), response in any::<String>(),
        columns_wide in 0usize..200, state in 0usize..4,
    ) {
        let mut finding = with_detector(|d| {
            d.title = title;
            d.response = Some(response);
            d.name = name.clone();
            d.attack.push(value.clone());
        });
        finding.state = [State::New, State::Updated, State::Final, State::Withdrawn][state];
        finding.row.extend(columns(vec![(name.as_str(), text(&value)), ("user_name", text(&value))]));
        let style = Style { colour: false, width: columns_wide };
        for line in render(&finding, &style).split('\n') {
            prop_assert!(!line.chars().any(|c| c.is_control() || is_unsafe(c)), "{:?}", line);
            prop_assert!(width(line) <= columns_wide.clamp(40, 120), "{:?}", line);
        }
    }
}
