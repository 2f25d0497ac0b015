//! What tables have for the records of a batch, worked out once for all detectors.
//!
//! A key that is made of one text column is looked for once for each different text that a worker has ever seen there.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder, UInt32Array};
use datafusion_common::Result;
use watchfire_record::interner::NULL_ID;
use watchfire_record::limits::{INTERNED_BYTES, INTERNED_VALUES};
use watchfire_record::{Batch, Column, ColumnRequest, ColumnSource, Interner, LookUpSource};

use super::TableRows;
use crate::expression::{Expression, record_batch, schema, schema_of};
use crate::identities::SecretHasher;
use crate::matcher::BatchColumns;
use crate::operators::groups::Grouping;
use crate::plan::LookUp;

/// No key of the table, or no row of it.
const NONE: u32 = u32::MAX;
/// Longer texts are not interned.
const INTERNED_TEXT_BYTES: usize = 4096;

/// The look-ups of one stream's detectors, in one worker.
pub struct LookUps(Vec<OneLookUp>);

struct OneLookUp {
    look_up: LookUp,
    rows: Arc<TableRows>,
    keys: Keys,
    taken: Vec<Taken>,
}

/// Finds the table's key of each row of a batch.
struct Keys {
    grouping: Grouping,
    /// For a key that is made of one column: what it is made by, and for each of the column's texts the key's number; the
    /// first is that of NULL.
    single: Option<(ColumnRequest, Vec<Expression>, Vec<u32>)>,
}

/// What is taken of the found rows.
enum Taken {
    Found,
    Any,
    Texts(Texts),
    Plain(usize),
}

/// A column of texts, of which those that were found have numbers.
struct Texts {
    column: usize,
    values: Arc<Interner>,
    /// The number of each of the table's rows; [`NONE`] if it is not known yet.
    ids: Vec<u32>,
    /// Whether there are too many to be numbered.
    gave_up: bool,
}

impl LookUps {
    /// These look-ups, each after those that it builds on, of which `wanted` is taken, in that order.
    ///
    /// # Errors
    /// If an expression does not fit, which planning rules out.
    pub fn new(look_ups: &[LookUp], wanted: &[ColumnRequest]) -> Result<Self> {
        look_ups.iter().map(|look_up| OneLookUp::new(look_up, wanted)).collect::<Result<_>>().map(Self)
    }

    /// Adds to a batch, whose rows are stamped, what is taken of the tables. `columns` are the decoder's, then these.
    pub fn extend(&mut self, batch: &mut Batch, columns: &BatchColumns, hasher: &SecretHasher) {
        for one in &mut self.0 {
            one.refresh();
            let keys = one.keys.of(&one.rows, batch, columns, hasher);
            let rows: Vec<u32> = keys.iter().zip(&batch.rows).map(|(key, row)| one.row(*key, row.event_time)).collect();
            for taken in &mut one.taken {
                let column = taken.column(&one.rows, &rows, batch);
                batch.columns.push(column);
            }
        }
    }
}

impl OneLookUp {
    fn new(look_up: &LookUp, wanted: &[ColumnRequest]) -> Result<Self> {
        let definition = look_up.table.definition();
        let of_this = wanted.iter().filter_map(|request| match &request.source {
            ColumnSource::LookUp(source) if source.look_up() == look_up.name => Some((source, request)),
            _ => None,
        });
        let taken = of_this.map(|(source, request)| match source {
            LookUpSource::Found(_) => Taken::Found,
            LookUpSource::Any(_) => Taken::Any,
            LookUpSource::Column(_, name) => {
                let column = definition.place(name).expect("planning found it there");
                match request.column_type.arrow() {
                    arrow::datatypes::DataType::Utf8 => Taken::Texts(Texts::new(column)),
                    _ => Taken::Plain(column),
                }
            }
        });
        let (rows, taken) = (look_up.table.rows(), taken.collect());
        Ok(Self { look_up: look_up.clone(), rows, keys: Keys::new(look_up)?, taken })
    }

    /// Takes a new version of the table, if there is one.
    fn refresh(&mut self) {
        let rows = self.look_up.table.rows();
        if Arc::ptr_eq(&rows, &self.rows) {
            return;
        }
        self.rows = rows;
        if let Some((_, _, known)) = &mut self.keys.single {
            known.clear();
        }
        for taken in &mut self.taken {
            if let Taken::Texts(texts) = taken {
                texts.ids.clear();
            }
        }
    }

    fn row(&self, key: u32, time: i64) -> u32 {
        if key == NONE { NONE } else { self.rows.row(key, time).unwrap_or(NONE) }
    }
}

impl Keys {
    fn new(look_up: &LookUp) -> Result<Self> {
        let grouping = Grouping::new(look_up.keys.clone(), look_up.key_columns.clone())?;
        let single = match look_up.key_columns.as_slice() {
            [column] => {
                let fields = schema(schema_of(std::slice::from_ref(column)));
                let keys = look_up.keys.iter().map(|key| Expression::compile(key, &fields)).collect::<Result<_>>()?;
                Some((column.clone(), keys, Vec::new()))
            }
            _ => None,
        };
        Ok(Self { grouping, single })
    }

