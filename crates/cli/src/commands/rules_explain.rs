//! `rules explain`: what a detector reads, what it keeps in memory, and when it fires, in words; and what it costs.

mod analyze;
mod inputs;
mod over_windows;

use std::path::{Path, PathBuf};

use watchfire_engine::detect::language::nearest;
use watchfire_engine::detect::operators::first_seen;
use watchfire_engine::detect::plan::{Aggregate, AggregateKind, Operator};
use watchfire_engine::detect::{Detector, StreamDetectors};
use watchfire_engine::finding::escape;
use watchfire_record::{Stream, activity, duration, limits};

use super::rules_list::operator;
use crate::arguments::Explain;
use crate::failure::Failure;
use crate::rules::{Rules, without_activity};
use crate::screen::{Screen, numbers, paint, wrap};
use crate::settings::Settings;

/// Columns that labels take.
const LABEL: usize = 12;

/// Prints what there is to know of a detector.
///
/// # Errors
/// If there is none of that name, or it is wrong.
pub fn run(options: &Explain, settings: &Settings, screen: &Screen) -> Result<(), Failure> {
    let is_path = Path::new(&options.what).exists();
    let paths = if is_path { vec![PathBuf::from(&options.what)] } else { settings.rules.clone() };
    let tables = settings.read_tables()?;
    let mut rules = Rules::load(&paths, &settings.streams, &tables);
    if !is_path {
        let file = rules.files.iter().find(|file| file.name == options.what);
        let file = file.cloned().ok_or_else(|| unknown(&options.what, &rules))?;
        rules = Rules::compile(vec![file], &settings.streams, &tables);
    }
    let rules = rules.or_say(screen)?;
    if !options.analyze.is_empty() {
        return analyze::run(options, rules.detectors, settings, screen);
    }
    for (index, detector) in rules.detectors.iter().enumerate() {
        let gap = if index > 0 { "\n" } else { "" };
        screen.print(&format!("{gap}{}", explain(detector, &settings.streams, screen)))?;
    }
    Ok(())
}

fn unknown(name: &str, rules: &Rules) -> Failure {
    let hint = match nearest(name, rules.files.iter().map(|file| file.name.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`watchfire rules list` shows what there is; a path works too".to_owned(),
    };
    Failure::Setting(format!("there is no detector `{name}`: {hint}"))
}

/// Lines with a label each.
struct Lines<'a> {
    screen: &'a Screen,
    text: String,
}

impl Lines<'_> {
    fn add(&mut self, label: &str, text: &str) {
        let room = self.screen.width().clamp(40, 120) - LABEL;
        for (index, line) in wrap(&escape(text), room).into_iter().enumerate() {
            let label = format!("{:<LABEL$}", if index == 0 { label } else { "" });
            self.text += &format!("{}{line}\n", paint(self.screen.colour(), "2", &label));
        }
    }

    fn each(&mut self, label: &str, texts: impl IntoIterator<Item = String>) {
        for (index, text) in texts.into_iter().enumerate() {
            self.add(if index == 0 { label } else { "" }, &text);
        }
    }
}

