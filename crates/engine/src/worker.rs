//! What one worker does with a job: decode, stamp, match, and hand rows on to the shards.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use watchfire_decode::Decoder;
use watchfire_detect::operators::StreamBatch;
use watchfire_detect::{Identities, Judge, StreamDetectors, StreamTime};
use watchfire_record::batch::flags;
use watchfire_record::time::Stopwatch;
use watchfire_record::{Batch, Clock, Finding, RawBatch, spare};

use crate::error::EngineError;
use crate::job::{self, Job, ShardInput, Work, WorkerOutcome};
use crate::metrics::{Metrics, StreamMetrics};
use crate::rules::{Preparation, RuleSet, StreamRules};
use crate::turn::Turn;
use crate::watermark::StreamClock;

/// How often it is told what detectors cost, microseconds.
const TELL: i64 = 1_000_000;

/// What all workers share. Turns are had in the order of intake, so nothing depends on which worker is faster.
pub struct Shared {
    /// Each stream's time, and the detectors: a batch's rows are stamped in its turn.
    pub clocks: Turn<Clocks>,
    /// Each stream's records that may still be copied.
    pub identities: Turn<Vec<Identities>>,
    /// How many shards there are; 0 if no detector keeps state, and none can come.
    pub shards: usize,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// Tells how long going over to other rules takes.
    pub clock: Arc<dyn Clock>,
    /// Whether it is told with each job what detectors cost.
    pub thorough: bool,
}

/// What is known in the turn of a job.
pub struct Clocks {
    /// Each stream's time.
    pub streams: Vec<StreamClock>,
    /// The detectors that are live.
    pub rules: Arc<RuleSet>,
}

/// One worker.
pub struct Worker {
    index: usize,
    rules: Arc<RuleSet>,
    streams: Vec<StreamWorker>,
    /// When it was last told what detectors cost, microseconds.
    told_at: i64,
    shared: Arc<Shared>,
}

/// What a worker has for one stream.
pub struct StreamWorker {
    decoder: Decoder,
    judge: Judge,
}

impl StreamWorker {
    /// For these detectors.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn new(detectors: &Arc<StreamDetectors>, preparation: &Preparation) -> Result<Self, EngineError> {
        let Preparation { hasher, shards, thorough, .. } = preparation;
        let judge = Judge::new(Arc::clone(detectors), hasher.clone(), *shards, *thorough);
        let judge = judge.map_err(|error| EngineError::Detector(error.to_string()))?;
        let decoder = Decoder::new(&detectors.stream, detectors.stream_index, detectors.decoded.clone());
        Ok(Self { decoder: decoder.allow_several(preparation.several_values), judge })
    }
}

impl Worker {
    /// Worker number `index`, which starts with these rules.
    #[must_use]
    pub fn new(index: usize, rules: Arc<RuleSet>, shared: Arc<Shared>) -> Self {
        let streams = rules.streams.iter().map(|stream| stream.worker(index)).collect();
        Self { index, rules, streams, told_at: i64::MIN, shared }
    }

    /// Goes on with other rules, for the streams whose detectors are others.
    fn go_over(&mut self, rules: &Arc<RuleSet>) {
        if Arc::ptr_eq(&self.rules, rules) {
            return;
        }
        let begun = self.shared.clock.now();
        self.tell_costs();
        let before = std::mem::replace(&mut self.rules, Arc::clone(rules));
        for ((mine, old), new) in self.streams.iter_mut().zip(&before.streams).zip(&rules.streams) {
            if !Arc::ptr_eq(old, new) {
                rules.leave(std::mem::replace(mine, new.worker(self.index)));
            }
        }
        rules.leave(before);
        self.shared.metrics.stood(self.shared.clock.now() - begun);
    }

    /// Does a job. The inputs are one a shard, in order.
    pub fn process(&mut self, job: Job) -> (WorkerOutcome, Vec<ShardInput>) {
        let Job { sequence, now, work, rules } = job;
        self.go_over(&rules);
        let done = self.work(sequence, now, work, &rules);
        if self.shared.thorough || now.saturating_sub(self.told_at) >= TELL {
            self.told_at = now;
            self.tell_costs();
        }
        done
    }

    /// Says what detectors cost since that was last said.
    fn tell_costs(&mut self) {
        for (worker, rules) in self.streams.iter_mut().zip(&self.rules.streams) {
            for (cost, detector) in worker.judge.costs().into_iter().zip(&rules.metrics) {
                detector.add_cost(cost);
            }
        }
    }

    fn work(&mut self, sequence: u64, now: i64, work: Work, rules: &Arc<RuleSet>) -> (WorkerOutcome, Vec<ShardInput>) {
        match work {
            Work::Batch(raw) => self.batch(sequence, now, raw),
            other => {
                let said = if matches!(other, Work::Rules) { rules.said.clone() } else { Vec::new() };
                let times = self.shared.clocks.take(sequence, |clocks| {
                    move_time(clocks, other, now, rules);
                    times(&clocks.streams)
                });
                self.shared.identities.take(sequence, |identities| forget(identities, &times));
                let outcome = WorkerOutcome { sequence, found: said, ..WorkerOutcome::default() };
                (outcome, self.inputs(sequence, now, 0, None, times))
            }
        }
    }

