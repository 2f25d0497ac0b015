//! Lines in a file, never half a line for a reader after a restart, and known to be on the disk.
//!
//! `write` hands every line to the operating system at once, so a reader sees it and a crash of this process loses
//! nothing; a thread of its own has them written to the disk (`fsync`), many at a time, and only then are they counted
//! as safe. What cannot be written (a full disk) is kept, up to [`OUTBOX_BYTES`], and tried again with the next call.
//! A pipe or a device has no disk: there, handed over is safe.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{OUTBOX_BYTES, SinkError};

/// Bytes at a file's end that are searched for the start of its last line.
const TAIL_BYTES: u64 = 16 << 20;

/// What becomes of a file that is there when it is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    /// Lines are added; a last line that a crash cut off is removed first.
    #[default]
    Append,
    /// It is emptied.
    Create,
}

/// A file of lines.
pub(super) struct LineFile {
    name: String,
    path: PathBuf,
    file: Arc<File>,
    /// Not yet with the operating system.
    pending: Vec<u8>,
    pending_lines: u64,
    written_lines: u64,
    /// Why the last write failed.
    trouble: Option<String>,
    disk: Option<Disk>,
}

impl LineFile {
    pub(super) fn open(name: &str, path: &Path, mode: FileMode) -> Result<Self, SinkError> {
        let failed = |what: &str, error: &io::Error| {
            let help = "check that its folder exists and that this user may write there";
            SinkError::failed(name, format!("{} cannot be {what}: {error}", path.display()), help)
        };
        let is_regular = std::fs::metadata(path).is_ok_and(|there| there.is_file()) || !path.exists();
        let mut file = options(is_regular).open(path).map_err(|error| failed("opened for writing", &error))?;
        if is_regular {
            lock(name, path, &file)?;
            match mode {
                FileMode::Create => file.set_len(0),
                FileMode::Append => mend(&mut file),
            }
            .map_err(|error| failed("prepared", &error))?;
        }
        let file = Arc::new(file);
        let disk = if is_regular { Some(Disk::new(name, &file)?) } else { None };
        Ok(Self {
            name: name.into(),
            path: path.into(),
            file,
            pending: Vec::new(),
            pending_lines: 0,
            written_lines: 0,
            trouble: None,
            disk,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes `lines`, none of which holds a newline.
    pub(super) fn write(&mut self, lines: impl Iterator<Item = String>) -> Result<(), SinkError> {
        self.check_disk()?;
        self.drain();
        if self.pending.len() >= OUTBOX_BYTES {
            let reason = self.trouble.clone().unwrap_or_default();
            return Err(SinkError::Full { sink: self.name.clone(), waiting: self.pending.len(), reason });
        }
        for line in lines {
            self.pending.extend_from_slice(line.as_bytes());
            self.pending.push(b'\n');
            self.pending_lines += 1;
        }
        self.drain();
        Ok(())
    }

    pub(super) fn flush(&mut self, within: Duration) -> Result<(), SinkError> {
        self.check_disk()?;
        self.drain();
        if let Some(disk) = &self.disk {
            disk.wait(self.written_lines, within);
            self.check_disk()?;
        }
        let waiting = self.written_lines + self.pending_lines - self.acknowledged();
        if waiting == 0 {
            return Ok(());
        }
        let slow = || format!("the disk of {} has not taken them in time", self.path.display());
        Err(SinkError::Unfinished {
            sink: self.name.clone(),
            waiting,
            reason: self.trouble.clone().unwrap_or_else(slow),
        })
    }

    pub(super) fn acknowledged(&mut self) -> u64 {
        if self.pending_lines > 0 {
            self.drain();
        }
        self.disk.as_ref().map_or(self.written_lines, Disk::safe)
    }

    /// Hands what is pending to the operating system, as far as it takes it.
    fn drain(&mut self) {
        let mut done = 0;
        let mut result = Ok(());
        while done < self.pending.len() && result.is_ok() {
            match (&*self.file).write(&self.pending[done..]) {
                Ok(0) => result = Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
        }
        self.pending.drain(..done);
        match result {
            Ok(()) => self.drained(),
            Err(error) => self.troubled(&error),
        }
    }

    fn drained(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(sink = self.name, "writes again to {}", self.path.display());
        }
        let lines = std::mem::take(&mut self.pending_lines);
        self.written_lines += lines;
        if let Some(disk) = self.disk.as_ref().filter(|_| lines > 0) {
            disk.ask(self.written_lines);
        }
    }

    fn troubled(&mut self, error: &io::Error) {
        let help = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on its disk",
            io::ErrorKind::BrokenPipe => "nobody reads it any more: start again with a reader",
            _ => "check its disk and its permissions",
        };
        let trouble = format!("{} cannot be written: {error}; {help}", self.path.display());
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(sink = self.name, "{trouble}");
            self.trouble = Some(trouble);
        }
    }

    fn check_disk(&self) -> Result<(), SinkError> {
        let Some(error) = self.disk.as_ref().and_then(Disk::error) else { return Ok(()) };
        let what = format!("{} could not be written to its disk: {error}", self.path.display());
        Err(SinkError::failed(&self.name, what, "check the disk, then start again: what is not safe is found again"))
    }
}

fn options(is_regular: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    // A pipe that we could read ourselves would never say that its reader is gone.
    options.read(is_regular).append(true).create(true);
    #[cfg(unix)]
    {
        // Findings tell who may do what: not for everybody on the machine.
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    }
    options
}

/// One writer a file: a second one would take the first one's unfinished line for a torn one.
fn lock(name: &str, path: &Path, file: &File) -> Result<(), SinkError> {
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => {
            let what = format!("{} is being written by another process", path.display());
            Err(SinkError::failed(name, what, "stop that one, or give this sink another path"))
        }
        // Some network file systems have no locks: then nobody is warned.
        Ok(()) | Err(std::fs::TryLockError::Error(_)) => Ok(()),
    }
}

