//! How operators work, and what they may keep.

use watchfire_record::limits::KEYS;

/// How operators work, and what each may keep in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Whether findings are told before they are final.
    pub fires_early: bool,
    /// Keys. More: those of least count that never fired go first.
    pub keys: usize,
    /// Bytes, about. More: keys go until there are fewer.
    pub bytes: usize,
    /// Bytes of all operators together, about. More: those that keep most have keys go until there are fewer.
    pub all_bytes: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self { fires_early: false, keys: KEYS, bytes: usize::MAX, all_bytes: usize::MAX }
    }
}

/// How many of many things are looked at to tell how large all are.
const LOOKED_AT: usize = 256;

/// About how large all of `count` things are, from the sizes of some of them, of which each `step`-th is asked for.
pub fn extrapolated(count: usize, sizes: impl FnOnce(usize, usize) -> (usize, usize)) -> usize {
    let (looked_at, bytes) = sizes(count.div_ceil(LOOKED_AT).max(1), LOOKED_AT);
    if looked_at == 0 {
        0
    } else {
        (bytes as u128 * count as u128 / looked_at as u128).try_into().unwrap_or(usize::MAX)
    }
}

/// How many there are, and how large they are together.
pub fn sum_of(sizes: impl Iterator<Item = usize>) -> (usize, usize) {
    sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size))
}

/// Bytes from which on a list grows by half of itself only. Smaller ones double, which takes less copying and clearing.
const LARGE: usize = 16 << 20;

/// Adds to a list that may become long: one that doubles has up to half of its memory for nothing.
pub fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() && size_of_val(list.as_slice()) > LARGE {
        list.reserve_exact(list.len() / 2);
    }
    list.push(item);
}

/// Bytes of a hash table with so many items, with what it has for nothing: it doubles when it is seven eighths full.
#[must_use]
pub fn table_bytes<T>(count: usize) -> usize {
    count * (size_of::<T>() + 1) * 3 / 2
}
