//! One payload to rows, rejects and skips.

use std::ops::Range;

use watchfire_record::limits::{RECORD_BYTES, REJECT_BYTES};
use watchfire_record::raw::PayloadKind;
use watchfire_record::{Batch, Envelope, Format, Payload, Position, Reject, Row, Stream};

use crate::evaluate::Origin;
use crate::fault::{Fault, diagnose};
use crate::layout::{Layout, Outcome};
use crate::parser::Parser;
use crate::scan::{self, Step};
use crate::unfold;

/// Rejects of one payload that are kept. Further ones are counted as skipped: an array of sixteen million commas must
/// not become a gigabyte of rejects.
const KEPT_REJECTS: usize = 1000;
const FURTHER_REJECTS: &str = "further_rejects_of_one_payload";
/// Larger objects are first looked at for an envelope: parsing one whole, and then each record, would be parsing twice.
const LARGE: usize = 32 << 10;

/// What surrounds a value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// Index of what its envelope said.
    pub(crate) context: u32,
    /// Envelopes around it.
    pub(crate) depth: usize,
    /// Flags of what was repaired around it.
    pub(crate) flags: u16,
}

impl Place {
    pub(crate) fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

/// Takes one payload apart.
pub(crate) struct Run<'d> {
    pub(crate) stream: &'d Stream,
    layout: &'d mut Layout,
    parser: &'d mut Parser,
    pub(crate) batch: &'d mut Batch,
    payload: Payload,
    /// The next record's place in the payload.
    index: u32,
    rejects: usize,
    /// Bytes that envelopes of this payload unfolded to.
    pub(crate) unfolded: usize,
}

impl<'d> Run<'d> {
    pub(crate) fn new(
        stream: &'d Stream,
        layout: &'d mut Layout,
        parser: &'d mut Parser,
        batch: &'d mut Batch,
        payload: Payload,
    ) -> Self {
        Self { stream, layout, parser, batch, payload, index: payload.index, rejects: 0, unfolded: 0 }
    }

    pub(crate) fn payload(&mut self, several: bool) {
        let range = self.payload.start..self.payload.end;
        match self.payload.kind {
            PayloadKind::Empty => self.skip("empty"),
            PayloadKind::TooLarge => self.reject(range, too_large()),
            PayloadKind::Broken => {
                let fault = diagnose(&self.batch.text[range.clone()]);
                self.reject(range, fault);
            }
            PayloadKind::Value if range.len() > RECORD_BYTES => self.reject(range, too_large()),
            PayloadKind::Value if several => self.several(range),
            PayloadKind::Value => self.value(range, Place::default()),
        }
    }

    /// Values separated by white space. After a broken one it goes on at the first newline after its start, and from
    /// then on line by line, so that no text is looked at more than a few times.
    fn several(&mut self, range: Range<usize>) {
        let only = scan::trim(&self.batch.text, range.clone());
        if !only.is_empty() && self.whole(only, Place::default()).is_ok() {
            return;
        }
        let (mut at, mut is_first, mut by_line) = (range.start, true, false);
        loop {
            let rest = scan::trim(&self.batch.text, at..range.end);
            if rest.is_empty() {
                if is_first {
                    self.skip("blank");
                }
                return;
            }
            let line_end = memchr::memchr(b'\n', &self.batch.text[rest.clone()]).map_or(rest.end, |n| rest.start + n);
            let within = &self.batch.text[..if by_line { line_end } else { rest.end }];
            let opens = matches!(self.batch.text[rest.start], b'{' | b'[');
            let one = scan::skip_value(within, rest.start);
            let one = one.filter(|end| if is_first { *end < rest.end } else { opens || !by_line });
            let ends = [is_first.then_some(rest.end), one];
            at = match self.first_sound(rest.start, ends) {
                Ok(end) => end,
                Err(fault) => {
                    let mut fault = fault.unwrap_or_else(|| diagnose(&self.batch.text[rest.start..line_end]));
                    if !is_first && !opens {
                        fault.reason = "garbage_after_value";
                    }
                    self.reject(rest.start..line_end, fault);
                    by_line = true;
                    line_end
                }
            };
            is_first = false;
        }
    }

