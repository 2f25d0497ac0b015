//! Detectors on disk: single files, folders with their tests beside them, and folders of those.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use watchfire_record::limits;

use super::codes;
use super::diagnostic::Diagnostic;
use super::parse::too_large;

/// The file of a detector that has a folder.
const DETECTOR: &str = "detector.sql";
/// The test files of a detector that has a folder.
const TESTS: [&str; 3] = ["fires.jsonl", "findings.jsonl", "quiet.jsonl"];
/// How long a name may be, in bytes.
const NAME_BYTES: usize = 80;
/// How deeply folders are searched.
const DEPTH: usize = 16;

/// What keeps a path from being a detector; an error like those in files, so that all are shown alike.
pub type LoadError = Diagnostic;

/// A detector's file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// The detector's name: the file's without `.sql`, or its folder's.
    pub name: String,
    /// The file, by the path that led to it.
    pub file: String,
    /// What is in it.
    pub text: String,
    /// Its folder, if its tests may lie beside it.
    pub folder: Option<PathBuf>,
}

/// Reads the detectors at the paths: a `.sql` file, a detector's folder, or a folder of those, however deep. Sorted by name.
///
/// # Errors
/// If a path leads to no detector, a file cannot be read, or a name is not allowed or not unique: all of it.
pub fn load(paths: &[PathBuf]) -> Result<Vec<RuleFile>, Vec<LoadError>> {
    let mut search = Search::default();
    for path in paths {
        search.given(path);
    }
    let Search { files, mut errors } = search;
    let mut rules: BTreeMap<String, RuleFile> = BTreeMap::new();
    let mut seen: HashSet<PathBuf> = HashSet::new();
    for file in files {
        let real = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
        if !seen.insert(real) {
            continue;
        }
        match read(&file) {
            Ok(rule) => match rules.get(&rule.name) {
                Some(other) => errors.push(taken(&rule, other)),
                None => drop(rules.insert(rule.name.clone(), rule)),
            },
            Err(error) => errors.push(*error),
        }
    }
    if errors.is_empty() { Ok(rules.into_values().collect()) } else { Err(errors) }
}

/// Which test files a detector with a folder lacks; a lone file needs none.
#[must_use]
pub fn missing_tests(rule: &RuleFile) -> Vec<&'static str> {
    let Some(folder) = &rule.folder else { return Vec::new() };
    TESTS.into_iter().filter(|name| !folder.join(name).is_file()).collect()
}

/// A warning that a detector lacks test files; none if it has all, or needs none.
#[must_use]
pub fn missing_tests_warning(rule: &RuleFile) -> Option<Diagnostic> {
    let missing = missing_tests(rule);
    if missing.is_empty() {
        return None;
    }
    let message = format!("the detector `{}` lacks {}", rule.name, missing.join(", "));
    let help = "put them beside detector.sql: records that make it fire, exactly what it then finds, and records close to them that must not";
    Some(Diagnostic::of_path(codes::NO_TESTS, &rule.file, message).warning().help(help))
}

/// A detector's name by its file's: that of the folder for `detector.sql`, else the file's without `.sql`.
pub(super) fn name_of(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name);
    let name = match file.file_name() {
        Some(name) if name == DETECTOR => folder.or(Some(name)),
        _ => file.file_stem(),
    };
    name.map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// What keeps bytes from being looked at as a detector at all.
pub(super) fn unusable(file: &str, bytes: &[u8]) -> Option<Diagnostic> {
    if too_large(bytes.len()) {
        let message = format!("the file has {} bytes; a detector has at most {}", bytes.len(), limits::RULE_BYTES);
        return Some(
            Diagnostic::of_path(codes::FILE, file, message)
                .help("is it a detector? Long lists of values belong in several detectors"),
        );
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => {
            let help = "write a header, /* title = \"…\" severity = \"…\" about = \"…\" */ with one key a line, then one SELECT";
            Some(Diagnostic::of_path(codes::FILE, file, "the file is empty").help(help))
        }
        Ok(_) => None,
        Err(error) => {
            let at = error.valid_up_to();
            let text: Arc<str> = Arc::from(String::from_utf8_lossy(bytes));
            let error = Diagnostic::error(codes::FILE, file, &text, at..at + 1, "the file is not UTF-8 text");
            Some(error.label("this byte").help("save the file as UTF-8"))
        }
    }
}

