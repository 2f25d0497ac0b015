//! Findings and rejected records as lines in a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::{Clock, Finding, Reject};

use super::line_file::{FileMode, LineFile};
use super::{LineFormat, RejectSink, Sink, SinkError};
use crate::json::{reject_to_json, to_json};
use crate::ocsf::to_ocsf_line;

/// Findings as lines in a file. A finding is safe once it is on the disk; a reader sees it before.
pub struct FileSink {
    file: LineFile,
    format: LineFormat,
    clock: Arc<dyn Clock>,
}

impl FileSink {
    /// Opens the file, and makes it if it is not there. Only one process may.
    ///
    /// # Errors
    /// If it cannot be opened, or another process writes it.
    pub fn open(
        name: &str,
        path: &Path,
        mode: FileMode,
        format: LineFormat,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SinkError> {
        Ok(Self { file: LineFile::open(name, path, mode)?, format, clock })
    }
}

impl Sink for FileSink {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn send(&mut self, findings: &[Finding]) -> Result<(), SinkError> {
        let (format, clock) = (self.format, &*self.clock);
        self.file.write(findings.iter().map(|finding| line(finding, format, clock)))
    }

    fn flush(&mut self, within: Duration) -> Result<(), SinkError> {
        self.file.flush(within)
    }

    fn acknowledged(&mut self) -> u64 {
        self.file.acknowledged()
    }
}

/// A finding as a line for machines.
pub(super) fn line(finding: &Finding, format: LineFormat, clock: &dyn Clock) -> String {
    match format {
        LineFormat::Json => to_json(finding),
        LineFormat::Ocsf => to_ocsf_line(finding, clock.now()),
    }
}

/// Rejected records as lines in a file.
pub struct FileRejectSink(LineFile);

impl FileRejectSink {
    /// Opens the file, and makes it if it is not there. Only one process may.
    ///
    /// # Errors
    /// If it cannot be opened, or another process writes it.
    pub fn open(name: &str, path: &Path, mode: FileMode) -> Result<Self, SinkError> {
        LineFile::open(name, path, mode).map(Self)
    }
}

impl RejectSink for FileRejectSink {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn send(&mut self, rejects: &[Reject], detectors: &[Arc<str>]) -> Result<(), SinkError> {
        self.0.write(rejects.iter().map(|reject| reject_to_json(reject, detectors)))
    }

    fn flush(&mut self, within: Duration) -> Result<(), SinkError> {
        self.0.flush(within)
    }

    fn acknowledged(&mut self) -> u64 {
        self.0.acknowledged()
    }
}

#[cfg(test)]
mod tests {
    use watchfire_record::SimulatedClock;

    use super::*;
    use crate::samples::{finding, reject};

    #[test]
    fn each_format_is_a_line_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        for (format, member) in [(LineFormat::Json, "finding_id"), (LineFormat::Ocsf, "class_uid")] {
            let path = folder.path().join(member);
            let clock = Arc::new(SimulatedClock::at(0));
            let mut sink = FileSink::open("out", &path, FileMode::Append, format, clock).unwrap();
            sink.send(&[finding(), finding()]).unwrap();
            sink.send(&[finding()]).unwrap();
            sink.flush(Duration::from_secs(10)).unwrap();
            assert_eq!(sink.acknowledged(), 3);
            let text = std::fs::read_to_string(&path).unwrap();
            let all_have_it =
                |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap().get(member).is_some();
            assert!(text.lines().count() == 3 && text.lines().all(all_have_it), "{text}");
        }
    }

    #[test]
    fn rejects_are_lines_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.jsonl");
        let mut sink = FileRejectSink::open("rejects", &path, FileMode::Create).unwrap();
        sink.send(&[reject(b"{"), reject(b"\xff")], &["root-used".into()]).unwrap();
        sink.flush(Duration::from_secs(10)).unwrap();
        assert_eq!((sink.acknowledged(), std::fs::read_to_string(&path).unwrap().lines().count()), (2, 2));
    }
}
