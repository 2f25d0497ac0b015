//! Topics that are missing, that grow, and that are shared with others of the group.

use std::collections::HashMap;

use rdkafka::consumer::BaseConsumer;

use super::context::Context;
use super::offsets::partition_count;

/// Time between two looks for a missing topic, in microseconds.
const LOOK_EVERY: i64 = 5_000_000;
/// Time before the first look, in microseconds: by then a topic that is there was mostly assigned.
const FIRST_LOOK: i64 = 2_000_000;

/// What is known of the topics.
#[derive(Debug)]
pub(super) struct Topics {
    /// Not seen yet, and whether a person was told.
    missing: Vec<(String, bool)>,
    /// How many partitions each has.
    counts: HashMap<String, usize>,
    next_look: i64,
    /// Partitions that are ours, of how many, as told last.
    share: (usize, usize),
}

impl Topics {
    pub(super) fn new(names: impl Iterator<Item = String>, now: i64) -> Self {
        let missing = names.map(|name| (name, false)).collect();
        Self { missing, counts: HashMap::new(), next_look: now.saturating_add(FIRST_LOOK), share: (0, 0) }
    }

    /// Looks, now and then, for topics that were not there.
    pub(super) fn look(&mut self, consumer: &BaseConsumer<Context>, now: i64) -> Vec<String> {
        let mut notices = Vec::new();
        if self.missing.is_empty() || now < self.next_look {
            return notices;
        }
        self.next_look = now.saturating_add(LOOK_EVERY);
        let counts = &mut self.counts;
        self.missing.retain_mut(|(topic, told)| match partition_count(consumer, topic) {
            Ok(0) => {
                if !std::mem::replace(told, true) {
                    notices.push(format!(
                        "topic `{topic}` is not there: create it, or correct the stream's topic; it is waited for"
                    ));
                }
                true
            }
            Ok(count) => {
                counts.insert(topic.clone(), count);
                if *told {
                    notices.push(is_there_now(topic, count));
                }
                false
            }
            Err(_) => true,
        });
        notices
    }

    /// Those that were looked for and are not there.
    pub(super) fn absent(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().filter(|(_, told)| *told).map(|(topic, _)| topic.as_str())
    }

    /// Counts again after the assignment changed to `ours` partitions.
    pub(super) fn recount(&mut self, consumer: &BaseConsumer<Context>, ours: usize, group: &str) -> Vec<String> {
        let mut notices = Vec::new();
        for (topic, count) in &mut self.counts {
            let Ok(now) = partition_count(consumer, topic) else { continue };
            if *count == 0 && now > 0 {
                notices.push(is_there_now(topic, now));
            } else if now > *count {
                notices.push(format!(
                    "topic `{topic}` has {now} partitions now; the {} new ones are read from their beginning",
                    now - *count
                ));
            }
            *count = now.max(*count);
        }
        let all: usize = self.counts.values().sum();
        let share = (ours, all);
        if share != self.share {
            if ours < all && ours > 0 {
                notices.push(format!(
                    "this process reads {ours} of {all} partitions; other members of group `{group}` have the rest"
                ));
            } else if ours == all && self.share.0 > 0 && self.share.0 < self.share.1 {
                notices.push(format!("this process reads all {all} partitions of group `{group}` now"));
            }
            self.share = share;
        }
        notices
    }

    /// Whether all partitions were ours when they were last counted.
    pub(super) fn all_ours(&self) -> bool {
        self.share.0 >= self.share.1
    }

    /// A partition of the topic is ours, so it is there.
    pub(super) fn seen(&mut self, topic: &str, count: usize) {
        self.missing.retain(|(name, _)| name != topic);
        self.counts.entry(topic.to_string()).or_insert(count);
    }
}

fn is_there_now(topic: &str, partitions: usize) -> String {
    format!("topic `{topic}` is there now, with {partitions} partitions")
}
