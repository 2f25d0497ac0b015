//! What the client calls back with, put aside until the source has its hands free.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use serde::Deserialize;

/// A change of the partitions that are ours; not carried out yet.
#[derive(Debug, Clone)]
pub(super) enum Rebalance {
    /// They are to be taken.
    Assign(TopicPartitionList),
    /// They are to be given up; `lost`: they are another's already.
    Revoke { partitions: TopicPartitionList, lost: bool },
}

/// What is used of the client's statistics.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Statistics {
    #[serde(default)]
    pub(super) brokers: HashMap<String, BrokerStatistics>,
    #[serde(default)]
    pub(super) topics: HashMap<String, TopicStatistics>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BrokerStatistics {
    /// Not of a broker but of a role that one has (the coordinator's): `logical`.
    #[serde(default)]
    pub(super) source: String,
    #[serde(default)]
    pub(super) state: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct TopicStatistics {
    #[serde(default)]
    pub(super) partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PartitionStatistics {
    pub(super) partition: i32,
    /// What is fetched next.
    pub(super) next_offset: i64,
    /// Where the end was seen last.
    pub(super) eof_offset: i64,
    /// The end of what may be read.
    pub(super) ls_offset: i64,
}

/// What happened since it was looked at last.
#[derive(Debug, Default)]
pub(super) struct Happened {
    pub(super) rebalances: VecDeque<Rebalance>,
    /// Errors with the client's words on them.
    pub(super) problems: VecDeque<(RDKafkaErrorCode, String)>,
    pub(super) statistics: Option<Statistics>,
    /// Why the last connection failed: the client only logs it.
    pub(super) failure: Option<String>,
    /// The client is being closed: partitions are given up at once.
    pub(super) closing: bool,
}

/// Puts aside what the client says. Nothing of it goes to standard error.
#[derive(Debug, Default)]
pub(super) struct Context(Mutex<Happened>);

impl Context {
    pub(super) fn happened(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "Kafka client");
        if facility == "FAIL" {
            let without_thread = message.split_once("]: ").map_or(message, |(_, text)| text);
            self.happened().failure = Some(without_thread.to_string());
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        if code != RDKafkaErrorCode::PartitionEOF {
            self.happened().problems.push_back((code, reason.to_string()));
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(statistics) => self.happened().statistics = Some(statistics),
            Err(error) => tracing::debug!(%error, "Kafka client's statistics cannot be read"),
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let mut happened = self.happened();
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if happened.closing {
            drop(happened);
            // What is taken now is asked back at once.
            let done = if assigned {
                consumer.incremental_assign(partitions)
            } else {
                consumer.incremental_unassign(partitions)
            };
            if let Err(error) = done.or_else(|_| consumer.unassign()) {
                tracing::debug!(%error, "partitions were not given up on closing");
            }
        } else if assigned {
            happened.rebalances.push_back(Rebalance::Assign(partitions.clone()));
        } else {
            let lost = consumer.assignment_lost();
            happened.rebalances.push_back(Rebalance::Revoke { partitions: partitions.clone(), lost });
        }
    }
}
