//! What one version of a detector finds among the rows of a range, whose state it may have in common with the version
//! before it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Field;
use arrow::row::RowConverter;
use datafusion_common::Result;
use watchfire_record::{ColumnRequest, DetectorInfo, Stream};

use super::fold::Total;
use super::input::row_converter;
use super::post::Post;
use crate::detector::{Detector, identity_names};
use crate::expression::schema_of;
use crate::lifetime::{OfVersion, Term};
use crate::plan::Aggregate;

/// A version's part after the aggregates of a range are known.
pub struct RangeVersion {
    slot: u32,
    /// What its findings carry.
    pub info: Arc<DetectorInfo>,
    /// Its QUALIFY, row and keys.
    pub post: Post,
    /// What it needs of a row; nothing by name, where the rows are of windows: all of their columns.
    pub columns: Vec<ColumnRequest>,
    /// These as comparable bytes.
    pub payload: RowConverter,
    /// Places, among a row's columns, of those by which it is known.
    pub identity: Vec<usize>,
    /// Which rows are its own.
    pub term: Term,
}

impl RangeVersion {
    /// The part of a version, by its slot.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    ///
    /// # Panics
    /// If `row_columns` left out an identity column.
    pub fn new(slot: u32, detector: &Detector, aggregates: &[Aggregate], stream: &Stream) -> Result<Self> {
        let columns = detector.row_columns(stream);
        let place = |name: &String| columns.iter().position(|c| c.name() == *name).expect("row_columns names it");
        Ok(Self {
            slot,
            info: Arc::clone(&detector.info),
            post: Post::new(&detector.plan, schema_of(&columns), &detector.plan.keys, aggregates)?,
            payload: row_converter(columns.iter().map(|column| column.column_type.arrow()))?,
            identity: identity_names(stream).iter().map(place).collect(),
            term: Term::new(detector.learn),
            columns,
        })
    }

    /// The same of a range over windows, whose rows have these columns: the window's start, so many keys, and more.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn of_windows(slot: u32, detector: &Detector, fields: Vec<Field>, keys: usize) -> Result<Self> {
        Ok(Self {
            slot,
            info: Arc::clone(&detector.info),
            post: Post::new(&detector.plan, fields, &detector.plan.keys, detector.plan.operator.aggregates())?,
            columns: Vec::new(),
            payload: row_converter([])?,
            identity: (1..=keys).collect(),
            term: Term::new(detector.learn),
        })
    }
}

impl RangeVersion {
    /// Rows with these columns, before each of which no other counts.
    #[must_use]
    pub fn first_rows(&self, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
        let totals = self.post.totals(rows, |_, _| Total::Count(0));
        let all: Vec<u32> = (0u32..).take(rows).collect();
        self.post.batch(columns, &totals, &all)
    }
}

impl OfVersion for RangeVersion {
    fn slot(&self) -> u32 {
        self.slot
    }

    fn term(&mut self) -> &mut Term {
        &mut self.term
    }
}

/// The place of the version in whose time a row lies, or of the last one. They are in the order of their times.
#[must_use]
pub fn place_of(versions: &[RangeVersion], time: i64) -> usize {
    let last = versions.len().saturating_sub(1);
    versions[..last].iter().position(|version| time < version.term.to()).unwrap_or(last)
}
