//! Partitions come and go: assignment, hand-over, commits, and leaving the group.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaErrorCode as Code;
use watchfire_record::Partition;

use super::KafkaSource;
use super::context::{Context, Rebalance};
use super::offsets::{self, Key};
use crate::error::SourceError;
use crate::event::{Assignment, Event};

/// How long a commit that is waited for, and leaving the group, may take. Longer: records since the last commit are
/// read again by whoever comes next.
const LEAVE_WITHIN: Duration = Duration::from_secs(4);

/// Partitions that the engine still works on before they are given up.
#[derive(Debug)]
pub(super) struct Release {
    partitions: TopicPartitionList,
    lost: bool,
}

impl KafkaSource {
    /// Carries out what the group decided, one change at a time.
    pub(super) fn rebalance(&mut self) {
        while self.to_release.is_none() {
            let Some(consumer) = &self.consumer else { return };
            let next = consumer.context().happened().rebalances.pop_front();
            match next.or_else(|| self.to_assign.take().map(Rebalance::Assign)) {
                Some(Rebalance::Assign(partitions)) => {
                    if let Err(error) = self.assign(&partitions) {
                        self.to_assign = Some(partitions);
                        let text = format!("where to start reading cannot be told: {error}");
                        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                        self.notice(|source| source.health.problem(code, &text));
                        return;
                    }
                }
                Some(Rebalance::Revoke { partitions, lost }) => self.revoke(partitions, lost),
                None => return,
            }
        }
    }

    fn assign(&mut self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let (from, now, ours) = (self.settings.from, self.clock.now(), &self.partitions);
        let told = |topic: &str, number| ours.told(topic, number);
        let starts = offsets::resolve(consumer, partitions, &mut self.first_sight, from, now, told)?;
        let list = offsets::list(&starts.offsets)?;
        consumer.incremental_assign(&list)?;
        if self.pause.by_client {
            consumer.pause(&list)?;
        }
        let mut assigned = Vec::new();
        for ((topic, number), offset) in &starts.offsets {
            let Some((_, stream)) = self.topics.iter().find(|(name, _)| name == topic) else { continue };
            let entry = self.partitions.activate(topic, *number, *stream, *offset);
            assigned.push(Assignment { partition: Arc::clone(&entry.partition), stream: *stream });
            self.known_topics.seen(topic, self.first_sight.count(topic).unwrap_or(0));
        }
        // Others of the group must not decide anew where to start.
        self.send_commit(&starts.uncommitted);
        if !assigned.is_empty() {
            self.events.push_back(Event::Assigned(assigned));
        }
        self.events.extend(starts.notices.into_iter().map(Event::Notice));
        self.notice(|source| source.health.answered());
        self.recount();
        Ok(())
    }

    fn revoke(&mut self, partitions: TopicPartitionList, lost: bool) {
        self.flush();
        self.to_assign = None;
        let mut gone = Vec::new();
        for element in partitions.elements() {
            let Some(entry) = self.partitions.get_mut(element.topic(), element.partition()) else { continue };
            if std::mem::replace(&mut entry.active, false) {
                gone.push(Arc::clone(&entry.partition));
            }
        }
        let release = Release { partitions, lost };
        if gone.is_empty() {
            self.unassign(&release);
        } else {
            self.to_release = Some(release);
            self.events.push_back(Event::Revoked { partitions: gone, lost });
        }
    }

    /// Commits, unless they are lost, and gives up the partitions that the engine is done with.
    pub(super) fn hand_over(&mut self, done: &[(Arc<Partition>, i64)]) {
        let Some(release) = self.to_release.take() else { return };
        if !release.lost
            && let Err(reason) = self.commit_and_wait(done)
        {
            let text =
                format!("the last commit before a hand-over did not arrive ({reason}): some records are read again");
            self.events.push_back(Event::Notice(text));
        }
        self.unassign(&release);
        if !self.broken {
            self.recount();
        }
    }

    fn unassign(&self, release: &Release) {
        let Some(consumer) = &self.consumer else { return };
        if let Err(error) = consumer.incremental_unassign(&release.partitions) {
            // Lost partitions may be gone from the client already.
            tracing::debug!(%error, "partitions were given up before");
        }
    }

    fn recount(&mut self) {
        let Some(consumer) = self.consumer.as_ref().filter(|_| self.health.is_up()) else { return };
        let ours = self.partitions.active().count();
        let notices = self.known_topics.recount(consumer, ours, &self.settings.group);
        self.events.extend(notices.into_iter().map(Event::Notice));
    }

    /// Commits in the background what changed.
    pub(super) fn commit_changes(&mut self, done: &[(Arc<Partition>, i64)]) {
        let mut changed: Vec<(Key, i64)> = Vec::new();
        for (partition, offset) in done {
            let Some(entry) = self.partitions.get_mut(&partition.topic, partition.number) else { continue };
            if entry.active && entry.committed != *offset {
                entry.committed = *offset;
                changed.push(((partition.topic.to_string(), partition.number), *offset));
            }
        }
        self.send_commit(&changed);
    }

