//! What the window operator keeps: for each key and pane its aggregates, in few large pieces of memory.

use hashbrown::HashTable;

use super::chunks::Chunks;
use super::fold::Fold;
use super::manner::{extrapolated, sum_of, table_bytes};
use super::waits::Wait;
use crate::plan::Aggregate;

/// All panes of one operator, by number.
#[derive(Debug)]
pub struct Panes {
    table: HashTable<Place>,
    panes: Chunks<Pane>,
    /// A pane's aggregates but the first, which lies in the pane, so that most operators touch one place a pane.
    others: Chunks<Fold>,
    aggregates: Vec<Aggregate>,
    free: Vec<u32>,
    /// By key, the start and number of the pane that was asked for last: most rows follow others of their key. As long
    /// as keys are few for the panes; else it is empty.
    latest: Vec<(i64, u32)>,
}

/// The number of no pane.
const NO_PANE: u32 = u32::MAX;
/// Entries of `latest` that may be there for one pane.
const KEYS_A_PANE: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Place {
    start: i64,
    key: u32,
    number: u32,
}

/// What is known of one key in one pane.
#[derive(Debug)]
pub struct Pane {
    /// Where it starts, microseconds.
    pub start: i64,
    /// Its key's number.
    pub key: u32,
    /// How many rows it has; at least 1 in a pane that is in use.
    pub rows: u32,
    /// For tumbling windows: what is waited for before early findings are looked for.
    pub wait: Wait,
    /// Whether rows came to it since early findings of its windows were last looked for.
    pub touched: bool,
    /// Whether a window that it is in has fired.
    pub fired: bool,
    first: Fold,
}

/// Spreads what nobody outside chooses freely, keys' numbers and times, over all bits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "any bits will do")]
fn spread(key: u32, start: i64) -> u64 {
    let wide =
        u128::from(start as u64 ^ u64::from(key).rotate_left(40) ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    wide as u64 ^ (wide >> 64) as u64
}

impl Panes {
    /// None yet, for these aggregates.
    #[must_use]
    pub fn new(aggregates: Vec<Aggregate>) -> Self {
        Self {
            table: HashTable::new(),
            panes: Chunks::default(),
            others: Chunks::default(),
            aggregates,
            free: Vec::new(),
            latest: Vec::new(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// About how many bytes they take. What is free for others does not count: else keys would be thrown out for it
    /// again and again.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let width = self.others_a_pane();
        let heap = |number: usize| {
            let others = (number * width..(number + 1) * width).map(|other| &self.others[other]);
            others.chain([&self.panes[number].first]).map(Fold::bytes).sum::<usize>()
        };
        let heaps = |step: usize, _| sum_of((0..self.panes.len()).step_by(step).map(heap));
        self.count() * (size_of::<Pane>() + width * size_of::<Fold>())
            + table_bytes::<Place>(self.count())
            + self.latest.len() * size_of::<(i64, u32)>()
            + extrapolated(self.panes.len(), heaps)
    }

    /// The aggregates that are kept.
    #[must_use]
    pub fn aggregates(&self) -> &[Aggregate] {
        &self.aggregates
    }

    /// The number of a key's pane with this start, if it has one.
    #[must_use]
    pub fn find(&self, key: u32, start: i64) -> Option<u32> {
        let found = self.table.find(spread(key, start), |place| place.key == key && place.start == start);
        found.map(|place| place.number)
    }

    /// The same, if it is the one that was asked for last of its key. It takes one look at memory, and no decision that
    /// hangs on it, so that a processor can wait for many at once.
    #[must_use]
    pub fn likely(&self, key: u32, start: i64) -> Option<u32> {
        let (latest, number) = self.latest.get(key as usize).copied().unwrap_or((start, NO_PANE));
        (latest == start && number != NO_PANE).then_some(number)
    }

    /// The same as [`Self::find`] for a pane that is likely to be asked for again, before another one of the key.
    #[must_use]
    pub fn find_next(&mut self, key: u32, start: i64) -> Option<u32> {
        let number = self.find(key, start)?;
        self.remember(key, start, number);
        Some(number)
    }

    fn remember(&mut self, key: u32, start: i64, number: u32) {
        let key = key as usize;
        if key >= self.latest.len() {
            if key > KEYS_A_PANE * self.count() {
                return;
            }
            self.latest.resize(key + 1, (0, NO_PANE));
        }
        self.latest[key] = (start, number);
    }

    fn others_a_pane(&self) -> usize {
        self.aggregates.len().saturating_sub(1)
    }

    /// Makes a pane that was not found; its number.
    pub fn make(&mut self, key: u32, start: i64, wait: Wait) -> u32 {
        let mut folds = self.aggregates.iter().map(|aggregate| Fold::new(&aggregate.kind));
        let first = folds.next().unwrap_or_default();
        let pane = Pane { start, key, rows: 0, wait, touched: false, fired: false, first };
        let number = if let Some(number) = self.free.pop() {
            // Its other aggregates are those of no rows.
            self.panes[number as usize] = pane;
            number
        } else {
            self.panes.push(pane);
            folds.for_each(|fold| self.others.push(fold));
            u32::try_from(self.panes.len() - 1).expect("panes are limited to fewer than 2^32")
        };
        let place = Place { start, key, number };
        self.table.insert_unique(spread(key, start), place, |place| spread(place.key, place.start));
        self.remember(key, start, number);
        number
    }

    /// Forgets a pane; its number may be given to another. Its key.
    pub fn remove(&mut self, number: u32) -> u32 {
        let width = self.others_a_pane();
        let pane = &mut self.panes[number as usize];
        let (key, start) = (pane.key, pane.start);
        (pane.rows, pane.wait, pane.first) = (0, Wait::default(), Fold::default());
        if let Ok(entry) = self.table.find_entry(spread(key, start), |place| place.number == number) {
            entry.remove();
        }
        for (other, aggregate) in self.aggregates.iter().skip(1).enumerate() {
            self.others[number as usize * width + other] = Fold::new(&aggregate.kind);
        }
        if let Some(latest) = self.latest.get_mut(key as usize).filter(|(_, latest)| *latest == number) {
            *latest = (0, NO_PANE);
        }
        self.free.push(number);
        key
    }

    /// Many panes are gone: what was as large as they were many goes too.
    pub fn shrink(&mut self) {
        self.latest = Vec::new();
    }

    /// A pane.
    #[must_use]
    pub fn get(&self, number: u32) -> &Pane {
        &self.panes[number as usize]
    }

    /// A pane.
    pub fn get_mut(&mut self, number: u32) -> &mut Pane {
        &mut self.panes[number as usize]
    }

    /// A pane's aggregate of an index.
    #[must_use]
    pub fn fold(&self, number: u32, index: usize) -> &Fold {
        match index.checked_sub(1) {
            None => &self.panes[number as usize].first,
            Some(other) => &self.others[number as usize * self.others_a_pane() + other],
        }
    }

    /// A pane's aggregate of an index.
    pub fn fold_mut(&mut self, number: u32, index: usize) -> &mut Fold {
        let width = self.others_a_pane();
        match index.checked_sub(1) {
            None => &mut self.panes[number as usize].first,
            Some(other) => &mut self.others[number as usize * width + other],
        }
    }

    /// All panes in use, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Pane)> {
        (0u32..).zip(self.panes.iter()).filter(|(_, pane)| pane.rows > 0)
    }
}
