//! The values of a table's columns, out of what its file says.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use watchfire_record::{ColumnType, json, time};

/// Builds one column.
pub enum Cells {
    /// Of texts.
    Text(StringBuilder),
    /// Of JSON, as its compact text.
    Json(StringBuilder),
    /// Of whole numbers.
    Integer(Int64Builder),
    /// Of other numbers.
    Float(Float64Builder),
    /// Of truth values.
    Boolean(BooleanBuilder),
    /// Of times.
    Time(TimestampMicrosecondBuilder),
}

impl Cells {
    /// An empty column of a type.
    pub fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text => Self::Text(StringBuilder::new()),
            ColumnType::Json => Self::Json(StringBuilder::new()),
            ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Float => Self::Float(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Time => Self::Time(TimestampMicrosecondBuilder::new()),
        }
    }

    /// Adds a value by its text; `None` is NULL.
    ///
    /// # Errors
    /// If the text is no value of the column's type: what is expected.
    pub fn push(&mut self, text: Option<&str>) -> Result<(), &'static str> {
        let Some(text) = text else {
            self.push_null();
            return Ok(());
        };
        match self {
            Self::Text(cells) => cells.append_value(text),
            Self::Json(cells) => {
                let value = json::parse(text).map_err(|_| "JSON")?;
                cells.append_value(value.to_string());
            }
            Self::Integer(cells) => cells.append_value(text.parse().map_err(|_| "a whole number of 64 bits")?),
            Self::Float(cells) => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                cells.append_value(number.ok_or("a number")?);
            }
            Self::Boolean(cells) => cells.append_value(match text {
                _ if text.eq_ignore_ascii_case("true") => true,
                _ if text.eq_ignore_ascii_case("false") => false,
                _ => return Err("true or false"),
            }),
            Self::Time(cells) => {
                cells.append_value(time::parse(text).ok_or("a time, as in 2026-01-01T00:00:00Z")?);
            }
        }
        Ok(())
    }

    /// Adds a value of a JSON line; `None` and `null` are NULL.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_json(&mut self, value: Option<&serde_json::Value>) -> Result<(), &'static str> {
        match (self, value) {
            (Self::Json(cells), Some(value)) if !value.is_null() => {
                cells.append_value(value.to_string());
                Ok(())
            }
            (cells, value) => cells.push(value.and_then(json::text).as_deref()),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Text(cells) | Self::Json(cells) => cells.append_null(),
            Self::Integer(cells) => cells.append_null(),
            Self::Float(cells) => cells.append_null(),
            Self::Boolean(cells) => cells.append_null(),
            Self::Time(cells) => cells.append_null(),
        }
    }

    /// The column.
    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(cells) | Self::Json(cells) => Arc::new(cells.finish()),
            Self::Integer(cells) => Arc::new(cells.finish()),
            Self::Float(cells) => Arc::new(cells.finish()),
            Self::Boolean(cells) => Arc::new(cells.finish()),
            Self::Time(cells) => Arc::new(cells.finish()),
        }
    }
}
