//! The built-in stream `activity`: what each declared source did in each minute.

use crate::column::ColumnType;
use crate::json::PathStep;
use crate::stream::{ColumnDefinition, Envelope, Format, Stream};

/// The stream's name.
pub const NAME: &str = "activity";
/// How long a row's time is, microseconds.
pub const MINUTE: i64 = 60_000_000;
/// The kind of a source that is a partition.
pub const PARTITION: &str = "partition";

/// The columns, in the order of `SELECT *`; all but `event_id` and `raw` are members of the row's JSON.
const COLUMNS: [(&str, ColumnType); 8] = [
    ("event_time", ColumnType::Time),
    ("event_id", ColumnType::Text),
    ("stream", ColumnType::Text),
    ("kind", ColumnType::Text),
    ("source", ColumnType::Text),
    ("records", ColumnType::Integer),
    ("observed", ColumnType::Boolean),
    ("raw", ColumnType::Text),
];

/// Sources that a stream declares: values of one of its columns. Only these have rows, so that nobody who writes log lines
/// can make more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The column, a text.
    pub column: String,
    /// Its values, each once.
    pub values: Vec<String>,
}

impl Sources {
    /// What such a source is, as rows say it.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self.column.as_str() {
            "account_id" => "account",
            "function_name" => "function",
            other => other,
        }
    }
}

impl Stream {
    /// What each declared source of the other streams did in each minute. Its rows are made by the engine; written down,
    /// they are records of this stream too.
    #[must_use]
    pub fn activity() -> Self {
        let column = |(name, column_type): (&str, ColumnType)| {
            let path = if matches!(name, "event_id" | "raw") { Vec::new() } else { vec![PathStep::Key(name.into())] };
            ColumnDefinition { name: name.into(), column_type, path }
        };
        Self {
            envelope: Envelope::None,
            format: Format::Json,
            // Rows are made in order of time.
            lateness: 0,
            identity: ["stream", "kind", "source"].map(String::from).to_vec(),
            ..Self::declared(NAME, COLUMNS.map(column).to_vec())
        }
    }

    /// Whether any source of it has rows in `activity`.
    #[must_use]
    pub fn has_sources(&self) -> bool {
        self.partition_sources || !self.sources.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_as_the_field_names_them() {
        let kind = |column: &str| Sources { column: column.into(), values: Vec::new() }.kind().to_owned();
        assert_eq!(["account_id", "function_name", "stage"].map(kind), ["account", "function", "stage"]);
    }

    #[test]
    fn a_row_is_known_by_whose_it_is() {
        let stream = Stream::activity();
        assert!(stream.identity.iter().all(|name| stream.column_type(name) == Some(ColumnType::Text)));
        assert_eq!(stream.column_type("observed"), Some(ColumnType::Boolean));
        assert!(!stream.has_sources());
    }
}
