//! What one shard does: takes workers' rows in the order of intake, keeps state, finds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use watchfire_detect::operators::{Manner, OperatorStatistics};
use watchfire_detect::{Cost, Shard, Step, Told};
use watchfire_record::limits::BATCH_PAYLOADS;
use watchfire_record::{Clock, DetectorInfo, Finding, Value};

use crate::caps::{Passed, level};
use crate::job::{Outcome, ShardInput};
use crate::metrics::{DetectorMetrics, Metrics};
use crate::rules::{Preparation, RuleSet};

/// How often operators' counts are told, microseconds.
const STATISTICS_INTERVAL: i64 = 1_000_000;

/// Keys that may come before operators' counts are told again, if all together may take so many bytes only.
const KEYS_UNTOLD: usize = 20_000;

/// Bytes of state that a row brings to an operator, about: most are of keys that are there.
const BYTES_A_ROW: usize = 32;

/// A limit that was passed by its place among all, what was taken, and what may be.
type Limit = (usize, u64, u64);

/// One shard, and what came for it before its turn.
pub struct StateShard {
    index: usize,
    /// How many shards there are.
    shards: usize,
    shard: Shard,
    rules: Arc<RuleSet>,
    waiting: BTreeMap<u64, ShardInput>,
    next: u64,
    told_at: i64,
    /// How many keys there were then.
    keys_told: usize,
    /// Bytes of records that were told last.
    record_bytes: u64,
    manner: Manner,
    /// Whether counts are told each time.
    thorough: bool,
    /// By the operator's number: how many keys had been thrown out when it was last told.
    evicted: HashMap<u32, u64>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

impl StateShard {
    /// Shard number `index`, which starts with these rules.
    #[must_use]
    pub fn new(index: usize, rules: Arc<RuleSet>, preparation: &Preparation, metrics: Arc<Metrics>) -> Self {
        let Preparation { manner, thorough, shards, ref clock, .. } = *preparation;
        let mut shard = Shard::new(index, rules.streams.len(), manner);
        shard.change(&rules.detectors(), rules.fresh(index));
        Self {
            index,
            shards,
            shard,
            rules,
            waiting: BTreeMap::new(),
            next: 0,
            told_at: i64::MIN,
            keys_told: 0,
            record_bytes: 0,
            manner,
            thorough,
            evicted: HashMap::new(),
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
            let mut ended = self.change(&alike[0].rules);
            for inputs in alike.chunks(self.at_once()) {
                let steps: Vec<Step<'_>> = inputs.iter().flat_map(steps).collect();
                let mut of_steps = self.shard.take(&steps).into_iter();
                let of_input = |input: &ShardInput| of_steps.by_ref().take(steps_of(input)).flatten().collect();
                let mut found: Vec<Vec<Finding>> = inputs.iter().map(of_input).collect();
                found[0].splice(0..0, std::mem::take(&mut ended));
                let said = self.tell_now_and_then(inputs.last());
                found[inputs.len() - 1].extend(said);
                let found = found.into_iter().zip(inputs);
                outcomes.extend(found.map(|(found, input)| Outcome::Shard { sequence: input.sequence, found }));
            }
        }
        outcomes
    }

    /// How many inputs may be taken before it is looked at what is kept: what they bring is to have room.
    fn at_once(&self) -> usize {
        let operators: usize = self.rules.streams.iter().map(|stream| stream.detectors.operators.len()).sum();
        let one = BATCH_PAYLOADS * operators.max(1) * BYTES_A_ROW;
        (self.manner.all_bytes.min(self.manner.bytes.saturating_mul(operators.max(1))) / one).max(1)
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
        let waits = now.saturating_sub(self.told_at) < STATISTICS_INTERVAL && !self.has_grown();
        if !self.thorough && !is_over && waits {
            return Vec::new();
        }
        self.told_at = *now;
        self.tell()
    }

    /// Whether there are so many more keys that they may take more than all may, before they are told again.
    fn has_grown(&self) -> bool {
        self.manner.all_bytes < usize::MAX && self.shard.keys() > self.keys_told + self.keys_told / 16 + KEYS_UNTOLD
    }

