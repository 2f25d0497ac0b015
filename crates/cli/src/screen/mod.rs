//! What a person sees: output, notices, and below them one status line that is redrawn in place.
//!
//! The status line is on standard error, and only if that is a terminal; whatever else is written takes it away first
//! and puts it back, so that lines never mix.

pub mod numbers;
pub mod progress;
pub mod summary;
pub mod table;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;
use unicode_width::UnicodeWidthStr;
use watchfire_engine::finding::{Style, escape};

/// Columns of a line where no terminal says how many there are.
const COLUMNS: usize = 80;

/// The screen, shared by all who write to it.
#[derive(Debug, Clone)]
pub struct Screen(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    status: Mutex<String>,
    reader_gone: AtomicBool,
    live: bool,
    colour: bool,
    error_colour: bool,
}

impl Screen {
    /// The process's own output.
    pub fn new() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let (out, error) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self(Arc::new(Shared {
            status: Mutex::default(),
            reader_gone: AtomicBool::new(false),
            live: error && !dumb,
            colour: out && !plain && !dumb,
            error_colour: error && !plain && !dumb,
        }))
    }

    /// How findings are shown on standard output.
    pub fn style(&self) -> Style {
        Style { colour: self.0.colour, width: self.width() }
    }

    /// Whether standard output takes colours.
    pub fn colour(&self) -> bool {
        self.0.colour
    }

    /// Whether standard error takes colours.
    pub fn error_colour(&self) -> bool {
        self.0.error_colour
    }

    /// Whether a status line can be shown.
    pub fn is_live(&self) -> bool {
        self.0.live
    }

    /// Columns of a line.
    pub fn width(&self) -> usize {
        terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| usize::from(width.0).max(20))
    }

    /// Whether somebody closed standard output.
    pub fn reader_gone(&self) -> bool {
        self.0.reader_gone.load(Relaxed)
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// If it cannot be written; a reader that went away is remembered.
    pub fn print(&self, text: &str) -> io::Result<()> {
        self.write_out(text.as_bytes())
    }

    /// A line on standard error; nobody is told if that is closed.
    pub fn note(&self, text: &str) {
        self.write_error(format!("{text}\n").as_bytes());
    }

    /// A notice with what kind it is before it: `note: …`.
    pub fn notice(&self, kind: &str, text: &str) {
        let code = match kind {
            "error" => "1;31",
            "warning" => "1;33",
            _ => "1;36",
        };
        let head = paint(self.0.error_colour, code, &format!("{kind}:"));
        self.note(&format!("{head} {}", escape(text)));
    }

    /// Shows a status line, or another in its place.
    pub fn status(&self, text: &str) {
        if !self.0.live {
            return;
        }
        let mut status = self.lock();
        clip(text, self.width().saturating_sub(1)).clone_into(&mut status);
        let _ = write!(io::stderr(), "\r\x1b[K{}", *status);
    }

    /// Takes the status line away.
    pub fn clear_status(&self) {
        let mut status = self.lock();
        if !status.is_empty() {
            status.clear();
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// A writer to standard output.
    pub fn output(&self) -> Output {
        Output(self.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, String> {
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_out(&self, bytes: &[u8]) -> io::Result<()> {
        let status = self.lock();
        let mut out = io::stdout().lock();
        hide(&status);
        let written = out.write_all(bytes).and_then(|()| out.flush());
        show_again(&status);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.0.reader_gone.store(true, Relaxed);
        }
        written
    }

    fn write_error(&self, bytes: &[u8]) {
        let status = self.lock();
        hide(&status);
        let _ = io::stderr().write_all(bytes);
        show_again(&status);
    }
}

fn hide(status: &str) {
    if !status.is_empty() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

fn show_again(status: &str) {
    if !status.is_empty() {
        let _ = write!(io::stderr(), "{status}");
    }
}

/// Text in a colour, or as it is.
pub fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// As much of a plain text as fits; what is cut is said by `…`.
pub fn clip(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) + 1 > columns {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// Lines of whole words; a word that is longer than a line has one of its own.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Standard output as a writer.
#[derive(Debug, Clone)]
pub struct Output(Screen);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_out(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error as the log's writer.
#[derive(Debug, Clone)]
pub struct Log(pub Screen);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_error(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_wrapped_by_what_is_seen() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(
            (clip("short", 5).as_str(), clip("longer", 5).as_str(), clip("日本語", 5).as_str()),
            ("short", "long…", "日本…")
        );
        assert_eq!(paint(false, "1", "x"), "x");
    }
}
