//! One pass over a record's text along the tree of wanted paths: what nobody asked for is checked and passed over, what is
//! wanted goes on a tape as `simd_json` makes one.
//!
//! It never judges a text: where it is not sure, it gives up, and the parser looks at the whole. So it can be too careful,
//! and must not be too generous: what it takes is JSON, and means what the parser says.

use std::mem;

use simd_json::{Node, StaticNode};
use watchfire_record::limits::NESTING_DEPTH;

use crate::repair::{Surrogate, surrogate, unit};
use crate::special::next_special;
use crate::tree::{NodeId, ROOT, Tree};

/// Integers of as many digits are within 64 bits.
const SURE_DIGITS: usize = 18;
/// A number of as many digits with an exponent of two is within 64-bit floats.
const SURE_FLOAT_BYTES: usize = 40;

/// Puts what `tree` wants of the record in `text` on the empty `tape`, and into `found`, which has nothing yet, where it
/// is there. `unescaped` has room for as many bytes as the text. Says whether a wanted member, or one on the way to it,
/// occurs twice; the last one counts. `None` if it gave up.
pub(crate) fn read<'a>(
    text: &'a str,
    tree: &Tree,
    found: &mut [u32],
    tape: &mut Vec<Node<'a>>,
    unescaped: &'a mut [u8],
) -> Option<bool> {
    if tree.wants(ROOT) || !text.starts_with('{') {
        return None;
    }
    let mut walk = Walk { text, at: 0, depth: 0, tree, found, tape, unescaped, twice: false };
    walk.tape.push(Node::Object { len: 0, count: 0 });
    walk.object(ROOT)?;
    walk.space();
    (walk.at == text.len()).then_some(walk.twice)
}

struct Walk<'a, 't> {
    text: &'a str,
    at: usize,
    /// Arrays and objects around the place.
    depth: usize,
    tree: &'t Tree,
    found: &'t mut [u32],
    tape: &'t mut Vec<Node<'a>>,
    unescaped: &'a mut [u8],
    twice: bool,
}

/// A string between its quotes.
#[derive(Debug, Clone, Copy)]
struct Quoted {
    start: usize,
    end: usize,
    escaped: bool,
}

