//! Columns of a batch's rows that found rows need, kept small until the rows are final.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use watchfire_record::interner::NULL_ID;
use watchfire_record::{Batch, Column, ColumnRequest};

use super::groups::Numbers;
use crate::matcher::BatchColumns;

/// Some rows of a batch, a few columns of each. A text that repeats is kept once.
#[derive(Debug)]
pub struct KeptRows {
    /// Which columns. They change when detectors do.
    layout: Arc<[ColumnRequest]>,
    columns: Vec<KeptColumn>,
    /// For each row of the batch its place in the columns; `None` where it is the row's own.
    places: Option<Vec<u32>>,
}

/// The place of a row that is not kept.
const NOWHERE: u32 = u32::MAX;

#[derive(Debug)]
enum KeptColumn {
    /// For each place that of its text, or [`NULL_ID`].
    Texts {
        of_place: Vec<u32>,
        texts: StringArray,
    },
    Plain(ArrayRef),
}

impl KeptRows {
    /// These rows of a batch; nobody will ask for others.
    #[must_use]
    pub fn new(batch: &Batch, columns: &BatchColumns, kept: &Arc<[ColumnRequest]>, rows: &[u32]) -> Self {
        let places = (rows.len() < batch.rows.len()).then(|| {
            let mut places = vec![NOWHERE; batch.rows.len()];
            (0..).zip(rows).for_each(|(place, row)| places[*row as usize] = place);
            places
        });
        let column = |request: &ColumnRequest| match columns.decoded_column(batch, request) {
            Some(Column::Interned { ids, values }) => {
                let mut numbers = Numbers::with_capacity(rows.len().min(1024));
                let mut texts = StringBuilder::new();
                let mut number = |id: u32| {
                    if id == NULL_ID { id } else { numbers.of(u64::from(id), || texts.append_value(values.text(id))) }
                };
                let of_place = rows.iter().map(|row| number(ids[*row as usize])).collect();
                KeptColumn::Texts { of_place, texts: texts.finish() }
            }
            _ => KeptColumn::Plain(columns.take(batch, request, rows)),
        };
        Self { layout: Arc::clone(kept), columns: kept.iter().map(column).collect(), places }
    }

    /// Bytes that they take, about.
    #[must_use]
    pub fn size(&self) -> usize {
        let size = |column: &KeptColumn| match column {
            KeptColumn::Texts { of_place, texts } => size_of_val(of_place.as_slice()) + texts.get_array_memory_size(),
            KeptColumn::Plain(array) => array.get_array_memory_size(),
        };
        let places = self.places.as_ref().map_or(0, |places| size_of_val(places.as_slice()));
        places + self.columns.iter().map(size).sum::<usize>()
    }

    /// Rows that are columns already, and go by their places alone.
    #[must_use]
    pub fn of(columns: &[ArrayRef]) -> Self {
        let columns = columns.iter().cloned().map(KeptColumn::Plain).collect();
        Self { layout: Arc::new([]), columns, places: None }
    }

    fn place(&self, row: u32) -> usize {
        self.places.as_ref().map_or(row, |places| places[row as usize]) as usize
    }

    fn text(&self, column: usize, row: u32) -> Option<&str> {
        let place = self.place(row);
        match &self.columns[column] {
            KeptColumn::Texts { of_place, texts } => {
                let text = of_place[place];
                (text != NULL_ID).then(|| texts.value(text as usize))
            }
            KeptColumn::Plain(array) => {
                let texts = array.as_string::<i32>();
                texts.is_valid(place).then(|| texts.value(place))
            }
        }
    }

    fn is_text(&self, column: usize) -> bool {
        match &self.columns[column] {
            KeptColumn::Texts { .. } => true,
            KeptColumn::Plain(array) => *array.data_type() == DataType::Utf8,
        }
    }
}

/// The wanted columns of rows, at least one, which may be of different batches. All of them keep these columns.
#[must_use]
pub fn columns(rows: &[(&KeptRows, u32)], wanted: &[ColumnRequest]) -> Vec<ArrayRef> {
    wanted.iter().map(|request| column(rows, request)).collect()
}

/// All columns of rows, at least one, that are columns already, which may be of different batches.
#[must_use]
pub fn all_columns(rows: &[(&KeptRows, u32)]) -> Vec<ArrayRef> {
    let count = rows.first().map_or(0, |(kept, _)| kept.columns.len());
    (0..count).map(|place| column_at(rows.iter().map(|(kept, row)| (*kept, place, *row)).collect())).collect()
}

fn column(rows: &[(&KeptRows, u32)], request: &ColumnRequest) -> ArrayRef {
    let mut last: Option<(*const ColumnRequest, usize)> = None;
    let mut place = |kept: &KeptRows| match last {
        Some((layout, place)) if layout == kept.layout.as_ptr() => place,
        _ => {
            let place = kept.layout.iter().position(|column| column == request).expect("wanted columns are kept");
            last = Some((kept.layout.as_ptr(), place));
            place
        }
    };
    column_at(rows.iter().map(|(kept, row)| (*kept, place(kept), *row)).collect())
}

/// The column of rows that is at a place in each.
fn column_at(rows: Vec<(&KeptRows, usize, u32)>) -> ArrayRef {
    if rows.first().is_some_and(|(kept, place, _)| kept.is_text(*place)) {
        return Arc::new(rows.iter().map(|(kept, place, row)| kept.text(*place, *row)).collect::<StringArray>());
    }
    let plain = |(number, (kept, place, row)): (usize, &(&KeptRows, usize, u32))| match &kept.columns[*place] {
        KeptColumn::Plain(array) => (Arc::clone(array), (number, kept.place(*row))),
        KeptColumn::Texts { .. } => unreachable!("a column has one type"),
    };
    let (arrays, places): (Vec<ArrayRef>, Vec<(usize, usize)>) = rows.iter().enumerate().map(plain).unzip();
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    interleave(&arrays, &places).expect("a column has one type")
}
