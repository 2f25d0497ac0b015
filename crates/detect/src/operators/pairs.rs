//! What a sequence makes of records that met: conditions over both, the found row, its keys and its identity.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, SchemaRef};
use arrow::row::RowConverter;
use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::{DetectorInfo, Finding, State, Stream, Value};

use super::input::row_converter;
use super::post::{evaluate, named_at};
use super::records::{Partitions, Record};
use super::sides::{identified, kept_columns};
use crate::detector::{Detector, identity_names};
use crate::expression::{Conjunction, Expression, record_batch, schema};
use crate::lifetime::{OfVersion, Term};
use crate::plan::sequence::side_column;
use crate::plan::{Sequence, SequenceKind};
use crate::value::{Subject, finding_id, value_at};

/// A row of one side.
#[derive(Debug)]
pub struct Kept {
    /// The side's kept columns as comparable bytes; empty if there are none.
    pub payload: Box<[u8]>,
    /// Which record it is.
    pub record: Record,
    /// The broker's timestamp, microseconds.
    pub caused_at: i64,
}

impl Kept {
    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.payload.len() + size_of::<Self>() + 2 * size_of::<usize>()
    }
}

/// Records that make a finding.
#[derive(Debug)]
pub struct Met {
    /// The record of the side *a*.
    pub a: Arc<Kept>,
    /// That of the side *b*; `None` for an absence.
    pub b: Option<Arc<Kept>>,
    /// The broker's timestamp of the later arrival, microseconds.
    pub caused_at: i64,
    /// False if a limit touched it.
    pub complete: bool,
}

/// The part of a sequence's plan that looks into its rows, compiled.
pub struct Pairs {
    slot: u32,
    /// Which pairs, by their first records, are its own.
    pub term: Term,
    info: Arc<DetectorInfo>,
    sequence: Sequence,
    sides: [Side; 2],
    /// The columns of *a*, then of *b*.
    both: SchemaRef,
    /// What the found row and its keys are made of: those of *a*, for pairs those of *b* too.
    found: SchemaRef,
    conditions: Conjunction,
    outputs: Vec<(Arc<str>, Expression)>,
    keys: Vec<(Arc<str>, Expression)>,
}

struct Side {
    converter: RowConverter,
    columns: usize,
    /// Places of the identity columns.
    identity: Vec<usize>,
}

