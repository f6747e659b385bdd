//! How an editor is drawn: parameters, one a row, with what may be entered below.

use super::editor_row::{EditorKind, EditorRow, rows};
use crate::tui::session::{DefenceEntry, Session};
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{columns, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The rows that the window needs beside those of its parameters.
pub const AROUND: u16 = 10;

/// Where the parameters stand in the window's inside, and the first of them shown.
fn body(inner: Rect, count: usize, at: usize) -> (Rect, usize) {
    // Help needs a few rows, but no more than the parameters leave.
    let help = inner.height.saturating_sub(count as u16).max((inner.height / 2).min(7));
    let body = Rect { height: inner.height - help, ..inner };
    let room = usize::from(body.height);
    (body, at.saturating_sub(room / 2).min(count.saturating_sub(room)))
}

/// The row under a row of the screen, in an editor whose window stands at `place`.
pub fn row_at(
    (kind, at): (EditorKind, usize),
    session: &Session,
    place: Rect,
    y: u16,
) -> Option<usize> {
    let count = rows(session, kind).len();
    let inner = Rect { y: place.y + 1, height: place.height.saturating_sub(2), ..place };
    let (body, first) = body(inner, count, at);
    let row = y.checked_sub(body.y).filter(|row| *row < body.height)?;
    Some(first + usize::from(row)).filter(|row| *row < count)
}

/// Draws the editor.
pub fn draw((kind, at): (EditorKind, usize), session: &Session, place: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let heading = match kind {
        EditorKind::Attack => format!("{}: parameters", session.plan.attack.name),
        EditorKind::Defences => {
            format!("Defences, attacked {}", session.stance)
        }
    };
    let inner = window(&heading, place, theme, buf);
    let rows = rows(session, kind);
    let (body, first) = body(inner, rows.len(), at);
    let mut family = "";
    for ((i, row), y) in rows.iter().enumerate().skip(first).zip(body.y..body.bottom()) {
        let area = Rect { y, height: 1, ..body };
        draw_row(session, *row, i == at, area, buf);
        if let EditorRow::Defence(number) = row {
            let now = session.defences.get(*number).map_or("", DefenceEntry::family);
            if now != family {
                let x = area.right().saturating_sub(columns(now) as u16 + 1);
                let style = if i == at { theme.selected } else { theme.dim };
                buf.set_string(x, y, now, style);
            }
            family = now;
        }
    }
    let below = rows.len().saturating_sub(first + usize::from(body.height));
    for (more, y, arrow) in [(first, place.y, "↑"), (below, body.bottom(), "↓")] {
        if more > 0 {
            let text = format!(" {arrow} {more} more ");
            let x = inner.right().saturating_sub(columns(&text) as u16);
            buf.set_string(x, y, text, theme.accent);
        }
    }
    let mut y = body.bottom() + 1;
    let help = rows.get(at).map(|row| row.help(session)).unwrap_or_default();
    for (i, paragraph) in help.iter().enumerate() {
        let style = if i == 0 { theme.base } else { theme.dim };
        for line in wrap(paragraph, inner.width.into()) {
            if y < inner.bottom() {
                buf.set_string(inner.x, y, line, style);
            }
            y += 1;
        }
    }
}

fn draw_row(session: &Session, row: EditorRow, here: bool, area: Rect, buf: &mut Buffer) {
    let style: Style = if here { session.theme.selected } else { session.theme.base };
    if here {
        buf.set_style(area, style);
    }
    let (name, value) = (row.name(session), row.value(session));
    let (open, close) = if here { ("◂", "▸") } else { (" ", " ") };
    let changed = format!("{open} {value} {close}");
    let (left, right) = match row {
        EditorRow::Defence(at) => {
            let mark = if session.defences[at].on { "x" } else { " " };
            (format!("[{mark}] {name}"), format!("  {value}"))
        }
        EditorRow::DefenceParam(..) => (format!("      {name}"), changed),
        _ => (name, changed),
    };
    // Values begin where names end, but leave themselves at least half of a narrow window.
    let names = 30.min(area.width / 2).saturating_sub(2);
    buf.set_string(area.x, area.y, if here { "▸" } else { " " }, style);
    let left = shorten(&left, names.into());
    buf.set_stringn(area.x + 2, area.y, left, names.into(), style);
    let x = area.x + names + 4;
    let room = usize::from(area.right().saturating_sub(x));
    buf.set_stringn(x, area.y, right, room, style);
}
