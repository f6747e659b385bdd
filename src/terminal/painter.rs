//! Draws cells. Terminals of 16 colours or none get the oldest sequences only: those of 256 colours
//! make them blink.

use super::ColourDepth;
use crossterm::{cursor, queue};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::io::{self, Write};

/// ratatui's backend for a terminal of this depth.
pub(super) struct Painter<W: Write> {
    inner: CrosstermBackend<W>,
    depth: ColourDepth,
}

impl<W: Write> Painter<W> {
    pub fn new(writer: W, depth: ColourDepth) -> Self {
        Self { inner: CrosstermBackend::new(writer), depth }
    }

    /// Where raw sequences are written to.
    pub fn writer(&mut self) -> &mut impl Write {
        &mut self.inner
    }
}

impl<W: Write> Backend for Painter<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        if self.depth > ColourDepth::Sixteen {
            return self.inner.draw(content);
        }
        let (mut next, mut style) = (None, None);
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                queue!(self.inner, cursor::MoveTo(x, y))?;
            }
            next = x.checked_add(1).map(|right| (right, y));
            let own = (cell.fg, cell.bg, cell.modifier);
            if style != Some(own) {
                self.inner.write_all(rendition(cell).as_bytes())?;
                style = Some(own);
            }
            self.inner.write_all(cell.symbol().as_bytes())?;
        }
        self.inner.write_all(b"\x1b[0m")
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        // ratatui complains on standard error where this fails at the end, and panics where that is
        // gone, too.
        let _ = self.inner.show_cursor();
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.inner.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

/// The sequence that sets a cell's attributes and its colours among the first 16.
fn rendition(cell: &Cell) -> String {
    let mut text = "\x1b[0".to_string();
    for (modifier, code) in [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::ITALIC, ";3"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
        (Modifier::CROSSED_OUT, ";9"),
    ] {
        text += if cell.modifier.contains(modifier) { code } else { "" };
    }
    for (colour, base) in [(cell.fg, 30), (cell.bg, 40)] {
        if let Some(number) = number(colour) {
            let code = if number < 8 { base + number } else { base + 60 + number - 8 };
            text += &format!(";{code}");
        }
    }
    text + "m"
}

/// The number of one of the first 16 colours.
fn number(colour: Color) -> Option<u16> {
    Some(match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(number @ 0..16) => number.into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn drawn(depth: ColourDepth) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        let orange = Style::new().fg(Color::Rgb(255, 160, 66)).bg(Color::Rgb(13, 17, 23));
        buffer.set_string(0, 0, "ab", orange.add_modifier(Modifier::BOLD));
        depth.adapt(&mut buffer);
        let mut bytes = Vec::new();
        let cells = buffer.content.iter().enumerate().map(|(x, cell)| (x as u16, 0, cell));
        Painter::new(&mut bytes, depth).draw(cells).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_terminal_gets_the_sequences_it_knows() {
        assert_eq!(drawn(ColourDepth::None), "\x1b[1;1H\x1b[0;1mab\x1b[0m  \x1b[0m");
        assert_eq!(drawn(ColourDepth::Sixteen), "\x1b[1;1H\x1b[0;1;33;40mab\x1b[0m  \x1b[0m");
        assert!(
            drawn(ColourDepth::Indexed).contains("38;5;215"),
            "{:?}",
            drawn(ColourDepth::Indexed)
        );
        assert!(drawn(ColourDepth::True).contains("38;2;255;160;66"));
    }
}
