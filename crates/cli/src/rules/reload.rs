//! Changing the detectors of a run, and the rows of its tables: their files are read again when their folders change, on SIGHUP, and when the admin
//! listener is asked to.
//!
//! Folders are looked at twice a second, rather than watched with the system's help: detectors come by `git pull`, over a
//! network's file system or as a mounted configuration whose links are turned over, of which that help does not always
//! tell; a look at a thousand files takes some milliseconds. What has changed is read once it has stood still for a look,
//! so that a file is not read while it is being written.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Display;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use watchfire_engine::admin::Answer;
use watchfire_engine::change::Turned;
use watchfire_engine::detect::language::Diagnostic;
use watchfire_engine::finding::escape;
use watchfire_engine::{Change, Metrics, RuleControl};
use watchfire_record::{Clock, time};

use super::book::{Book, Reading};
use super::tables::LiveTables;
use crate::screen::{Screen, numbers};

/// How often folders are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked whether the program was asked to read again, or is to end.
const TICK: Duration = Duration::from_millis(50);
/// How deeply folders are looked at.
const DEPTH: usize = 16;
/// Detectors that a notice names; more are counted.
const NAMED: usize = 10;

/// Reads detectors again, one at a time.
pub struct Reloader {
    known: Mutex<(Book, LiveTables)>,
    control: RuleControl,
    metrics: Arc<Metrics>,
    screen: Screen,
    clock: Arc<dyn Clock>,
}

impl Reloader {
    /// For the detectors and the tables of a run.
    pub fn new(
        known: (Book, LiveTables),
        control: RuleControl,
        metrics: Arc<Metrics>,
        screen: Screen,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { known: Mutex::new(known), control, metrics, screen, clock }
    }

    /// Reads all files, goes over to what is in them if nothing is wrong, and says what came of it.
    pub fn reload(&self) -> Answer {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (book, tables) = &mut *known;
        let begun = self.clock.now();
        self.metrics.rules.last_at.store(begun, Relaxed);
        let other = match tables.read() {
            Err(error) => return self.failed(422, &error),
            Ok(other) => other,
        };
        match book.read() {
            Err(wrong) => self.refused(&wrong, book.len()),
            Ok(Reading { detectors, warnings }) => match self.control.change(detectors, other.clone()) {
                Ok(change) => {
                    tables.turn_to(&other);
                    self.changed(&change, &warnings, self.clock.now() - begun)
                }
                Err(error) => self.failed(503, &error),
            },
        }
    }

    fn refused(&self, wrong: &[Diagnostic], running: usize) -> Answer {
        self.metrics.rules.failures.fetch_add(1, Relaxed);
        self.metrics.rules.last_failed.store(true, Relaxed);
        let errors = wrong.iter().filter(|diagnostic| diagnostic.is_error());
        for error in errors.clone() {
            self.screen.note(&format!("{}\n", error.render(self.screen.error_colour())));
        }
        let errors = numbers::of(errors.count() as u64, "error", "errors");
        let running = numbers::of(running as u64, "detector runs", "detectors run");
        let message = format!("the rules were not changed: {errors} in the files; {running} on as before");
        self.screen.notice("error", &message);
        let diagnostics: Vec<Value> = wrong.iter().map(Diagnostic::to_json).collect();
        Answer::new(422, &json!({ "error": message, "diagnostics": diagnostics }))
    }

    fn failed(&self, status: u16, error: &dyn Display) -> Answer {
        self.metrics.rules.failures.fetch_add(1, Relaxed);
        self.metrics.rules.last_failed.store(true, Relaxed);
        let message = format!("the rules were not changed: {error}");
        self.screen.notice("error", &message);
        Answer::new(status, &json!({ "error": message }))
    }

    fn changed(&self, change: &Change, warnings: &[Diagnostic], took: i64) -> Answer {
        self.metrics.rules.last_failed.store(false, Relaxed);
        if !change.is_empty() {
            // With the reading and planning before it.
            self.metrics.rules.last_took.store(u64::try_from(took).unwrap_or(0), Relaxed);
            let (first, rest) = notice(change, took);
            self.screen.notice("note", &first);
            rest.iter().for_each(|line| self.screen.note(line));
        }
        let list = |turned: &[Turned], when: &str| -> Vec<Value> { turned.iter().map(|t| as_json(t, when)).collect() };
        let warnings: Vec<Value> = warnings.iter().map(Diagnostic::to_json).collect();
        Answer::new(
            200,
            &json!({
                "added": list(&change.added, "from"),
                "changed": list(&change.changed, "from"),
                "removed": list(&change.removed, "to"),
                "unchanged": change.unchanged,
                "tables": change.tables,
                "version": change.version,
                "milliseconds": took as f64 / 1e3,
                "warnings": warnings,
            }),
        )
    }

    /// Looks at the folders and the tables' files, and listens whether `asked` is set, until the run is `over`.
    pub fn watch(&self, paths: &[PathBuf], asked: &AtomicBool, over: &AtomicBool) {
        let tables = self.known.lock().unwrap_or_else(PoisonError::into_inner).1.files();
        let mut read = fingerprint(paths, &tables);
        let (mut last, mut waited) = (read, Duration::ZERO);
        while !over.load(Relaxed) {
            thread::sleep(TICK);
            waited += TICK;
            let is_asked = asked.swap(false, Relaxed);
            if !is_asked && waited < LOOK {
                continue;
            }
            waited = Duration::ZERO;
            let now = fingerprint(paths, &tables);
            if is_asked || (now != read && now == last) {
                read = now;
                self.reload();
            }
            last = now;
        }
    }
}

