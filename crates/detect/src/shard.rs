//! A share of the keys of all operators with state.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::Result;
use watchfire_record::Finding;

use crate::detector::StreamDetectors;
use crate::operators::first_seen::is_alone;
use crate::operators::post;
use crate::operators::{FirstSeen, OperatorBatch, OperatorStatistics, OverRange, Sequences, StatefulOperator, Windows};
use crate::plan::Operator;

/// Which shard of `shards` keeps the key of this hash: the same in every worker.
#[must_use]
pub fn shard_of(hash: u128, shards: usize) -> usize {
    usize::try_from(hash % shards as u128).expect("less than the number of shards")
}

/// The rows of an operator's batch by shard, ascending in each.
#[must_use]
pub fn split(batch: &OperatorBatch, shards: usize) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); shards];
    let count = u32::try_from(batch.times.len()).expect("a batch has fewer than 2^32 rows");
    for row in 0..count {
        let shard = if shards == 1 { 0 } else { shard_of(batch.key(row).1, shards) };
        rows[shard].push(row);
    }
    rows
}

/// A stream's time after a job, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTime {
    /// No accepted record before it will come.
    pub watermark: i64,
    /// The least event time of all accepted records; `i64::MAX` before the first.
    pub earliest: i64,
}

/// The operators with state, for a share of their keys. Fed in the order of intake.
pub struct Shard {
    /// By stream, then detector; `None` for match and for sequences.
    operators: Vec<Vec<Option<Box<dyn StatefulOperator>>>>,
    /// By stream, then detector: which sequence it is a side of, and which side.
    sides: Vec<Vec<Option<(usize, usize)>>>,
    sequences: Vec<Sequences>,
    /// By stream, then detector: the place of its name.
    places: Vec<Vec<usize>>,
}

impl Shard {
    /// A shard of these detectors, one entry a stream of the engine's list. With `fires_early`, findings are told before
    /// they are final.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn new(streams: &[Arc<StreamDetectors>], fires_early: bool) -> Result<Self> {
        let operators = streams.iter().map(|stream| operators(stream, fires_early)).collect::<Result<_>>()?;
        let (mut sides, mut sequences) = (Vec::new(), Vec::new());
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for stream in streams {
            let mut of_stream = Vec::new();
            for detector in &stream.detectors {
                if !matches!(detector.plan.operator, Operator::Sequence(_)) {
                    of_stream.push(None);
                    continue;
                }
                let number = match numbers.get(detector.info.name.as_str()) {
                    Some(number) => *number,
                    None => {
                        let [a, b] = [0, 1].map(|side| &streams[detector.plan.inputs[side].stream].stream);
                        sequences.push(Sequences::new(detector, [a, b])?);
                        numbers.insert(&detector.info.name, sequences.len() - 1);
                        sequences.len() - 1
                    }
                };
                of_stream.push(Some((number, detector.input)));
            }
            sides.push(of_stream);
        }
        let places = streams.iter().map(|stream| stream.places.clone()).collect();
        Ok(Self { operators, sides, sequences, places })
    }

    /// Takes the chosen rows of an operator's batch.
    pub fn feed(&mut self, stream: usize, batch: &OperatorBatch, rows: &[u32]) {
        if let Some(operator) = &mut self.operators[stream][batch.detector] {
            operator.feed(batch, rows);
        }
        if let Some((sequence, side)) = self.sides[stream][batch.detector] {
            self.sequences[sequence].feed(side, batch, rows);
        }
    }

    /// The least event time of a stream's accepted records so far: detectors that learn are silent for a while from it on.
    pub fn earliest(&mut self, stream: usize, earliest: i64) {
        self.operators[stream].iter_mut().flatten().for_each(|operator| operator.begin(earliest));
    }

    /// Fires what can be fired before it is final. `now` in microseconds.
    pub fn fire_early(&mut self, stream: usize, now: i64, found: &mut Vec<Finding>) {
        self.operators[stream].iter_mut().flatten().for_each(|operator| operator.fire_early(now, found));
    }

    /// Makes final what the stream's watermark makes final.
    pub fn advance(&mut self, stream: usize, watermark: i64, found: &mut Vec<Finding>) {
        self.operators[stream].iter_mut().flatten().for_each(|operator| operator.advance(watermark, found));
        for (sequence, side) in self.sides[stream].iter().flatten() {
            self.sequences[*sequence].advance(*side, watermark, found);
        }
    }

    /// What the operators of a stream count of themselves, in the order of the names of its detectors. A sequence tells
    /// all with its first side.
    #[must_use]
    pub fn statistics(&self, stream: usize) -> Vec<OperatorStatistics> {
        let (operators, sides, places) = (&self.operators[stream], &self.sides[stream], &self.places[stream]);
        let mut statistics = Vec::new();
        for ((operator, side), place) in operators.iter().zip(sides).zip(places) {
            statistics.resize(statistics.len().max(place + 1), OperatorStatistics::default());
            statistics[*place] += match (operator, side) {
                (Some(operator), _) => operator.statistics(),
                (None, Some((sequence, 0))) => self.sequences[*sequence].statistics(),
                _ => OperatorStatistics::default(),
            };
        }
        statistics
    }
}

fn operators(stream: &StreamDetectors, early: bool) -> Result<Vec<Option<Box<dyn StatefulOperator>>>> {
    let operator = |detector| -> Result<Option<Box<dyn StatefulOperator>>> {
        let detector: &crate::Detector = detector;
        Ok(match detector.plan.operator {
            Operator::Match | Operator::Sequence(_) => None,
            Operator::OverRange { ref aggregates }
                if is_alone(aggregates, post::early(&detector.plan.having, aggregates)) =>
            {
                Some(Box::new(FirstSeen::new(detector, &stream.kept, early)?))
            }
            Operator::OverRange { .. } => Some(Box::new(OverRange::new(detector, stream, early)?)),
            Operator::Window { .. } => Some(Box::new(Windows::new(detector, early)?)),
        })
    };
    stream.detectors.iter().map(operator).collect()
}
