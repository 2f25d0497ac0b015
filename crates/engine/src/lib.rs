//! The engine: wires source, decode, detect and finding into one pipeline, with its threads, queues, time and counts.
//!
//! Knows nothing of command lines or configuration files, and asks neither the system's clock nor chance for anything:
//! both are passed in. Read [`pipeline`] first.

pub mod activity;
pub mod admin;
pub mod budget;
pub mod caps;
pub mod change;
mod copies;
pub mod delivery;
pub mod error;
pub mod intake;
pub mod job;
pub mod liveness;
pub mod metrics;
pub mod pipeline;
pub mod rules;
pub mod sample;
pub mod state;
pub mod terms;
pub mod turn;
pub mod watermark;
pub mod worker;

pub use admin::Admin;
pub use caps::Caps;
pub use change::{Change, RuleControl, RuleRequests};
pub use delivery::Outlet;
pub use error::EngineError;
pub use metrics::{Counts, Metrics};
pub use pipeline::{Run, first_times, run};
pub use watchfire_decode as decode;
pub use watchfire_detect as detect;
pub use watchfire_finding as finding;
pub use watchfire_source as source;