fn explain(detector: &Detector, streams: &[Stream], screen: &Screen) -> String {
    let info = &detector.info;
    let mut lines = Lines { screen, text: format!("{}\n", paint(screen.colour(), "1", &info.name)) };
    lines.add("title", &info.title);
    lines.add("severity", info.severity.name());
    if !info.attack.is_empty() {
        lines.add("ATT&CK", &info.attack.join(", "));
    }
    lines.add("about", &info.about);
    lines.each("noise", info.noise.clone());
    lines.each("response", info.response.clone());
    lines.add("version", &info.version);
    let plan = &detector.plan;
    let parts: Vec<Detector> = detector.by_input().collect();
    let mut read: Vec<String> = parts
        .iter()
        .map(|part| &streams[part.reads().stream])
        .map(|s| match s.name.as_str() {
            activity::NAME => format!("{} (made of what other streams' sources do)", s.name),
            name => format!("{name} (topic {})", s.topic),
        })
        .collect();
    read.dedup();
    lines.each("stream", read);
    lines.add("operator", operator(detector));
    for (label, text) in inputs::inputs(detector, streams) {
        lines.add(&label, &text);
    }
    if let [one] = parts.as_slice() {
        let predicates = one.reads().predicates.iter().map(|part| plain(&part.to_string()));
        lines.each("where", or_none(predicates.collect(), "every record"));
    }
    lines.each("looks up", inputs::look_ups(&parts));
    computed(&mut lines, detector);
    lines.each("having", plan.having.iter().map(|part| plain(&part.to_string())));
    lines.add("finds", &plan.outputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
    lines.each("decodes", all_decoded(&parts, streams));
    lines.add("keeps", &state(detector, streams));
    lines.add("fires", &fires(detector, streams));
    if detector.learn > 0 {
        lines.add(
            "learns",
            &format!("for {} from the first record on; nothing is found before", duration::format(detector.learn)),
        );
    }
    if let Some(suppress) = info.suppress {
        lines.add(
            "alerts",
            &format!(
                "further findings with the same keys within {} join the first one's alert",
                duration::format(suppress)
            ),
        );
    }
    lines.text
}

/// The keys, the aggregates and the window.
fn computed(lines: &mut Lines<'_>, detector: &Detector) {
    let plan = &detector.plan;
    if let Operator::OverWindows { windows, .. } = &plan.operator {
        over_windows::windows(lines, detector, windows);
    }
    lines.each("keys", plan.keys.iter().map(|(name, expr)| named(name, &plain(&expr.to_string()))));
    lines.each("keys", detector.key.iter().cloned());
    let record = if matches!(plan.operator, Operator::OverWindows { .. }) { "a window" } else { "a record" };
    let computed = plan.operator.aggregates().iter().enumerate();
    lines.each("computes", computed.map(|(index, a)| aggregate(&format!("#{index}"), a, record)));
    if let Operator::Window { size, slide, .. } = plan.operator {
        lines.add("window", &window(size, slide));
    }
}

fn or_none(texts: Vec<String>, none: &str) -> Vec<String> {
    if texts.is_empty() { vec![none.to_owned()] } else { texts }
}

fn named(name: &str, expression: &str) -> String {
    if expression == name { name.to_owned() } else { format!("{name} = {expression}") }
}

fn window(size: i64, slide: i64) -> String {
    let size_text = duration::format(size);
    if size == slide {
        format!("tumbling, {size_text}, aligned to the epoch in UTC")
    } else {
        format!("hopping, {size_text}, one each {}, aligned to the epoch in UTC", duration::format(slide))
    }
}

/// An aggregate by the name that it is known by; a range is that before `row`.
fn aggregate(name: &str, aggregate: &Aggregate, row: &str) -> String {
    let argument = aggregate.argument.as_ref().map_or("*".to_owned(), |argument| plain(&argument.to_string()));
    let function = match aggregate.kind {
        AggregateKind::Count => format!("count({argument})"),
        AggregateKind::CountDistinct => format!("count(DISTINCT {argument})"),
        AggregateKind::Sum => format!("sum({argument})"),
        AggregateKind::Average => format!("avg({argument})"),
        AggregateKind::Least => format!("min({argument})"),
        AggregateKind::Greatest => format!("max({argument})"),
        AggregateKind::All => format!("bool_and({argument})"),
        AggregateKind::Any => format!("bool_or({argument})"),
    };
    let filter =
        aggregate.filter.as_ref().map_or(String::new(), |f| format!(" of rows with {}", plain(&f.to_string())));
    let range = match aggregate.frame {
        (0, 0) => String::new(),
        (from, 0) => format!(", from {} before {row} up to it", duration::format(from)),
        (from, to) => format!(", from {} to {} before {row}", duration::format(from), duration::format(to)),
    };
    format!("{name}: {function}{filter}{range}")
}

/// What is decoded of each stream.
fn all_decoded(parts: &[Detector], streams: &[Stream]) -> Vec<String> {
    let mut read: Vec<usize> = parts.iter().map(|part| part.reads().stream).collect();
    read.dedup();
    let several = read.len() > 1;
    let text = |index: usize| {
        let of_stream: Vec<Detector> = parts.iter().filter(|part| part.reads().stream == index).cloned().collect();
        let text = decoded(&of_stream, &without_activity(&streams[index]));
        if several { format!("of {}: {text}", streams[index].name) } else { text }
    };
    read.into_iter().map(text).collect()
}

fn decoded(parts: &[Detector], stream: &Stream) -> String {
    let all = StreamDetectors::new(stream.clone(), parts[0].reads().stream, parts.to_vec());
    let names: Vec<String> = all.decoded.iter().map(watchfire_record::ColumnRequest::name).collect();
    let of_each = if names.is_empty() {
        "of each record its time alone".into()
    } else {
        format!("of each record {}", names.join(", "))
    };
    if parts.iter().any(Detector::stateful) {
        return of_each;
    }
    let shown = parts.iter().flat_map(|part| part.row_columns(stream));
    let decoded = shown.filter(|request| !request.is_looked_up());
    let mut more: Vec<String> = decoded.map(|request| request.name()).filter(|name| !names.contains(name)).collect();
    more.dedup();
    if more.is_empty() { of_each } else { format!("{of_each}; of those found also {}", more.join(", ")) }
}

fn state(detector: &Detector, streams: &[Stream]) -> String {
    let lateness = duration::format(streams[detector.reads().stream].lateness);
    match &detector.plan.operator {
        Operator::Match => "nothing: each record is judged by itself".into(),
        Operator::Sequence(sequence) => inputs::state(detector, sequence, streams),
        Operator::OverRange { .. } if is_first_seen(detector) => format!(
            "per key when its records began and ended to come, and the first ones until they are final; at most {} keys a shard",
            numbers::count(limits::KEYS as u64),
        ),
        Operator::OverRange { aggregates } => {
            let range = aggregates.iter().map(|a| a.frame.0).max().unwrap_or(0);
            format!(
                "per key the times (and the values looked at) of its records within {}, and {lateness} more for late ones; at most {} keys a shard, {} rows a key",
                duration::format(range),
                numbers::count(limits::KEYS as u64),
                numbers::count(limits::BUFFERED_ROWS as u64),
            )
        }
        Operator::OverWindows { windows, aggregates } => over_windows::state(windows, aggregates, &lateness),
        Operator::Window { size, aggregates, .. } => {
            let values = distinct_values(aggregates);
            format!(
                "per key and pane its aggregates{values}, for {} and {lateness} more for late records; at most {} of them a shard",
                duration::format(*size),
                numbers::count(limits::KEYS as u64),
            )
        }
    }
}

/// What distinct counts among these keep.
fn distinct_values(aggregates: &[Aggregate]) -> String {
    if aggregates.iter().any(|a| a.kind == AggregateKind::CountDistinct) {
        format!(", at most {} values of each distinct count", numbers::count(limits::DISTINCT_VALUES as u64))
    } else {
        String::new()
    }
}

/// Whether the detector is `first_seen` and nothing else.
fn is_first_seen(detector: &Detector) -> bool {
    first_seen::is_alone(&detector.plan.having, detector.plan.operator.aggregates())
}

fn fires(detector: &Detector, streams: &[Stream]) -> String {
    let stream = &streams[detector.reads().stream];
    match &detector.plan.operator {
        Operator::Match => "at once, and finally: no later record can change it".into(),
        Operator::Sequence(sequence) => inputs::fires(detector, sequence, streams),
        Operator::OverRange { .. } if is_first_seen(detector) => format!(
            "at once; final when the watermark has passed the record: {} behind the newest one. It is withdrawn if an earlier record turns up until then",
            duration::format(stream.lateness)
        ),
        Operator::OverRange { .. } => format!(
            "at once when a record makes it true and it can only stay true, else when the watermark passes the record; final when the watermark has passed it: {} behind the newest record",
            duration::format(stream.lateness)
        ),
        Operator::OverWindows { .. } => over_windows::fires(&duration::format(stream.lateness)),
        Operator::Window { .. } => format!(
            "at once when a threshold is passed that can only stay passed; else at the window's end. Final when the watermark reaches that end: {} behind the newest record",
            duration::format(stream.lateness)
        ),
    }
}

/// An expression without the planner's types around its values: `Utf8("x")` is `'x'`.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('(') {
        let start = rest[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |space| space + 1);
        let (name, inner) = (&rest[start..at], &rest[at + 1..]);
        out.push_str(&rest[..start]);
        rest = match name {
            "Utf8" if inner.starts_with('"') => {
                let end = inner.find("\")").unwrap_or(inner.len());
                out.push_str(&format!("'{}'", &inner[1.min(end)..end]));
                inner.get(end + 2..).unwrap_or("")
            }
            "Int64" | "UInt64" | "Int32" | "Float64" | "Boolean" => {
                let end = inner.find(')').unwrap_or(inner.len());
                out.push_str(&inner[..end]);
                inner.get(end + 1..).unwrap_or("")
            }
            _ => {
                out.push_str(&rest[start..=at]);
                inner
            }
        };
    }
    out.push_str(rest);
    // What operators call their own columns.
    let out = out.replace("__aggregate_", "#").replace("__total_", "window #");
    out.replace("__window", "window_start").replace("__key_", "key ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_shown_as_one_would_write_them() {
        for (shown, expected) in [
            ("event_name = Utf8(\"Console(Login)\") AND n >= Int64(10)", "event_name = 'Console(Login)' AND n >= 10"),
            ("lower(name) IN ([Utf8(\"a\"), Utf8(\"b\")])", "lower(name) IN (['a', 'b'])"),
            ("Boolean(true)", "true"),
            ("__aggregate_0 >= Int64(10)", "#0 >= 10"),
            ("Utf8(\"", "''"),
        ] {
            assert_eq!(plain(shown), expected);
        }
    }
}
