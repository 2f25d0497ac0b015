//! What is wrong with a detector's file, where, why, and what to write instead.

use std::ops::Range;
use std::sync::Arc;

use super::codes;
use super::render;

/// How bad a diagnostic is for the detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The detector cannot run.
    Error,
    /// The detector runs, and may not do what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong with a file. Its texts may quote the file: they are escaped when shown, not before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// One of [`codes::ALL`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and why, in a line.
    pub message: String,
    /// The file as the user named it.
    pub file: String,
    /// The whole file; empty if there is nothing to show of it.
    pub text: Arc<str>,
    /// The bytes of `text` in question.
    pub span: Range<usize>,
    /// A few words beside the caret; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    #[must_use]
    pub fn error(
        code: &'static str,
        file: &str,
        text: &Arc<str>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        debug_assert!(codes::ALL.iter().any(|(known, _)| *known == code), "{code} is not in the table of codes");
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            file: file.to_owned(),
            text: Arc::clone(text),
            span,
            label: String::new(),
            help: None,
        }
    }

    /// An error about a file of which nothing is shown.
    #[must_use]
    pub fn of_path(code: &'static str, file: &str, message: impl Into<String>) -> Self {
        Self::error(code, file, &Arc::from(""), 0..0, message)
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same with a few words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the detector cannot run.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Line and column of the span's start, both from 1; columns count characters.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        position(&self.text, self.span.start)
    }

    /// As people read it, several lines, without a line break at the end.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        render::render(self, colour)
    }

    /// As programs read it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let ((line, column), (end_line, end_column)) = (self.position(), position(&self.text, self.span.end));
        serde_json::json!({
            "code": self.code,
            "severity": self.severity.name(),
            "message": self.message,
            "file": self.file,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "label": self.label,
            "help": self.help,
        })
    }
}

/// Line and column of a byte of a text, both from 1; columns count characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
