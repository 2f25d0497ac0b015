//! Makes what operators with state are fed of a batch.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::Expr;
use watchfire_record::{Batch, ColumnRequest, Stream};

use super::feed::{FedRows, Feed, StreamBatch};
use super::groups::Groups;
use super::input::records;
use super::shared::{BatchInputs, Shared, SharedInputs};
use super::sides::SideColumns;
use crate::detector::{Detector, StreamDetectors, named};
use crate::judge::Clauses;
use crate::matcher::BatchColumns;
use crate::plan::Operator;
use crate::shard::shard_of;

/// Makes [`StreamBatch`]es for the operators of one stream in one worker.
pub struct Feeder {
    operators: Vec<Wants>,
    event_id: ColumnRequest,
    shards: usize,
}

/// What one operator wants of each batch; numbers are those of [`SharedInputs`].
struct Wants {
    clause: usize,
    grouping: Option<usize>,
    aggregates: Vec<usize>,
    /// Whether a found row needs its columns kept.
    keeps: bool,
    /// What is kept of one side of a sequence.
    side: Option<SideColumns>,
}

impl Feeder {
    /// A feeder for all operators of a stream; what several may ask for goes to `shared`.
    ///
    /// # Errors
    /// If an expression does not fit the stream, which planning rules out.
    pub fn new(
        detectors: &StreamDetectors,
        clauses: &Clauses,
        shards: usize,
        shared: &mut SharedInputs,
    ) -> Result<Self> {
        let wants = |members: &Vec<usize>| {
            let first = members[0];
            Wants::new(&detectors.detectors[first], &detectors.stream, clauses.of_detector[first], shared)
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
        let mut wanted: HashMap<usize, Arc<Vec<u32>>> = HashMap::new();
        let mut fed: HashMap<(usize, Option<usize>), Arc<FedRows>> = HashMap::new();
        let mut feeds = Vec::new();
        for (operator, wants) in self.operators.iter().enumerate() {
            let rows = &passing[wants.clause];
            if rows.is_empty() {
                continue;
            }
            let shared = fed.entry((wants.clause, wants.grouping)).or_insert_with(|| {
                let groups = wants.grouping.map(|grouping| inputs.groups(grouping, rows));
                let by_shard = by_shard(rows, groups.as_ref(), self.shards);
                let rows = wanted.entry(wants.clause).or_insert_with(|| Arc::new(rows.clone()));
                Arc::new(FedRows { rows: Arc::clone(rows), by_shard, groups })
            });
            feeds.push(Feed {
                operator,
                rows: Arc::clone(shared),
                aggregates: wants.aggregates.iter().map(|number| inputs.aggregate(*number, rows)).collect(),
                kept: wants.keeps.then(|| inputs.kept(rows)),
                side: wants.side.as_ref().and_then(|side| side.of(batch, columns, rows)),
            });
        }
        StreamBatch { records: Arc::new(records(batch, columns, &self.event_id)), feeds }
    }
}

impl Wants {
    fn new(detector: &Detector, stream: &Stream, clause: usize, shared: &mut SharedInputs) -> Result<Self> {
        let keys: Vec<Expr> = detector.reads().keys.iter().map(|(_, expr)| expr.clone()).collect();
        let grouping = (!keys.is_empty()).then(|| shared.grouping(&keys)).transpose()?;
        let aggregates = detector.plan.operator.aggregates().iter();
        let aggregates = aggregates.map(|aggregate| shared.aggregate(aggregate)).collect::<Result<_>>()?;
        let keeps = matches!(detector.plan.operator, Operator::OverRange { .. });
        let is_side = matches!(detector.plan.operator, Operator::Sequence(_));
        let side = is_side.then(|| SideColumns::new(detector, stream)).transpose()?;
        Ok(Self { clause, grouping, aggregates, keeps, side })
    }
}

/// Which of `rows` (by index) each shard has: those of one key go to one shard.
fn by_shard(rows: &[u32], groups: Option<&Shared<Groups>>, shards: usize) -> Vec<Vec<u32>> {
    let mut by_shard = vec![Vec::new(); shards];
    let shard_of_group: Vec<usize> = match groups {
        Some(groups) => groups.values.hashes.iter().map(|hash| shard_of(*hash, shards)).collect(),
        None => vec![shard_of(0, shards)],
    };
    for (index, row) in (0u32..).zip(rows) {
        let group = groups.map_or(0, |groups| groups.values.of_row[if groups.whole { *row } else { index } as usize]);
        by_shard[shard_of_group[group as usize]].push(index);
    }
    by_shard
}
