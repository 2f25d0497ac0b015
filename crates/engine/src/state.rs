//! What one shard does: takes workers' rows in the order of intake, keeps state, finds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use watchfire_detect::operators::Manner;
use watchfire_detect::{Cost, Shard, Step, Told};
use watchfire_record::{Clock, DetectorInfo, Finding, Value};

use crate::caps::{Passed, Said};
use crate::job::{Outcome, ShardInput};
use crate::metrics::{DetectorMetrics, Metrics};
use crate::rules::{Preparation, RuleSet};

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
    manner: Manner,
    /// Whether counts are told each time.
    thorough: bool,
    /// By the operator's number: how many keys had been thrown out when it was last told.
    evicted: HashMap<u32, u64>,
    said: Said,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

impl StateShard {
    /// Shard number `index`, which starts with these rules.
    #[must_use]
    pub fn new(index: usize, rules: Arc<RuleSet>, preparation: &Preparation, metrics: Arc<Metrics>) -> Self {
        let Preparation { manner, thorough, ref clock, .. } = *preparation;
        let mut shard = Shard::new(index, rules.streams.len(), manner);
        shard.change(&rules.detectors(), rules.fresh(index));
        Self {
            index,
            shard,
            rules,
            waiting: BTreeMap::new(),
            next: 0,
            told_at: i64::MIN,
            manner,
            thorough,
            evicted: HashMap::new(),
            said: Said::default(),
            metrics,
            clock: Arc::clone(clock),
        }
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
            let ended = self.change(&alike[0].rules);
            let steps: Vec<Step<'_>> = alike.iter().map(step).collect();
            let mut found = self.shard.take(&steps);
            found[0].splice(0..0, ended);
            if alike.last().map(|input| input.sequence) == due.last().map(|input| input.sequence) {
                let said = self.tell_now_and_then(due.last());
                found.last_mut().into_iter().for_each(|found| found.extend(said.iter().cloned()));
            }
            let found = found.into_iter().zip(alike);
            outcomes.extend(found.map(|(found, input)| Outcome::Shard { sequence: input.sequence, found }));
        }
        outcomes
    }

    /// Goes on with other rules: operators of detectors that stay are not touched. Gives the ends of findings whose
    /// detectors were taken away before they were final.
    fn change(&mut self, rules: &Arc<RuleSet>) -> Vec<Finding> {
        if Arc::ptr_eq(&self.rules, rules) {
            return Vec::new();
        }
        let begun = self.clock.now();
        self.tell();
        let before = std::mem::replace(&mut self.rules, Arc::clone(rules));
        let detectors = rules.detectors();
        let mut gone = self.shard.change(&detectors, rules.fresh(self.index));
        let mut ended = std::mem::take(&mut gone.ended);
        rules.leave(gone);
        ended.extend(self.shard.live(&detectors, rules.by_stream()));
        let stays: HashSet<(*const DetectorMetrics, u32)> =
            counted(rules).map(|(detector, number)| (Arc::as_ptr(detector), number)).collect();
        for (detector, number) in counted(&before) {
            if !stays.contains(&(Arc::as_ptr(detector), number)) {
                detector.forget(self.index, number);
                self.evicted.remove(&number);
            }
        }
        rules.leave(before);
        self.metrics.stood(self.clock.now() - begun);
        ended
    }

    /// Tells what operators count, if it is time; what is to be said of limits.
    fn tell_now_and_then(&mut self, last: Option<&ShardInput>) -> Vec<Finding> {
        let Some(ShardInput { now, times, .. }) = last else { return Vec::new() };
        let is_over = times.iter().any(|time| time.watermark == i64::MAX);
        if !self.thorough && !is_over && now.saturating_sub(self.told_at) < STATISTICS_INTERVAL {
            return Vec::new();
        }
        self.told_at = *now;
        self.tell()
    }

    /// Says what the operators count and cost, and has those shed keys that take too much; what is to be said of that.
    fn tell(&mut self) -> Vec<Finding> {
        let rules = Arc::clone(&self.rules);
        let mut said = Vec::new();
        for (stream, of_stream) in rules.streams.iter().enumerate() {
            let told = self.shard.told(stream);
            let operators = of_stream.detectors.operators.iter().zip(&of_stream.detectors.numbers).enumerate();
            for ((operator, (members, number)), told) in operators.zip(told) {
                let Some(told) = told else { continue };
                let limit = self.passed(stream, operator, *number, &told);
                for member in members {
                    let detector = &of_stream.metrics[*member];
                    detector.tell(self.index, *number, told.statistics);
                    detector.add_cost(Cost { keeping: told.nanos / members.len() as u64, ..Cost::default() });
                    let info = &of_stream.detectors.detectors[*member].info;
                    said.extend(limit.and_then(|limit| self.say(detector, info, limit, &told)));
                }
            }
        }
        said
    }

    /// Which limit an operator has passed; of its bytes it is brought below it.
    fn passed(&mut self, stream: usize, operator: usize, number: u32, told: &Told) -> Option<usize> {
        let evicted = self.evicted.insert(number, told.statistics.evicted).unwrap_or(0);
        if self.shard.shed(stream, operator, told) {
            return Some(1);
        }
        (told.statistics.evicted > evicted).then_some(0)
    }

    fn say(&mut self, detector: &DetectorMetrics, info: &DetectorInfo, limit: usize, told: &Told) -> Option<Finding> {
        let now = self.clock.now();
        let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        let (took, most) = [
            (told.statistics.keys + told.statistics.evicted, self.manner.keys),
            (told.statistics.bytes, self.manner.bytes),
        ][limit];
        let passed = Passed {
            detector: &info.name,
            version: &info.version,
            limit,
            took: count(took),
            most: count(most as u64),
            outcome: "keys of least count were forgotten",
            now,
        };
        if self.said.is_due(&info.name, limit, now) {
            passed.note(detector);
            return Some(passed.finding());
        }
        passed.count(detector);
        None
    }
}

/// Who is counted with which operator: a detector's counts, and the operator's number.
fn counted(rules: &RuleSet) -> impl Iterator<Item = (&Arc<DetectorMetrics>, u32)> {
    rules.streams.iter().flat_map(|rules| {
        let operators = rules.detectors.operators.iter().zip(&rules.detectors.numbers);
        operators
            .flat_map(move |(members, number)| members.iter().map(move |member| (&rules.metrics[*member], *number)))
    })
}

fn step(input: &ShardInput) -> Step<'_> {
    Step { stream: input.stream, batch: input.batch.as_deref(), now: input.now, times: &input.times }
}
