//! What one shard does: takes workers' rows in the order of intake, keeps state, finds.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use watchfire_detect::{Shard, Step};
use watchfire_record::Clock;

use crate::job::{Outcome, ShardInput};
use crate::metrics::{DetectorMetrics, Metrics};
use crate::rules::RuleSet;

/// How often operators' counts are told, microseconds.
const STATISTICS_INTERVAL: i64 = 1_000_000;

/// One shard, and what came for it before its turn.
pub struct StateShard {
    index: usize,
    shard: Shard,
    rules: Arc<RuleSet>,
    waiting: BTreeMap<u64, ShardInput>,
    next: u64,
    told_at: i64,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

impl StateShard {
    /// Shard number `index`, which starts with these rules.
    #[must_use]
    pub fn new(
        index: usize,
        rules: Arc<RuleSet>,
        fires_early: bool,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut shard = Shard::new(index, rules.streams.len(), fires_early);
        shard.change(&rules.detectors(), rules.fresh(index));
        Self { index, shard, rules, waiting: BTreeMap::new(), next: 0, told_at: i64::MIN, metrics, clock }
    }

    /// Takes inputs, in any order, and does all whose turn it is.
    pub fn take(&mut self, inputs: impl IntoIterator<Item = ShardInput>) -> Vec<Outcome> {
        self.waiting.extend(inputs.into_iter().map(|input| (input.sequence, input)));
        let mut due = Vec::new();
        while let Some(input) = self.waiting.remove(&self.next) {
            self.next += 1;
            due.push(input);
        }
        let mut outcomes = Vec::with_capacity(due.len());
        for alike in due.chunk_by(|a, b| Arc::ptr_eq(&a.rules, &b.rules)) {
            self.change(&alike[0].rules);
            let steps: Vec<Step<'_>> = alike.iter().map(step).collect();
            let found = self.shard.take(&steps).into_iter().zip(alike);
            outcomes.extend(found.map(|(found, input)| Outcome::Shard { sequence: input.sequence, found }));
        }
        self.tell_now_and_then(due.last());
        outcomes
    }

    /// Goes on with other rules: operators of detectors that stay are not touched.
    fn change(&mut self, rules: &Arc<RuleSet>) {
        if Arc::ptr_eq(&self.rules, rules) {
            return;
        }
        let begun = self.clock.now();
        self.tell();
        let before = std::mem::replace(&mut self.rules, Arc::clone(rules));
        let detectors = rules.detectors();
        rules.leave(self.shard.change(&detectors, rules.fresh(self.index)));
        self.shard.live(&detectors, rules.by_stream());
        let stays: HashSet<(*const DetectorMetrics, u32)> =
            counted(rules).map(|(_, _, detector, number)| (Arc::as_ptr(detector), number)).collect();
        for (_, _, detector, number) in counted(&before) {
            if !stays.contains(&(Arc::as_ptr(detector), number)) {
                detector.forget(self.index, number);
            }
        }
        rules.leave(before);
        self.metrics.stood(self.clock.now() - begun);
    }

    fn tell_now_and_then(&mut self, last: Option<&ShardInput>) {
        let Some(ShardInput { now, times, .. }) = last else { return };
        let is_over = times.iter().any(|time| time.watermark == i64::MAX);
        if now.saturating_sub(self.told_at) >= STATISTICS_INTERVAL || is_over {
            self.told_at = *now;
            self.tell();
        }
    }

    /// Says what the operators count.
    fn tell(&self) {
        let statistics: Vec<_> = (0..self.rules.streams.len()).map(|stream| self.shard.statistics(stream)).collect();
        for (stream, operator, detector, number) in counted(&self.rules) {
            if let Some(statistics) = statistics[stream][operator] {
                detector.tell(self.index, number, statistics);
            }
        }
    }
}

/// Who is counted with which operator: the stream, the operator's place and number, and the detector's counts.
fn counted(rules: &RuleSet) -> impl Iterator<Item = (usize, usize, &Arc<DetectorMetrics>, u32)> {
    rules.streams.iter().enumerate().flat_map(|(stream, rules)| {
        let operators = rules.detectors.operators.iter().zip(&rules.detectors.numbers).enumerate();
        operators.flat_map(move |(operator, (members, number))| {
            members.iter().map(move |member| (stream, operator, &rules.metrics[*member], *number))
        })
    })
}

fn step(input: &ShardInput) -> Step<'_> {
    Step { stream: input.stream, batch: input.batch.as_deref(), now: input.now, times: &input.times }
}