impl<'a> Walk<'a, '_> {
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then(|| self.at += 1)
    }

    fn deeper(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= NESTING_DEPTH).then_some(())
    }

    /// After a member or an element: whether another one follows. At `close` it ends.
    #[inline]
    fn another(&mut self, close: u8) -> Option<bool> {
        self.space();
        let byte = self.byte()?;
        self.at += 1;
        if byte == b',' {
            self.space();
            return Some(true);
        }
        (byte == close).then_some(false)
    }

    /// After `{` or `[`: whether it holds anything.
    #[inline]
    fn any(&mut self, close: u8) -> Option<bool> {
        self.deeper()?;
        self.at += 1;
        self.space();
        let any = self.byte()? != close;
        self.at += usize::from(!any);
        Some(any)
    }

    /// A member's key, up to its value.
    #[expect(clippy::inline_always, reason = "as with a string: a key in memory is written in parts and read whole")]
    #[inline(always)]
    fn key(&mut self) -> Option<Quoted> {
        let key = self.string()?;
        self.space();
        self.take(b':')?;
        self.space();
        Some(key)
    }

    /// Passes over a member's key, up to its value.
    fn skip_key(&mut self) -> Option<()> {
        self.key().map(|_| ())
    }

    /// The object here, of which `node` says what is wanted.
    fn object(&mut self, node: NodeId) -> Option<()> {
        let mut more = self.any(b'}')?;
        while more {
            let key = self.key()?;
            let child = if key.escaped {
                let key = self.unescape(key)?;
                self.tree.child(node, key.as_bytes())
            } else {
                self.tree.child(node, &self.text.as_bytes()[key.start..key.end])
            };
            match child {
                Some(child) => self.visit(child)?,
                None => self.skip()?,
            }
            more = self.another(b'}')?;
        }
        self.depth -= 1;
        Some(())
    }

    /// The value here, of which at least a part is wanted.
    fn visit(&mut self, node: NodeId) -> Option<()> {
        self.twice |= self.tree.place(node, self.tape.len(), self.found);
        match self.byte()? {
            b'{' if !self.tree.wants(node) && self.tree.has_keys(node) => {
                self.tape.push(Node::Object { len: 0, count: 0 });
                self.object(node)
            }
            _ => {
                let at = self.tape.len();
                self.put()?;
                self.twice |= self.tree.walk(node, self.tape, at, self.found);
                Some(())
            }
        }
    }

    /// Puts the value here on the tape, with all that is in it. Recursion is bounded by the nesting depth.
    fn put(&mut self) -> Option<()> {
        let node = match self.byte()? {
            b'"' => {
                let string = self.string()?;
                self.text_of(string)?
            }
            b'{' => return self.put_object(),
            b'[' => return self.put_array(),
            b't' => self.word("true").map(|()| Node::Static(StaticNode::Bool(true)))?,
            b'f' => self.word("false").map(|()| Node::Static(StaticNode::Bool(false)))?,
            b'n' => self.word("null").map(|()| Node::Static(StaticNode::Null))?,
            _ => Node::Static(self.number()?),
        };
        self.tape.push(node);
        Some(())
    }

    fn put_object(&mut self) -> Option<()> {
        let place = self.tape.len();
        self.tape.push(Node::Object { len: 0, count: 0 });
        let (mut len, mut more) = (0, self.any(b'}')?);
        while more {
            let key = self.key()?;
            let key = self.text_of(key)?;
            self.tape.push(key);
            self.put()?;
            len += 1;
            more = self.another(b'}')?;
        }
        self.tape[place] = Node::Object { len, count: self.tape.len() - place - 1 };
        self.depth -= 1;
        Some(())
    }

    fn put_array(&mut self) -> Option<()> {
        let place = self.tape.len();
        self.tape.push(Node::Array { len: 0, count: 0 });
        let (mut len, mut more) = (0, self.any(b']')?);
        while more {
            self.put()?;
            len += 1;
            more = self.another(b']')?;
        }
        self.tape[place] = Node::Array { len, count: self.tape.len() - place - 1 };
        self.depth -= 1;
        Some(())
    }

    /// Passes over the value here, without recursion.
    fn skip(&mut self) -> Option<()> {
        let floor = self.depth;
        // Bit n: what is open n levels out is an object.
        let mut objects = 0u128;
        loop {
            match self.byte()? {
                b'"' => _ = self.string()?,
                b'{' => {
                    if self.any(b'}')? {
                        objects = objects << 1 | 1;
                        self.skip_key()?;
                        continue;
                    }
                    self.depth -= 1;
                }
                b'[' => {
                    if self.any(b']')? {
                        objects <<= 1;
                        continue;
                    }
                    self.depth -= 1;
                }
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => _ = self.digits()?,
            }
            loop {
                if self.depth == floor {
                    return Some(());
                }
                let in_object = objects & 1 == 1;
                if self.another(if in_object { b'}' } else { b']' })? {
                    if in_object {
                        self.skip_key()?;
                    }
                    break;
                }
                objects >>= 1;
                self.depth -= 1;
            }
        }
    }

    /// Passes over this word, if it is here.
    fn word(&mut self, word: &str) -> Option<()> {
        let here = self.text.as_bytes().get(self.at..)?;
        here.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// The string whose opening quote is here.
    #[expect(clippy::inline_always, reason = "half of the walk's time: a result in memory costs a third more")]
    #[inline(always)]
    fn string(&mut self) -> Option<Quoted> {
        self.take(b'"')?;
        let (bytes, start) = (self.text.as_bytes(), self.at);
        let end = next_special(bytes, start)?;
        let escaped = bytes[end] != b'"';
        let end = if escaped { end_of_escaped(bytes, end)? } else { end };
        self.at = end + 1;
        Some(Quoted { start, end, escaped })
    }

    fn text_of(&mut self, string: Quoted) -> Option<Node<'a>> {
        let text = self.text;
        let text = if string.escaped { self.unescape(string)? } else { text.get(string.start..string.end)? };
        Some(Node::String(text))
    }

    #[cold]
    fn unescape(&mut self, string: Quoted) -> Option<&'a str> {
        let text = self.text.get(string.start..string.end)?;
        let room = mem::take(&mut self.unescaped);
        let (here, rest) = room.split_at_mut_checked(text.len())?;
        self.unescaped = rest;
        let length = unescape(text, here)?;
        std::str::from_utf8(&here[..length]).ok()
    }

    /// The number here, of which it is sure that it is one.
    fn number(&mut self) -> Option<StaticNode> {
        let start = self.at;
        if self.digits()? {
            let number: f64 = self.text.get(start..self.at)?.parse().ok()?;
            return Some(StaticNode::F64(number));
        }
        let text = self.text.get(start..self.at)?;
        // The parser gives what has a minus as signed, and all else as unsigned.
        Some(if text.starts_with('-') {
            StaticNode::I64(text.parse().ok()?)
        } else {
            StaticNode::U64(text.parse().ok()?)
        })
    }

    /// Passes over a number. Says whether it has a fraction or an exponent.
    fn digits(&mut self) -> Option<bool> {
        let start = self.at;
        self.at += usize::from(self.byte()? == b'-');
        let first = self.byte()?;
        let whole = self.digit_run();
        if whole == 0 || (whole > 1 && first == b'0') {
            return None;
        }
        let fraction = self.byte() == Some(b'.');
        if fraction {
            self.at += 1;
            if self.digit_run() == 0 {
                return None;
            }
        }
        let exponent = matches!(self.byte(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            if !(1..=2).contains(&self.digit_run()) {
                return None;
            }
        }
        let is_float = fraction || exponent;
        let sure = if is_float { self.at - start <= SURE_FLOAT_BYTES } else { whole <= SURE_DIGITS };
        sure.then_some(is_float)
    }

    fn digit_run(&mut self) -> usize {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }
}

