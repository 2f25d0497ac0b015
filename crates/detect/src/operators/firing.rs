//! The life of findings: new, updated, then final or withdrawn.

use std::collections::{HashMap, HashSet};

use watchfire_record::{Finding, FindingId, State};

/// How long after a finding was last told its next update waits, microseconds.
const UPDATE_INTERVAL: i64 = 1_000_000;

/// Findings that have fired and are not final.
#[derive(Debug, Default)]
pub struct Firing(HashMap<FindingId, Fired>);

#[derive(Debug)]
struct Fired {
    finding: Finding,
    told_at: i64,
}

impl Firing {
    /// Whether none has fired.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A finding is true now, and may yet change: told if it is new, or has changed and was not told within a second.
    pub fn holds(&mut self, mut finding: Finding, now: i64, found: &mut Vec<Finding>) {
        match self.0.get_mut(&finding.finding_id) {
            None => {
                finding.state = State::New;
                finding.revision = 1;
                found.push(finding.clone());
                self.0.insert(finding.finding_id, Fired { finding, told_at: now });
            }
            Some(fired) => {
                let due = now - fired.told_at >= UPDATE_INTERVAL;
                if due && (fired.finding.row != finding.row || fired.finding.evidence != finding.evidence) {
                    finding.state = State::Updated;
                    finding.revision = fired.finding.revision + 1;
                    found.push(finding.clone());
                    *fired = Fired { finding, told_at: now };
                }
            }
        }
    }

    /// A finding is true and will not change.
    pub fn becomes_final(&mut self, mut finding: Finding, found: &mut Vec<Finding>) {
        finding.revision = self.0.remove(&finding.finding_id).map_or(0, |fired| fired.finding.revision) + 1;
        finding.state = State::Final;
        found.push(finding);
    }

    /// All that has fired ends as it stands: nobody looks any more whether it changes.
    pub fn end(&mut self, found: &mut Vec<Finding>) {
        found.extend(self.0.drain().map(|(_, Fired { finding, .. })| Finding {
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
        let gone: Vec<FindingId> = self
            .0
            .iter()
            .filter(|(id, fired)| concerned(&fired.finding) && !still.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(fired) = self.0.remove(&id) {
                let mut finding = fired.finding;
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
