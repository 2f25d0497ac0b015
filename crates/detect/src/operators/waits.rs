//! When early findings of windows are looked for: when the counts that they hang on have grown as far as they have to.

use std::collections::HashSet;

use super::panes::Panes;
use super::states::States;

/// What is waited for: by pane where each pane is a window, else by key, whose windows have panes in common.
#[derive(Debug)]
pub struct Waits {
    by_pane: bool,
    waits: States<Wait>,
    /// For whom it has come.
    due: Vec<u32>,
}

#[derive(Debug, Default)]
struct Wait {
    /// By how much a count has to grow yet; 0: a row is enough.
    growth: u64,
    /// That has come, and nobody has looked yet.
    due: bool,
    /// If it is a key's: its panes that rows came to meanwhile.
    panes: Vec<u32>,
}

impl Waits {
    /// Nothing is waited for yet.
    #[must_use]
    pub fn new(by_pane: bool) -> Self {
        Self { by_pane, waits: States::default(), due: Vec::new() }
    }

    /// Rows came to a pane, and its counts have grown by so much at most; `needed` is by how much they have to where there
    /// were none.
    pub fn came(&mut self, pane: u32, growth: u64, panes: &mut Panes, needed: impl FnOnce() -> u64) {
        let waiting = if self.by_pane { pane } else { panes.get(pane).key };
        if !self.waits.contains(waiting) {
            self.waits.insert(waiting, Wait { growth: needed(), ..Wait::default() });
        }
        let wait = self.waits.get_mut(waiting).expect("it was made when missing");
        if !self.by_pane && !std::mem::replace(&mut panes.get_mut(pane).touched, true) {
            wait.panes.push(pane);
        }
        wait.growth = wait.growth.saturating_sub(growth);
        if wait.growth == 0 && !std::mem::replace(&mut wait.due, true) {
            self.due.push(waiting);
        }
    }

    /// Those for whom it has come, and their panes that rows came to since the last time.
    pub fn take_due(&mut self, panes: &mut Panes) -> (Vec<u32>, Vec<u32>) {
        let mut due = std::mem::take(&mut self.due);
        due.retain(|waiting| self.waits.contains(*waiting));
        let mut touched = Vec::new();
        for waiting in &due {
            let wait = self.waits.get_mut(*waiting).expect("others were just left out");
            wait.due = false;
            if self.by_pane {
                touched.push(*waiting);
            }
            for number in std::mem::take(&mut wait.panes) {
                // Its number may be another's by now.
                let pane = panes.get_mut(number);
                if pane.key == *waiting && std::mem::take(&mut pane.touched) {
                    touched.push(number);
                }
            }
        }
        (due, touched)
    }

    /// Counts have to grow by so much from now on before this one is looked at again.
    pub fn wait(&mut self, waiting: u32, growth: u64) {
        if let Some(wait) = self.waits.get_mut(waiting) {
            wait.growth = growth;
        }
    }

    /// Somebody has come who may find what was not waited for: the next row is enough.
    pub fn wait_no_more(&mut self, panes: &Panes) {
        for (number, pane) in panes.iter() {
            let waiting = if self.by_pane { number } else { pane.key };
            match self.waits.get_mut(waiting) {
                Some(wait) => wait.growth = 0,
                None => self.waits.insert(waiting, Wait::default()),
            }
        }
    }

    /// A pane is gone.
    pub fn forget_pane(&mut self, pane: u32) {
        if self.by_pane {
            self.waits.remove(pane);
        }
    }

    /// A key is gone with all its panes.
    pub fn forget_key(&mut self, key: u32) {
        if !self.by_pane {
            self.waits.remove(key);
        }
    }

    /// Many are gone: what was as large as they were many goes too.
    pub fn shrink(&mut self) {
        self.waits.shrink();
    }

    /// Panes are gone, and maybe all of a key.
    pub fn forget_keys(&mut self, panes: &Panes) {
        if self.by_pane || self.waits.len() <= 1024 + 2 * panes.count() {
            return;
        }
        let known: HashSet<u32> = panes.iter().map(|(_, pane)| pane.key).collect();
        let gone: Vec<u32> = self.waits.iter().map(|(key, _)| key).filter(|key| !known.contains(key)).collect();
        gone.into_iter().for_each(|key| _ = self.waits.remove(key));
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.waits.len() * size_of::<Wait>() + self.waits.bytes()
    }
}
