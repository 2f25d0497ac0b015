//! A serverless estate that logs: people, functions, deployments, backups, and attacks among them, deterministic by
//! seed. It writes what an AWS organisation's audit log, its functions' logs and its APIs' access logs would hold, and
//! keeps the truth about every attack.
//!
//! Knows nothing of how records are read, decoded or judged, and copies no real record: every name and value is its
//! own. Read [`Simulation`] first: an iterator of [`Record`]s, in the order in which they reach their logs.

mod api;
mod attacks;
mod cloudtrail;
mod estate;
mod lambda;
mod moment;
pub mod output;
mod pace;
mod plan;
mod queue;
mod random;
mod settings;
mod simulation;
mod stories;
mod template;
mod truth;

pub use attacks::AttackKind;
pub use output::{Output, OutputError, Producer};
pub use pace::Pace;
pub use settings::{AttackPlan, Disorder, PlannedAttack, Settings, StreamKind};
pub use simulation::{Record, Simulation};
pub use truth::Truth;
