//! What an operator keeps for each key, by the key's number.

use std::collections::HashMap;

use super::chunks::Chunks;
use super::manner::table_bytes;

/// States by small numbers. As long as the keys of the operator are not few among all there are, a state is found at its
/// number at once; else by hashing.
#[derive(Debug)]
pub struct States<S> {
    states: Chunks<Option<S>>,
    free: Vec<u32>,
    places: HashMap<u32, u32, ahash::RandomState>,
    /// By key, its place, or [`NOWHERE`]; as far as it reaches.
    direct: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;
/// Entries of `direct` that may be there for one state.
const KEYS_A_STATE: usize = 16;

impl<S> Default for States<S> {
    fn default() -> Self {
        Self { states: Chunks::default(), free: Vec::new(), places: HashMap::default(), direct: Vec::new() }
    }
}

impl<S> States<S> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes that are taken beside the states themselves.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let unused = self.len() * (size_of::<Option<S>>() - size_of::<S>());
        unused + table_bytes::<(u32, u32)>(self.len()) + self.direct.len() * size_of::<u32>()
    }

    /// Where the state of a key lies: a small number, which is another's when the state is gone.
    #[must_use]
    pub fn place(&self, key: u32) -> Option<usize> {
        match self.direct.get(key as usize) {
            Some(&NOWHERE) => None,
            Some(place) => Some(*place as usize),
            None => self.places.get(&key).map(|place| *place as usize),
        }
    }

    /// Whether a key has a state.
    #[must_use]
    pub fn contains(&self, key: u32) -> bool {
        self.place(key).is_some()
    }

    /// The state of a key.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<&S> {
        self.states[self.place(key)?].as_ref()
    }

    /// The state of a key.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut S> {
        let place = self.place(key)?;
        self.states[place].as_mut()
    }

    /// Keeps a state for a key that has none.
    pub fn insert(&mut self, key: u32, state: S) {
        let place = if let Some(place) = self.free.pop() {
            self.states[place as usize] = Some(state);
            place
        } else {
            self.states.push(Some(state));
            u32::try_from(self.states.len() - 1).expect("keys are limited to fewer than 2^32")
        };
        self.places.insert(key, place);
        self.reach(key as usize);
        if let Some(entry) = self.direct.get_mut(key as usize) {
            *entry = place;
        }
    }

    /// Makes `direct` reach to a key, if that is not too far.
    fn reach(&mut self, key: usize) {
        let before = self.direct.len();
        if key < before || key > KEYS_A_STATE * self.len() {
            return;
        }
        self.direct.resize((key + 1).next_power_of_two(), NOWHERE);
        for (known, place) in &self.places {
            if let Some(entry) = self.direct.get_mut(*known as usize) {
                *entry = *place;
            }
        }
    }

    /// Takes out the state of a key.
    pub fn remove(&mut self, key: u32) -> Option<S> {
        let place = self.places.remove(&key)?;
        if let Some(entry) = self.direct.get_mut(key as usize) {
            *entry = NOWHERE;
        }
        self.free.push(place);
        self.states[place as usize].take()
    }

    /// Many states are gone: what was as large as they were many goes too.
    pub fn shrink(&mut self) {
        self.direct = Vec::new();
    }

    /// All states.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.states.iter_mut().flatten()
    }

    /// All keys and states.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &S)> {
        self.places.iter().filter_map(|(key, place)| Some((*key, self.states[*place as usize].as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;

    use super::*;

    #[test]
    fn it_says_what_a_map_says_near_and_far() {
        let (mut states, mut plain) = (States::default(), BTreeMap::new());
        for step in 0..4000u32 {
            let key = if step % 3 == 0 { step % 500 } else { (step % 700) * 1009 };
            if step % 5 == 4 {
                assert_eq!(states.remove(key), plain.remove(&key));
            } else if let Entry::Vacant(vacant) = plain.entry(key) {
                vacant.insert(step);
                states.insert(key, step);
            }
            assert_eq!((states.get(key), states.len()), (plain.get(&key), plain.len()));
        }
        let all: BTreeMap<u32, u32> = states.iter().map(|(key, state)| (key, *state)).collect();
        assert_eq!(all, plain);
    }
}
