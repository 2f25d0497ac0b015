//! How much may be in flight at once.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A budget of bytes, shared by intake, which takes, and delivery, which gives back. One batch is always let through.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, used: Mutex::new(0), freed: Condvar::new() }
    }

    /// Whether more may be taken in; waits for it at most `wait`.
    #[must_use]
    pub fn has_room(&self, wait: Duration) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |used: &mut usize| *used >= self.limit;
        let (used, _) = self.freed.wait_timeout_while(used, wait, full).unwrap_or_else(PoisonError::into_inner);
        *used < self.limit
    }

    /// Takes `bytes`, past the limit if need be.
    pub fn take(&self, bytes: usize) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) += bytes;
    }

    /// Gives `bytes` back.
    pub fn give_back(&self, bytes: usize) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(bytes);
        drop(used);
        self.freed.notify_all();
    }

    /// How many bytes are taken.
    #[must_use]
    pub fn used(&self) -> usize {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
