//! The detectors that the documents show.

use std::path::Path;

/// Place and text of each block of SQL in the README and the manual.
pub fn detectors() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut pages: Vec<_> =
        std::fs::read_dir(root.join("docs/src")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.push(root.join("README.md"));
    pages.sort();
    let mut found = Vec::new();
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(page).unwrap();
        let shown = page.strip_prefix(root).unwrap().display();
        let mut lines = text.lines().enumerate();
        while let Some((number, _)) = lines.by_ref().find(|(_, line)| line.trim() == "```sql") {
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            found.push((format!("{shown}:{}", number + 1), block.join("\n")));
        }
    }
    found
}

/// SQL without its header, and with one blank where there are several.
pub fn plain(text: &str) -> String {
    let sql = text.split_once("*/").map_or(text, |(_, sql)| sql);
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn blocks_are_found() {
    assert!(detectors().iter().any(|(place, sql)| place.starts_with("README.md:") && sql.contains("five_minutes")));
    assert_eq!(plain("/* x */\nSELECT  a\nFROM b"), "SELECT a FROM b");
}
