//! One detector, run over its test records.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use watchfire_engine::detect::language::RuleFile;
use watchfire_engine::detect::tables::{self, TableFormat};
use watchfire_engine::detect::{Detector, Table};
use watchfire_engine::finding::sinks::{MemoryRejectSink, MemorySink};
use watchfire_engine::source::MemorySource;
use watchfire_engine::{Caps, Outlet};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Finding, Partition, RawBatch, SimulatedClock, Stream, time};

use super::Verdict;
use super::compare::{Expected, difference};
use crate::launch::{Input, Launch, Outputs};
use crate::rules::{by_stream, shipped_test, without_activity};
use crate::settings::EngineSettings;

const FIRES: &str = "fires.jsonl";
const FINDINGS: &str = "findings.jsonl";
const QUIET: &str = "quiet.jsonl";
/// Findings that are shown of those that should not be.
const SHOWN: usize = 5;

/// Where a detector's test files are.
pub(super) enum Tests {
    /// In a folder.
    Folder(PathBuf),
    /// In the program, under a name.
    Shipped(String),
}

impl Tests {
    /// Those of a detector; none for a file by itself.
    pub(super) fn of(file: &RuleFile) -> Option<Self> {
        match &file.folder {
            Some(folder) => Some(Self::Folder(folder.clone())),
            None => shipped_test(&file.name, FIRES)
                .filter(|_| file.file == format!("queries/{}/detector.sql", file.name))
                .map(|_| Self::Shipped(file.name.clone())),
        }
    }

