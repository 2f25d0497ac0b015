//! What was done to the estate: what a detector's findings are compared with.

use serde::{Deserialize, Serialize};

use crate::settings::StreamKind;

/// One attack, as far as its records were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Its number in the run, from 0; [`Record::attack`](crate::Record::attack) of its records.
    pub id: u32,
    /// The kind of attack.
    pub name: String,
    /// What happens, in a line.
    pub title: String,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// Shipped detectors that should find it.
    pub detectors: Vec<String>,
    /// Shipped detectors that may find something in it as well.
    pub related: Vec<String>,
    /// The stream that shows it.
    pub stream: StreamKind,
    /// Who seems to do it, as the column `principal` says it; none in the application's own logs.
    pub principal: Option<String>,
    /// From where, if its records say so.
    pub source_ip: Option<String>,
    /// The function it is about, if it is about one.
    pub function_name: Option<String>,
    /// Time of its first record so far, microseconds in memory, RFC 3339 in files.
    #[serde(with = "moment")]
    pub first_event_time: i64,
    /// Time of its last record so far, microseconds in memory, RFC 3339 in files.
    #[serde(with = "moment")]
    pub last_event_time: i64,
    /// Records written so far, copies not counted.
    pub records: u64,
    /// Records there will be in all.
    pub planned: u64,
    /// Their event ids; in the lambda and api streams, the requests' ids.
    pub event_ids: Vec<String>,
}

impl Truth {
    /// Whether all its records are written.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.records == self.planned
    }
}

mod moment {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use watchfire_record::time;

    pub(super) fn serialize<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::format(*micros))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        time::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no RFC 3339 time")))
    }
}
