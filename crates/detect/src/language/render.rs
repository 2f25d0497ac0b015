//! A diagnostic as people read it: code, place, the line with a caret below it, and help.

use unicode_width::UnicodeWidthChar;

use super::diagnostic::{Diagnostic, Severity};

/// How many columns of a line are shown; of a longer one, the part around the caret.
const SHOWN: usize = 120;
/// How many columns before the caret are shown of a longer line.
const BEFORE: usize = 40;

/// Several lines, without a line break at the end.
pub(super) fn render(diagnostic: &Diagnostic, colour: bool) -> String {
    let paint = Paint { colour };
    let strong = match diagnostic.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
    };
    let head = paint.with(strong, &format!("{}[{}]", diagnostic.severity.name(), diagnostic.code));
    let mut lines = vec![format!("{head}: {}", paint.with("1", &escape(&diagnostic.message)))];
    let file = escape(&diagnostic.file);
    let (line, column) = diagnostic.position();
    let number = line.to_string();
    let gutter = if diagnostic.text.is_empty() { 1 } else { number.len() };
    let blank = " ".repeat(gutter);
    let bar = paint.with("1;34", "|");
    let arrow = paint.with("1;34", "-->");
    if diagnostic.text.is_empty() {
        lines.push(format!("{blank} {arrow} {file}"));
    } else {
        lines.push(format!("{blank} {arrow} {file}:{line}:{column}"));
        let excerpt = Excerpt::of(diagnostic);
        let marks = paint.with(strong, format!("{} {}", excerpt.marks(), escape(&diagnostic.label)).trim_end());
        lines.push(format!(" {blank} {bar}"));
        lines.push(format!(" {} {bar} {}", paint.with("1;34", &number), excerpt.line).trim_end().to_owned());
        lines.push(format!(" {blank} {bar} {}{marks}", " ".repeat(excerpt.indent)));
    }
    if let Some(help) = &diagnostic.help {
        lines.push(format!(" {blank} {} {}", paint.with("1;34", "="), escape(&format!("help: {help}"))));
    }
    lines.join("\n")
}

struct Paint {
    colour: bool,
}

impl Paint {
    fn with(&self, style: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The line that the span starts in, as it is shown.
struct Excerpt {
    line: String,
    indent: usize,
    width: usize,
}

impl Excerpt {
    fn of(diagnostic: &Diagnostic) -> Self {
        let text = &diagnostic.text;
        let start = text.floor_char_boundary(diagnostic.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let end = text.floor_char_boundary(diagnostic.span.end).clamp(start, line_end);
        let shown = |range: std::ops::Range<usize>| escape(text[range].trim_end_matches('\r'));
        let (before, marked, after) = (shown(line_start..start), shown(start..end), shown(end..line_end));
        let (before, cut) =
            if width(&before) + width(&marked) > SHOWN { keep_end(&before, BEFORE) } else { (before, false) };
        let before = if cut { format!("…{before}") } else { before };
        let indent = width(&before);
        let (line, _) = keep_start(&format!("{before}{marked}{after}"), SHOWN);
        let width = width(&marked).clamp(1, SHOWN.saturating_sub(indent).max(1));
        Self { line, indent, width }
    }

    fn marks(&self) -> String {
        "^".repeat(self.width)
    }
}

fn keep_start(text: &str, columns: usize) -> (String, bool) {
    if width(text) <= columns {
        return (text.to_owned(), false);
    }
    let mut used = 0;
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= columns
        })
        .collect();
    (kept + "…", true)
}

fn keep_end(text: &str, columns: usize) -> (String, bool) {
    if width(text) <= columns {
        return (text.to_owned(), false);
    }
    let mut used = 0;
    let kept = text.char_indices().rev().take_while(|(_, c)| {
        used += c.width().unwrap_or(0);
        used <= columns
    });
    let start = kept.last().map_or(text.len(), |(at, _)| at);
    (text[start..].to_owned(), true)
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Text for a terminal: tabs as four blanks, line breaks as one, and every character that a terminal obeys, that
/// cannot be seen, or that turns the direction of writing as its number.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => escaped.push_str("    "),
            '\n' => escaped.push(' '),
            c if c.is_control() || is_invisible(c) => escaped.extend(c.escape_unicode()),
            c => escaped.push(c),
        }
    }
    escaped
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::language::codes;

    fn shown(text: &str, span: std::ops::Range<usize>) -> String {
        Diagnostic::error(codes::SYNTAX, "a.sql", &Arc::from(text), span, "wrong")
            .label("here")
            .help("right")
            .render(false)
    }

    #[test]
    fn hostile_text_is_shown_as_numbers_and_the_caret_stays_below_it() {
        let text = "a \u{1b}[31m\u{202e}日本\tx";
        let at = text.find('x').unwrap();
        let expected = "error[W010]: wrong\n --> a.sql:1:12\n".replace(" -->", "  -->")
            + "   |\n 1 | a \\u{1b}[31m\\u{202e}日本    x\n   |                             ^ here\n   = help: right";
        assert_eq!(shown(text, at..at + 1), expected);
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("{} HERE {}", "a".repeat(5000), "b".repeat(5000));
        let at = text.find("HERE").unwrap();
        let shown = shown(&text, at..at + 4);
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() < SHOWN + 12), "{shown}");
        let (line, marks) = (lines[3], lines[4]);
        let column = marks.chars().position(|c| c == '^').unwrap();
        assert_eq!(line.chars().skip(column).take(4).collect::<String>(), "HERE");
    }

    #[test]
    fn any_span_is_rendered() {
        let text = "é\r\n日\n";
        for start in 0..=text.len() + 2 {
            for end in 0..=text.len() + 2 {
                assert!(shown(text, start..end).contains('^'));
            }
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let text: Arc<str> = Arc::from("SELECT 1");
        let diagnostic = Diagnostic::error(codes::SYNTAX, "a.sql", &text, 0..6, "wrong").label("here").help("right");
        let plain =
            regex::Regex::new("\x1b\\[[0-9;]*m").unwrap().replace_all(&diagnostic.render(true), "").into_owned();
        assert_eq!(plain, diagnostic.render(false));
        assert!(!diagnostic.render(false).contains('\x1b'));
    }
}
