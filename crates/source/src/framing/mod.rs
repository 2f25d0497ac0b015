//! A file's bytes to payloads: JSON values separated by white space, mostly one a line.
//!
//! Each byte is looked at once on good input. On hostile input a byte is looked at once for each value that was left
//! open before it, and those are as many as nesting is followed deep, so the work stays linear in the input.

mod envelope;
mod lines;
mod scanner;
#[cfg(test)]
mod tests;

use memchr::memchr;
use watchfire_record::limits::{RECORD_BYTES, REJECT_BYTES};
use watchfire_record::raw::PayloadKind;

use envelope::{Opening, opening};
use scanner::{Scan, Scanner};

/// Bytes of a file, in order.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// All bytes from what [`Framer::frame`] last said to keep.
    pub bytes: &'a [u8],
    /// The place of the first of them in the file.
    pub base: i64,
    /// Nothing comes after them.
    pub end: bool,
}

impl<'a> Block<'a> {
    fn limit(&self) -> i64 {
        self.base + self.bytes.len() as i64
    }

    fn index(&self, position: i64) -> usize {
        usize::try_from(position - self.base).expect("the framer stays within its block")
    }

    fn from(&self, position: i64) -> &'a [u8] {
        &self.bytes[self.index(position)..]
    }
}

/// One payload in a [`Block`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its place in the file; for an element of an envelope, the envelope's.
    pub offset: i64,
    /// Its place in its envelope, or 0.
    pub index: u32,
    /// Where it starts in the block's bytes.
    pub start: usize,
    /// Where it ends in the block's bytes.
    pub end: usize,
    /// What is known of it.
    pub kind: PayloadKind,
}

/// How values lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No whole value was seen yet.
    Undecided,
    /// The first value ended at its line's end: lines are taken as values by their first and last byte.
    Lines,
    /// Every value is scanned.
    Values,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a value, or before the next token of an envelope.
    Between,
    /// In a line whose end is looked for.
    Line,
    /// In a value that is scanned.
    Value,
    /// At a value that is to be rejected, as soon as enough of it is there.
    Reject(PayloadKind),
    /// After a rejected value, until the next newline.
    Skip,
}

/// What may come next in an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    ElementOrEnd,
    Element,
    CommaOrEnd,
    /// The list is over; what remains is the rest of the object that it was in.
    Rest,
}

#[derive(Debug, Clone, Copy)]
struct Envelope {
    offset: i64,
    index: u32,
    in_object: bool,
    expect: Expect,
}

