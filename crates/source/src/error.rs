//! What can go wrong for good. What goes on by itself is told by [`crate::Event::Notice`].

use std::path::PathBuf;

/// Why a source cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// An input that was named cannot be read.
    #[error("input `{}`: {reason}", path.display())]
    Input {
        /// As it was named.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A setting that cannot be followed.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting's name, as in `kafka.security.protocol`.
        setting: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The Kafka client or the broker refuses for good.
    #[error("Kafka: {doing}: {reason}")]
    Kafka {
        /// What was tried.
        doing: &'static str,
        /// What it said, and what to do.
        reason: String,
    },
    /// The operating system refuses.
    #[error("{doing}: {error}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        error: std::io::Error,
    },
}

impl SourceError {
    pub(crate) fn input(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Input { path: path.into(), reason: reason.into() }
    }

    pub(crate) fn setting(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), reason: reason.into() }
    }

    pub(crate) fn kafka(doing: &'static str, reason: impl ToString) -> Self {
        Self::Kafka { doing, reason: reason.to_string() }
    }
}
