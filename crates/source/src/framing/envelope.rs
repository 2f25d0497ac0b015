//! Envelopes that framing takes apart while reading, so that a file of one huge value streams.

/// What the start of a value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A list of records begins: it takes this many bytes up to and including its `[`.
    List {
        /// Bytes up to and including `[`.
        length: usize,
        /// It is the member `Records` of an object, not a bare array.
        in_object: bool,
    },
    /// No such thing.
    Other,
    /// More bytes are needed to tell.
    More,
}

/// Blanks between tokens of an opening that are put up with.
const MOST_BLANKS: usize = 4096;

/// Looks at the start of a value for `[` or `{"Records":[`.
pub(super) fn opening(bytes: &[u8], end: bool) -> Opening {
    let mut at = 0;
    match bytes.first() {
        Some(b'[') => return Opening::List { length: 1, in_object: false },
        Some(b'{') => at += 1,
        Some(_) => return Opening::Other,
        None => return more(end),
    }
    for token in [b"\"Records\"".as_slice(), b":", b"["] {
        let blanks = bytes[at..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        if blanks > MOST_BLANKS {
            return Opening::Other;
        }
        at += blanks;
        let there = &bytes[at..bytes.len().min(at + token.len())];
        if !token.starts_with(there) {
            return Opening::Other;
        }
        if there.len() < token.len() {
            return more(end);
        }
        at += token.len();
    }
    Opening::List { length: at, in_object: true }
}

fn more(end: bool) -> Opening {
    if end { Opening::Other } else { Opening::More }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_told_apart() {
        assert_eq!(opening(b"[1", false), Opening::List { length: 1, in_object: false });
        assert_eq!(opening(b"{\"Records\":[{", false), Opening::List { length: 12, in_object: true });
        assert_eq!(opening(b"{ \n\"Records\" : [", false), Opening::List { length: 16, in_object: true });
        for other in
            ["{}", "{\"records\":[", "{\"Records\":{", "{\"Record\":[", "{\"a\":1,\"Records\":[", "17", "\"Records\""]
        {
            assert_eq!(opening(other.as_bytes(), false), Opening::Other, "{other}");
        }
        for cut in 0..12 {
            assert_eq!(opening(&b"{\"Records\":["[..cut], false), Opening::More, "{cut}");
            assert_eq!(opening(&b"{\"Records\":["[..cut], true), Opening::Other, "{cut}");
        }
        assert_eq!(opening(&[b"{".as_slice(), &[b' '; 5000]].concat(), false), Opening::Other);
    }
}
