//! Doing things in the order of intake from threads that are not in that order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// State that batches take turns at, each exactly once, in the order of their sequence numbers.
pub struct Turn<T> {
    inner: Mutex<(u64, T)>,
    changed: Condvar,
    given_up: AtomicBool,
}

impl<T> Turn<T> {
    /// State that batch 0 may have first.
    pub fn new(state: T) -> Self {
        Self { inner: Mutex::new((0, state)), changed: Condvar::new(), given_up: AtomicBool::new(false) }
    }

    /// Waits until all batches before `sequence` have had their turn, and has this one's.
    ///
    /// # Panics
    /// If a batch has its turn twice, or turns were given up.
    pub fn take<R>(&self, sequence: u64, act: impl FnOnce(&mut T) -> R) -> R {
        let mut inner = self.lock();
        while inner.0 < sequence {
            assert!(!self.given_up.load(Ordering::SeqCst), "another worker ended unexpectedly");
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        assert_eq!(inner.0, sequence, "a batch has one turn");
        let result = act(&mut inner.1);
        inner.0 += 1;
        drop(inner);
        self.changed.notify_all();
        result
    }

    /// No further turn will come: a worker ended unexpectedly. Those who wait for theirs panic, rather than for ever.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
        drop(self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, (u64, T)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_had_in_order_whoever_comes_first() {
        let turn = Turn::new(Vec::new());
        std::thread::scope(|scope| {
            for sequence in (0..8).rev() {
                let turn = &turn;
                scope.spawn(move || turn.take(sequence, |seen| seen.push(sequence)));
            }
        });
        assert_eq!(turn.lock().1, (0..8).collect::<Vec<_>>());
    }
}
