//! Which records are copies of one that was taken in before.
//!
//! Records equal in their stream's identity columns are one. De-duplication comes after each operator's WHERE: a copy
//! that a WHERE has not let in before is let in. One look-up a record serves all operators.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

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
        let mut hash = self.begin();
        value.hash(&mut hash);
        hash.whole()
    }

    /// The hash of several values, which are to be given to it one after the other.
    #[must_use]
    pub fn begin(&self) -> SecretHash {
        SecretHash { low: self.low.build_hasher(), high: self.high.build_hasher() }
    }
}

/// A [`SecretHasher`]'s hash as it grows.
#[derive(Debug, Clone)]
pub struct SecretHash {
    low: ahash::AHasher,
    high: ahash::AHasher,
}

impl SecretHash {
    /// All of its 128 bits.
    #[must_use]
    pub fn whole(&self) -> u128 {
        (u128::from(self.high.finish()) << 64) | u128::from(self.low.finish())
    }
}

impl Hasher for SecretHash {
    fn finish(&self) -> u64 {
        self.low.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.low.write(bytes);
        self.high.write(bytes);
    }

    // These have their own way, which is faster than bytes.
    fn write_u8(&mut self, number: u8) {
        self.low.write_u8(number);
        self.high.write_u8(number);
    }

    fn write_u64(&mut self, number: u64) {
        self.low.write_u64(number);
        self.high.write_u64(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.low.write_usize(number);
        self.high.write_usize(number);
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

impl Hasher for AlreadyHashed {
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

/// An identity, and the number of the set of WHEREs that have let it in; packed, since there are as many as records.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))]
struct Known {
    identity: u128,
    set: u32,
}

/// The records of one stream that may still be copied: those whose time the watermark has not passed.
#[derive(Debug, Default)]
pub struct Identities {
    /// By minute of event time.
    buckets: BTreeMap<i64, HashTable<Known>>,
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
        let seen = match self.known(event_time, identity) {
            Entry::Vacant(vacant) => {
                vacant.insert(Known { identity, set });
                return Vec::new();
            }
            Entry::Occupied(occupied) => occupied.get().set,
        };
        let (before, now) = (&self.sets[seen as usize], &self.sets[set as usize]);
        let (copies, fresh): (Vec<u32>, Vec<u32>) = now.iter().partition(|clause| before.contains(clause));
        if !fresh.is_empty() {
            let mut union: Vec<u32> = before.iter().copied().chain(fresh).collect();
            union.sort_unstable();
            let set = self.set(&union);
            self.known(event_time, identity).and_modify(|known| known.set = set);
        }
        copies
    }

    /// The place of an identity. The first record of a minute finds room for as many as the one before it had.
    fn known(&mut self, event_time: i64, identity: u128) -> Entry<'_, Known> {
        let minute = event_time.div_euclid(BUCKET);
        let before = self.buckets.last_key_value().filter(|(last, _)| minute - 1 == **last);
        let room = before.map_or(0, |(_, bucket)| bucket.len());
        let bucket = self.buckets.entry(minute).or_insert_with(|| HashTable::with_capacity(room));
        bucket.entry(short(identity), |known| known.identity == identity, |known| short(known.identity))
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

    /// Forgets the earliest minutes until all that is left takes no more than so many bytes; how many records they had. A
    /// copy of one of them will be taken for another record.
    pub fn forget_beyond(&mut self, bytes: usize) -> usize {
        let mut forgotten = 0;
        while self.bytes() > bytes {
            forgotten += self.buckets.pop_first().map_or(0, |(_, bucket)| bucket.len());
        }
        forgotten
    }

    /// How many bytes the records that are remembered take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buckets.values().map(HashTable::allocation_size).sum()
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

    #[test]
    fn the_earliest_minutes_are_forgotten_when_there_are_too_many() {
        let mut identities = Identities::default();
        let set = identities.set(&[0]);
        for record in 0..6000u32 {
            identities.refused(i64::from(record / 1000) * BUCKET, record.into(), set);
        }
        assert_eq!(identities.forget_beyond(usize::MAX), 0);
        let all = identities.bytes();
        assert!((6000 * size_of::<Known>()..6000 * 60).contains(&all), "{all}");
        assert_eq!(identities.forget_beyond(all / 2), 3000);
        assert_eq!(identities.refused(5 * BUCKET, 5999, set), [0]);
        assert_eq!(identities.refused(0, 0, set).len(), 0, "it was forgotten");
        assert_eq!(identities.forget_beyond(0), 3001);
        assert!(identities.is_empty());
    }
}
