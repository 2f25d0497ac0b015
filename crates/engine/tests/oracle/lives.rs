//! Partitions that come late, and go before the others do.

use std::sync::Arc;

use proptest::prelude::*;
use watchfire_engine::source::{Assignment, Event};
use watchfire_engine::watermark::StreamClock;
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Partition, RawBatch};

use super::{CLOUDTRAIL_PARTITIONS, Case, NOW, PARTITIONS};

/// From which part of the intake to which part, in percent, a partition is read. Its records before and after are
/// nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub from: u8,
    pub to: u8,
    /// How it ends: taken away, or read to its end.
    pub lost: bool,
}

impl Life {
    /// From the first record to the end.
    pub const WHOLE: Self = Self { from: 0, to: 101, lost: false };

    /// Whether it is read at the record of this number.
    fn covers(self, index: usize, records: usize) -> bool {
        let part = index * 100 / records.max(1);
        (usize::from(self.from)..usize::from(self.to)).contains(&part)
    }
}

/// The life of a partition: half of them start late, half of them end early.
pub fn life() -> impl Strategy<Value = Life> {
    let from = prop_oneof![1 => Just(0), 1 => 1..100u8];
    let to = prop_oneof![1 => Just(101), 1 => 1..100u8];
    (from, to, any::<bool>()).prop_map(|(from, to, lost)| Life { from, to, lost })
}

/// What the source gives, in order: partitions that come, batches of their records, partitions that go.
pub fn events(case: &Case) -> Vec<Event> {
    const COUNT: usize = PARTITIONS as usize;
    let partition = |number: u8| {
        let topic = if number < CLOUDTRAIL_PARTITIONS { FIRST_TOPIC } else { "u" };
        Arc::new(Partition { topic: topic.into(), number: number.into() })
    };
    let partitions: Vec<_> = (0..PARTITIONS).map(partition).collect();
    let (mut batch, mut offsets, mut read) = (RawBatch::default(), [0i64; COUNT], [false; COUNT]);
    let has_records = |partition: usize, life: &Life| {
        let mut own = case.records.iter().enumerate().filter(|(_, (number, _))| usize::from(*number) == partition);
        own.any(|(index, _)| life.covers(index, case.records.len()))
    };
    let lives: Vec<(usize, &Life)> = case.lives.iter().enumerate().collect();
    let (lives, empty): (Vec<_>, Vec<_>) = lives.into_iter().partition(|(number, life)| has_records(*number, life));
    let mut events: Vec<Event> = empty
        .iter()
        .filter(|(_, life)| life.lost)
        .flat_map(|(number, life)| {
            // There is nothing in it, so that nobody waits for it.
            [come_or_go(&partitions[*number], **life, true), Event::CaughtUp(Arc::clone(&partitions[*number]))]
        })
        .collect();
    for (index, ((number, text), cut)) in case.records.iter().zip(&case.cuts).enumerate() {
        for (partition, life) in &lives {
            if life.covers(index, case.records.len()) != read[*partition] {
                read[*partition] = !read[*partition];
                close(&mut batch, &mut events);
                events.push(come_or_go(&partitions[*partition], **life, read[*partition]));
            }
        }
        let number = usize::from(*number);
        if read[number] {
            let stream = stream_of_partition(&partitions[number]);
            if batch.stream != stream {
                close(&mut batch, &mut events);
                batch.stream = stream;
            }
            batch.push(&partitions[number], offsets[number], NOW, PayloadKind::Value, text.as_bytes());
            offsets[number] += 1;
        }
        if *cut {
            close(&mut batch, &mut events);
        }
    }
    close(&mut batch, &mut events);
    let open = (0..COUNT).filter(|number| read[*number]);
    events.extend(open.map(|number| Event::Ended(Arc::clone(&partitions[number]))));
    events
}

fn close(batch: &mut RawBatch, events: &mut Vec<Event>) {
    if !batch.payloads.is_empty() {
        let next = RawBatch { stream: batch.stream, ..RawBatch::default() };
        events.push(Event::Batch(std::mem::replace(batch, next)));
    }
}

fn come_or_go(partition: &Arc<Partition>, life: Life, comes: bool) -> Event {
    let partition = Arc::clone(partition);
    match (comes, life.lost) {
        (true, _) => {
            let stream = stream_of_partition(&partition);
            Event::Assigned(vec![Assignment { partition, stream }])
        }
        (false, true) => Event::Revoked { partitions: vec![partition], lost: true },
        (false, false) => Event::Ended(partition),
    }
}

const FIRST_TOPIC: &str = "t";

fn stream_of_partition(partition: &Partition) -> usize {
    usize::from(&*partition.topic != FIRST_TOPIC)
}

/// The stream that an event is about.
pub fn stream_of(event: &Event) -> usize {
    match event {
        Event::Batch(batch) => batch.stream,
        Event::Assigned(assigned) => assigned[0].stream,
        Event::Revoked { partitions, .. } => stream_of_partition(&partitions[0]),
        Event::Ended(partition) | Event::CaughtUp(partition) => stream_of_partition(partition),
        other => unreachable!("no case has {other:?}"),
    }
}

/// What an event that is no batch does to a stream's time.
pub fn move_time(clock: &mut StreamClock, event: &Event) {
    match event {
        Event::Assigned(assigned) => assigned.iter().for_each(|a| clock.assign(Arc::clone(&a.partition), NOW, None)),
        Event::Revoked { partitions, .. } => partitions.iter().for_each(|partition| clock.remove(partition, NOW)),
        Event::Ended(partition) => clock.remove(partition, NOW),
        Event::CaughtUp(partition) => clock.caught_up(partition, NOW),
        other => unreachable!("no case has {other:?}"),
    }
}
