//! Alerts: what a person is told. Findings of one detector and key within the detector's `suppress` are one alert.
//!
//! This never changes findings: sinks for machines get them all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use watchfire_record::{DetectorInfo, Finding, FindingId, State, Value};

use crate::group::Group;
use crate::layout::shorten;

/// Alerts that are remembered. More: the one opened first is forgotten, and its next finding opens a new one.
pub const ALERTS: usize = 10_000;

/// Columns that an alert's key may take when it is shown.
const SUBJECT_COLUMNS: usize = 60;

/// How many findings joined an alert after the one that opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Whose alert.
    pub detector: Arc<DetectorInfo>,
    /// The key's values, escaped and shortened; empty if the detector has no key.
    pub subject: String,
    /// How many.
    pub count: u64,
}

#[derive(Debug)]
struct Alert {
    opener: FindingId,
    started: i64,
    number: u64,
    joined: Joined,
}

/// Sorts findings into alerts.
#[derive(Debug)]
pub struct Alerts {
    open: HashMap<Group, Alert>,
    order: VecDeque<(u64, Group)>,
    opened: u64,
    capacity: usize,
    ended: Vec<Joined>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self::new(ALERTS)
    }
}

impl Alerts {
    /// Remembers at most `capacity` alerts (at least one).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { open: HashMap::new(), order: VecDeque::new(), opened: 0, capacity: capacity.max(1), ended: Vec::new() }
    }

    /// Whether a finding joins an earlier alert. If not, it opens one, or is a later state of the finding that did.
    pub fn joins(&mut self, finding: &Finding) -> bool {
        let Some(suppress) = finding.detector.suppress.filter(|suppress| *suppress > 0) else { return false };
        let group = Group::of(finding);
        if let Some(alert) = self.open.get_mut(&group) {
            if alert.opener == finding.finding_id {
                return false;
            }
            if finding.last_event_time.abs_diff(alert.started) <= suppress.unsigned_abs() {
                alert.joined.count += u64::from(finding.revision == 1 && finding.state != State::Withdrawn);
                return true;
            }
        }
        self.start(group, finding);
        false
    }

    /// How many findings joined each alert since this was last asked; alerts that none joined are left out.
    pub fn take_joined(&mut self) -> Vec<Joined> {
        let mut joined = std::mem::take(&mut self.ended);
        for (_, group) in &self.order {
            let Some(alert) = self.open.get_mut(group).filter(|alert| alert.joined.count > 0) else { continue };
            joined.push(alert.joined.clone());
            alert.joined.count = 0;
        }
        joined
    }

    /// The same, only of alerts that are over: another one of their key was opened, or they were forgotten.
    pub fn take_ended(&mut self) -> Vec<Joined> {
        std::mem::take(&mut self.ended)
    }

    fn start(&mut self, group: Group, finding: &Finding) {
        self.opened += 1;
        let joined = Joined { detector: Arc::clone(&finding.detector), subject: subject(finding), count: 0 };
        let started = finding.last_event_time;
        let alert = Alert { opener: finding.finding_id, started, number: self.opened, joined };
        let before = self.open.insert(group, alert);
        self.end(before);
        self.order.push_back((self.opened, group));
        while self.open.len() > self.capacity {
            let (number, group) = self.order.pop_front().expect("every open alert is in the order");
            if self.is_open(number, group) {
                let oldest = self.open.remove(&group);
                self.end(oldest);
            }
        }
        if self.order.len() > 2 * self.capacity {
            let open = &self.open;
            self.order.retain(|(number, group)| open.get(group).is_some_and(|alert| alert.number == *number));
        }
    }

    fn is_open(&self, number: u64, group: Group) -> bool {
        self.open.get(&group).is_some_and(|alert| alert.number == number)
    }

    fn end(&mut self, alert: Option<Alert>) {
        self.ended.extend(alert.map(|alert| alert.joined).filter(|joined| joined.count > 0));
    }
}

fn subject(finding: &Finding) -> String {
    let values: Vec<String> = finding
        .keys
        .iter()
        .map(|(_, value)| match value {
            Value::Text(text) => shorten(text, SUBJECT_COLUMNS),
            other => other.to_string(),
        })
        .collect();
    shorten(&values.join(", "), SUBJECT_COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{columns, detector, numbered, text};

    fn from(number: u8, key: &str, minute: i64) -> Finding {
        let mut finding = numbered(number);
        finding.keys = columns(vec![("source_ip", text(key))]);
        finding.last_event_time = minute * 60_000_000;
        finding.detector = Arc::new(DetectorInfo { suppress: Some(10 * 60_000_000), ..detector() });
        finding
    }

    fn counts(joined: &[Joined]) -> Vec<(&str, u64)> {
        joined.iter().map(|joined| (joined.subject.as_str(), joined.count)).collect()
    }

    #[test]
    fn findings_within_the_time_join_the_first() {
        let mut alerts = Alerts::default();
        assert!(!alerts.joins(&from(1, "a", 100)));
        assert!(alerts.joins(&from(2, "a", 105)));
        assert!(alerts.joins(&from(3, "a", 95)));
        assert!(!alerts.joins(&from(4, "b", 105)));
        assert_eq!(counts(&alerts.take_joined()), [("a", 2)]);
        assert!(alerts.joins(&from(5, "a", 110)));
        assert!(alerts.take_ended().is_empty());
        assert!(!alerts.joins(&from(6, "a", 111)));
        assert_eq!(counts(&alerts.take_ended()), [("a", 1)]);
        assert!(alerts.take_joined().is_empty());
    }

    #[test]
    fn later_states_are_not_counted() {
        let mut alerts = Alerts::default();
        let opener = from(1, "a", 100);
        assert!(!alerts.joins(&opener));
        assert!(!alerts.joins(&Finding { revision: 2, state: State::Final, ..opener }));
        let second = from(2, "a", 101);
        assert!(alerts.joins(&second));
        assert!(alerts.joins(&Finding { revision: 2, state: State::Final, ..second }));
        assert_eq!(counts(&alerts.take_joined()), [("a", 1)]);
    }

    #[test]
    fn without_suppress_every_finding_is_an_alert() {
        let mut alerts = Alerts::default();
        assert!(!alerts.joins(&numbered(1)));
        assert!(!alerts.joins(&numbered(2)));
    }

    #[test]
    fn memory_is_bounded_and_no_count_is_lost() {
        let mut alerts = Alerts::new(3);
        for round in 0..100 {
            for key in ["a", "b", "c", "d", "hot", "hot"] {
                alerts.joins(&from(round, key, i64::from(round) * 30));
                alerts.joins(&from(100 + round, key, i64::from(round) * 30));
            }
            assert!(alerts.open.len() <= 3 && alerts.order.len() <= 6);
        }
        let joined = alerts.take_joined();
        // Of each key and round one finding opens and one joins; of the hot key the third joins, the fourth is the opener's.
        let total: u64 = joined.iter().map(|joined| joined.count).sum();
        assert_eq!(total, 100 * 6);
    }
}
