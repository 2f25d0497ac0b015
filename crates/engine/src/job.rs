//! What goes from thread to thread. Each carries the sequence number of the job that it came from.

use std::sync::Arc;

use watchfire_detect::StreamTime;
use watchfire_detect::operators::StreamBatch;
use watchfire_record::{Finding, Partition, RawBatch, Reject};
use watchfire_source::Assignment;

use crate::rules::RuleSet;

/// One step of intake: a batch, or something that moves time.
#[derive(Debug)]
pub struct Job {
    /// From 0, without a gap.
    pub sequence: u64,
    /// When it was taken in, microseconds.
    pub now: i64,
    /// What it is.
    pub work: Work,
    /// The detectors that are live for it.
    pub rules: Arc<RuleSet>,
}

/// What a job is.
#[derive(Debug)]
pub enum Work {
    /// Records to decode and judge.
    Batch(RawBatch),
    /// Partitions are read from now on; for files with the event time of their first record.
    Assigned(Vec<(Assignment, Option<i64>)>),
    /// Partitions are no longer read: they are another's.
    Removed(Vec<Arc<Partition>>),
    /// A partition was read to its end.
    Ended(Arc<Partition>),
    /// A partition has given all it has for now.
    CaughtUp(Arc<Partition>),
    /// From here on the job's rules are live.
    Rules,
    /// Time passes.
    Tick,
    /// The source is looked at again after a while in which it was not.
    Resumed,
    /// The source can be seen again, which it could not since a time, microseconds.
    Away {
        /// When it was last seen.
        since: i64,
    },
    /// Whether all partitions of what is read are ours.
    Whole(bool),
    /// No record will come any more: every window closes.
    Finish,
}

/// What operators with state are fed of one stream; a shard takes its share of it.
#[derive(Debug, Clone)]
pub struct Fed {
    /// The stream that the rows are of.
    pub stream: usize,
    /// The rows.
    pub batch: Arc<StreamBatch>,
}

/// From a worker to a shard.
#[derive(Debug)]
pub struct ShardInput {
    /// The job's.
    pub sequence: u64,
    /// When the job was taken in, microseconds.
    pub now: i64,
    /// What operators with state are fed: records, then what was made of them.
    pub fed: Arc<[Fed]>,
    /// Each stream's time while there is more to be fed.
    pub meanwhile: Arc<[StreamTime]>,
    /// Each stream's time after the job.
    pub times: Arc<[StreamTime]>,
    /// The job's detectors.
    pub rules: Arc<RuleSet>,
}

/// From workers and shards to delivery.
#[derive(Debug)]
pub enum Outcome {
    /// What a worker made of a job.
    Worker(WorkerOutcome),
    /// What a shard made of it.
    Shard {
        /// The job's.
        sequence: u64,
        /// Early and final findings.
        found: Vec<Finding>,
    },
}

/// What a worker made of a job.
#[derive(Debug, Default)]
pub struct WorkerOutcome {
    /// The job's.
    pub sequence: u64,
    /// Findings of match detectors.
    pub found: Vec<Finding>,
    /// What could not be processed.
    pub rejects: Vec<Reject>,
    /// The names of the detectors that rejects have blinded.
    pub blinded: Arc<[Arc<str>]>,
    /// For each partition of the batch, the offset after its last payload.
    pub positions: Vec<(Arc<Partition>, i64)>,
    /// Bytes that the job held in memory; they are given back when it is done.
    pub bytes: usize,
}

/// What a batch costs the budget of bytes in flight.
#[must_use]
pub fn cost(batch: &RawBatch) -> usize {
    batch.bytes.len() + batch.payloads.len() * size_of::<watchfire_record::Payload>() + 1024
}
