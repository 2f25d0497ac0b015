//! Since when detectors could not fire: a field that one needs is gone, or a condition of it was never met.
//!
//! That a field is not there is no news in itself: most calls have no error code. It is gone when it has not come for a
//! while, in event time, in which so many records came that at its former rate it would have come often.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use watchfire_detect::liveness::{Condition, Field};
use watchfire_detect::matcher::{Met, Presence};
use watchfire_detect::{Judge, StreamDetectors};
use watchfire_record::{Batch, Stream};

use crate::metrics::DetectorMetrics;
use crate::metrics::prometheus::{head, label};

/// How long a field is not there before it is gone, unless settings say otherwise, microseconds.
const BLIND_AFTER: i64 = 3_600_000_000;
/// How often a field would have come at its former rate before it is gone.
const MISSED: f64 = 20.0;
/// How often a field that never came is taken to come.
const UNSEEN_RATE: f64 = 0.001;

/// What is known of all streams' detectors.
#[derive(Debug)]
pub struct Liveness {
    streams: Vec<(Arc<str>, Mutex<Seen>)>,
    blind_after: AtomicI64,
}

/// What was seen in one stream.
#[derive(Debug, Default)]
struct Seen {
    /// Whose fields and conditions these are.
    detectors: Option<Arc<StreamDetectors>>,
    /// Fields, each once, with what was seen of them; nothing before they were first looked for.
    fields: Vec<(Field, Option<Sight>)>,
    /// For each field of the detectors, in their judges' order, its place among these.
    places: Vec<usize>,
    conditions: HashMap<Condition, Met>,
}

/// How often one of some fields was there.
#[derive(Debug, Clone, Copy)]
struct Sight {
    /// Records that were looked at.
    records: u64,
    /// Those that had it.
    present: u64,
    /// Those since the last that had it.
    missed: u64,
    /// Event time at which it was last there, or else first looked for, microseconds.
    last: i64,
    /// Event time at which it was last looked for, microseconds.
    looked: i64,
    /// Whether it was told that it is gone.
    told: bool,
}

impl Liveness {
    /// Nothing seen yet, for these streams.
    #[must_use]
    pub fn new(streams: &[Stream]) -> Self {
        let stream = |stream: &Stream| (stream.name.as_str().into(), Mutex::default());
        Self { streams: streams.iter().map(stream).collect(), blind_after: AtomicI64::new(BLIND_AFTER) }
    }

    /// How long a field is not there before it is gone, microseconds.
    pub fn blind_after(&self, micros: i64) {
        self.blind_after.store(micros, Relaxed);
    }

    /// Takes over what a worker's judge saw in the batch that it judged last.
    pub fn look(&self, stream: usize, judge: &mut Judge, batch: &Batch) {
        let times = batch.rows.iter().map(|row| row.event_time.min(row.timestamp));
        let Some(time) = times.max() else { return };
        let (name, seen) = &self.streams[stream];
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.keep(judge);
        let Seen { fields, places, conditions, .. } = &mut *seen;
        let (presences, changes) = judge.liveness();
        for (place, (_, presence)) in places.iter().zip(presences).filter(|(_, (_, presence))| presence.records > 0) {
            let (field, sight) = &mut fields[*place];
            if let Some(sight) = sight {
                sight.look(presence, time);
                sight.tell(name, field, self.blind_after.load(Relaxed));
            } else {
                *sight = Some(Sight::first(presence, time));
            }
        }
        for (condition, met) in changes {
            let known = conditions.entry(condition).or_default();
            *known = met.max(*known);
        }
    }

    /// Event time since which a detector of a stream cannot have fired, microseconds, and the fields that are gone.
    #[must_use]
    pub fn blind_since(&self, stream: usize, detector: &str) -> Option<(i64, Arc<str>)> {
        let seen = self.streams[stream].1.lock().unwrap_or_else(PoisonError::into_inner);
        seen.blind(self.blind_after.load(Relaxed)).remove(detector)
    }

    /// As Prometheus' text, for these detectors.
    pub(crate) fn prometheus(&self, detectors: &[Arc<DetectorMetrics>], out: &mut String) {
        let (mut blind, mut unmet) = (String::new(), String::new());
        let name = "watchfire_detector_blind_since_seconds";
        let conditions = "watchfire_detector_conditions_never_met";
        for (stream, seen) in &self.streams {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let since = seen.blind(self.blind_after.load(Relaxed));
            let never = seen.never_met();
            for detector in detectors.iter().filter(|detector| detector.stream == **stream) {
                let detector = detector.name.as_str();
                let labels = format!("detector=\"{}\",stream=\"{}\"", label(detector), label(stream));
                let seconds = since.get(detector).map_or(0.0, |(time, _)| *time as f64 / 1e6);
                let _ = writeln!(blind, "{name}{{{labels}}} {seconds}");
                for (column, count) in never.get(detector).into_iter().flatten() {
                    let _ = writeln!(unmet, "{conditions}{{{labels},column=\"{}\"}} {count}", label(column));
                }
            }
        }
        head(out, name, "Event time since which a field that the detector needs is gone; 0 if none is.", "gauge");
        out.push_str(&blind);
        head(out, conditions, "Conditions of the detector's WHERE that no record has met since the start.", "gauge");
        out.push_str(&unmet);
    }
}

