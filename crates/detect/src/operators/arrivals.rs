//! Rows of a range that wait, in the order in which they came, until all of their time have come.
//!
//! Where findings are told only when they are final, nobody looks at a row before. So it is not put into its key's
//! timeline as it comes, which would mean going to the key's place in memory for each, and finding the row's place among
//! others: rows of a stretch of time are sorted at once, and each key is visited once for all of its own.

use std::collections::BTreeMap;

use super::manner::push;
use super::timeline::Pending;

/// How long a stretch of time is, microseconds. Findings are told when the stretch of their row is over.
pub const STRETCH: i64 = 15_000_000;

/// A row that waits; packed, since there are as many as rows within the lateness.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))]
struct Arrived {
    row: Pending,
    key: u32,
}

/// Rows that wait, by the start of their stretch.
#[derive(Debug, Default)]
pub struct Arrivals {
    stretches: BTreeMap<i64, Vec<Arrived>>,
}

/// The start of the stretch that a time is in.
#[must_use]
pub fn stretch(time: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(STRETCH))
}

impl Arrivals {
    /// A row of a key waits.
    pub fn push(&mut self, key: u32, row: Pending) {
        push(self.stretches.entry(stretch(row.time)).or_default(), Arrived { row, key });
    }

    /// Takes out all rows of stretches that start before `end`, by key, and in order of time in each; those of one time in
    /// the order in which they came.
    pub fn take(&mut self, end: i64) -> Vec<(u32, Pending)> {
        let later = self.stretches.split_off(&end);
        let due = std::mem::replace(&mut self.stretches, later);
        let mut rows = Vec::with_capacity(due.values().map(Vec::len).sum());
        for stretch in due.into_values() {
            rows.extend(stretch.into_iter().map(|arrived| (arrived.key, arrived.row)));
        }
        rows.sort_by_key(|(key, row)| (*key, row.time));
        rows
    }

    /// Takes out the rows of keys that are gone.
    pub fn forget(&mut self, is_gone: impl Fn(u32) -> bool) -> Vec<Pending> {
        let rows = self.stretches.values_mut();
        rows.flat_map(|rows| rows.extract_if(.., |arrived| is_gone(arrived.key))).map(|arrived| arrived.row).collect()
    }

    /// Bytes that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.stretches.values().map(|rows| rows.capacity() * size_of::<Arrived>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_by_key_in_order_of_time_and_arrival() {
        let mut arrivals = Arrivals::default();
        let rows = [(2, 5), (1, 7), (2, 5), (1, STRETCH), (1, -1), (2, 3)];
        for (index, (key, time)) in (0..).zip(rows) {
            arrivals.push(key, Pending::new(time, 0, index, 0, true));
        }
        assert!((6 * 20..6 * 20 * 4).contains(&arrivals.bytes()), "a row takes 20 bytes");
        let mut take =
            |end| -> Vec<(u32, u32)> { arrivals.take(end).into_iter().map(|(key, row)| (key, row.index())).collect() };
        assert_eq!(take(STRETCH), [(1, 4), (1, 1), (2, 5), (2, 0), (2, 2)]);
        assert_eq!(take(STRETCH), []);
        assert_eq!(take(i64::MAX), [(1, 3)]);
    }

    #[test]
    fn rows_of_keys_that_are_gone_are_taken_out() {
        let mut arrivals = Arrivals::default();
        (0..10).for_each(|index| arrivals.push(index % 2, Pending::new(i64::from(index) * STRETCH, 0, index, 0, true)));
        let gone: Vec<u32> = arrivals.forget(|key| key == 1).into_iter().map(Pending::index).collect();
        assert_eq!(gone, [1, 3, 5, 7, 9]);
        assert_eq!(arrivals.take(i64::MAX).len(), 5);
    }

    #[test]
    fn a_stretch_starts_at_or_before_its_times() {
        for time in [0, 1, -1, STRETCH - 1, STRETCH, i64::MAX, i64::MIN] {
            let start = stretch(time);
            assert!(start <= time && time.checked_sub(start).is_none_or(|since| since < STRETCH), "{time}");
        }
    }
}
