//! `rules explain` of a range over windows: both operators.

use watchfire_engine::detect::Detector;
use watchfire_engine::detect::plan::{Aggregate, WindowRows};
use watchfire_record::{duration, limits};

use super::{Lines, aggregate, distinct_values, named, plain, window};
use crate::screen::numbers;

/// The windows: their keys, aggregates and HAVING.
pub(super) fn windows(lines: &mut Lines<'_>, detector: &Detector, windows: &WindowRows) {
    lines.add("windows", &window(windows.size, windows.slide));
    let keys = detector.reads().keys.iter().enumerate();
    lines
        .each("", keys.map(|(index, (name, expr))| format!("key {index}: {}", named(name, &plain(&expr.to_string())))));
    let computed = windows.aggregates.iter().enumerate();
    lines.each("", computed.map(|(index, a)| aggregate(&format!("window #{index}"), a, "")));
    lines.each("", windows.having.iter().map(|part| format!("having {}", plain(&part.to_string()))));
    lines.add("range", "over the rows of these windows, by their start");
}

/// What both keep.
pub(super) fn state(windows: &WindowRows, range: &[Aggregate], lateness: &str) -> String {
    let reach = range.iter().map(|a| a.frame.0).max().unwrap_or(0);
    format!(
        "per key and pane of the windows their aggregates{}, for {} and {lateness} more for late records; and per key of the range the rows of final windows within {}; at most {} of each a shard, {} rows a key",
        distinct_values(&windows.aggregates),
        duration::format(windows.size),
        duration::format(reach),
        numbers::count(limits::KEYS as u64),
        numbers::count(limits::BUFFERED_ROWS as u64),
    )
}

/// When they fire.
pub(super) fn fires(lateness: &str) -> String {
    format!(
        "finally, when the watermark reaches the end of a row's window, {lateness} behind the newest record: what a range compares are final windows"
    )
}
