//! Durations as people write them: `30s`, `5m`, `7d`, `1 hour`, `250ms`.

/// A duration in microseconds; the error says what is accepted.
///
/// # Errors
/// If the text is not a whole number with a unit, or is longer than 10,000 days.
pub fn parse(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = trimmed.split_at(digits);
    let micros: i64 = match unit.trim() {
        "us" | "microsecond" | "microseconds" => 1,
        "ms" | "millisecond" | "milliseconds" => 1_000,
        "s" | "sec" | "second" | "seconds" => 1_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000,
        "h" | "hour" | "hours" => 3_600_000_000,
        "d" | "day" | "days" => 86_400_000_000,
        _ => {
            return Err(format!(
                "`{text}` is no duration: write a whole number and a unit, as in 30s, 5m, 12h, 7d or \"1 hour\""
            ));
        }
    };
    let total = number.parse::<i64>().ok().and_then(|n| n.checked_mul(micros));
    match total {
        Some(total) if total <= 10_000 * 86_400_000_000 => Ok(total),
        Some(_) => Err(format!("`{text}` is longer than 10,000 days")),
        None => Err(format!("`{text}` is no duration: it must start with a whole number, as in 30s or \"1 hour\"")),
    }
}

/// A duration in its largest whole unit: `20m`, `90s`, `7d`.
#[must_use]
pub fn format(micros: i64) -> String {
    for (unit, size) in
        [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)]
    {
        if micros != 0 && micros % size == 0 {
            return format!("{}{unit}", micros / size);
        }
    }
    if micros == 0 { "0s".into() } else { format!("{micros}us") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_says_it_back() {
        for (text, said) in
            [("30s", "30s"), ("5m", "5m"), ("1 hour", "1h"), ("90 minutes", "90m"), ("48h", "2d"), ("0s", "0s")]
        {
            assert_eq!(parse(text).map(format).as_deref(), Ok(said), "{text}");
        }
        for wrong in ["", "5", "m", "-5m", "5 fortnights", "99999999999999999999s", "10001d"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
