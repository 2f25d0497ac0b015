//! Where one JSON value ends: the grammar as a state machine, fed block by block, never recursive.
//!
//! Strict about structure, numbers and literals. Strings are only looked through for their end: a raw newline breaks
//! one, anything else in it is the decoder's business.

use watchfire_record::limits::NESTING_DEPTH;

/// Levels of nesting that are followed. Deeper: broken. Above the decoder's own limit, so that it is the one to refuse
/// a record that is a little too deep.
pub(super) const SCANNED_DEPTH: usize = NESTING_DEPTH + 16;

const STACK_WORDS: usize = SCANNED_DEPTH.div_ceil(64);

/// How far a scan came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// All bytes belong to the value, which goes on.
    More,
    /// The value ends before this byte of those given.
    Done(usize),
    /// No JSON value goes on like this.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value must come.
    Value,
    /// After `[`: a value or `]`.
    FirstElement,
    /// After `{`: a key or `}`.
    FirstKey,
    /// After `,` in an object: a key.
    Key,
    /// After a key.
    Colon,
    /// After a value inside an array or object.
    After,
    KeyText,
    KeyEscape,
    Text,
    TextEscape,
    Number(Number),
    /// Bytes of `true`, `false` or `null` that must still come.
    Literal(&'static [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// Scans one value.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    state: State,
    depth: usize,
    /// One bit a level: set for objects.
    objects: [u64; STACK_WORDS],
}

impl Scanner {
    /// At the start of a value.
    pub(super) fn new() -> Self {
        Self { state: State::Value, depth: 0, objects: [0; STACK_WORDS] }
    }

    /// In an object at top level, just after the value of one of its members.
    pub(super) fn after_member() -> Self {
        let mut scanner = Self::new();
        scanner.objects[0] = 1;
        scanner.depth = 1;
        scanner.state = State::After;
        scanner
    }

    /// Goes on with the next bytes; `end` says that none come after them.
    pub(super) fn run(&mut self, bytes: &[u8], end: bool) -> Scan {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let step = match self.state {
                State::KeyText | State::Text => self.text(rest),
                State::Number(number) => self.number(number, rest),
                _ => self.byte(rest[0]),
            };
            let Some(step) = step else { return Scan::Broken };
            at += step;
            if self.depth == 0 && self.state == State::After {
                return Scan::Done(at);
            }
        }
        match self.state {
            _ if !end => Scan::More,
            State::Number(number) if self.depth == 0 && number.may_end() => Scan::Done(at),
            _ => Scan::Broken,
        }
    }

    /// One byte outside of texts and numbers; how many were taken, `None` if it cannot be.
    #[inline]
    fn byte(&mut self, byte: u8) -> Option<usize> {
        match (self.state, byte) {
            (State::KeyEscape | State::TextEscape, b'\n') => return None,
            (State::KeyEscape, _) => self.state = State::KeyText,
            (State::TextEscape, _) => self.state = State::Text,
            (State::Literal(rest), _) => {
                let (first, rest) = rest.split_first()?;
                if *first != byte {
                    return None;
                }
                self.state = if rest.is_empty() { State::After } else { State::Literal(rest) };
            }
            (_, b' ' | b'\t' | b'\n' | b'\r') => {}
            (State::FirstKey | State::Key, b'"') => self.state = State::KeyText,
            (State::Colon, b':') => self.state = State::Value,
            (State::FirstKey, b'}') => self.pop(),
            (State::FirstElement, b']') => self.pop(),
            (State::Value | State::FirstElement, _) => self.value(byte)?,
            (State::After, b',') => self.state = if self.in_object() { State::Key } else { State::Value },
            (State::After, b'}') if self.in_object() => self.pop(),
            (State::After, b']') if !self.in_object() => self.pop(),
            _ => return None,
        }
        Some(1)
    }

    #[inline]
    fn value(&mut self, byte: u8) -> Option<()> {
        self.state = match byte {
            b'"' => State::Text,
            b'{' => {
                self.push(true)?;
                State::FirstKey
            }
            b'[' => {
                self.push(false)?;
                State::FirstElement
            }
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Integer),
            b't' => State::Literal(b"rue"),
            b'f' => State::Literal(b"alse"),
            b'n' => State::Literal(b"ull"),
            _ => return None,
        };
        Some(())
    }

    /// Text up to its closing quote, and what mostly follows it.
    #[inline]
    fn text(&mut self, bytes: &[u8]) -> Option<usize> {
        let Some(stop) = text_stop(bytes) else { return Some(bytes.len()) };
        let key = self.state == State::KeyText;
        match bytes[stop] {
            b'"' if key && bytes.get(stop + 1) == Some(&b':') => {
                self.state = State::Value;
                return Some(stop + 2);
            }
            b'"' => self.state = if key { State::Colon } else { State::After },
            b'\\' => self.state = if key { State::KeyEscape } else { State::TextEscape },
            _ => return None,
        }
        Some(stop + 1)
    }

    /// A number's bytes up to the first that is none of it.
    fn number(&mut self, mut number: Number, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match number.next(*byte) {
                Some(next) => number = next,
                None if !number.may_end() || byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') => {
                    return None;
                }
                None => {
                    self.state = State::After;
                    return Some(at);
                }
            }
        }
        self.state = State::Number(number);
        Some(bytes.len())
    }

    fn in_object(&self) -> bool {
        self.depth > 0 && self.objects[(self.depth - 1) / 64] >> ((self.depth - 1) % 64) & 1 == 1
    }

    fn push(&mut self, object: bool) -> Option<()> {
        if self.depth == SCANNED_DEPTH {
            return None;
        }
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        if object {
            self.objects[word] |= bit;
        } else {
            self.objects[word] &= !bit;
        }
        self.depth += 1;
        Some(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.state = State::After;
    }
}

