//! Bytes to Arrow batches with SIMD JSON: exactly the columns that live detectors ask for; rejects kept beside.
//!
//! Knows formats, envelopes and hostile JSON. Knows nothing of where payloads come from, of watermarks, or of what
//! detectors do with columns; never looks at a value that it was not asked for, except to find its end.
//!
//! Read [`Decoder`] first. A payload is taken apart in `payload` and `envelope`; a record is read in `layout`: gone
//! through once (`walk`, `special`) along the tree of wanted paths (`tree`), or, where that gives up, parsed as a whole
//! (`parser`); columns are made of what was found (`evaluate`, `append`) and collected (`builder`). `slow` does the same in
//! the obvious way, for tests to compare.

mod append;
mod builder;
mod decoder;
mod envelope;
mod evaluate;
mod fault;
mod formats;
mod json_text;
mod layout;
mod line;
mod parser;
mod payload;
mod plan;
mod repair;
mod scan;
mod special;
mod times;
mod tree;
mod unfold;
mod walk;

#[cfg(test)]
mod slow;
#[cfg(test)]
mod tests;

pub use decoder::Decoder;
