//! Where records go: a file, standard output, a folder with a file a stream, or Kafka topics.

mod file;
mod kafka;

use std::io;
use std::path::{Path, PathBuf};

pub use file::{FileOutput, FolderOutput, Format, write_truth};
pub use kafka::{Delivered, Producer};

use crate::simulation::Record;

/// Takes records.
pub trait Output {
    /// Takes one record; waits where it must.
    ///
    /// # Errors
    /// If it cannot be written or sent.
    fn write(&mut self, record: &Record) -> Result<(), OutputError>;

    /// Ends it: what was taken is written and complete after this. Nothing is to be written afterwards.
    ///
    /// # Errors
    /// If something could not be written or was not delivered.
    fn finish(&mut self) -> Result<(), OutputError>;
}

/// Why records could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A file or folder.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which one; `-` for standard output.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The broker, or the settings for it.
    #[error("{0}")]
    Kafka(String),
}

impl OutputError {
    /// Whether the reader at the other end went away, which ends a run without being a failure.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }
}
