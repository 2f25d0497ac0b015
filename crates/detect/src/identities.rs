//! Which records are copies of one that was taken in before.
//!
//! Records equal in their stream's identity columns are one. De-duplication comes after each operator's WHERE: a copy
//! that a WHERE has not let in before is let in. One look-up a record serves all operators.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

const BUCKET: i64 = 60_000_000;

/// Hashes values to 128 bits under a secret of this process, so that nobody who writes log lines can make two collide.
/// Equality of hashes is taken for equality of values.
#[derive(Debug, Clone)]
pub struct SecretHasher {
    low: ahash::RandomState,
    high: ahash::RandomState,
}

impl SecretHasher {
    /// A hasher with this secret.
    #[must_use]
    pub fn new(secret: [u64; 4]) -> Self {
        let [a, b, c, d] = secret;
        Self {
            low: ahash::RandomState::with_seeds(a, b, c, d),
            high: ahash::RandomState::with_seeds(!d, c ^ a, b.rotate_left(17), a.wrapping_add(d)),
        }
    }

    /// The hash of a value.
    #[must_use]
    pub fn hash(&self, value: impl Hash) -> u128 {
        (u128::from(self.high.hash_one(&value)) << 64) | u128::from(self.low.hash_one(&value))
    }

    /// The hash of a sequence that had the hash `before` and goes on with `value`.
    #[must_use]
    pub fn extend(&self, before: u128, value: impl Hash) -> u128 {
        self.hash((before, value))
    }
}

/// The part of a [`SecretHasher`]'s hash by which tables are ordered.
#[expect(clippy::cast_possible_truncation, reason = "any 64 bits of it will do")]
#[must_use]
pub fn short(hash: u128) -> u64 {
    hash as u64
}

/// Orders a table by what is a hash already: a [`SecretHasher`]'s 128 bits.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlreadyHashed(u64);

/// Builds [`AlreadyHashed`].
pub type BuildAlreadyHashed = std::hash::BuildHasherDefault<AlreadyHashed>;

impl std::hash::Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = short(hash);
    }
}

/// The records of one stream that may still be copied: those whose time the watermark has not passed.
#[derive(Debug, Default)]
pub struct Identities {
    /// By minute of event time: identity, and the set of WHEREs that have let it in.
    buckets: BTreeMap<i64, HashMap<u128, u32, BuildAlreadyHashed>>,
    sets: Vec<Arc<[u32]>>,
    numbers: HashMap<Arc<[u32]>, u32>,
}

impl Identities {
    /// The number of a set of WHEREs (ascending).
    pub fn set(&mut self, clauses: &[u32]) -> u32 {
        if let Some(number) = self.numbers.get(clauses) {
            return *number;
        }
        let number = u32::try_from(self.sets.len()).expect("far fewer sets occur");
        let set: Arc<[u32]> = clauses.into();
        self.sets.push(Arc::clone(&set));
        self.numbers.insert(set, number);
        number
    }

    /// Takes in a record that passes the WHEREs of this set. Gives those of them for which it is a copy of one that was
    /// taken in before.
    pub fn refused(&mut self, event_time: i64, identity: u128, set: u32) -> Vec<u32> {
        let bucket = self.buckets.entry(event_time.div_euclid(BUCKET)).or_default();
        match bucket.entry(identity) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(set);
                Vec::new()
            }
            std::collections::hash_map::Entry::Occupied(occupied) => {
                let seen = *occupied.get();
                let (before, now) = (&self.sets[seen as usize], &self.sets[set as usize]);
                let (copies, fresh): (Vec<u32>, Vec<u32>) = now.iter().partition(|clause| before.contains(clause));
                if !fresh.is_empty() {
                    let mut union: Vec<u32> = before.iter().copied().chain(fresh).collect();
                    union.sort_unstable();
                    let union = self.set(&union);
                    self.buckets.entry(event_time.div_euclid(BUCKET)).or_default().insert(identity, union);
                }
                copies
            }
        }
    }

    /// Forgets what the watermark has passed: a later copy is late.
    pub fn advance(&mut self, watermark: i64) {
        let first_kept = watermark.div_euclid(BUCKET);
        while let Some(entry) = self.buckets.first_entry() {
            if *entry.key() >= first_kept {
                break;
            }
            entry.remove();
        }
    }

    /// How many records are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.values().map(HashMap::len).sum()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_let_in_only_where_its_twin_was_not() {
        let mut identities = Identities::default();
        let mut refused = |identity, clauses: &[u32]| {
            let set = identities.set(clauses);
            identities.refused(5, identity, set)
        };
        assert_eq!(refused(1, &[0, 2]).len(), 0);
        assert_eq!(refused(1, &[0, 2]), [0, 2]);
        assert_eq!(refused(1, &[1, 2]), [2]);
        assert_eq!(refused(1, &[0, 1]), [0, 1]);
        assert_eq!(refused(2, &[1]).len(), 0);
        identities.advance(2 * BUCKET);
        assert!(identities.is_empty());
    }
}
