//! The life of findings: new, updated, then final or withdrawn.

use std::collections::{HashMap, HashSet};

use watchfire_record::{Finding, FindingId, State};

/// How long after a finding was last told its next update waits, microseconds.
pub const UPDATE_INTERVAL: i64 = 1_000_000;

/// Findings that have fired and are not final. Small while there are none: most keys never fire.
#[derive(Debug, Default)]
pub struct Firing(Option<Box<Told>>);

#[derive(Debug, Default)]
struct Told(HashMap<FindingId, Fired>);

#[derive(Debug)]
struct Fired {
    /// As it was told.
    finding: Finding,
    told_at: i64,
}

impl Firing {
    /// Whether none has fired.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A finding is true now, and may yet change: told if it is new, or has changed and was not told within a second. When
    /// it was told last; and whether there is more to tell.
    pub fn holds(&mut self, mut finding: Finding, now: i64, found: &mut Vec<Finding>) -> (i64, bool) {
        let told = self.0.get_or_insert_default();
        let Some(fired) = told.0.get_mut(&finding.finding_id) else {
            finding.state = State::New;
            finding.revision = 1;
            found.push(finding.clone());
            told.0.insert(finding.finding_id, Fired { finding, told_at: now });
            return (now, false);
        };
        if fired.finding.row == finding.row && fired.finding.evidence == finding.evidence {
            return (fired.told_at, false);
        }
        if now - fired.told_at < UPDATE_INTERVAL {
            return (fired.told_at, true);
        }
        finding.state = State::Updated;
        finding.revision = fired.finding.revision + 1;
        found.push(finding.clone());
        *fired = Fired { finding, told_at: now };
        (now, false)
    }

    /// Forgets one that has fired; as it was told.
    fn forget(&mut self, id: &FindingId) -> Option<Finding> {
        let told = self.0.as_mut()?;
        let forgotten = told.0.remove(id);
        if told.0.is_empty() {
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

    /// All that has fired ends as it was told: nobody looks any more whether it changes.
    pub fn end(&mut self, found: &mut Vec<Finding>) {
        let Some(told) = self.0.take() else { return };
        found.extend(told.0.into_values().map(|Fired { finding, .. }| Finding {
            state: State::Final,
            revision: finding.revision + 1,
            complete: false,
            ..finding
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
        let gone: Vec<FindingId> = told.0.iter().filter(is_gone).map(|(id, _)| *id).collect();
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
    fn what_holds_is_told_once_a_second_if_it_has_changed() {
        let (mut firing, mut found) = (Firing::default(), Vec::new());
        let second = UPDATE_INTERVAL;
        for (count, now, told) in [
            (1, 0, (0, false)),
            (2, second - 1, (0, true)),
            (3, second, (second, false)),
            (3, 9 * second, (second, false)),
            (4, 9 * second + 1, (9 * second + 1, false)),
            (5, 9 * second + 2, (9 * second + 1, true)),
        ] {
            assert_eq!(firing.holds(finding(count), now, &mut found), told);
        }
        firing.end(&mut found);
        firing.end(&mut found);
        let told: Vec<(State, u32, Value)> =
            found.into_iter().map(|f| (f.state, f.revision, f.row[0].1.clone())).collect();
        let expected = [(State::New, 1, 1), (State::Updated, 2, 3), (State::Updated, 3, 4), (State::Final, 4, 4)];
        assert_eq!(told, expected.map(|(state, revision, count)| (state, revision, Value::Integer(count))));
    }
}
