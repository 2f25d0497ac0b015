//! A share of the keys of all operators with state.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_expr::Expr;
use watchfire_record::Finding;
use watchfire_record::time::Stopwatch;

use crate::detector::StreamDetectors;
use crate::fed_alike::FedAlike;
use crate::fresh::{Fresh, sides};
use crate::lifetime::Lifetime;
use crate::operators::feed::{Fed, StreamBatch};
use crate::operators::key_table::KeyTable;
use crate::operators::record_table::RecordTable;
use crate::operators::{Common, Manner, Newcomer, OperatorStatistics, Sequences, StatefulOperator};

/// So many keys an operator may keep whatever they take: one without any would find nothing.
const FEW_KEYS: usize = 64;

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
    manner: Manner,
    streams: Vec<StreamState>,
    sequences: Vec<SequenceState>,
}

/// What is kept for one stream.
#[derive(Default)]
struct StreamState {
    /// In the order of the stream's operators; sides of sequences are kept elsewhere.
    operators: Vec<Option<Kept>>,
    /// Kinds of keys that operators have in common; `None` in the place of one that nobody has any more.
    keys: Vec<Option<KeyKind>>,
    /// Records that operators have in common.
    records: RecordTable,
    /// What operators have in common that are fed the same.
    alike: FedAlike,
}

struct Kept {
    /// Its number among all that there have been.
    number: u32,
    operator: Box<dyn StatefulOperator>,
    /// Which of the stream's kinds of keys it has.
    keys: usize,
    /// It is fed with no rows of other times.
    fed: Lifetime,
    /// What it cost since that was last told, nanoseconds.
    nanos: u64,
}

/// Keys by the same expressions.
struct KeyKind {
    exprs: Vec<Expr>,
    table: KeyTable,
}

/// A sequence, which may read two streams.
struct SequenceState {
    number: u32,
    sequence: Sequences,
    sides: Vec<Side>,
    fed: Lifetime,
    nanos: u64,
}

/// Where a side of a sequence comes from.
#[derive(Debug, Clone, Copy)]
struct Side {
    stream: usize,
    operator: usize,
    side: usize,
}

/// What has gone from a shard: to be dropped where it keeps nobody waiting.
pub struct Gone {
    _operators: Vec<Box<dyn StatefulOperator>>,
    _sequences: Vec<SequenceState>,
    _keys: Vec<KeyKind>,
    /// The ends of findings that had fired and whose detectors have gone.
    pub ended: Vec<Finding>,
}

impl Shard {
    /// The shard of this index for so many streams, which has no detectors yet.
    #[must_use]
    pub fn new(index: usize, streams: usize, manner: Manner) -> Self {
        let streams = (0..streams).map(|_| StreamState::default()).collect();
        Self { index, manner, streams, sequences: Vec::new() }
    }

    /// From now on these detectors are live: operators that were there stay as they are, `fresh` has what comes, and
    /// others go.
    pub fn change(&mut self, streams: &[Arc<StreamDetectors>], fresh: Fresh) -> Gone {
        let Fresh { operators, sequences, joining } = fresh;
        let mut gone = Gone { _operators: Vec::new(), _sequences: Vec::new(), _keys: Vec::new(), ended: Vec::new() };
        let mut operators: HashMap<u32, Box<dyn StatefulOperator>> = operators.into_iter().collect();
        for (state, detectors) in self.streams.iter_mut().zip(streams) {
            state.change(detectors, &mut operators, &mut gone);
        }
        self.change_sequences(streams, sequences, &mut gone);
        for (number, newcomer) in joining {
            let kept = self.streams.iter_mut().flat_map(|stream| stream.operators.iter_mut().flatten());
            match newcomer {
                Newcomer::Sequence(pairs) => {
                    let mut known = self.sequences.iter_mut();
                    known.find(|state| state.number == number).expect("it is there").sequence.join(*pairs);
                }
                other => kept.into_iter().find(|kept| kept.number == number).expect("it is there").operator.join(other),
            }
        }
        gone
    }

