//! How a list is drawn: its rows under their headings, the search line, the card beside them.

use super::card_view::{self, InfoBlock};
use super::picker_list::{Picker, PickerItem};
use crate::tui::theme::Theme;
use crate::tui::widgets::panel::{inside, window};
use crate::tui::widgets::text::{columns, input_line, shorten};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From this many columns on there is room beside the list.
const WIDE: u16 = 60;

/// One line of a list.
enum Row {
    /// The heading of a section or a group, and how far it is indented.
    Heading(String, u16),
    /// An item by its number, and how far it is indented.
    Item(usize, u16),
}

/// The lines of a list with its headings.
fn rows(items: &[PickerItem]) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut section, mut group) = ("", "");
    for (i, item) in items.iter().enumerate() {
        let deep = u16::from(!item.section.is_empty());
        if item.section != section {
            rows.push(Row::Heading(item.section.clone(), 0));
        }
        if !item.group.is_empty() && (item.section != section || item.group != group) {
            rows.push(Row::Heading(item.group.clone(), deep));
        }
        (section, group) = (&item.section, &item.group);
        rows.push(Row::Item(i, deep));
    }
    rows
}

/// The first line shown, so that the cursor is in sight.
fn first(rows: &[Row], at: usize, room: usize) -> usize {
    let cursor =
        rows.iter().position(|row| matches!(row, Row::Item(i, _) if *i == at)).unwrap_or(0);
    cursor.saturating_sub(room / 2).min(rows.len().saturating_sub(room))
}

/// Where the lines stand in the window's inside, and what is said beside or below them.
fn split(inner: Rect, items: &[PickerItem]) -> (Rect, Rect) {
    let body = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    let aside = items.iter().any(|item| !item.about.is_empty());
    if !aside {
        return (body, Rect::ZERO);
    }
    if inner.width >= WIDE {
        let width = inner.width * 42 / 100;
        let side = Rect { x: body.x + width + 3, width: inner.width - width - 3, ..body };
        return (Rect { width, ..body }, side);
    }
    let below = if body.height >= 8 { 3 } else { 0 };
    let list = Rect { height: body.height - below, ..body };
    (list, Rect { y: list.bottom(), height: below, ..body })
}

/// The item under a row of the screen, in a list whose window stands at `place`.
pub fn item_at(list: &Picker, place: Rect, y: u16) -> Option<usize> {
    let items = list.found();
    let (body, _) = split(inside(place), &items);
    let rows = rows(&items);
    let first = first(&rows, list.at, body.height.into());
    let row = usize::from(y.checked_sub(body.y).filter(|row| *row < body.height)?);
    match rows.get(first + row) {
        Some(Row::Item(i, _)) => Some(*i),
        _ => None,
    }
}

/// Draws the list.
pub fn draw(list: &Picker, theme: &Theme, place: Rect, buf: &mut Buffer) {
    let inner = window(list.heading, place, theme, buf);
    let items = list.found();
    let search = input_line("search ", &list.input, theme.base, theme.key);
    buf.set_line(inner.x, inner.y, &search, inner.width);
    let count = format!("{} of {}", (list.at + 1).min(items.len()), items.len());
    let x = inner.right().saturating_sub(columns(&count) as u16);
    if search.width() + columns(&count) < usize::from(inner.width) {
        buf.set_string(x, inner.y, count, theme.dim);
    }
    let (body, side) = split(inner, &items);
    if items.is_empty() {
        buf.set_string(body.x, body.y, "nothing fits: Backspace", theme.dim);
    }
    let rows = rows(&items);
    let first = first(&rows, list.at, body.height.into());
    for (row, y) in rows.iter().skip(first).zip(body.y..body.bottom()) {
        match row {
            Row::Heading(text, deep) => {
                let style = if *deep > 0 { theme.dim } else { theme.title };
                let room = usize::from(body.width.saturating_sub(deep * 2));
                buf.set_stringn(body.x + deep * 2, y, text, room, style);
            }
            Row::Item(i, deep) => {
                let line = Rect { y, height: 1, ..body };
                draw_item(theme, &items[*i], *i == list.at, *deep * 2, line, buf);
            }
        }
    }
    if first > 0 {
        sticky(theme, &items, &rows[first], body, buf);
    }
    let about = items.get(list.at).map(|item| &item.about[..]).unwrap_or_default();
    beside(theme, about, side, inner.width >= WIDE, buf);
}

/// Above a scrolled list, the headings that the first line stands under.
fn sticky(theme: &Theme, items: &[PickerItem], row: &Row, body: Rect, buf: &mut Buffer) {
    let Row::Item(i, _) = row else { return };
    let item = &items[*i];
    let both = format!("↑ {} › {}", item.section, item.group);
    let room = usize::from(body.width);
    let text = match (item.section.is_empty(), item.group.is_empty()) {
        (true, true) => return,
        (false, false) if columns(&both) <= room => both,
        (false, true) => format!("↑ {}", item.section),
        _ => format!("↑ {}", item.group),
    };
    buf.set_string(body.x, body.y, " ".repeat(room), theme.base);
    buf.set_stringn(body.x, body.y, shorten(&text, room), room, theme.dim);
}

fn draw_item(theme: &Theme, item: &PickerItem, here: bool, deep: u16, row: Rect, buf: &mut Buffer) {
    let (style, quiet) =
        if here { (theme.selected, theme.selected) } else { (theme.base, theme.dim) };
    if here {
        buf.set_style(row, theme.selected);
    }
    let mark = match (item.taken, here) {
        (Some(true), true) => "▸ [x] ",
        (Some(true), false) => "  [x] ",
        (Some(false), true) => "▸ [ ] ",
        (Some(false), false) => "  [ ] ",
        (None, true) => "▸ ",
        (None, false) => "  ",
    };
    let style = if item.taken == Some(true) && !here { theme.accent } else { style };
    let note = columns(&item.note) as u16;
    let room = usize::from(row.width.saturating_sub(note + 1 + deep));
    let text = shorten(&format!("{mark}{}", item.text), room);
    buf.set_stringn(row.x + deep, row.y, text, room, style);
    let x = row.right().saturating_sub(note);
    buf.set_stringn(x, row.y, &item.note, note.into(), quiet);
}

/// What is said of the row under the cursor; where it does not fit, how to see all of it.
fn beside(theme: &Theme, about: &[InfoBlock], side: Rect, wide: bool, buf: &mut Buffer) {
    if side.is_empty() {
        return;
    }
    if wide {
        (side.y..side.bottom()).for_each(|y| {
            buf.set_string(side.x - 2, y, "│", theme.rule);
        });
    } else {
        buf.set_string(side.x, side.y, "─".repeat(side.width.into()), theme.rule);
    }
    let room =
        Rect { y: side.y + u16::from(!wide), height: side.height - u16::from(!wide), ..side };
    let lines = card_view::lines(about, theme, room.width);
    for (line, y) in lines.iter().zip(room.y..room.bottom()) {
        buf.set_line(room.x, y, line, room.width);
    }
    if wide && lines.len() > usize::from(room.height) {
        let y = room.bottom() - 1;
        buf.set_string(room.x, y, " ".repeat(room.width.into()), theme.base);
        buf.set_string(room.x, y, "Tab", theme.key);
        buf.set_string(room.x + 4, y, "shows all of it", theme.dim);
    }
}