fn as_json(turned: &Turned, when: &str) -> Value {
    json!({
        "name": turned.name, "stream": turned.stream, "version": turned.version, when: turned.from.map(time::format),
        "keeps_state": turned.goes_on,
    })
}

/// What a change came to in a line, and what turned in one each.
fn notice(change: &Change, took: i64) -> (String, Vec<String>) {
    let kinds =
        [("added", &change.added, "from"), ("changed", &change.changed, "from"), ("removed", &change.removed, "to")];
    let counts = kinds.iter().filter(|(_, turned, _)| !turned.is_empty());
    let counts: Vec<String> = counts.map(|(kind, turned, _)| format!("{} {kind}", turned.len())).collect();
    let took = numbers::duration(u64::try_from(took).unwrap_or(0));
    let tables = (!change.tables.is_empty()).then(|| format!("other rows of {}", escape(&change.tables.join(", "))));
    let counts: Vec<String> = counts.into_iter().chain(tables).collect();
    let (counts, Change { unchanged, version, .. }) = (counts.join(", "), change);
    let first = format!("the rules have changed: {counts}, {unchanged} unchanged; version {version}, after {took}");
    let all = kinds.iter().flat_map(|(kind, turned, word)| turned.iter().map(move |turned| (*kind, turned, *word)));
    let line = |(kind, turned, word): (&str, &Turned, &str)| {
        let when = turned.from.map_or_else(|| "at once".to_owned(), |from| format!("{word} {}", time::format(from)));
        let kept = if turned.goes_on { ", with the state of the version before" } else { "" };
        format!("  {kind} {} ({}), {when}{kept}", turned.name, turned.version)
    };
    let mut rest: Vec<String> = all.clone().take(NAMED).map(line).collect();
    let more = all.count().saturating_sub(NAMED);
    rest.extend((more > 0).then(|| format!("  and {more} more")));
    (first, rest)
}

/// Another number whenever a detector's file is added, written or taken away, or a table's is written.
fn fingerprint(paths: &[PathBuf], tables: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    paths.iter().for_each(|path| look(path, 0, &mut hasher));
    for path in tables {
        fs::metadata(path).ok().map(|found| (found.len(), found.modified().ok())).hash(&mut hasher);
    }
    hasher.finish()
}

fn look(path: &Path, depth: usize, hasher: &mut DefaultHasher) {
    // What cannot be read now is another state too.
    let Ok(found) = fs::metadata(path) else { return path.hash(hasher) };
    if found.is_dir() {
        let Ok(entries) = fs::read_dir(path) else { return };
        let mut entries: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        entries.sort();
        let linked = |path: &PathBuf| path.is_dir() && path.is_symlink();
        entries.iter().filter(|path| depth < DEPTH && !linked(path)).for_each(|path| look(path, depth + 1, hasher));
    } else if path.extension().is_some_and(|extension| extension == "sql") {
        (path, found.len(), found.modified().ok()).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_another_after_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_path_buf(), folder.path().join("none")];
        let inner = folder.path().join("team/rule");
        fs::create_dir_all(&inner).unwrap();
        let table = [folder.path().join("names.csv")];
        let mut seen = vec![fingerprint(&paths, &table)];
        let mut look = |changed: bool| {
            let now = fingerprint(&paths, &table);
            assert_eq!(seen.contains(&now), !changed);
            seen.push(now);
        };
        fs::write(folder.path().join("README.md"), "x").unwrap();
        look(false);
        fs::write(inner.join("detector.sql"), "x").unwrap();
        look(true);
        fs::write(inner.join("detector.sql"), "xy").unwrap();
        look(true);
        fs::rename(inner.join("detector.sql"), folder.path().join("rule.sql")).unwrap();
        look(true);
        fs::remove_file(folder.path().join("rule.sql")).unwrap();
        look(false);
        fs::write(&table[0], "name").unwrap();
        look(true);
    }

    #[test]
    fn a_notice_names_what_turned_and_when() {
        let turned = |name: &str, from| Turned {
            name: name.into(),
            stream: "cloudtrail".into(),
            version: "0123456789ab".into(),
            from,
            goes_on: false,
        };
        let change = Change {
            added: vec![turned("new", None)],
            removed: (0..11).map(|n| turned(&format!("old-{n}"), Some(0))).collect(),
            unchanged: 3,
            tables: vec!["names".into()],
            version: 2,
            ..Change::default()
        };
        let (first, rest) = notice(&change, 12_000);
        assert_eq!(
            first,
            "the rules have changed: 1 added, 11 removed, other rows of names, 3 unchanged; version 2, after 12.0 ms"
        );
        assert_eq!(
            rest[..2],
            ["  added new (0123456789ab), at once", "  removed old-0 (0123456789ab), to 1970-01-01T00:00:00Z"]
        );
        assert_eq!((rest.len(), rest[NAMED].as_str()), (NAMED + 1, "  and 2 more"));
    }
}
