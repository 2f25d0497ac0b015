//! What one detector may take, and what becomes of it when it takes more: it alone is slowed or stopped, and that is said.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock};

use watchfire_detect::operators::Manner;
use watchfire_detect::value::{Subject, finding_id};
use watchfire_record::limits::KEYS;
use watchfire_record::{DetectorInfo, Finding, Severity, State, Value};

use crate::metrics::DetectorMetrics;

/// The names of the limits, in the order in which they are counted.
pub const LIMITS: [&str; 4] = ["keys", "bytes", "cpu", "state"];
/// The program's own detector: what it says of others.
pub const DETECTOR: &str = "watchfire-limits";
/// How long what a detector costs is looked at, microseconds.
const WINDOW: i64 = 60_000_000;
/// What is said once in this time is not said again, microseconds.
pub(crate) const SAID_FOR: i64 = 3_600_000_000;

/// What one detector may take, and all together; `None` for no limit of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Caps {
    /// Keys, over all shards. More: those of least count that never fired go first.
    pub keys: Option<u64>,
    /// Bytes of state, about, over all shards. More: keys go until there are fewer.
    pub bytes: Option<u64>,
    /// Of one core's time, as a part of 1, over a sliding minute. More: the detector is stopped.
    pub cpu: Option<f64>,
    /// Bytes of all state together, about: what detectors keep over all shards, the records that it rests on, and those by
    /// which copies are known. More: of the detectors that keep most keys go until there are fewer.
    pub state: Option<u64>,
}

impl Caps {
    /// How operators of one of so many shards work.
    #[must_use]
    pub fn manner(&self, fires_early: bool, shards: usize) -> Manner {
        let part =
            |of: Option<u64>| of.map(|of| usize::try_from(of / shards.max(1) as u64).unwrap_or(usize::MAX).max(1));
        let keys = part(self.keys).map_or(KEYS, |keys| keys.min(KEYS));
        let [bytes, all_bytes] = [self.bytes, self.state].map(|bytes| part(bytes).unwrap_or(usize::MAX));
        Manner { fires_early, keys, bytes, all_bytes }
    }

    /// Bytes that the records may take by which copies are known: a quarter of all state.
    #[must_use]
    pub fn identity_bytes(&self) -> usize {
        self.state.map_or(usize::MAX, |bytes| usize::try_from(bytes / 4).unwrap_or(usize::MAX))
    }
}

/// The most that each of some sizes may be, so that all together are no more than `most`; `None` if they are. What is
/// less than its share leaves more to others.
#[must_use]
pub fn level(mut sizes: Vec<u64>, most: u64) -> Option<u64> {
    let sum = sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(*size));
    if sum <= most {
        return None;
    }
    sizes.sort_unstable();
    let (mut left, mut others) = (most, sizes.len() as u64);
    for size in sizes {
        if size > left / others {
            return Some(left / others);
        }
        (left, others) = (left - size, others - 1);
    }
    None
}

/// That a detector passed a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed<'a> {
    /// The detector.
    pub detector: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Which limit, by its place among [`LIMITS`].
    pub limit: usize,
    /// What it took.
    pub took: Value,
    /// What it may take.
    pub most: Value,
    /// What became of it.
    pub outcome: &'static str,
    /// When, microseconds.
    pub now: i64,
}

static INFO: LazyLock<Arc<DetectorInfo>> = LazyLock::new(|| {
    Arc::new(DetectorInfo {
        name: DETECTOR.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        stream: "watchfire".into(),
        title: "A detector passed its limit".into(),
        severity: Severity::Medium,
        attack: Vec::new(),
        about: "A detector took more keys, bytes or CPU than limits.detector lets it have, or kept most of what was too much by limits.state. It alone was slowed or stopped."
            .into(),
        noise: Some("More traffic than usual, or a rule that is wider than it was meant to be.".into()),
        response: Some(
            "See what it costs with `watchfire rules explain --analyze RECORDS NAME`; narrow its WHERE or its keys, or raise \
             the limit. One that was stopped starts again when its file changes."
                .into(),
        ),
        suppress: Some(SAID_FOR),
    })
});

impl Passed<'_> {
    /// What is told of it: the same id within an hour.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let text = |text: &str| Value::Text(text.to_owned());
        let keys = [("detector", text(self.detector)), ("limit", text(LIMITS[self.limit]))];
        let row = [
            ("detector", text(self.detector)),
            ("version", text(self.version)),
            ("limit", text(LIMITS[self.limit])),
            ("took", self.took.clone()),
            ("most", self.most.clone()),
            ("outcome", text(self.outcome)),
        ];
        let named =
            |values: &[(&str, Value)]| values.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        let ided = [text(self.detector), text(self.version), text(LIMITS[self.limit])];
        let hour = self.now.div_euclid(SAID_FOR) * SAID_FOR;
        Finding {
            finding_id: finding_id(DETECTOR, "system", SAID_FOR, &ided, Subject::Window(hour)),
            revision: 1,
            state: State::Final,
            detector: Arc::clone(&INFO),
            window: None,
            window_end: None,
            keys: named(&keys),
            row: named(&row),
            first_event_time: self.now,
            last_event_time: self.now,
            evidence: Vec::new(),
            complete: true,
            caused_at: self.now,
        }
    }

    /// Counts it.
    pub fn count(&self, detector: &DetectorMetrics) {
        detector.capped[self.limit].fetch_add(1, Relaxed);
    }

    /// Counts it, and says it in the log.
    pub fn note(&self, detector: &DetectorMetrics) {
        self.count(detector);
        tracing::warn!(
            detector = self.detector,
            limit = LIMITS[self.limit],
            took = %self.took,
            most = %self.most,
            "a detector passed its limit: {}",
            self.outcome
        );
    }
}

