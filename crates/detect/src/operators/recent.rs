//! Which findings of windows were just told: what comes for them is looked at when they may be told again, not before.
//!
//! What has fired in a window stays true until the window is final, so that nothing hangs on looking at once. To look is
//! dear: the records that a finding rests on are looked for among all of its window.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::firing::UPDATE_INTERVAL;

/// Findings of one detector, by the start of their window and the number of their key.
#[derive(Debug, Default)]
pub struct Recent {
    /// When they were last told.
    told: BTreeMap<(i64, u32), i64>,
    /// Those for which something has come since then, by when that was.
    waiting: BTreeSet<(i64, i64, u32)>,
}

impl Recent {
    /// Something has come for a key in the window of this start, at `now` (microseconds). Whether it waits for
    /// [`Self::due`].
    pub fn waits(&mut self, start: i64, key: u32, now: i64) -> bool {
        let Some(told_at) = self.told.get(&(start, key)) else { return false };
        let waits = now - told_at < UPDATE_INTERVAL;
        if waits {
            self.waiting.insert((*told_at, start, key));
        }
        waits
    }

    /// A finding of a key in the window of this start was told at this time; and whether there is more to tell.
    pub fn was_told(&mut self, start: i64, key: u32, (told_at, more): (i64, bool)) {
        self.told.insert((start, key), told_at);
        if more {
            self.waiting.insert((told_at, start, key));
        }
    }

    /// Windows, by their starts, and keys for which something has come, and which may be told again.
    pub fn due(&mut self, now: i64) -> Vec<(i64, u32)> {
        let mut due = Vec::new();
        while let Some((told_at, start, key)) = self.waiting.first().copied()
            && now - told_at >= UPDATE_INTERVAL
        {
            self.waiting.pop_first();
            // Those that were told since then, or are gone, wait no more.
            if self.told.get(&(start, key)) == Some(&told_at) {
                due.push((start, key));
            }
        }
        due
    }

    /// Windows up to this start are final.
    pub fn forget_until(&mut self, start: i64) {
        self.told = self.told.split_off(&(start.saturating_add(1), 0));
    }

    /// Keys are gone; their numbers may be given to others.
    pub fn forget_keys(&mut self, gone: &HashSet<u32>) {
        self.told.retain(|(_, key), _| !gone.contains(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_within_a_second_is_due_after_it_once() {
        let mut recent = Recent::default();
        assert!(!recent.waits(0, 1, 0), "it has found nothing yet");
        recent.was_told(0, 1, (100, false));
        recent.was_told(0, 2, (200, false));
        recent.was_told(0, 3, (50, true));
        assert!(recent.waits(0, 1, 300) && recent.waits(0, 1, 400) && recent.waits(0, 2, 500));
        assert!(recent.due(50 + UPDATE_INTERVAL - 1).is_empty());
        assert_eq!(recent.due(100 + UPDATE_INTERVAL), [(0, 3), (0, 1)]);
        assert!(!recent.waits(0, 1, 100 + UPDATE_INTERVAL), "its second is over");
        assert_eq!(recent.due(i64::MAX), [(0, 2)]);
        assert!(recent.due(i64::MAX).is_empty());
    }

    #[test]
    fn what_is_final_or_gone_or_was_told_is_not_due() {
        let mut recent = Recent::default();
        for (start, key) in [(0, 1), (60, 1), (60, 2), (60, 3)] {
            recent.was_told(start, key, (0, false));
            assert!(recent.waits(start, key, 1));
        }
        recent.forget_until(0);
        recent.forget_keys(&HashSet::from([2]));
        recent.was_told(60, 3, (2, false));
        assert_eq!(recent.due(UPDATE_INTERVAL), [(60, 1)]);
        assert!(!recent.waits(0, 1, 3) && !recent.waits(60, 2, 3));
    }
}
