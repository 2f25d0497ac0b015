//! What was found, held against what was done.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use watchfire_engine::finding::{Sink, SinkError};
use watchfire_record::{Clock, Finding, FindingId, State, Value};
use watchfire_simulator::Truth;

use super::follow::Progress;

/// Findings that are remembered. Later ones are shown and not compared.
const REMEMBERED: usize = 200_000;
/// How far a finding's time may lie from an attack's that it is about, microseconds.
const NEAR: i64 = 60_000_000;

/// A finding, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whose.
    pub detector: String,
    /// Times of its first and last record, microseconds.
    pub times: (i64, i64),
    /// When it was first told, microseconds.
    pub at: i64,
    /// Ids of its evidence, and the texts of its keys and row.
    pub texts: HashSet<String>,
    /// It turned out not to be so.
    pub withdrawn: bool,
}

/// Findings that were told so far.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<HashMap<FindingId, Told>>>);

impl Seen {
    /// All of them.
    pub fn take(&self) -> Vec<Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, told)| told).collect()
    }

    fn remember(&self, finding: &Finding, now: i64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED && !seen.contains_key(&finding.finding_id) {
            return;
        }
        let told = seen.entry(finding.finding_id).or_insert_with(|| Told {
            detector: finding.detector.name.clone(),
            times: (finding.first_event_time, finding.last_event_time),
            at: now,
            texts: HashSet::new(),
            withdrawn: false,
        });
        told.withdrawn = finding.state == State::Withdrawn;
        told.times = (finding.first_event_time, finding.last_event_time);
        told.texts.extend(finding.evidence.iter().map(|evidence| evidence.event_id.clone()));
        let values = finding.keys.iter().chain(&finding.row).filter_map(|(_, value)| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        });
        told.texts.extend(values);
    }
}

/// A sink that remembers what it hands on, and hands on only what is of the present.
pub struct Watcher<S> {
    inner: S,
    seen: Seen,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
    taken: u64,
}

impl<S: Sink> Watcher<S> {
    /// Hands on to `inner`.
    pub fn new(inner: S, seen: Seen, progress: Arc<Progress>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, seen, progress, clock, taken: 0 }
    }
}

impl<S: Sink> Sink for Watcher<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn send(&mut self, findings: &[Finding]) -> Result<(), SinkError> {
        let live_from = self.progress.live_from.load(Relaxed);
        let live: Vec<Finding> = findings.iter().filter(|f| f.last_event_time >= live_from).cloned().collect();
        if !live.is_empty() {
            self.inner.send(&live)?;
        }
        let now = self.clock.now();
        live.iter().for_each(|finding| self.seen.remember(finding, now));
        self.taken += findings.len() as u64;
        Ok(())
    }

    fn flush(&mut self, within: Duration) -> Result<(), SinkError> {
        self.inner.flush(within)
    }

    fn acknowledged(&mut self) -> u64 {
        // What a terminal takes is safe at once.
        self.taken
    }
}

/// One attack, and what was found of it.
#[derive(Debug, Clone)]
pub struct Attack {
    /// What was done.
    pub truth: Truth,
    /// Detectors that found it, those that should first.
    pub found_by: Vec<String>,
    /// From its first record to the first finding of a detector that should find it, microseconds; `None`: missed.
    pub after: Option<i64>,
}

/// All attacks, and what was found besides.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Attacks that are over, in order.
    pub attacks: Vec<Attack>,
    /// Attacks that were under way when it ended.
    pub under_way: usize,
    /// Findings that were not withdrawn.
    pub findings: usize,
    /// Findings that are of no attack, by detector.
    pub false_alarms: BTreeMap<String, usize>,
}

impl Outcome {
    /// How many attacks were found.
    pub fn found(&self) -> usize {
        self.attacks.iter().filter(|attack| attack.after.is_some()).count()
    }
}