    fn change_sequences(&mut self, streams: &[Arc<StreamDetectors>], fresh: Vec<(u32, Sequences)>, gone: &mut Gone) {
        let new =
            |(number, sequence)| SequenceState { number, sequence, sides: Vec::new(), fed: Lifetime::ALWAYS, nanos: 0 };
        self.sequences.extend(fresh.into_iter().map(new));
        self.sequences.iter_mut().for_each(|state| state.sides.clear());
        for (stream, operator, number, side) in sides(streams) {
            let known = self.sequences.iter_mut().find(|state| state.number == number);
            known.expect("it was there or is fresh").sides.push(Side { stream, operator, side });
        }
        let (live, over) = std::mem::take(&mut self.sequences).into_iter().partition(|state| !state.sides.is_empty());
        self.sequences = live;
        gone._sequences = over;
    }

    /// When the versions of the detectors are live: one entry a stream, of one for each of its detectors. Gives the ends
    /// of findings that had fired and whose versions have gone.
    pub fn live(&mut self, streams: &[Arc<StreamDetectors>], lifetimes: &[Vec<Lifetime>]) -> Vec<Finding> {
        let mut ended = Vec::new();
        for ((state, detectors), lifetimes) in self.streams.iter_mut().zip(streams).zip(lifetimes) {
            for (kept, members) in state.operators.iter_mut().zip(&detectors.operators) {
                if let Some(kept) = kept {
                    kept.fed = fed(detectors, members, lifetimes);
                    kept.operator.live(&of_members(detectors, members, lifetimes), &mut ended);
                }
            }
        }
        for state in &mut self.sequences {
            let Side { stream, operator, .. } = state.sides[0];
            let (detectors, members) = (&streams[stream], &streams[stream].operators[operator]);
            state.fed = fed(detectors, members, &lifetimes[stream]);
            state.sequence.live(&of_members(detectors, members, &lifetimes[stream]));
        }
        ended
    }

    /// Takes steps in the order of intake; the findings of each. Operators are independent of one another, so that each
    /// takes all steps at once, while what it keeps is near.
    pub fn take(&mut self, steps: &[Step<'_>]) -> Vec<Vec<Finding>> {
        let mut found: Vec<Vec<Finding>> = steps.iter().map(|_| Vec::new()).collect();
        let mut watch = Stopwatch::start();
        for (index, stream) in self.streams.iter_mut().enumerate() {
            stream.take(index, self.index, self.manner.fires_early, steps, &mut found, &mut watch);
        }
        for sequence in &mut self.sequences {
            sequence.take(self.index, steps, &mut found);
            sequence.nanos += watch.lap();
        }
        found
    }

    /// What the operators of a stream count of themselves, in their order, and what each cost since this was last asked,
    /// nanoseconds; a sequence tells all with its first side.
    pub fn told(&mut self, stream: usize) -> Vec<Option<Told>> {
        let StreamState { operators, keys, .. } = &mut self.streams[stream];
        let sequences = &mut self.sequences;
        let of = |(index, kept): (usize, &mut Option<Kept>)| match kept {
            Some(kept) => {
                let mut statistics = kept.operator.statistics();
                let a_key = keys[kept.keys].as_ref().map_or(0, |kind| kind.table.bytes_a_key());
                statistics.bytes += statistics.keys * a_key as u64;
                Some(Told { statistics, nanos: std::mem::take(&mut kept.nanos) })
            }
            None => {
                let tells = |side: &Side| side.stream == stream && side.operator == index && side.side == 0;
                let state = sequences.iter_mut().find(|state| state.sides.iter().any(tells))?;
                Some(Told { statistics: state.sequence.statistics(), nanos: std::mem::take(&mut state.nanos) })
            }
        };
        operators.iter_mut().enumerate().map(of).collect()
    }

    /// How many keys its operators keep, but for sequences.
    #[must_use]
    pub fn keys(&self) -> usize {
        let operators = self.streams.iter().flat_map(|stream| stream.operators.iter().flatten());
        operators.map(|kept| kept.operator.keys()).sum()
    }

    /// About how many bytes the records take that what is kept rests on, with what says which are whose.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.streams.iter().map(|stream| stream.records.bytes() + stream.alike.bytes()).sum()
    }

