//! A share of the keys of all operators with state.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::Finding;

use crate::detector::StreamDetectors;
use crate::identities::SecretHasher;
use crate::operators::feed::{Fed, StreamBatch};
use crate::operators::first_seen::is_alone;
use crate::operators::key_table::KeyTable;
use crate::operators::record_table::RecordTable;
use crate::operators::{
    Common, FirstSeen, OperatorStatistics, OverRange, OverWindows, Sequences, StatefulOperator, Windows,
};
use crate::plan::Operator;

/// Which shard of `shards` keeps the key of this hash: the same in every worker.
#[must_use]
pub fn shard_of(hash: u128, shards: usize) -> usize {
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
    sequences: Vec<SequenceState>,
}

/// What is kept for one stream.
struct StreamState {
    /// In the order of the stream's operators; sides of sequences are kept elsewhere.
    operators: Vec<Option<Kept>>,
    /// Keys that operators have in common.
    keys: Vec<KeyTable>,
    /// Records that operators have in common.
    records: RecordTable,
    /// By detector, its operator; `None` for match.
    of_detector: Vec<Option<usize>>,
    /// For each of the detectors, the place of its name.
    places: Vec<usize>,
}

struct Kept {
    operator: Box<dyn StatefulOperator>,
    /// Which of the stream's kinds of keys it has.
    keys: usize,
}

/// A sequence, which may read two streams.
struct SequenceState {
    sequence: Sequences,
    sides: Vec<Side>,
}

/// Where a side of a sequence comes from.
#[derive(Debug, Clone, Copy)]
struct Side {
    stream: usize,
    operator: usize,
    side: usize,
}

impl Shard {
    /// The shard of this index, for these detectors, one entry a stream of the engine's list. With `fires_early`,
    /// findings are told before they are final. `hasher` is the workers' own.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn new(
        index: usize,
        streams: &[Arc<StreamDetectors>],
        fires_early: bool,
        hasher: &SecretHasher,
    ) -> Result<Self> {
        let states =
            streams.iter().map(|stream| StreamState::new(stream, fires_early, hasher)).collect::<Result<_>>()?;
        Ok(Self { index, fires_early, streams: states, sequences: sequences(streams)? })
    }

    /// Takes steps in the order of intake; the findings of each. Operators are independent of one another, so that each
    /// takes all steps at once, while what it keeps is near.
    pub fn take(&mut self, steps: &[Step<'_>]) -> Vec<Vec<Finding>> {
        let mut found: Vec<Vec<Finding>> = steps.iter().map(|_| Vec::new()).collect();
        for (index, stream) in self.streams.iter_mut().enumerate() {
            stream.take(index, self.index, self.fires_early, steps, &mut found);
        }
        for sequence in &mut self.sequences {
            sequence.take(self.index, steps, &mut found);
        }
        found
    }

    /// What the operators of a stream count of themselves, in the order of the names of its detectors. Those that share
    /// an operator say the same; a sequence tells all with its first side.
    #[must_use]
    pub fn statistics(&self, stream: usize) -> Vec<OperatorStatistics> {
        let StreamState { operators, of_detector, places, .. } = &self.streams[stream];
        let names = places.iter().max().map_or(0, |last| last + 1);
        let mut statistics = vec![OperatorStatistics::default(); names];
        for (operator, place) in of_detector.iter().zip(places) {
            let Some(index) = *operator else { continue };
            statistics[*place] += match &operators[index] {
                Some(kept) => kept.operator.statistics(),
                None => self.sequence_statistics(stream, index),
            };
        }
        statistics
    }

    fn sequence_statistics(&self, stream: usize, operator: usize) -> OperatorStatistics {
        let tells = |side: &Side| side.stream == stream && side.operator == operator && side.side == 0;
        let told = self.sequences.iter().find(|sequence| sequence.sides.iter().any(tells));
        told.map(|state| state.sequence.statistics()).unwrap_or_default()
    }
}

fn sequences(streams: &[Arc<StreamDetectors>]) -> Result<Vec<SequenceState>> {
    let mut sequences = Vec::new();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for (stream, detectors) in streams.iter().enumerate() {
        for (operator, members) in detectors.operators.iter().enumerate() {
            let detector = &detectors.detectors[members[0]];
            if !matches!(detector.plan.operator, Operator::Sequence(_)) {
                continue;
            }
            let number = *numbers.entry(detector.info.name.as_str()).or_insert(sequences.len());
            if number == sequences.len() {
                let [a, b] = [0, 1].map(|side| &streams[detector.plan.inputs[side].stream].stream);
                sequences.push(SequenceState { sequence: Sequences::new(detector, [a, b])?, sides: Vec::new() });
            }
            sequences[number].sides.push(Side { stream, operator, side: detector.input });
        }
    }
    Ok(sequences)
}

