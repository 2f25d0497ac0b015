//! Streams: what is declared once of a log, and the built-in ones.

use std::collections::BTreeMap;

use crate::activity::{MINUTE, Sources};
use crate::column::ColumnType;
use crate::json::PathStep;

/// How records of a stream are laid out: which columns are computed by rule and which are read by path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// AWS `CloudTrail`.
    CloudTrail,
    /// AWS Lambda application logs and platform telemetry.
    Lambda,
    /// API Gateway access logs.
    Api,
    /// Any JSON object; every column is a path.
    Json,
}

/// Whether payloads are looked at for envelopes around their records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Envelope {
    /// Told apart by content, per record.
    Auto,
    /// A payload is one record, or an array of records.
    None,
}

/// One column of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Its name in SQL.
    pub name: String,
    /// Its type in SQL.
    pub column_type: ColumnType,
    /// Where its value is in the record. Empty for columns that the stream's format computes.
    pub path: Vec<PathStep>,
}

/// A stream: a table that grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The table's name.
    pub name: String,
    /// The Kafka topic that it is read from.
    pub topic: String,
    /// How records are laid out.
    pub format: Format,
    /// Whether envelopes are looked for.
    pub envelope: Envelope,
    /// How much later than the newest a record may come and still count, microseconds.
    pub lateness: i64,
    /// After how long without records a partition no longer holds the watermark back, microseconds.
    pub idle: i64,
    /// How far beyond the broker's timestamp an event time may lie and still count, microseconds.
    pub skew: i64,
    /// Columns in which two copies of one record are equal. Empty: no record is a copy of another.
    pub identity: Vec<String>,
    /// All columns but the system's, in the order of `SELECT *`.
    pub columns: Vec<ColumnDefinition>,
    /// Whose rows the stream `activity` has.
    pub sources: Vec<Sources>,
    /// Whether its Kafka partitions have such rows too.
    pub partition_sources: bool,
    /// By column: values that its log is known to have besides those of its format. For the checks of rules alone.
    pub known: BTreeMap<String, Vec<String>>,
}

/// Columns that every stream has after its own: name and type.
pub const SYSTEM_COLUMNS: [(&str, ColumnType); 6] = [
    ("_topic", ColumnType::Text),
    ("_partition", ColumnType::Integer),
    ("_offset", ColumnType::Integer),
    ("_index", ColumnType::Integer),
    ("_watermark", ColumnType::Time),
    ("_flags", ColumnType::Text),
];

const CLOUDTRAIL: &[(&str, ColumnType)] = &[
    ("event_time", ColumnType::Time),
    ("event_id", ColumnType::Text),
    ("event_name", ColumnType::Text),
    ("action", ColumnType::Text),
    ("event_source", ColumnType::Text),
    ("region", ColumnType::Text),
    ("account_id", ColumnType::Text),
    ("source_ip", ColumnType::Text),
    ("user_agent", ColumnType::Text),
    ("error_code", ColumnType::Text),
    ("error_message", ColumnType::Text),
    ("event_type", ColumnType::Text),
    ("event_category", ColumnType::Text),
    ("read_only", ColumnType::Boolean),
    ("user_type", ColumnType::Text),
    ("user_arn", ColumnType::Text),
    ("user_name", ColumnType::Text),
    ("user_account_id", ColumnType::Text),
    ("access_key_id", ColumnType::Text),
    ("issuer_arn", ColumnType::Text),
    ("session_name", ColumnType::Text),
    ("invoked_by", ColumnType::Text),
    ("mfa_used", ColumnType::Boolean),
    ("principal", ColumnType::Text),
    ("request", ColumnType::Json),
    ("response", ColumnType::Json),
    ("additional", ColumnType::Json),
    ("resources", ColumnType::Json),
    ("user_identity", ColumnType::Json),
    ("raw", ColumnType::Text),
];

const LAMBDA: &[(&str, ColumnType)] = &[
    ("event_time", ColumnType::Time),
    ("event_id", ColumnType::Text),
    ("function_name", ColumnType::Text),
    ("request_id", ColumnType::Text),
    ("level", ColumnType::Text),
    ("message", ColumnType::Text),
    ("type", ColumnType::Text),
    ("status", ColumnType::Text),
    ("duration_ms", ColumnType::Float),
    ("billed_ms", ColumnType::Float),
    ("memory_mb", ColumnType::Integer),
    ("max_memory_mb", ColumnType::Integer),
    ("init_ms", ColumnType::Float),
    ("error_type", ColumnType::Text),
    ("record", ColumnType::Json),
    ("raw", ColumnType::Text),
];