    /// Says what the operators count and cost, and has those shed keys that take too much; what is to be said of that.
    fn tell(&mut self) -> Vec<Finding> {
        let rules = Arc::clone(&self.rules);
        let mut said = Vec::new();
        let told: Vec<_> = (0..rules.streams.len()).map(|stream| self.shard.told(stream)).collect();
        let sizes = told.iter().flatten().flatten().map(|told| told.statistics.bytes).collect();
        let most = level(sizes, self.left_for_operators()).unwrap_or(u64::MAX);
        for ((stream, of_stream), told) in rules.streams.iter().enumerate().zip(told) {
            let operators = of_stream.detectors.operators.iter().zip(&of_stream.detectors.numbers).enumerate();
            for ((operator, (members, number)), told) in operators.zip(told) {
                let Some(told) = told else { continue };
                let passed = self.passed(stream, operator, *number, &told, most);
                for member in members {
                    let detector = &of_stream.metrics[*member];
                    detector.tell(self.index, *number, told.statistics);
                    detector.add_cost(Cost { keeping: told.nanos / members.len() as u64, ..Cost::default() });
                    let info = &of_stream.detectors.detectors[*member].info;
                    said.extend(passed.and_then(|passed| self.say(detector, info, passed)));
                }
            }
        }
        self.keys_told = self.shard.keys();
        said
    }

    /// How many bytes the operators may take together: what records and their identities leave them, but not less than a
    /// quarter: what operators let go, they let go with it.
    fn left_for_operators(&mut self) -> u64 {
        let records = self.shard.record_bytes() as u64;
        let change = records.cast_signed() - self.record_bytes.cast_signed();
        self.metrics.record_bytes.fetch_add(change, Relaxed);
        self.record_bytes = records;
        let identities = self.metrics.identity_bytes.load(Relaxed) / self.shards as u64;
        let all = self.manner.all_bytes as u64;
        all.saturating_sub(records + identities).max(all / 4)
    }

    /// Which limit an operator has passed, what it took, and what it may take; of its bytes, of which all leave it so
    /// many, it is brought below.
    fn passed(&mut self, stream: usize, operator: usize, number: u32, told: &Told, left: u64) -> Option<Limit> {
        let OperatorStatistics { keys, bytes, evicted, .. } = told.statistics;
        let evicted_before = self.evicted.insert(number, evicted).unwrap_or(0);
        let own = self.manner.bytes as u64;
        let most = own.min(left);
        if let Some(evicted) = self.shard.shed(stream, operator, told, most) {
            self.evicted.insert(number, evicted);
            return Some((if own <= left { 1 } else { 3 }, bytes, most));
        }
        (evicted > evicted_before).then_some((0, keys + evicted, self.manner.keys as u64))
    }

    fn say(&mut self, detector: &DetectorMetrics, info: &DetectorInfo, (limit, took, most): Limit) -> Option<Finding> {
        let now = self.clock.now();
        let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        let passed = Passed {
            detector: &info.name,
            version: &info.version,
            limit,
            took: count(took),
            most: count(most),
            outcome: "keys of least count were forgotten",
            now,
        };
        if self.metrics.limits_said.lock().unwrap_or_else(PoisonError::into_inner).is_due(&info.name, limit, now) {
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

/// How many steps a shard makes of an input.
fn steps_of(input: &ShardInput) -> usize {
    input.fed.len().max(1)
}

/// One step for each stream's rows: only after the last of them is it the time after the job.
fn steps(input: &ShardInput) -> impl Iterator<Item = Step<'_>> {
    let last = steps_of(input) - 1;
    (0..=last).map(move |place| {
        let fed = input.fed.get(place);
        let times = if place == last { &input.times } else { &input.meanwhile };
        Step { stream: fed.map_or(0, |fed| fed.stream), batch: fed.map(|fed| &*fed.batch), now: input.now, times }
    })
}
