//! Detectors as the program loads them: from folders, or those that ship with it.

pub mod book;
pub mod reload;
pub mod tables;

use std::path::PathBuf;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use watchfire_engine::detect::language::{self, Diagnostic, RuleFile};
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, StreamDetectors, Table, compile};
use watchfire_record::{Stream, activity};

use crate::failure::Failure;
use crate::screen::{Screen, numbers};

/// The folder `queries/` as it was when the program was built.
static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../queries");

/// Detectors, and what was said about their files.
#[derive(Debug)]
pub struct Rules {
    /// Their files, sorted by name.
    pub files: Vec<RuleFile>,
    /// Those that can run.
    pub detectors: Vec<Detector>,
    /// What is wrong, or may be.
    pub diagnostics: Vec<Diagnostic>,
}

impl Rules {
    /// Loads and compiles. No path: the detectors that ship.
    pub fn load(paths: &[PathBuf], streams: &[Stream], tables: &[Arc<Table>]) -> Self {
        let loaded = if paths.is_empty() { Ok(shipped()) } else { language::load(paths) };
        match loaded {
            Err(diagnostics) => Self { files: Vec::new(), detectors: Vec::new(), diagnostics },
            Ok(files) => Self::compile(files, streams, tables),
        }
    }

    /// Compiles files that are loaded.
    pub fn compile(files: Vec<RuleFile>, streams: &[Stream], tables: &[Arc<Table>]) -> Self {
        let (detectors, diagnostics) = compile::compile_all(&Planner::with_tables(streams, tables), &files);
        Self { files, detectors, diagnostics }
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count()
    }

    /// Says on standard error what is wrong; how many errors there are.
    pub fn say_errors(&self, screen: &Screen) -> usize {
        for diagnostic in self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
            screen.note(&format!("{}\n", diagnostic.render(screen.error_colour())));
        }
        self.errors()
    }

    /// Detectors that are all right, or the failure after saying on standard error what is wrong.
    ///
    /// # Errors
    /// If any is wrong.
    pub fn or_say(self, screen: &Screen) -> Result<Self, Failure> {
        let errors = self.say_errors(screen);
        if errors == 0 {
            return Ok(self);
        }
        let errors = numbers::of(errors as u64, "error", "errors");
        screen.notice(
            "error",
            &format!("nothing was run: {errors} in the detectors; `watchfire rules check` shows warnings too"),
        );
        Err(Failure::Rule)
    }
}

/// The detectors that ship, without their tests.
pub fn shipped() -> Vec<RuleFile> {
    let file = |folder: &Dir<'_>| {
        let name = folder.path().file_name()?.to_str()?.to_owned();
        let file = folder.get_file(folder.path().join("detector.sql"))?;
        let text = file.contents_utf8()?.to_owned();
        Some(RuleFile { file: format!("queries/{name}/detector.sql"), name, text, folder: None })
    };
    let mut files: Vec<RuleFile> = SHIPPED.dirs().filter_map(file).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// A test file of a detector that ships.
pub fn shipped_test(detector: &str, file: &str) -> Option<&'static [u8]> {
    SHIPPED.get_file(format!("{detector}/{file}")).map(include_dir::File::contents)
}

/// Detectors by stream, in the order of the streams.
pub fn by_stream(detectors: Vec<Detector>, streams: &[Stream]) -> Vec<Arc<StreamDetectors>> {
    StreamDetectors::by_stream(&detectors, streams)
}

/// The stream without sources: nobody's activity is counted.
pub fn without_activity(stream: &Stream) -> Stream {
    Stream { sources: Vec::new(), partition_sources: false, ..stream.clone() }
}

/// The detectors that input of one stream is enough for, and the names of those that read it and need another's too.
pub fn of_one_stream(detectors: Vec<Detector>, stream: usize, streams: &[Stream]) -> (Vec<Detector>, Vec<String>) {
    let comes =
        |index: usize| index == stream || streams[stream].has_sources() && streams[index].name == activity::NAME;
    let reads = |detector: &Detector| detector.plan.inputs.iter().map(|input| input.stream).collect::<Vec<_>>();
    let reading = detectors.into_iter().filter(|detector| reads(detector).into_iter().any(comes));
    let (enough, wanting): (Vec<_>, Vec<_>) =
        reading.partition(|detector| !detector.stateful() || reads(detector).into_iter().all(comes));
    (enough, wanting.into_iter().map(|detector| detector.info.name.clone()).collect())
}

/// What to say if detectors read `activity` and no stream of these declares a source; nothing else makes its rows.
pub fn without_sources<'a>(
    detectors: impl Iterator<Item = &'a Detector>,
    read: impl Iterator<Item = &'a Stream>,
    streams: &[Stream],
) -> Option<String> {
    let of_activity = |detector: &&Detector| {
        detector.input == 0 && detector.plan.inputs.iter().any(|input| streams[input.stream].name == activity::NAME)
    };
    let names: Vec<&str> = detectors.filter(of_activity).map(|detector| detector.info.name.as_str()).collect();
    if names.is_empty() || read.into_iter().any(|stream| stream.has_sources() || stream.name == activity::NAME) {
        return None;
    }
    Some(format!(
        "no stream that is read says whose activity to count, so nothing will be found by {}: \
         set streams.NAME.activity.COLUMN = [\"…\"]",
        names.join(", ")
    ))
}
