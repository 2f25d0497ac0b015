//! A share of the keys of all operators with state.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::Finding;

use crate::detector::StreamDetectors;
use crate::operators::feed::{Fed, Feed, StreamBatch};
use crate::operators::first_seen::is_alone;
use crate::operators::key_table::KeyTable;
use crate::operators::post;
use crate::operators::{FirstSeen, OperatorStatistics, OverRange, StatefulOperator, Windows};
use crate::plan::Operator;

/// Which shard of `shards` keeps the key of this hash: the same in every worker.
#[must_use]
pub fn shard_of(hash: u128, shards: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "any 64 bits of a hash will do")]
    let hash = (hash >> 64) as u64;
    usize::try_from(hash % shards as u64).expect("less than the number of shards")
}

/// A stream's time after a job, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTime {
    /// No accepted record before it will come.
    pub watermark: i64,
    /// The least event time of all accepted records; `i64::MAX` before the first.
    pub earliest: i64,
}

/// What a shard takes at once: rows, if there are any, then the time after them.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The stream that the rows are of.
    pub stream: usize,
    /// The rows, of which the shard takes its share.
    pub batch: Option<&'a StreamBatch>,
    /// When they were taken in, microseconds.
    pub now: i64,
    /// Each stream's time after them.
    pub times: &'a [StreamTime],
}

/// The operators with state, for a share of their keys. Fed in the order of intake.
pub struct Shard {
    /// Which one of all it is.
    index: usize,
    fires_early: bool,
    streams: Vec<StreamState>,
}

/// What is kept for one stream.
struct StreamState {
    /// In the order of the stream's operators.
    operators: Vec<Kept>,
    /// Keys that operators have in common.
    keys: Vec<KeyTable>,
    /// By detector, its operator; `None` for match.
    of_detector: Vec<Option<usize>>,
}

struct Kept {
    operator: Box<dyn StatefulOperator>,
    /// Which of the stream's kinds of keys it has.
    keys: usize,
}

impl Shard {
    /// The shard of this index, for these detectors, one entry a stream of the engine's list. With `fires_early`,
    /// findings are told before they are final.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn new(index: usize, streams: &[Arc<StreamDetectors>], fires_early: bool) -> Result<Self> {
        let streams = streams.iter().map(|stream| StreamState::new(stream, fires_early)).collect::<Result<_>>()?;
        Ok(Self { index, fires_early, streams })
    }

    /// Takes steps in the order of intake; the findings of each. Operators are independent of one another, so that each
    /// takes all steps at once, while what it keeps is near.
    pub fn take(&mut self, steps: &[Step<'_>]) -> Vec<Vec<Finding>> {
        let mut found: Vec<Vec<Finding>> = steps.iter().map(|_| Vec::new()).collect();
        for (index, stream) in self.streams.iter_mut().enumerate() {
            stream.take(index, self.index, self.fires_early, steps, &mut found);
        }
        found
    }

    /// What the operators of a stream count of themselves, in the order of its detectors; those that share one say the
    /// same.
    #[must_use]
    pub fn statistics(&self, stream: usize) -> Vec<OperatorStatistics> {
        let StreamState { operators, of_detector, .. } = &self.streams[stream];
        let of = |operator: &Option<usize>| operator.map(|index| operators[index].operator.statistics());
        of_detector.iter().map(|operator| of(operator).unwrap_or_default()).collect()
    }
}

impl StreamState {
    fn new(stream: &StreamDetectors, fires_early: bool) -> Result<Self> {
        let mut kinds: Vec<Vec<&Expr>> = Vec::new();
        let mut of_detector = vec![None; stream.detectors.len()];
        let mut operators = Vec::new();
        for (index, members) in stream.operators.iter().enumerate() {
            members.iter().for_each(|detector| of_detector[*detector] = Some(index));
            let exprs: Vec<&Expr> = stream.detectors[members[0]].plan.keys.iter().map(|(_, expr)| expr).collect();
            let keys = kinds.iter().position(|known| *known == exprs).unwrap_or_else(|| {
                kinds.push(exprs);
                kinds.len() - 1
            });
            operators.push(Kept { operator: operator(members, stream, fires_early)?, keys });
        }
        let keys = kinds.iter().map(|_| KeyTable::default()).collect();
        Ok(Self { operators, keys, of_detector })
    }

    fn take(&mut self, stream: usize, shard: usize, early: bool, steps: &[Step<'_>], found: &mut [Vec<Finding>]) {
        let mut feeds: Vec<&[Feed]> = steps.iter().map(|step| step.feeds(stream)).collect();
        for (index, Kept { operator, keys }) in self.operators.iter_mut().enumerate() {
            let keys = &mut self.keys[*keys];
            for ((step, feeds), found) in steps.iter().zip(&mut feeds).zip(&mut *found) {
                let StreamTime { watermark, earliest } = step.times[stream];
                operator.begin(earliest);
                if let (Some(batch), Some((feed, rest))) = (step.batch, feeds.split_first())
                    && feed.operator == index
                {
                    *feeds = rest;
                    let fed = Fed::new(batch, feed, shard);
                    if fed.count() > 0 {
                        if let Some(groups) = fed.groups() {
                            keys.turn_to(groups);
                        }
                        operator.feed(&fed, keys);
                        if early {
                            operator.fire_early(step.now, keys, found);
                        }
                    }
                }
                operator.advance(watermark, keys, found);
            }
        }
        self.keys.iter_mut().for_each(KeyTable::turn_away);
    }
}

impl<'a> Step<'a> {
    /// What it has for the operators of a stream, in their order.
    fn feeds(&self, stream: usize) -> &'a [Feed] {
        self.batch.filter(|_| self.stream == stream).map_or(&[], |batch| &batch.feeds)
    }
}

fn operator(members: &[usize], stream: &StreamDetectors, early: bool) -> Result<Box<dyn StatefulOperator>> {
    let detector = &stream.detectors[members[0]];
    Ok(match &detector.plan.operator {
        Operator::Match => unreachable!("match keeps no state"),
        Operator::OverRange { aggregates } if is_alone(aggregates, post::early(&detector.plan.having, aggregates)) => {
            Box::new(FirstSeen::new(detector, &stream.kept, early)?)
        }
        Operator::OverRange { .. } => Box::new(OverRange::new(detector, stream, early)?),
        Operator::Window { .. } => Box::new(Windows::new(members, stream, early)?),
    })
}
