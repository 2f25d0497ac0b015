//! All counts as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use watchfire_detect::operators::OperatorStatistics;
use watchfire_record::time;

use super::{Counts, DetectorMetrics, LiveVersion, Metrics, StreamMetrics};
use crate::caps::LIMITS;

/// A number of each detector: name, help, kind, where it is.
type OfDetector = (&'static str, &'static str, &'static str, fn(&DetectorMetrics, &OperatorStatistics) -> u64);

const OF_DETECTORS: [OfDetector; 8] = [
    ("watchfire_detector_matched_total", "Rows that passed the detector's WHERE.", "counter", |d, _| {
        d.matched.load(Relaxed)
    }),
    ("watchfire_detector_rows_total", "Rows that the detector's state took in.", "counter", |_, o| o.rows),
    ("watchfire_detector_keys", "Keys that the detector keeps.", "gauge", |_, o| o.keys),
    ("watchfire_detector_state_bytes", "Bytes of state that the detector keeps, about.", "gauge", |_, o| o.bytes),
    ("watchfire_detector_stopped", "Whether it was stopped at a limit.", "gauge", |d, _| {
        u64::from(d.stopped.load(Relaxed))
    }),
    ("watchfire_detector_evicted_total", "Keys thrown out at the limit.", "counter", |_, o| o.evicted),
    ("watchfire_detector_dropped_total", "Rows and pairs of a sequence left out at a limit.", "counter", |_, o| {
        o.dropped
    }),
    (
        "watchfire_detector_too_late_total",
        "Rows that came after what they belong to was final: of a partition that was handed over.",
        "counter",
        |_, o| o.too_late,
    ),
];

impl Metrics {
    /// All counts in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        self.write_streams(&mut out);
        self.write_detectors(&mut out);
        self.liveness.prometheus(&self.detectors(), &mut out);
        let gauges = [
            ("watchfire_in_flight_bytes", "Bytes between intake and delivery.", self.in_flight.load(Relaxed) as f64),
            ("watchfire_lag_records", "Records there and not yet taken in.", self.lag.load(Relaxed) as f64),
            ("watchfire_partitions", "Partitions at hand.", self.partitions.load(Relaxed) as f64),
            (
                "watchfire_identity_bytes",
                "Bytes of what copies of records are known by.",
                self.identity_bytes.load(Relaxed) as f64,
            ),
            (
                "watchfire_record_bytes",
                "Bytes of the records that findings to come rest on.",
                self.record_bytes.load(Relaxed) as f64,
            ),
        ];
        for (name, help, value) in gauges {
            head(&mut out, name, help, "gauge");
            let _ = writeln!(out, "{name} {value}");
        }
        for (name, help, count) in [
            ("watchfire_findings_delivered_total", "Findings acknowledged by all sinks.", &self.delivered),
            ("watchfire_findings_undelivered_total", "Findings left out of a full sink.", &self.undelivered),
            ("watchfire_findings_repeated_total", "Findings not told again: copies of a record.", &self.repeated),
            (
                "watchfire_activity_minutes_left_out_total",
                "Minutes without rows in activity, after too many without a record of their stream.",
                &self.activity_left_out,
            ),
            (
                "watchfire_identities_forgotten_total",
                "Records of which copies may count again, since too many were within the lateness.",
                &self.identities_forgotten,
            ),
            ("watchfire_rules_reloads_total", "Changes of the rules that are live.", &self.rules.reloads),
            (
                "watchfire_rules_reload_failures_total",
                "Changes of the rules that were not made, because something in them is wrong.",
                &self.rules.failures,
            ),
        ] {
            head(&mut out, name, help, "counter");
            let _ = writeln!(out, "{name} {}", count.load(Relaxed));
        }
        self.write_rules(&mut out);
        self.write_latency(&mut out);
        out
    }

    fn write_rules(&self, out: &mut String) {
        let rules = &self.rules;
        let gauges = [
            ("watchfire_rules_version", "The number of the rule set that is live.", rules.version.load(Relaxed) as f64),
            (
                "watchfire_rules_ending",
                "Versions of detectors that have ended, and have yet to finish.",
                rules.ending.load(Relaxed) as f64,
            ),
            (
                "watchfire_rules_last_reload_successful",
                "Whether the last attempt to change the rules was one.",
                f64::from(u8::from(!rules.last_failed.load(Relaxed))),
            ),
            (
                "watchfire_rules_last_reload_timestamp_seconds",
                "When the last attempt to change the rules was made; 0 before the first.",
                rules.last_at.load(Relaxed) as f64 / 1e6,
            ),
            (
                "watchfire_rules_last_change_seconds",
                "How long the last change took to be live.",
                rules.last_took.load(Relaxed) as f64 / 1e6,
            ),
            (
                "watchfire_rules_last_change_stood_seconds",
                "How long a worker or a shard stood for the last change: the longest.",
                rules.stood.load(Relaxed) as f64 / 1e6,
            ),
        ];
        for (name, help, value) in gauges {
            head(out, name, help, "gauge");
            let _ = writeln!(out, "{name} {value}");
        }
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
        let all = self.detectors();
        let operators: Vec<OperatorStatistics> = all.iter().map(|detector| detector.operator()).collect();
        for (name, help, kind, pick) in OF_DETECTORS {
            head(out, name, help, kind);
            for (d, operator) in all.iter().zip(&operators) {
                let labels = format!("detector=\"{}\",stream=\"{}\"", label(&d.name), label(&d.stream));
                let _ = writeln!(out, "{name}{{{labels}}} {}", pick(d, operator));
            }
        }
        self.write_costs(out, &all);
        let name = "watchfire_detector_version_info";
        head(out, name, "The version that came last, and from which event time on it is live.", "gauge");
        for d in &all {
            let LiveVersion { version, from } = d.version();
            let from = from.map_or_else(String::new, time::format);
            let (detector, stream) = (label(&d.name), label(&d.stream));
            let _ = writeln!(
                out,
                "{name}{{detector=\"{detector}\",stream=\"{stream}\",version=\"{version}\",from=\"{from}\"}} 1"
            );
        }
        let name = "watchfire_findings_total";
        head(out, name, "Finding lines by state.", "counter");
        for d in &all {
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

    fn write_costs(&self, out: &mut String, all: &[Arc<DetectorMetrics>]) {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let name = "watchfire_decode_cpu_seconds_total";
        head(out, name, "What decoding a stream's records cost, for all detectors together.", "counter");
        for stream in &self.streams {
            let _ = writeln!(
                out,
                "{name}{{stream=\"{}\"}} {}",
                label(&stream.name),
                seconds(stream.decoding.load(Relaxed))
            );
        }
        type Pick = fn(&DetectorMetrics) -> f64;
        let each: [(&str, &str, &str, Pick); 4] = [
            (
                "watchfire_detector_cpu_seconds_total",
                "What the detector cost: of work for several detectors at once, its part.",
                "counter",
                |d| d.cost().total() as f64 / 1e9,
            ),
            ("watchfire_detector_latency_seconds_count", "Findings that a record's arrival caused.", "counter", |d| {
                d.latency[0].load(Relaxed) as f64
            }),
            ("watchfire_detector_latency_seconds_sum", "From their records' broker timestamps on.", "counter", |d| {
                d.latency[1].load(Relaxed) as f64 / 1e6
            }),
            ("watchfire_detector_latency_seconds_most", "The longest of them.", "gauge", |d| {
                d.latency[2].load(Relaxed) as f64 / 1e6
            }),
        ];
        for (name, help, kind, pick) in each {
            head(out, name, help, kind);
            for d in all {
                let _ = writeln!(
                    out,
                    "{name}{{detector=\"{}\",stream=\"{}\"}} {}",
                    label(&d.name),
                    label(&d.stream),
                    pick(d)
                );
            }
        }
        let name = "watchfire_detector_capped_total";
        head(out, name, "How often the detector passed a limit of its own.", "counter");
        for d in all {
            for (limit, count) in LIMITS.iter().zip(&d.capped).filter(|(_, count)| count.load(Relaxed) > 0) {
                let (detector, stream) = (label(&d.name), label(&d.stream));
                let count = count.load(Relaxed);
                let _ =
                    writeln!(out, "{name}{{detector=\"{detector}\",stream=\"{stream}\",limit=\"{limit}\"}} {count}");
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

pub(crate) fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

pub(crate) fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
