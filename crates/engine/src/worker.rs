//! What one worker does with a job: decode, stamp, match, and hand rows on to the shards.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use watchfire_decode::Decoder;
use watchfire_detect::{Identities, Judge, StreamDetectors, StreamTime, shard};
use watchfire_record::batch::flags;
use watchfire_record::{Batch, Finding, RawBatch, spare};

use crate::error::EngineError;
use crate::job::{self, Job, ShardInput, Work, WorkerOutcome};
use crate::metrics::{Metrics, StreamMetrics};
use crate::rules::{Preparation, RuleSet, StreamRules};
use crate::turn::Turn;
use crate::watermark::StreamClock;

/// What all workers share. Turns are had in the order of intake, so nothing depends on which worker is faster.
pub struct Shared {
    /// Each stream's time, and its detectors: a batch's rows are stamped in its turn.
    pub clocks: Turn<Vec<StreamTurn>>,
    /// Each stream's records that may still be copied.
    pub identities: Turn<Vec<Identities>>,
    /// How many shards there are; 0 if no detector keeps state, and none can come.
    pub shards: usize,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// What is known of a stream in the turn of a job.
pub struct StreamTurn {
    /// Its time.
    pub clock: StreamClock,
    /// The detectors that are live.
    pub rules: Arc<StreamRules>,
}

/// One worker.
pub struct Worker {
    index: usize,
    streams: Vec<(Arc<StreamRules>, StreamWorker)>,
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
        let judge = Judge::new(Arc::clone(detectors), preparation.hasher.clone());
        let judge = judge.map_err(|error| EngineError::Detector(error.to_string()))?;
        let decoder = Decoder::new(&detectors.stream, detectors.stream_index, detectors.decoded.clone());
        Ok(Self { decoder: decoder.allow_several(preparation.several_values), judge })
    }
}

impl Worker {
    /// Worker number `index`, which starts with these rules.
    #[must_use]
    pub fn new(index: usize, rules: &RuleSet, shared: Arc<Shared>) -> Self {
        let streams = rules.streams.iter().map(|stream| (Arc::clone(stream), stream.worker(index))).collect();
        Self { index, streams, shared }
    }

    /// Does a job. The inputs are one a shard, in order.
    pub fn process(&mut self, job: Job) -> (WorkerOutcome, Vec<ShardInput>) {
        let Job { sequence, now, work, rules } = job;
        for (mine, next) in self.streams.iter_mut().zip(&rules.streams) {
            if !Arc::ptr_eq(&mine.0, next) {
                *mine = (Arc::clone(next), next.worker(self.index));
            }
        }
        match work {
            Work::Batch(raw) => self.batch(sequence, now, raw, &rules),
            other => {
                let times = self.shared.clocks.take(sequence, |turns| {
                    move_time(turns, other, now, &rules);
                    times(turns)
                });
                self.shared.identities.take(sequence, |identities| forget(identities, &times));
                let outcome = WorkerOutcome { sequence, ..WorkerOutcome::default() };
                (outcome, self.inputs(sequence, now, 0, Vec::new(), times, &rules))
            }
        }
    }

    fn batch(
        &mut self,
        sequence: u64,
        now: i64,
        mut raw: RawBatch,
        all_rules: &Arc<RuleSet>,
    ) -> (WorkerOutcome, Vec<ShardInput>) {
        raw.sequence = sequence;
        let (stream, bytes, cost) = (raw.stream, raw.bytes.len(), job::cost(&raw));
        let (rules, StreamWorker { decoder, judge }) = &mut self.streams[stream];
        let mut batch = decoder.decode(raw);
        let counts = &self.shared.metrics.streams[stream];
        counts.consumed.fetch_add(batch.consumed(), Relaxed);
        counts.bytes.fetch_add(bytes as u64, Relaxed);
        let times = self.shared.clocks.take(sequence, |turns| {
            turns[stream].clock.stamp(&mut batch, now);
            times(turns)
        });
        let mut judgement = judge.select(&batch);
        Judge::within(&mut judgement, &batch, rules.lifetimes());
        let found =
            judge.matches(&batch, &judgement, &mut |batch, rows, columns| decoder.decode_rows(batch, rows, columns));
        let identified = judge.identities(&batch, &judgement);
        let needed = judge.needs_identities();
        self.shared.identities.take(sequence, |identities| {
            if needed {
                judge.without_copies(&batch, &mut judgement, identified, &mut identities[stream]);
            }
            forget(identities, &times);
        });
        let fed = judge.feed(&batch, &judgement);
        count(counts, &batch);
        for (detector, matched) in rules.metrics.iter().zip(Judge::matched(&judgement)) {
            detector.matched.fetch_add(matched, Relaxed);
        }
        let mut rows: Vec<Vec<_>> = (0..self.shared.shards).map(|_| Vec::new()).collect();
        for batch in fed {
            let batch = Arc::new(batch);
            for (shard, chosen) in shard::split(&batch, self.shared.shards).into_iter().enumerate() {
                if !chosen.is_empty() {
                    rows[shard].push((Arc::clone(&batch), chosen));
                }
            }
        }
        let outcome = outcome(sequence, rules, cost, batch, found);
        (outcome, self.inputs(sequence, now, stream, rows, times, all_rules))
    }

    fn inputs(
        &self,
        sequence: u64,
        now: i64,
        stream: usize,
        rows: Vec<Vec<(Arc<watchfire_detect::operators::OperatorBatch>, Vec<u32>)>>,
        times: Arc<[StreamTime]>,
        rules: &Arc<RuleSet>,
    ) -> Vec<ShardInput> {
        let mut rows = rows.into_iter();
        let input = |_| {
            let (rows, times, rules) = (rows.next().unwrap_or_default(), Arc::clone(&times), Arc::clone(rules));
            ShardInput { sequence, now, stream, rows, times, rules }
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

fn move_time(turns: &mut [StreamTurn], work: Work, now: i64, rules: &RuleSet) {
    let clocks = turns.iter_mut().map(|turn| &mut turn.clock);
    match work {
        Work::Assigned(assigned) => {
            for (assignment, first_time) in assigned {
                turns[assignment.stream].clock.assign(assignment.partition, now, first_time);
            }
        }
        Work::Removed(partitions) => {
            clocks.for_each(|clock| partitions.iter().for_each(|partition| clock.remove(partition, now)));
        }
        Work::CaughtUp(partition) => clocks.for_each(|clock| clock.caught_up(&partition, now)),
        Work::Resumed => clocks.for_each(|clock| clock.resume(now)),
        Work::Tick => clocks.for_each(|clock| clock.tick(now)),
        Work::Rules => turns.iter_mut().zip(&rules.streams).for_each(|(turn, next)| turn.go_over(next)),
        Work::Finish => clocks.for_each(StreamClock::finish),
        Work::Batch(_) => unreachable!("batches are stamped on their own way"),
    }
}

impl StreamTurn {
    fn go_over(&mut self, next: &Arc<StreamRules>) {
        if !Arc::ptr_eq(&self.rules, next) {
            next.begin(&self.rules, self.clock.beyond());
            self.rules = Arc::clone(next);
        }
    }
}

fn times(turns: &[StreamTurn]) -> Arc<[StreamTime]> {
    let time = |turn: &StreamTurn| StreamTime { watermark: turn.clock.watermark(), earliest: turn.clock.earliest() };
    turns.iter().map(time).collect()
}

fn forget(identities: &mut [Identities], times: &[StreamTime]) {
    identities.iter_mut().zip(times).for_each(|(identities, time)| identities.advance(time.watermark));
}
