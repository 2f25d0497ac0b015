//! Operators, and parts of operators, that a shard does not have yet: made where they keep nobody waiting.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion_common::Result;

use crate::detector::{Detector, StreamDetectors};
use crate::identities::SecretHasher;
use crate::operators::first_seen::is_alone;
use crate::operators::over_windows::row_version;
use crate::operators::pairs::Pairs;
use crate::operators::versions::RangeVersion;
use crate::operators::window_members::{Member, key_types};
use crate::operators::{FirstSeen, Manner, Newcomer, OverRange, OverWindows, Sequences, StatefulOperator, Windows};
use crate::plan::Operator;

/// What comes with a change of detectors, for one shard; each by the number of its operator.
#[derive(Default)]
pub struct Fresh {
    /// Operators.
    pub operators: Vec<(u32, Box<dyn StatefulOperator>)>,
    /// Sequences.
    pub sequences: Vec<(u32, Sequences)>,
    /// Versions that go on with operators which are there, or have come.
    pub joining: Vec<(u32, Newcomer)>,
}

impl Fresh {
    /// What these detectors need that `before` had not. `hasher` is the workers' own.
    ///
    /// # Errors
    /// If an expression does not fit its stream, which planning rules out.
    pub fn new(
        streams: &[Arc<StreamDetectors>],
        before: &[Arc<StreamDetectors>],
        manner: Manner,
        hasher: &SecretHasher,
    ) -> Result<Self> {
        let slots: HashSet<u32> = before.iter().flat_map(|stream| stream.slots.iter().copied()).collect();
        let mut numbers: HashSet<u32> = before.iter().flat_map(|stream| stream.numbers.iter().copied()).collect();
        let mut fresh = Self::default();
        for stream in streams {
            for (members, number) in stream.operators.iter().zip(&stream.numbers) {
                let detector = &stream.detectors[members[0]];
                // A sequence comes with its first side.
                if matches!(detector.plan.operator, Operator::Sequence(_)) && detector.input != 0 {
                    continue;
                }
                let mut added = members.iter().filter(|member| !slots.contains(&stream.slots[**member]));
                if numbers.insert(*number) {
                    // Windows take all their members at once.
                    let alone =
                        if matches!(detector.plan.operator, Operator::Window { .. }) { None } else { added.next() };
                    let first = alone.map_or(members.as_slice(), std::slice::from_ref);
                    fresh.operator(*number, streams, (stream, first), manner, hasher)?;
                    if alone.is_none() {
                        continue;
                    }
                }
                for member in added {
                    fresh.joining.push((*number, newcomer(streams, stream, *member, manner.fires_early)?));
                }
            }
        }
        Ok(fresh)
    }

    fn operator(
        &mut self,
        number: u32,
        streams: &[Arc<StreamDetectors>],
        (stream, members): (&StreamDetectors, &[usize]),
        manner: Manner,
        hasher: &SecretHasher,
    ) -> Result<()> {
        let (detector, slot) = (&stream.detectors[members[0]], stream.slots[members[0]]);
        let operator: Box<dyn StatefulOperator> = match &detector.plan.operator {
            Operator::Match => unreachable!("match keeps no state"),
            Operator::Sequence(_) => {
                self.sequences.push((number, Sequences::new(slot, detector, of_sides(streams, detector), manner)?));
                return Ok(());
            }
            Operator::OverRange { aggregates } if is_alone(&detector.plan.having, aggregates) => {
                Box::new(FirstSeen::new(slot, detector, &stream.stream, manner)?)
            }
            Operator::OverRange { .. } => Box::new(OverRange::new(slot, detector, &stream.stream, manner)?),
            Operator::OverWindows { .. } => Box::new(OverWindows::new(slot, detector, manner, hasher)?),
            Operator::Window { .. } => Box::new(Windows::new(members, stream, manner)?),
        };
        self.operators.push((number, operator));
        Ok(())
    }
}

/// The part of a detector that goes on with an operator.
fn newcomer(streams: &[Arc<StreamDetectors>], stream: &StreamDetectors, place: usize, early: bool) -> Result<Newcomer> {
    let (detector, slot) = (&stream.detectors[place], stream.slots[place]);
    Ok(match &detector.plan.operator {
        Operator::Match => unreachable!("match keeps no state"),
        Operator::Window { aggregates, .. } => {
            Newcomer::Window(Box::new(Member::new(slot, detector, &key_types(detector)?, aggregates, early)?))
        }
        Operator::OverRange { aggregates } => {
            Newcomer::Range(Box::new(RangeVersion::new(slot, detector, aggregates, &stream.stream)?))
        }
        Operator::OverWindows { windows, .. } => Newcomer::Range(Box::new(row_version(slot, detector, windows)?)),
        Operator::Sequence(sequence) => {
            Newcomer::Sequence(Box::new(Pairs::new(slot, detector, sequence, of_sides(streams, detector))?))
        }
    })
}

/// The streams of a sequence's two sides.
fn of_sides<'a>(streams: &'a [Arc<StreamDetectors>], detector: &Detector) -> [&'a watchfire_record::Stream; 2] {
    [0, 1].map(|side| &streams[detector.plan.inputs[side].stream].stream)
}

/// All sides of sequences: stream, place of the operator, its number, which side.
pub fn sides(streams: &[Arc<StreamDetectors>]) -> impl Iterator<Item = (usize, usize, u32, usize)> {
    streams.iter().enumerate().flat_map(|(index, stream)| {
        let operators = stream.operators.iter().zip(&stream.numbers).enumerate();
        operators.filter_map(move |(operator, (members, number))| {
            let detector = &stream.detectors[members[0]];
            let is_side = matches!(detector.plan.operator, Operator::Sequence(_));
            is_side.then_some((index, operator, *number, detector.input))
        })
    })
}