const API: &[(&str, ColumnType)] = &[
    ("event_time", ColumnType::Time),
    ("event_id", ColumnType::Text),
    ("api_id", ColumnType::Text),
    ("stage", ColumnType::Text),
    ("request_id", ColumnType::Text),
    ("source_ip", ColumnType::Text),
    ("principal", ColumnType::Text),
    ("method", ColumnType::Text),
    ("path", ColumnType::Text),
    ("resource_path", ColumnType::Text),
    ("status", ColumnType::Integer),
    ("response_bytes", ColumnType::Integer),
    ("latency_ms", ColumnType::Float),
    ("user_agent", ColumnType::Text),
    ("authorizer_error", ColumnType::Text),
    ("raw", ColumnType::Text),
];

impl Stream {
    /// AWS `CloudTrail`, topic `cloudtrail`.
    #[must_use]
    pub fn cloudtrail() -> Self {
        let identity = ["event_id", "event_time", "event_source", "event_name", "user_arn", "source_ip", "error_code"];
        Self::built_in("cloudtrail", Format::CloudTrail, 20 * MINUTE, &identity, CLOUDTRAIL)
    }

    /// AWS Lambda logs, topic `lambda`. A record is a copy of another only if the log event has an id.
    #[must_use]
    pub fn lambda() -> Self {
        Self::built_in("lambda", Format::Lambda, MINUTE, &["event_id"], LAMBDA)
    }

    /// API Gateway access logs, topic `api`.
    #[must_use]
    pub fn api() -> Self {
        Self::built_in("api", Format::Api, MINUTE, &[], API)
    }

    /// The built-in streams: three logs, and what their sources do.
    #[must_use]
    pub fn built_ins() -> Vec<Self> {
        vec![Self::cloudtrail(), Self::lambda(), Self::api(), Self::activity()]
    }

    /// A declared stream of JSON objects; the caller gives its columns, `event_time` among them.
    #[must_use]
    pub fn declared(name: &str, columns: Vec<ColumnDefinition>) -> Self {
        let mut stream = Self::built_in(name, Format::Json, MINUTE, &[], &[]);
        stream.envelope = Envelope::None;
        stream.columns = columns;
        stream
    }

    fn built_in(name: &str, format: Format, lateness: i64, identity: &[&str], columns: &[(&str, ColumnType)]) -> Self {
        Self {
            name: name.into(),
            topic: name.into(),
            format,
            envelope: Envelope::Auto,
            lateness,
            idle: 30_000_000,
            skew: 10 * MINUTE,
            identity: identity.iter().map(|c| (*c).into()).collect(),
            sources: Vec::new(),
            partition_sources: false,
            known: BTreeMap::new(),
            columns: columns
                .iter()
                .map(|(name, column_type)| ColumnDefinition {
                    name: (*name).into(),
                    column_type: *column_type,
                    path: Vec::new(),
                })
                .collect(),
        }
    }

    /// The type of a column, the system's among them.
    #[must_use]
    pub fn column_type(&self, name: &str) -> Option<ColumnType> {
        let own = self.columns.iter().find(|c| c.name == name).map(|c| c.column_type);
        own.or_else(|| SYSTEM_COLUMNS.iter().find(|(n, _)| *n == name).map(|(_, t)| *t))
    }

    /// All columns with their types: the stream's own, then the system's.
    pub fn all_columns(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        let own = self.columns.iter().map(|c| (c.name.as_str(), c.column_type));
        own.chain(SYSTEM_COLUMNS.iter().copied())
    }

    /// The table's Arrow schema; only `event_time`, `event_id` and the position are never NULL.
    #[must_use]
    pub fn schema(&self) -> arrow::datatypes::Schema {
        use arrow::datatypes::Field;
        let never_null = ["event_time", "event_id", "_topic", "_partition", "_offset", "_index", "_flags"];
        let field = |(name, column_type): (&str, ColumnType)| {
            Field::new(name, column_type.arrow(), !never_null.contains(&name))
        };
        arrow::datatypes::Schema::new(self.all_columns().map(field).collect::<Vec<_>>())
    }
}
