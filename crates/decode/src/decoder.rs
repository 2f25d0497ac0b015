//! The door of the crate.

use arrow::array::ArrayRef;
use watchfire_record::batch::Context;
use watchfire_record::{Batch, ColumnRequest, ColumnSource, Format, RawBatch, Row, Stream};

use crate::evaluate::Origin;
use crate::layout::{Layout, Outcome};
use crate::parser::Parser;
use crate::payload::Run;

/// Column sets of [`Decoder::decode_rows`] that are kept compiled; more: all are compiled anew as they come.
const KEPT_LAYOUTS: usize = 256;

/// Decodes the batches of one stream for one worker. Keeps buffers and interners from batch to batch.
///
/// Flags: a wrong type is flagged only where a requested column met it, a duplicate key only for members that are
/// wanted, or on the way to one (the event time always is). Repairs are flagged wherever they were.
pub struct Decoder {
    stream: Stream,
    stream_index: usize,
    several: bool,
    layout: Layout,
    late: Vec<Layout>,
    parser: Parser,
}

impl Decoder {
    /// A decoder that delivers `columns`. Not `_watermark` and `_flags`: they are known only after a batch is stamped;
    /// ask [`Decoder::decode_rows`] for them.
    #[must_use]
    pub fn new(stream: &Stream, stream_index: usize, columns: Vec<ColumnRequest>) -> Self {
        let stamped = |column: &ColumnRequest| matches!(&column.source, ColumnSource::Column(name) if name == "_watermark" || name == "_flags");
        debug_assert!(!columns.iter().any(stamped), "`_watermark` and `_flags` are known only after stamping");
        let layout = Layout::new(stream, columns);
        Self { stream: stream.clone(), stream_index, several: false, layout, late: Vec::new(), parser: Parser::new() }
    }

    /// Whether a payload may hold several values, as a line of a file may. A Kafka payload may not: there, what
    /// follows its value is garbage. Off unless said.
    #[must_use]
    pub fn allow_several(mut self, allow: bool) -> Self {
        self.several = allow;
        self
    }

    /// Decodes a batch. Each payload becomes rows, rejects and skips, one at least; nothing is dropped. Rows have no
    /// watermark yet (`i64::MIN`), and only the flags that their text gives.
    pub fn decode(&mut self, raw: RawBatch) -> Batch {
        let mut batch = Batch {
            sequence: raw.sequence,
            stream: self.stream_index,
            next_offsets: vec![0; raw.partitions.len()],
            partitions: raw.partitions,
            rows: Vec::with_capacity(raw.payloads.len()),
            text: raw.bytes,
            contexts: vec![Context::default()],
            ..Batch::default()
        };
        self.layout.begin(raw.payloads.len());
        for payload in &raw.payloads {
            let next = &mut batch.next_offsets[payload.partition as usize];
            *next = (*next).max(payload.offset.saturating_add(1));
            let (layout, parser) = (&mut self.layout, &mut self.parser);
            Run::new(&self.stream, layout, parser, &mut batch, *payload).payload(self.several);
        }
        batch.columns = self.layout.finish();
        batch
    }

    /// The same columns or others for chosen rows of a batch that a decoder of this stream made, as Arrow arrays in the
    /// order of `rows`. Most records match nothing, so wide columns are best read here, only for those that do.
    ///
    /// # Panics
    /// If a row is not in the batch.
    pub fn decode_rows(&mut self, batch: &Batch, rows: &[u32], columns: &[ColumnRequest]) -> Vec<ArrayRef> {
        let at = self.late_layout(columns);
        let layout = &mut self.late[at];
        layout.begin(rows.len());
        for row in rows {
            let origin = origin(batch, &batch.rows[*row as usize]);
            if !layout.plan.reads_value {
                layout.read_origin(&origin);
                continue;
            }
            let mut outcome = layout.read_json(&mut self.parser, &origin);
            if self.stream.format == Format::Lambda && !matches!(outcome, Outcome::Row { .. }) {
                outcome = layout.read_line(&origin);
            }
            if !matches!(outcome, Outcome::Row { .. }) {
                debug_assert!(false, "what was decoded once is decoded again");
                layout.read_origin(&origin);
            }
        }
        layout.finish_arrays()
    }

    fn late_layout(&mut self, columns: &[ColumnRequest]) -> usize {
        if let Some(at) = self.late.iter().position(|layout| layout.requests == columns) {
            return at;
        }
        if self.late.len() == KEPT_LAYOUTS {
            self.late.clear();
        }
        self.late.push(Layout::plain(&self.stream, columns.to_vec()));
        self.late.len() - 1
    }
}

fn origin<'a>(batch: &'a Batch, row: &Row) -> Origin<'a> {
    Origin {
        partition: &batch.partitions[row.partition as usize],
        offset: row.offset,
        index: row.index,
        context: &batch.contexts[row.context as usize],
        raw: batch.row_text(row),
        event_time: Some(row.event_time),
        watermark: row.watermark,
        flags: row.flags,
    }
}
