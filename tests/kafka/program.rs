//! The `watchfire` program as a process: started, asked for its counts, ended.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::waiting;

/// How long the program may take from a signal to its end.
pub const END_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take until it has partitions.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What the program has said on standard error.
type Heard = Arc<(Mutex<String>, Condvar)>;

/// A running program. Killed if a test leaves it.
pub struct Program {
    child: Child,
    heard: Heard,
    _folder: TempDir,
}

impl Program {
    /// Runs `watchfire run` with one detector and these settings, each `KEY=VALUE`.
    pub fn start(rule: &str, settings: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let rule_file = folder.path().join("detector-of-test.sql");
        std::fs::write(&rule_file, rule).expect("the folder can be written");
        let mut command = Command::new(path());
        command.arg("run").arg("--rules").arg(&rule_file).current_dir(folder.path());
        for setting in settings.iter().map(String::as_str).chain(["admin.listen=127.0.0.1:0"]) {
            command.args(["--set", setting]);
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WATCHFIRE")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("scripts/test-kafka builds the program");
        let heard = Heard::default();
        let stderr = child.stderr.take().expect("it is piped");
        let listener = Arc::clone(&heard);
        thread::spawn(move || listen(stderr, &listener));
        Self { child, heard, _folder: folder }
    }

    /// All that was said on standard error.
    pub fn said(&self) -> String {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `text` was said on standard error.
    pub fn await_saying(&self, text: &str, within: Duration) {
        let (said, changed) = &*self.heard;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(said, within, |said| !said.contains(text));
        let (said, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_said = said.contains(text);
        drop(said);
        assert!(is_said, "not said within {within:?}: {text}");
    }

    /// Waits until it has partitions.
    pub fn await_ready(&self) {
        self.await_saying("/metrics", READY_WITHIN);
        assert!(waiting::until(READY_WITHIN, || self.get("/ready").starts_with("HTTP/1.1 200")), "not ready");
    }

    /// Waits until it has so many partitions.
    pub fn await_partitions(&self, count: u64) {
        let reached = waiting::until(READY_WITHIN, || self.count("watchfire_partitions") == count);
        assert!(reached, "not {count} partitions but {}", self.count("watchfire_partitions"));
    }

    /// The sum of a metric over all its labels.
    pub fn count(&self, metric: &str) -> u64 {
        let text = self.get("/metrics");
        let value = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            let is_it = name.strip_prefix(metric).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
            is_it.then(|| value.parse::<f64>().expect("metrics are numbers"))
        };
        text.lines().filter_map(value).sum::<f64>() as u64
    }

    /// The whole answer to one request of the admin listener.
    pub fn get(&self, path: &str) -> String {
        let said = self.said();
        let (_, rest) = said.split_once("http://").expect("it says where it listens");
        let (address, _) = rest.split_once('/').expect("a path follows");
        let mut stream = TcpStream::connect(address).expect("the admin listener listens");
        stream.set_read_timeout(Some(END_WITHIN)).expect("the time is not zero");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers with text");
        answer
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_none()
    }

    /// Asks it to end, as a service manager does; it must within [`END_WITHIN`].
    pub fn terminate(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the process is ours and runs");
        let mut ended = None;
        let in_time = waiting::until(END_WITHIN, || {
            ended = self.child.try_wait().expect("the child is ours");
            ended.is_some()
        });
        assert!(in_time, "it still runs {END_WITHIN:?} after SIGTERM");
        ended.expect("it ended")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("--- what the program said\n{}", self.said());
        }
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stderr: ChildStderr, heard: &Heard) {
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { return };
        let (said, changed) = &**heard;
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        *said += &line;
        *said += "\n";
        changed.notify_all();
    }
}

/// The program that `WATCHFIRE` names, else the one that was built beside the tests.
fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("WATCHFIRE") {
        return std::path::absolute(path).expect("WATCHFIRE names a program");
    }
    let tests = std::env::current_exe().expect("a test knows its own file");
    tests.ancestors().nth(2).expect("tests are built two folders below the programs").join("watchfire")
}
