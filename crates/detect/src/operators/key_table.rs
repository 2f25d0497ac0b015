//! The keys that operators of one stream and shard have in common: each kept once, under a small number, for as long as
//! an operator holds it.
//!
//! Keys are found by hashes of 128 bits that are made under a secret of the process: equal hashes are taken for equal
//! keys, and nobody can choose keys that collide.

use std::sync::Arc;

use hashbrown::HashTable;

use super::at_hand::AtHand;
use super::chunks::Chunks;
use super::feed::{Fed, FedRow};
use super::groups::Groups;
use super::manner::{extrapolated, sum_of, table_bytes};
use crate::identities::short;

/// Keys by number.
#[derive(Debug, Default)]
pub struct KeyTable {
    table: HashTable<Place>,
    keys: Chunks<Key>,
    free: Vec<u32>,
    /// Keys that may be held by nobody.
    idle: Vec<u32>,
    /// The groups of the batches at hand, with the numbers of their keys.
    at_hand: AtHand<Groups>,
}

/// Where the key of a hash is; packed, since there are as many as keys.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))]
struct Place {
    hash: u128,
    number: u32,
}

#[derive(Debug)]
struct Key {
    bytes: Box<[u8]>,
    hash: u128,
    holders: u32,
}

impl KeyTable {
    /// The groups whose numbers are asked for next.
    pub fn turn_to(&mut self, groups: &Arc<Groups>) {
        self.at_hand.turn_to(groups, groups.hashes.len());
    }

    /// The batches at hand are done with: keys that nobody holds are forgotten, and their numbers, which are what this
    /// gives, are given to others.
    pub fn turn_away(&mut self) -> Vec<u32> {
        self.at_hand.clear();
        let mut gone = Vec::new();
        for number in std::mem::take(&mut self.idle) {
            let Key { hash, holders, .. } = self.keys[number as usize];
            if holders == 0
                && let Ok(entry) = self.table.find_entry(short(hash), |place| place.number == number)
            {
                entry.remove();
                self.keys[number as usize].bytes = Box::default();
                self.free.push(number);
                gone.push(number);
            }
        }
        gone
    }

    /// The number of a row's key, as [`Self::of_group`]; an operator without keys has one of no bytes.
    pub fn of_row(&mut self, fed: &Fed<'_>, row: FedRow) -> u32 {
        if fed.groups().is_some() { self.of_group(fed.group(row)) } else { self.number(&[], 0) }
    }

    /// The number of a group's key, which stays its own until [`Self::turn_away`], or for as long as it is held.
    ///
    /// # Panics
    /// If no groups were turned to.
    pub fn of_group(&mut self, group: u32) -> u32 {
        if let Some(known) = self.at_hand.number(group) {
            return known;
        }
        let groups = Arc::clone(self.at_hand.current().0);
        let number = self.number(groups.values.row(group as usize).data(), groups.hashes[group as usize]);
        self.at_hand.remember(group, number);
        number
    }

    /// The number of a key with this hash, as [`Self::of_group`].
    pub fn number(&mut self, key: &[u8], hash: u128) -> u32 {
        if let Some(Place { number, .. }) = self.table.find(short(hash), |place| place.hash == hash) {
            return *number;
        }
        let key = Key { bytes: key.into(), hash, holders: 0 };
        let number = if let Some(number) = self.free.pop() {
            self.keys[number as usize] = key;
            number
        } else {
            self.keys.push(key);
            u32::try_from(self.keys.len() - 1).expect("keys are limited to fewer than 2^32")
        };
        self.table.insert_unique(short(hash), Place { hash, number }, |place| short(place.hash));
        self.idle.push(number);
        number
    }

    /// Bytes that one key takes, about.
    #[must_use]
    pub fn bytes_a_key(&self) -> usize {
        let sizes = |step: usize, _| sum_of(self.keys.iter().step_by(step).map(|key| key.bytes.len()));
        let count = self.keys.len().max(1);
        size_of::<Key>() + table_bytes::<Place>(1) + extrapolated(self.keys.len(), sizes) / count
    }

    /// A key's comparable bytes.
    #[must_use]
    pub fn bytes(&self, number: u32) -> &[u8] {
        &self.keys[number as usize].bytes
    }

    /// One more needs this key.
    pub fn hold(&mut self, number: u32) {
        self.keys[number as usize].holders += 1;
    }

    /// One of those who held this key needs it no more.
    pub fn release(&mut self, number: u32) {
        let key = &mut self.keys[number as usize];
        key.holders -= 1;
        if key.holders == 0 {
            self.idle.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_as_long_as_it_is_held() {
        let mut keys = KeyTable::default();
        let (a, b) = (keys.number(b"a", 1), keys.number(b"b", 2));
        keys.hold(a);
        keys.hold(a);
        keys.hold(b);
        keys.release(a);
        keys.turn_away();
        assert_eq!((keys.number(b"a", 1), keys.bytes(a), keys.table.len()), (a, &b"a"[..], 2));
        keys.release(a);
        keys.turn_away();
        assert_eq!(keys.table.len(), 1);
        assert_eq!((keys.number(b"c", 3), keys.bytes(a), keys.bytes(b)), (a, &b"c"[..], &b"b"[..]));
    }
}
