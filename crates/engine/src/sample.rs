//! What records of a stream have, for the checks of rules: values that are then known, and fields that none of them has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use watchfire_decode::Decoder;
use watchfire_detect::identities::SecretHasher;
use watchfire_detect::liveness::Field;
use watchfire_detect::matcher::Presence;
use watchfire_detect::{Judge, StreamDetectors};
use watchfire_record::{Batch, Column, ColumnRequest, ColumnSource};
use watchfire_source::{Event, Source};

use crate::error::EngineError;

/// Different values of a column that are taken over. More: the rest is not known.
const MOST_VALUES: usize = 65_536;
/// How many records must lack a field before that says something.
const LACKING: u64 = 100;
const POLL: Duration = Duration::from_millis(50);

/// What was seen.
#[derive(Debug, Default)]
pub struct Sample {
    /// Records that were read.
    pub records: u64,
    /// Payloads and parts of them that could not be.
    pub rejects: u64,
    /// By column: the values that it had.
    pub values: BTreeMap<String, Vec<String>>,
    fields: HashMap<Field, Presence>,
}

impl Sample {
    /// Reads a bounded source to its end. The values of these text columns are taken over.
    ///
    /// # Errors
    /// If the source cannot be read, or a detector does not fit its stream, which planning rules out.
    pub fn read(
        source: &mut dyn Source,
        detectors: &Arc<StreamDetectors>,
        columns: &[String],
    ) -> Result<Self, EngineError> {
        let stream = &detectors.stream;
        let hasher = SecretHasher::new([0; 4]);
        let judge = Judge::new(Arc::clone(detectors), hasher, 1, false);
        let mut judge = judge.map_err(|error| EngineError::Detector(error.to_string()))?;
        let mut requests = detectors.decoded.clone();
        let wanted = columns.iter().filter_map(|name| {
            let column_type = stream.column_type(name)?;
            Some(ColumnRequest { source: ColumnSource::Column(name.clone()), column_type })
        });
        let places: Vec<(usize, String)> =
            wanted.map(|request| (add(&mut requests, request.clone()), request.name())).collect();
        let mut decoder = Decoder::new(stream, detectors.stream_index, requests).allow_several(true);
        let mut sample = Self::default();
        let mut known = vec![0; places.len()];
        loop {
            match source.poll(POLL)? {
                Event::Finished => return Ok(sample),
                Event::Batch(raw) => {
                    let mut batch = decoder.decode(raw);
                    sample.records += batch.rows.len() as u64;
                    sample.rejects += batch.rejects.len() as u64;
                    for ((place, name), known) in places.iter().zip(&mut known) {
                        sample.take(name, &batch.columns[*place], known);
                    }
                    // The judge knows of no other columns than its detectors'.
                    batch.columns.truncate(detectors.decoded.len());
                    judge.look_up(&mut batch);
                    sample.look(&mut judge, &batch);
                }
                _ => {}
            }
        }
    }

    /// Fields that a detector needs and none of the records that it looks for them in has, and how many these were.
    pub fn lacking(&self) -> Vec<(&Field, u64)> {
        let lacks = |presence: &Presence| presence.present == 0 && presence.records >= LACKING;
        let lacking = self.fields.iter().filter(|(_, presence)| lacks(presence));
        let mut lacking: Vec<_> = lacking.map(|(field, presence)| (field, presence.records)).collect();
        lacking.sort_by_key(|(field, _)| (Arc::clone(&field.detector), Arc::clone(&field.names)));
        lacking
    }

    /// Adds what a column has that it had not before; `known` is how many of its ids were looked at.
    fn take(&mut self, name: &str, column: &Column, known: &mut usize) {
        let values = self.values.entry(name.to_owned()).or_default();
        let mut add = |text: &str| {
            if values.len() < MOST_VALUES
                && let Err(place) = values.binary_search_by(|value| value.as_str().cmp(text))
            {
                values.insert(place, text.to_owned());
            }
        };
        match column {
            Column::Interned { values, .. } => {
                let ids = u32::try_from(*known).unwrap_or(u32::MAX)..u32::try_from(values.len()).unwrap_or(u32::MAX);
                ids.for_each(|id| add(values.text(id)));
                *known = values.len();
            }
            Column::Plain(array) => {
                array.as_string_opt::<i32>().into_iter().flat_map(|texts| texts.iter().flatten()).for_each(add);
            }
        }
    }

    fn look(&mut self, judge: &mut Judge, batch: &Batch) {
        judge.select(batch);
        let (fields, _) = judge.liveness();
        for (field, presence) in fields {
            let sum = self.fields.entry(field.clone()).or_default();
            sum.records += presence.records;
            sum.present += presence.present;
        }
    }
}

/// Where a column is among those asked for; it is added if it is none of them.
fn add(requests: &mut Vec<ColumnRequest>, request: ColumnRequest) -> usize {
    requests.iter().position(|known| *known == request).unwrap_or_else(|| {
        requests.push(request);
        requests.len() - 1
    })
}
