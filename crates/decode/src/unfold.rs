//! Base64 and gzip inside of payloads, bounded.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_NO_PAD_INDIFFERENT};

use crate::fault::Fault;

const GZIP: &[u8] = &[0x1F, 0x8B];

/// Whether `bytes` start as gzip does.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIP)
}

/// The bytes behind base64 text, and behind gzip if that is what it holds; at most `limit`.
pub(crate) fn base64(text: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    if text.len() / 4 > limit / 3 + 1 {
        return Err(too_large());
    }
    let decoded = STANDARD_PAD_INDIFFERENT.decode(text).or_else(|_| URL_SAFE_NO_PAD_INDIFFERENT.decode(text));
    let bytes = decoded.map_err(|error| Fault::new("broken_encoding", format!("no base64: {error}")))?;
    if is_gzip(&bytes) { gzip(&bytes, limit) } else { Ok(bytes) }
}

/// The bytes behind gzip, all members; at most `limit`.
pub(crate) fn gzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let bound = limit as u64 + 1;
    flate2::read::MultiGzDecoder::new(bytes)
        .take(bound)
        .read_to_end(&mut out)
        .map_err(|error| Fault::new("broken_encoding", format!("no gzip: {error}")))?;
    if out.len() > limit { Err(too_large()) } else { Ok(out) }
}

/// That the limit was reached.
pub(crate) fn too_large() -> Fault {
    let limit = watchfire_record::limits::UNFOLDED_BYTES;
    Fault::new("unfolded_too_large", format!("what the payload's envelopes hold is more than {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn unfolds_within_its_limit() {
        let folded = STANDARD_PAD_INDIFFERENT.encode(zipped(b"hello"));
        assert_eq!(base64(folded.as_bytes(), 100).unwrap(), b"hello");
        assert_eq!(base64(b"aGVsbG8", 5).unwrap(), b"hello");
        assert_eq!(base64(folded.as_bytes(), 4).unwrap_err().reason, "unfolded_too_large");
        assert_eq!(gzip(&zipped(b"hello"), 5).unwrap(), b"hello");
        assert_eq!(gzip(&zipped(b"hello"), 4).unwrap_err().reason, "unfolded_too_large");
        assert_eq!(gzip(&zipped(&vec![0; 1 << 20]), 1 << 10).unwrap_err().reason, "unfolded_too_large");
    }

    #[test]
    fn says_what_is_broken() {
        let mut cut = zipped(b"hello");
        cut.truncate(12);
        assert_eq!(gzip(&cut, 100).unwrap_err().reason, "broken_encoding");
        assert_eq!(base64(b"no base64!", 100).unwrap_err().reason, "broken_encoding");
    }
}
