//! Rows of a batch in runs of one key, worked out once for all operators that are fed the same.

use super::feed::{Fed, FedRow};
use super::key_table::KeyTable;

/// Rows that come group by group, in order of time in each.
#[derive(Debug, Clone)]
pub struct Runs {
    /// All rows; those of a run are next to one another.
    rows: Vec<FedRow>,
    runs: Vec<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    key: u32,
    /// Where its rows begin.
    from: u32,
    times: (i64, i64),
}

/// Rows of one key.
#[derive(Debug)]
pub struct Run<'a> {
    /// The key's number.
    pub key: u32,
    /// The event times of its first and last row, microseconds.
    pub times: (i64, i64),
    /// At least one, in order of time.
    pub rows: &'a [FedRow],
}

impl Runs {
    /// The rows of a feed that come group by group.
    #[must_use]
    pub fn of(fed: &Fed<'_>, keys: &mut KeyTable) -> Self {
        let rows: Vec<FedRow> = fed.rows().collect();
        let (mut runs, mut from) = (Vec::new(), 0);
        for group in rows.chunk_by(|row, next| fed.group(*row) == fed.group(*next)) {
            let times = (fed.time(group[0]), fed.time(group[group.len() - 1]));
            runs.push(Place { key: keys.of_row(fed, group[0]), from, times });
            from += u32::try_from(group.len()).expect("a batch has fewer than 2^32 rows");
        }
        Self { rows, runs }
    }

    /// How many runs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// The runs.
    pub fn iter(&self) -> impl Iterator<Item = Run<'_>> {
        let ends = self.runs.iter().skip(1).map(|run| run.from as usize).chain([self.rows.len()]);
        let run = |(place, end): (&Place, usize)| {
            let rows = &self.rows[place.from as usize..end];
            Run { key: place.key, times: place.times, rows }
        };
        self.runs.iter().zip(ends).map(run)
    }

    /// The runs without rows before a time, how many of which there are is added to `late`.
    pub fn since(&self, time: i64, fed: &Fed<'_>, late: &mut u64) -> impl Iterator<Item = Run<'_>> {
        self.iter().filter_map(move |run| {
            let Run { key, times: (first, last), rows } = run;
            if first >= time {
                return Some(run);
            }
            let rows = &rows[rows.partition_point(|row| fed.time(*row) < time)..];
            *late += (run.rows.len() - rows.len()) as u64;
            Some(Run { key, times: (fed.time(*rows.first()?), last), rows })
        })
    }
}
