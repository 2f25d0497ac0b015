//! A list that grows without moving what is in it: large lists are copied as they grow, and their old place is given back
//! to the system, which clears the new one.

use std::ops::{Index, IndexMut};

/// Items by number, in pieces of one length, of which the first grows as it has to, so that short lists stay small.
#[derive(Debug)]
pub struct Chunks<T> {
    chunks: Vec<Vec<T>>,
}

/// Items of a piece.
const ITEMS: usize = 1024;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Chunks<T> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * ITEMS + last.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds one behind all others.
    pub fn push(&mut self, item: T) {
        if let Some(last) = self.chunks.last_mut().filter(|last| last.len() < ITEMS) {
            last.push(item);
            return;
        }
        let mut chunk = if self.chunks.is_empty() { Vec::new() } else { Vec::with_capacity(ITEMS) };
        chunk.push(item);
        self.chunks.push(chunk);
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// All of them, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, number: usize) -> &T {
        &self.chunks[number / ITEMS][number % ITEMS]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    fn index_mut(&mut self, number: usize) -> &mut T {
        &mut self.chunks[number / ITEMS][number % ITEMS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_under_their_numbers() {
        let mut chunks = Chunks::default();
        assert!(chunks.is_empty());
        for number in 0..3 * ITEMS + 7 {
            assert_eq!(chunks.len(), number);
            chunks.push(number);
        }
        chunks.iter_mut().for_each(|item| *item *= 2);
        chunks[ITEMS] += 1;
        assert_eq!((chunks[0], chunks[ITEMS - 1], chunks[ITEMS]), (0, 2 * ITEMS - 2, 2 * ITEMS + 1));
        assert_eq!(chunks.iter().count(), chunks.len());
    }
}
