//! Keys of an operator, each with its state; found by their hash, remembered by a small number.
//!
//! The hashes have 128 bits and are made under a secret of the process: equal hashes are taken for equal keys, and
//! nobody can choose keys that collide.

use hashbrown::HashTable;

use super::manner::{extrapolated, sum_of};
use crate::identities::short;

/// The keys of one operator.
#[derive(Debug)]
pub struct Keys<S> {
    table: HashTable<(u128, u32)>,
    slots: Vec<Option<Slot<S>>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<S> {
    key: Box<[u8]>,
    hash: u128,
    state: S,
}

impl<S> Default for Keys<S> {
    fn default() -> Self {
        Self { table: HashTable::new(), slots: Vec::new(), free: Vec::new() }
    }
}

impl<S: Default> Keys<S> {
    /// The number of a key with this hash; it is new, with an empty state, if it was not there.
    pub fn number(&mut self, key: &[u8], hash: u128) -> u32 {
        if let Some((_, number)) = self.table.find(short(hash), |(other, _)| *other == hash) {
            return *number;
        }
        let slot = Some(Slot { key: key.into(), hash, state: S::default() });
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("keys are limited to fewer than 2^32")
            }
        };
        self.table.insert_unique(short(hash), (hash, number), |(hash, _)| short(*hash));
        number
    }
}

impl<S> Keys<S> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// Bytes that all take, about; `of_state` gives those of a state besides itself.
    #[must_use]
    pub fn bytes(&self, of_state: impl Fn(&S) -> usize) -> usize {
        let size = |slot: &Option<Slot<S>>| slot.as_ref().map_or(0, |slot| slot.key.len() + of_state(&slot.state));
        let sizes = |step: usize, _| sum_of(self.slots.iter().step_by(step).map(size));
        self.slots.len() * size_of::<Option<Slot<S>>>()
            + self.table.capacity() * (size_of::<(u128, u32)>() + 1)
            + extrapolated(self.slots.len(), sizes)
    }

    /// A key's bytes and state; `None` if it is gone.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<(&[u8], &S)> {
        self.slots.get(number as usize)?.as_ref().map(|slot| (slot.key.as_ref(), &slot.state))
    }

    /// A key's state; `None` if it is gone.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut S> {
        self.slots.get_mut(number as usize)?.as_mut().map(|slot| &mut slot.state)
    }

    /// Forgets a key; its number may be given to another.
    pub fn remove(&mut self, number: u32) {
        let Some(Slot { hash, .. }) = self.slots.get_mut(number as usize).and_then(Option::take) else { return };
        if let Ok(entry) = self.table.find_entry(short(hash), |(_, other)| *other == number) {
            entry.remove();
        }
        self.free.push(number);
    }

    /// All states.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.slots.iter_mut().flatten().map(|slot| &mut slot.state)
    }

    /// All keys' numbers and states.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &S)> {
        (0u32..).zip(&self.slots).filter_map(|(number, slot)| slot.as_ref().map(|slot| (number, &slot.state)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_used_again() {
        let mut keys = Keys::<u8>::default();
        let (a, b) = (keys.number(b"a", 1), keys.number(b"b", 2));
        assert_eq!((keys.number(b"a", 1), keys.count()), (a, 2));
        *keys.get_mut(a).unwrap() = 7;
        assert_eq!(keys.get(a), Some((&b"a"[..], &7)));
        keys.remove(a);
        assert_eq!((keys.get(a), keys.count()), (None, 1));
        let c = keys.number(b"c", 3);
        assert_eq!((c, keys.number(b"b", 2), keys.get(c)), (a, b, Some((&b"c"[..], &0))));
        assert_eq!(keys.iter().map(|(number, _)| number).collect::<Vec<_>>(), [a, b]);
    }
}
