//! Keys of an operator, each with its state; found by their bytes, remembered by a small number.

use hashbrown::HashTable;

/// The keys of one operator.
#[derive(Debug)]
pub struct Keys<S> {
    table: HashTable<u32>,
    slots: Vec<Option<(Box<[u8]>, S)>>,
    free: Vec<u32>,
    /// With a secret, so that nobody can choose keys that collide.
    hasher: ahash::RandomState,
}

impl<S> Default for Keys<S> {
    fn default() -> Self {
        Self { table: HashTable::new(), slots: Vec::new(), free: Vec::new(), hasher: ahash::RandomState::new() }
    }
}

impl<S: Default> Keys<S> {
    /// The number of a key; it is new, with an empty state, if it was not there.
    pub fn number(&mut self, key: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        let Self { table, slots, .. } = self;
        if let Some(number) = table.find(hash, |number| bytes_at(slots, *number) == key) {
            return *number;
        }
        let slot = Some((key.into(), S::default()));
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
        let Self { table, slots, hasher, .. } = self;
        table.insert_unique(hash, number, |number| hasher.hash_one(bytes_at(slots, *number)));
        number
    }
}

impl<S> Keys<S> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// A key's bytes and state; `None` if it is gone.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<(&[u8], &S)> {
        self.slots.get(number as usize)?.as_ref().map(|(key, state)| (key.as_ref(), state))
    }

    /// A key's state; `None` if it is gone.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut S> {
        self.slots.get_mut(number as usize)?.as_mut().map(|(_, state)| state)
    }

    /// Forgets a key; its number may be given to another.
    pub fn remove(&mut self, number: u32) {
        let Some((key, _)) = self.slots.get_mut(number as usize).and_then(Option::take) else { return };
        if let Ok(entry) = self.table.find_entry(self.hasher.hash_one(key.as_ref()), |other| *other == number) {
            entry.remove();
        }
        self.free.push(number);
    }

    /// All keys' numbers and states.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &S)> {
        (0u32..).zip(&self.slots).filter_map(|(number, slot)| slot.as_ref().map(|(_, state)| (number, state)))
    }
}

fn bytes_at<S>(slots: &[Option<(Box<[u8]>, S)>], number: u32) -> &[u8] {
    slots[number as usize].as_ref().map_or(&[], |(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_used_again() {
        let mut keys = Keys::<u8>::default();
        let (a, b) = (keys.number(b"a"), keys.number(b"b"));
        assert_eq!((keys.number(b"a"), keys.len()), (a, 2));
        *keys.get_mut(a).unwrap() = 7;
        assert_eq!(keys.get(a), Some((&b"a"[..], &7)));
        keys.remove(a);
        assert_eq!((keys.get(a), keys.len()), (None, 1));
        let c = keys.number(b"c");
        assert_eq!((c, keys.number(b"b"), keys.get(c)), (a, b, Some((&b"c"[..], &0))));
        assert_eq!(keys.iter().map(|(number, _)| number).collect::<Vec<_>>(), [a, b]);
    }
}
