//! Standard output and standard error of the headless commands.

use crate::config::{ColorChoice, Folder, folder};
use crate::error::{Error, Result};
use crate::printable::printable;
use crate::terminal::ColourDepth;
use serde::Serialize;
use std::io::{ErrorKind, IsTerminal, Write};

/// Results, to standard output. Whoever reads them may leave early (`| head`): then the rest is
/// dropped without a word.
#[derive(Debug)]
pub struct Output {
    /// The colours that text may have; no attributes either where this is none.
    depth: Option<ColourDepth>,
    closed: bool,
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A heading or a name.
    Strong,
    /// An aside.
    Faint,
    /// The attack reached its goal (orange).
    Fooled,
    /// The prediction holds (blue).
    Holds,
    /// Something to look at again (yellow).
    Warns,
}

impl Output {
    /// Coloured as the configuration says.
    pub fn new(color: ColorChoice) -> Self {
        let can = || {
            let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
            std::io::stdout().is_terminal() && !dumb
        };
        let depth = match color {
            ColorChoice::Always => Some(ColourDepth::Indexed),
            ColorChoice::Never => None,
            ColorChoice::Auto => can().then(ColourDepth::here),
        };
        Self { depth, closed: false }
    }

    /// Writes text as it stands.
    ///
    /// # Errors
    /// Failure, when standard output cannot be written to (not when its reader has left).
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes as they stand.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(e) => Err(Error::io("write the result", "standard output".as_ref(), &e)),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn line(&mut self, line: &str) -> Result<()> {
        self.text(&format!("{line}\n"))
    }

    /// Writes one JSON object.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|e| {
            Error::failure(format!("cannot write JSON: {e}"), "standard output", "report this")
        })?;
        self.line(&text)
    }

    /// `text` in this style, or plain where colours are off.
    pub fn paint(&self, style: Style, text: &str) -> String {
        let code = match (self.depth, style) {
            (None, _) => "",
            (_, Style::Strong) => "1",
            (_, Style::Faint) => "2",
            (Some(ColourDepth::None), Style::Fooled) => "1",
            (Some(ColourDepth::None), _) => "",
            (Some(ColourDepth::Sixteen), Style::Fooled) => "33",
            (Some(ColourDepth::Sixteen), Style::Holds) => "36",
            (Some(ColourDepth::Sixteen), Style::Warns) => "35",
            (_, Style::Fooled) => "38;5;208",
            (_, Style::Holds) => "38;5;75",
            (_, Style::Warns) => "38;5;221",
        };
        match code {
            "" => text.to_string(),
            _ => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    /// Writes a table; the first row is the heading. The last column is not padded.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn table(&mut self, rows: &[Vec<String>]) -> Result<()> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (at, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let padding = width - cell.chars().count();
                line.push_str(&format!("{cell}{}  ", " ".repeat(padding)));
            }
            let line = line.trim_end();
            match at {
                0 => text.push_str(&self.paint(Style::Strong, line)),
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        self.text(&text)
    }

    /// Whether the reader of standard output has left.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// A line worth knowing that is not a result, to standard error.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {}", printable(text));
}

/// A note about something lasting: printed only once for each user. What was printed
/// stands in a file in the folder of state, a note a line.
pub fn note_once(text: &str) {
    let file = folder(Folder::State).map(|state| state.join("notes-told"));
    // A pipe or a device is neither read nor written to.
    let file = file.filter(|path| path.is_file() || !path.exists());
    let told = file.as_deref().and_then(|path| std::fs::read_to_string(path).ok());
    if told.is_some_and(|told| told.lines().any(|line| line == text)) {
        return;
    }
    note(text);
    if let Some(path) = file {
        let kept = std::fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| {
            let mut options = std::fs::File::options();
            writeln!(options.append(true).create(true).open(&path)?, "{text}")
        });
        if let Err(error) = kept {
            log::warn!("{}: {error}", path.display());
        }
    }
}

/// Prints an error in one line to standard error; nothing for work that was cancelled.
pub fn print_error(error: &Error) {
    if !error.is_cancelled() {
        let _ = writeln!(std::io::stderr(), "error: {error}");
    }
}
