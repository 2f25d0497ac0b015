//! One detector among those that share a window operator: what it finds in the windows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::{ColumnType, DetectorInfo, Finding, State, Value};

use super::ends::Ends;
use super::firing::Firing;
use super::post::{Early, NamedValues, Post};
use super::recent::Recent;
use super::record_table::RecordTable;
use crate::detector::Detector;
use crate::expression::{Expression, schema, schema_of};
use crate::lifetime::{OfVersion, Term};
use crate::plan::{Aggregate, WINDOW_COLUMN, key_column};
use crate::value::{Subject, finding_id};

/// A detector's part after the windows' aggregates are known.
pub struct Member {
    slot: u32,
    info: Arc<DetectorInfo>,
    /// Its HAVING, row and keys.
    pub post: Post,
    /// Which windows, by their starts, are its own.
    pub term: Term,
    /// Whether it fires before windows are final.
    pub fires_early: bool,
    /// What has fired and is not final.
    pub firing: Firing,
    /// What of that was just told.
    pub recent: Recent,
}

/// The types of the keys of a detector whose plan has a window.
///
/// # Errors
/// If an expression does not fit, which planning rules out.
pub fn key_types(detector: &Detector) -> Result<Vec<DataType>> {
    let columns = schema(schema_of(&detector.reads().row_columns));
    detector.reads().keys.iter().map(|(_, expr)| Ok(Expression::compile(expr, &columns)?.data_type())).collect()
}

impl Member {
    /// The part of this detector, in the version of this slot, whose keys have these types.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(
        slot: u32,
        detector: &Detector,
        key_types: &[DataType],
        aggregates: &[Aggregate],
        fires_early: bool,
    ) -> Result<Self> {
        let window = Field::new(WINDOW_COLUMN, ColumnType::Time.arrow(), false);
        let key = |(index, value_type): (usize, &DataType)| Field::new(key_column(index), value_type.clone(), true);
        let fields = std::iter::once(window).chain(key_types.iter().enumerate().map(key)).collect();
        let names = detector.plan.keys.iter().map(|(name, _)| name.clone());
        let keys: Vec<(String, Expr)> =
            names.enumerate().map(|(index, name)| (name, crate::plan::own_column(key_column(index)))).collect();
        let post = Post::new(&detector.plan, fields, &keys, aggregates)?;
        Ok(Self {
            slot,
            info: Arc::clone(&detector.info),
            fires_early: fires_early && post.early() == Early::Lasting,
            post,
            term: Term::new(detector.learn),
            firing: Firing::default(),
            recent: Recent::default(),
        })
    }

    /// What it finds in the window of this start and size that rests on these records.
    #[must_use]
    pub fn finding(
        &self,
        start: i64,
        size: i64,
        ends: &Ends,
        records: &RecordTable,
        (row, keys): (NamedValues, NamedValues),
    ) -> Finding {
        let key_values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
        let (first_event_time, last_event_time) = ends.times(records);
        Finding {
            finding_id: finding_id(&self.info.name, "window", size, &key_values, Subject::Window(start)),
            revision: 0,
            state: State::Final,
            detector: Arc::clone(&self.info),
            window: Some(start),
            window_end: Some(start.saturating_add(size)),
            keys,
            row,
            first_event_time,
            last_event_time,
            evidence: ends.records.iter().map(|record| records.evidence(*record)).collect(),
            complete: true,
            caused_at: ends.caused_at,
        }
    }
}

impl OfVersion for Member {
    fn slot(&self) -> u32 {
        self.slot
    }

    fn term(&mut self) -> &mut Term {
        &mut self.term
    }
}
