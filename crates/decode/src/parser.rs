//! The JSON parser with its buffers, kept from record to record.

use simd_json::{Buffers, INPUT_PADDING, Node, Tape};
use watchfire_record::limits::NESTING_DEPTH;

/// Buffers that one record made larger than this are given back after it.
const KEPT_BYTES: usize = 1 << 20;

/// Parses records one after the other without allocating.
pub(crate) struct Parser {
    scratch: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Parser {
    pub(crate) fn new() -> Self {
        let buffers = Buffers::with_max_depth(16 << 10, NESTING_DEPTH);
        Self { scratch: Vec::new(), buffers, tape: Tape(Vec::new()) }
    }

    /// Parses one JSON value strictly and hands its tape to `read`. `text` is left as it is: the parser unescapes in
    /// place, so it works on a copy. The error is for nobody to see: `fault::diagnose` says it better.
    pub(crate) fn parse<R>(&mut self, text: &[u8], read: impl FnOnce(&[Node<'_>]) -> R) -> Result<R, simd_json::Error> {
        let needed = text.len() + INPUT_PADDING;
        if self.scratch.len() < needed {
            self.scratch.resize(needed, 0);
        }
        self.scratch[..text.len()].copy_from_slice(text);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape_padded(&mut self.scratch, text.len(), &mut self.buffers, &mut tape);
        let outcome = parsed.map(|()| read(&tape.0));
        self.tape = tape.reset();
        if needed > KEPT_BYTES {
            *self = Self::new();
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(text: &str) -> bool {
        Parser::new().parse(text.as_bytes(), |_| ()).is_ok()
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
        assert!(Parser::new().parse(b"[\"\xFF\"]", |_| ()).is_err());
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
