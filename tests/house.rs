//! The rules of the house that a machine can check. Each failure names the file, the line, and what to do.
//!
//! Knows nothing of what the crates do: it reads their text and their manifests. Read `arrows_are_as_drawn` first.

#[path = "house/arrows.rs"]
mod arrows;
#[path = "house/files.rs"]
mod files;
#[path = "house/source.rs"]
mod source;

use std::cmp::Ordering;

use files::File;

/// Lines of a Rust file. Past it, ask what room is missing.
const FILE_LINES: usize = 600;
/// Lines of a function, from `fn` to its closing brace, above which it counts as long.
const FUNCTION_LINES: usize = 60;
/// How many long functions there are. It may only go down: shorten one, then lower this.
const LONG_FUNCTIONS: usize = 0;

/// Fails with every offence, one a line, below what the rule is.
fn hold(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}\n  {}", offences.join("\n  "));
}

/// The crates' own files: not `tests/`, not `benches/`.
fn of_crates(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.path.starts_with("crates/"))
}

#[test]
fn arrows_are_as_drawn() {
    let drawn = arrows::drawn(&files::read("ARCHITECTURE.md")).expect("ARCHITECTURE.md draws the arrows");
    let built = arrows::built();
    let mut offences = Vec::new();
    for (name, imports) in &built {
        match drawn.get(name) {
            None => offences.push(format!("crates/{name} is not drawn: add its line to ARCHITECTURE.md")),
            Some(allowed) => {
                offences.extend(imports.difference(allowed).map(|other| {
                    format!("crates/{name}/Cargo.toml imports watchfire-{other}, which ARCHITECTURE.md does not draw")
                }));
                offences.extend(allowed.difference(imports).map(|other| {
                    format!("ARCHITECTURE.md draws {name} → {other}, which crates/{name}/Cargo.toml does not import")
                }));
            }
        }
    }
    offences.extend(
        drawn
            .keys()
            .filter(|name| !built.contains_key(*name))
            .map(|name| format!("{name} is drawn and does not exist")),
    );
    hold("crates import each other as ARCHITECTURE.md draws it", &offences);
}

#[test]
fn only_cli_and_engine_know_more_than_record() {
    let built = arrows::built();
    let knows_siblings = |name: &str| !matches!(name, "cli" | "engine");
    let offences: Vec<String> = built
        .iter()
        .filter(|(name, _)| knows_siblings(name))
        .flat_map(|(name, imports)| imports.iter().filter(|other| *other != "record").map(move |o| (name, o)))
        .map(|(name, other)| format!("{name} → {other}: what both need belongs in record, what joins them in engine"))
        .collect();
    hold("siblings do not import each other", &offences);
}

#[test]
fn files_are_short() {
    let offences: Vec<String> = files::rust()
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(file, lines)| format!("{}: {lines} lines: which room is missing?", file.path))
        .collect();
    hold(&format!("a file has at most {FILE_LINES} lines"), &offences);
}

#[test]
fn long_functions_only_get_fewer() {
    let files = files::rust();
    let mut long = Vec::new();
    for file in of_crates(&files) {
        for function in source::functions(&source::without_tests(&source::code(&file.text))) {
            if function.lines > FUNCTION_LINES {
                long.push(format!("{}:{} {}: {} lines", file.path, function.line, function.name, function.lines));
            }
        }
    }
    match long.len().cmp(&LONG_FUNCTIONS) {
        Ordering::Equal => {}
        Ordering::Less => panic!("good: {} long functions are left: set LONG_FUNCTIONS to it", long.len()),
        Ordering::Greater => panic!(
            "{} functions have more than {FUNCTION_LINES} lines, {LONG_FUNCTIONS} may: shorten one of\n  {}",
            long.len(),
            long.join("\n  ")
        ),
    }
}

