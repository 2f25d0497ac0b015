//! In which minutes somebody was watching a stream. Only there does it say anything that no record came.

use std::collections::HashMap;
use std::sync::Arc;

use watchfire_record::activity::MINUTE;
use watchfire_record::{Batch, Partition};

/// Times without a watch that are kept apart; more are taken as one.
const GAPS: usize = 64;

/// From when to when, in event time, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first time within.
    pub from: i64,
    /// The first time after.
    pub to: i64,
}

impl Span {
    /// All of time.
    pub const ALWAYS: Self = Self { from: i64::MIN, to: i64::MAX };

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// The least that has both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    fn covers(self, minute: i64) -> bool {
        self.from <= minute && minute.saturating_add(MINUTE) <= self.to
    }

    fn touches(self, minute: i64) -> bool {
        self.from < minute.saturating_add(MINUTE) && minute < self.to
    }
}

/// What is read of one partition.
#[derive(Debug)]
struct Watched {
    span: Span,
    /// Whether it is known from when on it is read.
    begun: bool,
    assigned_at: i64,
}

/// What is watched of one stream.
#[derive(Debug, Default)]
pub struct Watch {
    partitions: HashMap<Arc<Partition>, Watched>,
    /// Since when others have partitions of the stream.
    shared_since: Option<i64>,
    /// Times in which nobody was watching.
    gaps: Vec<Span>,
}

/// What was watched when minutes were over.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Of the stream as a whole.
    pub stream: Span,
    gaps: Vec<Span>,
}

impl Seen {
    /// Whether all of a minute was watched, of the stream or of what has a span of its own.
    #[must_use]
    pub fn observed(&self, minute: i64, span: Span) -> bool {
        span.covers(minute) && !self.gaps.iter().any(|gap| gap.touches(minute))
    }
}

impl Watch {
    /// A partition is read from now on: a file from its beginning, another from where its first record tells.
    pub fn assign(&mut self, partition: &Arc<Partition>, now: i64, is_file: bool) {
        let watched = Watched { span: Span::ALWAYS, begun: is_file, assigned_at: now };
        self.partitions.insert(Arc::clone(partition), watched);
    }

    /// Records came. What a partition had before its first one that is read was written before that one's timestamp.
    pub fn read(&mut self, batch: &Batch) {
        for (index, partition) in batch.partitions.iter().enumerate() {
            let Some(watched) = self.partitions.get_mut(partition).filter(|watched| !watched.begun) else { continue };
            let Some(first) = batch.rows.iter().find(|row| usize::from(row.partition) == index) else { continue };
            let from = if first.offset == 0 { i64::MIN } else { first.timestamp };
            (watched.begun, watched.span.from) = (true, from);
        }
    }

    /// A partition has given all it has. One that had nothing is watched since it was assigned.
    pub fn caught_up(&mut self, partition: &Partition) {
        if let Some(watched) = self.partitions.get_mut(partition).filter(|watched| !watched.begun) {
            (watched.begun, watched.span.from) = (true, watched.assigned_at);
        }
    }

    /// A partition is another's; of ours, all was seen until `to`.
    pub fn lose(&mut self, partition: &Partition, to: i64) {
        if let Some(watched) = self.partitions.get_mut(partition) {
            watched.span.to = watched.span.to.min(to);
        }
    }

    /// A partition was read to its end: no more is to be seen of it.
    pub fn end(&mut self, partition: &Partition) {
        self.partitions.remove(partition);
    }

    /// Nobody could see the source from a time to another.
    pub fn away(&mut self, from: i64, to: i64) {
        let (gap, is_full) = (Span { from, to }, self.gaps.len() >= GAPS);
        match self.gaps.last_mut().filter(|last| is_full || last.touches(from)) {
            Some(last) => *last = last.with(gap),
            None => self.gaps.push(gap),
        }
    }

    /// Whether all partitions are ours from now on.
    pub fn whole(&mut self, whole: bool, now: i64) {
        match self.shared_since {
            None if !whole => self.shared_since = Some(if self.partitions.is_empty() { i64::MIN } else { now }),
            Some(since) if whole => {
                self.shared_since = None;
                self.away(since, now);
            }
            _ => {}
        }
    }

    /// What is watched within `span`.
    #[must_use]
    pub fn seen(&self, span: Span) -> Seen {
        let own = Span { from: i64::MIN, to: self.shared_since.unwrap_or(i64::MAX) };
        let all = self.partitions.values().map(Watched::seen);
        Seen { stream: all.fold(span.and(own), Span::and), gaps: self.gaps.clone() }
    }

