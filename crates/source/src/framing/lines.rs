//! The fast path: a line is one value.

use memchr::memchr;
use watchfire_record::limits::RECORD_BYTES;
use watchfire_record::raw::PayloadKind;

use super::{Block, Frame, Framer, State, is_blank};

impl Framer {
    /// Whole lines that look like one object or array each, from the start of a line on.
    pub(super) fn lines(&mut self, block: &Block<'_>, most: usize, frames: &mut Vec<Frame>) {
        let start = block.index(self.position);
        let mut at = start;
        while frames.len() < most {
            let rest = &block.bytes[at..];
            if !matches!(rest.first(), Some(b'{' | b'[')) {
                break;
            }
            let Some(newline) = memchr(b'\n', rest) else { break };
            let Some(length) = value_length(&rest[..newline]) else { break };
            let offset = block.base + at as i64;
            frames.push(Frame { offset, index: 0, start: at, end: at + length, kind: PayloadKind::Value });
            at += newline + 1;
        }
        if at > start {
            self.position = block.base + at as i64;
            self.line_start = self.position;
        }
    }

    /// One line that starts with something else than a brace, or whose end is not there yet.
    pub(super) fn line(&mut self, block: &Block<'_>, frames: &mut Vec<Frame>) -> bool {
        let end = match memchr(b'\n', block.from(self.position)) {
            Some(newline) => self.position + newline as i64,
            None if block.end => block.limit(),
            None => {
                self.position = block.limit();
                // A line longer than a record may be an envelope of many.
                if self.position - self.start > RECORD_BYTES as i64 {
                    self.scan_from_start();
                    return true;
                }
                return false;
            }
        };
        let line = &block.bytes[block.index(self.start)..block.index(end)];
        match value_length(line) {
            Some(length) => {
                self.push(self.start, 0, self.start + length as i64, PayloadKind::Value, block, frames);
                self.position = end;
                self.state = State::Between;
            }
            None => self.scan_from_start(),
        }
        true
    }
}

/// The line's length without blanks at its end, if it looks like one object or array.
fn value_length(line: &[u8]) -> Option<usize> {
    let length = line.len() - line.iter().rev().take_while(|b| is_blank(**b)).count();
    let line = &line[..length];
    let opens = matches!(line.first(), Some(b'{' | b'['));
    let closes = matches!(line.last(), Some(b'}' | b']'));
    (opens && closes && length > 1 && length <= RECORD_BYTES).then_some(length)
}
