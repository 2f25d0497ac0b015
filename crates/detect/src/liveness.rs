//! Whether detectors could fire: which fields they need and whether records have them, and which of their conditions no
//! record has met. For one stream in one worker; who asks puts the workers together.

use std::collections::HashMap;
use std::sync::Arc;

use watchfire_record::ColumnRequest;

use crate::detector::{Detector, StreamDetectors};
use crate::matcher::{Matcher, Met};
use crate::plan::needs::Need;

/// Fields of which a detector needs one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// The detector's name.
    pub detector: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// The fields, joined by ` or `.
    pub names: Arc<str>,
}

/// A condition that must hold for a detector to find anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The detector's name.
    pub detector: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// The column that it is about.
    pub column: Arc<str>,
    /// Which input of the detector it is of, and which of that input's conditions it is.
    pub place: (usize, usize),
}

/// What is watched for the detectors of one stream.
#[derive(Debug, Clone, Default)]
pub struct Liveness {
    fields: Vec<Field>,
    conditions: Vec<Told>,
}

/// A condition, its number in the matcher, and what was told of it.
#[derive(Debug, Clone)]
struct Told {
    condition: Condition,
    number: usize,
    met: Met,
}

impl Liveness {
    /// Has the matcher watch for what the detectors need.
    #[must_use]
    pub fn new(detectors: &StreamDetectors, matcher: &mut Matcher) -> Self {
        let (mut fields, mut watched, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
        let absent = places_of_absent(detectors);
        for (detector, clause) in detectors.detectors.iter().zip(&detectors.clauses.of_detector) {
            let (name, version) = (&detector.info.name, &detector.info.version);
            let (name, version): (Arc<str>, Arc<str>) = (name.as_str().into(), version.as_str().into());
            for (need, after) in needs(detector) {
                let places: Option<Vec<usize>> = need.iter().map(|name| absent.get(name).copied()).collect();
                let Some(places) = places else { continue };
                let names: Vec<String> = need.into_iter().collect();
                fields.push(Field {
                    detector: Arc::clone(&name),
                    version: Arc::clone(&version),
                    names: names.join(" or ").into(),
                });
                watched.push((*clause, places, after));
            }
            for (index, (column, number)) in matcher.conditions(*clause).enumerate() {
                let column: Arc<str> = detectors.available[column].name().into();
                let (detector_name, version, place) =
                    (Arc::clone(&name), Arc::clone(&version), (detector.input, index));
                let condition = Condition { detector: detector_name, version, column, place };
                conditions.push(Told { condition, number, met: Met::NotAsked });
            }
        }
        matcher.watch(watched);
        Self { fields, conditions }
    }

    /// The fields that batches are looked at for.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Conditions of which something has become since the last time.
    pub fn changes(&mut self, matcher: &Matcher) -> Vec<(Condition, Met)> {
        let mut changed = Vec::new();
        for told in &mut self.conditions {
            let met = matcher.met(told.number);
            if met != told.met {
                told.met = met;
                changed.push((told.condition.clone(), met));
            }
        }
        changed
    }
}

/// What a detector needs of its input, and whether it needs it of records that pass its WHERE.
pub fn needs(detector: &Detector) -> impl Iterator<Item = (Need, bool)> {
    // What one branch of a union cannot do without, another can.
    let is_branch = !detector.stateful() && detector.plan.inputs.len() > 1;
    let of_where = detector.plan.needs_of_where(detector.input).into_iter().map(|need| (need, false));
    let all = of_where.chain(detector.plan.needs_of_aggregates().into_iter().map(|need| (need, true)));
    all.filter(move |_| !is_branch)
}

/// Where in a batch the fields are that records may be without.
fn places_of_absent(detectors: &StreamDetectors) -> HashMap<String, usize> {
    let schema = detectors.stream.schema();
    let can_be_absent = |name: &str| schema.field_with_name(name).map_or(true, |field| field.is_nullable());
    let places = detectors.decoded.iter().map(ColumnRequest::name).zip(0..);
    places.filter(|(name, _)| can_be_absent(name)).collect()
}
