//! The consumer's end: a source that counts what it hands over, notices what is missing, and ends when all is consumed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use watchfire_engine::source::{Event, Source, SourceError};
use watchfire_record::{Partition, RawBatch};

/// How long nothing may come after the last record was produced: what is not there by then is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// What producer and consumer know of each other.
#[derive(Debug)]
pub struct Progress {
    /// When the present begins, microseconds; before that, what is produced is the past.
    pub live_from: AtomicI64,
    /// When the last record was produced, microseconds.
    pub live_until: AtomicI64,
    /// Records handed to the producer.
    pub sent: AtomicU64,
    /// Records that the broker took; known at the end.
    pub delivered: AtomicU64,
    /// Records handed to the engine.
    pub consumed: AtomicU64,
    /// Records that were dropped before they were consumed.
    pub lost: AtomicU64,
    produced_all: AtomicBool,
    given_up: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            live_from: AtomicI64::new(i64::MAX),
            live_until: AtomicI64::new(i64::MAX),
            sent: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            produced_all: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        }
    }
}

impl Progress {
    /// How far the producer is ahead, in records.
    pub fn ahead(&self) -> u64 {
        let through = self.consumed.load(Relaxed) + self.lost.load(Relaxed);
        self.sent.load(Relaxed).saturating_sub(through)
    }

    /// Nothing more is produced.
    pub fn end(&self) {
        self.produced_all.store(true, Relaxed);
    }

    /// Nobody consumes any more.
    pub fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    /// Whether nobody consumes any more.
    pub fn given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }
}

/// A source that ends.
pub struct Follow {
    inner: Box<dyn Source>,
    progress: Arc<Progress>,
    next: HashMap<Arc<Partition>, i64>,
    quiet: Duration,
}

impl Follow {
    /// Follows `inner`, which starts at the beginning of its partitions.
    pub fn new(inner: Box<dyn Source>, progress: Arc<Progress>) -> Self {
        Self { inner, progress, next: HashMap::new(), quiet: Duration::ZERO }
    }

    fn count(&mut self, batch: &RawBatch) {
        self.quiet = Duration::ZERO;
        self.progress.consumed.fetch_add(batch.payloads.len() as u64, Relaxed);
        for payload in &batch.payloads {
            let partition = &batch.partitions[usize::from(payload.partition)];
            let next = match self.next.get_mut(partition) {
                Some(next) => next,
                None => self.next.entry(Arc::clone(partition)).or_insert(0),
            };
            let missing = u64::try_from(payload.offset - *next).unwrap_or(0);
            if missing > 0 {
                self.progress.lost.fetch_add(missing, Relaxed);
            }
            *next = payload.offset + 1;
        }
    }

    /// Whether all is consumed that was produced, or will never be.
    fn is_over(&mut self, waited: Duration) -> bool {
        if !self.progress.produced_all.load(Relaxed) {
            return false;
        }
        let delivered = self.progress.delivered.load(Relaxed);
        let through = self.progress.consumed.load(Relaxed) + self.progress.lost.load(Relaxed);
        self.quiet += waited;
        if through < delivered && self.quiet > PATIENCE {
            self.progress.lost.fetch_add(delivered - through, Relaxed);
            return true;
        }
        through >= delivered
    }
}

impl Source for Follow {
    fn poll(&mut self, wait: Duration) -> Result<Event, SourceError> {
        let event = self.inner.poll(wait)?;
        match &event {
            Event::Batch(batch) => self.count(batch),
            Event::Nothing if self.is_over(wait) => return Ok(Event::Finished),
            _ => {}
        }
        Ok(event)
    }

    fn commit(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.commit(done)
    }

    fn release(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.release(done)
    }

    fn close(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.inner.close(done)
    }

    fn set_paused(&mut self, paused: bool) {
        self.inner.set_paused(paused);
    }

    fn lag(&self) -> Vec<(Arc<Partition>, i64)> {
        self.inner.lag()
    }
}

#[cfg(test)]
mod tests {
    use watchfire_engine::source::MemorySource;
    use watchfire_record::raw::PayloadKind;

    use super::*;

    fn batch(partition: &Arc<Partition>, offsets: &[i64]) -> Event {
        let mut batch = RawBatch::default();
        offsets.iter().for_each(|offset| batch.push(partition, *offset, 0, PayloadKind::Value, b"{}"));
        Event::Batch(batch)
    }

    #[test]
    fn what_the_broker_dropped_is_noticed() {
        let partition = Arc::new(Partition { topic: "t".into(), number: 0 });
        let events = [batch(&partition, &[0, 1]), Event::Nothing, batch(&partition, &[4, 5]), Event::Nothing];
        let progress = Arc::new(Progress::default());
        let mut source = Follow::new(Box::new(MemorySource::new(events)), Arc::clone(&progress));
        let wait = Duration::ZERO;
        assert!(matches!(source.poll(wait), Ok(Event::Batch(_))));
        assert!(matches!(source.poll(wait), Ok(Event::Nothing)));
        progress.sent.store(7, Relaxed);
        assert_eq!(progress.ahead(), 5);
        progress.delivered.store(6, Relaxed);
        progress.end();
        assert!(matches!(source.poll(wait), Ok(Event::Batch(_))));
        assert_eq!((progress.consumed.load(Relaxed), progress.lost.load(Relaxed)), (4, 2));
        assert!(matches!(source.poll(wait), Ok(Event::Finished)));
    }

    #[test]
    fn the_last_records_are_waited_for_only_so_long() {
        let progress = Arc::new(Progress::default());
        let mut source =
            Follow::new(Box::new(MemorySource::new([Event::Nothing, Event::Nothing])), Arc::clone(&progress));
        progress.delivered.store(3, Relaxed);
        progress.end();
        assert!(matches!(source.poll(PATIENCE), Ok(Event::Nothing)));
        assert!(matches!(source.poll(PATIENCE), Ok(Event::Finished)));
        assert_eq!(progress.lost.load(Relaxed), 3);
    }
}
