//! The partitions that are or were ours, and the batches that their messages are put in.

use std::collections::HashMap;
use std::sync::Arc;

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use watchfire_record::limits::{BATCH_BYTES, BATCH_PAYLOADS, RECORD_BYTES, REJECT_BYTES};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Clock, Partition, RawBatch, spare};

use super::context::Statistics;

/// One partition. It stays listed when it is given up, so that it is the same `Arc` when it comes back.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) partition: Arc<Partition>,
    pub(super) stream: usize,
    /// Its messages are taken.
    pub(super) active: bool,
    /// The offset after the last message taken.
    pub(super) next: i64,
    /// The end of what may be read, as far as known; -1 before.
    pub(super) high: i64,
    /// What the group was told last, or else where reading started.
    pub(super) committed: i64,
    /// All that is there was taken, and it was said.
    pub(super) caught_up: bool,
    /// The end was seen of a partition of this number, of which there are several: how many statistics ago.
    pub(super) perhaps_caught_up: Option<u32>,
}

/// All partitions that were ever ours.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    entries: Vec<Entry>,
    by_topic: HashMap<String, HashMap<i32, usize>>,
    last: usize,
}

impl Partitions {
    pub(super) fn active(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|e| e.active)
    }

    /// Takes a partition in, to be read from `next`.
    pub(super) fn activate(&mut self, topic: &str, number: i32, stream: usize, next: i64) -> &Entry {
        let (entries, numbers) = (&mut self.entries, self.by_topic.entry(topic.to_string()).or_default());
        let index = *numbers.entry(number).or_insert_with(|| {
            entries.push(Entry {
                partition: Arc::new(Partition { topic: topic.into(), number }),
                stream,
                active: false,
                next,
                high: -1,
                committed: next,
                caught_up: false,
                perhaps_caught_up: None,
            });
            entries.len() - 1
        });
        let entry = &mut entries[index];
        (entry.active, entry.next, entry.high, entry.committed) = (true, next, -1, next);
        (entry.caught_up, entry.perhaps_caught_up) = (false, None);
        entry
    }

    /// What the group was told last of a partition that was ours.
    pub(super) fn told(&self, topic: &str, number: i32) -> Option<i64> {
        let index = *self.by_topic.get(topic)?.get(&number)?;
        self.entries.get(index).map(|e| e.committed)
    }

    pub(super) fn get_mut(&mut self, topic: &str, number: i32) -> Option<&mut Entry> {
        let same = |e: &Entry| e.partition.number == number && *e.partition.topic == *topic;
        if !self.entries.get(self.last).is_some_and(same) {
            self.last = *self.by_topic.get(topic)?.get(&number)?;
        }
        self.entries.get_mut(self.last)
    }

    /// The end of a partition with this number was seen; the client does not say of which topic. Gives the one that
    /// must be meant, if there is but one.
    pub(super) fn end_seen(&mut self, number: i32) -> Option<Arc<Partition>> {
        let mut meant: Vec<&mut Entry> =
            self.entries.iter_mut().filter(|e| e.active && e.partition.number == number).collect();
        match meant.as_mut_slice() {
            [only] if !only.caught_up => {
                only.caught_up = true;
                Some(Arc::clone(&only.partition))
            }
            [_] => None,
            several => {
                several.iter_mut().for_each(|e| e.perhaps_caught_up = e.perhaps_caught_up.or(Some(0)));
                None
            }
        }
    }

    /// Learns from the statistics how far partitions go; gives those that are now known to be caught up: nothing is
    /// left to fetch, and nothing came of them since the statistics before.
    pub(super) fn learn(&mut self, statistics: &Statistics) -> Vec<Arc<Partition>> {
        let mut caught_up = Vec::new();
        for (topic, numbers) in &statistics.topics {
            for known in numbers.partitions.values().filter(|p| p.partition >= 0) {
                let Some(entry) = self.get_mut(topic, known.partition).filter(|e| e.active) else { continue };
                if known.ls_offset >= 0 {
                    entry.high = known.ls_offset;
                }
                let Some(age) = entry.perhaps_caught_up else { continue };
                let at_end = known.eof_offset >= 0 && known.eof_offset == known.next_offset;
                entry.perhaps_caught_up = Some(if at_end { age + 1 } else { 0 });
                if at_end && age >= 1 && !entry.caught_up {
                    entry.caught_up = true;
                    caught_up.push(Arc::clone(&entry.partition));
                }
            }
        }
        caught_up
    }

    /// For each active partition how many messages are there and not taken.
    pub(super) fn lag(&self) -> Vec<(Arc<Partition>, i64)> {
        let behind = |e: &Entry| if e.caught_up || e.high < 0 { 0 } else { (e.high - e.next).max(0) };
        self.active().map(|e| (Arc::clone(&e.partition), behind(e))).collect()
    }
}