    /// Throws keys out of an operator of a stream that takes more than `most` bytes, of which this was just told; gives
    /// how many it has thrown out in all, or `None` if there was no need. A sequence sees to it itself.
    pub fn shed(&mut self, stream: usize, operator: usize, told: &Told, most: u64) -> Option<u64> {
        let StreamState { operators, keys, records, alike } = &mut self.streams[stream];
        let OperatorStatistics { keys: count, bytes, .. } = told.statistics;
        let kept = operators[operator].as_mut().filter(|_| bytes > most)?;
        let kind = keys[kept.keys].as_mut()?;
        let keep = u128::from(count) * u128::from(most) * 3 / 4 / u128::from(bytes);
        kept.operator.shed(usize::try_from(keep).unwrap_or(usize::MAX).max(FEW_KEYS), &mut kind.table);
        alike.forget(kept.keys, &kind.table.turn_away());
        records.ask();
        Some(kept.operator.statistics().evicted)
    }
}

/// What an operator tells of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    /// What it counts.
    pub statistics: OperatorStatistics,
    /// What it cost since it last told, nanoseconds.
    pub nanos: u64,
}

/// What of an operator's rows its versions want: from when the first has all records, to when what began in the time of
/// the last is over.
fn fed(detectors: &StreamDetectors, members: &[usize], lifetimes: &[Lifetime]) -> Lifetime {
    let since = members.iter().map(|member| lifetimes[*member].since).min().unwrap_or(i64::MIN);
    let over = |member: &usize| lifetimes[*member].to.saturating_add(detectors.detectors[*member].tail());
    let to = members.iter().map(over).max().unwrap_or(i64::MAX);
    Lifetime { from: since, to, since }
}

fn of_members(detectors: &StreamDetectors, members: &[usize], lifetimes: &[Lifetime]) -> Vec<(u32, Lifetime)> {
    members.iter().map(|member| (detectors.slots[*member], lifetimes[*member])).collect()
}

impl SequenceState {
    fn take(&mut self, shard: usize, steps: &[Step<'_>], found: &mut [Vec<Finding>]) {
        let mut within = Vec::new();
        for (step, found) in steps.iter().zip(found) {
            for Side { stream, operator, side } in &self.sides {
                if let Some(fed) = step.fed(*stream, *operator, shard) {
                    self.sequence.feed(*side, &fed.within(self.fed, &mut within));
                }
            }
            for Side { stream, side, .. } in &self.sides {
                self.sequence.advance(*side, step.times[*stream].watermark, found);
            }
        }
    }
}

impl StreamState {
    fn change(
        &mut self,
        detectors: &StreamDetectors,
        fresh: &mut HashMap<u32, Box<dyn StatefulOperator>>,
        gone: &mut Gone,
    ) {
        let mut before: HashMap<u32, Kept> = HashMap::new();
        before.extend(self.operators.drain(..).flatten().map(|kept| (kept.number, kept)));
        for (members, number) in detectors.operators.iter().zip(&detectors.numbers) {
            let keys = &detectors.detectors[members[0]].reads().keys;
            let kept = before.remove(number).or_else(|| {
                let (number, operator) = (*number, fresh.remove(number)?);
                let keys = self.kind(keys.iter().map(|(_, expr)| expr));
                Some(Kept { number, operator, keys, fed: Lifetime::ALWAYS, nanos: 0 })
            });
            self.operators.push(kept);
        }
        for (_, mut kept) in before {
            if let Some(kind) = &mut self.keys[kept.keys] {
                kept.operator.leave(&mut kind.table, &mut gone.ended);
            }
            gone._operators.push(kept.operator);
        }
        for (place, kind) in self.keys.iter_mut().enumerate() {
            if !self.operators.iter().flatten().any(|kept| kept.keys == place) {
                gone._keys.extend(kind.take());
            }
        }
        let kinds: Vec<_> = self.operators.iter().map(|kept| kept.as_ref().map(|kept| kept.keys)).collect();
        self.alike.change(detectors, &kinds);
    }

