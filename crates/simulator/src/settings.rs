//! What a simulation is asked for.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::attacks::AttackKind;

/// A log that the estate writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// The account's audit log, AWS `CloudTrail`.
    CloudTrail,
    /// What functions write, and what the platform says of them.
    Lambda,
    /// Access logs of the APIs before the functions.
    Api,
}

impl StreamKind {
    /// All streams, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 3] = [Self::CloudTrail, Self::Lambda, Self::Api];

    /// Its name: that of the stream, the topic and the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::Lambda => "lambda",
            Self::Api => "api",
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its share of all records when all streams are written.
    pub(crate) fn share(self) -> f64 {
        match self {
            Self::CloudTrail => 0.5,
            Self::Lambda => 0.3,
            Self::Api => 0.2,
        }
    }
}

impl FromStr for StreamKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|stream| stream.name() == text);
        found.ok_or_else(|| format!("`{text}` is no simulated stream: write cloudtrail, lambda or api"))
    }
}

/// One attack, and when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedAttack {
    /// Microseconds of simulated time after the start.
    pub at: i64,
    /// What is done.
    pub kind: AttackKind,
}

/// Which attacks are placed among ordinary records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttackPlan {
    /// None: an ordinary day.
    None,
    /// One attack each so many microseconds of simulated time, the first after half of that. Each kind that fits the
    /// streams comes once before any comes twice, in an order that the seed decides.
    /// None is started that would not be over when the run ends.
    Every(i64),
    /// Exactly these; those of streams that are not written are left out.
    List(Vec<PlannedAttack>),
}

/// How far the order in which records reach their log differs from the order of what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disorder {
    /// Mean time between what happened and its record, microseconds. The other streams take at most a quarter of it.
    pub typical: i64,
    /// Share of audit records that come later than that, from 0 to 1.
    pub late_share: f64,
    /// The most that a late audit record may take, microseconds.
    pub late_max: i64,
    /// Share of audit records that are written a second time, identical, from 0 to 1.
    pub duplicate_share: f64,
}

impl Default for Disorder {
    fn default() -> Self {
        Self { typical: 2_000_000, late_share: 0.01, late_max: 240_000_000, duplicate_share: 0.001 }
    }
}

impl Disorder {
    /// Records in order, each as it happens, none twice.
    pub const NONE: Self = Self { typical: 0, late_share: 0.0, late_max: 0, duplicate_share: 0.0 };
}

/// What a simulation is asked for. Times are microseconds since the epoch, UTC, or microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The same settings with the same seed give the same bytes.
    pub seed: u64,
    /// Where simulated time starts. A run faster than time itself must start in the past.
    pub start: i64,
    /// How many records, if there is an end by number.
    pub records: Option<u64>,
    /// How long simulated time goes on, if there is an end by time.
    pub duration: Option<i64>,
    /// Records per second of simulated time, all streams together. Not more than 0 or not finite: one is taken.
    pub rate: f64,
    /// The streams to write. None: all.
    pub streams: Vec<StreamKind>,
    /// The attacks.
    pub attacks: AttackPlan,
    /// Disorder, lateness and copies.
    pub disorder: Disorder,
}

impl Settings {
    /// 1,000 records a second on all streams without end, an attack each 15 seconds.
    #[must_use]
    pub fn new(seed: u64, start: i64) -> Self {
        Self {
            seed,
            start,
            records: None,
            duration: None,
            rate: 1000.0,
            streams: StreamKind::ALL.to_vec(),
            attacks: AttackPlan::Every(15_000_000),
            disorder: Disorder::default(),
        }
    }
}
