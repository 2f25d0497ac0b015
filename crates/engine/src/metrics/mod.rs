//! Everything that is counted, in one place: the admin listener, the status line and the summary all ask here.

mod detectors;
pub(crate) mod prometheus;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hdrhistogram::Histogram;
use watchfire_record::{Finding, State, Stream};

use crate::caps::Said;
use crate::liveness::Liveness;
use detectors::Detectors;
pub use detectors::{DetectorMetrics, LiveVersion};

/// Counts of one stream.
#[derive(Debug, Default)]
pub struct StreamMetrics {
    /// The stream's name.
    pub name: String,
    /// Records that came in: a payload with none counts as one.
    pub consumed: AtomicU64,
    /// Records that all detectors have judged.
    pub processed: AtomicU64,
    /// Records that could not be, by reason.
    pub rejected: Mutex<BTreeMap<&'static str, u64>>,
    /// What there was nothing to judge in, by reason.
    pub skipped: Mutex<BTreeMap<&'static str, u64>>,
    /// Processed records whose time lies before their partition's watermark.
    pub late: AtomicU64,
    /// Processed records from the future.
    pub future: AtomicU64,
    /// Bytes of payloads.
    pub bytes: AtomicU64,
    /// What decoding cost, nanoseconds.
    pub decoding: AtomicU64,
    /// Microseconds since the epoch; `i64::MIN` before the first record.
    pub watermark: AtomicI64,
}

/// Counts of changes of the rules.
#[derive(Debug, Default)]
pub struct RuleMetrics {
    /// Changes that are live.
    pub reloads: AtomicU64,
    /// Times at which the rules were not changed, because something in them was wrong.
    pub failures: AtomicU64,
    /// Detectors' versions that have ended, and have yet to finish what they owe.
    pub ending: AtomicU64,
    /// The number of the rule set that is live: 1 at the start, one more with each change.
    pub version: AtomicU64,
    /// Whether the last attempt to change them failed.
    pub last_failed: AtomicBool,
    /// When the last attempt was made, microseconds since the epoch; 0 before the first.
    pub last_at: AtomicI64,
    /// How long the last change took, from reading the files to being live, microseconds.
    pub last_took: AtomicU64,
    /// How long a worker or a shard stood while it went over to the last change, microseconds: the longest.
    pub stood: AtomicU64,
}

/// All counts of a run.
#[derive(Debug)]
pub struct Metrics {
    /// By the engine's list of streams.
    pub streams: Vec<StreamMetrics>,
    /// Changes of the rules.
    pub rules: RuleMetrics,
    /// Bytes in flight between intake and delivery.
    pub in_flight: AtomicU64,
    /// Records there and not yet taken in, over all partitions.
    pub lag: AtomicI64,
    /// Partitions at hand.
    pub partitions: AtomicU64,
    /// Findings that their sinks have acknowledged, each counted once, whatever further lines it has.
    pub delivered: AtomicU64,
    /// Findings told again that had been told: copies of a record.
    pub repeated: AtomicU64,
    /// Findings that a sink which is not required had no room for.
    pub undelivered: AtomicU64,
    /// Minutes for which `activity` has no rows: after too many of a stream without a record.
    pub activity_left_out: AtomicU64,
    /// Bytes that the records take by which copies are known.
    pub identity_bytes: AtomicU64,
    /// Of these records those that were forgotten early, since there were too many.
    pub identities_forgotten: AtomicU64,
    /// Which limits were said to be passed lately: each shard that sees one passed asks whether another has said it.
    pub(crate) limits_said: Mutex<Said>,
    /// Bytes of the records that state rests on.
    pub record_bytes: AtomicI64,
    /// Since when detectors could not fire.
    pub liveness: Liveness,
    detectors: RwLock<Detectors>,
    latency: Mutex<Histogram<u64>>,
}

/// Records of one stream, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Came in.
    pub consumed: u64,
    /// Were judged.
    pub processed: u64,
    /// Could not be.
    pub rejected: u64,
    /// Had nothing to judge.
    pub skipped: u64,
    /// Of the processed: came too late to count for detectors with state.
    pub late: u64,
    /// Of the processed: came from the future.
    pub future: u64,
    /// Bytes of payloads.
    pub bytes: u64,
}

impl Counts {
    /// Whether every record that came in is accounted for. True once nothing is in flight.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.consumed == self.processed + self.rejected + self.skipped
    }
}