/// Holds findings against the truth.
pub fn outcome(truth: &[Truth], told: &[Told]) -> Outcome {
    let told: Vec<&Told> = told.iter().filter(|told| !told.withdrawn).collect();
    let ids: Vec<HashSet<&str>> = truth.iter().map(|t| t.event_ids.iter().map(String::as_str).collect()).collect();
    let mut outcome = Outcome { findings: told.len(), ..Outcome::default() };
    let mut found: Vec<Vec<&Told>> = vec![Vec::new(); truth.len()];
    for told in told {
        let mut belongs = false;
        for (index, truth) in truth.iter().enumerate() {
            if is_about(told, truth, &ids[index]) {
                belongs = true;
                found[index].push(told);
            }
        }
        if !belongs {
            *outcome.false_alarms.entry(told.detector.clone()).or_default() += 1;
        }
    }
    for (truth, found) in truth.iter().zip(found) {
        if truth.complete() {
            outcome.attacks.push(attack(truth, &found));
        } else {
            outcome.under_way += 1;
        }
    }
    outcome
}

/// A finding is about an attack if it rests on one of its records; or if it is of a detector that may find it, at its
/// time, and names who did it, from where, or the function it was done to.
fn is_about(told: &Told, truth: &Truth, ids: &HashSet<&str>) -> bool {
    if told.texts.iter().any(|text| ids.contains(text.as_str())) {
        return true;
    }
    let may = truth.detectors.iter().chain(&truth.related).any(|name| *name == told.detector);
    let near = told.times.1 >= truth.first_event_time - NEAR && told.times.0 <= truth.last_event_time + NEAR;
    let subjects = [&truth.principal, &truth.source_ip, &truth.function_name];
    may && near && subjects.into_iter().flatten().any(|subject| told.texts.contains(subject))
}

fn attack(truth: &Truth, found: &[&Told]) -> Attack {
    let expected = |told: &&&Told| truth.detectors.contains(&told.detector);
    let first = found.iter().filter(expected).map(|told| told.at).min();
    let mut found_by: Vec<String> = Vec::new();
    for told in found.iter().filter(expected).chain(found) {
        if !found_by.contains(&told.detector) {
            found_by.push(told.detector.clone());
        }
    }
    Attack { truth: truth.clone(), found_by, after: first.map(|at| (at - truth.first_event_time).max(0)) }
}

#[cfg(test)]
mod tests {
    use watchfire_simulator::StreamKind;

    use super::*;

    fn truth(id: u32, name: &str) -> Truth {
        Truth {
            id,
            name: name.into(),
            title: "t".into(),
            attack: Vec::new(),
            detectors: vec![name.into()],
            related: vec!["other".into()],
            stream: StreamKind::CloudTrail,
            principal: Some(format!("p{id}")),
            source_ip: None,
            function_name: None,
            first_event_time: 1_000_000_000,
            last_event_time: 1_010_000_000,
            records: 1,
            planned: 1,
            event_ids: vec![format!("e{id}")],
        }
    }

    fn told(detector: &str, time: i64, texts: &[&str]) -> Told {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        Told { detector: detector.into(), times: (time, time), at: 1_002_000_000, texts, withdrawn: false }
    }

    #[test]
    fn findings_are_given_to_the_attacks_that_they_are_about() {
        let mut unfinished = truth(3, "d");
        unfinished.planned = 2;
        let attacks = [truth(0, "a"), truth(1, "b"), truth(2, "c"), unfinished];
        let found = [
            told("a", 5, &["e0"]),
            told("other", 1_005_000_000, &["p0"]),
            told("other", 1_005_000_000, &["nobody"]),
            told("b", 5, &["p1"]),
            Told { withdrawn: true, ..told("b", 1_005_000_000, &["e1"]) },
            told("x", 5, &["e2"]),
        ];
        let outcome = outcome(&attacks, &found);
        assert_eq!((outcome.found(), outcome.attacks.len(), outcome.under_way, outcome.findings), (1, 3, 1, 5));
        assert_eq!(outcome.attacks[0].found_by, ["a", "other"]);
        assert_eq!(outcome.attacks[0].after, Some(2_000_000));
        assert_eq!((outcome.attacks[2].after, outcome.attacks[2].found_by.as_slice()), (None, &["x".to_owned()][..]));
        assert_eq!(outcome.false_alarms, BTreeMap::from([("b".into(), 1), ("other".into(), 1)]));
    }
}
