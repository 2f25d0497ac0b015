//! Keys in windows, and of which panes each consists.

/// Keys in windows, each with its panes.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Vec<Group>,
    /// Numbers of panes, those of a group next to one another.
    panes: Vec<u32>,
}

/// One key in one window.
#[derive(Debug)]
struct Group {
    /// Where the window starts, microseconds.
    start: i64,
    /// The key's number.
    key: u32,
    /// Where its panes are in the list.
    panes: std::ops::Range<usize>,
}

impl Groups {
    /// Adds what a key has in the window of this start, if that is something.
    pub fn add(&mut self, start: i64, key: u32, panes: impl IntoIterator<Item = u32>) {
        let first = self.panes.len();
        self.panes.extend(panes);
        if first < self.panes.len() {
            self.groups.push(Group { start, key, panes: first..self.panes.len() });
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The numbers of a key's panes.
    #[must_use]
    pub fn panes(&self, group: usize) -> &[u32] {
        &self.panes[self.groups[group].panes.clone()]
    }

    /// Where a key's window starts, microseconds.
    #[must_use]
    pub fn start(&self, group: usize) -> i64 {
        self.groups[group].start
    }

    /// The number of a key.
    #[must_use]
    pub fn key(&self, group: usize) -> u32 {
        self.groups[group].key
    }
}
