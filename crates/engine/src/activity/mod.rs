//! The stream `activity`: a row for each declared source and minute, made here, and judged as records are.
//!
//! All of it is decided in the turn of the streams' clocks, in event time: a minute's rows are made once its stream's
//! watermark has passed the minute's end. So they depend on which records were accepted, and on nothing else. What is
//! made of them, as text and as batches, is made by the worker whose turn it was, after it.

mod ledger;
pub mod rows;
pub mod sources;
mod watch;

#[cfg(test)]
mod tests;

use watchfire_record::activity::NAME;
use watchfire_record::{Batch, Partition, Stream};

use crate::job::Work;
use crate::watermark::StreamClock;
use ledger::Ledger;
use rows::Closed;

/// What the sources of all streams do.
#[derive(Debug)]
pub struct Activity {
    /// Index of the stream `activity`.
    index: usize,
    /// Of the streams that declare sources.
    ledgers: Vec<Ledger>,
}

impl Activity {
    /// For these streams. Without the stream `activity` among them nothing is counted.
    #[must_use]
    pub fn new<'a>(streams: impl Iterator<Item = &'a Stream> + Clone) -> Self {
        let own = streams.clone().position(|stream| stream.name == NAME);
        let declaring = streams.enumerate().filter(|(_, stream)| own.is_some() && stream.has_sources());
        let ledger = |(index, stream): (usize, &Stream)| {
            let number = i32::try_from(index).expect("streams are few");
            Ledger::new(index, stream, Partition { topic: NAME.into(), number })
        };
        Self { index: own.unwrap_or_default(), ledgers: declaring.map(ledger).collect() }
    }

    /// Index of the stream `activity` among the streams.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The time of `activity`, by the streams' clocks.
    #[must_use]
    pub fn time(&self, clocks: &[StreamClock]) -> i64 {
        clocks.get(self.index).map_or(i64::MIN, StreamClock::watermark)
    }

    /// Counts the records of a stamped batch.
    pub fn count(&mut self, batch: &Batch, named: &[(u32, u32)]) {
        if let Some(ledger) = self.ledgers.iter_mut().find(|ledger| ledger.stream == batch.stream) {
            ledger.count(batch, named);
        }
    }

    /// Takes note of what is watched. To be called before the clocks are moved.
    pub fn note(&mut self, work: &Work, clocks: &[StreamClock], now: i64) {
        for ledger in &mut self.ledgers {
            let (stream, clock) = (ledger.stream, &clocks[ledger.stream]);
            match work {
                Work::Assigned(assigned) => {
                    for (assignment, first) in assigned.iter().filter(|(a, _)| a.stream == stream) {
                        ledger.assign(&assignment.partition, now, first.is_some());
                    }
                }
                Work::Removed(partitions) => {
                    for partition in partitions.iter().filter(|partition| clock.has(partition)) {
                        ledger.ended = false;
                        ledger.watch.lose(partition, clock.complete_to(partition, now));
                    }
                }
                Work::Ended(partition) if clock.has(partition) => {
                    ledger.ended = true;
                    ledger.watch.end(partition);
                }
                Work::CaughtUp(partition) => ledger.watch.caught_up(partition),
                Work::Away { since } => ledger.watch.away(*since, now),
                Work::Whole(whole) => ledger.watch.whole(*whole, now),
                _ => {}
            }
        }
    }

    /// The minutes that are over, by stream, and the time of `activity` after them. `before` is that until then.
    pub fn close(&mut self, clocks: &mut [StreamClock], before: i64, now: i64) -> Vec<Closed> {
        if self.ledgers.is_empty() {
            return Vec::new();
        }
        let ledgers = self.ledgers.iter_mut();
        let closed: Vec<Closed> = ledgers.filter_map(|l| l.close(&clocks[l.stream], before, now)).collect();
        for (first, last) in closed.iter().filter_map(Closed::accepted) {
            clocks[self.index].made(first, last);
        }
        let reached = |ledger: &Ledger| {
            let clock = &clocks[ledger.stream];
            let is_waited_for = !clock.is_void() && (clock.has_partitions() || ledger.ended);
            (ledger.partition.clone(), is_waited_for.then(|| ledger::minute_of(clock.watermark())))
        };
        let reached: Vec<_> = self.ledgers.iter().map(reached).collect();
        clocks[self.index].follow(reached, now);
        closed
    }
}
