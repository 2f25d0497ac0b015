//! The JSON parser with its buffers, kept from record to record.

use simd_json::{Buffers, INPUT_PADDING, Node, Tape};
use watchfire_record::limits::NESTING_DEPTH;

use crate::tree::{MISSING, Tree};
use crate::walk;

/// Buffers that one record made larger than this are given back after it.
const KEPT_BYTES: usize = 1 << 20;

/// Parses records one after the other without allocating.
pub(crate) struct Parser {
    scratch: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

/// A record that was parsed: what of it is wanted at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parsed<'a> {
    /// Its values; those that were asked for are whole.
    pub(crate) tape: &'a [Node<'a>],
    /// Where on the tape each wanted path is, or [`MISSING`].
    pub(crate) found: &'a [u32],
    /// Whether a wanted member, or one on the way to it, occurs twice.
    pub(crate) twice: bool,
}

impl Parser {
    pub(crate) fn new() -> Self {
        let buffers = Buffers::with_max_depth(16 << 10, NESTING_DEPTH);
        Self { scratch: Vec::new(), buffers, tape: Tape(Vec::new()) }
    }

    /// Parses one JSON value strictly and hands what `tree` wants of it to `read`. `None` if it is no sound JSON;
    /// `fault::diagnose` says why.
    pub(crate) fn parse<R>(
        &mut self,
        text: &[u8],
        tree: &Tree,
        found: &mut Vec<u32>,
        read: impl FnOnce(Parsed<'_>) -> R,
    ) -> Option<R> {
        let needed = text.len() + INPUT_PADDING;
        if self.scratch.len() < needed {
            self.scratch.resize(needed, 0);
        }
        let outcome = self.walk_or_parse(text, tree, found, read);
        if needed > KEPT_BYTES {
            *self = Self::new();
        }
        outcome
    }

    /// The usual way: one pass that looks closely only at what is wanted; the sure way where that gives up.
    fn walk_or_parse<R>(
        &mut self,
        text: &[u8],
        tree: &Tree,
        found: &mut Vec<u32>,
        read: impl FnOnce(Parsed<'_>) -> R,
    ) -> Option<R> {
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        forget_all(tree, found);
        let utf8 = simdutf8::basic::from_utf8(text).ok();
        let walked = utf8.and_then(|text| walk::read(text, tree, found, &mut tape.0, &mut self.scratch));
        let Some(twice) = walked else {
            self.tape = tape.reset();
            return self.parse_whole(text, tree, found, read);
        };
        let outcome = read(Parsed { tape: &tape.0, found, twice });
        self.tape = tape.reset();
        Some(outcome)
    }

    /// The sure way: a tape of everything. The parser unescapes in place, so it works on a copy.
    #[cold]
    fn parse_whole<R>(
        &mut self,
        text: &[u8],
        tree: &Tree,
        found: &mut Vec<u32>,
        read: impl FnOnce(Parsed<'_>) -> R,
    ) -> Option<R> {
        self.scratch[..text.len()].copy_from_slice(text);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        forget_all(tree, found);
        let parsed = simd_json::fill_tape_padded(&mut self.scratch, text.len(), &mut self.buffers, &mut tape);
        let outcome = parsed.ok().map(|()| {
            let twice = tree.find(&tape.0, found);
            read(Parsed { tape: &tape.0, found, twice })
        });
        self.tape = tape.reset();
        outcome
    }
}

fn forget_all(tree: &Tree, found: &mut Vec<u32>) {
    found.clear();
    found.resize(tree.len(), MISSING);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts_bytes(text: &[u8]) -> bool {
        Parser::new().parse(text, &Tree::new(), &mut Vec::new(), |_| ()).is_some()
    }

    fn accepts(text: &str) -> bool {
        accepts_bytes(text.as_bytes())
    }

    /// The repair pass runs only when the parser refuses: so it must refuse all of these, never guess.
    #[test]
    fn what_needs_repair_is_refused() {
        for text in [r#"["\ud800"]"#, r#"["\udc00"]"#, r#"["\ud800\ud800"]"#, r#"["\ud800x"]"#, r#"{"\ud800":1}"#] {
            assert!(!accepts(text), "{text}");
            let longer = text.replace('[', &format!("[\"{}\",", "x".repeat(100)));
            assert!(!accepts(&longer), "{longer}");
        }
        assert!(!accepts("[1e400]"));
        assert!(!accepts(&format!("[{}]", "9".repeat(400))));
        assert!(!accepts_bytes(b"[\"\xFF\"]"));
        assert!(accepts(r#"["\ud83d\ude00 \\ud800"]"#));
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(accepts(&nested(NESTING_DEPTH)));
        assert!(!accepts(&nested(NESTING_DEPTH + 1)));
        assert!(!accepts(&nested(1_000_000)));
    }
}