    /// The place of the kind of keys by these expressions.
    fn kind<'a>(&mut self, exprs: impl Iterator<Item = &'a Expr>) -> usize {
        let exprs: Vec<Expr> = exprs.cloned().collect();
        let known = self.keys.iter().position(|kind| kind.as_ref().is_some_and(|kind| kind.exprs == exprs));
        known.unwrap_or_else(|| {
            let kind = Some(KeyKind { exprs, table: KeyTable::default() });
            if let Some(free) = self.keys.iter().position(Option::is_none) {
                self.keys[free] = kind;
                free
            } else {
                self.keys.push(kind);
                self.keys.len() - 1
            }
        })
    }

    fn take(
        &mut self,
        stream: usize,
        shard: usize,
        early: bool,
        steps: &[Step<'_>],
        found: &mut [Vec<Finding>],
        watch: &mut Stopwatch,
    ) {
        self.come(stream, shard, steps, watch);
        let mut within = Vec::new();
        for (index, kept) in self.operators.iter_mut().enumerate() {
            let Some(Kept { operator, keys, fed: lifetime, nanos, .. }) = kept else { continue };
            let Some(KeyKind { table, .. }) = &mut self.keys[*keys] else { continue };
            let mut common = Common { keys: table, records: &mut self.records, runs: None, trail: None };
            for (place, (step, found)) in steps.iter().zip(&mut *found).enumerate() {
                let StreamTime { watermark, earliest } = step.times[stream];
                (common.runs, common.trail) = self.alike.of(index, place);
                operator.begin(earliest);
                if let Some(fed) = step.fed(stream, index, shard) {
                    common.runs = common.runs.filter(|_| fed.is_within(*lifetime));
                    let fed = fed.within(*lifetime, &mut within);
                    if let Some(groups) = fed.groups() {
                        common.keys.turn_to(groups);
                    }
                    operator.feed(&fed, &mut common);
                    if early {
                        operator.fire_early(step.now, &mut common, found);
                    }
                }
                operator.advance(watermark, &mut common, found);
                if early {
                    operator.tell_changes(step.now, &mut common, found);
                }
            }
            *nanos += watch.lap();
        }
        self.alike.turn_away();
        for (place, kind) in self.keys.iter_mut().enumerate() {
            if let Some(kind) = kind {
                self.alike.forget(place, &kind.table.turn_away());
            }
        }
        if let Some(mut marks) = self.records.turn_away() {
            let operators = self.operators.iter().flatten();
            operators.for_each(|kept| kept.operator.mark(&mut marks));
            let watermark = steps.last().map_or(i64::MIN, |step| step.times[stream].watermark);
            self.alike.keep(watermark, &self.records, &mut marks);
            self.records.keep(&marks);
        }
    }

    /// Steps come to what operators have in common, which is done once for all of them; each has its part of the cost.
    fn come(&mut self, stream: usize, shard: usize, steps: &[Step<'_>], watch: &mut Stopwatch) {
        for feeding in 0..self.alike.count() {
            let (operators, kind) = self.alike.operators(feeding);
            let (first, several) = (operators[0], operators.len() as u64);
            let Some(KeyKind { table, .. }) = &mut self.keys[kind] else { continue };
            for step in steps {
                self.alike.come(feeding, step.fed(stream, first, shard), table, &mut self.records);
            }
            let each = watch.lap() / several;
            for operator in self.alike.operators(feeding).0 {
                self.operators[*operator].as_mut().expect("who is fed is kept").nanos += each;
            }
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
