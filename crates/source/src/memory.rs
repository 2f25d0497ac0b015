//! A source that plays back what it was given: for benchmarks, tests and the simulation.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::{Partition, RawBatch};

use crate::error::SourceError;
use crate::event::{Assignment, Event, Source};

/// Gives a list of events, then [`Event::Finished`] for ever. Remembers what was committed.
#[derive(Debug, Default)]
pub struct MemorySource {
    events: VecDeque<Event>,
    committed: Vec<(Arc<Partition>, i64)>,
    paused: bool,
}

impl MemorySource {
    /// Plays back exactly `events`.
    #[must_use]
    pub fn new(events: impl IntoIterator<Item = Event>) -> Self {
        Self { events: events.into_iter().collect(), ..Self::default() }
    }

    /// Bounded input: all partitions of `batches` are assigned, the batches given in order, the partitions ended.
    #[must_use]
    pub fn bounded(batches: Vec<RawBatch>) -> Self {
        let mut assigned: Vec<Assignment> = Vec::new();
        for batch in &batches {
            for partition in &batch.partitions {
                if !assigned.iter().any(|a| a.partition == *partition) {
                    assigned.push(Assignment { partition: Arc::clone(partition), stream: batch.stream });
                }
            }
        }
        let ended: Vec<Event> = assigned.iter().map(|a| Event::Ended(Arc::clone(&a.partition))).collect();
        let mut events = VecDeque::from([Event::Assigned(assigned)]);
        events.extend(batches.into_iter().map(Event::Batch));
        events.extend(ended);
        Self { events, ..Self::default() }
    }

    /// For each partition, the last offset that was committed.
    #[must_use]
    pub fn committed(&self) -> &[(Arc<Partition>, i64)] {
        &self.committed
    }
}

impl Source for MemorySource {
    fn poll(&mut self, wait: Duration) -> Result<Event, SourceError> {
        if self.paused && matches!(self.events.front(), Some(Event::Batch(_))) {
            std::thread::sleep(wait);
            return Ok(Event::Nothing);
        }
        Ok(self.events.pop_front().unwrap_or(Event::Finished))
    }

    fn commit(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        for (partition, offset) in done {
            match self.committed.iter_mut().find(|(p, _)| p == partition) {
                Some(entry) => entry.1 = *offset,
                None => self.committed.push((Arc::clone(partition), *offset)),
            }
        }
        Ok(())
    }

    fn release(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.commit(done)
    }

    fn close(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.commit(done)
    }

    fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }
}

#[cfg(test)]
mod tests {
    use watchfire_record::raw::PayloadKind;

    use super::*;

    #[test]
    fn bounded_input_is_assigned_given_ended_and_finished() {
        let partition = Arc::new(Partition { topic: "t".into(), number: 0 });
        let mut batch = RawBatch::default();
        batch.push(&partition, 7, 0, PayloadKind::Value, b"{}");
        let mut source = MemorySource::bounded(vec![batch]);
        let wait = Duration::ZERO;
        assert!(matches!(source.poll(wait), Ok(Event::Assigned(a)) if a.len() == 1));
        source.set_paused(true);
        assert!(matches!(source.poll(wait), Ok(Event::Nothing)));
        source.set_paused(false);
        assert!(matches!(source.poll(wait), Ok(Event::Batch(b)) if b.payloads.len() == 1));
        assert!(matches!(source.poll(wait), Ok(Event::Ended(_))));
        assert!(matches!(source.poll(wait), Ok(Event::Finished)));
        source.commit(&[(Arc::clone(&partition), 3)]).unwrap();
        source.close(&[(Arc::clone(&partition), 8)]).unwrap();
        assert_eq!(source.committed(), &[(partition, 8)]);
    }
}
