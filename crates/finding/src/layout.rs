//! Text in columns: cutting in the middle, wrapping, padding; all by width on the screen, not by bytes.

use unicode_width::UnicodeWidthChar;

use crate::escape::escape;

/// Characters looked at from each end of a value before it is shortened: a value may be megabytes.
const LOOKED_AT: usize = 1_000;

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Escaped, and cut in its middle to at most `columns` (at least 3); the ends tell more than the middle.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    let ends = if text.len() > 8 * LOOKED_AT {
        let head: String = text.chars().take(LOOKED_AT).collect();
        let mut tail: Vec<char> = text.chars().rev().take(LOOKED_AT).collect();
        tail.reverse();
        escape(&(head + "…" + &String::from_iter(tail))).into_owned()
    } else {
        escape(text).into_owned()
    };
    if width(&ends) <= columns {
        return ends;
    }
    let room = columns.max(3) - 1;
    let tail_room = room / 3;
    let head = fitting(ends.chars(), room - tail_room);
    let mut tail: Vec<char> = fitting(ends.chars().rev(), tail_room).chars().collect();
    tail.reverse();
    let tail = String::from_iter(tail);
    // A mark that lost its character to the cut would sit on the ellipsis.
    let tail = tail.trim_start_matches(|c: char| c.width() == Some(0));
    format!("{head}…{tail}")
}

/// Cut at its end to at most `columns`. The text is escaped already.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns { text.to_owned() } else { fitting(text.chars(), columns.max(1) - 1) + "…" }
}

fn fitting(characters: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    let mut text = String::new();
    for c in characters {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        text.push(c);
    }
    text
}

/// Lines of at most `columns`, filled with items that are kept whole where they fit and broken at blanks, then
/// anywhere, where they do not. Items are parted by `gap`. At least one line.
pub(crate) fn fill(items: &[String], gap: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for item in items {
        place(&mut lines, item, gap, columns);
    }
    lines
}

/// A text as lines of at most `columns`, broken at blanks where there are any. At least one line.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
    fill(&words, " ", columns)
}

fn place(lines: &mut Vec<String>, item: &str, gap: &str, columns: usize) {
    let last = lines.last_mut().expect("there is always a line");
    let used = width(last);
    let gap = if used == 0 { "" } else { gap };
    if used + width(gap) + width(item) <= columns {
        last.push_str(gap);
        last.push_str(item);
    } else if used > 0 {
        lines.push(String::new());
        place(lines, item, "", columns);
    } else if item.contains(' ') {
        lines.pop();
        lines.extend(wrap(item, columns));
    } else {
        lines.pop();
        lines.extend(broken(item, columns));
    }
}

/// One long word, cut wherever the line ends.
fn broken(word: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in word.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        used += wide;
        lines.last_mut().expect("there is always a line").push(c);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_a_long_value_stay() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("arn:aws:iam::123456789012:user/alice", 20), "arn:aws:iam::…/alice");
        assert_eq!(shorten("東京東京東京", 8), "東京…京");
        assert_eq!(width(&shorten(&"x\u{202e}".repeat(1 << 20), 40)), 40);
    }

    #[test]
    fn items_stay_whole_where_they_fit() {
        let items = ["a=1", "bb=22", "c=a long text", "d=averyverylongword"].map(str::to_owned);
        assert_eq!(fill(&items, "  ", 12), ["a=1  bb=22", "c=a long", "text", "d=averyveryl", "ongword"]);
        assert_eq!(fill(&[], "  ", 12), [""]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_word_is_lost(text in "[a-zé東 ]{0,80}", columns in 2usize..30) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }

        #[test]
        fn a_shortened_text_fits(text in any::<String>(), columns in 3usize..60) {
            prop_assert!(width(&shorten(&text, columns)) <= columns);
        }
    }
}
