//! A Kafka consumer group as a source.
//!
//! The client's one queue carries messages, rebalances and errors, so taking and serving are one. **Back-pressure**:
//! the client holds at most its queue limit (16 MiB) and stops fetching when it is full. While paused, nothing is
//! polled for a second: short waits for a full queue cost nothing. After that the partitions are paused in the client,
//! once, which throws away what it had fetched; from then on its queue holds events only and is polled, so rebalances
//! are answered and the group does not think that we are dead, however long the pause.

mod config;
mod context;
pub mod embedded;
mod group;
mod health;
mod offsets;
mod partitions;
pub mod settings;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaErrorCode as Code;
use watchfire_record::{Clock, Partition};

use crate::error::SourceError;
use crate::event::{Event, Source};
use context::Context;
use group::Release;
use health::Health;
use offsets::FirstSight;
use partitions::{Builders, Partitions, Taken};
use settings::KafkaSettings;
use topics::Topics;

/// How long a message waits for others to share its batch.
const LINGER: Duration = Duration::from_millis(10);
/// How long a pause is before the client is told of it.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// Reads topics as a member of a consumer group.
pub struct KafkaSource {
    settings: KafkaSettings,
    config: ClientConfig,
    clock: Arc<dyn Clock>,
    /// Topic and stream.
    topics: Vec<(String, usize)>,
    consumer: Option<Arc<BaseConsumer<Context>>>,
    partitions: Partitions,
    builders: Builders,
    events: VecDeque<Event>,
    health: Health,
    first_sight: FirstSight,
    known_topics: Topics,
    /// Assigned, but where to start could not be told yet.
    to_assign: Option<TopicPartitionList>,
    to_release: Option<Release>,
    /// The client had a fatal error and is to be made anew.
    broken: bool,
    pause: Pause,
}

#[derive(Debug, Default)]
struct Pause {
    wanted: bool,
    /// For how long so far, before the client was told.
    held: Duration,
    by_client: bool,
}

impl fmt::Debug for KafkaSource {
    /// Without the client's configuration, which holds the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("KafkaSource");
        shown.field("settings", &self.settings).field("topics", &self.topics).field("partitions", &self.partitions);
        shown.finish_non_exhaustive()
    }
}

