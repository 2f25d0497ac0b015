//! Event time: what each partition has reached, what of it a stream's operators may rely on, and which records count.

use std::collections::HashMap;
use std::sync::Arc;

use watchfire_record::batch::flags;
use watchfire_record::{Batch, Partition, Stream};

/// Before any record.
pub const NONE: i64 = i64::MIN;

/// One partition's time.
#[derive(Debug, Clone)]
struct PartitionClock {
    /// Greatest of min(event time, broker's timestamp), less the lateness; [`NONE`] before the first record.
    watermark: i64,
    /// For a file not yet opened: what its first record will make of it.
    floor: i64,
    /// When a record last came, or the partition was assigned, by the engine's clock.
    seen_at: i64,
    /// Whether all that is there now has been given.
    caught_up: bool,
}

/// One stream's time.
#[derive(Debug)]
pub struct StreamClock {
    lateness: i64,
    idle: i64,
    skew: i64,
    partitions: HashMap<Arc<Partition>, PartitionClock>,
    watermark: i64,
    /// Least event time of all accepted records; `i64::MAX` before the first.
    earliest: i64,
    /// Greatest event time of all accepted records; `i64::MIN` before the first.
    latest: i64,
    /// When all partitions were last found idle, by the engine's clock.
    all_idle_at: Option<i64>,
}

impl StreamClock {
    /// The clock of a stream that has no partition yet.
    #[must_use]
    pub fn new(stream: &Stream) -> Self {
        Self {
            lateness: stream.lateness,
            idle: stream.idle,
            skew: stream.skew,
            partitions: HashMap::new(),
            watermark: NONE,
            earliest: i64::MAX,
            latest: i64::MIN,
            all_idle_at: None,
        }
    }

    /// What operators may rely on: no accepted record before it will come. Never goes back.
    #[must_use]
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// The least event time of all accepted records; `i64::MAX` before the first.
    #[must_use]
    pub fn earliest(&self) -> i64 {
        self.earliest
    }

    /// The first event time that lies beyond all that were seen: of accepted records, so that nobody who writes a record
    /// from the future can move it. `i64::MIN` before the first record.
    #[must_use]
    pub fn beyond(&self) -> i64 {
        let seen = if self.latest == i64::MIN { i64::MIN } else { self.latest.saturating_add(1) };
        seen.max(self.watermark)
    }

    /// A partition is read from now on. `first_time` is the event time of a file's first record.
    pub fn assign(&mut self, partition: Arc<Partition>, now: i64, first_time: Option<i64>) {
        let floor = first_time.map_or(NONE, |time| time.saturating_sub(self.lateness));
        let clock = PartitionClock { watermark: NONE, floor, seen_at: now, caught_up: false };
        self.partitions.insert(partition, clock);
    }

    /// A partition is no longer read.
    pub fn remove(&mut self, partition: &Arc<Partition>, now: i64) {
        self.partitions.remove(partition);
        self.advance(now);
    }

    /// A partition has given all that it has for now.
    pub fn caught_up(&mut self, partition: &Arc<Partition>, now: i64) {
        if let Some(clock) = self.partitions.get_mut(partition) {
            clock.caught_up = true;
        }
        self.advance(now);
    }

    /// Nobody looked for a while: the source was paused, or away. Silence in that time says nothing.
    pub fn resume(&mut self, now: i64) {
        self.partitions.values_mut().for_each(|clock| clock.seen_at = now);
        self.all_idle_at = None;
    }

    /// Time passes without records.
    pub fn tick(&mut self, now: i64) {
        self.advance(now);
    }

    /// No record will come any more.
    pub fn finish(&mut self) {
        self.watermark = i64::MAX;
    }

    /// The first multiple of `step` that is not over yet; at the end of input, that after the last accepted record. None
    /// before the first record.
    #[must_use]
    pub fn over(&self, step: i64) -> Option<i64> {
        let (time, after) = match self.watermark {
            NONE => return None,
            i64::MAX => (self.latest, step),
            watermark => (watermark, 0),
        };
        (time != i64::MIN).then(|| time.saturating_sub(time.rem_euclid(step)).saturating_add(after))
    }

    /// Until when records have told that nothing earlier will come: at the end of input that alone says so of the rest.
    #[must_use]
    pub fn settled(&self) -> i64 {
        if self.watermark == i64::MAX { self.latest.saturating_sub(self.lateness) } else { i64::MAX }
    }

