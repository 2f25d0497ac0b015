//! What a detector found, as plain data. How it is shown and delivered is `watchfire-finding`'s.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::position::Position;
use crate::time;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Informational,
    /// Worth a look.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Wake somebody.
    Critical,
}

impl Severity {
    /// All, from the mildest.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name in a rule's header and in findings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|s| s.name() == text);
        found.ok_or_else(|| format!("`{text}` is no severity: write one of informational, low, medium, high, critical"))
    }
}

/// What of a detector its findings carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorInfo {
    /// Unique in a deployment: the file's or folder's name.
    pub name: String,
    /// 12 hex digits of the hash of its text.
    pub version: String,
    /// The stream it reads.
    pub stream: String,
    /// One line that says what happened.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// What it looks for, in a sentence or two.
    pub about: String,
    /// What else can cause it.
    pub noise: Option<String>,
    /// What to look at and do next.
    pub response: Option<String>,
    /// How long further findings of one key join one alert, microseconds.
    pub suppress: Option<i64>,
}

/// The identity of a finding: the same on every replay, node and retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FindingId(pub [u8; 16]);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a finding stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Fired before all its records are in.
    New,
    /// Still true, with a newer row.
    Updated,
    /// Its row will not change.
    Final,
    /// An earlier firing that turned out not to be so.
    Withdrawn,
}

impl State {
    /// Its name in findings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Updated => "updated",
            Self::Final => "final",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// One value of a row or key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// True or false.
    Boolean(bool),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer past `i64`.
    Unsigned(u64),
    /// A float; NaN and infinities are written as null.
    Float(f64),
    /// Text.
    Text(String),
    /// Microseconds since the epoch, UTC; written as RFC 3339.
    Time(i64),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Time(micros) => serializer.serialize_str(&time::format(*micros)),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Time(micros) => f.write_str(&time::format(*micros)),
        }
    }
}

/// A record that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The record's id: its source's, or its position.
    pub event_id: String,
    /// Where it is.
    pub position: Position,
    /// When it happened, microseconds since the epoch, UTC.
    pub event_time: i64,
}

/// One row that a detector's SQL returned, in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which finding.
    pub finding_id: FindingId,
    /// Counts its states from 1.
    pub revision: u32,
    /// Where it stands.
    pub state: State,
    /// Whose.
    pub detector: Arc<DetectorInfo>,
    /// Start of its window or range, microseconds since the epoch, UTC; `None` for match.
    pub window: Option<i64>,
    /// End of its window or range, microseconds since the epoch, UTC; `None` for match.
    pub window_end: Option<i64>,
    /// What the detector groups by, name and value.
    pub keys: Vec<(Arc<str>, Value)>,
    /// The row that the SQL returned, in its order.
    pub row: Vec<(Arc<str>, Value)>,
    /// Event time of its first record, microseconds since the epoch, UTC.
    pub first_event_time: i64,
    /// Event time of its last record, microseconds since the epoch, UTC.
    pub last_event_time: i64,
    /// First and last records.
    pub evidence: Vec<Evidence>,
    /// False if a limit touched what it is made of.
    pub complete: bool,
    /// The broker's timestamp of the record that made it fire, microseconds: what latency is measured from.
    pub caused_at: i64,
}