    fn send_commit(&self, offsets: &[(Key, i64)]) {
        let Some(consumer) = self.consumer.as_ref().filter(|_| !offsets.is_empty()) else { return };
        let sent = offsets::list(offsets).and_then(|list| consumer.commit(&list, CommitMode::Async));
        if let Err(error) = sent {
            tracing::debug!(%error, "commit");
        }
    }

    /// Commits and waits until it is answered.
    pub(super) fn commit_and_wait(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), String> {
        let known = done.iter().filter(|(p, _)| self.partitions.told(&p.topic, p.number).is_some());
        let offsets: Vec<(Key, i64)> = known.map(|(p, offset)| ((p.topic.to_string(), p.number), *offset)).collect();
        if offsets.is_empty() {
            return Ok(());
        }
        for ((topic, number), offset) in &offsets {
            if let Some(entry) = self.partitions.get_mut(topic, *number) {
                entry.committed = *offset;
            }
        }
        let Some(consumer) = self.consumer.clone() else { return Err("there is no client".into()) };
        let list = offsets::list(&offsets).map_err(|error| error.to_string())?;
        // Without a broker the client waits for a minute: on a thread of its own, that is its own affair.
        within_time("watchfire-commit", move || consumer.commit(&list, CommitMode::Sync))?
            .map_err(|error| error.to_string())
    }

    /// The client is beyond help: what it had is lost, and it is made anew.
    pub(super) fn fail(&mut self) -> Result<(), SourceError> {
        if self.broken {
            return Ok(());
        }
        let fatal = self.consumer.as_ref().and_then(|consumer| consumer.client().fatal_error());
        let (code, reason) = fatal.unwrap_or((Code::Fatal, "fatal error".into()));
        if matches!(code, Code::UnsupportedVersion | Code::UnsupportedFeature) {
            let reason =
                format!("{reason}. The brokers are older than Kafka 4: set kafka.raw.\"group.protocol\" = \"classic\"");
            return Err(SourceError::kafka("join the group", reason));
        }
        self.broken = true;
        self.events.push_back(Event::Notice(format!("the Kafka client is made anew: {reason}")));
        if self.to_release.is_none() {
            let mut all = TopicPartitionList::new();
            for entry in self.partitions.active() {
                all.add_partition(&entry.partition.topic, entry.partition.number);
            }
            self.revoke(all, true);
        }
        Ok(())
    }

    /// Makes the client anew once nothing of the old one is in flight.
    pub(super) fn mend(&mut self, wait: Duration) -> Result<(), SourceError> {
        if !self.broken || self.to_release.is_some() {
            return Ok(());
        }
        if let Some(consumer) = self.consumer.take() {
            leave(consumer);
        }
        std::thread::sleep(wait.min(Duration::from_millis(500)));
        (self.to_assign, self.pause.by_client) = (None, false);
        self.consumer = Some(Arc::new(self.subscribe()?));
        self.broken = false;
        Ok(())
    }

    /// Commits and leaves.
    pub(super) fn finish(&mut self, done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        let committed = self.commit_and_wait(done);
        if let Some(release) = self.to_release.take() {
            self.unassign(&release);
        }
        if let Some(consumer) = self.consumer.take() {
            leave(consumer);
        }
        committed.map_err(|reason| {
            let reason = format!("{reason}. Records since the last commit are read again by whoever comes next");
            SourceError::kafka("commit before leaving", reason)
        })
    }
}

/// Leaves the group. Without a broker that takes its time: it is not waited for beyond some seconds.
pub(super) fn leave(consumer: Arc<BaseConsumer<Context>>) {
    let pending = {
        let mut happened = consumer.context().happened();
        happened.closing = true;
        std::mem::take(&mut happened.rebalances)
    };
    for rebalance in pending {
        // The client waits for its answer.
        let _ = match rebalance {
            Rebalance::Assign(partitions) => consumer.incremental_assign(&partitions),
            Rebalance::Revoke { partitions, .. } => consumer.incremental_unassign(&partitions),
        };
    }
    if let Err(reason) = within_time("watchfire-leave", move || drop(consumer)) {
        tracing::debug!(reason, "leaving the group");
    }
}

/// Does `work` on a thread of its own and waits for it as long as leaving may take.
fn within_time<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (done, wait) = mpsc::channel();
    // Nobody may be waiting any more.
    let run = move || drop(done.send(work()));
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(|error| error.to_string())?;
    wait.recv_timeout(LEAVE_WITHIN).map_err(|_| format!("no answer within {} s", LEAVE_WITHIN.as_secs()))
}
