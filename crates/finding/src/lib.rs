//! What was found, as others read it: JSON lines, OCSF events, text for a terminal; and the sinks that deliver it.
//!
//! Knows findings as plain data and nothing of how they came to be: no stream, no SQL, no detector's state, no order of
//! threads. Read [`sinks::Sink`] first: it says what it means that a finding was taken, and that it is safe.

pub mod attack;
pub mod escape;
pub mod group;
pub mod json;
mod layout;
pub mod ocsf;
pub mod sinks;
pub mod suppress;
pub mod terminal;

#[cfg(test)]
mod samples;

pub use escape::escape;
pub use json::to_json;
pub use ocsf::to_ocsf;
pub use sinks::{RejectSink, Sink, SinkError, SinkSettings};
pub use suppress::Alerts;
pub use terminal::{Style, render};