/// What came of a message.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is in its stream's batch, which goes on.
    Kept,
    /// It filled its stream's batch.
    Full(RawBatch),
    /// It is of a partition that is not ours, or not any more.
    NotOurs,
    /// As `Kept`, but the partition went back to an earlier offset: from, to.
    WentBack(Arc<Partition>, i64, i64),
}

/// One stream's batch.
#[derive(Debug, Default)]
struct Builder {
    batch: RawBatch,
    /// When its first message was put in.
    opened: i64,
    /// Bytes of the batch before, which this one will mostly need too.
    expected: usize,
}

impl Builder {
    fn is_open(&self) -> bool {
        !self.batch.payloads.is_empty()
    }

    fn close(&mut self) -> RawBatch {
        self.expected = self.batch.bytes.len();
        let next = RawBatch { stream: self.batch.stream, ..RawBatch::default() };
        std::mem::replace(&mut self.batch, next)
    }
}

/// The batch of each stream that is being filled.
#[derive(Debug, Default)]
pub(super) struct Builders {
    open: Vec<Builder>,
    /// When the last message was put in.
    now: i64,
}

impl Builders {
    /// For streams below `streams`.
    pub(super) fn new(streams: usize) -> Self {
        let empty = |stream| Builder { batch: RawBatch { stream, ..RawBatch::default() }, ..Builder::default() };
        Self { open: (0..streams).map(empty).collect(), now: 0 }
    }

    pub(super) fn any_open(&self) -> bool {
        self.open.iter().any(Builder::is_open)
    }

    /// Whether an open batch was `micros` old when the last message came; also when the clock was set back.
    pub(super) fn waited(&self, micros: i64) -> bool {
        let old = |opened: i64| !(0..micros).contains(&(self.now - opened));
        self.open.iter().any(|builder| builder.is_open() && old(builder.opened))
    }

    /// All that is open, closed.
    pub(super) fn flush(&mut self) -> Vec<RawBatch> {
        self.open.iter_mut().filter(|builder| builder.is_open()).map(Builder::close).collect()
    }

    /// Copies a message into its stream's batch.
    pub(super) fn take(
        &mut self,
        message: &BorrowedMessage<'_>,
        partitions: &mut Partitions,
        clock: &dyn Clock,
    ) -> Taken {
        let Some(entry) = partitions.get_mut(message.topic(), message.partition()).filter(|e| e.active) else {
            return Taken::NotOurs;
        };
        let offset = message.offset();
        let went_back = (offset < entry.next).then_some(entry.next);
        (entry.next, entry.caught_up, entry.perhaps_caught_up) = (offset + 1, false, None);
        let Some(builder) = self.open.get_mut(entry.stream) else { return Taken::NotOurs };
        let now = clock.now();
        self.now = now;
        if !builder.is_open() {
            builder.opened = now;
            builder.batch.bytes = spare::take();
            builder.batch.bytes.reserve(builder.expected);
        }
        let timestamp = message.timestamp().to_millis().filter(|ms| *ms >= 0).map_or(now, |ms| ms.saturating_mul(1000));
        let (kind, bytes) = match message.payload() {
            None => (PayloadKind::Empty, [].as_slice()),
            Some(bytes) if bytes.len() > RECORD_BYTES => (PayloadKind::TooLarge, &bytes[..REJECT_BYTES]),
            Some(bytes) => (PayloadKind::Value, bytes),
        };
        let batch = &mut builder.batch;
        batch.push(&entry.partition, offset, timestamp, kind, bytes);
        if let Some(from) = went_back {
            return Taken::WentBack(Arc::clone(&entry.partition), from, offset);
        }
        if batch.bytes.len() >= BATCH_BYTES || batch.payloads.len() >= BATCH_PAYLOADS {
            return Taken::Full(builder.close());
        }
        Taken::Kept
    }
}
