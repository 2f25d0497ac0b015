//! Minutes that are over become records of the stream `activity`, as JSON: what is judged is what one could have logged.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use watchfire_record::activity::MINUTE;
use watchfire_record::batch::flags;
use watchfire_record::limits::{BATCH_BYTES, BATCH_PAYLOADS};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Batch, Partition, RawBatch, time};

use super::sources::Source;
use super::watch::{Seen, Span};

/// Minutes of one stream that are over, and what its sources did in them.
#[derive(Debug)]
pub struct Closed {
    /// The stream's name.
    pub stream: Arc<str>,
    /// What the rows are of.
    pub partition: Arc<Partition>,
    /// By number, less 1.
    pub sources: Arc<Vec<Source>>,
    /// Numbers of partitions, each with what was seen of it.
    pub spans: HashMap<u32, Span>,
    /// What was watched of the stream.
    pub seen: Seen,
    /// Minutes of which counts are missing.
    pub crowded: Option<Span>,
    /// The minutes, from the first to before the second.
    pub runs: Vec<(i64, i64)>,
    /// Records by minute and number.
    pub counts: BTreeMap<(i64, u32), u64>,
    /// Minutes that have no rows, because too many had no record before them.
    pub left_out: u64,
    /// The time of `activity` before these rows, microseconds.
    pub before: i64,
    /// When they are made, microseconds.
    pub now: i64,
}

/// A row as it is written.
#[derive(serde::Serialize)]
struct Line<'a> {
    event_time: &'a str,
    stream: &'a str,
    kind: &'a str,
    source: &'a str,
    records: u64,
    observed: bool,
}

impl Closed {
    /// The first and the last minute that has rows which count, if any.
    #[must_use]
    pub fn accepted(&self) -> Option<(i64, i64)> {
        let own = self.runs.iter().map(|(from, to)| ((*from).max(self.before), *to - MINUTE));
        let own: Vec<(i64, i64)> = own.filter(|(first, last)| first <= last).collect();
        Some((own.first()?.0, own.last()?.1))
    }

    /// The rows, in order of time and source, in batches.
    pub fn batches(&self) -> impl Iterator<Item = RawBatch> + '_ {
        let minutes = self.runs.iter().flat_map(|(from, to)| (*from..*to).step_by(MINUTE as usize));
        let mut places = minutes.flat_map(|minute| (1u32..).zip(&*self.sources).map(move |(n, s)| (minute, n, s)));
        let mut line = Vec::new();
        std::iter::from_fn(move || {
            let mut batch = RawBatch::default();
            while batch.payloads.len() < BATCH_PAYLOADS && batch.bytes.len() < BATCH_BYTES {
                let Some((minute, number, source)) = places.next() else { break };
                line.clear();
                self.write(minute, number, source, &mut line);
                batch.push(&self.partition, minute / MINUTE, self.now, PayloadKind::Value, &line);
                batch.payloads.iter_mut().last().into_iter().for_each(|payload| payload.index = number - 1);
            }
            (!batch.payloads.is_empty()).then_some(batch)
        })
    }

    fn write(&self, minute: i64, number: u32, source: &Source, line: &mut Vec<u8>) {
        let span = self.spans.get(&number).copied().unwrap_or(self.seen.stream);
        let is_crowded = self.crowded.is_some_and(|crowded| (crowded.from..crowded.to).contains(&minute));
        let row = Line {
            event_time: &time::format(minute),
            stream: &self.stream,
            kind: &source.kind,
            source: &source.name,
            records: self.counts.get(&(minute, number)).copied().unwrap_or(0),
            observed: !is_crowded && self.seen.observed(minute, span),
        };
        serde_json::to_writer(line, &row).expect("texts, a number and a boolean can be written");
    }

    /// Stamps the decoded rows. All minutes before a row's own were told, so that its partition's watermark is its time.
    pub fn stamp(&self, batch: &mut Batch) {
        for row in &mut batch.rows {
            row.watermark = self.before.max(row.event_time);
            if row.event_time < self.before {
                row.flags |= flags::LATE;
            }
        }
    }
}
