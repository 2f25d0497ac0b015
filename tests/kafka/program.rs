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
    folder: TempDir,
}

impl Program {
    /// Runs `watchfire run` with one detector and these settings, each `KEY=VALUE`.
    pub fn start(rule: &str, settings: &[String]) -> Self {
        Self::start_all(&[("detector-of-test", rule.to_owned())], settings)
    }

    /// The same with a folder of detectors, by name.
    pub fn start_all(rules: &[(&str, String)], settings: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        std::fs::create_dir(folder.path().join("rules")).expect("the folder can be written");
        for (name, rule) in rules {
            std::fs::write(rule_file(&folder, name), rule).expect("the folder can be written");
        }
        let mut command = Command::new(path());
        command.arg("run").arg("--rules").arg(folder.path().join("rules")).current_dir(folder.path());
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
        Self { child, heard, folder }
    }

    /// Writes the file of one of its detectors, or takes it away.
    pub fn write_rule(&self, name: &str, rule: Option<&str>) {
        let (file, beside) = (rule_file(&self.folder, name), self.folder.path().join("half-written"));
        match rule {
            Some(text) => std::fs::write(&beside, text).and_then(|()| std::fs::rename(beside, file)),
            None => std::fs::remove_file(file),
        }
        .expect("the folder can be written");
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

    /// A metric of one detector; `None` if it is not counted.
    pub fn count_of(&self, metric: &str, detector: &str) -> Option<u64> {
        let text = self.get("/metrics");
        let start = format!("{metric}{{detector=\"{detector}\"");
        let line = text.lines().find(|line| line.starts_with(&start))?;
        line.rsplit_once(' ').map(|(_, value)| value.parse::<f64>().expect("metrics are numbers") as u64)
    }

    /// The whole answer to one request of the admin listener.
    pub fn get(&self, path: &str) -> String {
        self.ask("GET", path)
    }

    /// Asks for something to be done: the status, and the JSON that it is answered with.
    pub fn post(&self, path: &str) -> (u16, serde_json::Value) {
        let answer = self.ask("POST", path);
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a head has a status");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    fn ask(&self, method: &str, path: &str) -> String {
        let said = self.said();
        let (_, rest) = said.split_once("http://").expect("it says where it listens");
        let (address, _) = rest.split_once('/').expect("a path follows");
        let mut stream = TcpStream::connect(address).expect("the admin listener listens");
        stream.set_read_timeout(Some(END_WITHIN)).expect("the time is not zero");
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers with text");
        answer
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_none()
    }

    /// Sends it a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the process is ours and runs");
    }

    /// Asks it to end, as a service manager does; it must within [`END_WITHIN`].
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
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

fn rule_file(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join("rules").join(name).with_extension("sql")
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