/// Makes a file end in a newline: a last line that begins as JSON and does not end as such was cut off by a crash, was
/// never counted as safe, and is removed, as are zeros that a file system left; any other last line is ended.
fn mend(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    Read::take(&*file, TAIL_BYTES).read_to_end(&mut tail)?;
    let Some(newline) = tail.iter().rposition(|b| *b == b'\n').map(|at| at + 1).or((start == 0).then_some(0)) else {
        return file.write_all(b"\n");
    };
    let last = &tail[newline..];
    if last.is_empty() {
        return Ok(());
    }
    let text = last.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    let begins_as_json = b"{\"".starts_with(&last[..text.min(2)]);
    if begins_as_json && serde_json::from_slice::<serde::de::IgnoredAny>(&last[..text]).is_err() {
        tracing::warn!("removed an unfinished last line of {} bytes", last.len());
        return file.set_len(start + newline as u64);
    }
    if text < last.len() {
        file.set_len(start + (newline + text) as u64)?;
    }
    file.write_all(b"\n")
}

/// The thread that has a file written to the disk.
struct Disk {
    requests: Option<Sender<u64>>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Progress {
    state: Mutex<Safe>,
    changed: Condvar,
}

#[derive(Default)]
struct Safe {
    lines: u64,
    error: Option<String>,
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, Safe> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn new(name: &str, file: &Arc<File>) -> Result<Self, SinkError> {
        let (requests, receiver) = channel();
        let progress = Arc::new(Progress::default());
        let (file, shared) = (Arc::clone(file), Arc::clone(&progress));
        let thread = std::thread::Builder::new()
            .name("finding-disk".into())
            .spawn(move || sync(&file, &receiver, &shared))
            .map_err(|error| {
                SinkError::failed(name, format!("no thread could be started: {error}"), "raise the limit")
            })?;
        Ok(Self { requests: Some(requests), progress, thread: Some(thread) })
    }

    fn ask(&self, lines: u64) {
        // The thread ends on a failed write only; then its error says why.
        let _ = self.requests.as_ref().map(|requests| requests.send(lines));
    }

