//! What one stream's sources did, until the watermark has passed it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use watchfire_record::activity::{MINUTE, PARTITION};
use watchfire_record::{Batch, Partition, Stream, limits};

use super::rows::Closed;
use super::sources::{ANY, Source, declared};
use super::watch::{Span, Watch};
use crate::watermark::StreamClock;

/// The counts of one stream.
#[derive(Debug)]
pub struct Ledger {
    /// Index of the stream.
    pub stream: usize,
    /// What its rows are of: a partition of the stream `activity`.
    pub partition: Arc<Partition>,
    /// What of it is watched.
    pub watch: Watch,
    /// Whether its last partition was read to its end, rather than handed over.
    pub ended: bool,
    name: Arc<str>,
    /// By number, less 1.
    sources: Arc<Vec<Source>>,
    /// The numbers of its partitions, if these are sources.
    partitions: Option<HashMap<Arc<Partition>, u32>>,
    /// Records by minute and number.
    counts: BTreeMap<(i64, u32), u64>,
    /// How many counts there may be.
    room: usize,
    /// Minutes of which there was no room for a count.
    crowded: Option<Span>,
    /// The first minute that is not over; none before the first record.
    next: Option<i64>,
    /// Minutes made since the last one with a record.
    quiet: i64,
}

/// The minute that a time is in.
#[must_use]
pub fn minute_of(time: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(MINUTE))
}

impl Ledger {
    /// Nothing counted yet, for a stream of this index whose rows are of `partition`.
    #[must_use]
    pub fn new(index: usize, stream: &Stream, partition: Partition) -> Self {
        Self {
            stream: index,
            partition: Arc::new(partition),
            watch: Watch::default(),
            ended: false,
            name: stream.name.as_str().into(),
            sources: Arc::new(declared(stream)),
            partitions: stream.partition_sources.then(HashMap::new),
            counts: BTreeMap::new(),
            room: limits::ACTIVITY_COUNTS,
            crowded: None,
            next: None,
            quiet: 0,
        }
    }

    /// The same with room for so many counts.
    #[cfg(test)]
    pub fn with_room(self, room: usize) -> Self {
        Self { room, ..self }
    }

    /// A partition of the stream is read from now on; a file is no source.
    pub fn assign(&mut self, partition: &Arc<Partition>, now: i64, is_file: bool) {
        self.ended = false;
        self.watch.assign(partition, now, is_file);
        let Some(numbers) = self.partitions.as_mut().filter(|_| !is_file) else { return };
        if !numbers.contains_key(partition) && self.sources.len() < limits::ACTIVITY_SOURCES {
            let sources = Arc::make_mut(&mut self.sources);
            sources.push(Source { kind: PARTITION.to_owned(), name: partition.to_string() });
            let number = u32::try_from(sources.len()).expect("sources are bounded");
            numbers.insert(Arc::clone(partition), number);
        }
    }

    /// Counts the accepted records of a stamped batch; `named` are those of declared sources, with their numbers.
    pub fn count(&mut self, batch: &Batch, named: &[(u32, u32)]) {
        self.watch.read(batch);
        let number = |partition: &Arc<Partition>| self.partitions.as_ref()?.get(partition).copied();
        let numbers: Vec<Option<u32>> = batch.partitions.iter().map(number).collect();
        let mut last = None;
        for row in batch.rows.iter().filter(|row| row.accepted()) {
            let minute = minute_of(row.event_time);
            if last != Some(minute) {
                self.add(minute, ANY);
                last = Some(minute);
            }
            if let Some(number) = numbers[row.partition as usize] {
                self.add(minute, number);
            }
        }
        for (row, number) in named {
            let row = &batch.rows[*row as usize];
            if row.accepted() {
                self.add(minute_of(row.event_time), *number);
            }
        }
    }

    fn add(&mut self, minute: i64, number: u32) {
        let is_full = self.counts.len() >= self.room;
        match self.counts.entry((minute, number)) {
            Entry::Occupied(mut known) => *known.get_mut() += 1,
            Entry::Vacant(new) if !is_full => drop(new.insert(1)),
            Entry::Vacant(_) => {
                let own = Span { from: minute, to: minute.saturating_add(MINUTE) };
                self.crowded = Some(self.crowded.map_or(own, |crowded| crowded.with(own)));
            }
        }
    }

    /// The minutes that are over by the stream's time, if there are any. `before` is the time of `activity` until then.
    pub fn close(&mut self, clock: &StreamClock, before: i64, now: i64) -> Option<Closed> {
        let over = clock.over(MINUTE)?;
        let next = self.next.or_else(|| self.counts.first_key_value().map(|((minute, _), _)| *minute))?;
        if next >= over {
            return None;
        }
        let (runs, left_out) = self.runs(next, over);
        self.next = Some(over);
        let rest = self.counts.split_off(&(over, ANY));
        let counts = std::mem::replace(&mut self.counts, rest);
        self.watch.forget(next);
        let crowded = self.crowded;
        self.crowded = crowded.filter(|crowded| crowded.to > over);
        let of_partitions = self.partitions.iter().flatten();
        let spans = of_partitions.filter_map(|(partition, number)| {
            let span = self.watch.of_partition(partition)?;
            Some((*number, span.and(known(clock))))
        });
        Some(Closed {
            stream: Arc::clone(&self.name),
            partition: Arc::clone(&self.partition),
            sources: Arc::clone(&self.sources),
            spans: spans.collect(),
            seen: self.watch.seen(known(clock)),
            crowded,
            runs,
            counts,
            left_out,
            before,
            now,
        })
    }

    /// The minutes up to `over` that have rows, as runs of them, and how many have none: those after too many without a
    /// record, up to the next that has one.
    fn runs(&mut self, next: i64, over: i64) -> (Vec<(i64, i64)>, u64) {
        let (mut runs, mut left_out, mut at): (Vec<(i64, i64)>, u64, i64) = (Vec::new(), 0, next);
        let most = i64::try_from(limits::ACTIVITY_QUIET_MINUTES).unwrap_or(i64::MAX);
        while at < over {
            let with = self.counts.range((at, ANY)..).next().map_or(over, |((minute, _), _)| over.min(*minute));
            let quiet = (with - at) / MINUTE;
            let made = quiet.min(most - self.quiet);
            left_out += u64::try_from(quiet - made).unwrap_or(0);
            self.quiet += made;
            push(&mut runs, at, at + made * MINUTE);
            at = with;
            if with < over {
                self.quiet = 0;
                at = with + MINUTE;
                push(&mut runs, with, at);
            }
        }
        (runs, left_out)
    }
}

/// What the records of a stream tell of: from the first on, and, at the end of input, not what may yet have come late.
fn known(clock: &StreamClock) -> Span {
    Span { from: clock.earliest(), to: clock.settled() }
}

/// Adds a run; one that goes on where the last ended is part of it.
fn push(runs: &mut Vec<(i64, i64)>, from: i64, to: i64) {
    match runs.last_mut() {
        Some(last) if last.1 == from => last.1 = to,
        _ if from < to => runs.push((from, to)),
        _ => {}
    }
}
