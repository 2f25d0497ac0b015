//! Times as logs write them.

use chrono::DateTime;
use watchfire_record::time::{self, EARLIEST, LATEST};

/// What a number stands for where a time is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds below 10^11, then milliseconds below 10^14, microseconds below 10^17, nanoseconds.
    ByMagnitude,
    /// Milliseconds.
    Milliseconds,
}

/// Microseconds since the epoch from text: RFC 3339, the time of common log format (`24/Nov/2026:10:00:00 +0000`), or a
/// number.
pub(crate) fn from_text(text: &str, unit: Unit) -> Option<i64> {
    if let Some(micros) = time::parse(text) {
        return Some(micros);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return from_integer(text.parse().ok()?, unit);
    }
    if let Ok(number) = text.parse::<f64>() {
        return from_float(number, unit);
    }
    let moment = DateTime::parse_from_str(text, "%d/%b/%Y:%H:%M:%S %z").ok()?;
    in_range(moment.timestamp_micros())
}

/// Microseconds since the epoch from a whole number.
pub(crate) fn from_integer(number: i64, unit: Unit) -> Option<i64> {
    let micros = match unit {
        Unit::Milliseconds => number.checked_mul(1_000)?,
        Unit::ByMagnitude if number < 100_000_000_000 => number.checked_mul(1_000_000)?,
        Unit::ByMagnitude if number < 100_000_000_000_000 => number * 1_000,
        Unit::ByMagnitude if number < 100_000_000_000_000_000 => number,
        Unit::ByMagnitude => number / 1_000,
    };
    in_range(micros)
}

/// Microseconds since the epoch from a number with a fraction, which is cut to whole microseconds.
pub(crate) fn from_float(number: f64, unit: Unit) -> Option<i64> {
    let factor = match unit {
        Unit::Milliseconds => 1e3,
        Unit::ByMagnitude if number < 1e11 => 1e6,
        Unit::ByMagnitude if number < 1e14 => 1e3,
        Unit::ByMagnitude if number < 1e17 => 1.0,
        Unit::ByMagnitude => 1e-3,
    };
    let micros = number * factor;
    // What is no number, or beyond the range of i64, is outside of the range of times too.
    if micros.is_finite() { in_range(micros as i64) } else { None }
}

fn in_range(micros: i64) -> Option<i64> {
    (EARLIEST..=LATEST).contains(&micros).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_their_size() {
        let noon = time::parse("2026-11-24T12:00:00Z");
        let seconds = noon.unwrap() / 1_000_000;
        for number in [seconds, seconds * 1_000, seconds * 1_000_000, seconds * 1_000_000_000] {
            assert_eq!(from_integer(number, Unit::ByMagnitude), noon);
            assert_eq!(from_text(&number.to_string(), Unit::ByMagnitude), noon);
        }
        assert_eq!(from_float(seconds as f64 + 0.25, Unit::ByMagnitude), noon.map(|t| t + 250_000));
        assert_eq!(from_integer(5, Unit::Milliseconds), Some(5_000));
        for number in [-1, i64::MIN] {
            assert_eq!(from_integer(number, Unit::ByMagnitude), None);
        }
        assert_eq!(from_integer(i64::MAX, Unit::Milliseconds), None);
        for number in [-1.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(from_float(number, Unit::ByMagnitude), None);
        }
    }

    #[test]
    fn texts_are_read_in_every_form() {
        let ten = time::parse("2026-11-24T10:00:00Z");
        assert_eq!(from_text("24/Nov/2026:10:00:00 +0000", Unit::ByMagnitude), ten);
        assert_eq!(from_text("24/Nov/2026:12:00:00 +0200", Unit::ByMagnitude), ten);
        for wrong in ["", "-", "yesterday", "24/Foo/2026:10:00:00 +0000", "99999999999999999999999", "NaN", "inf"] {
            assert_eq!(from_text(wrong, Unit::ByMagnitude), None, "{wrong}");
        }
    }
}
