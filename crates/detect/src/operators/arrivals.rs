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

/// A row that waits: small, since there are as many as rows within the lateness.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    key: u32,
    /// Microseconds since the start of its stretch.
    since_start: u32,
    batch: u32,
    tagged_index: u32,
}

impl Arrived {
    fn new(key: u32, row: Pending) -> Self {
        let since_start = u32::try_from(row.time - stretch(row.time)).expect("a stretch is shorter than 2^32");
        Self { key, since_start, batch: row.batch, tagged_index: row.tagged_index }
    }

    /// The row, of the stretch that starts then.
    fn row(self, start: i64) -> Pending {
        Pending { time: start + i64::from(self.since_start), batch: self.batch, tagged_index: self.tagged_index }
    }
}

/// A row that has waited.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Its key.
    pub key: u32,
    /// The row.
    pub row: Pending,
    /// What was read of it as it was taken out.
    pub hash: u128,
}

/// Rows of stretches, by their starts.
type Stretches = BTreeMap<i64, Vec<Arrived>>;

/// Keys that may be counted for one row.
const KEYS_A_ROW: usize = 4;

/// Rows that wait, by the start of their stretch.
#[derive(Debug, Default)]
pub struct Arrivals {
    stretches: Stretches,
    /// Rows of each key that wait, by the place of the key's state: beside states, which are large, since each row counts.
    waiting: Vec<u32>,
}

/// The start of the stretch that a time is in.
#[must_use]
pub fn stretch(time: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(STRETCH))
}

impl Arrivals {
    /// A row of a key, whose state lies at this place, waits.
    pub fn push(&mut self, key: u32, place: usize, row: Pending) {
        if place >= self.waiting.len() {
            self.waiting.resize((place + 1).next_power_of_two(), 0);
        }
        self.waiting[place] += 1;
        push(self.stretches.entry(stretch(row.time)).or_default(), Arrived::new(key, row));
    }

    /// How many rows wait of the key whose state lies at this place.
    #[must_use]
    pub fn waiting(&self, place: usize) -> usize {
        self.waiting.get(place).map_or(0, |rows| *rows as usize)
    }

    /// So many rows, which were taken out, of the key whose state lies at this place wait no more.
    pub fn taken(&mut self, place: usize, rows: usize) {
        self.waiting[place] -= u32::try_from(rows).expect("no more than wait");
    }

    /// The state at this place goes.
    pub fn free(&mut self, place: usize) {
        if let Some(rows) = self.waiting.get_mut(place) {
            *rows = 0;
        }
    }

    /// Takes out all rows of stretches that start before `end`, by key, and in order of time in each; those of one time in
    /// the order in which they came. `hash` reads something of each, about in the order in which they came.
    pub fn take(&mut self, end: i64, hash: impl Fn(Pending) -> u128) -> Vec<Arrival> {
        let later = self.stretches.split_off(&end);
        let due = std::mem::replace(&mut self.stretches, later);
        let mut rows = by_key(due, hash);
        // Of most keys they are in order already, or few.
        rows.chunk_by_mut(|row, next| row.key == next.key)
            .for_each(|rows| rows.sort_by_key(|arrival| arrival.row.time));
        rows
    }

    /// Takes out the rows of keys that are gone.
    pub fn forget(&mut self, is_gone: impl Fn(u32) -> bool) -> Vec<Pending> {
        let stretches = self.stretches.iter_mut();
        let gone = stretches.flat_map(|(start, rows)| {
            rows.extract_if(.., |arrived| is_gone(arrived.key)).map(|arrived| arrived.row(*start))
        });
        gone.collect()
    }

    /// Bytes that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let rows = self.stretches.values().map(Vec::capacity).sum::<usize>();
        rows * size_of::<Arrived>() + self.waiting.capacity() * size_of::<u32>()
    }
}