impl SequenceState {
    fn take(&mut self, shard: usize, steps: &[Step<'_>], found: &mut [Vec<Finding>]) {
        for (step, found) in steps.iter().zip(found) {
            for Side { stream, operator, side } in &self.sides {
                if let Some(fed) = step.fed(*stream, *operator, shard) {
                    self.sequence.feed(*side, &fed);
                }
            }
            for Side { stream, side, .. } in &self.sides {
                self.sequence.advance(*side, step.times[*stream].watermark, found);
            }
        }
    }
}

impl StreamState {
    fn new(stream: &StreamDetectors, fires_early: bool, hasher: &SecretHasher) -> Result<Self> {
        let mut kinds: Vec<Vec<&Expr>> = Vec::new();
        let mut of_detector = vec![None; stream.detectors.len()];
        let mut operators = Vec::new();
        for (index, members) in stream.operators.iter().enumerate() {
            members.iter().for_each(|detector| of_detector[*detector] = Some(index));
            let exprs: Vec<&Expr> = stream.detectors[members[0]].reads().keys.iter().map(|(_, expr)| expr).collect();
            let keys = kinds.iter().position(|known| *known == exprs).unwrap_or_else(|| {
                kinds.push(exprs);
                kinds.len() - 1
            });
            operators.push(operator(members, stream, fires_early, hasher)?.map(|operator| Kept { operator, keys }));
        }
        let keys = kinds.iter().map(|_| KeyTable::default()).collect();
        Ok(Self { operators, keys, records: RecordTable::default(), of_detector, places: stream.places.clone() })
    }

    fn take(&mut self, stream: usize, shard: usize, early: bool, steps: &[Step<'_>], found: &mut [Vec<Finding>]) {
        for (index, kept) in self.operators.iter_mut().enumerate() {
            let Some(Kept { operator, keys }) = kept else { continue };
            let mut common = Common { keys: &mut self.keys[*keys], records: &mut self.records };
            for (step, found) in steps.iter().zip(&mut *found) {
                let StreamTime { watermark, earliest } = step.times[stream];
                operator.begin(earliest);
                if let Some(fed) = step.fed(stream, index, shard) {
                    if let Some(groups) = fed.groups() {
                        common.keys.turn_to(groups);
                    }
                    operator.feed(&fed, &mut common);
                    if early {
                        operator.fire_early(step.now, &mut common, found);
                    }
                }
                operator.advance(watermark, &mut common, found);
            }
        }
        self.keys.iter_mut().for_each(KeyTable::turn_away);
        if let Some(mut marks) = self.records.turn_away() {
            let operators = self.operators.iter().flatten();
            operators.for_each(|kept| kept.operator.mark(&mut marks));
            self.records.keep(&marks);
        }
    }
}

impl<'a> Step<'a> {
    /// What it has for an operator of a stream in this shard.
    fn fed(&self, stream: usize, operator: usize, shard: usize) -> Option<Fed<'a>> {
        let batch = self.batch.filter(|_| self.stream == stream)?;
        let place = batch.feeds.binary_search_by_key(&operator, |feed| feed.operator).ok()?;
        let fed = Fed::new(batch, &batch.feeds[place], shard);
        (fed.count() > 0).then_some(fed)
    }
}

/// The operator of these detectors; `None` for a side of a sequence.
fn operator(
    members: &[usize],
    stream: &StreamDetectors,
    early: bool,
    hasher: &SecretHasher,
) -> Result<Option<Box<dyn StatefulOperator>>> {
    let detector = &stream.detectors[members[0]];
    Ok(Some(match &detector.plan.operator {
        Operator::Match => unreachable!("match keeps no state"),
        Operator::Sequence(_) => return Ok(None),
        Operator::OverRange { aggregates } if is_alone(&detector.plan.having, aggregates) => {
            Box::new(FirstSeen::new(detector, &stream.kept, early)?)
        }
        Operator::OverRange { .. } => Box::new(OverRange::new(detector, stream, early)?),
        Operator::OverWindows { .. } => Box::new(OverWindows::new(detector, hasher)?),
        Operator::Window { .. } => Box::new(Windows::new(members, stream, early)?),
    }))
}
