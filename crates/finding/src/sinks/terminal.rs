//! Findings on standard output, or wherever one can write.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::{Clock, Finding, FindingId, State};

use super::file::line;
use super::{LineFormat, Sink, SinkError, TerminalFormat};
use crate::suppress::Alerts;
use crate::terminal::{Style, one_line, render, render_joined};

/// Findings shown that are remembered, so that their later states are one line. More: the oldest are forgotten.
const SHOWN: usize = 10_000;

/// Writes findings as they come. People get alerts: findings that join an earlier one are counted, and told of when
/// the alert ends or the sink is flushed; a finding shown before is one line when it changes, and none when it is
/// final as it stood. Machines get every finding, one a line.
pub struct TerminalSink<W> {
    name: String,
    writer: W,
    format: TerminalFormat,
    style: Style,
    clock: Arc<dyn Clock>,
    alerts: Alerts,
    shown: Shown,
    taken: u64,
}

impl<W: Write + Send> TerminalSink<W> {
    /// A sink that writes to `writer`; `style` is for people only.
    pub fn new(name: &str, writer: W, format: TerminalFormat, style: Style, clock: Arc<dyn Clock>) -> Self {
        let (alerts, shown) = (Alerts::default(), Shown::default());
        Self { name: name.into(), writer, format, style, clock, alerts, shown, taken: 0 }
    }

    fn text(&mut self, finding: &Finding) -> String {
        match self.format {
            TerminalFormat::Json => line(finding, LineFormat::Json, &*self.clock) + "\n",
            TerminalFormat::Ocsf => line(finding, LineFormat::Ocsf, &*self.clock) + "\n",
            TerminalFormat::Human => self.for_people(finding),
        }
    }

    fn for_people(&mut self, finding: &Finding) -> String {
        let joins = self.alerts.joins(finding);
        let mut text = String::new();
        for joined in self.alerts.take_ended() {
            text += &render_joined(&joined, &self.style);
        }
        let before = self.shown.row(finding.finding_id);
        let is_new = before.is_none();
        match finding.state {
            _ if joins => {}
            State::Withdrawn if is_new => {}
            State::Final if before == Some(row_hash(finding)) => {}
            State::New | State::Final if is_new => text += &render(finding, &self.style),
            _ => text += &one_line(finding, &self.style),
        }
        if !joins {
            self.shown.remember(finding);
        }
        text
    }

    fn write(&mut self, text: &str) -> Result<(), SinkError> {
        self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()).map_err(|error| {
            let help = "start again with a reader, or send findings to a file";
            SinkError::failed(&self.name, format!("the output is closed: {error}"), help)
        })
    }
}

impl<W: Write + Send> Sink for TerminalSink<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn send(&mut self, findings: &[Finding]) -> Result<(), SinkError> {
        let text: String = findings.iter().map(|finding| self.text(finding)).collect();
        self.write(&text)?;
        self.taken += findings.len() as u64;
        Ok(())
    }

    fn flush(&mut self, _within: Duration) -> Result<(), SinkError> {
        let joined = self.alerts.take_joined();
        let text: String = joined.iter().map(|joined| render_joined(joined, &self.style)).collect();
        self.write(&text)
    }

    fn acknowledged(&mut self) -> u64 {
        self.taken
    }
}

/// Findings shown, each with a hash of the row that was shown last.
#[derive(Default)]
struct Shown {
    rows: HashMap<FindingId, u64>,
    order: VecDeque<FindingId>,
}

impl Shown {
    fn row(&self, id: FindingId) -> Option<u64> {
        self.rows.get(&id).copied()
    }

    fn remember(&mut self, finding: &Finding) {
        if self.rows.insert(finding.finding_id, row_hash(finding)).is_none() {
            self.order.push_back(finding.finding_id);
        }
        if self.order.len() > SHOWN {
            let oldest = self.order.pop_front().expect("it holds more than none");
            self.rows.remove(&oldest);
        }
    }
}

fn row_hash(finding: &Finding) -> u64 {
    let hash = blake3::hash(format!("{:?}", finding.row).as_bytes());
    u64::from_le_bytes(std::array::from_fn(|i| hash.as_bytes()[i]))
}

#[cfg(test)]
mod tests;