    /// Whether the partition is one of its own.
    #[must_use]
    pub fn has(&self, partition: &Partition) -> bool {
        self.partitions.contains_key(partition)
    }

    /// Whether it has any.
    #[must_use]
    pub fn has_partitions(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Whether there was no record, and nothing says that there is one.
    #[must_use]
    pub fn is_void(&self) -> bool {
        let is_empty = |clock: &PartitionClock| clock.caught_up && clock.watermark == NONE;
        self.watermark.max(self.latest) == NONE && self.partitions.values().all(is_empty)
    }

    /// Up to when all of a partition's accepted records have come.
    #[must_use]
    pub fn complete_to(&self, partition: &Partition, now: i64) -> i64 {
        let Some(clock) = self.partitions.get(partition) else { return NONE };
        if clock.left_behind(now, self.idle) { clock.watermark.max(self.watermark) } else { clock.watermark }
    }

    /// Goes by what other clocks say: a partition has come so far, or, with none, is not waited for.
    pub fn follow(&mut self, reached: impl IntoIterator<Item = (Arc<Partition>, Option<i64>)>, now: i64) {
        for (partition, time) in reached {
            let Some(time) = time else {
                self.partitions.remove(&partition);
                continue;
            };
            let new = PartitionClock { watermark: NONE, floor: NONE, seen_at: now, caught_up: false };
            let clock = self.partitions.entry(partition).or_insert(new);
            clock.watermark = clock.watermark.max(time);
        }
        self.advance(now);
    }

    /// Records were made, and accepted, whose least and greatest event times are these.
    pub fn made(&mut self, first: i64, last: i64) {
        self.earliest = self.earliest.min(first);
        self.latest = self.latest.max(last);
    }

    /// Stamps the rows of a batch, in order of intake, and flags those that do not count.
    pub fn stamp(&mut self, batch: &mut Batch, now: i64) {
        let watermark = self.watermark;
        let clocks = batch.partitions.iter().map(|partition| {
            let unknown = PartitionClock { watermark: NONE, floor: NONE, seen_at: now, caught_up: false };
            let mut clock = self.partitions.get(partition).cloned().unwrap_or(unknown);
            // A partition that was new, idle or read by another is not waited for: what lies before the stream's watermark is late.
            clock.watermark = clock.watermark.max(watermark);
            clock
        });
        let mut clocks: Vec<PartitionClock> = clocks.collect();
        for row in &mut batch.rows {
            let clock = &mut clocks[row.partition as usize];
            row.watermark = clock.watermark;
            if row.event_time < clock.watermark {
                row.flags |= flags::LATE;
            }
            if row.event_time > row.timestamp.saturating_add(self.skew) {
                row.flags |= flags::FUTURE;
            }
            if row.accepted() {
                self.earliest = self.earliest.min(row.event_time);
                self.latest = self.latest.max(row.event_time);
            }
            clock.watermark = clock.watermark.max(row.event_time.min(row.timestamp).saturating_sub(self.lateness));
        }
        for (partition, clock) in batch.partitions.iter().zip(clocks) {
            let clock = PartitionClock { seen_at: now, caught_up: false, ..clock };
            self.partitions.insert(Arc::clone(partition), clock);
        }
        self.advance(now);
    }

    fn advance(&mut self, now: i64) {
        let active = self.partitions.values().filter(|clock| !clock.left_behind(now, self.idle));
        match active.map(PartitionClock::reached).min() {
            Some(least) => {
                self.all_idle_at = None;
                self.watermark = self.watermark.max(least);
            }
            None if self.partitions.is_empty() => self.all_idle_at = None,
            None => self.grow_while_idle(now),
        }
    }

    /// With all partitions idle, event time goes on as the clock does, from where it stood.
    fn grow_while_idle(&mut self, now: i64) {
        if self.watermark == NONE {
            let known = self.partitions.values().map(|clock| clock.watermark).filter(|watermark| *watermark != NONE);
            self.watermark = known.min().unwrap_or(NONE);
        } else if let Some(before) = self.all_idle_at {
            self.watermark = self.watermark.saturating_add((now - before).max(0));
        }
        self.all_idle_at = Some(now);
    }
}

impl PartitionClock {
    /// How far it has come; before its first record, how far that one will bring it.
    fn reached(&self) -> i64 {
        if self.watermark == NONE { self.floor } else { self.watermark }
    }

