//! A share of the keys of all operators with state.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_common::Result;
use watchfire_record::Finding;

use crate::detector::StreamDetectors;
use crate::lifetime::Lifetime;
use crate::operators::first_seen::is_alone;
use crate::operators::post;
use crate::operators::{FirstSeen, OperatorBatch, OperatorStatistics, OverRange, StatefulOperator, Windows};
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

/// The operator of one detector in one shard; `None` for match.
type Held = Option<Box<dyn StatefulOperator>>;

/// Operators that a shard does not have yet, with the slots of their detectors.
pub type FreshOperators = Vec<(u32, Held)>;

/// The operators with state, for a share of their keys. Fed in the order of intake.
pub struct Shard {
    streams: Vec<StreamOperators>,
}

/// The operators of one stream's detectors, in their order.
struct StreamOperators {
    slots: Vec<u32>,
    operators: Vec<Held>,
    /// When each version begins to be live.
    from: Vec<i64>,
}

impl Shard {
    /// A shard of these detectors, one entry a stream of the engine's list. With `fires_early`, findings are told before
    /// they are final.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn new(streams: &[Arc<StreamDetectors>], fires_early: bool) -> Result<Self> {
        let stream = |detectors: &Arc<StreamDetectors>| -> Result<StreamOperators> {
            let (slots, operators) = Self::fresh(detectors, &[], fires_early)?.into_iter().unzip();
            Ok(StreamOperators { slots, operators, from: vec![i64::MIN; detectors.detectors.len()] })
        };
        Ok(Self { streams: streams.iter().map(stream).collect::<Result<_>>()? })
    }

    /// Operators for those detectors of a stream whose slots are not `known`.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn fresh(stream: &StreamDetectors, known: &[u32], fires_early: bool) -> Result<FreshOperators> {
        let fresh = (0..stream.slots.len()).filter(|place| known.binary_search(&stream.slots[*place]).is_err());
        fresh.map(|place| Ok((stream.slots[place], operator(stream, place, fires_early)?))).collect()
    }

    /// From now on a stream's detectors are these: their operators stay as they are, `fresh` has those that come, and
    /// others go. Gives the slots of those that have gone.
    pub fn change(&mut self, stream: usize, detectors: &StreamDetectors, fresh: FreshOperators) -> Vec<u32> {
        let StreamOperators { slots, operators, .. } = &mut self.streams[stream];
        let mut held: BTreeMap<u32, Held> = slots.drain(..).zip(operators.drain(..)).collect();
        held.extend(fresh);
        slots.clone_from(&detectors.slots);
        operators.extend(detectors.slots.iter().map(|slot| held.remove(slot).flatten()));
        held.into_keys().collect()
    }

    /// When the versions of a stream's detectors are live, in their order.
    pub fn live(&mut self, stream: usize, lifetimes: &[Lifetime]) {
        let StreamOperators { operators, from, .. } = &mut self.streams[stream];
        *from = lifetimes.iter().map(|lifetime| lifetime.from).collect();
        for (operator, lifetime) in operators.iter_mut().zip(lifetimes) {
            operator.iter_mut().for_each(|operator| operator.live(*lifetime));
        }
    }

    /// Takes the chosen rows of an operator's batch.
    pub fn feed(&mut self, stream: usize, batch: &OperatorBatch, rows: &[u32]) {
        if let Some(operator) = &mut self.streams[stream].operators[batch.detector] {
            operator.feed(batch, rows);
        }
    }

    /// The least event time of a stream's accepted records so far: detectors that learn are silent for a while from it
    /// on, or from when they came.
    pub fn earliest(&mut self, stream: usize, earliest: i64) {
        let StreamOperators { operators, from, .. } = &mut self.streams[stream];
        for (operator, from) in operators.iter_mut().zip(from) {
            operator.iter_mut().for_each(|operator| operator.begin(earliest.max(*from)));
        }
    }

    /// Fires what can be fired before it is final. `now` in microseconds.
    pub fn fire_early(&mut self, stream: usize, now: i64, found: &mut Vec<Finding>) {
        self.of(stream).for_each(|operator| operator.fire_early(now, found));
    }

    /// Makes final what the stream's watermark makes final.
    pub fn advance(&mut self, stream: usize, watermark: i64, found: &mut Vec<Finding>) {
        self.of(stream).for_each(|operator| operator.advance(watermark, found));
    }

    fn of(&mut self, stream: usize) -> impl Iterator<Item = &mut Box<dyn StatefulOperator>> {
        self.streams[stream].operators.iter_mut().flatten()
    }

    /// What the operators of a stream count of themselves, in the order of its detectors.
    #[must_use]
    pub fn statistics(&self, stream: usize) -> Vec<OperatorStatistics> {
        let of = |operator: &Held| operator.as_ref().map(|o| o.statistics());
        self.streams[stream].operators.iter().map(|operator| of(operator).unwrap_or_default()).collect()
    }
}

/// The operator of the detector at a place among its stream's.
fn operator(stream: &StreamDetectors, place: usize, early: bool) -> Result<Held> {
    let (detector, kept) = (&stream.detectors[place], &stream.kept[place]);
    Ok(match detector.plan.operator {
        Operator::Match => None,
        Operator::OverRange { ref aggregates }
            if is_alone(aggregates, post::early(&detector.plan.having, aggregates)) =>
        {
            Some(Box::new(FirstSeen::new(detector, kept, early)?))
        }
        Operator::OverRange { .. } => Some(Box::new(OverRange::new(detector, kept, &stream.stream, early)?)),
        Operator::Window { .. } => Some(Box::new(Windows::new(detector, early)?)),
    })
}
