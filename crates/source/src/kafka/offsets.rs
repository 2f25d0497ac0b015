//! Where reading of a partition starts: always a number, so that nothing slips through between two looks.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::context::Context;
use super::settings::StartFrom;

/// How long a broker may take to answer one question. Longer: it is asked again at the next poll.
const PATIENCE: Duration = Duration::from_secs(5);

/// Topic and number of a partition.
pub(super) type Key = (String, i32);

/// What was there when this process first saw each topic.
#[derive(Debug, Default)]
pub(super) struct FirstSight {
    /// By topic, how many partitions.
    counts: HashMap<String, usize>,
    /// The end of each of them then.
    ends: HashMap<Key, i64>,
    /// Topics of which partitions were assigned before: further ones are handed over by another member, or are new.
    assigned: HashSet<String>,
}

/// Where to start.
#[derive(Debug, Default)]
pub(super) struct Starts {
    pub(super) offsets: Vec<(Key, i64)>,
    /// Those that the group does not know yet.
    pub(super) uncommitted: Vec<(Key, i64)>,
    pub(super) notices: Vec<String>,
}

/// Asks what is needed and decides. `told` says of a partition that this process had what the group was told of it.
pub(super) fn resolve(
    consumer: &BaseConsumer<Context>,
    partitions: &TopicPartitionList,
    first_sight: &mut FirstSight,
    from: StartFrom,
    now: i64,
    told: impl Fn(&str, i32) -> Option<i64>,
) -> KafkaResult<Starts> {
    let keys: Vec<Key> = partitions.elements().iter().map(|e| (e.topic().to_string(), e.partition())).collect();
    for (topic, _) in &keys {
        first_sight.look(consumer, topic)?;
    }
    let committed = consumer.committed_offsets(unassigned(&keys), PATIENCE)?.to_topic_map();
    let at_time = match from {
        StartFrom::Ago(micros) => at_time(consumer, &keys, now.saturating_sub(micros))?,
        StartFrom::At(micros) => at_time(consumer, &keys, micros)?,
        _ => HashMap::new(),
    };
    let mut starts = Starts::default();
    for key in keys {
        let range = consumer.fetch_watermarks(&key.0, key.1, PATIENCE)?;
        let known = Known {
            committed: committed.get(&key).and_then(number),
            low: range.0,
            high: range.1,
            end_at_first_sight: first_sight.ends.get(&key).copied(),
            at_time: at_time.get(&key).and_then(number),
            told: told(&key.0, key.1),
        };
        // What another member hands over goes on where that one stopped.
        let ours_to_say = known.told.is_none() && !first_sight.assigned.contains(&key.0);
        let place = if ours_to_say { from } else { StartFrom::Committed };
        let (offset, notice) = known.start(place);
        starts.notices.extend(notice.map(|text| format!("topic `{}`, partition {}: {text}", key.0, key.1)));
        if known.committed != Some(offset) {
            starts.uncommitted.push((key.clone(), offset));
        }
        starts.offsets.push((key, offset));
    }
    first_sight.assigned.extend(starts.offsets.iter().map(|((topic, _), _)| topic.clone()));
    Ok(starts)
}

impl FirstSight {
    /// Partitions that were there when the topic was first seen.
    pub(super) fn count(&self, topic: &str) -> Option<usize> {
        self.counts.get(topic).copied()
    }

    /// The topic is not there yet: all its partitions will be new, and are read from their beginning.
    pub(super) fn absent(&mut self, topic: &str) {
        self.counts.entry(topic.to_string()).or_insert(0);
    }

    fn look(&mut self, consumer: &BaseConsumer<Context>, topic: &str) -> KafkaResult<()> {
        if self.counts.contains_key(topic) {
            return Ok(());
        }
        let count = partition_count(consumer, topic)?;
        for number in 0..i32::try_from(count).unwrap_or(i32::MAX) {
            let (_, high) = consumer.fetch_watermarks(topic, number, PATIENCE)?;
            self.ends.insert((topic.to_string(), number), high);
        }
        self.counts.insert(topic.to_string(), count);
        Ok(())
    }
}