impl Pairs {
    /// The pairs of a detector, in the version of this slot, whose inputs are of these streams.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(slot: u32, detector: &Detector, sequence: &Sequence, streams: [&Stream; 2]) -> Result<Self> {
        let (mut sides, mut fields) = (Vec::new(), Vec::new());
        for (index, (input, stream)) in detector.by_input().zip(streams).enumerate() {
            let columns = kept_columns(&input, stream);
            let place = |name: String| columns.iter().position(|column| column.name() == name).expect("it is kept");
            sides.push(Side {
                converter: row_converter(columns.iter().map(|column| column.column_type.arrow()))?,
                columns: columns.len(),
                identity: if identified(&input) {
                    identity_names(stream).into_iter().map(place).collect()
                } else {
                    Vec::new()
                },
            });
            let field = |column: &watchfire_record::ColumnRequest| {
                Field::new(side_column(index, &column.name()), column.column_type.arrow(), true)
            };
            fields.push(columns.iter().map(field).collect::<Vec<_>>());
        }
        let (both, a) = (schema(fields.concat()), schema(fields.swap_remove(0)));
        let found = if sequence.kind == SequenceKind::Pair { Arc::clone(&both) } else { a };
        let named = |list: &[(String, Expr)]| {
            let compiled =
                list.iter().map(|(name, expr)| Ok((name.as_str().into(), Expression::compile(expr, &found)?)));
            compiled.collect::<Result<Vec<_>>>()
        };
        let sides: [Side; 2] =
            sides.try_into().map_err(|_| datafusion_common::plan_datafusion_err!("a sequence has two sides"))?;
        Ok(Self {
            slot,
            term: Term::new(0),
            info: Arc::clone(&detector.info),
            sequence: sequence.clone(),
            sides,
            conditions: Conjunction::compile(&sequence.conditions, &both)?,
            outputs: named(&detector.plan.outputs)?,
            keys: named(&detector.plan.keys)?,
            both,
            found,
        })
    }

    /// Whether pairs have to be looked into.
    #[must_use]
    pub fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// The pairs, ascending, for which all conditions hold.
    #[must_use]
    pub fn holding(&self, pairs: &[(Arc<Kept>, Arc<Kept>)]) -> Vec<u32> {
        if self.conditions.is_empty() || pairs.is_empty() {
            return (0u32..).take(pairs.len()).collect();
        }
        let mut columns = self.sides[0].columns(pairs.iter().map(|(a, _)| a));
        columns.extend(self.sides[1].columns(pairs.iter().map(|(_, b)| b)));
        self.conditions.rows(&record_batch(&self.both, columns, pairs.len()))
    }

    /// The findings that records make, in their order.
    #[must_use]
    pub fn findings(&self, met: &[&Met], partitions: &Partitions) -> Vec<Finding> {
        if met.is_empty() {
            return Vec::new();
        }
        let a = self.sides[0].columns(met.iter().map(|met| &met.a));
        let b = match self.sequence.kind {
            SequenceKind::Pair => self.sides[1].columns(met.iter().filter_map(|met| met.b.as_ref())),
            SequenceKind::Present | SequenceKind::Absent => Vec::new(),
        };
        let table = record_batch(&self.found, a.iter().chain(&b).cloned().collect(), met.len());
        let (outputs, keys) = (evaluate(&self.outputs, &table), evaluate(&self.keys, &table));
        let finding = |(row, met): (usize, &&Met)| {
            let of_a = self.sides[0].identity(&a, row);
            let of_b = self.sides[1].identity(&b, row);
            let keys = named_at(&keys, row);
            let values: Vec<Value> = keys.iter().map(|(_, value)| value.clone()).collect();
            let both = [of_a.as_slice(), of_b.as_slice()];
            let records = if b.is_empty() { &both[..1] } else { &both[..] };
            let id = finding_id(&self.info.name, "sequence", 0, &values, Subject::Records(records));
            Finding { finding_id: id, keys, row: named_at(&outputs, row), ..self.bare(met, partitions) }
        };
        met.iter().enumerate().map(finding).collect()
    }

    /// A finding but for its row, keys and identity.
    fn bare(&self, met: &Met, partitions: &Partitions) -> Finding {
        let mut records: Vec<&Record> = std::iter::once(&met.a).chain(&met.b).map(|kept| &kept.record).collect();
        records.sort_by_key(|record| record.time);
        let (first, last) = (records[0].time, records[records.len() - 1].time);
        let (window, end) = self.sequence.window(met.a.record.time, met.b.as_ref().map(|b| b.record.time));
        Finding {
            finding_id: watchfire_record::FindingId([0; 16]),
            revision: 1,
            state: State::Final,
            detector: Arc::clone(&self.info),
            window: Some(window),
            window_end: Some(end),
            keys: Vec::new(),
            row: Vec::new(),
            first_event_time: first,
            last_event_time: last,
            evidence: records.into_iter().map(|record| partitions.evidence(record)).collect(),
            complete: met.complete,
            caused_at: met.caused_at,
        }
    }
}

impl OfVersion for Pairs {
    fn slot(&self) -> u32 {
        self.slot
    }

    fn term(&mut self) -> &mut Term {
        &mut self.term
    }
}

impl Side {
    /// The kept columns of rows.
    fn columns<'a>(&self, rows: impl Iterator<Item = &'a Arc<Kept>>) -> Vec<ArrayRef> {
        if self.columns == 0 {
            return Vec::new();
        }
        let parser = self.converter.parser();
        let rows = rows.map(|kept| parser.parse(&kept.payload));
        self.converter.convert_rows(rows).expect("the bytes were made by a converter of the same types")
    }

    fn identity(&self, columns: &[ArrayRef], row: usize) -> Vec<Value> {
        self.identity.iter().filter_map(|place| columns.get(*place)).map(|column| value_at(column, row)).collect()
    }
}
