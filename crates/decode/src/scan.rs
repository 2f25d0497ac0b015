//! Finds where JSON values end without parsing them: by quotes and brackets alone, on bytes as they came. What it
//! finds is handed to a strict parser, so it need not judge, only never loop, recurse or read twice.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// White space as JSON has it.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The first place at or after `at` that holds no white space.
pub(crate) fn skip_space(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(|byte| !is_space(*byte)).map_or(text.len(), |n| at + n)
}

/// `range` of `text` without a byte order mark and white space around it.
pub(crate) fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let within = &text[..range.end];
    let mut start = skip_space(within, range.start);
    if within[start..].starts_with(b"\xEF\xBB\xBF") {
        start = skip_space(within, start + 3);
    }
    let end = within[start..].iter().rposition(|byte| !is_space(*byte)).map_or(start, |n| start + n + 1);
    start..end
}

/// The end of the string that starts at `at`, or `None` if it has none.
pub(crate) fn skip_string(text: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let hit = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[hit] == b'"' {
            return Some(hit + 1);
        }
        from = hit + 2;
    }
}

/// The end of the value that starts at `at`, or `None` if it has none. Brackets are counted, not matched.
pub(crate) fn skip_value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => skip_string(text, at),
        b'{' | b'[' => skip_nested(text, at),
        b',' | b':' | b'}' | b']' => None,
        _ => {
            let ends = |byte: &u8| is_space(*byte) || matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']');
            Some(text[at..].iter().position(ends).map_or(text.len(), |n| at + n))
        }
    }
}

fn skip_nested(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = skip_string(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where arrays and objects first nest deeper than `limit`.
pub(crate) fn too_deep(text: &[u8], limit: usize) -> Option<usize> {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = skip_string(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// An element of an array, or its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Where an element is; go on at its end.
    Element(Range<usize>),
    /// The array ended before this place.
    End(usize),
    /// Something else than an element, a comma or the end stands here.
    Broken(usize),
}

/// The first element of the array whose `[` is at `at`.
pub(crate) fn first_element(text: &[u8], at: usize) -> Step {
    let here = skip_space(text, at + 1);
    if text.get(here) == Some(&b']') { Step::End(here + 1) } else { element(text, here) }
}

/// The element of an array after the one that ended at `at`.
pub(crate) fn next_element(text: &[u8], at: usize) -> Step {
    let here = skip_space(text, at);
    match text.get(here) {
        Some(b',') => element(text, skip_space(text, here + 1)),
        Some(b']') => Step::End(here + 1),
        _ => Step::Broken(here),
    }
}

fn element(text: &[u8], at: usize) -> Step {
    skip_value(text, at).map_or(Step::Broken(at), |end| Step::Element(at..end))
}

/// Where the values of the named members of the object at `range` are; the last of duplicates. `None` if it is not one
/// object of well-placed keys, colons and commas.
pub(crate) fn members<const N: usize>(
    text: &[u8],
    range: Range<usize>,
    names: [&str; N],
) -> Option<[Option<Range<usize>>; N]> {
    let text = &text[..range.end];
    let mut places = [const { None }; N];
    if text.get(range.start) != Some(&b'{') {
        return None;
    }
    let mut at = skip_space(text, range.start + 1);
    if text.get(at) == Some(&b'}') {
        return (skip_space(text, at + 1) == text.len()).then_some(places);
    }
    loop {
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = skip_string(text, at)?;
        let colon = skip_space(text, key_end);
        if text.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip_space(text, colon + 1);
        let end = skip_value(text, start)?;
        let key = key_text(&text[at..key_end]);
        if let Some(place) = names.iter().position(|name| key.as_ref() == name.as_bytes()) {
            places[place] = Some(start..end);
        }
        let next = skip_space(text, end);
        match text.get(next)? {
            b',' => at = skip_space(text, next + 1),
            b'}' => return (skip_space(text, next + 1) == text.len()).then_some(places),
            _ => return None,
        }
    }
}

/// The text of a quoted key.
fn key_text(quoted: &[u8]) -> Cow<'_, [u8]> {
    let inside = &quoted[1..quoted.len() - 1];
    if memchr::memchr(b'\\', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    serde_json::from_slice::<String>(quoted).map_or(Cow::Borrowed(inside), |key| Cow::Owned(key.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        for (text, end) in [
            (r#"{"a":"}"} x"#, Some(9)),
            (r#"[1,[2,"]\""]],"#, Some(13)),
            (r#""a\\" b"#, Some(5)),
            ("12 3", Some(2)),
            ("true}", Some(4)),
            (r#"{"a":"#, None),
            (r#""a\"#, None),
            ("}", None),
            ("", None),
        ] {
            assert_eq!(skip_value(text.as_bytes(), 0), end, "{text}");
        }
    }

    #[test]
    fn members_are_found_by_their_unescaped_key_and_the_last_one_counts() {
        let text = br#" {"a" : 1, "\u0062":[2 , 3],"c":{"a":9},"a":4} "#;
        let range = trim(text, 0..text.len());
        let [a, b, d] = members(text, range, ["a", "b", "d"]).unwrap();
        assert_eq!((&text[a.unwrap()], &text[b.unwrap()], d), (&b"4"[..], &b"[2 , 3]"[..], None));
        for broken in ["{", r#"{"a"}"#, r#"{"a":1,}"#, r#"{"a":1} 2"#, r#"{a:1}"#, "[]", r#"{"a":}"#] {
            assert!(members(broken.as_bytes(), 0..broken.len(), ["a"]).is_none(), "{broken}");
        }
    }

    #[test]
    fn elements_come_one_by_one() {
        let text = b"[ 1,{\"a\":[2]} , \"x\" ]";
        let mut found = Vec::new();
        let mut step = first_element(text, 0);
        while let Step::Element(element) = step {
            step = next_element(text, element.end);
            found.push(std::str::from_utf8(&text[element]).unwrap());
        }
        assert_eq!(found, ["1", r#"{"a":[2]}"#, r#""x""#]);
        assert_eq!(step, Step::End(text.len()));
        assert_eq!(first_element(b"[ ]", 0), Step::End(3));
        assert_eq!(first_element(b"[,]", 0), Step::Broken(1));
        assert_eq!(next_element(b"[1 2]", 2), Step::Broken(3));
        assert_eq!(next_element(b"[1[2]]", 2), Step::Broken(2));
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        assert_eq!(too_deep(b"[[\"[[[\"]]", 2), None);
        assert_eq!(too_deep(b"[[\"[[[\",[", 2), Some(8));
    }
}
