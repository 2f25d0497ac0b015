//! The life of findings: new, updated, then final or withdrawn.

use std::collections::{BTreeMap, HashMap, HashSet};

use watchfire_record::{Finding, FindingId, State};

/// How long after a finding was last told its next update waits, microseconds.
const UPDATE_INTERVAL: i64 = 1_000_000;

/// Findings that have fired and are not final. Small while there are none: most keys never fire.
#[derive(Debug, Default)]
pub struct Firing(Option<Box<Told>>);

#[derive(Debug, Default)]
struct Told {
    fired: HashMap<FindingId, Fired>,
    /// Those of them that have changed since they were told, as they are now.
    changed: BTreeMap<FindingId, Finding>,
}

#[derive(Debug)]
struct Fired {
    /// As it was told.
    finding: Finding,
    told_at: i64,
}

impl Fired {
    fn is_due(&self, now: i64) -> bool {
        now - self.told_at >= UPDATE_INTERVAL
    }

    /// Tells what it has changed to.
    fn update(&mut self, mut finding: Finding, now: i64, found: &mut Vec<Finding>) {
        finding.state = State::Updated;
        finding.revision = self.finding.revision + 1;
        found.push(finding.clone());
        *self = Self { finding, told_at: now };
    }
}

impl Firing {
    /// Whether none has fired.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A finding is true now, and may yet change: told if it is new, or has changed and was not told within a second. What
    /// was told within it waits for [`Self::tell_changes`].
    pub fn holds(&mut self, mut finding: Finding, now: i64, found: &mut Vec<Finding>) {
        let id = finding.finding_id;
        let told = self.0.get_or_insert_default();
        let Some(fired) = told.fired.get_mut(&id) else {
            finding.state = State::New;
            finding.revision = 1;
            found.push(finding.clone());
            told.fired.insert(id, Fired { finding, told_at: now });
            return;
        };
        told.changed.remove(&id);
        if fired.finding.row == finding.row && fired.finding.evidence == finding.evidence {
            return;
        }
        if fired.is_due(now) {
            fired.update(finding, now, found);
        } else {
            told.changed.insert(id, finding);
        }
    }

    /// Tells what has changed, and was not told within a second.
    pub fn tell_changes(&mut self, now: i64, found: &mut Vec<Finding>) {
        let Some(told) = &mut self.0 else { return };
        let Told { fired, changed } = &mut **told;
        let due: Vec<(FindingId, Finding)> = changed.extract_if(.., |id, _| fired[id].is_due(now)).collect();
        for (id, finding) in due {
            fired.entry(id).and_modify(|fired| fired.update(finding, now, found));
        }
    }

    /// Forgets one that has fired; as it was told.
    fn forget(&mut self, id: &FindingId) -> Option<Finding> {
        let told = self.0.as_mut()?;
        told.changed.remove(id);
        let forgotten = told.fired.remove(id);
        if told.fired.is_empty() {
            self.0 = None;
        }
        forgotten.map(|fired| fired.finding)
    }

    /// A finding is true and will not change.
    pub fn becomes_final(&mut self, mut finding: Finding, found: &mut Vec<Finding>) {
        finding.revision = self.forget(&finding.finding_id).map_or(0, |told| told.revision) + 1;
        finding.state = State::Final;
        found.push(finding);
    }

    /// All that has fired ends as it stands: nobody looks any more whether it changes.
    pub fn end(&mut self, found: &mut Vec<Finding>) {
        let Some(told) = self.0.take() else { return };
        let Told { fired, mut changed } = *told;
        found.extend(fired.into_iter().map(|(id, Fired { finding, .. })| Finding {
            state: State::Final,
            revision: finding.revision + 1,
            complete: false,
            ..changed.remove(&id).unwrap_or(finding)
        }));
    }

    /// Takes back those that have fired, whose time `concerned` says is in question, and that `still` does not name.
    pub fn withdraw(
        &mut self,
        concerned: impl Fn(&Finding) -> bool,
        still: &HashSet<FindingId>,
        found: &mut Vec<Finding>,
    ) {
        let Some(told) = &self.0 else { return };
        let is_gone = |(id, fired): &(&FindingId, &Fired)| concerned(&fired.finding) && !still.contains(id);
        let gone: Vec<FindingId> = told.fired.iter().filter(is_gone).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(mut finding) = self.forget(&id) {
                finding.state = State::Withdrawn;
                finding.revision += 1;
                found.push(finding);
            }
        }
    }
}

/// Of findings with one id, that of the least event id of its own record (the last of the evidence), among equal ones
/// the first; each with its key, in order of time.
#[must_use]
pub fn least_event_ids<K>(findings: Vec<(K, Finding)>) -> Vec<(K, Finding)> {
    let mut best: HashMap<FindingId, (K, Finding)> = HashMap::new();
    let own_id = |finding: &Finding| finding.evidence.last().map(|e| e.event_id.clone());
    for (key, finding) in findings {
        match best.get(&finding.finding_id) {
            Some((_, kept)) if own_id(kept) <= own_id(&finding) => {}
            _ => _ = best.insert(finding.finding_id, (key, finding)),
        }
    }
    let mut kept: Vec<_> = best.into_values().collect();
    kept.sort_by_key(|(_, finding)| (finding.last_event_time, finding.finding_id));
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use watchfire_record::{DetectorInfo, Severity, Value};

    use super::*;

    fn finding(count: i64) -> Finding {
        let info = DetectorInfo {
            name: "a".into(),
            version: "0".into(),
            stream: "s".into(),
            title: "t".into(),
            severity: Severity::Low,
            attack: Vec::new(),
            about: "a".into(),
            noise: None,
            response: None,
            suppress: None,
        };
        Finding {
            finding_id: FindingId([1; 16]),
            revision: 0,
            state: State::New,
            detector: Arc::new(info),
            window: None,
            window_end: None,
            keys: Vec::new(),
            row: vec![("n".into(), Value::Integer(count))],
            first_event_time: 0,
            last_event_time: 0,
            evidence: Vec::new(),
            complete: true,
            caused_at: 0,
        }
    }

    #[test]
    fn what_changes_within_a_second_is_told_after_it() {
        let (mut firing, mut found) = (Firing::default(), Vec::new());
        firing.holds(finding(1), 0, &mut found);
        firing.holds(finding(2), 400_000, &mut found);
        firing.holds(finding(3), 800_000, &mut found);
        firing.tell_changes(999_999, &mut found);
        assert_eq!(found.len(), 1, "a second is not over");
        firing.tell_changes(1_000_000, &mut found);
        firing.tell_changes(9_000_000, &mut found);
        firing.holds(finding(4), 10_000_000, &mut found);
        firing.holds(finding(5), 10_000_001, &mut found);
        firing.holds(finding(4), 10_000_002, &mut found);
        firing.tell_changes(99_000_000, &mut found);
        firing.holds(finding(6), 99_000_001, &mut found);
        firing.end(&mut found);
        firing.tell_changes(999_000_000, &mut found);
        let told: Vec<(State, u32, Value)> =
            found.into_iter().map(|f| (f.state, f.revision, f.row[0].1.clone())).collect();
        let expected = [
            (State::New, 1, 1),
            (State::Updated, 2, 3),
            (State::Updated, 3, 4),
            (State::Updated, 4, 6),
            (State::Final, 5, 6),
        ];
        assert_eq!(told, expected.map(|(state, revision, count)| (state, revision, Value::Integer(count))));
    }
}
