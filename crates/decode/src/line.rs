//! Lines that functions and their platform write as text.

use crate::times::{self, Unit};

/// What a line says, as far as it says it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Line<'a> {
    /// Microseconds since the epoch, UTC.
    pub(crate) time: Option<i64>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) level: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    /// The name that platform telemetry has for such a line.
    pub(crate) kind: Option<&'static str>,
    pub(crate) status: Option<&'a str>,
    pub(crate) error_type: Option<&'a str>,
    /// Milliseconds.
    pub(crate) duration: Option<f64>,
    /// Milliseconds.
    pub(crate) billed: Option<f64>,
    /// Milliseconds.
    pub(crate) init: Option<f64>,
    /// MB, as the platform counts them.
    pub(crate) memory: Option<i64>,
    /// MB, as the platform counts them.
    pub(crate) max_memory: Option<i64>,
}

/// Reads a line.
pub(crate) fn parse(text: &str) -> Line<'_> {
    let text = text.trim_end_matches(['\n', '\r']);
    let line = Line { message: Some(text), ..Line::default() };
    for (start, kind) in [
        ("REPORT RequestId: ", "platform.report"),
        ("START RequestId: ", "platform.start"),
        ("END RequestId: ", "platform.runtimeDone"),
    ] {
        if let Some(rest) = text.strip_prefix(start) {
            let request_id = rest.split_ascii_whitespace().next();
            return measures(rest, Line { kind: Some(kind), request_id, ..line });
        }
    }
    if text.starts_with("INIT_START ") {
        return Line { kind: Some("platform.initStart"), ..line };
    }
    tabbed(text).or_else(|| timed_out(text)).unwrap_or(line)
}

/// `Duration: 3.04 ms`, `Memory Size: 128 MB`, `Status: timeout` and their like, between tabs.
fn measures<'a>(text: &'a str, mut line: Line<'a>) -> Line<'a> {
    for field in text.split('\t') {
        let Some((name, value)) = field.trim().split_once(": ") else { continue };
        let number = value.split(' ').next().unwrap_or_default();
        match name {
            "Duration" => line.duration = finite(number),
            "Billed Duration" => line.billed = finite(number),
            "Init Duration" => line.init = finite(number),
            "Memory Size" => line.memory = number.parse().ok(),
            "Max Memory Used" => line.max_memory = number.parse().ok(),
            "Status" => line.status = Some(value),
            "Error Type" => line.error_type = Some(value),
            _ => {}
        }
    }
    line
}

fn finite(number: &str) -> Option<f64> {
    number.parse().ok().filter(|number: &f64| number.is_finite())
}

/// `time TAB request TAB LEVEL TAB message`, or `[LEVEL] TAB time TAB request TAB message`.
fn tabbed(text: &str) -> Option<Line<'_>> {
    let mut fields = text.splitn(4, '\t');
    let (first, second, third, message) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (level, time, request_id) = match first.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(level) => (level, second, third),
        None => (third, first, second),
    };
    let time = Some(times::from_text(time, Unit::ByMagnitude)?);
    let request_id = Some(request_id).filter(|id| !id.is_empty() && *id != "undefined");
    Some(Line { time, request_id, level: Some(level.trim()), message: Some(message), ..Line::default() })
}

/// `time request Task timed out after 3.00 seconds`.
fn timed_out(text: &str) -> Option<Line<'_>> {
    let mut fields = text.splitn(3, ' ');
    let (time, request_id, message) = (fields.next()?, fields.next()?, fields.next()?);
    if !message.starts_with("Task timed out") {
        return None;
    }
    let time = Some(times::from_text(time, Unit::ByMagnitude)?);
    let (request_id, message, status) = (Some(request_id), Some(message), Some("timeout"));
    Some(Line { time, request_id, message, status, ..Line::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_gives_its_measures() {
        let text = "REPORT RequestId: r-1\tDuration: 3.04 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 134.5 ms\tStatus: error\tError Type: Runtime.ExitError\t\n";
        let line = parse(text);
        assert_eq!((line.duration, line.billed, line.init), (Some(3.04), Some(4.0), Some(134.5)));
        assert_eq!((line.memory, line.max_memory), (Some(128), Some(36)));
        assert_eq!((line.request_id, line.kind), (Some("r-1"), Some("platform.report")));
        assert_eq!((line.status, line.error_type), (Some("error"), Some("Runtime.ExitError")));
    }

    #[test]
    fn application_lines_of_both_layouts_are_read() {
        for text in ["2026-11-24T10:00:00.123Z\tr-1\tINFO\ta\tb\n", "[INFO]\t2026-11-24T10:00:00.123Z\tr-1\ta\tb"] {
            let line = parse(text);
            assert_eq!(
                (line.request_id, line.level, line.message),
                (Some("r-1"), Some("INFO"), Some("a\tb")),
                "{text}"
            );
            assert_eq!(line.time, watchfire_record::time::parse("2026-11-24T10:00:00.123Z"));
        }
        assert_eq!(parse("2026-11-24T10:00:00.123Z\tundefined\tINFO\tx").request_id, None);
    }

    #[test]
    fn other_lines_are_messages() {
        assert_eq!(parse("START RequestId: r-1 Version: $LATEST").request_id, Some("r-1"));
        assert_eq!(parse("END RequestId: r-1").kind, Some("platform.runtimeDone"));
        let late = parse("2026-11-24T10:00:03.000Z r-1 Task timed out after 3.00 seconds");
        assert_eq!((late.status, late.request_id), (Some("timeout"), Some("r-1")));
        for text in ["", "hello", "a\tb\tc\td", "REPORT nothing", "x y Task timed out"] {
            assert_eq!(parse(text), Line { message: Some(text), ..Line::default() });
        }
    }
}
