//! Everything that is counted, in one place: the admin listener, the status line and the summary all ask here.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use watchfire_detect::operators::OperatorStatistics;
use watchfire_record::{Finding, State, Stream};

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
    /// Microseconds since the epoch; `i64::MIN` before the first record.
    pub watermark: AtomicI64,
}

/// Counts of one detector.
#[derive(Debug, Default)]
pub struct DetectorMetrics {
    /// The detector's name.
    pub name: String,
    /// The stream's name.
    pub stream: String,
    /// Rows that passed its WHERE.
    pub matched: AtomicU64,
    /// Finding lines, by state: new, updated, final, withdrawn.
    pub findings: [AtomicU64; 4],
    /// Keys kept.
    pub keys: AtomicU64,
    /// Keys thrown out at the limit.
    pub evicted: AtomicU64,
    /// Rows and pairs of a sequence left out at a limit.
    pub dropped: AtomicU64,
    /// Rows that came after what they belong to was final.
    pub too_late: AtomicU64,
}

/// All counts of a run.
#[derive(Debug)]
pub struct Metrics {
    /// By the engine's list of streams.
    pub streams: Vec<StreamMetrics>,
    /// By stream, then detector.
    pub detectors: Vec<Vec<DetectorMetrics>>,
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
    /// By name: the streams that a detector reads, and its place in each.
    by_name: HashMap<String, Vec<(usize, usize)>>,
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
    /// All zero, for these streams and the names of their detectors.
    #[must_use]
    pub fn new(streams: &[Stream], detectors: &[Vec<String>]) -> Self {
        let stream = |stream: &Stream| StreamMetrics {
            name: stream.name.clone(),
            watermark: AtomicI64::new(i64::MIN),
            ..StreamMetrics::default()
        };
        let detector = |(stream, names): (&Stream, &Vec<String>)| {
            let one = |name: &String| DetectorMetrics {
                name: name.clone(),
                stream: stream.name.clone(),
                ..DetectorMetrics::default()
            };
            names.iter().map(one).collect()
        };
        Self {
            streams: streams.iter().map(stream).collect(),
            detectors: streams.iter().zip(detectors).map(detector).collect(),
            in_flight: AtomicU64::new(0),
            lag: AtomicI64::new(0),
            partitions: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            undelivered: AtomicU64::new(0),
            by_name: places(detectors),
            latency: Mutex::new(Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are in order")),
        }
    }

    /// How many detectors there are; one of two streams counts once.
    #[must_use]
    pub fn detector_count(&self) -> usize {
        self.by_name.len()
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

    /// Counts a finding's line.
    pub fn finding(&self, finding: &Finding) {
        let state = match finding.state {
            State::New => 0,
            State::Updated => 1,
            State::Final => 2,
            State::Withdrawn => 3,
        };
        // That of the stream which the finding names: a detector of two streams is in both.
        let mut places = self.by_name.get(&finding.detector.name).into_iter().flatten();
        if let Some((stream, index)) = places.find(|(stream, _)| self.streams[*stream].name == finding.detector.stream)
        {
            self.detectors[*stream][*index].findings[state].fetch_add(1, Relaxed);
        }
    }

    /// Takes over what the shards' operators count, summed over shards by the caller.
    pub fn operators(&self, stream: usize, statistics: &[OperatorStatistics]) {
        for (detector, statistics) in self.detectors[stream].iter().zip(statistics) {
            detector.keys.store(statistics.keys, Relaxed);
            detector.evicted.store(statistics.evicted, Relaxed);
            detector.dropped.store(statistics.dropped, Relaxed);
            detector.too_late.store(statistics.too_late, Relaxed);
        }
    }

    /// Records how long a finding took from its record's broker timestamp to its acknowledgement, microseconds.
    pub fn latency(&self, micros: u64) {
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
        let mut sums = [0; 4];
        for detector in self.detectors.iter().flatten() {
            for (sum, count) in sums.iter_mut().zip(&detector.findings) {
                *sum += count.load(Relaxed);
            }
        }
        sums
    }

    /// All counts in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        self.write_streams(&mut out);
        self.write_detectors(&mut out);
        let gauges = [
            ("watchfire_in_flight_bytes", "Bytes between intake and delivery.", self.in_flight.load(Relaxed) as f64),
            ("watchfire_lag_records", "Records there and not yet taken in.", self.lag.load(Relaxed) as f64),
            ("watchfire_partitions", "Partitions at hand.", self.partitions.load(Relaxed) as f64),
        ];
        for (name, help, value) in gauges {
            head(&mut out, name, help, "gauge");
            let _ = writeln!(out, "{name} {value}");
        }
        for (name, help, count) in [
            ("watchfire_findings_delivered_total", "Findings acknowledged by all sinks.", &self.delivered),
            ("watchfire_findings_undelivered_total", "Findings left out of a full sink.", &self.undelivered),
            ("watchfire_findings_repeated_total", "Findings not told again: copies of a record.", &self.repeated),
        ] {
            head(&mut out, name, help, "counter");
            let _ = writeln!(out, "{name} {}", count.load(Relaxed));
        }
        self.write_latency(&mut out);
        out
    }

    fn write_streams(&self, out: &mut String) {
        type Pick = fn(&Counts) -> u64;
        let counters: [(&str, &str, Pick); 5] = [
            ("watchfire_records_consumed_total", "Records that came in.", |c| c.consumed),
            ("watchfire_records_processed_total", "Records that were judged.", |c| c.processed),
            ("watchfire_records_late_total", "Processed records behind the watermark.", |c| c.late),
            ("watchfire_records_future_total", "Processed records from the future.", |c| c.future),
            ("watchfire_payload_bytes_total", "Bytes of payloads.", |c| c.bytes),
        ];
        for (name, help, pick) in counters {
            head(out, name, help, "counter");
            for (index, stream) in self.streams.iter().enumerate() {
                let _ = writeln!(out, "{name}{{stream=\"{}\"}} {}", label(&stream.name), pick(&self.counts(index)));
            }
        }
        type Reasons = fn(&StreamMetrics) -> &Mutex<BTreeMap<&'static str, u64>>;
        let by_reason: [(&str, &str, Reasons); 2] = [
            ("watchfire_records_rejected_total", "Records that could not be judged.", |s| &s.rejected),
            ("watchfire_records_skipped_total", "Payloads with nothing to judge.", |s| &s.skipped),
        ];
        for (name, help, pick) in by_reason {
            head(out, name, help, "counter");
            for stream in &self.streams {
                let reasons = pick(stream).lock().unwrap_or_else(PoisonError::into_inner);
                for (reason, count) in reasons.iter() {
                    let _ = writeln!(out, "{name}{{stream=\"{}\",reason=\"{reason}\"}} {count}", label(&stream.name));
                }
            }
        }
        let name = "watchfire_watermark_seconds";
        head(out, name, "Event time that operators have reached, seconds since the epoch.", "gauge");
        for stream in &self.streams {
            let watermark = stream.watermark.load(Relaxed);
            if watermark != i64::MIN && watermark != i64::MAX {
                let _ = writeln!(out, "{name}{{stream=\"{}\"}} {}", label(&stream.name), watermark as f64 / 1e6);
            }
        }
    }

    fn write_detectors(&self, out: &mut String) {
        let all = || self.detectors.iter().flatten();
        type Pick = fn(&DetectorMetrics) -> &AtomicU64;
        let each: [(&str, &str, &str, Pick); 5] = [
            ("watchfire_detector_matched_total", "Rows that passed the detector's WHERE.", "counter", |d| &d.matched),
            ("watchfire_detector_keys", "Keys that the detector keeps.", "gauge", |d| &d.keys),
            ("watchfire_detector_evicted_total", "Keys thrown out at the limit.", "counter", |d| &d.evicted),
            ("watchfire_detector_dropped_total", "Rows and pairs of a sequence left out at a limit.", "counter", |d| {
                &d.dropped
            }),
            (
                "watchfire_detector_too_late_total",
                "Rows that came after what they belong to was final: of a partition that was handed over.",
                "counter",
                |d| &d.too_late,
            ),
        ];
        for (name, help, kind, pick) in each {
            head(out, name, help, kind);
            for d in all() {
                let labels = format!("detector=\"{}\",stream=\"{}\"", label(&d.name), label(&d.stream));
                let _ = writeln!(out, "{name}{{{labels}}} {}", pick(d).load(Relaxed));
            }
        }
        let name = "watchfire_findings_total";
        head(out, name, "Finding lines by state.", "counter");
        for d in all() {
            for (state, count) in ["new", "updated", "final", "withdrawn"].iter().zip(&d.findings) {
                let _ = writeln!(
                    out,
                    "{name}{{detector=\"{}\",state=\"{state}\"}} {}",
                    label(&d.name),
                    count.load(Relaxed)
                );
            }
        }
    }

    fn write_latency(&self, out: &mut String) {
        let name = "watchfire_latency_seconds";
        head(out, name, "From a record's broker timestamp to its finding's acknowledgement.", "summary");
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        for quantile in [0.5, 0.9, 0.99, 0.999] {
            let value = latency.value_at_quantile(quantile) as f64 / 1e6;
            let _ = writeln!(out, "{name}{{quantile=\"{quantile}\"}} {value}");
        }
        let _ = writeln!(out, "{name}_count {}", latency.len());
        let _ = writeln!(out, "{name}_sum {}", latency.mean() * latency.len() as f64 / 1e6);
    }
}

/// Where each detector's counts are.
fn places(detectors: &[Vec<String>]) -> HashMap<String, Vec<(usize, usize)>> {
    let mut places: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
    for (stream, names) in detectors.iter().enumerate() {
        for (index, name) in names.iter().enumerate() {
            places.entry(name.clone()).or_default().push((stream, index));
        }
    }
    places
}

fn total(counts: &Mutex<BTreeMap<&'static str, u64>>) -> u64 {
    counts.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
