//! Where a string's plain text ends: the first quote, backslash or control character, looked for in many bytes at once.

use wide::u8x16;

/// The first place from `at` on of a quote, a backslash or a control character.
#[inline]
pub(crate) fn next_special(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if let Some(place) = first_special(chunk) {
            return Some(at + place);
        }
        at += chunk.len();
    }
    in_words(bytes, at)
}

/// As [`next_special`], eight bytes at once.
#[inline]
fn in_words(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let marks = marks_of_word(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += chunk.len();
    }
    bytes.get(at..)?.iter().position(|byte| is_special(*byte)).map(|n| at + n)
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < b' '
}

/// The first special one among as many bytes as the least processors compare at once.
#[inline]
fn first_special(chunk: &[u8; 16]) -> Option<usize> {
    let bytes = u8x16::new(*chunk);
    let is_control = bytes.min(u8x16::splat(b' ' - 1)).simd_eq(bytes);
    let marks = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | is_control;
    let marks = marks.to_bitmask();
    (marks != 0).then(|| marks.trailing_zeros() as usize)
}

/// Sets the high bit of the lowest byte of a word that is special, and of none below it. A byte less than another one
/// borrows from the next when that is taken from it; what is borrowed wrongly lies above the first that is found.
#[inline]
fn marks_of_word(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let (quote, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    let less = |word: u64, than: u8| word.wrapping_sub(ONES * u64::from(than)) & !word;
    (less(quote, 1) | less(backslash, 1) | less(word, b' ')) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_ways_find_the_first(
            bytes in proptest::collection::vec(prop_oneof![8 => b'!'..=255, 1 => Just(b'"'), 1 => Just(b'\\'), 1 => 0u8..=b' '], 0..80),
            plain in 0usize..64,
            at in 0usize..90,
        ) {
            let bytes = [vec![b'x'; plain], bytes].concat();
            let first = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| is_special(*byte))).map(|n| at + n);
            prop_assert_eq!(next_special(&bytes, at), first);
            prop_assert_eq!(in_words(&bytes, at), first);
        }
    }

    #[test]
    fn each_byte_at_each_place_is_told_rightly() {
        for byte in 0..=u8::MAX {
            for at in 0..40 {
                let mut bytes = [b'~'; 40];
                bytes[at] = byte;
                let expected = is_special(byte).then_some(at);
                assert_eq!((next_special(&bytes, 0), in_words(&bytes, 0)), (expected, expected), "{byte} at {at}");
            }
        }
    }
}