/// What was said lately, so that it is not said again at once.
#[derive(Debug, Default)]
pub struct Said(HashMap<(String, usize), i64>);

impl Said {
    /// Whether a limit of a detector may be told of now.
    pub fn is_due(&mut self, detector: &str, limit: usize, now: i64) -> bool {
        let last = self.0.get(&(detector.to_owned(), limit)).copied();
        let due = last.is_none_or(|last| last.div_euclid(SAID_FOR) != now.div_euclid(SAID_FOR));
        if due {
            self.0.insert((detector.to_owned(), limit), now);
        }
        due
    }
}

/// What detectors cost over a sliding minute.
#[derive(Debug, Default)]
pub struct Governor {
    /// By name: what a detector had cost when it was looked at, nanoseconds.
    seen: BTreeMap<String, VecDeque<(i64, u64)>>,
    /// Those that start again, and at how many looks more what they have cost so far is not held against them: what their
    /// state cost before is told late.
    forgiven: BTreeMap<String, u32>,
    looked_at: Option<i64>,
}

/// How often it is looked what detectors cost, microseconds.
const LOOK: i64 = 1_000_000;
/// Looks at which what a detector has cost before it started again is still told.
const FORGIVEN: u32 = 2;

impl Governor {
    /// A detector that was stopped starts again: what it had cost is not held against it.
    pub fn forgive(&mut self, detector: &str) {
        self.forgiven.insert(detector.to_owned(), FORGIVEN);
    }

    /// Those that cost more than `most`, a part of one core's time, over the last minute, each with what it cost. Looks
    /// once a second.
    pub fn above(&mut self, most: f64, now: i64, detectors: &[Arc<DetectorMetrics>]) -> Vec<(String, f64)> {
        if self.looked_at.is_some_and(|last| (0..LOOK).contains(&now.saturating_sub(last))) {
            return Vec::new();
        }
        self.looked_at = Some(now);
        let mut costs: BTreeMap<&str, u64> = BTreeMap::new();
        for detector in detectors {
            *costs.entry(&detector.name).or_default() += detector.cost().total();
        }
        self.seen.retain(|name, _| costs.contains_key(name.as_str()));
        let mut above = Vec::new();
        for (name, cost) in costs {
            let seen = self.seen.entry(name.to_owned()).or_insert_with(|| VecDeque::from([(now, 0)]));
            if let Some(looks) = self.forgiven.get_mut(name) {
                seen.clear();
                *looks -= 1;
            }
            seen.push_back((now, cost));
            while seen.get(1).is_some_and(|(at, _)| *at <= now.saturating_sub(WINDOW)) {
                seen.pop_front();
            }
            let before = seen.front().map_or(cost, |(_, cost)| *cost);
            let part = cost.saturating_sub(before) as f64 / (WINDOW as f64 * 1e3);
            if part > most {
                above.push((name.to_owned(), part));
            }
        }
        self.forgiven.retain(|_, looks| *looks > 0);
        above
    }
}

#[cfg(test)]
mod tests {
    use watchfire_detect::Cost;
    use watchfire_record::Stream;

    use super::*;
    use crate::metrics::Metrics;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_detector_is_above_when_a_minute_of_it_is() {
        let metrics = Metrics::new(&Stream::built_ins());
        let (dear, cheap) = (metrics.detector("api", "dear"), metrics.detector("api", "cheap"));
        let mut governor = Governor::default();
        let mut first = None;
        for second in 0..200 {
            // From the hundredth second on it costs a third of a core.
            dear.add_cost(Cost { keeping: if second < 100 { 100_000_000 } else { 333_000_000 }, ..Cost::default() });
            cheap.add_cost(Cost { matching: 1_000_000, ..Cost::default() });
            let above = governor.above(0.2, second * SECOND, &metrics.detectors());
            assert!(above.iter().all(|(name, part)| name == "dear" && *part > 0.2), "{above:?}");
            first = first.or((!above.is_empty()).then_some(second));
        }
        // 0.1 and 0.233 more for each second of the minute that is dear: above 0.2 after 26 of them.
        assert!(matches!(first, Some(124..=127)), "{first:?}");
    }

    #[test]
    fn what_is_said_has_one_id_within_an_hour() {
        let passed = |now| Passed {
            detector: "d",
            version: "v",
            limit: 2,
            took: Value::Float(0.5),
            most: Value::Float(0.25),
            outcome: "stopped",
            now,
        };
        let (a, b, c) = (passed(10).finding(), passed(20).finding(), passed(SAID_FOR).finding());
        assert_eq!(a.finding_id, b.finding_id);
        assert_ne!(a.finding_id, c.finding_id);
        let mut said = Said::default();
        assert_eq!([10, 20, SAID_FOR].map(|now| said.is_due("d", 2, now)), [true, false, true]);
    }

    #[test]
    fn what_is_too_much_is_taken_from_the_largest() {
        assert_eq!(level(vec![10, 20, 30], 60), None);
        assert_eq!(level(vec![1000, 10, 20], 60), Some(30));
        assert_eq!(level(vec![1000, 10, 500], 110), Some(50));
        assert_eq!(level(vec![7, 7], 6), Some(3));
        assert_eq!(level(Vec::new(), 0), None);
    }

    #[test]
    fn limits_are_for_all_shards_together() {
        let caps = Caps { keys: Some(10), bytes: Some(1 << 20), cpu: None, state: Some(1 << 24) };
        assert_eq!(caps.manner(true, 4), Manner { fires_early: true, keys: 2, bytes: 1 << 18, all_bytes: 1 << 22 });
        assert_eq!(Caps::default().manner(false, 4), Manner::default());
    }
}
