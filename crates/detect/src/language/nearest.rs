//! The name that somebody most likely meant.

/// The nearest of `names` to `written`, if it is near enough to be meant: case, underscores and hyphens aside, at most
/// a third of the characters may differ. Of two equally near, the first.
#[must_use]
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_within(written, names, 3)
}

/// The same where at most one of so many characters may differ.
#[must_use]
pub fn nearest_within<'a>(written: &str, names: impl IntoIterator<Item = &'a str>, one_of: usize) -> Option<&'a str> {
    let written = fold(written);
    if written.is_empty() || written.len() > LONGEST {
        return None;
    }
    let bound = (written.len() / one_of).max(1);
    // Most of thousands of names are of another length, which is seen without folding them.
    let near = names.into_iter().filter(|name| folded(name).count().abs_diff(written.len()) <= bound);
    let near = near.filter_map(|name| Some((distance(&written, &fold(name), bound)?, name)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Longer names are not compared: nobody mistypes them, and the comparison is quadratic.
const LONGEST: usize = 64;

fn fold(name: &str) -> Vec<char> {
    folded(name).collect()
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| *c != '_' && *c != '-').flat_map(char::to_lowercase)
}

/// How many single characters must be inserted, deleted, replaced or swapped with their neighbour to make one of the
/// other (optimal string alignment); `None` beyond `bound`.
fn distance(a: &[char], b: &[char], bound: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > bound {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row: Vec<usize> = Vec::with_capacity(b.len() + 1);
    for i in 1..=a.len() {
        row.clear();
        row.push(i);
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        // No way from here on gets nearer.
        if row.iter().chain(&last).all(|distance| *distance > bound) {
            return None;
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last.last().copied().filter(|distance| *distance <= bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let names = ["event_name", "event_time", "source_ip", "region", "raw"];
        for (written, meant) in [
            ("eventName", Some("event_name")),
            ("event_nmae", Some("event_name")),
            ("sourceip", Some("source_ip")),
            ("regoin", Some("region")),
            ("rew", Some("raw")),
            ("bucket", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written}");
        }
        assert_eq!(nearest(&"a".repeat(100_000), names), None);
    }

    proptest::proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_only_for_equals(a in "[ab_c]{0,6}", b in "[abc]{0,6}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            proptest::prop_assert_eq!(distance(&a, &b, 9), distance(&b, &a, 9));
            proptest::prop_assert_eq!(distance(&a, &b, 9) == Some(0), a == b);
        }
    }
}
