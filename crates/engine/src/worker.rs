//! What one worker does with a job: decode, stamp, match, and hand rows on to the shards.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use watchfire_decode::Decoder;
use watchfire_detect::judge::Identified;
use watchfire_detect::{Judge, Judgement, StreamDetectors, StreamTime};
use watchfire_record::batch::flags;
use watchfire_record::time::Stopwatch;
use watchfire_record::{Batch, Clock, Finding, RawBatch, spare};

use crate::activity::Activity;
use crate::activity::rows::Closed;
use crate::activity::sources::Numbering;
use crate::copies::Copies;
use crate::error::EngineError;
use crate::job::{self, Fed, Job, ShardInput, Work, WorkerOutcome};
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
    pub copies: Turn<Copies>,
    /// Index of the stream `activity`.
    pub activity: usize,
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
    /// What declared sources do.
    pub activity: Activity,
    /// The detectors that are live.
    pub rules: Arc<RuleSet>,
}

/// What a job has made of the streams' times.
pub struct Moved {
    /// Each stream's time after the job.
    times: Arc<[StreamTime]>,
    /// The same, as long as rows of `activity` are still to come.
    meanwhile: Arc<[StreamTime]>,
    /// Minutes whose rows these are.
    closed: Vec<Closed>,
}

impl Clocks {
    /// Has a job's turn, in which `act` moves the streams' times; then minutes may be over.
    fn turn(&mut self, now: i64, act: impl FnOnce(&mut Self)) -> Moved {
        let before = self.activity.time(&self.streams);
        act(self);
        let closed = self.activity.close(&mut self.streams, before, now);
        let times = times(&self.streams);
        let mut meanwhile = Arc::clone(&times);
        if !closed.is_empty() {
            let mut until: Vec<StreamTime> = times.to_vec();
            until[self.activity.index()].watermark = before;
            meanwhile = until.into();
        }
        Moved { times, meanwhile, closed }
    }
}

/// A batch on its way through a worker.
struct Judged {
    batch: Batch,
    judgement: Judgement,
    identified: Identified,
    found: Vec<Finding>,
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
    numbering: Numbering,
    judge: Judge,
}