    fn safe(&self) -> u64 {
        self.progress.state().lines
    }

    fn error(&self) -> Option<String> {
        self.progress.state().error.clone()
    }

    fn wait(&self, lines: u64, within: Duration) {
        let unfinished = |safe: &mut Safe| safe.lines < lines && safe.error.is_none();
        let _ = self.progress.changed.wait_timeout_while(self.progress.state(), within, unfinished);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn sync(file: &File, requests: &Receiver<u64>, progress: &Progress) {
    while let Ok(lines) = requests.recv() {
        let lines = requests.try_iter().last().unwrap_or(lines);
        let result = file.sync_data();
        let mut state = progress.state();
        match result {
            Ok(()) => state.lines = lines,
            // After a failed fsync nobody knows what is on the disk: nothing more is promised.
            Err(error) => state.error = Some(error.to_string()),
        }
        progress.changed.notify_all();
        if state.error.is_some() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);

    fn lines(texts: &[&str]) -> impl Iterator<Item = String> {
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().into_iter()
    }

    fn after(before: &[u8], mode: FileMode) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        std::fs::write(&path, before).unwrap();
        let mut file = LineFile::open("out", &path, mode).unwrap();
        file.write(lines(&["{\"new\":1}"])).unwrap();
        file.flush(WITHIN).unwrap();
        assert_eq!(file.acknowledged(), 1);
        std::fs::read_to_string(&path).unwrap()
    }

    #[test]
    fn a_torn_line_is_removed_and_a_whole_one_ended() {
        let new = "{\"new\":1}\n";
        for (before, kept) in [
            ("", ""),
            ("{\"a\":1}\n", "{\"a\":1}\n"),
            ("{\"a\":1}\n{\"b\":\"x", "{\"a\":1}\n"),
            ("{\"a\":1}\n{", "{\"a\":1}\n"),
            ("{\"a\":1}", "{\"a\":1}\n"),
            ("{\"a\":1}\n\0\0\0", "{\"a\":1}\n"),
            ("{\"a\":1}\n{\"b\"\0\0", "{\"a\":1}\n"),
            ("{\"a\":1}\n{\"b\":2}\0\0", "{\"a\":1}\n{\"b\":2}\n"),
            ("{\"b", ""),
            ("a note of mine", "a note of mine\n"),
            ("{\n  \"pretty\": 1\n}", "{\n  \"pretty\": 1\n}\n"),
        ] {
            assert_eq!(after(before.as_bytes(), FileMode::Append), kept.to_owned() + new, "{before:?}");
        }
        assert_eq!(after(b"{\"a\":1}\n", FileMode::Create), new);
    }

    #[test]
    fn a_file_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        let first = LineFile::open("first", &path, FileMode::Append).unwrap();
        let error = LineFile::open("second", &path, FileMode::Create).err().unwrap().to_string();
        assert!(error.contains("another process") && error.contains("another path"), "{error}");
        drop(first);
        assert!(LineFile::open("second", &path, FileMode::Append).is_ok());
    }

    #[test]
    fn what_cannot_be_opened_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = LineFile::open("out", &folder.path().join("no/such"), FileMode::Append).err().unwrap().to_string();
        assert!(error.contains("no/such") && error.contains("folder exists"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_keeps_lines_up_to_the_limit() {
        let mut file = LineFile::open("out", Path::new("/dev/full"), FileMode::Append).unwrap();
        let large = "x".repeat(OUTBOX_BYTES / 2);
        for _ in 0..2 {
            file.write(lines(&[&large])).unwrap();
        }
        let error = file.write(lines(&["y"])).unwrap_err();
        assert!(matches!(&error, SinkError::Full { waiting, .. } if *waiting == OUTBOX_BYTES + 2), "{error}");
        assert!(error.to_string().contains("make room"), "{error}");
        assert_eq!(file.acknowledged(), 0);
        let error = file.flush(WITHIN).unwrap_err();
        assert!(matches!(error, SinkError::Unfinished { waiting: 2, .. }), "{error}");
    }
}