    /// Whether the others do not wait for it: it has given all it has, and has been silent for `idle` or was empty.
    fn left_behind(&self, now: i64, idle: i64) -> bool {
        self.caught_up && (self.watermark == NONE || now.saturating_sub(self.seen_at) >= idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchfire_record::Row;

    const SECOND: i64 = 1_000_000;
    const NOW: i64 = 1_000_000 * SECOND;

    fn partition(number: i32) -> Arc<Partition> {
        Arc::new(Partition { topic: "t".into(), number })
    }

    fn batch(partition: &Arc<Partition>, times: &[i64]) -> Batch {
        let row = |time: &i64| Row {
            event_time: *time,
            timestamp: NOW,
            watermark: NONE,
            offset: 0,
            index: 0,
            partition: 0,
            flags: 0,
            text_start: 0,
            text_end: 0,
            context: 0,
        };
        Batch { partitions: vec![Arc::clone(partition)], rows: times.iter().map(row).collect(), ..Batch::default() }
    }

    fn clock(partitions: &[&Arc<Partition>]) -> StreamClock {
        let mut clock = StreamClock::new(&Stream::lambda());
        partitions.iter().for_each(|p| clock.assign(Arc::clone(p), NOW, None));
        clock
    }

    #[test]
    fn nobody_who_writes_log_lines_pushes_time_forward() {
        let p = partition(0);
        let mut clock = clock(&[&p]);
        let mut far = batch(&p, &[NOW + 3600 * SECOND, NOW - 30 * SECOND]);
        clock.stamp(&mut far, NOW);
        assert_eq!(clock.watermark(), NOW - 60 * SECOND);
        assert!(!far.rows[0].accepted() && far.rows[1].accepted());
        assert_eq!(clock.beyond(), NOW - 30 * SECOND + 1);
    }

    #[test]
    fn late_records_are_told_apart() {
        let p = partition(0);
        let mut clock = clock(&[&p]);
        let mut rows = batch(&p, &[NOW - 100 * SECOND, NOW - 160 * SECOND, NOW - 161 * SECOND]);
        clock.stamp(&mut rows, NOW);
        let accepted: Vec<bool> = rows.rows.iter().map(Row::accepted).collect();
        assert_eq!(accepted, [true, true, false]);
    }

    #[test]
    fn a_backlog_is_waited_for_and_an_idle_partition_is_not() {
        let (a, b) = (partition(0), partition(1));
        let mut clock = clock(&[&a, &b]);
        clock.stamp(&mut batch(&a, &[NOW - 5 * SECOND]), NOW);
        assert_eq!(clock.watermark(), NONE, "the other partition's backlog may be older");
        clock.stamp(&mut batch(&b, &[NOW - 500 * SECOND]), NOW);
        clock.caught_up(&b, NOW);
        assert_eq!(clock.watermark(), NOW - 560 * SECOND);
        clock.tick(NOW + 29 * SECOND);
        assert_eq!(clock.watermark(), NOW - 560 * SECOND);
        clock.tick(NOW + 31 * SECOND);
        assert_eq!(clock.watermark(), NOW - 65 * SECOND);
        let mut back = batch(&b, &[NOW - 64 * SECOND, NOW - 66 * SECOND]);
        clock.stamp(&mut back, NOW + 32 * SECOND);
        assert!(back.rows[0].accepted() && !back.rows[1].accepted());
    }

    #[test]
    fn an_empty_partition_holds_nobody_up_and_all_idle_time_goes_on() {
        let (a, b) = (partition(0), partition(1));
        let mut clock = clock(&[&a, &b]);
        clock.caught_up(&b, NOW);
        clock.stamp(&mut batch(&a, &[NOW]), NOW);
        assert_eq!(clock.watermark(), NOW - 60 * SECOND);
        clock.caught_up(&a, NOW);
        clock.tick(NOW + 30 * SECOND);
        clock.tick(NOW + 50 * SECOND);
        assert_eq!(clock.watermark(), NOW - 40 * SECOND);
    }

    #[test]
    fn a_file_not_yet_opened_counts_with_its_first_record() {
        let (a, b) = (partition(0), partition(1));
        let mut clock = clock(&[&a]);
        clock.assign(Arc::clone(&b), NOW, Some(NOW - 1000 * SECOND));
        clock.stamp(&mut batch(&a, &[NOW]), NOW);
        assert_eq!(clock.watermark(), NOW - 1060 * SECOND);
        clock.remove(&b, NOW);
        assert_eq!(clock.watermark(), NOW - 60 * SECOND);
    }
}
