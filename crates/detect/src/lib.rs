//! Detectors: SQL to a checked plan, a plan to our own streaming operators, and an oracle that runs the same SQL in batch.
//!
//! Knows nothing of where records come from, how they are decoded, or where findings go. Read [`Detector`] first, then
//! [`Judge`] (what a worker does with a batch) and [`Shard`] (what keeps state).

pub mod clauses;
pub mod compile;
pub mod cost;
pub mod detector;
pub mod expression;
mod fed_alike;
pub mod fresh;
pub mod identities;
mod identity;
pub mod judge;
pub mod language;
pub mod lifetime;
pub mod liveness;
pub mod matcher;
pub mod operators;
#[cfg(feature = "oracle")]
pub mod oracle;
pub mod plan;
pub mod shard;
pub mod tables;

pub mod value;
pub mod version;

pub use cost::Cost;
pub use detector::{Detector, StreamDetectors};
pub use identities::Identities;
pub use judge::{Judge, Judgement};
pub use lifetime::Lifetime;
pub use liveness::Liveness;
pub use shard::{Shard, Step, StreamTime, Told};
pub use tables::{Table, TableDefinition};
pub use version::{Version, Versions};