/// Where the string ends in which something else than its end is at `at`.
#[cold]
fn end_of_escaped(bytes: &[u8], mut at: usize) -> Option<usize> {
    while bytes[at] != b'"' {
        if bytes[at] != b'\\' {
            return None;
        }
        at = next_special(bytes, escape_end(bytes, at)?)?;
    }
    Some(at)
}

/// The end of the escape whose backslash is at `at`; `None` if it is none, or half a surrogate pair.
#[cold]
fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => match surrogate(&bytes[at..]) {
            Surrogate::Pair => Some(at + 12),
            Surrogate::Lone => None,
            Surrogate::None => unit(&bytes[at..]).map(|_| at + 6),
        },
        _ => None,
    }
}

/// Writes a sound string's text to `out`, which has room for it as it is written; its length.
fn unescape(text: &str, out: &mut [u8]) -> Option<usize> {
    let (bytes, mut from, mut to) = (text.as_bytes(), 0, 0);
    while let Some(plain) = memchr::memchr(b'\\', &bytes[from..]) {
        out.get_mut(to..to + plain)?.copy_from_slice(&bytes[from..from + plain]);
        let (escape, mut written) = (from + plain, [0; 4]);
        to += plain;
        let character = match bytes.get(escape + 1)? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match u32::from(unit(&bytes[escape..])?) {
                high @ 0xD800..=0xDBFF => {
                    let low = u32::from(unit(bytes.get(escape + 6..)?)?).checked_sub(0xDC00)?;
                    char::from_u32(0x10000 + ((high - 0xD800) << 10) + low)?
                }
                unit => char::from_u32(unit)?,
            },
            other => char::from(*other),
        };
        let written = character.encode_utf8(&mut written).as_bytes();
        out.get_mut(to..to + written.len())?.copy_from_slice(written);
        to += written.len();
        from = escape_end(bytes, escape)?;
    }
    let rest = &bytes[from..];
    out.get_mut(to..to + rest.len())?.copy_from_slice(rest);
    Some(to + rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json_text;
    use crate::tree::MISSING;

    fn tree() -> Tree {
        let mut tree = Tree::new();
        ["a", "b.c", "b", "d.e.f", "é", "n\n"].iter().for_each(|path| _ = tree.dotted(path));
        tree.path(&[watchfire_record::json::PathStep::Key("d".into()), watchfire_record::json::PathStep::Index(-1)]);
        tree
    }

    /// The text of each wanted value, and whether one occurs twice.
    fn walked(text: &str) -> Option<(Vec<Option<String>>, bool)> {
        let (tree, mut tape, mut scratch) = (tree(), Vec::new(), vec![0; text.len()]);
        let mut found = vec![MISSING; tree.len()];
        let twice = read(text, &tree, &mut found, &mut tape, &mut scratch)?;
        Some((texts(&tree, &found, &tape), twice))
    }

    fn parsed(text: &str) -> Option<(Vec<Option<String>>, bool)> {
        let (tree, mut bytes) = (tree(), text.as_bytes().to_vec());
        let tape = simd_json::to_tape(&mut bytes).ok()?;
        let mut found = vec![MISSING; tree.len()];
        let twice = tree.find(&tape.0, &mut found);
        Some((texts(&tree, &found, &tape.0), twice))
    }

    fn texts(tree: &Tree, found: &[u32], tape: &[Node<'_>]) -> Vec<Option<String>> {
        let text = |(node, at): (NodeId, &u32)| {
            (*at != MISSING && tree.wants(node)).then(|| {
                let mut out = String::new();
                json_text::write(tape, *at as usize, &mut out);
                out
            })
        };
        (0..).zip(found).map(text).collect()
    }

    #[test]
    fn it_takes_what_logs_are_made_of() {
        for text in [
            r#"{}"#,
            r#"{"a":1,"b":{"c":"x"},"d":{"e":{"f":[1,{"g":null}]}}}"#,
            "{ \"a\" : -0 ,\n\t\"x\" : [ ] , \"d\" : [ 1 , 2.5e-3 , true ] }\r\n",
            r#"{"x":{"y":[{"z":"}"},[],{}],"w":"\u00e9\ud83d\ude00\"\\"},"\u00e9":"a\tb\/","n\n":1700000000.123}"#,
            r#"{"a":{"q":"\n"},"a":"the last one","b":{"c":1},"b":null}"#,
            r#"{"a":"0123456789abcdefghijklmnopqrstuvwxyz é 0123456789","x":"0123456789abcde","y":"0123456789abcdef"}"#,
        ] {
            assert!(walked(text).is_some(), "{text}");
            assert_eq!(walked(text), parsed(text), "{text}");
        }
    }

    #[test]
    fn it_gives_up_on_what_is_no_json_or_not_sure() {
        for value in [
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e400",
            "+1",
            "nul",
            "truex",
            "\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ude00\"",
            "\"\\ud83d\\ud83d\"",
            "\"\\u12\"",
            "\"\u{1}\"",
            "[1,]",
            "[,]",
            "[1 2]",
            "{\"q\"}",
            "{\"q\":}",
            "{\"q\":1,}",
            "{1:2}",
            "[}",
            "{]",
            "1 1",
            "\\",
            "1234567890123456789",
        ] {
            for text in [format!("{{\"a\":{value}}}"), format!("{{\"x\":{value}}}"), format!("{{\"x\":[{value}]}}")] {
                assert_eq!(walked(&text), None, "{text}");
            }
        }
        for text in ["{\"a\":}", "{\"x\":}", "", "[]", "1", "{", "{}x", "{}{}", "{\"a\":1", "{\"a\":1}}"] {
            assert_eq!(walked(text), None, "{text}");
        }
        let nested = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(walked(&nested(NESTING_DEPTH)).is_some() && walked(&nested(NESTING_DEPTH + 1)).is_none());
        let nested = |levels: usize| format!("{{\"a\":{}0{}}}", "{\"q\":".repeat(levels - 1), "}".repeat(levels - 1));
        assert!(walked(&nested(NESTING_DEPTH)).is_some() && walked(&nested(NESTING_DEPTH + 1)).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_it_takes_is_what_the_parser_takes(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\":", "\"b\":{\"c\":", "\"d\":{\"e\":{\"f\":", "\"x\":", "\"é\":", "\"", "\\", "\\u0061", "\\n", "1", "-0", "0", "2.5",
                "1e5", "null", "true", "false", " ", "\n", "\"text\"", "{}", "[]", "\"a\":1,", "\"x\":[1,{\"y\":2}],", "0123456789abcdef", "\u{1}", "}}", "\"d\":[1,2]",
            ]), 0..14),
            closed in any::<bool>(),
        ) {
            let inner = pieces.concat();
            let text = if closed { format!("{{{inner}}}") } else { inner };
            if let Some(walked) = walked(&text) {
                prop_assert_eq!(Some(walked), parsed(&text), "{}", text);
            }
        }
    }
}
