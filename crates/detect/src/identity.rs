//! What makes two records copies of one another: a hash of their identity columns.

use std::hash::Hasher;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use watchfire_record::{Batch, Column, Interner, interner::NULL_ID};

use crate::identities::SecretHasher;
use crate::value::value_at;

/// Hashes the identities of records, batch by batch of one decoder, whose numbers of texts stay.
#[derive(Debug)]
pub struct IdentityColumns {
    hasher: SecretHasher,
    /// Where each identity column is in a batch, and the hashes of its texts by number, as far as they came.
    columns: Vec<(usize, Vec<u128>)>,
}

/// The part of a missing value.
const NULL: u128 = 0;

impl IdentityColumns {
    /// Of records whose identity columns are at these places of a batch.
    #[must_use]
    pub fn new(places: Vec<usize>, hasher: SecretHasher) -> Self {
        Self { hasher, columns: places.into_iter().map(|place| (place, Vec::new())).collect() }
    }

    /// Looks at the texts that came with a batch. To be called before the identities of its rows are asked for.
    pub fn learn(&mut self, batch: &Batch) {
        for (place, hashes) in &mut self.columns {
            if let Column::Interned { values, .. } = &batch.columns[*place] {
                learn(hashes, values, &self.hasher);
            }
        }
    }

    /// The identity of a row: a hash of 128 bits, equal for equal values in whatever form they are kept.
    #[must_use]
    pub fn of(&self, batch: &Batch, row: u32) -> u128 {
        let (mut hash, row) = (self.hasher.begin(), row as usize);
        for (place, hashes) in &self.columns {
            let part = match &batch.columns[*place] {
                Column::Interned { ids, .. } => {
                    let id = ids[row];
                    if id == NULL_ID { NULL } else { hashes[id as usize] }
                }
                Column::Plain(array) if array.is_null(row) => NULL,
                Column::Plain(array) => match array.as_string_opt::<i32>() {
                    Some(texts) => self.hasher.hash(texts.value(row)),
                    None => match array.as_primitive_opt::<TimestampMicrosecondType>() {
                        Some(times) => u128::from(times.value(row).cast_unsigned()),
                        None => self.hasher.hash(value_at(array, row).to_string()),
                    },
                },
            };
            hash.write(&part.to_ne_bytes());
        }
        hash.whole()
    }
}

/// Numbers only ever come: fewer than before are those of another table.
fn learn(hashes: &mut Vec<u128>, values: &Interner, hasher: &SecretHasher) {
    if hashes.len() > values.len() {
        hashes.clear();
    }
    for id in hashes.len()..values.len() {
        let id = u32::try_from(id).expect("numbers of texts are below 2^32");
        hashes.push(hasher.hash(values.text(id)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{StringArray, TimestampMicrosecondArray};

    use super::*;

    fn batch(texts: &[Option<&str>], interned: Option<&mut Interner>) -> Batch {
        let times: Vec<i64> = (0i64..).take(texts.len()).map(|row| row / 4).collect();
        let column = match interned {
            None => Column::Plain(Arc::new(StringArray::from(texts.to_vec()))),
            Some(values) => {
                let ids = texts.iter().map(|text| text.map_or(NULL_ID, |text| values.intern(text).unwrap_or(NULL_ID)));
                Column::Interned { ids: ids.collect(), values: Arc::new(values.clone()) }
            }
        };
        let times = Column::Plain(Arc::new(TimestampMicrosecondArray::from(times)));
        Batch { columns: vec![times, column], ..Batch::default() }
    }

    #[test]
    fn equal_values_are_equal_in_whatever_form_and_different_ones_are_not() {
        let hasher = SecretHasher::new([1, 2, 3, 4]);
        let columns = || IdentityColumns::new(vec![0, 1], hasher.clone());
        let (mut by_number, by_text, mut values) = (columns(), columns(), Interner::new(100, 1000));
        for texts in [
            [Some("a"), None, Some("b"), Some("a"), Some("a"), Some("")],
            [Some("b"), Some("c"), None, None, Some("d"), Some("a")],
        ] {
            let (interned, plain) = (batch(&texts, Some(&mut values)), batch(&texts, None));
            by_number.learn(&interned);
            for row in 0..6 {
                assert_eq!(by_number.of(&interned, row), by_text.of(&plain, row), "{texts:?} {row}");
                for other in 0..row {
                    let equal = row / 4 == other / 4 && texts[row as usize] == texts[other as usize];
                    assert_eq!(by_text.of(&plain, row) == by_text.of(&plain, other), equal, "{texts:?} {row} {other}");
                }
            }
        }
    }
}
