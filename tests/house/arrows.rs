//! Which crate imports which: as drawn in ARCHITECTURE.md, and as the manifests say.

use std::collections::{BTreeMap, BTreeSet};

use crate::files;

/// A crate's folder name, and those of the crates of the house that it imports.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The fenced block ```` ```arrows ````: one crate a line, `name → other other …`; nothing after the arrow: imports none.
pub fn drawn(document: &str) -> Result<Arrows, String> {
    let mut lines = document.lines().skip_while(|line| line.trim() != "```arrows");
    lines.next().ok_or("there is no ```arrows block")?;
    let mut arrows = Arrows::new();
    for line in lines {
        if line.trim() == "```" {
            return Ok(arrows);
        }
        let (name, imports) = line.split_once('→').ok_or_else(|| format!("`{line}` has no →"))?;
        let imports = imports.split_whitespace().map(str::to_owned).collect();
        if arrows.insert(name.trim().to_owned(), imports).is_some() {
            return Err(format!("{} has two lines", name.trim()));
        }
    }
    Err("the ```arrows block has no end".to_owned())
}

/// `[dependencies]` and `[build-dependencies]` of each `crates/*/Cargo.toml`; what tests import is theirs.
pub fn built() -> Arrows {
    let folders = std::fs::read_dir(files::root().join("crates")).expect("crates/ can be read");
    let mut arrows = Arrows::new();
    for folder in folders {
        let name = folder.expect("crates/ can be read").file_name().into_string().expect("a crate's name is UTF-8");
        if !files::root().join("crates").join(&name).join("Cargo.toml").is_file() {
            continue;
        }
        let manifest = files::read(&format!("crates/{name}/Cargo.toml"));
        arrows.insert(name, imports(&manifest));
    }
    arrows
}

fn imports(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().expect("cargo reads this manifest");
    ["dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|table| manifest.get(table)?.as_table())
        .flat_map(|table| table.keys().filter_map(|name| name.strip_prefix("watchfire-")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn reads_what_is_drawn() {
    let arrows = drawn("text\n```arrows\ncli → engine record\nrecord →\n```\nmore").expect("it is well drawn");
    assert_eq!(arrows["cli"], BTreeSet::from(["engine".to_owned(), "record".to_owned()]));
    assert_eq!(arrows["record"], BTreeSet::new());
    assert!(drawn("```arrows\ncli engine\n```").is_err_and(|error| error.contains("no →")));
    assert!(drawn("```arrows\ncli → engine").is_err_and(|error| error.contains("no end")));
    assert!(drawn("none").is_err());
}

#[test]
fn reads_what_is_imported() {
    let manifest = "[dependencies]\nwatchfire-record.workspace = true\nserde = \"1\"\n[dev-dependencies]\nwatchfire-cli = { path = \"x\" }\n";
    assert_eq!(imports(manifest), BTreeSet::from(["record".to_owned()]));
}
