//! `rules test`: does each detector find in its records exactly what it should?
//!
//! Each detector runs through the real engine over `fires.jsonl`, which must give what `findings.jsonl` says, and over
//! `quiet.jsonl`, which must give nothing.

mod compare;
mod trial;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use watchfire_engine::detect::Detector;
use watchfire_engine::detect::language::RuleFile;
use watchfire_record::Stream;

use crate::arguments::RulesTest;
use crate::failure::Failure;
use crate::process;
use crate::rules::Rules;
use crate::screen::{Screen, numbers, paint};
use crate::settings::Settings;

/// What became of a detector's test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it should be; how many findings there are.
    Passed(usize),
    /// `findings.jsonl` was written anew; how many findings there are, and whether it is another than before.
    Updated(usize, bool),
    /// A file by itself has no tests.
    NoTests,
    /// It is not; line by line what is wrong.
    Failed(Vec<String>),
}

/// Tests detectors and prints a line for each.
///
/// # Errors
/// [`Failure::Rule`] if a detector is wrong or a test failed.
pub fn run(options: &RulesTest, settings: &Settings, screen: &Screen) -> Result<(), Failure> {
    let paths = if options.paths.is_empty() { &settings.rules } else { &options.paths };
    let rules = Rules::load(paths, &settings.streams, &settings.read_tables()?);
    let errors = rules.say_errors(screen);
    if options.update && paths.is_empty() {
        return Err(Failure::Setting(
            "--update writes into folders: name them, as in `watchfire rules test --update queries`".into(),
        ));
    }
    let verdicts = all(&rules, &settings.streams, options.update);
    let mut text = String::new();
    let (mut failed, mut passed) = (0u64, 0u64);
    let width = rules.files.iter().map(|file| file.name.len()).max().unwrap_or(0);
    for (file, verdict) in rules.files.iter().zip(&verdicts) {
        match verdict {
            Verdict::Failed(_) => failed += 1,
            Verdict::NoTests => {}
            Verdict::Passed(_) | Verdict::Updated(..) => passed += 1,
        }
        text += &if options.json { as_json(file, verdict) } else { as_text(file, verdict, width, screen) };
    }
    let last = format!("{passed} passed, {failed} failed");
    if options.json {
        text += &format!("{}\n", json!({"passed": passed, "failed": failed}));
    } else {
        text += &format!("{}\n", paint(screen.colour(), if failed > 0 { "1;31" } else { "1;32" }, &last));
    }
    screen.print(&text)?;
    if failed > 0 || errors > 0 { Err(Failure::Rule) } else { Ok(()) }
}

/// Tests all detectors, as many at once as there are cores; verdicts in the order of the files.
pub fn all(rules: &Rules, streams: &[Stream], update: bool) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![Verdict::NoTests; rules.files.len()]);
    std::thread::scope(|scope| {
        for _ in 0..process::cores() {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Relaxed);
                    let Some(file) = rules.files.get(index) else { return };
                    let detector = rules.detectors.iter().find(|detector| detector.info.name == file.name);
                    let verdict = match detector {
                        Some(detector) => one(file, detector, streams, update),
                        None => {
                            Verdict::Failed(vec!["it is wrong: `watchfire rules check` says what and where".into()])
                        }
                    };
                    verdicts.lock().unwrap_or_else(PoisonError::into_inner)[index] = verdict;
                }
            });
        }
    });
    verdicts.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn one(file: &RuleFile, detector: &Detector, streams: &[Stream], update: bool) -> Verdict {
    let Some(tests) = trial::Tests::of(file) else { return Verdict::NoTests };
    let missing = tests.missing(update);
    if !missing.is_empty() {
        let text = format!("{} {} missing", missing.join(", "), if missing.len() == 1 { "is" } else { "are" });
        return Verdict::Failed(vec![text]);
    }
    // A few records are no time to learn.
    let detector = Detector { learn: 0, ..detector.clone() };
    let judged = detector.over_tables(|table| tests.table(table)).and_then(|d| tests.judge(&d, streams, update));
    judged.unwrap_or_else(|problem| Verdict::Failed(vec![problem]))
}

fn as_text(file: &RuleFile, verdict: &Verdict, width: usize, screen: &Screen) -> String {
    let name = format!("{:<width$}", file.name);
    let mark = |code: &str, word: &str| paint(screen.colour(), code, word);
    let found = |count: usize| numbers::of(count as u64, "finding", "findings");
    match verdict {
        Verdict::Passed(count) => format!("{}  {name}  {}\n", mark("1;32", "ok    "), found(*count)),
        Verdict::Updated(count, true) => format!("{}  {name}  {} written\n", mark("1;33", "update"), found(*count)),
        Verdict::Updated(count, false) => format!("{}  {name}  {}, as before\n", mark("1;32", "ok    "), found(*count)),
        Verdict::NoTests => format!("{}  {name}  a file by itself has no tests\n", mark("2", "–     ")),
        Verdict::Failed(lines) => {
            let mut text = format!("{}  {}\n", mark("1;31", "FAILED"), name.trim_end());
            for line in lines {
                let code = match line.as_bytes().first() {
                    Some(b'-') => "31",
                    Some(b'+') => "32",
                    _ => "",
                };
                let line = watchfire_engine::finding::escape(line);
                let line = if code.is_empty() { line.into_owned() } else { mark(code, &line) };
                text += &format!("        {line}\n");
            }
            text
        }
    }
}

fn as_json(file: &RuleFile, verdict: &Verdict) -> String {
    let value = match verdict {
        Verdict::Passed(count) => json!({"detector": file.name, "result": "passed", "findings": count}),
        Verdict::Updated(count, changed) => {
            json!({"detector": file.name, "result": "updated", "findings": count, "changed": changed})
        }
        Verdict::NoTests => json!({"detector": file.name, "result": "no tests"}),
        Verdict::Failed(lines) => json!({"detector": file.name, "result": "failed", "problems": lines}),
    };
    format!("{value}\n")
}