impl StreamWorker {
    /// For these detectors, one for each worker.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn of_all(detectors: &Arc<StreamDetectors>, preparation: &Preparation) -> Result<Vec<Self>, EngineError> {
        let Preparation { workers, hasher, shards, thorough, .. } = preparation;
        let judges = Judge::several(*workers, detectors, hasher, *shards, *thorough);
        let judges = judges.map_err(|error| EngineError::Detector(error.to_string()))?;
        let one = |judge| {
            let decoder = Decoder::new(&detectors.stream, detectors.stream_index, detectors.decoded.clone());
            let decoder = decoder.allow_several(preparation.several_values);
            Self { decoder, numbering: Numbering::new(detectors), judge }
        };
        Ok(judges.into_iter().map(one).collect())
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
                let moved =
                    self.shared.clocks.take(sequence, |clocks| clocks.turn(now, |c| move_time(c, other, now, rules)));
                let mut outcome = WorkerOutcome { sequence, found: said, ..WorkerOutcome::default() };
                let judged = self.made(&moved.closed);
                let inputs = self.finish(judged, &moved, &mut outcome, now);
                (outcome, inputs)
            }
        }
    }

    fn batch(&mut self, sequence: u64, now: i64, mut raw: RawBatch) -> (WorkerOutcome, Vec<ShardInput>) {
        raw.sequence = sequence;
        let (stream, cost) = (raw.stream, job::cost(&raw));
        let mut batch = self.decode(raw);
        let named = self.streams[stream].numbering.of(&batch);
        let moved = self.shared.clocks.take(sequence, |clocks| {
            clocks.turn(now, |clocks| {
                clocks.streams[stream].stamp(&mut batch, now);
                clocks.activity.count(&batch, &named);
            })
        });
        let mut outcome = outcome(sequence, &self.rules.streams[stream], cost, &batch);
        let mut judged = vec![self.judge(batch)];
        judged.extend(self.made(&moved.closed));
        let inputs = self.finish(judged, &moved, &mut outcome, now);
        (outcome, inputs)
    }

    fn decode(&mut self, raw: RawBatch) -> Batch {
        let (stream, bytes) = (raw.stream, raw.bytes.len());
        let mut watch = Stopwatch::start();
        let batch = self.streams[stream].decoder.decode(raw);
        let decoding = watch.lap();
        let counts = &self.shared.metrics.streams[stream];
        counts.consumed.fetch_add(batch.consumed(), Relaxed);
        counts.bytes.fetch_add(bytes as u64, Relaxed);
        counts.decoding.fetch_add(decoding, Relaxed);
        batch
    }

    /// Rows of `activity` for minutes that are over, judged as records are.
    fn made(&mut self, closed: &[Closed]) -> Vec<Judged> {
        let mut judged = Vec::new();
        for closed in closed {
            self.shared.metrics.activity_left_out.fetch_add(closed.left_out, Relaxed);
            for raw in closed.batches() {
                let mut batch = self.decode(RawBatch { stream: self.shared.activity, ..raw });
                closed.stamp(&mut batch);
                judged.push(self.judge(batch));
            }
        }
        judged
    }

    /// Judges a stamped batch.
    fn judge(&mut self, mut batch: Batch) -> Judged {
        let StreamWorker { decoder, judge, .. } = &mut self.streams[batch.stream];
        // In the turn it was settled when the job's rules are live.
        let lifetimes = &self.rules.by_stream()[batch.stream];
        judge.look_up(&mut batch);
        let judgement = judge.select(&batch);
        let mut fetch = |batch: &Batch, rows: &[u32], columns: &[_]| decoder.decode_rows(batch, rows, columns);
        let found = judge.matches(&batch, &judgement, lifetimes, &mut fetch);
        let identified = judge.identities(&batch, &judgement);
        Judged { batch, judgement, identified, found }
    }

    /// Takes copies out of what was judged, hands what is left to the shards, and counts.
    fn finish(
        &mut self,
        mut judged: Vec<Judged>,
        moved: &Moved,
        outcome: &mut WorkerOutcome,
        now: i64,
    ) -> Vec<ShardInput> {
        self.shared.copies.take(outcome.sequence, |copies| {
            for Judged { batch, judgement, identified, .. } in &mut judged {
                let judge = &mut self.streams[batch.stream].judge;
                if judge.needs_identities() {
                    judge.without_copies(batch, judgement, identified, &mut copies.streams[batch.stream]);
                }
            }
            for alike in judged.chunk_by(|a, b| a.batch.stream == b.batch.stream) {
                // In a turn, so that what came last does not depend on which worker is faster.
                let last = &alike[alike.len() - 1].batch;
                self.shared.metrics.liveness.look(last.stream, &mut self.streams[last.stream].judge, last);
            }
            copies.advance(&moved.times, now);
        });
        let mut fed = Vec::new();
        for Judged { mut batch, judgement, found, .. } in judged {
            let stream = batch.stream;
            let judge = &mut self.streams[stream].judge;
            let of_batch = judge.feed(&batch, &judgement).map(|batch| Fed { stream, batch: Arc::new(batch) });
            fed.extend(of_batch);
            count(&self.shared.metrics.streams[stream], &batch);
            let (rules, lifetimes) = (&self.rules.streams[stream], &self.rules.by_stream()[stream]);
            for (detector, matched) in rules.metrics.iter().zip(judge.matched(&batch, &judgement, lifetimes)) {
                detector.matched.fetch_add(matched, Relaxed);
            }
            outcome.found.extend(found);
            outcome.rejects.append(&mut batch.rejects);
            spare::give(batch.text);
        }
        self.inputs(outcome.sequence, now, fed.into(), moved)
    }

    fn inputs(&self, sequence: u64, now: i64, fed: Arc<[Fed]>, moved: &Moved) -> Vec<ShardInput> {
        let input = |_| ShardInput {
            sequence,
            now,
            fed: Arc::clone(&fed),
            meanwhile: Arc::clone(&moved.meanwhile),
            times: Arc::clone(&moved.times),
            rules: Arc::clone(&self.rules),
        };
        let inputs = (0..self.shared.shards).map(input).collect();
        for (metrics, time) in self.shared.metrics.streams.iter().zip(moved.times.iter()) {
            metrics.watermark.fetch_max(time.watermark, Relaxed);
        }
        inputs
    }
}

fn outcome(sequence: u64, rules: &StreamRules, bytes: usize, batch: &Batch) -> WorkerOutcome {
    WorkerOutcome {
        sequence,
        blinded: Arc::clone(&rules.names),
        positions: batch.partitions.iter().cloned().zip(batch.next_offsets.iter().copied()).collect(),
        bytes,
        ..WorkerOutcome::default()
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
    turn.activity.note(&work, &turn.streams, now);
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
        Work::Ended(partition) => clocks.iter_mut().for_each(|clock| clock.remove(&partition, now)),
        Work::CaughtUp(partition) => clocks.iter_mut().for_each(|clock| clock.caught_up(&partition, now)),
        Work::Resumed => clocks.iter_mut().for_each(|clock| clock.resume(now)),
        Work::Tick => clocks.iter_mut().for_each(|clock| clock.tick(now)),
        Work::Rules => {
            let beyond: Vec<i64> = clocks.iter().map(StreamClock::beyond).collect();
            let watermark = clocks.iter().map(StreamClock::watermark).min().unwrap_or(i64::MIN);
            rules.begin(&turn.rules, &beyond, watermark);
            rules.leave(std::mem::replace(&mut turn.rules, Arc::clone(rules)));
        }
        Work::Finish => clocks.iter_mut().for_each(StreamClock::finish),
        // Of these only what is watched is another.
        Work::Away { .. } | Work::Whole(_) => {}
        Work::Batch(_) => unreachable!("batches are stamped on their own way"),
    }
}

fn times(clocks: &[StreamClock]) -> Arc<[StreamTime]> {
    clocks.iter().map(|clock| StreamTime { watermark: clock.watermark(), earliest: clock.earliest() }).collect()
}
