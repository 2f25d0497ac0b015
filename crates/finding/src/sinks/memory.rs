//! Sinks that keep what they take, for tests of those who use sinks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use watchfire_record::{Finding, Reject};

use super::{RejectSink, Sink, SinkError};

/// Keeps findings in memory. Clones share them: keep one to look, hand the other over.
#[derive(Debug, Clone)]
pub struct MemorySink {
    name: String,
    state: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    findings: Vec<Finding>,
    held_at: Option<u64>,
    room: Option<usize>,
}

impl MemorySink {
    /// An empty one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), state: Arc::default() }
    }

    /// What was taken so far.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.state().findings.clone()
    }

    /// From now on nothing more is acknowledged, as by a broker that is gone; until [`MemorySink::release`].
    pub fn hold(&self) {
        let mut state = self.state();
        state.held_at = Some(state.held_at.unwrap_or(state.findings.len() as u64));
    }

    /// Everything is acknowledged at once again, and there is room without end.
    pub fn release(&self) {
        let mut state = self.state();
        (state.held_at, state.room) = (None, None);
    }

    /// Takes `findings` more at most, then is full; until [`MemorySink::release`].
    pub fn limit(&self, findings: usize) {
        self.state().room = Some(findings);
    }

    fn state(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn name(&self) -> &str {
        &self.name
    }

    fn send(&mut self, findings: &[Finding]) -> Result<(), SinkError> {
        let mut state = self.state();
        if let Some(room) = state.room {
            let Some(left) = room.checked_sub(findings.len()) else {
                let reason = "it was told to be".into();
                return Err(SinkError::Full { sink: self.name.clone(), waiting: 0, reason });
            };
            state.room = Some(left);
        }
        state.findings.extend_from_slice(findings);
        Ok(())
    }

    fn flush(&mut self, _within: Duration) -> Result<(), SinkError> {
        let acknowledged = self.acknowledged();
        let waiting = self.state().findings.len() as u64 - acknowledged;
        if waiting == 0 {
            return Ok(());
        }
        Err(SinkError::Unfinished { sink: self.name.clone(), waiting, reason: "it was told to hold them".into() })
    }

    fn acknowledged(&mut self) -> u64 {
        let state = self.state();
        state.held_at.unwrap_or(state.findings.len() as u64)
    }
}

/// Keeps rejected records in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryRejectSink(Arc<Mutex<Vec<Reject>>>);

impl MemoryRejectSink {
    /// What was taken so far.
    #[must_use]
    pub fn rejects(&self) -> Vec<Reject> {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, Vec<Reject>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RejectSink for MemoryRejectSink {
    fn name(&self) -> &str {
        "memory"
    }

    fn send(&mut self, rejects: &[Reject], _detectors: &[Arc<str>]) -> Result<(), SinkError> {
        self.state().extend_from_slice(rejects);
        Ok(())
    }

    fn flush(&mut self, _within: Duration) -> Result<(), SinkError> {
        Ok(())
    }

    fn acknowledged(&mut self) -> u64 {
        self.state().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::numbered;

    #[test]
    fn it_can_be_full_and_hold_back() {
        let seen = MemorySink::new("memory");
        let mut sink = seen.clone();
        sink.send(&[numbered(1)]).unwrap();
        seen.hold();
        seen.limit(2);
        sink.send(&[numbered(2)]).unwrap();
        assert!(matches!(sink.send(&[numbered(3), numbered(4)]), Err(SinkError::Full { .. })));
        assert!(matches!(sink.flush(Duration::ZERO), Err(SinkError::Unfinished { waiting: 1, .. })));
        assert_eq!((seen.findings().len(), sink.acknowledged()), (2, 1));
        seen.release();
        assert_eq!((sink.acknowledged(), sink.flush(Duration::ZERO)), (2, Ok(())));
    }
}