/// Cuts one file into payloads.
#[derive(Debug, Clone)]
pub struct Framer {
    mode: Mode,
    state: State,
    /// The next byte to look at.
    position: i64,
    /// Where the value, line or reject at hand starts.
    start: i64,
    /// Where the line at hand starts, and whether only blanks were seen of it.
    line_start: i64,
    line_blank: bool,
    /// A whole value was seen.
    seen_value: bool,
    envelope: Option<Envelope>,
    scanner: Scanner,
    /// The element at hand was rejected as too large; its end is still looked for.
    oversize: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self {
            mode: Mode::Undecided,
            state: State::Between,
            position: 0,
            start: 0,
            line_start: 0,
            line_blank: true,
            seen_value: false,
            envelope: None,
            scanner: Scanner::new(),
            oversize: false,
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Framer {
    /// Appends the payloads of `block` to `frames` until there are `most`. Gives the place in the file from which
    /// bytes must be there again next time. All of the file is framed when its end was given, fewer than `most` frames
    /// are there, and nothing is left to keep.
    ///
    /// # Panics
    /// If the block does not start where the last call said.
    pub fn frame(&mut self, block: &Block<'_>, most: usize, frames: &mut Vec<Frame>) -> i64 {
        while frames.len() < most {
            let goes_on = match (self.state, self.envelope) {
                (State::Between, None) => self.between_values(block, most, frames),
                (State::Between, Some(envelope)) => self.between_elements(block, envelope, frames),
                (State::Line, _) => self.line(block, frames),
                (State::Value, _) => self.value(block, frames),
                (State::Reject(kind), _) => self.reject(block, kind, frames),
                (State::Skip, _) => self.skip(block),
            };
            if !goes_on {
                break;
            }
        }
        match self.state {
            State::Value if self.oversize => self.position,
            State::Line | State::Value | State::Reject(_) => self.start,
            State::Between | State::Skip => self.position,
        }
    }

    /// Blanks, blank lines, and the start of the next value. Each step says whether there is more to do.
    fn between_values(&mut self, block: &Block<'_>, most: usize, frames: &mut Vec<Frame>) -> bool {
        if self.position == 0 {
            let head = block.from(0);
            if head.starts_with(BYTE_ORDER_MARK) {
                self.position = BYTE_ORDER_MARK.len() as i64;
                self.line_start = self.position;
            } else if head.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(head) && !block.end {
                return false;
            }
        }
        if self.mode == Mode::Lines && self.line_blank {
            self.lines(block, most, frames);
        }
        let rest = block.from(self.position);
        let blanks = rest.iter().take_while(|b| is_blank(**b)).count();
        self.position += blanks as i64;
        match rest.get(blanks) {
            Some(b'\n') => {
                self.end_line(frames, block);
                self.position += 1;
                self.line_start = self.position;
                self.line_blank = true;
            }
            Some(_) => self.open_value(),
            None => {
                if block.end && self.position > self.line_start {
                    self.end_line(frames, block);
                    self.line_start = self.position;
                }
                return false;
            }
        }
        true
    }

    fn end_line(&mut self, frames: &mut Vec<Frame>, block: &Block<'_>) {
        if self.line_blank {
            let at = block.index(self.position);
            frames.push(Frame { offset: self.line_start, index: 0, start: at, end: at, kind: PayloadKind::Empty });
        } else if self.mode == Mode::Undecided && self.seen_value {
            self.mode = Mode::Lines;
        }
    }

    fn open_value(&mut self) {
        if self.mode == Mode::Undecided && self.seen_value {
            self.mode = Mode::Values;
        }
        let whole_line = self.mode == Mode::Lines && self.line_blank;
        self.line_blank = false;
        self.start = self.position;
        if whole_line {
            self.state = State::Line;
        } else {
            self.scan_from_start();
        }
    }

    fn scan_from_start(&mut self) {
        self.position = self.start;
        self.scanner = Scanner::new();
        self.state = State::Value;
    }

    /// Commas, elements and the end of an envelope's list.
    fn between_elements(&mut self, block: &Block<'_>, mut envelope: Envelope, frames: &mut Vec<Frame>) -> bool {
        let rest = block.from(self.position);
        let blanks = rest.iter().take_while(|b| is_blank(**b) || **b == b'\n').count();
        self.position += blanks as i64;
        self.start = self.position;
        match (rest.get(blanks), envelope.expect) {
            (None, _) if !block.end => return false,
            (Some(b']'), Expect::ElementOrEnd | Expect::CommaOrEnd) => {
                self.position += 1;
                self.end_list(envelope, block, frames);
                return true;
            }
            (Some(b','), Expect::CommaOrEnd) => {
                self.position += 1;
                envelope.expect = Expect::Element;
                self.envelope = Some(envelope);
            }
            (Some(_), Expect::ElementOrEnd | Expect::Element) => self.scan_from_start(),
            _ => self.state = State::Reject(PayloadKind::Broken),
        }
        true
    }

    fn end_list(&mut self, mut envelope: Envelope, block: &Block<'_>, frames: &mut Vec<Frame>) {
        if envelope.in_object {
            envelope.expect = Expect::Rest;
            self.envelope = Some(envelope);
            self.start = self.position;
            self.scanner = Scanner::after_member();
            self.state = State::Value;
        } else {
            self.end_envelope(envelope, block, frames);
        }
    }

    fn end_envelope(&mut self, envelope: Envelope, block: &Block<'_>, frames: &mut Vec<Frame>) {
        if envelope.index == 0 {
            let at = block.index(self.position);
            frames.push(Frame { offset: envelope.offset, index: 0, start: at, end: at, kind: PayloadKind::Empty });
        }
        self.envelope = None;
        self.seen_value = true;
        self.state = State::Between;
    }

    /// A value, an element, or the rest of an envelope.
    fn value(&mut self, block: &Block<'_>, frames: &mut Vec<Frame>) -> bool {
        if self.envelope.is_none() && self.position == self.start {
            match opening(block.from(self.start), block.end) {
                Opening::More => return false,
                Opening::Other => {}
                Opening::List { length, in_object } => {
                    let expect = Expect::ElementOrEnd;
                    self.envelope = Some(Envelope { offset: self.start, index: 0, in_object, expect });
                    self.position += length as i64;
                    self.state = State::Between;
                    return true;
                }
            }
        }
        let cap = if self.oversize { i64::MAX } else { self.start + RECORD_BYTES as i64 };
        let until = block.limit().min(cap);
        let bytes = &block.bytes[block.index(self.position)..block.index(until)];
        match self.scanner.run(bytes, block.end && block.limit() <= cap) {
            Scan::Done(length) => {
                self.position += length as i64;
                self.end_value(block, frames);
                true
            }
            Scan::More => {
                self.position = until;
                until == cap && self.too_large(block, frames)
            }
            Scan::Broken if self.oversize => {
                self.oversize = false;
                self.envelope = None;
                self.state = State::Skip;
                true
            }
            Scan::Broken => {
                self.state = State::Reject(PayloadKind::Broken);
                true
            }
        }
    }

    fn end_value(&mut self, block: &Block<'_>, frames: &mut Vec<Frame>) {
        let Some(mut envelope) = self.envelope else {
            self.push(self.start, 0, self.position, PayloadKind::Value, block, frames);
            self.seen_value = true;
            self.state = State::Between;
            return;
        };
        if envelope.expect == Expect::Rest {
            self.end_envelope(envelope, block, frames);
            return;
        }
        if !self.oversize {
            self.push(envelope.offset, envelope.index, self.position, PayloadKind::Value, block, frames);
            envelope.index = envelope.index.saturating_add(1);
        }
        self.oversize = false;
        envelope.expect = Expect::CommaOrEnd;
        self.envelope = Some(envelope);
        self.state = State::Between;
    }

    /// An element that is too large is rejected alone: its end is looked for without keeping it.
    fn too_large(&mut self, block: &Block<'_>, frames: &mut Vec<Frame>) -> bool {
        match self.envelope {
            Some(mut envelope) if envelope.expect != Expect::Rest => {
                let end = self.start + self.reject_length(block).0 as i64;
                self.push(envelope.offset, envelope.index, end, PayloadKind::TooLarge, block, frames);
                envelope.index = envelope.index.saturating_add(1);
                self.envelope = Some(envelope);
                self.oversize = true;
            }
            _ => self.state = State::Reject(PayloadKind::TooLarge),
        }
        true
    }

    fn push(&self, offset: i64, index: u32, end: i64, kind: PayloadKind, block: &Block<'_>, frames: &mut Vec<Frame>) {
        frames.push(Frame { offset, index, start: block.index(self.start), end: block.index(end), kind });
    }

    /// How many bytes of what starts at `start` a reject keeps, and whether a newline ends them.
    fn reject_length(&self, block: &Block<'_>) -> (usize, bool) {
        let rest = block.from(self.start);
        let window = &rest[..rest.len().min(REJECT_BYTES)];
        memchr(b'\n', window).map_or((window.len(), false), |at| (at, true))
    }

    /// Waits for the rejected value's first bytes, hands them over, and goes on at the first newline after its start.
    fn reject(&mut self, block: &Block<'_>, kind: PayloadKind, frames: &mut Vec<Frame>) -> bool {
        let (length, at_newline) = self.reject_length(block);
        if !at_newline && length < REJECT_BYTES && !block.end {
            return false;
        }
        let (offset, index) = self.envelope.map_or((self.start, 0), |e| (e.offset, e.index));
        self.position = self.start + length as i64;
        self.push(offset, index, self.position, kind, block, frames);
        self.envelope = None;
        self.state = if at_newline { State::Between } else { State::Skip };
        true
    }

    fn skip(&mut self, block: &Block<'_>) -> bool {
        let rest = block.from(self.position);
        match memchr(b'\n', rest) {
            Some(at) => {
                self.position += at as i64;
                self.state = State::Between;
                true
            }
            None => {
                self.position = block.limit();
                false
            }
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}
