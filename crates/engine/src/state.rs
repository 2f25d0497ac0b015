//! What one shard does: takes workers' rows in the order of intake, keeps state, finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire_detect::identities::SecretHasher;
use watchfire_detect::{Shard, Step, StreamDetectors};
use watchfire_record::Finding;

use crate::error::EngineError;
use crate::job::{Outcome, ShardInput};

/// How often operators' counts are told, microseconds.
const STATISTICS_INTERVAL: i64 = 1_000_000;

/// One shard, and what came for it before its turn.
pub struct StateShard {
    index: usize,
    streams: usize,
    shard: Shard,
    waiting: BTreeMap<u64, ShardInput>,
    next: u64,
    told_at: i64,
}

impl StateShard {
    /// Shard number `index` for these detectors.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn new(
        index: usize,
        streams: &[Arc<StreamDetectors>],
        fires_early: bool,
        hasher: &SecretHasher,
    ) -> Result<Self, EngineError> {
        let shard = Shard::new(index, streams, fires_early, hasher);
        let shard = shard.map_err(|error| EngineError::Detector(error.to_string()))?;
        let told_at = i64::MIN;
        Ok(Self { index, streams: streams.len(), shard, waiting: BTreeMap::new(), next: 0, told_at })
    }

    /// Takes inputs, in any order, and does all whose turn it is.
    pub fn take(&mut self, inputs: impl IntoIterator<Item = ShardInput>) -> Vec<Outcome> {
        self.waiting.extend(inputs.into_iter().map(|input| (input.sequence, input)));
        let mut due = Vec::new();
        while let Some(input) = self.waiting.remove(&self.next) {
            self.next += 1;
            due.push(input);
        }
        let steps: Vec<Step<'_>> = due.iter().map(step).collect();
        let found = self.shard.take(&steps);
        due.iter().zip(found).map(|(input, found)| self.outcome(input, found)).collect()
    }

    fn outcome(&mut self, input: &ShardInput, found: Vec<Finding>) -> Outcome {
        let is_over = input.times.iter().any(|time| time.watermark == i64::MAX);
        let due = input.now.saturating_sub(self.told_at) >= STATISTICS_INTERVAL || is_over;
        let statistics = due.then(|| {
            self.told_at = input.now;
            (0..self.streams).map(|stream| self.shard.statistics(stream)).collect()
        });
        Outcome::Shard { sequence: input.sequence, found, shard: self.index, statistics }
    }
}

fn step(input: &ShardInput) -> Step<'_> {
    Step { stream: input.stream, batch: input.batch.as_deref(), now: input.now, times: &input.times }
}