    /// What is seen of one partition.
    #[must_use]
    pub fn of_partition(&self, partition: &Partition) -> Option<Span> {
        self.partitions.get(partition).map(Watched::seen)
    }

    /// Minutes before this one are over.
    pub fn forget(&mut self, minute: i64) {
        self.gaps.retain(|gap| gap.to > minute);
    }
}

impl Watched {
    fn seen(&self) -> Span {
        if self.begun { self.span } else { Span { from: i64::MAX, ..self.span } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchfire_record::Row;

    fn partition(number: i32) -> Arc<Partition> {
        Arc::new(Partition { topic: "t".into(), number })
    }

    fn batch(partition: &Arc<Partition>, offset: i64, timestamp: i64) -> Batch {
        let row = Row {
            event_time: 0,
            timestamp,
            watermark: i64::MIN,
            offset,
            index: 0,
            partition: 0,
            flags: 0,
            text_start: 0,
            text_end: 0,
            context: 0,
        };
        Batch { partitions: vec![Arc::clone(partition)], rows: vec![row], ..Batch::default() }
    }

    /// Which of the first five minutes are observed.
    fn observed(watch: &Watch) -> [bool; 5] {
        let seen = watch.seen(Span::ALWAYS);
        [0, 1, 2, 3, 4].map(|minute| seen.observed(minute * MINUTE, seen.stream))
    }

    #[test]
    fn what_was_written_before_the_first_record_that_is_read_is_not_seen() {
        let (a, b) = (partition(0), partition(1));
        let mut watch = Watch::default();
        watch.assign(&a, 0, false);
        assert_eq!(observed(&watch), [false; 5]);
        watch.read(&batch(&a, 0, 9 * MINUTE));
        assert_eq!(observed(&watch), [true; 5], "it is read from its beginning");
        watch.assign(&b, 0, false);
        watch.read(&batch(&b, 7, MINUTE + 1));
        watch.read(&batch(&b, 8, 4 * MINUTE));
        assert_eq!(observed(&watch), [false, false, true, true, true]);
    }

    #[test]
    fn an_empty_partition_is_seen_since_it_is_ours_and_a_file_always() {
        let (a, b) = (partition(0), partition(1));
        let mut watch = Watch::default();
        watch.assign(&a, 5, true);
        watch.assign(&b, 2 * MINUTE, false);
        watch.caught_up(&b);
        watch.caught_up(&a);
        assert_eq!(observed(&watch), [false, false, true, true, true]);
        watch.end(&b);
        assert_eq!(observed(&watch), [true; 5]);
    }

    #[test]
    fn a_lost_partition_is_seen_again_from_its_next_record_on() {
        let a = partition(0);
        let mut watch = Watch::default();
        watch.assign(&a, 0, false);
        watch.read(&batch(&a, 0, 0));
        watch.lose(&a, MINUTE);
        assert_eq!(observed(&watch), [true, false, false, false, false]);
        watch.assign(&a, 2 * MINUTE, false);
        watch.read(&batch(&a, 90, 3 * MINUTE));
        assert_eq!(observed(&watch), [false, false, false, true, true]);
    }

    #[test]
    fn times_without_a_watch_are_gaps() {
        let a = partition(0);
        let mut watch = Watch::default();
        watch.assign(&a, 0, true);
        watch.away(MINUTE - 1, MINUTE + 1);
        assert_eq!(observed(&watch), [false, false, true, true, true]);
        watch.whole(false, 3 * MINUTE);
        watch.whole(false, 4 * MINUTE);
        assert_eq!(observed(&watch), [false, false, true, false, false]);
        watch.whole(true, 4 * MINUTE);
        assert_eq!(observed(&watch), [false, false, true, false, true]);
        watch.forget(2 * MINUTE);
        assert_eq!(watch.gaps.len(), 1);
        (0..1000).for_each(|second| watch.away(second * 9 * MINUTE, second * 9 * MINUTE + 1));
        assert_eq!(watch.gaps.len(), GAPS);
    }

    #[test]
    fn who_starts_among_others_has_seen_nothing_before() {
        let mut watch = Watch::default();
        watch.whole(false, 9 * MINUTE);
        watch.assign(&partition(0), 9 * MINUTE, true);
        assert_eq!(observed(&watch), [false; 5]);
    }
}
