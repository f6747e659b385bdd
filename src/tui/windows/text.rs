//! A text in a window, scrolled.

use crate::tui::action::Action::{self, *};
use crate::tui::keymap::{Keymap, WINDOW, char, key, row};
use crate::tui::screen::Outcome;
use crate::tui::session::Session;
use crate::tui::theme::Theme;
use crate::tui::widgets::panel::{inside, window, window_place};
use crate::tui::widgets::text::columns;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// The keys of a text.
pub static KEYS: Keymap = Keymap {
    place: "in a text",
    rows: &[
        row(WINDOW, Up, 1, "scroll", &[key(KeyCode::Up), char('k')]),
        row(WINDOW, Down, 1, "scroll", &[key(KeyCode::Down), char('j')]),
        row(WINDOW, PageUp, 0, "page up", &[key(KeyCode::PageUp)]),
        row(WINDOW, PageDown, 0, "page down", &[key(KeyCode::PageDown), char(' ')]),
        row(
            WINDOW,
            Back,
            2,
            "close",
            &[
                key(KeyCode::Esc),
                char('q'),
                char('?'),
                char('!'),
                key(KeyCode::F(1)),
                key(KeyCode::Enter),
            ],
        ),
    ],
};

/// Scrolls a text whose window asks for `wanted` columns and rows and whose lines, for a width,
/// are `lines`; `from` is the first line shown.
pub fn update(
    from: &mut usize,
    action: Action,
    wanted: (u16, u16),
    lines: impl Fn(u16) -> Vec<Line<'static>>,
    session: &Session,
) -> Outcome {
    let by = match action {
        Up => -1,
        Down => 1,
        PageUp => -10,
        PageDown => 10,
        _ => return Outcome::Ignored,
    };
    let (columns, rows) = session.size;
    let room = inside(window_place(wanted, Rect::new(0, 0, columns, rows)));
    let farthest = lines(room.width).len().saturating_sub(room.height.into());
    *from = from.saturating_add_signed(by).min(farthest);
    Outcome::Done
}

/// Draws lines from number `from` on, and how many are hidden below.
pub fn draw(
    heading: &str,
    from: usize,
    lines: impl Fn(u16) -> Vec<Line<'static>>,
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) {
    let inner = window(heading, area, theme, buf);
    let lines = lines(inner.width);
    let room = usize::from(inner.height);
    let from = from.min(lines.len().saturating_sub(room));
    for (line, y) in lines.iter().skip(from).zip(inner.y..inner.bottom()) {
        buf.set_line(inner.x, y, line, inner.width);
    }
    if from + room < lines.len() {
        let more = format!(" ↓ {} more ", lines.len() - from - room);
        let x = inner.right().saturating_sub(columns(&more) as u16);
        buf.set_string(x, inner.bottom(), more, theme.accent);
    }
}