/// How many partitions a topic has; 0 if it is not there.
pub(super) fn partition_count(consumer: &BaseConsumer<Context>, topic: &str) -> KafkaResult<usize> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    Ok(metadata.topics().iter().find(|t| t.name() == topic).map_or(0, |t| t.partitions().len()))
}

fn unassigned(keys: &[Key]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(keys.len());
    for (topic, number) in keys {
        list.add_partition(topic, *number);
    }
    list
}

/// Partitions with offsets as the client wants them.
pub(super) fn list(offsets: &[(Key, i64)]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for ((topic, number), offset) in offsets {
        list.add_partition_offset(topic, *number, Offset::Offset(*offset))?;
    }
    Ok(list)
}

fn at_time(consumer: &BaseConsumer<Context>, keys: &[Key], micros: i64) -> Result<HashMap<Key, Offset>, KafkaError> {
    let millis = micros.max(0) / 1000;
    let times: Vec<(Key, i64)> = keys.iter().map(|key| (key.clone(), millis)).collect();
    Ok(consumer.offsets_for_times(list(&times)?, PATIENCE)?.to_topic_map())
}

fn number(offset: &Offset) -> Option<i64> {
    match offset {
        Offset::Offset(offset) => Some(*offset),
        _ => None,
    }
}

/// What is known of one partition.
#[derive(Debug, Clone, Copy)]
struct Known {
    committed: Option<i64>,
    low: i64,
    high: i64,
    end_at_first_sight: Option<i64>,
    at_time: Option<i64>,
    told: Option<i64>,
}

impl Known {
    /// The offset to start at, and what a person should know of it.
    fn start(self, place: StartFrom) -> (i64, Option<String>) {
        let end = self.end_at_first_sight.map(|end| end.clamp(self.low, self.high.max(self.low)));
        match (place, self.committed.or(self.told)) {
            (StartFrom::Earliest, _) => (self.low, None),
            (StartFrom::Latest, _) => (end.unwrap_or(self.low), None),
            (StartFrom::Ago(_) | StartFrom::At(_), _) => (self.at_time.unwrap_or(self.high), None),
            (StartFrom::Committed, None) => (end.unwrap_or(self.low), None),
            (StartFrom::Committed, Some(committed)) if committed < self.low => {
                let gone = self.low - committed;
                let text = format!("{gone} records were deleted before they were read; lengthen the topic's retention");
                (self.low, Some(text))
            }
            (StartFrom::Committed, Some(committed)) if committed > self.high => {
                let text = format!(
                    "the group stands at {committed}, beyond the end at {}: the topic was made anew; it is read from its \
                     beginning",
                    self.high
                );
                (self.low, Some(text))
            }
            (StartFrom::Committed, Some(committed)) => (committed, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_a_number_in_range() {
        let known =
            Known { committed: None, low: 10, high: 90, end_at_first_sight: Some(50), at_time: None, told: None };
        let with = |committed| Known { committed: Some(committed), ..known };
        let later = Known { end_at_first_sight: None, ..known };
        let cases = [
            (known, StartFrom::Committed, 50, false),
            (later, StartFrom::Committed, 10, false),
            (with(70), StartFrom::Committed, 70, false),
            (with(90), StartFrom::Committed, 90, false),
            (with(5), StartFrom::Committed, 10, true),
            (with(91), StartFrom::Committed, 10, true),
            (with(70), StartFrom::Earliest, 10, false),
            (with(70), StartFrom::Latest, 50, false),
            (later, StartFrom::Latest, 10, false),
            (Known { low: 60, ..known }, StartFrom::Latest, 60, false),
            (Known { at_time: Some(33), ..known }, StartFrom::Ago(1), 33, false),
            (known, StartFrom::At(1), 90, false),
            (Known { told: Some(20), ..known }, StartFrom::Committed, 20, false),
        ];
        for (known, place, offset, said) in cases {
            let start = known.start(place);
            assert_eq!((start.0, start.1.is_some()), (offset, said), "{known:?} {place:?}");
        }
    }
}
