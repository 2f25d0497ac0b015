//! When which attack starts.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::AttackKind;
use crate::random::Random;
use crate::settings::{AttackPlan, PlannedAttack, Settings};

/// Attacks to come.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// When the next one is due, microseconds; none if none comes.
    pub next: Option<i64>,
    listed: Vec<PlannedAttack>,
    /// Kinds in turn.
    order: VecDeque<AttackKind>,
}

impl Schedule {
    pub(crate) fn new(settings: &Settings, random: &mut Random) -> Self {
        let fits = |kind: &AttackKind| settings.streams.contains(&kind.stream());
        let mut order: VecDeque<AttackKind> = AttackKind::all().filter(fits).collect();
        for place in 1..order.len() {
            order.swap(place, random.below(place + 1));
        }
        let mut listed = Vec::new();
        let next = match &settings.attacks {
            AttackPlan::None => None,
            AttackPlan::Every(interval) => Some(settings.start.saturating_add(interval / 2)),
            AttackPlan::List(list) => {
                listed = list.iter().copied().filter(|attack| fits(&attack.kind)).collect();
                listed.sort_by_key(|attack| Reverse(attack.at));
                listed.last().map(|attack| settings.start.saturating_add(attack.at))
            }
        };
        Self { next, listed, order }
    }

    /// The attack that is due, if it is; sets the time of the next one.
    pub(crate) fn due(&mut self, settings: &Settings, now: i64) -> Option<AttackKind> {
        if let Some(attack) = self.listed.pop() {
            self.next = self.listed.last().map(|attack| settings.start.saturating_add(attack.at));
            return Some(attack.kind);
        }
        let AttackPlan::Every(interval) = settings.attacks else {
            self.next = None;
            return None;
        };
        self.next = Some(now.saturating_add(interval.max(1)));
        let kind = self.order.pop_front()?;
        self.order.push_back(kind);
        Some(kind)
    }

    /// The kind that was due last takes too long for what is left of the run, and so it will later.
    pub(crate) fn drop_last(&mut self) {
        self.order.pop_back();
    }
}