    /// The first of `ends` at which a value from `start` is sound.
    fn first_sound(&mut self, start: usize, ends: [Option<usize>; 2]) -> Result<usize, Option<Fault>> {
        let mut fault = None;
        for end in ends.into_iter().flatten() {
            match self.whole(start..end, Place::default()) {
                Ok(()) => return Ok(end),
                Err(error) => fault = Some(error),
            }
        }
        Err(fault)
    }

    /// One value, rejected if it is broken.
    pub(crate) fn value(&mut self, range: Range<usize>, place: Place) {
        if let Err(fault) = self.whole(range.clone(), place) {
            self.reject(range, fault);
        }
    }

    /// One value. The error says that it is broken; nothing was made of it then.
    fn whole(&mut self, range: Range<usize>, place: Place) -> Result<(), Fault> {
        if self.unwraps(place) && unfold::is_gzip(&self.batch.text[range.clone()]) {
            return self.zipped(range, place);
        }
        let trimmed = scan::trim(&self.batch.text, range.clone());
        if trimmed.is_empty() {
            self.skip("blank");
            return Ok(());
        }
        match self.batch.text[trimmed.start] {
            b'{' => self.object(trimmed, range, place),
            b'[' if !self.in_log_event(place) => self.array(trimmed, place),
            _ if self.takes_lines(place) => self.line(range, place),
            _ => self.scalar(trimmed, place),
        }
    }

    /// Whether envelopes are looked for here.
    pub(crate) fn unwraps(&self, place: Place) -> bool {
        self.stream.envelope == Envelope::Auto && !self.in_log_event(place)
    }

    /// What a function or an API logged is a record whatever it looks like: nobody unwraps what a user had it log.
    fn in_log_event(&self, place: Place) -> bool {
        let logs = matches!(self.stream.format, Format::Lambda | Format::Api);
        logs && self.batch.contexts[place.context as usize].timestamp.is_some()
    }

    fn takes_lines(&self, place: Place) -> bool {
        self.stream.format == Format::Lambda && place.depth > 0
    }

    fn object(&mut self, range: Range<usize>, untrimmed: Range<usize>, place: Place) -> Result<(), Fault> {
        if range.len() > LARGE && self.unwrap(range.clone(), place) {
            return Ok(());
        }
        if range.len() > RECORD_BYTES {
            self.reject(range, too_large());
            return Ok(());
        }
        match self.record(range.clone(), place) {
            Outcome::Row { .. } => {}
            Outcome::BadTime => self.reject(range, self.no_event_time("it cannot be read")),
            Outcome::NoTime | Outcome::NoObject => {
                if !self.unwrap(range.clone(), place) {
                    self.reject(range, self.no_event_time("there is none, and no known envelope"));
                }
            }
            Outcome::Invalid if self.takes_lines(place) => return self.line(untrimmed, place),
            Outcome::Invalid => {
                if !self.unwrap(range.clone(), place) {
                    return Err(diagnose(&self.batch.text[range]));
                }
            }
        }
        Ok(())
    }

    fn array(&mut self, range: Range<usize>, place: Place) -> Result<(), Fault> {
        if scan::skip_value(&self.batch.text[..range.end], range.start) != Some(range.end) {
            if self.takes_lines(place) {
                return self.line(range, place);
            }
            return Err(diagnose(&self.batch.text[range]));
        }
        if self.stream.envelope == Envelope::None && place.depth > 0 {
            self.reject(range, Fault::new("not_an_object", "a record is a JSON object; this is an array"));
        } else if !self.is_too_deep(&range, place) {
            self.elements(range, place.deeper());
        }
        Ok(())
    }

