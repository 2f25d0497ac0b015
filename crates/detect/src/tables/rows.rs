//! A table's rows, found by key and time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashTable;

use super::{TableDefinition, VALID_FROM, VALID_TO};
use crate::value::value_at;

/// A table's rows as they are at one moment, by key; of one key in the order of time.
#[derive(Debug)]
pub struct TableRows {
    columns: Vec<ArrayRef>,
    /// When each row holds: from, to; microseconds.
    valid: Vec<(i64, i64)>,
    /// The first row of each key, and after the last key's the number of rows.
    firsts: Vec<u32>,
    keys: Rows,
    index: HashTable<u32>,
    hasher: ahash::RandomState,
    /// The times at which there is any row, ascending and apart.
    spans: Vec<(i64, i64)>,
}

/// Two rows that cannot both be there, or one that cannot be, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Which row.
    pub row: usize,
    /// The other one, if it takes two.
    pub other: Option<usize>,
    /// Why.
    pub why: String,
}

/// The converter of a table's keys to bytes that are equal for equal keys.
pub fn key_converter(definition: &TableDefinition) -> RowConverter {
    let types = definition.key.iter().filter_map(|name| definition.column_type(name));
    let fields = types.map(|column_type| SortField::new(column_type.arrow())).collect();
    RowConverter::new(fields).expect("a key's types can be compared")
}

fn key_arrays(definition: &TableDefinition, columns: &[ArrayRef]) -> Vec<ArrayRef> {
    let places = definition.key.iter().filter_map(|name| definition.place(name));
    places.map(|place| Arc::clone(&columns[place])).collect()
}

/// When each row says that it holds.
fn validity(definition: &TableDefinition, columns: &[ArrayRef], rows: usize) -> Vec<(i64, i64)> {
    let times = |name: &str, open: i64| -> Vec<i64> {
        match definition.place(name) {
            Some(place) => {
                let times = columns[place].as_primitive::<TimestampMicrosecondType>();
                times.iter().map(|time| time.unwrap_or(open)).collect()
            }
            None => vec![open; rows],
        }
    };
    times(VALID_FROM, i64::MIN).into_iter().zip(times(VALID_TO, i64::MAX)).collect()
}

impl TableRows {
    /// Rows of these columns, one array a column of the definition, of its type.
    ///
    /// # Errors
    /// If a row has no key or holds at no time, or two rows of one key hold at the same time.
    pub fn new(definition: &TableDefinition, columns: &[ArrayRef]) -> Result<Self, Unfit> {
        let rows = columns.first().map_or(0, |column| column.len());
        Self::build(definition, columns, &validity(definition, columns, rows))
    }

