//! A finding for a person at a terminal: what happened, who, from where, and what to do next.

use watchfire_record::{Finding, Severity, State, Value, time};

use crate::attack;
use crate::escape::escape;
use crate::layout::{clip, fill, shorten, width, wrap};
use crate::suppress::Joined;

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are used.
    pub colour: bool,
    /// Columns of a line. Taken as at least 40 and at most 120.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: 80 }
    }
}

impl Style {
    fn columns(self) -> usize {
        self.width.clamp(40, 120)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

const BOLD: &str = "1";
const FAINT: &str = "2";
/// What every line of a finding starts with.
const BAR: &str = "▌";
/// Columns of the bar and the label.
const INDENT: usize = 10;
/// Columns that one value may take.
const VALUE_COLUMNS: usize = 60;
/// Columns that say who did it, the first that is there first.
const WHO: [&str; 7] = ["principal", "actor", "user_arn", "user_name", "caller", "user", "function_name"];
/// Columns that say from where.
const FROM: [&str; 4] = ["source_ip", "region", "account_id", "user_agent"];

/// A finding as lines, each ended by a newline. A new or final one is a block that an empty line ends; an update or a
/// withdrawal is one line. Nothing in it but those newlines, and colours if the style has them, is a control character.
#[must_use]
pub fn render(finding: &Finding, style: &Style) -> String {
    match finding.state {
        State::New | State::Final => block(finding, *style),
        State::Updated | State::Withdrawn => one_line(finding, style),
    }
}

/// A finding that was shown before, in its present state, as one line ended by a newline.
#[must_use]
pub fn one_line(finding: &Finding, style: &Style) -> String {
    let told = Told::of(finding);
    let withdrawn = finding.state == State::Withdrawn;
    let word = if withdrawn { "WITHDRAWN".to_owned() } else { finding.state.name().to_uppercase() };
    let mut text = vec![escape(&finding.detector.title).into_owned()];
    text.extend(told.who);
    if !withdrawn {
        text.extend(told.found);
    }
    let when = moment(finding.last_event_time);
    let taken = width(BAR) + 1 + width(&when) + 2 + width(&word) + 2;
    let text = clip(&text.join(" · "), style.columns().saturating_sub(taken));
    let text = if withdrawn { style.paint("2;9", &text) } else { text };
    format!(
        "{} {} {} {text}\n",
        style.paint(FAINT, BAR),
        style.paint(FAINT, &when),
        style.paint(BOLD, &format!(" {word} "))
    )
}

/// How many findings joined an alert that was shown, as one line ended by a newline.
#[must_use]
pub fn render_joined(joined: &Joined, style: &Style) -> String {
    let title = escape(&joined.detector.title);
    let of = if joined.subject.is_empty() { String::new() } else { format!(" · {}", joined.subject) };
    let text = clip(&format!("… and {} more: {title}{of}", joined.count), style.columns() - 2);
    format!("{} {}\n", style.paint(FAINT, BAR), style.paint(FAINT, &text))
}

fn block(finding: &Finding, style: Style) -> String {
    let columns = style.columns();
    let told = Told::of(finding);
    let bar = style.paint(bar_colour(finding.detector.severity), BAR);
    let mut text = header(finding, style, &bar);
    let room = columns - INDENT;
    let mut field = |label: &str, lines: Vec<String>| {
        for (i, line) in lines.iter().filter(|line| !line.is_empty()).enumerate() {
            let label = if i == 0 { label } else { "" };
            text.push_str(&format!("{bar} {} {line}\n", style.paint(FAINT, &format!("{label:<7}"))));
        }
    };
    field("who", fill(&told.who, ", ", room));
    field("from", fill(&told.from, ", ", room));
    field("found", fill(&told.found, "  ", room));
    field("when", when(finding).map(|text| wrap(&text, room)).unwrap_or_default());
    field("attack", fill(&techniques(finding), ", ", room));
    field("next", finding.detector.response.as_deref().map(|text| wrap(&escape(text), room)).unwrap_or_default());
    if !finding.complete {
        field("note", wrap("A limit was reached: what is counted may be more.", room));
    }
    let id = finding.finding_id.to_string();
    let rule = [shorten(&finding.detector.name, VALUE_COLUMNS), shorten(&finding.detector.stream, 20), id[..8].into()];
    field("rule", fill(&rule, " · ", room));
    text.push('\n');
    text
}

/// Time, severity and title; a long title goes on below itself.
fn header(finding: &Finding, style: Style, bar: &str) -> String {
    let severity = finding.detector.severity;
    let badge = if severity == Severity::Informational { "INFO".into() } else { severity.name().to_uppercase() };
    let badge = format!(" {badge} ");
    let when = moment(finding.last_event_time);
    let indent = width(&when) + 1 + width(&badge) + 1;
    let title = escape(&finding.detector.title);
    let lines = wrap(&title, style.columns().saturating_sub(indent + 2).max(10));
    let first = format!("{bar} {} {} ", style.paint(FAINT, &when), style.paint(badge_colour(severity), &badge));
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let start = if i == 0 { first.clone() } else { format!("{bar} {}", " ".repeat(indent)) };
        text.push_str(&format!("{start}{}\n", style.paint(BOLD, line)));
    }
    text
}

fn badge_colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "1;97;41",
        Severity::High => "1;91",
        Severity::Medium => "1;93",
        Severity::Low => "1;96",
        Severity::Informational => "1;94",
    }
}

