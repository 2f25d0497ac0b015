//! Detectors that are read again while they run: only what has changed is compiled.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use watchfire_engine::detect::language::{self, Diagnostic, RuleFile, codes};
use watchfire_engine::detect::plan::Planner;
use watchfire_engine::detect::{Detector, compile};

use super::{Rules, shipped};

/// The detectors of a run as they were last read without an error.
pub struct Book {
    paths: Vec<PathBuf>,
    planner: Planner,
    /// Names of the streams that the run reads.
    read: Vec<String>,
    known: HashMap<String, Known>,
}

struct Known {
    file: RuleFile,
    detector: Arc<Detector>,
}

/// What a reading came to.
#[derive(Debug)]
pub struct Reading {
    /// All detectors.
    pub detectors: Vec<Arc<Detector>>,
    /// What may be wrong with those that have changed.
    pub warnings: Vec<Diagnostic>,
}

impl Book {
    /// The detectors that a run starts with, over these streams and tables. `read` are the indices of the streams that it
    /// reads.
    pub fn new(paths: &[PathBuf], planner: Planner, read: &[usize], rules: &Rules) -> Self {
        let streams = planner.streams();
        let detectors: HashMap<&str, &Detector> = rules.detectors.iter().map(|d| (d.info.name.as_str(), d)).collect();
        let known = |file: &RuleFile| {
            let detector = Arc::new((*detectors.get(file.name.as_str())?).clone());
            Some((file.name.clone(), Known { file: file.clone(), detector }))
        };
        Self {
            paths: paths.to_vec(),
            read: read.iter().map(|index| streams[*index].name.clone()).collect(),
            planner,
            known: rules.files.iter().filter_map(known).collect(),
        }
    }

    /// How many detectors there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Reads all files, and compiles those that have changed.
    ///
    /// # Errors
    /// All that is wrong, warnings among it; then what was known stays.
    pub fn read(&mut self) -> Result<Reading, Vec<Diagnostic>> {
        let files = if self.paths.is_empty() { shipped() } else { language::load(&self.paths)? };
        let same = |file: &RuleFile| self.known.get(&file.name).is_some_and(|known| known.file.text == file.text);
        let (same, other): (Vec<_>, Vec<_>) = files.into_iter().partition(same);
        let (compiled, mut said) = compile::compile_all(&self.planner, &other);
        for detector in &compiled {
            said.extend(self.not_read(detector, &other));
        }
        if said.iter().any(Diagnostic::is_error) {
            return Err(said);
        }
        let mut before = std::mem::take(&mut self.known);
        let kept = same.into_iter().filter_map(|file| {
            let detector = before.remove(&file.name)?.detector;
            Some(Known { file, detector })
        });
        let new = other.into_iter().zip(compiled.into_iter().map(Arc::new));
        let all = kept.chain(new.map(|(file, detector)| Known { file, detector }));
        self.known = all.map(|known| (known.file.name.clone(), known)).collect();
        let mut detectors: Vec<_> = self.known.values().map(|known| Arc::clone(&known.detector)).collect();
        detectors.sort_by(|a, b| a.info.name.cmp(&b.info.name));
        Ok(Reading { detectors, warnings: said })
    }

    /// A detector over a stream whose topic is not read would find nothing, and nobody would know.
    fn not_read(&self, detector: &Detector, files: &[RuleFile]) -> Option<Diagnostic> {
        let streams = detector.plan.inputs.iter().map(|input| &self.planner.streams()[input.stream].name);
        let stream = streams.into_iter().find(|stream| !self.read.contains(stream))?;
        let file = files.iter().find(|file| file.name == detector.info.name)?;
        let text: Arc<str> = file.text.as_str().into();
        let at = text.rfind(stream.as_str()).map_or(0..0, |at| at..at + stream.len());
        let message = format!("this run does not read the stream `{stream}`: the detector would find nothing");
        let help = format!(
            "start the program again: which topics it reads is settled then (now: those of {})",
            self.read.join(", ")
        );
        Some(Diagnostic::error(codes::STREAM_NOT_READ, &file.file, &text, at, message).label("not read").help(help))
    }
}

#[cfg(test)]
mod tests {
    use watchfire_record::Stream;

    use super::*;

    const RULE: &str = "/*\ntitle = \"t\"\nseverity = \"low\"\nabout = \"a\"\n*/\nSELECT event_name FROM cloudtrail WHERE event_name = 'A'\n";

    #[test]
    fn only_what_has_changed_is_compiled_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a.sql", RULE);
        write("b.sql", RULE);
        let (paths, streams) = ([folder.path().to_path_buf()], Stream::built_ins());
        let mut book = Book::new(&paths, Planner::new(&streams), &[0], &Rules::load(&paths, &streams, &[]));
        let first = book.read().unwrap().detectors;
        write("b.sql", &RULE.replace("'A'", "'B'"));
        write("c.sql", RULE);
        let second = book.read().unwrap().detectors;
        assert_eq!(second.iter().map(|d| d.info.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(Arc::ptr_eq(&first[0], &second[0]), "what has not changed is not compiled");
        assert_ne!(first[1].info.version, second[1].info.version);
        write("b.sql", &RULE.replace("event_name =", "event_nmae ="));
        std::fs::remove_file(folder.path().join("c.sql")).unwrap();
        let wrong = book.read().unwrap_err();
        assert!(wrong.iter().any(|d| d.code == "W028" && d.file.ends_with("b.sql")), "{wrong:?}");
        assert_eq!(book.len(), 3);
        write("b.sql", &RULE.replace("cloudtrail", "lambda").replace("event_name", "function_name"));
        let wrong = book.read().unwrap_err();
        assert!(wrong.iter().any(|d| d.code == "W050" && d.position() == (6, 27)), "{wrong:?}");
    }
}