    fn build(definition: &TableDefinition, columns: &[ArrayRef], valid: &[(i64, i64)]) -> Result<Self, Unfit> {
        let arrays = key_arrays(definition, columns);
        for (name, array) in definition.key.iter().zip(&arrays) {
            if let Some(row) = (0..array.len()).find(|row| array.is_null(*row)) {
                return Err(Unfit { row, other: None, why: format!("its key `{name}` is empty") });
            }
        }
        if let Some(row) = valid.iter().position(|(from, to)| from >= to) {
            let why = format!("it holds at no time: {VALID_FROM} must lie before {VALID_TO}");
            return Err(Unfit { row, other: None, why });
        }
        let converter = key_converter(definition);
        let all = converter.convert_columns(&arrays).expect("the columns have the key's types");
        let mut order: Vec<usize> = (0..valid.len()).collect();
        order.sort_by(|a, b| all.row(*a).cmp(&all.row(*b)).then_with(|| valid[*a].cmp(&valid[*b])));
        for pair in order.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            if all.row(before) == all.row(after) && valid[before].1 > valid[after].0 {
                let key: Vec<String> = arrays.iter().map(|array| value_at(array, after).to_string()).collect();
                let (row, other) = (before.max(after), Some(before.min(after)));
                return Err(Unfit {
                    row,
                    other,
                    why: format!("the key {} is there twice at one time", key.join(", ")),
                });
            }
        }
        Ok(Self::indexed(columns, valid, &converter, &all, &order))
    }

    /// Rows that fit, in their order.
    fn indexed(
        columns: &[ArrayRef],
        valid: &[(i64, i64)],
        converter: &RowConverter,
        all: &Rows,
        order: &[usize],
    ) -> Self {
        let number = |row: usize| u32::try_from(row).expect("a table has fewer than 2^32 rows");
        let places: UInt32Array = order.iter().map(|row| Some(number(*row))).collect();
        let columns = columns.iter().map(|column| take(column, &places, None).expect("the rows are the column's"));
        let hasher = ahash::RandomState::with_seeds(0x6c6f_6f6b, 0x2d75_7073, 0x6279_206b, 0x6579_7321);
        let (mut firsts, mut first_rows) = (Vec::new(), Vec::new());
        for (place, row) in order.iter().enumerate() {
            if place == 0 || all.row(order[place - 1]) != all.row(*row) {
                firsts.push(number(place));
                first_rows.push(*row);
            }
        }
        firsts.push(number(order.len()));
        let mut index = HashTable::with_capacity(first_rows.len());
        for (key, row) in first_rows.iter().enumerate() {
            let hash = |key: &u32| hasher.hash_one(all.row(first_rows[*key as usize]).data());
            index.insert_unique(hasher.hash_one(all.row(*row).data()), number(key), hash);
        }
        let valid: Vec<(i64, i64)> = order.iter().map(|row| valid[*row]).collect();
        let mut keys = converter.empty_rows(first_rows.len(), 0);
        first_rows.iter().for_each(|row| keys.push(all.row(*row)));
        Self { columns: columns.collect(), spans: spans(&valid), valid, firsts, keys, index, hasher }
    }

    /// Whether others are the same rows, of the same definition.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.valid == other.valid && self.columns == other.columns
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// The values of a column, by the column's place.
    #[must_use]
    pub fn column(&self, place: usize) -> &ArrayRef {
        &self.columns[place]
    }

    /// When a row holds: from this time on, until this one; microseconds.
    #[must_use]
    pub fn valid(&self, row: usize) -> (i64, i64) {
        self.valid[row]
    }

    /// The number of a key, given as bytes.
    pub(super) fn key(&self, bytes: &[u8]) -> Option<u32> {
        let is_it = |key: &u32| self.keys.row(*key as usize).data() == bytes;
        self.index.find(self.hasher.hash_one(bytes), is_it).copied()
    }

    /// The row of a key, by the key's number, that holds at a time.
    pub(super) fn row(&self, key: u32, time: i64) -> Option<u32> {
        let (first, end) = (self.firsts[key as usize], self.firsts[key as usize + 1]);
        let of_key = &self.valid[first as usize..end as usize];
        let later = of_key.partition_point(|(from, _)| *from <= time);
        let place = later.checked_sub(1).filter(|place| time < of_key[*place].1)?;
        Some(first + u32::try_from(place).expect("a table has fewer than 2^32 rows"))
    }

    /// Whether any row holds at a time.
    pub(super) fn any_at(&self, time: i64) -> bool {
        let later = self.spans.partition_point(|(from, _)| *from <= time);
        later.checked_sub(1).is_some_and(|place| time < self.spans[place].1)
    }

    /// These rows until `from`, and those of `next` after it; without what ended by `settled`.
    pub(super) fn followed_by(&self, definition: &TableDefinition, next: &Self, from: i64, settled: i64) -> Self {
        let part = |rows: &Self, lower: i64, upper: i64| -> (UInt32Array, Vec<(i64, i64)>) {
            let clipped = rows.valid.iter().map(|(from, to)| ((*from).max(lower), (*to).min(upper)));
            let kept = (0u32..).zip(clipped).filter(|(_, (from, to))| from < to && *to > settled);
            let (places, valid): (Vec<u32>, Vec<_>) = kept.unzip();
            (UInt32Array::from(places), valid)
        };
        let (before, mut valid) = part(self, i64::MIN, from);
        let (after, valid_after) = part(next, from, i64::MAX);
        valid.extend(valid_after);
        let column = |(old, new): (&ArrayRef, &ArrayRef)| {
            let picked = [(old, &before), (new, &after)]
                .map(|(column, rows)| take(column, rows, None).expect("the rows are the column's"));
            concat(&[&picked[0], &picked[1]]).expect("both are of the column's type")
        };
        let columns: Vec<ArrayRef> = self.columns.iter().zip(&next.columns).map(column).collect();
        Self::build(definition, &columns, &valid).expect("each version is sound, and they hold at different times")
    }
}

/// The times that lie in any of these intervals.
fn spans(valid: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut sorted = valid.to_vec();
    sorted.sort_unstable();
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for (from, to) in sorted {
        match spans.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => spans.push((from, to)),
        }
    }
    spans
}
