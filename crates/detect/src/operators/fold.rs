//! One aggregate's value as it grows, and columns of such values.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, new_null_array};
use arrow::row::RowConverter;
use datafusion_common::Result;
use watchfire_record::limits::DISTINCT_VALUES;

use super::distinct::DistinctValues;
use super::input::{AggregateInput, Values, row_converter};
use crate::plan::aggregates::Tally;
use crate::plan::{Aggregate, AggregateKind};

/// The value of one aggregate over the rows of a group.
#[derive(Debug)]
pub enum Fold {
    /// Rows that count.
    Count(i64),
    /// Different values, as many as are kept.
    Distinct(DistinctValues),
    /// Sum and number.
    Tally(Box<Tally>),
    /// The least or greatest value, as comparable bytes.
    Extreme(Option<Box<[u8]>>),
}

/// What an aggregate comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Total {
    /// A count.
    Count(i64),
    /// Of a sum, an average, or whether all or any are true.
    Tally(Tally),
    /// A value as comparable bytes; `None` for NULL.
    Extreme(Option<Box<[u8]>>),
}

/// What one aggregate comes to in several rows.
#[derive(Debug)]
pub enum Totals {
    /// Counts, of which there are many.
    Counts(Vec<i64>),
    /// Anything else.
    Others(Vec<Total>),
}

impl Totals {
    /// None yet.
    #[must_use]
    pub fn new(kind: &AggregateKind) -> Self {
        if kind.can_be_null() { Self::Others(Vec::new()) } else { Self::Counts(Vec::new()) }
    }

    /// Adds the next row's.
    pub fn push(&mut self, total: Total) {
        match (self, total) {
            (Self::Counts(counts), Total::Count(count)) => counts.push(count),
            (Self::Counts(counts), _) => counts.push(0),
            (Self::Others(totals), total) => totals.push(total),
        }
    }
}

impl Default for Fold {
    fn default() -> Self {
        Self::Count(0)
    }
}

impl Fold {
    /// The value over no rows.
    #[must_use]
    pub fn new(kind: &AggregateKind) -> Self {
        match kind {
            AggregateKind::Count => Self::Count(0),
            AggregateKind::CountDistinct => Self::Distinct(DistinctValues::default()),
            AggregateKind::Sum | AggregateKind::Average | AggregateKind::All | AggregateKind::Any => {
                Self::Tally(Box::default())
            }
            AggregateKind::Least | AggregateKind::Greatest => Self::Extreme(None),
        }
    }

    /// Takes rows in.
    pub fn add(&mut self, kind: &AggregateKind, input: &AggregateInput, rows: impl ExactSizeIterator<Item = u32>) {
        let all = rows.len();
        let counted = rows.filter(|row| input.counts(*row));
        match (self, &input.values) {
            (Self::Count(count), _) => {
                let more = if input.counted.is_some() { counted.count() } else { all };
                *count += i64::try_from(more).expect("a batch has fewer than 2^32 rows");
            }
            (Self::Distinct(values), Values::Grouped(groups)) => {
                counted.for_each(|row| values.insert(groups.hashes[groups.of_row[row as usize] as usize]));
            }
            (Self::Tally(tally), Values::Integers(values)) => counted.for_each(|row| tally.add(values[row as usize])),
            (Self::Extreme(kept), Values::Ordered(rows)) => counted.for_each(|row| {
                let value = rows.row(row as usize).data();
                if kept.as_deref().is_none_or(|kept| beats(kind, value, kept)) {
                    *kept = Some(value.into());
                }
            }),
            _ => {}
        }
    }

