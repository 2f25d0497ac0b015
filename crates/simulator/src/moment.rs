//! Times as the logs write them, quickly: the date is kept, since most records share it.

use watchfire_record::time;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes times; all are microseconds since the epoch, UTC.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    day: i64,
    date: String,
}

impl Moments {
    pub(crate) fn new() -> Self {
        Self { day: i64::MIN, date: String::new() }
    }

    /// `2026-11-24T10:00:00Z`
    pub(crate) fn seconds(&mut self, out: &mut String, micros: i64) {
        out.push_str(self.date(micros));
        out.push('T');
        push_clock(out, micros);
        out.push('Z');
    }

    /// `2026-11-24T10:00:00.123Z`
    pub(crate) fn millis(&mut self, out: &mut String, micros: i64) {
        out.push_str(self.date(micros));
        out.push('T');
        push_clock(out, micros);
        out.push('.');
        let millis = micros.rem_euclid(SECOND) / 1000;
        push_two(out, millis / 10);
        out.push(char::from(b'0' + (millis % 10) as u8));
        out.push('Z');
    }

    /// `24/Nov/2026:10:00:00 +0000`
    pub(crate) fn access_log(&mut self, out: &mut String, micros: i64) {
        let date = self.date(micros);
        for part in [&date[8..10], "/", month(date), "/", &date[..4], ":"] {
            out.push_str(part);
        }
        push_clock(out, micros);
        out.push_str(" +0000");
    }

    /// `Nov 24, 2026, 10:00:00 AM`
    pub(crate) fn spoken(&mut self, out: &mut String, micros: i64) {
        let date = self.date(micros);
        for part in [month(date), " ", date[8..10].trim_start_matches('0'), ", ", &date[..4], ", "] {
            out.push_str(part);
        }
        let second = micros.rem_euclid(DAY) / SECOND;
        let hour = second / 3600;
        push_number(out, (hour + 11) % 12 + 1);
        for part in [second / 60 % 60, second % 60] {
            out.push(':');
            push_two(out, part);
        }
        out.push_str(if hour < 12 { " AM" } else { " PM" });
    }

    fn date(&mut self, micros: i64) -> &str {
        let day = micros.div_euclid(DAY);
        if day != self.day {
            self.day = day;
            self.date = time::format(day * DAY);
            self.date.truncate("2026-11-24".len());
        }
        &self.date
    }
}

fn month(date: &str) -> &'static str {
    let number: usize = date[5..7].parse().expect("a formatted date has a month");
    MONTHS[number - 1]
}

fn push_clock(out: &mut String, micros: i64) {
    let second = micros.rem_euclid(DAY) / SECOND;
    push_two(out, second / 3600);
    out.push(':');
    push_two(out, second / 60 % 60);
    out.push(':');
    push_two(out, second % 60);
}

fn push_two(out: &mut String, number: i64) {
    out.push(char::from(b'0' + (number / 10) as u8));
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// A number in decimal.
pub(crate) fn push_number(out: &mut String, number: i64) {
    let mut buffer = [0u8; 20];
    let mut place = buffer.len();
    let mut left = number.unsigned_abs();
    loop {
        place -= 1;
        buffer[place] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    out.push_str(std::str::from_utf8(&buffer[place..]).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_the_logs_write_them() {
        let mut moments = Moments::new();
        let mut write = |micros: i64| {
            let (mut a, mut b, mut c, mut d) = Default::default();
            moments.seconds(&mut a, micros);
            moments.millis(&mut b, micros);
            moments.access_log(&mut c, micros);
            moments.spoken(&mut d, micros);
            [a, b, c, d]
        };
        let morning = time::parse("2026-11-04T00:05:09.078Z").expect("a time");
        let expected = [
            "2026-11-04T00:05:09Z",
            "2026-11-04T00:05:09.078Z",
            "04/Nov/2026:00:05:09 +0000",
            "Nov 4, 2026, 12:05:09 AM",
        ];
        assert_eq!(write(morning), expected);
        let evening = time::parse("2027-01-31T23:59:59.999Z").expect("a time");
        assert_eq!(write(evening)[3], "Jan 31, 2027, 11:59:59 PM");
        assert_eq!(time::parse(&write(evening)[1]), Some(evening));
    }

    #[test]
    fn numbers_read_as_usual() {
        for number in [0, 7, 10, -3, i64::MAX, i64::MIN] {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
    }
}
