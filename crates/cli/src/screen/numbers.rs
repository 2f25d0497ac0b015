//! Numbers as people read them.

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in decimal units, `1.65 GB`.
pub fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.5 {
            return if unit == "B" { format!("{number} B") } else { format!("{} {unit}", three(value)) };
        }
        value /= 1000.0;
    }
    format!("{} TB", three(value))
}

/// Microseconds in a unit that fits, `3.20 ms`.
pub fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", three(micros as f64 / 1e3)),
        _ => format!("{} s", three(micros as f64 / 1e6)),
    }
}

/// One and the plural: `1 finding`, `2 findings`.
pub fn of(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

fn three(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_plain() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12, 1_647_000_000, 999_999].map(bytes), ["12 B", "1.65 GB", "1.00 MB"]);
        assert_eq!([7, 3_200, 61_000_000].map(duration), ["7 µs", "3.20 ms", "61.0 s"]);
        assert_eq!([1, 2].map(|n| of(n, "finding", "findings")), ["1 finding", "2 findings"]);
    }
}