fn bar_colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "91",
        Severity::Medium => "93",
        Severity::Low => "96",
        Severity::Informational => "94",
    }
}

/// What a finding's columns tell, as escaped and shortened texts.
struct Told {
    who: Vec<String>,
    from: Vec<String>,
    found: Vec<String>,
}

impl Told {
    fn of(finding: &Finding) -> Self {
        let mut columns: Vec<(&str, &Value)> = Vec::new();
        for (name, value) in finding.keys.iter().chain(&finding.row) {
            // A key stands in the row too, as a rule; it is shown once.
            if !columns.iter().any(|(known, same)| *known == &**name && *same == value) {
                columns.push((name, value));
            }
        }
        let mut take = |name: &str| {
            let at = columns.iter().position(|(known, value)| *known == name && **value != Value::Null)?;
            Some(columns.remove(at).1)
        };
        let mut who: Vec<String> = WHO.iter().filter_map(|name| take(name)).map(shown).collect();
        who.dedup();
        let from = FROM.iter().filter_map(|name| Some((*name, shown(take(name)?))));
        let from =
            from.map(|(name, value)| if name == "account_id" { format!("account {value}") } else { value }).collect();
        if who.is_empty() {
            let keys = columns.len().min(finding.keys.len());
            let is_key = |name: &str| finding.keys.iter().any(|(key, _)| &**key == name);
            let split = columns.iter().take(keys).take_while(|(name, _)| is_key(name)).count();
            who = columns.drain(..split).map(named).collect();
        }
        Self { who, from, found: columns.into_iter().map(named).collect() }
    }
}

fn named((name, value): (&str, &Value)) -> String {
    format!("{}={}", shorten(name, 30), shown(value))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => shorten(text, VALUE_COLUMNS),
        Value::Float(number) => format!("{number}"),
        other => shorten(&other.to_string(), VALUE_COLUMNS),
    }
}

fn techniques(finding: &Finding) -> Vec<String> {
    let name = |id: &String| match attack::technique(id) {
        Some(technique) => format!("{id} {} ({})", technique.name, technique.tactic.name),
        None => shorten(id, 20),
    };
    finding.detector.attack.iter().map(name).collect()
}

/// First and last event, and the window if there is one; nothing if the header's time says it all.
fn when(finding: &Finding) -> Option<String> {
    let day = finding.last_event_time;
    let (first, last) = (finding.first_event_time, finding.last_event_time);
    let mut text = if first == last { String::new() } else { format!("{} to {}", clock(first, day), clock(last, day)) };
    if let (Some(start), Some(end)) = (finding.window, finding.window_end) {
        let window = format!("{} to {}", clock(start, day), clock(end, day));
        if window != text {
            let gap = if text.is_empty() { "" } else { ", " };
            text = format!("{text}{gap}window {window}");
        }
    }
    if text.is_empty() { None } else { Some(text + " UTC") }
}

/// A time to the second, `2026-11-24 14:02:31`.
fn moment(micros: i64) -> String {
    let text = time::format(micros);
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(clock)) => format!("{date} {clock}"),
        _ => text,
    }
}

/// The time of day, with the date if it is another than that of `day`.
fn clock(micros: i64, day: i64) -> String {
    let (text, day) = (moment(micros), moment(day));
    match (text.get(..10), text.get(11..)) {
        (Some(date), Some(clock)) if day.starts_with(date) => clock.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
