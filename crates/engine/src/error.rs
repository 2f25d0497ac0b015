//! What ends a run.

use watchfire_finding::SinkError;
use watchfire_source::SourceError;

/// What ends a run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A setting is wrong; the text says which and what to write.
    #[error("{0}")]
    Setting(String),
    /// A detector does not fit its stream.
    #[error("a detector cannot be run: {0}")]
    Detector(String),
    /// The source cannot go on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A sink cannot go on.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The admin listener cannot be opened.
    #[error(
        "the admin listener cannot be opened on {address}: {reason}; choose another with --set admin.listen=127.0.0.1:PORT, or none with admin.listen=\"\""
    )]
    Admin {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The run ended before its rules were changed.
    #[error("the run ended before its rules were changed")]
    Over,
    /// A thread ended by an error of ours.
    #[error("a thread of the engine ended unexpectedly: {0}; this is a defect, please report it with the log")]
    Defect(String),
}
