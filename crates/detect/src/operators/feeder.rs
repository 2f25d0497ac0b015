//! Makes what operators with state are fed of a batch.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::Expr;
use datafusion_expr::utils::conjunction;
use watchfire_record::{Batch, ColumnRequest, Stream};

use super::feed::{FedRows, Feed, StreamBatch};
use super::first_seen::is_alone;
use super::groups::Groups;
use super::input::records;
use super::post::is_aggregate;
use super::shared::{BatchInputs, Shared, SharedInputs};
use super::sides::SideColumns;
use crate::detector::{Detector, StreamDetectors, named};
use crate::matcher::BatchColumns;
use crate::plan::{DetectorPlan, Operator};
use crate::shard::shard_of;

/// Makes [`StreamBatch`]es for the operators of one stream in one worker.
pub struct Feeder {
    operators: Vec<Wants>,
    event_id: ColumnRequest,
    shards: usize,
}

/// What makes the rows of two operators the same: WHERE, keys, what places them, whether they are by key.
type Fedness = (usize, Option<usize>, Option<usize>, bool);

/// What one operator wants of each batch; numbers are those of [`SharedInputs`].
struct Wants {
    clause: usize,
    grouping: Option<usize>,
    /// By what rows go to shards.
    placing: Option<usize>,
    aggregates: Vec<usize>,
    /// Whether rows of one group are to be next to one another: what is kept of a key is then at hand for all of them.
    by_group: bool,
    /// Whether a found row needs its columns kept.
    keeps: bool,
    /// What counts the rows that pass what is asked of found rows beside aggregates.
    passes: Option<usize>,
    /// What is kept of one side of a sequence.
    side: Option<SideColumns>,
}

impl Feeder {
    /// A feeder for all operators of a stream; what several may ask for goes to `shared`.
    ///
    /// # Errors
    /// If an expression does not fit the stream, which planning rules out.
    pub fn new(detectors: &StreamDetectors, shards: usize, shared: &mut SharedInputs) -> Result<Self> {
        let wants = |members: &Vec<usize>| {
            let first = members[0];
            let detector = &detectors.detectors[first];
            let mut wants = Wants::new(detector, &detectors.stream, detectors.clauses.of_detector[first], shared)?;
            // Another version may ask for something else.
            if let (Some(condition), [_]) = (row_condition(detector), members.as_slice()) {
                wants.passes = Some(shared.condition(&condition)?);
            }
            Ok(wants)
        };
        let operators = detectors.operators.iter().map(wants).collect::<Result<_>>()?;
        Ok(Self { operators, event_id: named(&detectors.stream, "event_id"), shards })
    }

    /// What a batch has for the operators. `passing` are the rows that pass each WHERE.
    #[must_use]
    pub fn feed(
        &self,
        batch: &Batch,
        columns: &BatchColumns,
        passing: &[Vec<u32>],
        inputs: &mut BatchInputs<'_>,
    ) -> StreamBatch {
        let records = records(batch, columns, &self.event_id);
        let mut wanted: HashMap<usize, Arc<Vec<u32>>> = HashMap::new();
        let mut in_time: HashMap<usize, Vec<u32>> = HashMap::new();
        let mut fed: HashMap<Fedness, Arc<FedRows>> = HashMap::new();
        let mut feeds = Vec::new();
        for (operator, wants) in self.operators.iter().enumerate() {
            let rows = &passing[wants.clause];
            if rows.is_empty() {
                continue;
            }
            let fedness = (wants.clause, wants.grouping, wants.placing, wants.by_group);
            let shared = fed.entry(fedness).or_insert_with(|| {
                let groups = wants.grouping.map(|grouping| inputs.groups(grouping, rows));
                let placing = match wants.placing {
                    placing if placing == wants.grouping => groups.clone(),
                    placing => placing.map(|placing| inputs.groups(placing, rows)),
                };
                let in_time = wants.by_group.then(|| {
                    let in_time = in_time.entry(wants.clause);
                    &**in_time.or_insert_with(|| in_order_of_time(rows, &records.times))
                });
                let order = in_order(rows, groups.as_ref(), in_time);
                let by_shard = by_shard(rows, placing.as_ref(), order, self.shards);
                let rows = wanted.entry(wants.clause).or_insert_with(|| Arc::new(rows.clone()));
                Arc::new(FedRows { rows: Arc::clone(rows), by_shard, groups })
            });
            feeds.push(Feed {
                operator,
                rows: Arc::clone(shared),
                aggregates: wants.aggregates.iter().map(|number| inputs.aggregate(*number, rows)).collect(),
                kept: None,
                passes: wants.passes.map(|number| inputs.aggregate(number, rows)),
                side: wants.side.as_ref().and_then(|side| side.of(batch, columns, rows)),
                windows: None,
            });
        }
        self.keep(&mut feeds, batch.rows.len(), inputs);
        StreamBatch::new(Arc::new(records), feeds)
    }