fn read(file: &Path) -> Result<RuleFile, Box<Diagnostic>> {
    let shown = file.display().to_string();
    let cannot = |error: std::io::Error| {
        let error = Diagnostic::of_path(codes::FILE, &shown, format!("the file cannot be read: {error}"));
        Box::new(error.help("check that it is there and that you may read it"))
    };
    let length = fs::metadata(file).map_err(cannot)?.len();
    if too_large(usize::try_from(length).unwrap_or(usize::MAX)) {
        let message = format!("the file has {length} bytes; a detector has at most {}", limits::RULE_BYTES);
        return Err(Box::new(Diagnostic::of_path(codes::FILE, &shown, message)));
    }
    let bytes = fs::read(file).map_err(cannot)?;
    if let Some(error) = unusable(&shown, &bytes) {
        return Err(Box::new(error));
    }
    let name = name_of(file);
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(allowed) {
        let message = format!("`{name}` is no detector's name");
        let help = format!("rename it: small letters a to z, digits and hyphens, at most {NAME_BYTES} of them");
        return Err(Box::new(Diagnostic::of_path(codes::NAME, &shown, message).help(help)));
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    let folder = file.file_name().filter(|name| *name == DETECTOR).and(file.parent()).map(Path::to_path_buf);
    Ok(RuleFile { name, file: shown, text, folder })
}

fn taken(rule: &RuleFile, other: &RuleFile) -> Diagnostic {
    let message = format!("the detector's name `{}` is taken by {}", rule.name, other.file);
    Diagnostic::of_path(codes::NAME, &rule.file, message)
        .help("names are unique in a deployment: rename one of the two")
}

/// A search for detectors.
#[derive(Default)]
struct Search {
    files: Vec<PathBuf>,
    errors: Vec<LoadError>,
}

impl Search {
    /// Takes a path as it was given.
    fn given(&mut self, path: &Path) {
        let shown = path.display().to_string();
        if path.is_file() {
            if path.extension().is_some_and(|extension| extension == "sql") {
                return self.files.push(path.to_path_buf());
            }
            let error = Diagnostic::of_path(codes::FILE, &shown, "a detector's file ends in .sql");
            return self.errors.push(error.help("give a .sql file, or a folder"));
        }
        let before = self.files.len() + self.errors.len();
        match fs::canonicalize(path) {
            Ok(root) => self.folder(path, &root, 0),
            Err(error) => {
                let error = Diagnostic::of_path(codes::FILE, &shown, format!("there are no detectors here: {error}"));
                return self.errors.push(error.help("give a .sql file, a detector's folder, or a folder of those"));
            }
        }
        if self.files.len() + self.errors.len() == before {
            let error = Diagnostic::of_path(codes::FILE, &shown, "there is no detector in this folder");
            self.errors.push(error.help("a detector is NAME.sql, or NAME/detector.sql with its test files beside it"));
        }
    }

    /// Takes all detectors of a folder. Links are followed to files inside `root` only; those to folders are passed over.
    fn folder(&mut self, folder: &Path, root: &Path, depth: usize) {
        let detector = folder.join(DETECTOR);
        if detector.exists() || detector.is_symlink() {
            return self.file(detector, root);
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(Result::ok),
            Err(error) => {
                let message = format!("the folder cannot be read: {error}");
                return self.errors.push(Diagnostic::of_path(codes::FILE, &folder.display().to_string(), message));
            }
        };
        let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| !hidden(path)).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                if depth < DEPTH && !path.is_symlink() {
                    self.folder(&path, root, depth + 1);
                }
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                self.file(path, root);
            }
        }
    }

    /// Takes a detector's file, unless it leads out of `root` or is none.
    fn file(&mut self, path: PathBuf, root: &Path) {
        let (message, help) = match fs::canonicalize(&path) {
            // To open a pipe is to wait for whoever writes to it.
            Ok(real) if !real.is_file() => ("this is no file", "take it away: a detector is a file".to_owned()),
            Ok(real) if path.is_symlink() && !real.starts_with(root) => (
                "this link leads out of the folder",
                format!("put the file here in its place, or name it beside the folder: {}", real.display()),
            ),
            Ok(_) => return self.files.push(path),
            Err(_) => ("this link leads nowhere", "put the file here in its place, or take the link away".to_owned()),
        };
        self.errors.push(Diagnostic::of_path(codes::FILE, &path.display().to_string(), message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: impl AsRef<[u8]>) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn names(paths: &[PathBuf]) -> Vec<String> {
        load(paths).unwrap().into_iter().map(|rule| rule.name).collect()
    }

    #[test]
    fn files_folders_and_folders_of_folders_are_read() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "team/deep/with-tests/detector.sql", "x");
        write(root.path(), "team/deep/with-tests/fires.jsonl", "");
        write(root.path(), "team/deep/with-tests/other.sql", "not looked at");
        write(root.path(), "team/lone.sql", "x");
        write(root.path(), "team/.hidden/no.sql", "x");
        write(root.path(), "team/README.md", "x");
        let folder = root.path().join("team");
        assert_eq!(names(std::slice::from_ref(&folder)), ["lone", "with-tests"]);
        assert_eq!(
            names(&[folder.join("lone.sql"), folder.clone()]),
            ["lone", "with-tests"],
            "twice the same file is once"
        );
        assert_eq!(names(&[folder.join("deep/with-tests/detector.sql")]), ["with-tests"]);
        let rules = load(&[folder]).unwrap();
        assert_eq!(missing_tests(&rules[0]), [""; 0]);
        assert_eq!(missing_tests(&rules[1]), ["findings.jsonl", "quiet.jsonl"]);
        let warning = missing_tests_warning(&rules[1]).unwrap();
        assert!(
            warning
                .render(false)
                .starts_with("warning[W043]: the detector `with-tests` lacks findings.jsonl, quiet.jsonl\n  --> ")
        );
    }

    #[test]
    fn all_that_is_wrong_with_paths_is_said() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "a/same.sql", "x");
        write(root.path(), "b/same/detector.sql", "x");
        write(root.path(), "Wrong_Name.sql", "x");
        write(root.path(), "latin.sql", b"caf\xe9");
        write(root.path(), "empty.sql", " \n");
        write(root.path(), "large.sql", "x".repeat(limits::RULE_BYTES + 1));
        fs::create_dir(root.path().join("none")).unwrap();
        let paths = [root.path().to_path_buf(), root.path().join("none"), root.path().join("missing")];
        let errors = load(&paths).unwrap_err();
        let said =
            |file: &str| errors.iter().find(|e| e.file.ends_with(file)).unwrap_or_else(|| panic!("{file}: {errors:?}"));
        assert!(said("same/detector.sql").message.contains("a/same.sql"));
        assert_eq!(said("Wrong_Name.sql").code, "W008");
        assert_eq!(said("latin.sql").position(), (1, 4));
        assert!(said("empty.sql").message.contains("empty"));
        assert!(said("large.sql").message.contains("bytes"));
        assert!(said("none").message.contains("no detector"));
        assert_eq!(said("missing").code, "W001");
        assert_eq!(errors.len(), 7);
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out() {
        use std::os::unix::fs::symlink;
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(outside.path(), "secret.sql", "x");
        write(root.path(), "own.sql", "x");
        symlink(outside.path().join("secret.sql"), root.path().join("secret.sql")).unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink(root.path(), root.path().join("round")).unwrap();
        symlink(root.path().join("nowhere"), root.path().join("dangling.sql")).unwrap();
        let said = load(&[root.path().to_path_buf()]).unwrap_err();
        let said: Vec<(bool, &str)> =
            said.iter().map(|error| (error.file.ends_with("secret.sql"), error.message.as_str())).collect();
        assert_eq!(said, [(false, "this link leads nowhere"), (true, "this link leads out of the folder")]);
        fs::remove_file(root.path().join("dangling.sql")).unwrap();
        fs::remove_file(root.path().join("secret.sql")).unwrap();
        assert_eq!(names(&[root.path().to_path_buf()]), ["own"]);
        // A socket stands for what is no file: a pipe would keep who opens it waiting.
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket.sql")).unwrap();
        assert_eq!(load(&[root.path().to_path_buf()]).unwrap_err()[0].message, "this is no file");
    }
}
