//! Declared sources by number, and which of them each record of a batch is of.

use std::collections::HashMap;

use watchfire_detect::StreamDetectors;
use watchfire_detect::detector::named;
use watchfire_record::interner::NULL_ID;
use watchfire_record::{Batch, Column, Stream};

use arrow::array::{Array, AsArray};

/// The number that stands for any record at all, of whatever source.
pub const ANY: u32 = 0;

/// One source, as its rows say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Account, function, partition, or the column.
    pub kind: String,
    /// The value.
    pub name: String,
}

/// The sources that a stream declares; their numbers count from 1.
#[must_use]
pub fn declared(stream: &Stream) -> Vec<Source> {
    let of_column = |sources: &watchfire_record::activity::Sources| {
        let kind = sources.kind().to_owned();
        sources.values.clone().into_iter().map(move |name| Source { kind: kind.clone(), name })
    };
    stream.sources.iter().flat_map(of_column).collect()
}

/// Finds the numbers of the sources that records are of.
#[derive(Debug)]
pub struct Numbering {
    /// For each column, its place in a batch, and the numbers of its values.
    columns: Vec<(usize, HashMap<String, u32>)>,
}

impl Numbering {
    /// For the batches of one stream.
    ///
    /// # Panics
    /// If a declared column is not decoded, which it always is.
    #[must_use]
    pub fn new(detectors: &StreamDetectors) -> Self {
        let mut numbers = 1..;
        let column = |sources: &watchfire_record::activity::Sources| {
            let request = named(&detectors.stream, &sources.column);
            let place = detectors.decoded.iter().position(|decoded| *decoded == request);
            let values = sources.values.iter().cloned().zip(numbers.by_ref()).collect();
            (place.expect("columns of sources are decoded"), values)
        };
        Self { columns: detectors.stream.sources.iter().map(column).collect() }
    }

    /// Rows that are of a declared source, each with its number.
    #[must_use]
    pub fn of(&self, batch: &Batch) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        for (place, numbers) in &self.columns {
            match &batch.columns[*place] {
                Column::Interned { ids, values } => {
                    let mut known: HashMap<u32, Option<u32>> = HashMap::new();
                    let mut number = |id: u32| {
                        let look = || numbers.get(values.text(id)).copied();
                        if id == NULL_ID { None } else { *known.entry(id).or_insert_with(look) }
                    };
                    found.extend((0u32..).zip(ids).filter_map(|(row, id)| Some((row, number(*id)?))));
                }
                Column::Plain(array) => {
                    let texts = array.as_string::<i32>();
                    let rows = (0u32..).zip(0..texts.len()).filter(|(_, row)| texts.is_valid(*row));
                    found.extend(rows.filter_map(|(row, at)| Some((row, *numbers.get(texts.value(at))?))));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;
    use watchfire_record::activity::Sources;
    use watchfire_record::interner::Interner;

    use super::*;

    #[test]
    fn sources_are_found_in_columns_of_both_kinds() {
        let sources = |column: &str, values: [&str; 2]| Sources {
            column: column.into(),
            values: values.map(String::from).to_vec(),
        };
        let sources = vec![sources("function_name", ["a", "b"]), sources("level", ["INFO", "WARN"])];
        let stream = Stream { sources, ..Stream::lambda() };
        let numbering = Numbering::new(&StreamDetectors::new(stream.clone(), 0, Vec::new()));
        let mut interner = Interner::new(9, 99);
        let ids = ["b", "c", "a", "b"].map(|text| interner.intern(text).unwrap());
        let ids = [&ids[..], &[NULL_ID]].concat();
        let levels = StringArray::from(vec![None, Some("WARN"), Some("DEBUG"), Some("INFO"), None]);
        let columns = vec![Column::Interned { ids, values: Arc::new(interner) }, Column::Plain(Arc::new(levels))];
        let found = numbering.of(&Batch { columns, ..Batch::default() });
        assert_eq!(found, [(0, 2), (2, 1), (3, 2), (1, 4), (3, 3)]);
        let named = |number: u32| declared(&stream)[number as usize - 1].clone();
        assert_eq!(named(2), Source { kind: "function".into(), name: "b".into() });
        assert_eq!(named(4), Source { kind: "level".into(), name: "WARN".into() });
    }
}
