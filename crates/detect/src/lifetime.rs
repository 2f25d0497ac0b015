//! From when to when a version of a detector is live.

/// The event times for which a version of a detector is live, microseconds. One that was there from the start and is
/// there still is live [`Lifetime::ALWAYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// The first event time.
    pub from: i64,
    /// The first event time after it; `i64::MAX` for no end.
    pub to: i64,
    /// From which event time on its operator has all records: before `from`, if it goes on with an earlier one's state.
    pub since: i64,
}

impl Lifetime {
    /// No beginning and no end.
    pub const ALWAYS: Self = Self { from: i64::MIN, to: i64::MAX, since: i64::MIN };

    /// Whether what happens, or begins, at this event time is the version's.
    #[must_use]
    pub fn contains(&self, event_time: i64) -> bool {
        self.from <= event_time && event_time < self.to
    }

    /// Whether all event times from the first to the last are.
    #[must_use]
    pub fn contains_all(&self, (first, last): (i64, i64)) -> bool {
        self.contains(first) && self.contains(last)
    }
}

/// What a version of a detector finds, by when it is live and has learned.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    lifetime: Lifetime,
    /// How long it learns, microseconds.
    learn: i64,
    /// What happens before it is no finding, microseconds.
    silent_until: i64,
}

impl Term {
    /// Live always, and silent for so long after the stream's first record, microseconds.
    #[must_use]
    pub fn new(learn: i64) -> Self {
        Self { lifetime: Lifetime::ALWAYS, learn, silent_until: i64::MIN }
    }

    /// It is live for these event times.
    pub fn live(&mut self, lifetime: Lifetime) {
        self.lifetime = lifetime;
    }

    /// The stream's records begin at this event time, microseconds: one that learns is silent for a while after it, or
    /// after its state begins.
    pub fn begin(&mut self, earliest: i64) {
        if self.learn > 0 {
            self.silent_until = earliest.max(self.lifetime.since).saturating_add(self.learn);
        }
    }

    /// Whether what happens, or begins, at this event time is its own to find.
    #[must_use]
    pub fn finds(&self, event_time: i64) -> bool {
        event_time >= self.silent_until && self.lifetime.contains(event_time)
    }

    /// The first event time after it; `i64::MAX` for no end.
    #[must_use]
    pub fn to(&self) -> i64 {
        self.lifetime.to
    }
}

/// A part of an operator that belongs to one version of a detector.
pub trait OfVersion {
    /// The version's number.
    fn slot(&self) -> u32;
    /// When it is live.
    fn term(&mut self) -> &mut Term;
}

/// Says to each part when its version is live, and lets those go whose versions have.
pub fn live_parts<P: OfVersion>(parts: &mut Vec<P>, live: &[(u32, Lifetime)]) {
    parts.retain_mut(|part| {
        let slot = part.slot();
        let known = live.iter().find(|(other, _)| *other == slot);
        known.inspect(|(_, lifetime)| part.term().live(*lifetime)).is_some()
    });
}
