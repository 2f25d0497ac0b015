//! From when to when a version of a detector is live.

/// The event times for which a version of a detector is live, microseconds. One that was there from the start and is
/// there still is live [`Lifetime::ALWAYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// The first event time.
    pub from: i64,
    /// The first event time after it; `i64::MAX` for no end.
    pub to: i64,
}

impl Lifetime {
    /// No beginning and no end.
    pub const ALWAYS: Self = Self { from: i64::MIN, to: i64::MAX };

    /// Whether a record of this event time is the version's.
    #[must_use]
    pub fn contains(&self, event_time: i64) -> bool {
        self.from <= event_time && event_time < self.to
    }
}