    /// Each element of an array as a value of its own.
    pub(crate) fn elements(&mut self, array: Range<usize>, place: Place) {
        let mut step = scan::first_element(&self.batch.text[..array.end], array.start);
        if matches!(step, Step::End(_)) {
            self.skip("empty_records");
        }
        while let Some(element) = self.element_of(step, array.end) {
            self.value(element.clone(), place);
            step = scan::next_element(&self.batch.text[..array.end], element.end);
        }
    }

    /// The element that a step found. What follows a break in the array is rejected as one.
    pub(crate) fn element_of(&mut self, step: Step, end: usize) -> Option<Range<usize>> {
        match step {
            Step::Element(element) => Some(element),
            Step::End(_) => None,
            Step::Broken(at) => {
                self.reject(at..end, Fault::new("invalid_json", "an array's elements are separated by commas"));
                None
            }
        }
    }

    fn record(&mut self, range: Range<usize>, place: Place) -> Outcome {
        let origin = origin(self.batch, &self.payload, self.index, &range, place);
        let outcome = self.layout.read_json(self.parser, &origin);
        self.push_row(outcome, range, place);
        outcome
    }

    fn line(&mut self, range: Range<usize>, place: Place) -> Result<(), Fault> {
        let origin = origin(self.batch, &self.payload, self.index, &range, place);
        let outcome = self.layout.read_line(&origin);
        self.push_row(outcome, range.clone(), place);
        if !matches!(outcome, Outcome::Row { .. }) {
            self.reject(range, self.no_event_time("neither the line nor its envelope has one"));
        }
        Ok(())
    }

    fn push_row(&mut self, outcome: Outcome, range: Range<usize>, place: Place) {
        let Outcome::Row { event_time, flags } = outcome else { return };
        self.batch.rows.push(Row {
            event_time,
            timestamp: self.payload.timestamp,
            watermark: i64::MIN,
            offset: self.payload.offset,
            index: self.index,
            partition: self.payload.partition,
            flags,
            text_start: range.start,
            text_end: range.end,
            context: place.context,
        });
        self.index = self.index.saturating_add(1);
    }

    fn no_event_time(&self, what: &str) -> Fault {
        let detail = match self.layout.plan.time_keys.as_slice() {
            [] => format!("no event time: {what}"),
            keys => format!("no event time in `{}`: {what}", keys.join("` or `")),
        };
        Fault { reason: "no_event_time", detail }
    }

    pub(crate) fn skip(&mut self, reason: &'static str) {
        self.batch.skip(reason);
        self.index = self.index.saturating_add(1);
    }

    pub(crate) fn reject(&mut self, range: Range<usize>, fault: Fault) {
        if self.rejects == KEPT_REJECTS {
            return self.skip(FURTHER_REJECTS);
        }
        let bytes = &self.batch.text[range];
        let partition = self.batch.partitions[self.payload.partition as usize].clone();
        self.batch.rejects.push(Reject {
            position: Position { partition, offset: self.payload.offset, index: self.index },
            timestamp: self.payload.timestamp,
            reason: fault.reason,
            detail: fault.detail,
            bytes: bytes[..bytes.len().min(REJECT_BYTES)].to_vec(),
            length: bytes.len(),
        });
        self.rejects += 1;
        self.index = self.index.saturating_add(1);
    }

    pub(crate) fn has_time_key(&self, range: &Range<usize>) -> bool {
        let text = &self.batch.text;
        let has = |key: &String| matches!(scan::members(text, range.clone(), [key.as_str()]), Some([Some(_)]));
        self.layout.plan.time_keys.iter().any(has)
    }
}

fn too_large() -> Fault {
    Fault::new("too_large", format!("it is larger than {RECORD_BYTES} bytes"))
}

fn origin<'a>(batch: &'a Batch, payload: &Payload, index: u32, range: &Range<usize>, place: Place) -> Origin<'a> {
    Origin {
        partition: &batch.partitions[payload.partition as usize],
        offset: payload.offset,
        index,
        context: &batch.contexts[place.context as usize],
        raw: &batch.text[range.clone()],
        event_time: None,
        watermark: i64::MIN,
        flags: place.flags,
    }
}