impl Metrics {
    /// All zero, for these streams. Detectors are counted from when they are first asked for.
    #[must_use]
    pub fn new(streams: &[Stream]) -> Self {
        let stream = |stream: &Stream| StreamMetrics {
            name: stream.name.clone(),
            watermark: AtomicI64::new(i64::MIN),
            ..StreamMetrics::default()
        };
        Self {
            streams: streams.iter().map(stream).collect(),
            rules: RuleMetrics { version: AtomicU64::new(1), ..RuleMetrics::default() },
            in_flight: AtomicU64::new(0),
            lag: AtomicI64::new(0),
            partitions: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            undelivered: AtomicU64::new(0),
            activity_left_out: AtomicU64::new(0),
            identity_bytes: AtomicU64::new(0),
            identities_forgotten: AtomicU64::new(0),
            limits_said: Mutex::default(),
            record_bytes: AtomicI64::new(0),
            liveness: Liveness::new(streams),
            detectors: RwLock::default(),
            latency: Mutex::new(Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are in order")),
        }
    }

    /// How many detectors there are; one of two streams counts once.
    #[must_use]
    pub fn detector_count(&self) -> usize {
        self.detectors.read().unwrap_or_else(PoisonError::into_inner).names()
    }

    /// Counts of one stream.
    #[must_use]
    pub fn counts(&self, stream: usize) -> Counts {
        let stream = &self.streams[stream];
        Counts {
            consumed: stream.consumed.load(Relaxed),
            processed: stream.processed.load(Relaxed),
            rejected: total(&stream.rejected),
            skipped: total(&stream.skipped),
            late: stream.late.load(Relaxed),
            future: stream.future.load(Relaxed),
            bytes: stream.bytes.load(Relaxed),
        }
    }

    /// Counts of all streams together.
    #[must_use]
    pub fn total(&self) -> Counts {
        (0..self.streams.len()).map(|stream| self.counts(stream)).fold(Counts::default(), |sum, counts| Counts {
            consumed: sum.consumed + counts.consumed,
            processed: sum.processed + counts.processed,
            rejected: sum.rejected + counts.rejected,
            skipped: sum.skipped + counts.skipped,
            late: sum.late + counts.late,
            future: sum.future + counts.future,
            bytes: sum.bytes + counts.bytes,
        })
    }

    /// Adds to a stream's counts by reason.
    pub fn add_reasons(counts: &Mutex<BTreeMap<&'static str, u64>>, reasons: &[(&'static str, u64)]) {
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in reasons {
            *counts.entry(reason).or_default() += count;
        }
    }

    /// Counts a finding's line; where its detector is counted.
    pub fn finding(&self, finding: &Finding) -> Option<Arc<DetectorMetrics>> {
        let state = match finding.state {
            State::New => 0,
            State::Updated => 1,
            State::Final => 2,
            State::Withdrawn => 3,
        };
        let detectors = self.detectors.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = detectors.place(&finding.detector.stream, &finding.detector.name) {
            detectors.list[place].findings[state].fetch_add(1, Relaxed);
            return Some(Arc::clone(&detectors.list[place]));
        }
        // Its detector went while it was on its way, or it is the program's own.
        drop(detectors);
        self.detectors.write().unwrap_or_else(PoisonError::into_inner).gone[state] += 1;
        None
    }

    /// A worker or a shard stood for so long, microseconds, while it went over to other rules.
    pub fn stood(&self, micros: i64) {
        self.rules.stood.fetch_max(u64::try_from(micros).unwrap_or(0), Relaxed);
    }

    /// Records how long a detector's finding took from its record's broker timestamp to its acknowledgement, microseconds.
    pub fn latency(&self, detector: Option<&DetectorMetrics>, micros: u64) {
        detector.into_iter().for_each(|detector| detector.took(micros));
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros.max(1));
    }

    /// A quantile of the latency in microseconds, and how many were recorded.
    #[must_use]
    pub fn latency_quantile(&self, quantile: f64) -> (u64, u64) {
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        (latency.value_at_quantile(quantile), latency.len())
    }

    /// How many findings were told in any state but withdrawn, each counted once: new, or final at once.
    #[must_use]
    pub fn finding_lines(&self) -> [u64; 4] {
        let detectors = self.detectors.read().unwrap_or_else(PoisonError::into_inner);
        let mut sums = detectors.gone;
        for detector in &detectors.list {
            for (sum, count) in sums.iter_mut().zip(&detector.findings) {
                *sum += count.load(Relaxed);
            }
        }
        sums
    }
}

fn total(counts: &Mutex<BTreeMap<&'static str, u64>>) -> u64 {
    counts.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
}
