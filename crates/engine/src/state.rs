//! What one shard does: takes workers' rows in the order of intake, keeps state, finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire_detect::{Shard, StreamDetectors};

use crate::error::EngineError;
use crate::job::{Outcome, ShardInput};

/// How often operators' counts are told, microseconds.
const STATISTICS_INTERVAL: i64 = 1_000_000;

/// One shard, and what came for it before its turn.
pub struct StateShard {
    index: usize,
    streams: usize,
    shard: Shard,
    fires_early: bool,
    waiting: BTreeMap<u64, ShardInput>,
    next: u64,
    told_at: i64,
}

impl StateShard {
    /// Shard number `index` for these detectors.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn new(index: usize, streams: &[Arc<StreamDetectors>], fires_early: bool) -> Result<Self, EngineError> {
        let shard = Shard::new(streams, fires_early).map_err(|error| EngineError::Detector(error.to_string()))?;
        let told_at = i64::MIN;
        Ok(Self { index, streams: streams.len(), shard, fires_early, waiting: BTreeMap::new(), next: 0, told_at })
    }

    /// Takes an input, in any order, and does all whose turn it is.
    pub fn take(&mut self, input: ShardInput) -> Vec<Outcome> {
        self.waiting.insert(input.sequence, input);
        let mut outcomes = Vec::new();
        while let Some(input) = self.waiting.remove(&self.next) {
            self.next += 1;
            outcomes.push(self.apply(input));
        }
        outcomes
    }

    fn apply(&mut self, input: ShardInput) -> Outcome {
        let mut found = Vec::new();
        for (stream, time) in input.times.iter().enumerate() {
            self.shard.earliest(stream, time.earliest);
        }
        for (batch, rows) in &input.rows {
            self.shard.feed(input.stream, batch, rows);
        }
        if self.fires_early && !input.rows.is_empty() {
            self.shard.fire_early(input.stream, input.now, &mut found);
        }
        for (stream, time) in input.times.iter().enumerate() {
            self.shard.advance(stream, time.watermark, &mut found);
        }
        let is_over = input.times.iter().any(|time| time.watermark == i64::MAX);
        let due = input.now.saturating_sub(self.told_at) >= STATISTICS_INTERVAL || is_over;
        let statistics = due.then(|| {
            self.told_at = input.now;
            (0..self.streams).map(|stream| self.shard.statistics(stream)).collect()
        });
        Outcome::Shard { sequence: input.sequence, found, shard: self.index, statistics }
    }
}
