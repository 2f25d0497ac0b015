//! Which files are meant, and what their partitions are called.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::SourceError;

/// Where an input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Standard input.
    Standard,
    /// A regular file, which can be read more than once.
    File(PathBuf),
    /// A pipe or a device, named as it stands.
    Pipe(PathBuf),
}

impl Place {
    pub(super) fn is_regular(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// One input and its partition's name, which no other has.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) name: String,
}

/// All files that `inputs` name, by name.
pub(super) fn discover(inputs: &[PathBuf]) -> Result<Vec<Found>, SourceError> {
    if inputs.is_empty() {
        return Err(SourceError::input(
            "",
            "no input was named: give a file, a folder, a glob, or `-` for standard input",
        ));
    }
    let mut search = Search::default();
    for input in inputs {
        search.add(input)?;
    }
    let mut found = search.named();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

#[derive(Debug, Default)]
struct Search {
    standard: bool,
    /// Real path → the least of the names under which it was reached. A file that is reached twice is read once.
    files: BTreeMap<PathBuf, (String, Place)>,
}

impl Search {
    fn add(&mut self, input: &Path) -> Result<(), SourceError> {
        if input == Path::new("-") {
            self.standard = true;
            return Ok(());
        }
        if input.exists() {
            return self.add_path(input);
        }
        let text = input.to_string_lossy();
        if !text.contains(['*', '?', '[']) {
            return Err(SourceError::input(
                input,
                "is not there: check the path, and the folder the program is run in",
            ));
        }
        self.add_glob(input, &text)
    }

    fn add_glob(&mut self, input: &Path, pattern: &str) -> Result<(), SourceError> {
        let hidden = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
        let matches = glob::glob_with(pattern, hidden).map_err(|e| {
            SourceError::input(input, format!("is no glob: {e}; quote `*`, `?` and `[` as [*], [?] and [[]"))
        })?;
        let mut any = false;
        for path in matches {
            self.add_path(&path.map_err(|e| SourceError::input(e.path(), e.error().to_string()))?)?;
            any = true;
        }
        if any {
            Ok(())
        } else {
            Err(SourceError::input(input, "matches no file: check the pattern, and that the shell left it alone"))
        }
    }

    fn add_path(&mut self, path: &Path) -> Result<(), SourceError> {
        let before = self.files.len();
        let real = real_path(path)?;
        if real.is_dir() {
            let mut visited = HashSet::from([real]);
            let touched = self.add_folder(path, path, &mut visited)?;
            if self.files.len() == before && !touched {
                return Err(SourceError::input(path, "is a folder without a file in it (hidden ones do not count)"));
            }
            return Ok(());
        }
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        self.add_file(path, real, &name);
        Ok(())
    }

    /// Whether there was a file. `visited` holds the folders above this one, so that links cannot lead in a circle.
    fn add_folder(&mut self, root: &Path, folder: &Path, visited: &mut HashSet<PathBuf>) -> Result<bool, SourceError> {
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|e| SourceError::input(folder, format!("cannot be listed: {e}")))?;
        let mut any = false;
        for entry in entries.iter().filter(|e| !e.file_name().to_string_lossy().starts_with('.')) {
            let path = entry.path();
            // A link that leads nowhere is no file.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                let real = real_path(&path)?;
                if visited.insert(real) {
                    any |= self.add_folder(root, &path, visited)?;
                }
            } else if metadata.is_file() {
                let below = path.strip_prefix(root).unwrap_or(&path);
                self.add_file(&path, real_path(&path)?, &below.to_string_lossy());
                any = true;
            }
        }
        Ok(any)
    }

    fn add_file(&mut self, path: &Path, real: PathBuf, name: &str) {
        let place = if real.is_file() { Place::File(path.to_path_buf()) } else { Place::Pipe(path.to_path_buf()) };
        let entry = self.files.entry(real).or_insert_with(|| (name.to_string(), place));
        if name < entry.0.as_str() {
            entry.0 = name.to_string();
        }
    }

    /// Gives names that are the same for two files as much of the real path as tells them apart, so that a name does
    /// not depend on the order of the inputs.
    fn named(self) -> Vec<Found> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        if self.standard {
            counts.insert("-".into(), 1);
        }
        for (name, _) in self.files.values() {
            *counts.entry(name.clone()).or_default() += 1;
        }
        let reals: Vec<PathBuf> = self.files.keys().cloned().collect();
        let mut taken: HashSet<String> =
            counts.iter().filter(|(_, n)| **n == 1).map(|(name, _)| name.clone()).collect();
        let mut found = Vec::new();
        for (real, (name, place)) in self.files {
            let name = if counts[&name] == 1 && !(self.standard && name == "-") {
                name
            } else {
                distinct_name(&real, &reals, &mut taken)
            };
            found.push(Found { place, name });
        }
        if self.standard {
            found.push(Found { place: Place::Standard, name: "-".into() });
        }
        found
    }
}

/// The shortest end of `real`, of two components at least, with which no other path ends.
fn distinct_name(real: &Path, reals: &[PathBuf], taken: &mut HashSet<String>) -> String {
    let components = real.components().count();
    for length in 2..=components {
        let end: PathBuf = real.components().skip(components - length).collect();
        let name = end.to_string_lossy().into_owned();
        if reals.iter().filter(|other| other.ends_with(&end)).count() == 1 && taken.insert(name.clone()) {
            return name;
        }
    }
    // Only names that differ in bytes that are no text come here.
    let whole = real.to_string_lossy().into_owned();
    let numbered = (2..).map(|n| format!("{whole}#{n}")).find(|name| !taken.contains(name));
    let name = numbered.expect("there are more numbers than names");
    taken.insert(name.clone());
    name
}

fn real_path(path: &Path) -> Result<PathBuf, SourceError> {
    std::fs::canonicalize(path).map_err(|e| SourceError::input(path, format!("cannot be looked at: {e}")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(inputs: &[PathBuf]) -> Vec<String> {
        discover(inputs).unwrap().into_iter().map(|f| f.name).collect()
    }

    #[test]
    fn folders_are_walked_in_order_without_hidden_files_or_circles() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/.git")).unwrap();
        for file in ["b/2.json", "a.json", ".hidden", "b/.git/x", "b/1.json"] {
            fs::write(root.join(file), "{}").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("b/up")).unwrap();
        assert_eq!(names(&[root.to_path_buf()]), ["a.json", "b/1.json", "b/2.json"]);
        assert_eq!(names(&[root.join("b/*.json")]), ["1.json", "2.json"]);
        // Reached twice, read once, under one name whatever the order.
        assert_eq!(
            names(&[root.to_path_buf(), root.join("b/1.json")]),
            names(&[root.join("b/1.json"), root.to_path_buf()])
        );
        assert_eq!(names(&[root.to_path_buf(), root.join("b/1.json")]).len(), 3);
    }

    #[test]
    fn equal_names_are_told_apart_by_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in ["x/log", "y/log", "y/z/log"] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "{}").unwrap();
        }
        let inputs = [root.join("y/log"), root.join("x/log"), root.join("y/z/log")];
        assert_eq!(names(&inputs), ["x/log", "y/log", "z/log"]);
        fs::write(root.join("-"), "{}").unwrap();
        let with_standard = names(&[PathBuf::from("-"), root.join("-")]);
        assert_eq!(with_standard[0], "-");
        assert!(with_standard[1].ends_with("/-"), "{with_standard:?}");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (input, said) in
            [("nothing", "is not there"), ("*.json", "matches no file"), ("", "without a file"), ("[", "is no glob")]
        {
            let error = discover(&[folder.path().join(input)]).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(discover(&[]).is_err());
    }
}
