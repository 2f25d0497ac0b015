//! How a command ends, and what exit code says so.

use std::process::ExitCode;

use watchfire_engine::EngineError;
use watchfire_engine::finding::SinkError;
use watchfire_engine::source::SourceError;
use watchfire_simulator::OutputError;

use crate::settings::SettingsError;

/// Why a command did not end with 0.
#[derive(Debug)]
pub enum Failure {
    /// There are findings, and one asked to be told so by the exit code.
    Findings,
    /// A rule is wrong; it was said already.
    Rule,
    /// The configuration or the command line is wrong.
    Setting(String),
    /// Something went wrong while running.
    Running(String),
    /// Nobody reads the output any more: no failure.
    ReaderGone,
}

impl Failure {
    /// What is to be said of it on standard error, if anything.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Setting(text) | Self::Running(text) => Some(text),
            Self::Findings | Self::Rule | Self::ReaderGone => None,
        }
    }

    /// The program's exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::ReaderGone => 0,
            Self::Findings => 1,
            Self::Rule => 2,
            Self::Setting(_) => 3,
            Self::Running(_) => 4,
        })
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Setting(error.0)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Setting(_) | EngineError::Admin { .. } => Self::Setting(error.to_string()),
            EngineError::Source(error) => error.into(),
            other => Self::Running(other.to_string()),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Input { .. } | SourceError::Setting { .. } => Self::Setting(error.to_string()),
            other => Self::Running(other.to_string()),
        }
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        Self::Running(error.to_string())
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        if error.is_broken_pipe() { Self::ReaderGone } else { Self::Running(error.to_string()) }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Running(format!("standard output cannot be written: {error}")),
        }
    }
}
