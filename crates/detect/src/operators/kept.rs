//! Columns of a batch's rows that found rows need, kept small until the rows are final.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow::row::RowConverter;
use watchfire_record::interner::NULL_ID;
use watchfire_record::{Batch, Column, ColumnRequest};

use super::groups::Numbers;
use crate::matcher::BatchColumns;

/// Some rows of a batch, a few columns of each. A text that repeats is kept once.
#[derive(Debug)]
pub struct KeptRows {
    columns: Vec<KeptColumn>,
}

#[derive(Debug)]
enum KeptColumn {
    /// For each row the place of its text, or [`NULL_ID`].
    Texts {
        of_row: Vec<u32>,
        texts: StringArray,
    },
    Plain(ArrayRef),
}

impl KeptRows {
    /// These rows of a batch.
    #[must_use]
    pub fn new(batch: &Batch, columns: &BatchColumns, kept: &[ColumnRequest], rows: &[u32]) -> Self {
        let column = |request: &ColumnRequest| match columns.decoded_column(batch, request) {
            Some(Column::Interned { ids, values }) => {
                let mut numbers = Numbers::with_capacity(rows.len().min(1024));
                let mut texts = StringBuilder::new();
                let mut number = |id: u32| {
                    if id == NULL_ID { id } else { numbers.of(u64::from(id), || texts.append_value(values.text(id))) }
                };
                let of_row = rows.iter().map(|row| number(ids[*row as usize])).collect();
                KeptColumn::Texts { of_row, texts: texts.finish() }
            }
            _ => KeptColumn::Plain(columns.take(batch, request, rows)),
        };
        Self { columns: kept.iter().map(column).collect() }
    }

    /// Rows that are columns already.
    #[must_use]
    pub fn of(columns: &[ArrayRef]) -> Self {
        Self { columns: columns.iter().cloned().map(KeptColumn::Plain).collect() }
    }

    /// One row as comparable bytes. `converter` has the columns' types.
    #[must_use]
    pub fn bytes(&self, row: u32, converter: &RowConverter) -> Box<[u8]> {
        let rows = converter.convert_columns(&columns(&[(self, row)]));
        rows.expect("the columns have the converter's types").row(0).data().into()
    }

    fn text(&self, column: usize, row: u32) -> Option<&str> {
        match &self.columns[column] {
            KeptColumn::Texts { of_row, texts } => {
                let place = of_row[row as usize];
                (place != NULL_ID).then(|| texts.value(place as usize))
            }
            KeptColumn::Plain(array) => {
                let texts = array.as_string::<i32>();
                texts.is_valid(row as usize).then(|| texts.value(row as usize))
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

/// The columns of rows, at least one, which may be of different batches.
#[must_use]
pub fn columns(rows: &[(&KeptRows, u32)]) -> Vec<ArrayRef> {
    let Some((first, _)) = rows.first() else { return Vec::new() };
    let column = |index: usize| -> ArrayRef {
        if first.is_text(index) {
            return Arc::new(rows.iter().map(|(kept, row)| kept.text(index, *row)).collect::<StringArray>());
        }
        let plain = |(place, (kept, row)): (usize, &(&'_ KeptRows, u32))| match &kept.columns[index] {
            KeptColumn::Plain(array) => (Arc::clone(array), (place, *row as usize)),
            KeptColumn::Texts { .. } => unreachable!("a column has one type"),
        };
        let (arrays, places): (Vec<ArrayRef>, Vec<(usize, usize)>) = rows.iter().enumerate().map(plain).unzip();
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        interleave(&arrays, &places).expect("a column has one type")
    };
    (0..first.columns.len()).map(column).collect()
}
