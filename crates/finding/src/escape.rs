//! Text from outside, made harmless to show: nothing in it can move the cursor, colour the screen, turn the direction
//! of what follows, or hide.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// Combining marks that may follow one character. More are escaped: they pile up over neighbouring lines.
const MARKS: usize = 2;

/// Characters that print nothing, or that change how their neighbours are shown: first and last of each range.
const UNSAFE: [(char, char); 22] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{d7b0}', '\u{d7ff}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{10ffff}'),
];

/// Whether a character is never shown as it stands: control characters, direction marks, zero-width characters,
/// line and paragraph separators, private use.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    if (' '..='~').contains(&c) {
        return false;
    }
    UNSAFE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// The text with each unsafe character written out: `\n`, `\r`, `\t`, else `\u{202e}`. What is safe stays as it is,
/// a backslash too: the result is for eyes, not for reading back.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut marks = MARKS;
    for c in text.chars() {
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        if is_unsafe(c) || (is_mark && marks > MARKS) {
            push_escaped(&mut safe, c);
            marks = MARKS;
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn push_escaped(safe: &mut String, c: char) {
    match c {
        '\n' => safe.push_str("\\n"),
        '\r' => safe.push_str("\\r"),
        '\t' => safe.push_str("\\t"),
        _ => write!(safe, "\\u{{{:x}}}", u32::from(c)).expect("a String takes all that is written"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_deceive_is_written_out() {
        for (text, shown) in [
            ("plain ~ text \\n", "plain ~ text \\n"),
            ("Zoë 東京 🔥", "Zoë 東京 🔥"),
            ("two\nlines\r\t", "two\\nlines\\r\\t"),
            ("\u{1b}[31mred\u{9b}2J", "\\u{1b}[31mred\\u{9b}2J"),
            ("abc\u{202e}gpj.exe", "abc\\u{202e}gpj.exe"),
            ("ad\u{200b}min\u{feff}\u{e0041}", "ad\\u{200b}min\\u{feff}\\u{e0041}"),
            ("e\u{301}", "e\u{301}"),
            ("e\u{301}\u{302}\u{303}\u{304}", "e\u{301}\u{302}\\u{303}\\u{304}"),
            ("\u{301}x", "\\u{301}x"),
            ("\0", "\\u{0}"),
        ] {
            assert_eq!(escape(text), shown, "{text:?}");
        }
        assert!(matches!(escape("plain"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_nothing_safe_is_touched(text in any::<String>()) {
            let safe = escape(&text);
            prop_assert!(!safe.chars().any(|c| c.is_control() || is_unsafe(c)), "{safe:?}");
            prop_assert_eq!(escape(&safe), safe.clone());
            if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                prop_assert_eq!(safe.as_ref(), text.as_str());
            }
        }
    }
}
