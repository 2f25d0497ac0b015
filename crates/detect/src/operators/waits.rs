//! When early findings of windows are looked for: when the counts that they hang on have grown as far as they have to.

use std::collections::HashSet;

use super::panes::Panes;
use super::states::States;

/// What one waits for: by how much a count has to grow before a row is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(u32);

/// It has come, and nobody has looked yet; else the wait is one more than the growth.
const DUE: u32 = 0;

impl Wait {
    /// For a growth by so much, and a row.
    #[must_use]
    pub fn new(growth: u64) -> Self {
        // More than can be told is looked at too soon, which does no harm.
        Self(u32::try_from(growth.saturating_add(1)).unwrap_or(u32::MAX))
    }

    /// Whether it has come, and nobody has looked yet.
    #[must_use]
    pub fn is_due(self) -> bool {
        self.0 == DUE
    }

    /// Rows came that let a count grow by so much at most. Whether it has come with them.
    pub fn came(&mut self, growth: u64) -> bool {
        let left = u64::from(self.0).saturating_sub(growth);
        let comes = !self.is_due() && left <= 1;
        self.0 = if left <= 1 { DUE } else { u32::try_from(left).expect("it was no more before") };
        comes
    }

    /// The next row is enough.
    fn no_more(&mut self) {
        self.0 = self.0.min(Self::default().0);
    }
}

impl Default for Wait {
    fn default() -> Self {
        Self::new(0)
    }
}

/// What is waited for: by pane where each pane is a window, and then it lies there; else by key, whose windows have panes
/// in common.
#[derive(Debug)]
pub struct Waits {
    by_pane: bool,
    of_keys: States<Wait>,
    /// For whom it has come.
    due: Vec<u32>,
}

impl Waits {
    /// Nothing is waited for yet.
    #[must_use]
    pub fn new(by_pane: bool) -> Self {
        Self { by_pane, of_keys: States::default(), due: Vec::new() }
    }

    /// Rows came to a pane, and its counts have grown by so much at most; `new` is what a key waits for that had none.
    pub fn came(&mut self, number: u32, growth: u64, panes: &mut Panes, new: Wait) {
        let pane = panes.get_mut(number);
        pane.touched = true;
        if self.by_pane {
            if pane.wait.came(growth) {
                self.due.push(number);
            }
            return;
        }
        if !self.of_keys.contains(pane.key) {
            self.of_keys.insert(pane.key, new);
        }
        if self.of_keys.get_mut(pane.key).is_some_and(|wait| wait.came(growth)) {
            self.due.push(pane.key);
        }
    }

    /// Those for whom it has come: panes, or keys. Each is to be told for what it waits next.
    pub fn take_due(&mut self, panes: &Panes) -> Vec<u32> {
        let mut due = std::mem::take(&mut self.due);
        // Some may be gone, and their numbers others' by now.
        due.retain(|waiting| match self.by_pane {
            true => panes.get(*waiting).wait.is_due(),
            false => self.of_keys.get(*waiting).is_some_and(|wait| wait.is_due()),
        });
        due
    }

    /// This is waited for before a pane or key is looked at again.
    pub fn wait(&mut self, waiting: u32, wait: Wait, panes: &mut Panes) {
        if self.by_pane {
            panes.get_mut(waiting).wait = wait;
        } else if let Some(known) = self.of_keys.get_mut(waiting) {
            *known = wait;
        }
    }

    /// Somebody has come who may find what was not waited for: the next row is enough.
    pub fn wait_no_more(&mut self, panes: &mut Panes) {
        let numbers: Vec<(u32, u32)> = panes.iter().map(|(number, pane)| (number, pane.key)).collect();
        for (number, key) in numbers {
            match self.of_keys.get_mut(key) {
                _ if self.by_pane => panes.get_mut(number).wait.no_more(),
                Some(wait) => wait.no_more(),
                None => self.of_keys.insert(key, Wait::default()),
            }
        }
    }

    /// A key is gone with all its panes.
    pub fn forget_key(&mut self, key: u32) {
        self.of_keys.remove(key);
    }

    /// Many are gone: what was as large as they were many goes too.
    pub fn shrink(&mut self) {
        self.of_keys.shrink();
    }

    /// Panes are gone, and maybe all of a key.
    pub fn forget_keys(&mut self, panes: &Panes) {
        if self.by_pane || self.of_keys.len() <= 1024 + 2 * panes.count() {
            return;
        }
        let known: HashSet<u32> = panes.iter().map(|(_, pane)| pane.key).collect();
        let gone: Vec<u32> = self.of_keys.iter().map(|(key, _)| key).filter(|key| !known.contains(key)).collect();
        gone.into_iter().for_each(|key| _ = self.of_keys.remove(key));
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.of_keys.len() * size_of::<Wait>() + self.of_keys.bytes()
    }
}
