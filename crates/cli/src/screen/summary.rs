//! What a run amounts to: every record that came in accounted for, and what was found.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use watchfire_engine::Metrics;

use super::numbers;

/// The lines that a run ends with. Counts are plain digits: programs read them too.
pub fn of_run(metrics: &Metrics, micros: i64) -> String {
    let mut text = String::new();
    for (index, stream) in metrics.streams.iter().enumerate() {
        let counts = metrics.counts(index);
        if counts.consumed == 0 && metrics.total().consumed > 0 {
            continue;
        }
        if counts.consumed == 0 && index > 0 {
            continue;
        }
        let name = if counts.consumed == 0 { "all streams" } else { stream.name.as_str() };
        let sign = if counts.balanced() { "=" } else { "≠" };
        text += &format!(
            "{name}: {} consumed {sign} {} processed + {} rejected + {} skipped\n",
            counts.consumed, counts.processed, counts.rejected, counts.skipped
        );
        let mut odd = Vec::new();
        odd.extend((counts.late > 0).then(|| format!("{} late", counts.late)));
        odd.extend((counts.future > 0).then(|| format!("{} from the future", counts.future)));
        let reasons = stream.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        odd.extend(reasons.iter().map(|(reason, count)| format!("{reason}: {count}")));
        if !odd.is_empty() {
            text += &format!("  of these {}\n", odd.join(", "));
        }
    }
    let (total, detectors) = (metrics.total(), metrics.detectors());
    let seconds = (micros as f64 / 1e6).max(1e-6);
    text += &format!(
        "{} by {} of {} in {} ({} records a second)\n",
        numbers::of(metrics.delivered.load(Relaxed), "finding", "findings"),
        detectors.iter().filter(|d| d.findings.iter().any(|n| n.load(Relaxed) > 0)).count(),
        numbers::of(metrics.detector_count() as u64, "detector", "detectors"),
        numbers::duration(u64::try_from(micros).unwrap_or(0)),
        numbers::count((total.consumed as f64 / seconds) as u64),
    );
    let dropped: u64 = detectors.iter().map(|detector| detector.operator().dropped).sum();
    if dropped > 0 {
        text += &format!(
            "{dropped} rows or pairs of sequences were left out at a limit: what they would have found is missing
"
        );
    }
    let evicted: u64 = detectors.iter().map(|detector| detector.operator().evicted).sum();
    if evicted > 0 {
        text += &format!(
            "{evicted} keys were forgotten at a limit of keys or memory: what they would still have found is not complete\n"
        );
    }
    let forgotten = metrics.identities_forgotten.load(Relaxed);
    if forgotten > 0 {
        text += &format!(
            "{forgotten} records were forgotten before their lateness was over: copies of them were taken for others\n"
        );
    }
    text
}

/// The status line of a run.
pub fn status(metrics: &Metrics, rate: u64, with_lag: bool) -> String {
    let mut parts = vec![format!("{} records/s", numbers::count(rate))];
    if with_lag {
        parts.push(format!("lag {}", numbers::count(u64::try_from(metrics.lag.load(Relaxed)).unwrap_or(0))));
        let (latency, number) = metrics.latency_quantile(0.99);
        parts.push(if number == 0 {
            "latency –".into()
        } else {
            format!("latency p99 {}", numbers::duration(latency))
        });
    } else {
        let total = metrics.total();
        parts.push(format!("{} records", numbers::count(total.consumed)));
        parts.push(numbers::bytes(total.bytes));
    }
    parts.push(numbers::of(metrics.delivered.load(Relaxed), "finding", "findings"));
    parts.join("  ·  ")
}
