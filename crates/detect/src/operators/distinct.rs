//! Different values of a group, exact up to a limit.

use hashbrown::HashTable;
use watchfire_record::limits::DISTINCT_VALUES;

/// Hashes of different values: one, a short list, or, when they are many, a table. At [`DISTINCT_VALUES`] it is full and
/// takes no more.
#[derive(Debug)]
pub enum DistinctValues {
    /// A single one, for which no memory is asked.
    One(Hash),
    /// In the order of their coming.
    Few(Vec<Hash>),
    /// By their hash.
    Many(Box<HashTable<Hash>>),
}

/// A value's 128-bit hash, high half first, in a form that is no larger with its neighbours.
pub type Hash = [u64; 2];

/// How long the list may be: as many hashes are compared faster than a table is asked.
const FEW: usize = 16;

#[expect(clippy::cast_possible_truncation, reason = "the halves")]
fn halves(value: u128) -> Hash {
    [(value >> 64) as u64, value as u64]
}

impl Default for DistinctValues {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl DistinctValues {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(values) => values.len(),
            Self::Many(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Few(values) => values.capacity() * size_of::<Hash>(),
            Self::Many(values) => size_of::<HashTable<Hash>>() + values.capacity() * (size_of::<Hash>() + 1),
        }
    }

    /// Adds the value of this hash, if it is new and there is room.
    pub fn insert(&mut self, value: u128) {
        let value = halves(value);
        match self {
            Self::One(known) if *known == value => {}
            Self::One(known) => {
                let mut list = Vec::with_capacity(4);
                list.extend([*known, value]);
                *self = Self::Few(list);
            }
            Self::Few(values) if values.is_empty() => *self = Self::One(value),
            Self::Few(values) if values.contains(&value) => {}
            Self::Few(values) if values.len() < FEW => values.push(value),
            Self::Few(values) => {
                let mut table = HashTable::with_capacity(2 * FEW);
                values.iter().chain([&value]).for_each(|value| _ = table.insert_unique(value[1], *value, |v| v[1]));
                *self = Self::Many(Box::new(table));
            }
            Self::Many(values) => {
                let full = values.len() >= DISTINCT_VALUES;
                if let hashbrown::hash_table::Entry::Vacant(vacant) = values.entry(value[1], |v| *v == value, |v| v[1])
                    && !full
                {
                    vacant.insert(value);
                }
            }
        }
    }

    /// Does something with each value's hash.
    pub fn for_each(&self, mut act: impl FnMut(u128)) {
        let whole = |value: &Hash| u128::from(value[0]) << 64 | u128::from(value[1]);
        match self {
            Self::One(value) => act(whole(value)),
            Self::Few(values) => values.iter().map(whole).for_each(&mut act),
            Self::Many(values) => values.iter().map(whole).for_each(&mut act),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn it_says_what_a_plain_set_says() {
        let (mut values, mut plain) = (DistinctValues::default(), HashSet::new());
        for number in (0..40u128).chain(20..60) {
            let value = (number << 70) | (number % 7);
            values.insert(value);
            values.insert(value);
            plain.insert(value);
            assert_eq!(values.len(), plain.len());
        }
        let mut told = HashSet::new();
        values.for_each(|value| _ = told.insert(value));
        assert_eq!(told, plain);
    }

    #[test]
    fn at_the_limit_it_stays() {
        let mut values = DistinctValues::default();
        (0..DISTINCT_VALUES as u128 + 10).for_each(|number| values.insert(number));
        assert_eq!(values.len(), DISTINCT_VALUES);
    }
}
