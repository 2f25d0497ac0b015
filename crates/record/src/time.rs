//! The one door to the clock, and times as text.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDateTime, SecondsFormat};

/// Tells the time. Everything that needs it is given one; nothing else asks the system.
pub trait Clock: Send + Sync {
    /// Microseconds since the epoch, UTC.
    fn now(&self) -> i64;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one door to the system's clock")]
    fn now(&self) -> i64 {
        chrono::Utc::now().timestamp_micros()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct SimulatedClock(AtomicI64);

impl SimulatedClock {
    /// A clock that shows `micros` since the epoch.
    #[must_use]
    pub fn at(micros: i64) -> Self {
        Self(AtomicI64::new(micros))
    }

    /// Moves the clock on by `micros`.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Measures what work costs. It says nothing to anything that decides what is found.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// One that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one door to the system's clock")]
    #[must_use]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Nanoseconds since it started, or since the last lap.
    pub fn lap(&mut self) -> u64 {
        let before = std::mem::replace(self, Self::start());
        u64::try_from(self.0.duration_since(before.0).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Earliest time that is taken as a time: 1970-01-01, in microseconds.
pub const EARLIEST: i64 = 0;
/// Latest time that is taken as a time: the end of the year 9999, in microseconds.
pub const LATEST: i64 = 253_402_300_799_999_999;

/// RFC 3339 text to microseconds since the epoch. Also takes a blank in place of `T`, and no offset (then UTC).
/// `None` if it is no time between [`EARLIEST`] and [`LATEST`].
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let micros = parse_plain(text.as_bytes()).or_else(|| parse_general(text))?;
    (EARLIEST..=LATEST).contains(&micros).then_some(micros)
}

/// The common form `2026-11-24T10:00:00Z`, without a general parser.
fn parse_plain(text: &[u8]) -> Option<i64> {
    let t: &[u8; 20] = text.try_into().ok()?;
    let punctuated = t[4] == b'-' && t[7] == b'-' && t[10] == b'T' && t[13] == b':' && t[16] == b':' && t[19] == b'Z';
    if !punctuated {
        return None;
    }
    let number = |from: usize, to: usize| {
        t[from..to].iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    Some((days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn parse_general(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let naive = text.trim_end_matches('Z').replacen(' ', "T", 1);
    NaiveDateTime::parse_from_str(&naive, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|t| t.and_utc().timestamp_micros())
}

/// Microseconds since the epoch as RFC 3339 text in UTC, with as many digits of a second as are not zero (0, 3 or 6).
#[must_use]
pub fn format(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => micros.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_and_the_general_one_agree() {
        for day in (0..2_932_896).step_by(7) {
            let text = format(day * 86_400_000_000 + 3_723_000_000);
            assert_eq!(parse_plain(text.as_bytes()), parse_general(&text), "{text}");
        }
        for wrong in ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "x026-01-01T00:00:00Z"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn other_forms_are_read() {
        let noon = parse("2026-11-24T12:00:00Z");
        assert!(noon.is_some());
        for same in
            ["2026-11-24T12:00:00+00:00", "2026-11-24T13:00:00+01:00", "2026-11-24 12:00:00", "2026-11-24T12:00:00.000"]
        {
            assert_eq!(parse(same), noon, "{same}");
        }
        assert_eq!(format(noon.unwrap_or_default() + 500_000), "2026-11-24T12:00:00.500Z");
    }
}