impl Seen {
    /// What was seen for other detectors, or for other versions of these, is forgotten.
    fn keep(&mut self, judge: &Judge) {
        let detectors = judge.detectors();
        if self.detectors.as_ref().is_some_and(|known| Arc::ptr_eq(known, detectors)) {
            return;
        }
        let infos = detectors.detectors.iter().map(|detector| &detector.info);
        let there: HashSet<_> = infos.map(|info| (info.name.as_str(), info.version.as_str())).collect();
        self.conditions.retain(|condition, _| there.contains(&(&*condition.detector, &*condition.version)));
        self.detectors = Some(Arc::clone(detectors));
        let mut before: HashMap<Field, Option<Sight>> = std::mem::take(&mut self.fields).into_iter().collect();
        let mut places = HashMap::new();
        self.places.clear();
        for field in judge.fields() {
            let place = *places.entry(field.clone()).or_insert(self.fields.len());
            if place == self.fields.len() {
                self.fields.push((field.clone(), before.remove(field).flatten()));
            }
            self.places.push(place);
        }
    }

    /// By detector: since when it is blind, and what is gone; the longest.
    fn blind(&self, blind_after: i64) -> HashMap<Arc<str>, (i64, Arc<str>)> {
        let mut blind: HashMap<Arc<str>, (i64, Arc<str>)> = HashMap::new();
        let sights = self.fields.iter().filter_map(|(field, sight)| Some((field, sight.as_ref()?)));
        for (field, sight) in sights.filter(|(_, sight)| sight.is_gone(blind_after)) {
            let since = (sight.last, Arc::clone(&field.names));
            let known = blind.entry(Arc::clone(&field.detector)).or_insert_with(|| since.clone());
            if since < *known {
                *known = since;
            }
        }
        blind
    }

    /// By detector and column: how many conditions records came to, and none met.
    fn never_met(&self) -> HashMap<&str, BTreeMap<&str, u64>> {
        let mut never: HashMap<&str, BTreeMap<&str, u64>> = HashMap::new();
        for (condition, _) in self.conditions.iter().filter(|(_, met)| **met == Met::Never) {
            *never.entry(&condition.detector).or_default().entry(&condition.column).or_default() += 1;
        }
        never
    }
}

impl Sight {
    fn first(presence: Presence, time: i64) -> Self {
        let Presence { records, present } = presence;
        let missed = if present > 0 { 0 } else { records };
        Self { records, present, missed, last: time, looked: time, told: false }
    }

    fn look(&mut self, presence: Presence, time: i64) {
        self.records += presence.records;
        self.present += presence.present;
        self.looked = self.looked.max(time);
        if presence.present > 0 {
            self.missed = 0;
            self.last = self.last.max(time);
        } else {
            self.missed += presence.records;
        }
    }

    fn is_gone(&self, blind_after: i64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^53")]
        let (present, before, missed) = (self.present as f64, (self.records - self.missed) as f64, self.missed as f64);
        let rate = if self.present > 0 { present / before } else { UNSEEN_RATE };
        self.missed > 0 && self.looked.saturating_sub(self.last) >= blind_after && missed * rate >= MISSED
    }

    /// Says once that it is gone, and once that it is back.
    fn tell(&mut self, stream: &str, field: &Field, blind_after: i64) {
        let gone = self.is_gone(blind_after);
        if gone == self.told {
            return;
        }
        self.told = gone;
        let (detector, names) = (&*field.detector, &*field.names);
        let since = watchfire_record::time::format(self.last);
        if gone {
            let records = self.missed;
            tracing::warn!(
                detector,
                stream,
                since,
                records,
                "the detector cannot fire: no record has {names} any more"
            );
        } else {
            tracing::warn!(detector, stream, "the detector can fire again: records have {names}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn seen(looks: &[(u64, u64, i64)]) -> Sight {
        let (first, rest) = looks.split_first().unwrap();
        let presence = |(records, present, _): &(u64, u64, i64)| Presence { records: *records, present: *present };
        let mut sight = Sight::first(presence(first), first.2);
        rest.iter().for_each(|look| sight.look(presence(look), look.2));
        sight
    }

    #[test]
    fn a_field_is_gone_when_it_should_have_come_often_and_long_ago() {
        let usual = (100, 100, 0);
        assert!(seen(&[usual, (20, 0, HOUR)]).is_gone(HOUR));
        assert!(!seen(&[usual, (20, 0, HOUR - 1)]).is_gone(HOUR), "not long enough");
        assert!(!seen(&[usual, (19, 0, HOUR)]).is_gone(HOUR), "too few records");
        assert!(!seen(&[usual, (500, 0, HOUR), (1, 1, HOUR)]).is_gone(HOUR), "it came back");
        let seldom = (10_000, 10, 0);
        assert!(!seen(&[seldom, (10_000, 0, 2 * HOUR)]).is_gone(HOUR), "it never came often");
        assert!(seen(&[seldom, (20_000, 0, 2 * HOUR)]).is_gone(HOUR));
    }

    #[test]
    fn a_field_that_never_came_is_missed_late() {
        assert!(!seen(&[(1000, 0, 0), (10_000, 0, 9 * HOUR)]).is_gone(HOUR));
        assert!(seen(&[(1000, 0, 0), (19_000, 0, HOUR)]).is_gone(HOUR));
    }
}