#[test]
fn nothing_unwraps_outside_tests() {
    let files = files::rust();
    let offences = of_crates(&files)
        .filter(|file| !files::is_test(file, &files))
        .flat_map(|file| source::find(file, &source::without_tests(&source::code(&file.text)), ".unwrap()"))
        .map(|place| format!("{place}: return an error that says what to do, or `expect` why it cannot fail"))
        .collect::<Vec<_>>();
    hold("`.unwrap()` is for tests", &offences);
}

#[test]
fn nothing_is_unsafe() {
    let offences: Vec<String> = files::rust()
        .iter()
        .flat_map(|file| {
            let code = source::code(&file.text);
            let mut places = source::find_word(file, &code, "unsafe");
            places.extend(source::find(file, &code, "allow(unsafe_code)"));
            places
        })
        .collect();
    hold("no code of ours is unsafe", &offences);
}

#[test]
fn crate_roots_say_what_they_are_for() {
    let files = files::rust();
    let roots = of_crates(&files)
        .filter(|file| file.path.ends_with("/src/lib.rs") || (file.path == "crates/cli/src/main.rs"))
        .collect::<Vec<_>>();
    assert!(!roots.is_empty(), "found no crate root below crates/");
    let offences: Vec<String> = roots
        .iter()
        .filter(|file| file.text.lines().take_while(|line| line.starts_with("//!")).count() < 3)
        .map(|file| {
            format!("{}: its head says what the crate is for, what it knows nothing about, what to read", file.path)
        })
        .collect();
    hold("a crate's root opens with at least three lines of //!", &offences);
}

#[test]
fn nothing_is_left_for_later() {
    let needles = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    let offences: Vec<String> = files::written()
        .iter()
        .flat_map(|file| needles.iter().flat_map(|needle| source::find(file, &file.text, needle)))
        .map(|place| format!("{place}: do it, or file it"))
        .collect();
    hold("what is not done is in the issue list, not in the files", &offences);
}

#[test]
fn no_file_knows_a_machine() {
    let needles = ["/work", "/home", "/root", "/Users"].map(|folder| format!("{folder}/"));
    let offences: Vec<String> = files::written()
        .iter()
        .flat_map(|file| needles.iter().flat_map(|needle| source::find(file, &file.text, needle)))
        .map(|place| format!("{place}: say it without the path of one machine"))
        .collect();
    hold("a clone works anywhere", &offences);
}

#[test]
fn scripts_can_be_run() {
    let scripts = files::scripts();
    assert!(scripts.iter().any(|file| file.path == ".ci/run"), ".ci/run is missing, or has no #! line");
    let offences: Vec<String> = scripts
        .iter()
        .filter(|file| !files::is_executable(file))
        .map(|file| format!("{0}: chmod +x {0}", file.path))
        .collect();
    hold("every script can be run as it lies", &offences);
}

#[test]
fn readme_names_the_two_commands() {
    let readme = files::read("README.md");
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.lines().any(|line| line.trim().starts_with(command)), "README.md does not show `{command}`");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut offences = Vec::new();
    for file in files::documents() {
        for (line, target) in files::links(&file.text) {
            if !files::root().join(&file.path).with_file_name(target).exists() {
                offences.push(format!("{}:{line}: there is no {target}", file.path));
            }
        }
    }
    hold("a link leads to a file that is there", &offences);
}

#[test]
fn every_page_of_the_manual_is_in_its_contents() {
    let contents = files::read("docs/src/SUMMARY.md");
    let listed: Vec<&str> = files::links(&contents).into_iter().map(|(_, target)| target).collect();
    let offences: Vec<String> = files::documents()
        .iter()
        .filter_map(|file| file.path.strip_prefix("docs/src/"))
        .filter(|page| *page != "SUMMARY.md" && !listed.contains(page))
        .map(|page| format!("docs/src/{page}: add it to docs/src/SUMMARY.md"))
        .collect();
    hold("the manual's contents name all its pages", &offences);
}