    /// Keeps what found rows need, once for all who may find them, of the `count` rows of a batch.
    fn keep(&self, feeds: &mut [Feed], count: usize, inputs: &BatchInputs<'_>) {
        let mut feeds: Vec<&mut Feed> = feeds.iter_mut().filter(|feed| self.operators[feed.operator].keeps).collect();
        if feeds.is_empty() {
            return;
        }
        let mut needed = vec![false; count];
        feeds.iter().flat_map(|feed| feed.passing()).for_each(|row| needed[row as usize] = true);
        let rows: Vec<u32> = (0u32..).zip(needed).filter_map(|(row, needed)| needed.then_some(row)).collect();
        let kept = inputs.kept(&rows);
        feeds.iter_mut().for_each(|feed| feed.kept = Some(Arc::clone(&kept)));
    }
}

impl Wants {
    fn new(detector: &Detector, stream: &Stream, clause: usize, shared: &mut SharedInputs) -> Result<Self> {
        let keys: Vec<Expr> = detector.reads().keys.iter().map(|(_, expr)| expr.clone()).collect();
        let mut grouping = |keys: &[Expr]| (!keys.is_empty()).then(|| shared.grouping(keys)).transpose();
        let placing = grouping(detector.reads().placed_by.as_deref().unwrap_or(&keys))?;
        let grouping = grouping(&keys)?;
        let aggregates = detector.plan.operator.fed_aggregates().iter();
        let aggregates = aggregates.map(|aggregate| shared.aggregate(aggregate)).collect::<Result<_>>()?;
        let by_group = is_fed_by_group(&detector.plan);
        let keeps = matches!(detector.plan.operator, Operator::OverRange { .. });
        let is_side = matches!(detector.plan.operator, Operator::Sequence(_));
        let side = is_side.then(|| SideColumns::new(detector, stream)).transpose()?;
        Ok(Self { clause, grouping, placing, aggregates, by_group, keeps, passes: None, side })
    }
}

/// Whether the operator of a plan is fed rows by group, in order of time in each.
#[must_use]
pub fn is_fed_by_group(plan: &DetectorPlan) -> bool {
    match &plan.operator {
        Operator::Window { .. } | Operator::OverWindows { .. } => true,
        Operator::OverRange { aggregates } => is_alone(&plan.having, aggregates),
        Operator::Match | Operator::Sequence(_) => false,
    }
}

/// What a range asks of found rows beside its aggregates.
fn row_condition(detector: &Detector) -> Option<Expr> {
    let having = matches!(detector.plan.operator, Operator::OverRange { .. }).then_some(&detector.plan.having)?;
    let of_rows = |expr: &&Expr| expr.column_refs().iter().all(|column| !is_aggregate(&column.name));
    conjunction(having.iter().filter(of_rows).cloned())
}

/// Which of `rows` (by index, in this order) each shard has: those of one group to be placed by go to one shard.
fn by_shard(rows: &[u32], placing: Option<&Shared<Groups>>, order: Vec<u32>, shards: usize) -> Vec<Vec<u32>> {
    let mut by_shard = vec![Vec::new(); shards];
    let Some(placing) = placing else {
        by_shard[shard_of(0, shards)] = order;
        return by_shard;
    };
    let shard_of_group: Vec<usize> = placing.values.hashes.iter().map(|hash| shard_of(*hash, shards)).collect();
    for index in order {
        by_shard[shard_of_group[group_of(rows, placing, index) as usize]].push(index);
    }
    by_shard
}

/// The group of a row, by its index among `rows`.
fn group_of(rows: &[u32], groups: &Shared<Groups>, index: u32) -> u32 {
    groups.values.of_row[if groups.whole { rows[index as usize] } else { index } as usize]
}

/// `rows`, by index: if they are given in order of time, group by group, and in this order in each; else as they are.
fn in_order(rows: &[u32], groups: Option<&Shared<Groups>>, in_time: Option<&[u32]>) -> Vec<u32> {
    match (in_time, groups) {
        (None, _) => (0u32..).take(rows.len()).collect(),
        (Some(in_time), None) => in_time.to_vec(),
        (Some(in_time), Some(groups)) => {
            in_groups(in_time, groups.values.hashes.len(), |index| group_of(rows, groups, index))
        }
    }
}

/// `rows`, by index, in order of time.
fn in_order_of_time(rows: &[u32], times: &[i64]) -> Vec<u32> {
    let mut in_time: Vec<u32> = (0u32..).take(rows.len()).collect();
    in_time.sort_by_key(|index| times[rows[*index as usize] as usize]);
    in_time
}

/// These rows group by group, in their order in each.
fn in_groups(rows: &[u32], groups: usize, group: impl Fn(u32) -> u32) -> Vec<u32> {
    let mut next = vec![0u32; groups + 1];
    rows.iter().for_each(|row| next[group(*row) as usize + 1] += 1);
    (1..=groups).for_each(|group| next[group] += next[group - 1]);
    let mut ordered = vec![0; rows.len()];
    for row in rows {
        let place = &mut next[group(*row) as usize];
        ordered[*place as usize] = *row;
        *place += 1;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_group_are_next_to_one_another_in_their_order() {
        let groups = [2, 0, 2, 1, 0, 2];
        assert_eq!(in_groups(&[0, 1, 2, 3, 5, 4], 4, |row| groups[row as usize]), [1, 4, 3, 0, 2, 5]);
        assert!(in_groups(&[], 0, |_| 0).is_empty());
    }
}
