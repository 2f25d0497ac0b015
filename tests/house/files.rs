//! The files of the work tree, by kind. What the build or the version control keeps is not among them.

use std::path::{Path, PathBuf};

/// A file that is text.
pub struct File {
    /// Below the root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// The top of the work tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is below the root").to_owned()
}

/// A file that must be there.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// Rust files of all members.
pub fn rust() -> Vec<File> {
    all(&["crates", "tests", "benches"], |path| path.ends_with(".rs"))
}

/// What people write by hand: code, manifests, documents, scripts. Not records, which quote whatever an attacker wrote.
pub fn written() -> Vec<File> {
    let by_hand = |path: &str| {
        [".rs", ".toml", ".md", ".xml", ".properties"].iter().any(|end| path.ends_with(end)) || is_script(path)
    };
    all(&["."], by_hand)
}

/// Markdown files, the manual's among them.
pub fn documents() -> Vec<File> {
    all(&["."], |path| path.ends_with(".md"))
}

/// Files of scripts/ and .ci/ that name their interpreter.
pub fn scripts() -> Vec<File> {
    all(&["scripts", ".ci"], |_| true).into_iter().filter(|file| file.text.starts_with("#!")).collect()
}

/// Whether its owner may run it.
pub fn is_executable(file: &File) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let about = std::fs::metadata(root().join(&file.path)).expect("it was read a moment ago");
    about.permissions().mode() & 0o100 != 0
}

/// Whether a file holds tests only: it lies in `tests/` or `benches/`, or a neighbour declares it under `#[cfg(test)]`.
pub fn is_test(file: &File, files: &[File]) -> bool {
    if file.path.contains("/tests/") || file.path.contains("/benches/") {
        return true;
    }
    let path = Path::new(&file.path);
    let Some((name, folder)) = path.file_stem().and_then(|stem| stem.to_str()).zip(path.parent()) else { return false };
    let (name, folder) = if name == "mod" { (folder_name(folder), parent(folder)) } else { (name, folder) };
    let declares = |other: &&File| {
        let other = Path::new(&other.path);
        other.parent() == Some(folder) || other.with_extension("") == folder
    };
    let declaration = format!("mod {name};");
    files.iter().filter(declares).any(|other| declared_for_tests(&other.text, &declaration))
}

fn folder_name(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn parent(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

fn declared_for_tests(text: &str, declaration: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(declaration))
}

/// Links to other files in a document, with their line: no addresses, no anchors.
pub fn links(document: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in document.lines().enumerate() {
        for piece in line.split("](").skip(1) {
            let target = piece.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number + 1, target));
            }
        }
    }
    found
}

fn is_script(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    (path.starts_with("scripts/") || path.starts_with(".ci/")) && !name.contains('.')
}

fn all(folders: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<File> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("the work tree can be read").path();
            let below = path.strip_prefix(root()).expect("it is below the root");
            let below = below.strip_prefix(".").unwrap_or(below).to_str().expect("a path of ours is UTF-8").to_owned();
            if path.is_dir() && !matches!(below.as_str(), "target" | ".git") {
                open.push(path);
            } else if path.is_file() && wanted(&below) {
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{below}: {error}"));
                files.push(File { path: below, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[test]
fn finds_links_to_files_only() {
    let text = "[a](b.md) and [c](d.md#e)\n[f](https://example.org) [g](#h)";
    assert_eq!(links(text), [(1, "b.md"), (1, "d.md")]);
}

#[test]
fn knows_test_files_by_their_declaration() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("crates/a/src/lib.rs", "#[cfg(test)]\nmod cases;\nmod real;"),
        file("crates/a/src/cases.rs", ""),
        file("crates/a/src/real.rs", "#[cfg(test)]\nmod tests;"),
        file("crates/a/src/real/tests.rs", ""),
        file("crates/a/tests/whole.rs", ""),
    ];
    let tests: Vec<bool> = files.iter().map(|file| is_test(file, &files)).collect();
    assert_eq!(tests, [false, true, false, true, true]);
}
