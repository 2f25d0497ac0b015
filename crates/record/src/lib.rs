//! What flows through Watchfire: streams and their columns, payloads as they came, batches as they are decoded,
//! positions, time, and what a detector found.
//!
//! Knows no other crate of the house and does no input or output. Read [`Batch`] first: one batch is what a worker
//! decodes, what all detectors judge, and what every count is made of.

pub mod activity;
pub mod batch;
pub mod column;
pub mod duration;
pub mod finding;
pub mod interner;
pub mod json;
pub mod limits;
pub mod position;
pub mod raw;
pub mod spare;
pub mod stream;
pub mod time;

pub use batch::{Batch, Column, Reject, Row};
pub use column::{ColumnRequest, ColumnSource, ColumnType, LookUpSource};
pub use finding::{DetectorInfo, Evidence, Finding, FindingId, Severity, State, Value};
pub use interner::Interner;
pub use position::{Partition, Position};
pub use raw::{Payload, RawBatch};
pub use stream::{ColumnDefinition, Envelope, Format, Stream};
pub use time::{Clock, SimulatedClock, SystemClock};