    /// Takes in what another one of the same aggregate has.
    pub fn merge(&mut self, kind: &AggregateKind, other: &Self) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Distinct(values), Self::Distinct(more)) => more.for_each(|value| values.insert(value)),
            (Self::Tally(tally), Self::Tally(more)) => tally.merge(more),
            (Self::Extreme(kept), Self::Extreme(Some(value)))
                if kept.as_deref().is_none_or(|kept| beats(kind, value, kept)) =>
            {
                *kept = Some(value.clone());
            }
            _ => {}
        }
    }

    /// What it comes to, if it is a count; else 0.
    #[must_use]
    pub fn count(&self) -> i64 {
        match self {
            Self::Count(count) => *count,
            Self::Distinct(values) => i64::try_from(values.len()).unwrap_or(i64::MAX),
            Self::Tally(_) | Self::Extreme(_) => 0,
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn total(&self) -> Total {
        match self {
            Self::Count(count) => Total::Count(*count),
            Self::Distinct(values) => Total::Count(i64::try_from(values.len()).unwrap_or(i64::MAX)),
            Self::Tally(tally) => Total::Tally(**tally),
            Self::Extreme(value) => Total::Extreme(value.clone()),
        }
    }

    /// Bytes that it takes besides itself, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Count(_) | Self::Extreme(None) => 0,
            Self::Distinct(values) => values.bytes(),
            Self::Tally(_) => size_of::<Tally>(),
            Self::Extreme(Some(value)) => value.len(),
        }
    }

    /// Whether values may be missing, as there were too many.
    #[must_use]
    pub fn saturated(&self) -> bool {
        matches!(self, Self::Distinct(values) if values.len() >= DISTINCT_VALUES)
    }
}

/// Whether `value` takes the place of `kept`; both as comparable bytes.
#[must_use]
pub fn beats(kind: &AggregateKind, value: &[u8], kept: &[u8]) -> bool {
    if *kind == AggregateKind::Least { value < kept } else { value > kept }
}

/// Makes columns of what one aggregate comes to.
pub struct TotalColumn {
    kind: AggregateKind,
    /// For least and greatest: the converter of their type, and its bytes for NULL.
    extreme: Option<(RowConverter, Box<[u8]>)>,
}

impl TotalColumn {
    /// For this aggregate.
    ///
    /// # Errors
    /// If its type cannot be compared, which planning rules out.
    pub fn new(aggregate: &Aggregate) -> Result<Self> {
        let extreme = match aggregate.kind {
            AggregateKind::Least | AggregateKind::Greatest => {
                let converter = row_converter([aggregate.output.clone()])?;
                let null = converter.convert_columns(&[new_null_array(&aggregate.output, 1)])?;
                let bytes = null.row(0).data().into();
                Some((converter, bytes))
            }
            _ => None,
        };
        Ok(Self { kind: aggregate.kind.clone(), extreme })
    }

    /// The column of some rows.
    #[must_use]
    pub fn of(&self, totals: Totals) -> ArrayRef {
        match totals {
            Totals::Counts(counts) => Arc::new(Int64Array::from(counts)),
            Totals::Others(totals) => self.array(totals.into_iter()),
        }
    }

    /// The column, one value a total.
    #[must_use]
    pub fn array(&self, totals: impl Iterator<Item = Total>) -> ArrayRef {
        let tallies = |total: Total| match total {
            Total::Tally(tally) => tally,
            _ => Tally::default(),
        };
        match self.kind {
            AggregateKind::Count | AggregateKind::CountDistinct => {
                let count = |total: Total| if let Total::Count(count) = total { count } else { 0 };
                Arc::new(totals.map(count).collect::<Int64Array>())
            }
            AggregateKind::Sum => Arc::new(totals.map(|total| tallies(total).sum()).collect::<Int64Array>()),
            AggregateKind::Average => Arc::new(totals.map(|total| tallies(total).average()).collect::<Float64Array>()),
            AggregateKind::All => Arc::new(totals.map(|total| tallies(total).all()).collect::<BooleanArray>()),
            AggregateKind::Any => Arc::new(totals.map(|total| tallies(total).any()).collect::<BooleanArray>()),
            AggregateKind::Least | AggregateKind::Greatest => self.extremes(totals),
        }
    }

    fn extremes(&self, totals: impl Iterator<Item = Total>) -> ArrayRef {
        let (converter, null) = self.extreme.as_ref().expect("least and greatest have one");
        let values: Vec<Option<Box<[u8]>>> =
            totals.map(|total| if let Total::Extreme(value) = total { value } else { None }).collect();
        let parser = converter.parser();
        let rows = values.iter().map(|value| parser.parse(value.as_deref().unwrap_or(null)));
        let columns = converter.convert_rows(rows).expect("the bytes were made by a converter of the same type");
        columns.into_iter().next().expect("a converter of one type gives one column")
    }
}
