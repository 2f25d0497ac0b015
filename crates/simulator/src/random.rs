//! The one door to chance: everything random in a simulation comes from here, and here from the seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const HEX: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A stream of chance. The same seed and purpose give the same stream on every machine and version.
#[derive(Debug, Clone)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// A stream for one purpose, independent of those for others.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose);
        Self(generator)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        scale(self.next(), bound)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// A small index more often than a large one.
    pub(crate) fn skewed(&mut self, bound: usize) -> usize {
        let unit = self.unit();
        ((unit * unit * bound as f64) as usize).min(bound - 1)
    }

    /// A number that is mostly small, with the given mean; never more than four times that.
    pub(crate) fn mostly_small(&mut self, mean: f64) -> i64 {
        // The logarithm of an exponential distribution would differ in its last bits between machines.
        let unit = self.unit();
        (unit * unit * unit * 4.0 * mean) as i64
    }

    /// Lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, out: &mut String, digits: usize) {
        self.symbols(out, digits, 4, |n| HEX[n & 15]);
    }

    /// Capital letters and digits, as in key and request ids.
    pub(crate) fn upper(&mut self, out: &mut String, digits: usize) {
        self.symbols(out, digits, 5, |n| UPPER[n & 31]);
    }

    /// Base64 characters.
    pub(crate) fn base64(&mut self, out: &mut String, digits: usize) {
        self.symbols(out, digits, 6, |n| BASE64[n & 63]);
    }

    /// Decimal digits, the first not 0.
    pub(crate) fn digits(&mut self, out: &mut String, digits: usize) {
        for i in 0..digits {
            let digit = if i == 0 { self.between(1, 9) } else { self.between(0, 9) };
            out.push(char::from(b'0' + digit as u8));
        }
    }

    /// A random UUID (version 4).
    pub(crate) fn uuid(&mut self, out: &mut String) {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        let mut text = [b'-'; 36];
        let mut shift = 128;
        for (place, byte) in text.iter_mut().enumerate() {
            if matches!(place, 8 | 13 | 18 | 23) {
                continue;
            }
            shift -= 4;
            let nibble = (bits >> shift) as usize & 15;
            *byte = match place {
                14 => b'4',
                19 => HEX[8 | nibble & 3],
                _ => HEX[nibble],
            };
        }
        out.push_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"));
    }

    fn symbols(&mut self, out: &mut String, digits: usize, bits: u32, symbol: impl Fn(usize) -> u8) {
        let mut buffer = [0u8; 64];
        let mut left = digits;
        while left > 0 {
            let part = left.min(buffer.len());
            let (mut word, mut have) = (0u64, 0);
            for byte in &mut buffer[..part] {
                if have < bits {
                    (word, have) = (self.next(), 64);
                }
                *byte = symbol(word as usize);
                word >>= bits;
                have -= bits;
            }
            out.push_str(std::str::from_utf8(&buffer[..part]).expect("symbols are ASCII"));
            left -= part;
        }
    }
}

/// A 64-bit number as a number below `bound`.
pub(crate) fn scale(number: u64, bound: usize) -> usize {
    ((u128::from(number) * bound as u128) >> 64) as usize
}

/// Two numbers as one that looks random (the finalising step of `SplitMix64`).
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_the_length_and_alphabet_asked_for() {
        let mut random = Random::new(7, 0);
        for digits in [0, 1, 16, 17, 64, 65, 200] {
            let (mut hex, mut upper, mut base64, mut decimal) = Default::default();
            random.hex(&mut hex, digits);
            random.upper(&mut upper, digits);
            random.base64(&mut base64, digits);
            random.digits(&mut decimal, digits);
            assert!(hex.len() == digits && hex.bytes().all(|b| HEX.contains(&b)));
            assert!(upper.len() == digits && upper.bytes().all(|b| UPPER.contains(&b)));
            assert!(base64.len() == digits && base64.bytes().all(|b| BASE64.contains(&b)));
            assert!(decimal.len() == digits && decimal.bytes().all(|b| b.is_ascii_digit()));
        }
        let mut id = String::new();
        random.uuid(&mut id);
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
    }

    #[test]
    fn purposes_and_seeds_are_independent() {
        let first = |seed, purpose| Random::new(seed, purpose).next();
        assert_eq!(first(1, 1), first(1, 1));
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut random = Random::new(3, 0);
        for _ in 0..10_000 {
            assert!((5..=9).contains(&random.between(5, 9)));
            assert!(random.below(3) < 3 && random.skewed(10) < 10);
            assert!((0.0..1.0).contains(&random.unit()));
        }
    }
}
