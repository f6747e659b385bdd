//! Parameters to change, one a row, with what may be entered below.

use crate::tui::app::App;
use crate::tui::defence_list::DefenceEntry;
use crate::tui::dialogs::{self, Editor, EditorKind, EditorRow};
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{columns, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The rows that the window needs beside those of its parameters.
const AROUND: u16 = 10;

/// The rows that the window asks for.
pub fn height(app: &App, editor: Editor) -> u16 {
    dialogs::rows(app, editor.subject).len() as u16 + AROUND
}

/// Where the parameters stand in the window's inside, and the first of them shown.
fn body(inner: Rect, count: usize, at: usize) -> (Rect, usize) {
    // Help needs a few rows, but no more than the parameters leave.
    let help = inner.height.saturating_sub(count as u16).max((inner.height / 2).min(7));
    let body = Rect { height: inner.height - help, ..inner };
    let room = usize::from(body.height);
    (body, at.saturating_sub(room / 2).min(count.saturating_sub(room)))
}

/// The row under a row of the screen, in an editor whose window stands at `place`.
pub fn row_at(app: &App, editor: Editor, place: Rect, y: u16) -> Option<usize> {
    let count = dialogs::rows(app, editor.subject).len();
    let inner = Rect { y: place.y + 1, height: place.height.saturating_sub(2), ..place };
    let (body, first) = body(inner, count, editor.at);
    let row = y.checked_sub(body.y).filter(|row| *row < body.height)?;
    Some(first + usize::from(row)).filter(|row| *row < count)
}

/// Draws the editor.
pub fn draw(app: &App, editor: Editor, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let heading = match editor.subject {
        EditorKind::Attack => format!("{}: parameters", app.plan.attack.name),
        EditorKind::Defences => {
            format!("Defences, attacked {}", app.stance)
        }
    };
    let inner = window(&heading, place, theme, buf);
    let rows = dialogs::rows(app, editor.subject);
    let (body, first) = body(inner, rows.len(), editor.at);
    let mut family = "";
    for ((i, row), y) in rows.iter().enumerate().skip(first).zip(body.y..body.bottom()) {
        let area = Rect { y, height: 1, ..body };
        draw_row(app, *row, i == editor.at, area, buf);
        if let EditorRow::Defence(at) = row {
            let now = app.defences.get(*at).map_or("", DefenceEntry::family);
            if now != family {
                let x = area.right().saturating_sub(columns(now) as u16 + 1);
                let style = if i == editor.at { theme.selected } else { theme.dim };
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
    let help = rows.get(editor.at).map(|row| row.help(app)).unwrap_or_default();
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

fn draw_row(app: &App, row: EditorRow, here: bool, area: Rect, buf: &mut Buffer) {
    let style: Style = if here { app.theme.selected } else { app.theme.base };
    if here {
        buf.set_style(area, style);
    }
    let (name, value) = (row.name(app), row.value(app));
    let (open, close) = if here { ("◂", "▸") } else { (" ", " ") };
    let changed = format!("{open} {value} {close}");
    let (left, right) = match row {
        EditorRow::Defence(at) => {
            let mark = if app.defences[at].on { "x" } else { " " };
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