impl KafkaSource {
    /// Joins the group. `topics` names each topic and the index of its stream. No broker need be there yet: what is
    /// missing is told by [`Event::Notice`]. `clock` stands in for messages without a timestamp.
    ///
    /// # Errors
    /// If a setting cannot be followed.
    pub fn connect(
        settings: &KafkaSettings,
        topics: &[(String, usize)],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SourceError> {
        if topics.is_empty() {
            return Err(SourceError::setting("streams", "no topic is read: declare a stream with a topic"));
        }
        let config = config::client_config(settings)?;
        let streams = topics.iter().map(|(_, stream)| stream + 1).max().unwrap_or(0);
        let now = clock.now();
        let mut source = Self {
            settings: settings.clone(),
            config,
            clock,
            topics: topics.to_vec(),
            consumer: None,
            partitions: Partitions::default(),
            builders: Builders::new(streams),
            events: VecDeque::new(),
            health: Health::new(settings),
            first_sight: FirstSight::default(),
            known_topics: Topics::new(topics.iter().map(|(name, _)| name.clone()), now),
            to_assign: None,
            to_release: None,
            broken: false,
            pause: Pause::default(),
        };
        source.consumer = Some(Arc::new(source.subscribe()?));
        Ok(source)
    }

    fn subscribe(&self) -> Result<BaseConsumer<Context>, SourceError> {
        let consumer: BaseConsumer<Context> =
            self.config.create_with_context(Context::default()).map_err(|e| config::wrong_property(&e))?;
        let names: Vec<&str> = self.topics.iter().map(|(name, _)| name.as_str()).collect();
        consumer.subscribe(&names).map_err(|e| SourceError::kafka("subscribe to the topics", e))?;
        Ok(consumer)
    }

    /// Takes messages until a batch is full or old enough, something else happens, or nothing comes for `wait`.
    fn take(&mut self, wait: Duration) {
        let linger = i64::try_from(LINGER.as_micros()).unwrap_or(i64::MAX);
        while self.events.is_empty() {
            let wait = if self.builders.any_open() { wait.min(LINGER) } else { wait };
            if !self.take_one(wait) || self.builders.waited(linger) {
                self.flush();
                return;
            }
        }
    }

    /// Takes one message or error; false if none came.
    fn take_one(&mut self, wait: Duration) -> bool {
        let Self { consumer, builders, partitions, clock, events, .. } = self;
        let Some(consumer) = consumer else {
            std::thread::sleep(wait);
            return false;
        };
        match consumer.poll(wait) {
            None => return false,
            Some(Ok(message)) => match builders.take(&message, partitions, &**clock) {
                Taken::Kept | Taken::NotOurs => {}
                Taken::Full(batch) => events.push_back(Event::Batch(batch)),
                Taken::WentBack(partition, from, to) => events.push_back(Event::Notice(format!(
                    "partition {partition} went back from offset {from} to {to}: its topic was made anew; it is read on \
                     from there"
                ))),
            },
            Some(Err(error)) => self.consumption_error(&error),
        }
        true
    }

    fn consumption_error(&mut self, error: &KafkaError) {
        match error {
            KafkaError::PartitionEOF(number) => {
                if let Some(partition) = self.partitions.end_seen(*number) {
                    self.flush();
                    self.events.push_back(Event::CaughtUp(partition));
                }
            }
            // The context was told the same, with more words.
            error => tracing::debug!(%error, "Kafka consumer"),
        }
    }

    fn flush(&mut self) {
        self.events.extend(self.builders.flush().into_iter().map(Event::Batch));
    }

    fn notice(&mut self, about: impl FnOnce(&mut Self) -> Option<String>) {
        if let Some(text) = about(self) {
            self.events.push_back(Event::Notice(text));
        }
    }

    fn serve_paused(&mut self, wait: Duration) {
        if self.pause.held < SHORT_PAUSE && !self.pause.by_client {
            std::thread::sleep(wait);
            self.pause.held += wait.max(Duration::from_millis(1));
            return;
        }
        if let Some(consumer) = self.consumer.as_ref().filter(|_| !self.pause.by_client) {
            self.pause.by_client = true;
            if let Err(error) = consumer.assignment().and_then(|partitions| consumer.pause(&partitions)) {
                tracing::debug!(%error, "pause");
            }
        }
        self.take_one(wait);
    }

    /// Looks at what the client put aside.
    fn look(&mut self) -> Result<(), SourceError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let (problems, statistics, failure) = {
            let mut happened = consumer.context().happened();
            (std::mem::take(&mut happened.problems), happened.statistics.take(), happened.failure.take())
        };
        if let Some(reason) = failure {
            self.health.failed(reason);
        }
        let fatal = consumer.client().fatal_error().is_some();
        for (code, reason) in problems.iter().filter(|(code, _)| *code != Code::Fatal) {
            self.notice(|source| source.health.problem(*code, reason));
        }
        if let Some(statistics) = statistics {
            self.notice(|source| source.health.learn(&statistics));
            let caught_up = self.partitions.learn(&statistics);
            if !caught_up.is_empty() {
                self.flush();
                self.events.extend(caught_up.into_iter().map(Event::CaughtUp));
            }
            self.look_for_topics();
        }
        if fatal { self.fail() } else { Ok(()) }
    }

    fn look_for_topics(&mut self) {
        let Some(consumer) = self.consumer.as_ref().filter(|_| self.health.is_up()) else { return };
        let notices = self.known_topics.look(consumer, self.clock.now());
        self.known_topics.absent().for_each(|topic| self.first_sight.absent(topic));
        self.events.extend(notices.into_iter().map(Event::Notice));
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, wait: Duration) -> Result<Event, SourceError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        self.mend(wait)?;
        self.rebalance();
        if self.events.is_empty() {
            if self.pause.wanted {
                self.serve_paused(wait);
            } else {
                self.take(wait);
            }
            self.look()?;
            self.rebalance();
        }
        Ok(self.events.pop_front().unwrap_or(Event::Nothing))
    }

    fn commit(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.commit_changes(done);
        Ok(())
    }

    fn release(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.hand_over(done);
        Ok(())
    }

    fn close(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        self.finish(done)
    }

    fn is_available(&self) -> bool {
        !self.health.is_away()
    }

    fn is_whole(&self) -> bool {
        self.known_topics.all_ours()
    }

    fn set_paused(&mut self, paused: bool) {
        self.pause.wanted = paused;
        if paused {
            return;
        }
        self.pause.held = Duration::ZERO;
        if let Some(consumer) = self.consumer.as_ref().filter(|_| self.pause.by_client) {
            self.pause.by_client = false;
            if let Err(error) = consumer.assignment().and_then(|partitions| consumer.resume(&partitions)) {
                tracing::debug!(%error, "resume");
            }
        }
    }

    fn lag(&self) -> Vec<(Arc<Partition>, i64)> {
        self.partitions.lag()
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        // The client waits on closing for answers that only a leaving context gives.
        if let Some(consumer) = self.consumer.take() {
            group::leave(consumer);
        }
    }
}
