//! What one shard does: takes workers' rows in the order of intake, keeps state, finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire_detect::Shard;

use crate::error::EngineError;
use crate::job::{Outcome, ShardInput};
use crate::rules::RuleSet;

/// How often operators' counts are told, microseconds.
const STATISTICS_INTERVAL: i64 = 1_000_000;

/// One shard, and what came for it before its turn.
pub struct StateShard {
    index: usize,
    shard: Shard,
    rules: Arc<RuleSet>,
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
    pub fn new(index: usize, rules: Arc<RuleSet>, fires_early: bool) -> Result<Self, EngineError> {
        let streams: Vec<_> = rules.streams.iter().map(|stream| Arc::clone(&stream.detectors)).collect();
        let shard = Shard::new(&streams, fires_early).map_err(|error| EngineError::Detector(error.to_string()))?;
        Ok(Self { index, shard, rules, fires_early, waiting: BTreeMap::new(), next: 0, told_at: i64::MIN })
    }

    /// Takes an input, in any order, and does all whose turn it is.
    pub fn take(&mut self, input: ShardInput) -> Vec<Outcome> {
        self.waiting.insert(input.sequence, input);
        let mut outcomes = Vec::new();
        while let Some(input) = self.waiting.remove(&self.next) {
            self.next += 1;
            outcomes.push(self.apply(&input));
        }
        outcomes
    }

    fn apply(&mut self, input: &ShardInput) -> Outcome {
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
        // A job that changes the rules has no rows: what its time makes final is final by those before.
        self.change(&input.rules);
        let is_over = input.times.iter().any(|time| time.watermark == i64::MAX);
        if input.now.saturating_sub(self.told_at) >= STATISTICS_INTERVAL || is_over {
            self.told_at = input.now;
            self.tell();
        }
        Outcome::Shard { sequence: input.sequence, found }
    }

    /// Goes on with other rules: operators of detectors that stay are not touched.
    fn change(&mut self, rules: &Arc<RuleSet>) {
        if Arc::ptr_eq(&self.rules, rules) {
            return;
        }
        self.tell();
        let before = std::mem::replace(&mut self.rules, Arc::clone(rules));
        for (stream, (old, new)) in before.streams.iter().zip(&rules.streams).enumerate() {
            if Arc::ptr_eq(old, new) {
                continue;
            }
            for slot in self.shard.change(stream, &new.detectors, new.fresh_operators(self.index)) {
                if let Some(place) = old.detectors.place(slot) {
                    old.metrics[place].forget(self.index, slot);
                }
            }
            self.shard.live(stream, new.lifetimes());
        }
    }

    /// Says what the operators count.
    fn tell(&self) {
        for (stream, rules) in self.rules.streams.iter().enumerate() {
            let told = rules.metrics.iter().zip(&rules.detectors.slots).zip(self.shard.statistics(stream));
            for ((metrics, slot), statistics) in told {
                metrics.tell(self.index, *slot, statistics);
            }
        }
    }
}
