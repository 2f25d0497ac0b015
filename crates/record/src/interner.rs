//! Values that repeat, each kept once under a stable id.

use hashbrown::HashTable;

/// The id of a missing value (NULL).
pub const NULL_ID: u32 = u32::MAX;

/// A bounded, append-only set of texts. An id stays valid, and means the same text, for the interner's life: what was
/// computed for a value (which atoms it satisfies) is computed once.
#[derive(Debug, Clone)]
pub struct Interner {
    bytes: String,
    ends: Vec<u32>,
    table: HashTable<Entry>,
    hasher: ahash::RandomState,
    max_values: usize,
    max_bytes: usize,
}

/// A text's id, and where it is: with these next to one another a look-up goes to memory twice, not four times.
#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u32,
    start: u32,
    end: u32,
}

impl Entry {
    fn text(self, bytes: &str) -> &str {
        &bytes[self.start as usize..self.end as usize]
    }

    fn is(self, bytes: &str, text: &str) -> bool {
        (self.end - self.start) as usize == text.len() && self.text(bytes) == text
    }
}

impl Interner {
    /// An empty interner that holds at most `max_values` texts of `max_bytes` in all (below 4 GiB).
    #[must_use]
    pub fn new(max_values: usize, max_bytes: usize) -> Self {
        // Each by its own secret: texts that all fall into one place cannot be made up.
        let hasher = ahash::RandomState::default();
        let max_bytes = max_bytes.min(u32::MAX as usize);
        Self { bytes: String::new(), ends: Vec::new(), table: HashTable::new(), hasher, max_values, max_bytes }
    }

    /// The id of `text`, which is added if it is new; `None` when it is new and the interner is full.
    pub fn intern(&mut self, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        let bytes = &self.bytes;
        if let Some(entry) = self.table.find(hash, |entry| entry.is(bytes, text)) {
            return Some(entry.id);
        }
        if self.ends.len() >= self.max_values || self.bytes.len() + text.len() > self.max_bytes {
            return None;
        }
        let id = u32::try_from(self.ends.len()).ok().filter(|id| *id != NULL_ID)?;
        let start = u32::try_from(self.bytes.len()).expect("bounded by max_bytes");
        self.bytes.push_str(text);
        let end = u32::try_from(self.bytes.len()).expect("bounded by max_bytes");
        self.ends.push(end);
        let (bytes, hasher) = (&self.bytes, &self.hasher);
        self.table.insert_unique(hash, Entry { id, start, end }, |entry| hasher.hash_one(entry.text(bytes)));
        Some(id)
    }

    /// The id of `text` if it is there already.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u32> {
        let found = self.table.find(self.hasher.hash_one(text), |entry| entry.is(&self.bytes, text));
        found.map(|entry| entry.id)
    }

    /// The text of `id`.
    ///
    /// # Panics
    /// If the id was not given by this interner.
    #[must_use]
    pub fn text(&self, id: u32) -> &str {
        text_at(&self.bytes, &self.ends, id)
    }

    /// How many texts it holds; ids are below this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

fn text_at<'a>(bytes: &'a str, ends: &[u32], id: u32) -> &'a str {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] as usize };
    &bytes[start..ends[id] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_text_and_a_full_interner_says_so() {
        let mut interner = Interner::new(2, 100);
        let (a, empty) = (interner.intern("a"), interner.intern(""));
        assert_eq!((a, empty), (Some(0), Some(1)));
        assert_eq!(interner.intern("a"), a);
        assert_eq!(interner.intern("b"), None);
        assert_eq!((interner.find("a"), interner.find("b")), (a, None));
        assert_eq!((interner.text(0), interner.text(1)), ("a", ""));
    }
}