    fn batch(&mut self, sequence: u64, now: i64, mut raw: RawBatch) -> (WorkerOutcome, Vec<ShardInput>) {
        raw.sequence = sequence;
        let (stream, bytes, cost) = (raw.stream, raw.bytes.len(), job::cost(&raw));
        let StreamWorker { decoder, judge } = &mut self.streams[stream];
        let mut watch = Stopwatch::start();
        let mut batch = decoder.decode(raw);
        let decoding = watch.lap();
        let counts = &self.shared.metrics.streams[stream];
        counts.consumed.fetch_add(batch.consumed(), Relaxed);
        counts.bytes.fetch_add(bytes as u64, Relaxed);
        counts.decoding.fetch_add(decoding, Relaxed);
        let times = self.shared.clocks.take(sequence, |clocks| {
            clocks.streams[stream].stamp(&mut batch, now);
            times(&clocks.streams)
        });
        // In the turn it was settled when the job's rules are live.
        let lifetimes = &self.rules.by_stream()[stream];
        judge.look_up(&mut batch);
        let mut judgement = judge.select(&batch);
        let mut fetch = |batch: &Batch, rows: &[u32], columns: &[_]| decoder.decode_rows(batch, rows, columns);
        let found = judge.matches(&batch, &judgement, lifetimes, &mut fetch);
        let identified = judge.identities(&batch, &judgement);
        let needed = judge.needs_identities();
        self.shared.identities.take(sequence, |identities| {
            if needed {
                judge.without_copies(&batch, &mut judgement, &identified, &mut identities[stream]);
            }
            forget(identities, &times);
            // In a turn, so that what came last does not depend on which worker is faster.
            self.shared.metrics.liveness.look(stream, judge, &batch);
        });
        let fed = judge.feed(&batch, &judgement).map(Arc::new);
        count(counts, &batch);
        let rules = &self.rules.streams[stream];
        for (detector, matched) in rules.metrics.iter().zip(judge.matched(&batch, &judgement, lifetimes)) {
            detector.matched.fetch_add(matched, Relaxed);
        }
        (outcome(sequence, rules, cost, batch, found), self.inputs(sequence, now, stream, fed, times))
    }

    fn inputs(
        &self,
        sequence: u64,
        now: i64,
        stream: usize,
        batch: Option<Arc<StreamBatch>>,
        times: Arc<[StreamTime]>,
    ) -> Vec<ShardInput> {
        let input = |_| {
            let (batch, times, rules) = (batch.clone(), Arc::clone(&times), Arc::clone(&self.rules));
            ShardInput { sequence, now, stream, batch, times, rules }
        };
        let inputs = (0..self.shared.shards).map(input).collect();
        for (metrics, time) in self.shared.metrics.streams.iter().zip(times.iter()) {
            metrics.watermark.fetch_max(time.watermark, Relaxed);
        }
        inputs
    }
}

fn outcome(sequence: u64, rules: &StreamRules, bytes: usize, batch: Batch, found: Vec<Finding>) -> WorkerOutcome {
    spare::give(batch.text);
    WorkerOutcome {
        sequence,
        found,
        rejects: batch.rejects,
        blinded: Arc::clone(&rules.names),
        positions: batch.partitions.into_iter().zip(batch.next_offsets).collect(),
        bytes,
    }
}

fn count(counts: &StreamMetrics, batch: &Batch) {
    let flagged = |flag: u16| batch.rows.iter().filter(|row| row.flags & flag != 0).count() as u64;
    counts.processed.fetch_add(batch.rows.len() as u64, Relaxed);
    counts.late.fetch_add(flagged(flags::LATE), Relaxed);
    counts.future.fetch_add(flagged(flags::FUTURE), Relaxed);
    Metrics::add_reasons(&counts.skipped, &batch.skipped);
    for reject in &batch.rejects {
        Metrics::add_reasons(&counts.rejected, &[(reject.reason, 1)]);
    }
}

fn move_time(turn: &mut Clocks, work: Work, now: i64, rules: &Arc<RuleSet>) {
    let clocks = &mut turn.streams;
    match work {
        Work::Assigned(assigned) => {
            for (assignment, first_time) in assigned {
                clocks[assignment.stream].assign(assignment.partition, now, first_time);
            }
        }
        Work::Removed(partitions) => {
            partitions.iter().for_each(|partition| clocks.iter_mut().for_each(|clock| clock.remove(partition, now)));
        }
        Work::CaughtUp(partition) => clocks.iter_mut().for_each(|clock| clock.caught_up(&partition, now)),
        Work::Resumed => clocks.iter_mut().for_each(|clock| clock.resume(now)),
        Work::Tick => clocks.iter_mut().for_each(|clock| clock.tick(now)),
        Work::Rules => {
            let beyond: Vec<i64> = clocks.iter().map(StreamClock::beyond).collect();
            rules.begin(&turn.rules, &beyond);
            rules.leave(std::mem::replace(&mut turn.rules, Arc::clone(rules)));
        }
        Work::Finish => clocks.iter_mut().for_each(StreamClock::finish),
        Work::Batch(_) => unreachable!("batches are stamped on their own way"),
    }
}

fn times(clocks: &[StreamClock]) -> Arc<[StreamTime]> {
    clocks.iter().map(|clock| StreamTime { watermark: clock.watermark(), earliest: clock.earliest() }).collect()
}

fn forget(identities: &mut [Identities], times: &[StreamTime]) {
    identities.iter_mut().zip(times).for_each(|(identities, time)| identities.advance(time.watermark));
}