    /// Which files are not there. Findings that are to be written need not be.
    pub(super) fn missing(&self, update: bool) -> Vec<&'static str> {
        let wanted = [FIRES, FINDINGS, QUIET].into_iter().filter(|name| !update || *name != FINDINGS);
        wanted.filter(|name| self.read(name).is_err()).collect()
    }

    fn read(&self, name: &str) -> Result<Cow<'static, [u8]>, String> {
        match self {
            Self::Folder(folder) => {
                std::fs::read(folder.join(name)).map(Cow::Owned).map_err(|e| format!("{name}: {e}"))
            }
            Self::Shipped(detector) => {
                shipped_test(detector, name).map(Cow::Borrowed).ok_or_else(|| format!("{name} is not there"))
            }
        }
    }

    /// The table that the test has in the place of one that is declared, if it has: `table.functions.csv`.
    pub(super) fn table(&self, declared: &Arc<Table>) -> Result<Arc<Table>, String> {
        let definition = declared.definition();
        for (end, format) in [("csv", TableFormat::Csv), ("jsonl", TableFormat::JsonLines)] {
            let name = format!("table.{}.{end}", definition.name);
            let Ok(bytes) = self.read(&name) else { continue };
            let (columns, key) = (definition.columns.clone(), definition.key.clone());
            let table = tables::read((&name, &bytes), format, &definition.name, columns, key);
            return table.map(Arc::new).map_err(|error| error.0);
        }
        Ok(Arc::clone(declared))
    }

    /// Runs the detector over both files of records.
    pub(super) fn judge(&self, detector: &Detector, streams: &[Stream], update: bool) -> Result<Verdict, String> {
        let mut problems = Vec::new();
        let found: Vec<Expected> = self.find(FIRES, detector, streams)?.iter().map(Expected::of).collect();
        let quiet = self.find(QUIET, detector, streams)?;
        let verdict = if update {
            self.update(&found)?
        } else {
            let text = self.read(FINDINGS)?;
            let text = std::str::from_utf8(&text).map_err(|error| format!("{FINDINGS}: {error}"))?;
            problems.extend(difference(&Expected::read(FINDINGS, text)?, &found));
            if found.is_empty() {
                problems
                    .push(format!("{FIRES}: nothing is found in it: it must hold records that make the detector fire"));
            }
            Verdict::Passed(found.len())
        };
        if !quiet.is_empty() {
            problems.push(format!("{QUIET}: {} are found in it, and nothing should be", quiet.len()));
            problems.extend(quiet.iter().take(SHOWN).map(|finding| format!("+ {}", Expected::of(finding).line())));
        }
        Ok(if problems.is_empty() { verdict } else { Verdict::Failed(problems) })
    }

    fn update(&self, found: &[Expected]) -> Result<Verdict, String> {
        let Self::Folder(folder) = self else { return Err("it is in no folder".into()) };
        let text: String = found.iter().map(|one| one.line() + "\n").collect();
        let path = folder.join(FINDINGS);
        let same = std::fs::read_to_string(&path)
            .ok()
            .and_then(|before| Expected::read(FINDINGS, &before).ok())
            .is_some_and(|before| difference(&before, found).is_empty());
        if !same {
            std::fs::write(&path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        }
        Ok(Verdict::Updated(found.len(), !same))
    }

    /// Records of several streams: those of the first in the file itself, those of others each in one beside it.
    fn of_several(
        &self,
        name: &str,
        first: usize,
        mut others: Vec<usize>,
        streams: &[Stream],
    ) -> Result<Input, String> {
        others.sort_unstable();
        others.dedup();
        let mut batches = vec![lines(name, &self.read(name)?, first)];
        for other in others {
            let file = file_of(name, &streams[other]);
            batches.push(lines(&file, &self.read(&file)?, other));
        }
        Ok(Input { several_values: true, ..Input::messages(Box::new(MemorySource::bounded(batches))) })
    }

    fn find(&self, name: &str, detector: &Detector, streams: &[Stream]) -> Result<Vec<Finding>, String> {
        let stream = detector.plan.inputs[0].stream;
        let others: Vec<usize> =
            detector.plan.inputs.iter().map(|input| input.stream).filter(|other| *other != stream).collect();
        // Received at the end of time: what a record's time is, not when the test runs, decides.
        let clock = Arc::new(SimulatedClock::at(time::LATEST));
        let engine = EngineSettings { workers: 1, shards: 1, in_flight: 16 << 20, caps: Caps::default() };
        // What sources do is in the test's files, if the detector asks.
        let streams: Vec<Stream> = streams.iter().map(without_activity).collect();
        let streams = streams.as_slice();
        let launch = Launch::new(by_stream(vec![detector.clone()], streams), engine, clock);
        let failed =
            |failure: crate::failure::Failure| format!("{name}: {}", failure.message().unwrap_or("it cannot be run"));
        let input = match self {
            _ if !others.is_empty() => self.of_several(name, stream, others, streams)?,
            Self::Folder(folder) => {
                Input::files(&[folder.join(name)], stream, time::LATEST, &launch.streams).map_err(failed)?
            }
            Self::Shipped(_) => Input {
                several_values: true,
                ..Input::messages(Box::new(MemorySource::bounded(vec![lines(name, &self.read(name)?, stream)])))
            },
        };
        let (found, rejects) = (MemorySink::new("test"), MemoryRejectSink::default());
        let outputs = Outputs {
            sinks: vec![Outlet::new(Box::new(found.clone()), true)],
            rejects: Some(Box::new(rejects.clone())),
        };
        let mut notices = Vec::new();
        let run = launch.run(input, outputs, &AtomicBool::new(false), &mut |text| notices.push(text.to_owned()));
        run.map_err(failed)?;
        let rejects = rejects.rejects();
        if let Some(first) = rejects.first() {
            let position = &first.position;
            return Err(format!(
                "{name}: {} of its records are rejected; the first, at byte {}: {}: {}",
                rejects.len(),
                position.offset,
                first.reason,
                first.detail
            ));
        }
        match notices.first() {
            Some(notice) => Err(format!("{name}: {notice}")),
            None => Ok(found.findings()),
        }
    }
}

/// The file of another stream's records: `fires.lambda.jsonl` beside `fires.jsonl`.
fn file_of(name: &str, stream: &Stream) -> String {
    name.replace(".jsonl", &format!(".{}.jsonl", stream.name))
}

fn lines(name: &str, bytes: &[u8], stream: usize) -> RawBatch {
    let partition = Arc::new(Partition { topic: name.into(), number: 0 });
    let mut batch = RawBatch { stream, ..RawBatch::default() };
    let mut offset = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if !line.trim_ascii().is_empty() {
            batch.push(&partition, offset, time::LATEST, PayloadKind::Value, line.trim_ascii());
        }
        offset += i64::try_from(line.len()).unwrap_or(i64::MAX);
    }
    batch
}
