//! What a shard takes at once: the batches at hand, each with the numbers that its items have in a table, as far as they
//! are known, so that each is looked up once for all operators.

use std::collections::HashMap;
use std::sync::Arc;

/// The number of what has none.
const NONE: u32 = u32::MAX;

/// Items of batches, by what holds them, with their numbers.
#[derive(Debug)]
pub struct AtHand<T> {
    batches: Vec<(Arc<T>, Vec<u32>)>,
    /// Where they are, by their address, which is theirs alone as long as they are at hand.
    places: HashMap<usize, usize, ahash::RandomState>,
    /// Which of them is asked for.
    current: usize,
}

impl<T> Default for AtHand<T> {
    fn default() -> Self {
        Self { batches: Vec::new(), places: HashMap::default(), current: 0 }
    }
}

impl<T> AtHand<T> {
    /// The batch, of so many items, that is asked for next; its place among those at hand.
    pub fn turn_to(&mut self, batch: &Arc<T>, items: usize) -> usize {
        if self.batches.get(self.current).is_some_and(|(current, _)| Arc::ptr_eq(current, batch)) {
            return self.current;
        }
        self.current = *self.places.entry(Arc::as_ptr(batch).addr()).or_insert_with(|| {
            self.batches.push((Arc::clone(batch), vec![NONE; items]));
            self.batches.len() - 1
        });
        self.current
    }

    /// The batch that is asked for, and its place.
    ///
    /// # Panics
    /// If none was turned to.
    #[must_use]
    pub fn current(&self) -> (&Arc<T>, usize) {
        (&self.batches[self.current].0, self.current)
    }

    /// The number of an item, if it is known.
    ///
    /// # Panics
    /// As [`Self::current`].
    #[inline]
    #[must_use]
    pub fn number(&self, item: u32) -> Option<u32> {
        let number = self.batches[self.current].1[item as usize];
        (number != NONE).then_some(number)
    }

    /// An item has this number.
    ///
    /// # Panics
    /// As [`Self::current`].
    pub fn remember(&mut self, item: u32, number: u32) {
        self.batches[self.current].1[item as usize] = number;
    }

    /// No batch is at hand any more.
    pub fn clear(&mut self) {
        self.batches.clear();
        self.places.clear();
    }
}