    /// The number of the table's key of each row, or [`NONE`].
    fn of(&mut self, rows: &TableRows, batch: &Batch, columns: &BatchColumns, hasher: &SecretHasher) -> Vec<u32> {
        if let Some((column, keys, known)) = &mut self.single
            && let Some(Column::Interned { ids, values }) = columns.decoded_column(batch, column)
        {
            learn(&self.grouping, keys, known, rows, values);
            return ids.iter().map(|id| known[if *id == NULL_ID { 0 } else { *id as usize + 1 }]).collect();
        }
        let all: Vec<u32> = (0u32..).take(batch.rows.len()).collect();
        let groups = self.grouping.group(batch, columns, hasher, &all);
        let found: Vec<u32> = groups.values.iter().map(|key| rows.key(key.data()).unwrap_or(NONE)).collect();
        groups.of_row.iter().map(|group| found[*group as usize]).collect()
    }
}

/// Looks for what came since the last batch.
fn learn(grouping: &Grouping, keys: &[Expression], known: &mut Vec<u32>, rows: &TableRows, values: &Interner) {
    if known.len() > values.len() + 1 {
        known.clear();
    }
    if known.len() == values.len() + 1 {
        return;
    }
    let mut texts = StringBuilder::new();
    for place in known.len()..=values.len() {
        match place.checked_sub(1) {
            None => texts.append_null(),
            Some(id) => texts.append_value(values.text(u32::try_from(id).expect("ids fit u32"))),
        }
    }
    let texts: ArrayRef = Arc::new(texts.finish());
    let count = texts.len();
    let fields = keys.first().map(|key| Arc::clone(key.schema())).expect("a key has a part");
    let table = record_batch(&fields, vec![texts], count);
    let made = grouping.bytes(&keys.iter().map(|key| key.evaluate(&table)).collect::<Vec<_>>());
    known.extend(made.iter().map(|key| rows.key(key.data()).unwrap_or(NONE)));
}

impl Taken {
    fn column(&mut self, table: &TableRows, rows: &[u32], batch: &Batch) -> Column {
        match self {
            Self::Found => said(rows.iter().map(|row| *row != NONE)),
            Self::Any => said(batch.rows.iter().map(|row| table.any_at(row.event_time))),
            Self::Texts(texts) => texts.column(table, rows),
            Self::Plain(column) => Column::Plain(picked(table.column(*column), rows)),
        }
    }
}

/// A text where something is so, and NULL where it is not.
fn said(is_so: impl Iterator<Item = bool>) -> Column {
    let mut values = Interner::new(1, 1);
    let yes = values.intern("y").expect("there is room for one");
    Column::Interned { ids: is_so.map(|is_so| if is_so { yes } else { NULL_ID }).collect(), values: Arc::new(values) }
}

fn picked(column: &ArrayRef, rows: &[u32]) -> ArrayRef {
    let rows: UInt32Array = rows.iter().map(|row| (*row != NONE).then_some(*row)).collect();
    arrow::compute::take(column, &rows, None).expect("the rows are the table's")
}

impl Texts {
    fn new(column: usize) -> Self {
        let values = Arc::new(Interner::new(INTERNED_VALUES, INTERNED_BYTES));
        Self { column, values, ids: Vec::new(), gave_up: false }
    }

    fn column(&mut self, table: &TableRows, rows: &[u32]) -> Column {
        let column = table.column(self.column);
        if self.gave_up || !self.number(column, rows) {
            return Column::Plain(picked(column, rows));
        }
        let id = |row: &u32| if *row == NONE { NULL_ID } else { self.ids[*row as usize] };
        Column::Interned { ids: rows.iter().map(id).collect(), values: Arc::clone(&self.values) }
    }

    /// Numbers the texts of these rows; whether all have a number.
    fn number(&mut self, column: &ArrayRef, rows: &[u32]) -> bool {
        // NULL has no number, and is taken for one that is not known: there is little to be done for it.
        self.ids.resize(column.len(), NONE);
        let texts = column.as_string::<i32>();
        let unknown = |row: &&u32| **row != NONE && self.ids[**row as usize] == NONE;
        let new: Vec<u32> = rows.iter().filter(unknown).copied().collect();
        for row in new.into_iter().filter(|row| texts.is_valid(*row as usize)) {
            let text = texts.value(row as usize);
            let id = (text.len() <= INTERNED_TEXT_BYTES).then(|| self.values.find(text)).flatten();
            let id = id.or_else(|| {
                let room = text.len() <= INTERNED_TEXT_BYTES;
                room.then(|| Arc::make_mut(&mut self.values).intern(text)).flatten()
            });
            match id {
                Some(id) => self.ids[row as usize] = id,
                None => {
                    self.gave_up = true;
                    return false;
                }
            }
        }
        true
    }
}
