//! Columns that detectors ask the decoder for.

use crate::json::PathStep;

/// The type of a column, as a detector sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// A JSON value kept as its compact text; `->` and `->>` reach into it.
    Json,
    /// 64-bit signed integer.
    Integer,
    /// 64-bit floating point.
    Float,
    /// True or false.
    Boolean,
    /// Microseconds since the epoch, UTC.
    Time,
}

impl ColumnType {
    /// The Arrow type of the column. Times are `Timestamp(Microsecond, None)`: all times here are UTC.
    #[must_use]
    pub fn arrow(self) -> arrow::datatypes::DataType {
        use arrow::datatypes::{DataType, TimeUnit};
        match self {
            Self::Text | Self::Json => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }
}

/// Where a requested column's values come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnSource {
    /// A column of the stream, by its name (system columns such as `_topic` too).
    Column(String),
    /// The text (`->>`) at a path below a JSON column of the stream.
    Path(String, Vec<PathStep>),
    /// What a table has for the record. The decoder is not asked for it.
    LookUp(LookUpSource),
}

/// What is taken of a look-up, which is known by a name: `functions[principal]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LookUpSource {
    /// This column of the row that is found.
    Column(String, String),
    /// Whether a row is found: a text if so, else NULL.
    Found(String),
    /// Whether the table has any row at the record's time: a text if so, else NULL.
    Any(String),
}

impl LookUpSource {
    /// The look-up's name.
    #[must_use]
    pub fn look_up(&self) -> &str {
        match self {
            Self::Column(look_up, _) | Self::Found(look_up) | Self::Any(look_up) => look_up,
        }
    }
}

/// One column that live detectors read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnRequest {
    /// Where the values come from.
    pub source: ColumnSource,
    /// The type it is delivered in.
    pub column_type: ColumnType,
}

impl ColumnRequest {
    /// The column's name in a batch: the stream's own, `request->'tags'->>'env'` for a path, `functions[principal].owner`
    /// for a look-up.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.source {
            ColumnSource::Column(name) => name.clone(),
            ColumnSource::Path(column, path) => {
                let mut name = column.clone();
                for (i, step) in path.iter().enumerate() {
                    name.push_str(if i + 1 == path.len() { "->>" } else { "->" });
                    match step {
                        PathStep::Key(key) => name.push_str(&format!("'{}'", key.replace('\'', "''"))),
                        PathStep::Index(index) => name.push_str(&index.to_string()),
                    }
                }
                name
            }
            ColumnSource::LookUp(LookUpSource::Column(look_up, column)) => format!("{look_up}.{column}"),
            ColumnSource::LookUp(LookUpSource::Found(look_up)) => look_up.clone(),
            ColumnSource::LookUp(LookUpSource::Any(look_up)) => format!("{look_up}.*"),
        }
    }

    /// Whether it is what a table has for the record, which the decoder does not know.
    #[must_use]
    pub fn is_looked_up(&self) -> bool {
        matches!(self.source, ColumnSource::LookUp(_))
    }
}