/// All rows, those of a key together and in the order of their stretches.
fn by_key(stretches: Stretches, hash: impl Fn(Pending) -> u128) -> Vec<Arrival> {
    let count: usize = stretches.values().map(Vec::len).sum();
    let keys = || stretches.values().flatten().map(|row| row.key as usize);
    let most = keys().max().map_or(0, |key| key + 1);
    // Keys are small numbers: where the rows of each begin is counted, which is faster than to compare them.
    let mut next = vec![0; if most <= KEYS_A_ROW * count { most } else { 0 }];
    if !next.is_empty() {
        keys().for_each(|key| next[key] += 1);
    }
    let mut begin = 0;
    for count in &mut next {
        begin += std::mem::replace(count, begin);
    }
    let arrivals = stretches
        .into_iter()
        .flat_map(|(start, rows)| rows.into_iter().map(move |arrived| (arrived.key, arrived.row(start))));
    let arrivals = arrivals.map(|(key, row)| Arrival { key, row, hash: hash(row) });
    if next.is_empty() {
        let mut rows: Vec<Arrival> = arrivals.collect();
        rows.sort_by_key(|arrival| arrival.key);
        return rows;
    }
    let nothing = Arrival { key: 0, row: Pending { time: 0, batch: 0, tagged_index: 0 }, hash: 0 };
    let mut placed = vec![nothing; count];
    for arrival in arrivals {
        let place = &mut next[arrival.key as usize];
        placed[*place] = arrival;
        *place += 1;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_by_key_in_order_of_time_and_arrival() {
        let mut arrivals = Arrivals::default();
        let rows = [(2, 5), (1, 7), (2, 5), (1, STRETCH), (1, -1), (2, 3)];
        for (index, (key, time)) in (0..).zip(rows) {
            arrivals.push(key, key as usize - 1, Pending::new(time, 0, index, 0, true));
        }
        assert_eq!(size_of::<Arrived>(), 16);
        assert!(arrivals.bytes() >= 6 * 16);
        let mut take = |end| -> Vec<(u32, u32)> {
            arrivals.take(end, |_| 0).into_iter().map(|arrival| (arrival.key, arrival.row.index())).collect()
        };
        assert_eq!(take(STRETCH), [(1, 4), (1, 1), (2, 5), (2, 0), (2, 2)]);
        assert_eq!(take(STRETCH), []);
        assert_eq!(take(i64::MAX), [(1, 3)]);
    }

    #[test]
    fn keys_near_and_far_come_out_as_if_sorted() {
        for far in [1, 1_000_000] {
            let (mut arrivals, mut plain) = (Arrivals::default(), Vec::new());
            let mut taken = Vec::new();
            for index in 0..5_000u32 {
                let mixed = index.wrapping_mul(2_654_435_761) >> 8;
                let (key, time) = (mixed % 700 * far, (i64::from(mixed % 97) - 50) * STRETCH / 7);
                arrivals.push(key, 0, Pending::new(time, index, index % 11, 0, index % 3 == 0));
                plain.push((key, time, index, index % 3 == 0));
            }
            plain.sort_by_key(|(key, time, ..)| (*key, *time));
            for Arrival { key, row, hash } in arrivals.take(i64::MAX, |row| u128::from(row.batch)) {
                assert_eq!(hash, u128::from(row.batch));
                taken.push((key, row.time, row.batch, row.may_pass()));
            }
            assert_eq!(taken, plain);
        }
    }

    #[test]
    fn a_key_whose_state_goes_leaves_its_place_as_it_was() {
        let mut arrivals = Arrivals::default();
        (0..3).for_each(|index| arrivals.push(7, 1, Pending::new(0, 0, index, 0, true)));
        arrivals.taken(1, 1);
        assert_eq!((arrivals.waiting(0), arrivals.waiting(1), arrivals.waiting(100)), (0, 2, 0));
        arrivals.free(1);
        arrivals.free(100);
        assert_eq!(arrivals.waiting(1), 0);
    }

    #[test]
    fn rows_of_keys_that_are_gone_are_taken_out() {
        let mut arrivals = Arrivals::default();
        let row = |index| Pending::new(i64::from(index) * STRETCH, 0, index, 0, true);
        (0..10).for_each(|index| arrivals.push(index % 2, index as usize % 2, row(index)));
        let gone: Vec<_> = arrivals.forget(|key| key == 1).into_iter().map(|row| (row.index(), row.time)).collect();
        assert_eq!(gone, [1, 3, 5, 7, 9].map(|index| (index, i64::from(index) * STRETCH)));
        assert_eq!(arrivals.take(i64::MAX, |_| 0).len(), 5);
    }

    #[test]
    fn a_stretch_starts_at_or_before_its_times() {
        for time in [0, 1, -1, STRETCH - 1, STRETCH, i64::MAX, i64::MIN] {
            let start = stretch(time);
            assert!(start <= time && time.checked_sub(start).is_none_or(|since| since < STRETCH), "{time}");
        }
    }
}
