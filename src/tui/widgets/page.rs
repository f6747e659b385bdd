//! Lines of text, one below the other.

use super::text::{shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines from the top of a window down.
pub struct TextPage<'a> {
    /// The room.
    pub inner: Rect,
    /// The next row.
    pub y: u16,
    /// Where it is written.
    pub buf: &'a mut Buffer,
}

impl TextPage<'_> {
    /// Writes a line, shortened to the room.
    pub fn line(&mut self, text: &str, style: Style) {
        if self.y < self.inner.bottom() {
            let width = usize::from(self.inner.width);
            self.buf.set_stringn(self.inner.x, self.y, shorten(text, width), width, style);
        }
        self.y += 1;
    }

    /// Writes a paragraph.
    pub fn text(&mut self, text: &str, style: Style) {
        for line in wrap(text, self.inner.width.into()) {
            self.line(&line, style);
        }
    }
}
