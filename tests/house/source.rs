//! Reads Rust as far as the rules need it: what is code, what is a test, where a function ends.

use crate::files::File;

/// A function with a body.
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// Lines from there to its closing brace, both counted.
    pub lines: usize,
}

/// The text with comments and the inside of literals blanked; lines stay where they are.
pub fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_or_comment(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself if none does.
fn literal_or_comment(chars: &[char], at: usize) -> usize {
    let next = |n: usize| chars.get(at + n).copied().unwrap_or('\0');
    let within_name = at > 0 && is_name(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n),
        '/' if next(1) == '*' => block_comment(chars, at),
        '"' => quoted(chars, at + 1, '"'),
        'r' if !within_name && matches!(next(1), '"' | '#') => raw(chars, at),
        'b' | 'c' if !within_name && next(1) == 'r' && matches!(next(2), '"' | '#') => raw(chars, at + 1),
        '\'' if next(1) == '\\' => quoted(chars, at + 1, '\''),
        '\'' if next(2) == '\'' => at + 3,
        _ => at,
    }
}

fn block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn quoted(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `at` is the `r`. A raw name (`r#type`) is no literal.
fn raw(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes =
        |n: usize| chars[n] == '"' && chars[n + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (open + 1..chars.len()).find(|n| closes(*n)).map_or(chars.len(), |n| n + 1 + hashes)
}

/// Code (see [`code`]) with all that stands under `#[cfg(test)]` blanked.
pub fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let body = start + "#[cfg(test)]".len();
        let end = item_end(&out, body);
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

/// Where the item that starts at `from` ends: past its `;`, or past the brace that closes its body.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0usize;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return from + at + 1;
                }
            }
            ';' if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Functions with a body, in order; one within another is both.
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].trim_start().chars().take_while(|c| is_name(*c)).collect();
        if name.is_empty() || code[..at].chars().next_back().is_some_and(is_name) {
            continue;
        }
        let end = item_end(code, at);
        if code[..end].ends_with('}') {
            let line = code[..at].matches('\n').count() + 1;
            found.push(Function { name, line, lines: code[at..end].matches('\n').count() + 1 });
        }
    }
    found
}

/// `path:line` of each place where `text` has `needle`.
pub fn find(file: &File, text: &str, needle: &str) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| line.contains(needle));
    lines.map(|(number, _)| format!("{}:{} {needle}", file.path, number + 1)).collect()
}

/// As [`find`], whole words only.
pub fn find_word(file: &File, text: &str, word: &str) -> Vec<String> {
    let has = |line: &str| line.split(|c: char| !is_name(c)).any(|piece| piece == word);
    let lines = text.lines().enumerate().filter(|(_, line)| has(line));
    lines.map(|(number, _)| format!("{}:{} {word}", file.path, number + 1)).collect()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn blanks_what_is_no_code() {
    let text = "a // x {\nb /* /* } */ { */ c \"\\\"{\" d r#\"\"{\"# e '{' f '\\'' g<'h> r#type b'{' i";
    let kept: String = code(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(kept, "a b c d e f g<'h> r#type b i");
    assert_eq!(code(text).lines().count(), 2);
}

#[test]
fn blanks_tests() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { c.unwrap() }\n}\n#[cfg(test)]\nmod d;\nfn e() {}";
    let kept: String = without_tests(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(kept, "fn a() {} fn e() {}");
}

#[test]
fn measures_functions() {
    let text = "fn a(\n x: [u8; 2],\n) -> fn(u8) {\n if x { y }\n}\ntrait T { fn b(); fn c() {} }";
    let measured: Vec<_> = functions(text).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(measured, [("a".to_owned(), 1, 5), ("c".to_owned(), 6, 1)]);
}

#[test]
fn finds_words_not_parts_of_them() {
    let file = File { path: "x.rs".to_owned(), text: String::new() };
    assert_eq!(find_word(&file, "allow(unsafe_code)\nunsafe {", "unsafe"), ["x.rs:2 unsafe"]);
}