impl Number {
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus | Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::ExponentSign,
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => Self::ExponentDigits,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte that is zero; exact up to and including the lowest one set.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}

/// The first quote, backslash or newline. Most texts are short: their first bytes are looked at without a call.
#[inline]
fn text_stop(bytes: &[u8]) -> Option<usize> {
    const NEAR: usize = 4;
    let (words, _) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().take(NEAR).enumerate() {
        let word = u64::from_le_bytes(*word);
        let stops =
            zero_bytes(word ^ repeated(b'"')) | zero_bytes(word ^ repeated(b'\\')) | zero_bytes(word ^ repeated(b'\n'));
        if stops != 0 {
            return Some(i * 8 + stops.trailing_zeros() as usize / 8);
        }
    }
    let near = words.len().min(NEAR) * 8;
    memchr::memchr3(b'"', b'\\', b'\n', &bytes[near..]).map(|at| near + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &[u8]) -> Scan {
        Scanner::new().run(text, true)
    }

    #[test]
    fn agrees_with_serde_json_on_structure() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let texts = [
            "{}",
            "[]",
            "17",
            "-0",
            "-0.5e+10",
            "\"x\"",
            "true",
            "false",
            "null",
            "{\"a\":[1,{\"b\":null}],\"c\":\"\\\"\"}",
            " { \"a\" : [ ] } ",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "{\"a\" 1}",
            "{a:1}",
            "01",
            "1.",
            "1e",
            "-",
            "+1",
            ".5",
            "tru",
            "truth",
            "nul",
            "{\"a\":1",
            "[",
            "\"",
            "\"\\",
            "{1:2}",
            "]",
            "}",
            "{]",
            "[}",
            ",",
            ":",
            "\"a\nb\"",
            &deep,
        ];
        for text in texts {
            let wanted = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            let found = matches!(scan(text.as_bytes()), Scan::Done(n) if text[n..].trim().is_empty());
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn the_end_is_found_wherever_the_cut_is() {
        let text = b"{\"key with a rather long name in it\":[1.5e3,\"va\\\"lue\\\\\",true,{}],\"b\":\"\"} {";
        for cut in 0..=text.len() {
            let mut scanner = Scanner::new();
            let end = match scanner.run(&text[..cut], false) {
                Scan::Done(n) => n,
                Scan::More => match scanner.run(&text[cut..], true) {
                    Scan::Done(n) => cut + n,
                    other => panic!("cut at {cut}: {other:?}"),
                },
                Scan::Broken => panic!("cut at {cut}"),
            };
            assert_eq!(end, text.len() - 2, "cut at {cut}");
        }
    }

    #[test]
    fn too_deep_is_broken_without_a_crash() {
        assert_eq!(scan("[".repeat(1_000_000).as_bytes()), Scan::Broken);
        let most = format!("{}{}", "[".repeat(SCANNED_DEPTH), "]".repeat(SCANNED_DEPTH));
        assert_eq!(scan(most.as_bytes()), Scan::Done(most.len()));
    }

    #[test]
    fn numbers_end_where_they_end() {
        assert_eq!(scan(b"17 x"), Scan::Done(2));
        assert_eq!(scan(b"17}"), Scan::Done(2));
        assert_eq!(scan(b"17x"), Scan::Broken);
        assert_eq!(Scanner::new().run(b"17", false), Scan::More);
        assert_eq!(scan(b"1.2.3"), Scan::Broken);
    }
}
