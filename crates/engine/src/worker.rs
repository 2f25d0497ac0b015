//! What one worker does with a job: decode, stamp, match, and hand rows on to the shards.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use watchfire_decode::Decoder;
use watchfire_detect::identities::SecretHasher;
use watchfire_detect::operators::StreamBatch;
use watchfire_detect::{Identities, Judge, StreamDetectors, StreamTime};
use watchfire_record::batch::flags;
use watchfire_record::{Batch, Finding, RawBatch, spare};

use crate::error::EngineError;
use crate::job::{self, Job, ShardInput, Work, WorkerOutcome};
use crate::metrics::Metrics;
use crate::turn::Turn;
use crate::watermark::StreamClock;

/// What all workers share. Turns are had in the order of intake, so nothing depends on which worker is faster.
pub struct Shared {
    /// Each stream's time: a batch's rows are stamped in its turn.
    pub clocks: Turn<Vec<StreamClock>>,
    /// Each stream's records that may still be copied.
    pub identities: Turn<Vec<Identities>>,
    /// How many shards there are; 0 if no detector keeps state.
    pub shards: usize,
    /// Whether the source's payloads may hold several values: files do, Kafka messages do not.
    pub several_values: bool,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// One worker.
pub struct Worker {
    streams: Vec<StreamWorker>,
    shared: Arc<Shared>,
}

struct StreamWorker {
    decoder: Decoder,
    judge: Judge,
}

impl Worker {
    /// A worker for these detectors, one entry a stream of the engine's list.
    ///
    /// # Errors
    /// If a detector does not fit its stream, which planning rules out.
    pub fn new(
        streams: &[Arc<StreamDetectors>],
        hasher: &SecretHasher,
        shared: Arc<Shared>,
    ) -> Result<Self, EngineError> {
        let stream = |detectors: &Arc<StreamDetectors>| -> Result<StreamWorker, EngineError> {
            let judge = Judge::new(Arc::clone(detectors), hasher.clone(), shared.shards);
            let judge = judge.map_err(|error| EngineError::Detector(error.to_string()))?;
            let decoder = Decoder::new(&detectors.stream, detectors.stream_index, detectors.decoded.clone());
            Ok(StreamWorker { decoder: decoder.allow_several(shared.several_values), judge })
        };
        Ok(Self { streams: streams.iter().map(stream).collect::<Result<_, _>>()?, shared })
    }

    /// Does a job. The inputs are one a shard, in order.
    pub fn process(&mut self, job: Job) -> (WorkerOutcome, Vec<ShardInput>) {
        let Job { sequence, now, work } = job;
        match work {
            Work::Batch(raw) => self.batch(sequence, now, raw),
            other => {
                let times = self.shared.clocks.take(sequence, |clocks| {
                    move_time(clocks, other, now);
                    times(clocks)
                });
                self.shared.identities.take(sequence, |identities| forget(identities, &times));
                let outcome = WorkerOutcome { sequence, ..WorkerOutcome::default() };
                (outcome, self.inputs(sequence, now, 0, None, times))
            }
        }
    }

    fn batch(&mut self, sequence: u64, now: i64, mut raw: RawBatch) -> (WorkerOutcome, Vec<ShardInput>) {
        raw.sequence = sequence;
        let (stream, bytes, cost) = (raw.stream, raw.bytes.len(), job::cost(&raw));
        let StreamWorker { decoder, judge } = &mut self.streams[stream];
        let mut batch = decoder.decode(raw);
        let counts = &self.shared.metrics.streams[stream];
        counts.consumed.fetch_add(batch.consumed(), Relaxed);
        counts.bytes.fetch_add(bytes as u64, Relaxed);
        let times = self.shared.clocks.take(sequence, |clocks| {
            clocks[stream].stamp(&mut batch, now);
            times(clocks)
        });
        judge.look_up(&mut batch);
        let mut judgement = judge.select(&batch);
        let found =
            judge.matches(&batch, &judgement, &mut |batch, rows, columns| decoder.decode_rows(batch, rows, columns));
        let identified = judge.identities(&batch, &judgement);
        let needed = judge.needs_identities();
        self.shared.identities.take(sequence, |identities| {
            if needed {
                judge.without_copies(&batch, &mut judgement, &identified, &mut identities[stream]);
            }
            forget(identities, &times);
        });
        let fed = judge.feed(&batch, &judgement).map(Arc::new);
        count(&self.shared.metrics, stream, &batch, &judge.matched(&judgement));
        (outcome(sequence, stream, cost, batch, found), self.inputs(sequence, now, stream, fed, times))
    }

    fn inputs(
        &self,
        sequence: u64,
        now: i64,
        stream: usize,
        batch: Option<Arc<StreamBatch>>,
        times: Arc<[StreamTime]>,
    ) -> Vec<ShardInput> {
        let input = |_| ShardInput { sequence, now, stream, batch: batch.clone(), times: Arc::clone(&times) };
        let inputs = (0..self.shared.shards).map(input).collect();
        for (metrics, time) in self.shared.metrics.streams.iter().zip(times.iter()) {
            metrics.watermark.fetch_max(time.watermark, Relaxed);
        }
        inputs
    }
}

fn outcome(sequence: u64, stream: usize, bytes: usize, batch: Batch, found: Vec<Finding>) -> WorkerOutcome {
    spare::give(batch.text);
    WorkerOutcome {
        sequence,
        found,
        rejects: batch.rejects,
        stream: Some(stream),
        positions: batch.partitions.into_iter().zip(batch.next_offsets).collect(),
        bytes,
    }
}

fn count(metrics: &Metrics, stream: usize, batch: &Batch, matched: &[u64]) {
    let counts = &metrics.streams[stream];
    let flagged = |flag: u16| batch.rows.iter().filter(|row| row.flags & flag != 0).count() as u64;
    counts.processed.fetch_add(batch.rows.len() as u64, Relaxed);
    counts.late.fetch_add(flagged(flags::LATE), Relaxed);
    counts.future.fetch_add(flagged(flags::FUTURE), Relaxed);
    Metrics::add_reasons(&counts.skipped, &batch.skipped);
    for reject in &batch.rejects {
        Metrics::add_reasons(&counts.rejected, &[(reject.reason, 1)]);
    }
    for (detector, matched) in metrics.detectors[stream].iter().zip(matched) {
        detector.matched.fetch_add(*matched, Relaxed);
    }
}

fn move_time(clocks: &mut [StreamClock], work: Work, now: i64) {
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
