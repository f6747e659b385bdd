//! Windows on top: lists, editors, inputs, texts, and the greeting.

use super::help;
use crate::attack::Norm;
use crate::tui::app::App;
use crate::tui::dialogs::{self, Asked, Editor, List, Overlay, Prompt, Row, Subject};
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{columns, input_line, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws every window, and the greeting where there is none.
pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    if app.hint && app.overlays.is_empty() {
        return greeting(app, area, buf);
    }
    for overlay in &app.overlays {
        let place = place(app, overlay, area);
        match overlay {
            Overlay::Help(from) => {
                let inner = window("Help", place, &app.theme, buf);
                text(app, &help::lines(&app.theme, inner.width), *from, inner, buf);
            }
            Overlay::Messages(from) => messages(app, *from, place, buf),
            Overlay::List(list) => draw_list(app, list, place, buf),
            Overlay::Editor(editor) => draw_editor(app, *editor, place, buf),
            Overlay::Prompt(prompt) => draw_prompt(app, prompt, place, buf),
        }
    }
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// Where a window stands.
pub fn place(app: &App, overlay: &Overlay, area: Rect) -> Rect {
    let (width, height) = (area.width, area.height);
    match overlay {
        Overlay::Help(_) | Overlay::Messages(_) => help::place((width, height)),
        Overlay::List(_) => centred(area, (width - 2).min(96), (height - 2).min(28)),
        Overlay::Editor(editor) => {
            let rows = dialogs::rows(app, editor.subject).len() as u16;
            centred(area, (width - 2).min(84), (rows + 10).min(height - 2))
        }
        Overlay::Prompt(_) => centred(area, (width - 2).min(64), 6),
    }
}

/// The row of a list or editor under a place of the screen.
pub fn row_at(app: &App, overlay: &Overlay, area: Rect, y: u16) -> Option<usize> {
    let place = place(app, overlay, area);
    match overlay {
        Overlay::List(list) => {
            let (lines, first) = list_lines(app, list, place.height.saturating_sub(4).into());
            let row = usize::from(y.checked_sub(place.y + 3)?);
            lines.get(first + row).and_then(|line| line.1)
        }
        Overlay::Editor(editor) => {
            let row = usize::from(y.checked_sub(place.y + 1)?);
            (row < dialogs::rows(app, editor.subject).len()).then_some(row)
        }
        _ => None,
    }
}

fn text(app: &App, lines: &[Line<'_>], from: usize, area: Rect, buf: &mut Buffer) {
    let room = usize::from(area.height);
    let from = from.min(lines.len().saturating_sub(room));
    for (line, y) in lines.iter().skip(from).zip(area.y..area.bottom()) {
        buf.set_line(area.x, y, line, area.width);
    }
    if from + room < lines.len() {
        let more = format!(" ↓ {} more ", lines.len() - from - room);
        let x = area.right().saturating_sub(columns(&more) as u16);
        buf.set_string(x, area.bottom(), more, app.theme.accent);
    }
}

fn messages(app: &App, from: usize, place: Rect, buf: &mut Buffer) {
    let inner = window("Messages", place, &app.theme, buf);
    let mut lines = Vec::new();
    for message in app.messages.iter().rev() {
        let style = if message.failure { app.theme.fooled } else { app.theme.base };
        let glyph = if message.failure { "! " } else { "· " };
        for (i, part) in
            wrap(&message.text, usize::from(inner.width).saturating_sub(2)).into_iter().enumerate()
        {
            lines.push(Line::styled(format!("{}{part}", if i == 0 { glyph } else { "  " }), style));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled("nothing went wrong so far", app.theme.dim));
    }
    text(app, &lines, from, inner, buf);
}

type ListLine = (Line<'static>, Option<usize>);

/// The lines of a list with its headings, and the first one shown.
fn list_lines(app: &App, list: &List, room: usize) -> (Vec<ListLine>, usize) {
    let theme = &app.theme;
    let items = dialogs::items(app, list);
    let mut lines: Vec<ListLine> = Vec::new();
    let mut group = String::new();
    let mut cursor = 0;
    for (i, item) in items.iter().enumerate() {
        if item.group != group {
            group = item.group.clone();
            lines.push((Line::styled(group.clone(), theme.dim), None));
        }
        let here = i == list.at;
        if here {
            cursor = lines.len();
        }
        let style = if here { theme.selected } else { theme.base };
        let mark = if here { "▸ " } else { "  " };
        let note = if here { theme.selected } else { theme.dim };
        let spans = vec![
            Span::styled(format!("{mark}{}", item.text), style),
            Span::styled(item.note.clone(), note),
        ];
        lines.push((Line::from(spans), Some(i)));
    }
    let first = (cursor + 1).saturating_sub(room).max(cursor.saturating_sub(room / 2));
    let first = first.min(lines.len().saturating_sub(room));
    (lines, first)
}

fn draw_list(app: &App, list: &List, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let inner = window(list.topic.heading(), place, theme, buf);
    let search = input_line("search ", &list.input, theme.base, theme.key);
    buf.set_line(inner.x, inner.y, &search, inner.width);
    let body = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    let items = dialogs::items(app, list);
    let about = items.get(list.at).map(|item| item.about.clone()).unwrap_or_default();
    let aside = items.iter().any(|i| !i.about.is_empty());
    let wide = inner.width >= 60 && aside;
    let width = if wide { inner.width * 45 / 100 } else { inner.width };
    let (lines, first) = list_lines(app, list, body.height.into());
    if items.is_empty() {
        buf.set_string(body.x, body.y, "nothing fits: Backspace", theme.dim);
    }
    for ((line, at), y) in lines.iter().skip(first).zip(body.y..body.bottom()) {
        let row = Rect { y, width, height: 1, ..body };
        let here = *at == Some(list.at);
        if here {
            buf.set_style(row, theme.selected);
        }
        let [text, note] = line.spans.as_slice() else {
            buf.set_line(row.x, y, line, width);
            continue;
        };
        let note_width = note.width() as u16;
        let room = usize::from(width.saturating_sub(note_width + 1));
        buf.set_stringn(row.x, y, shorten(&text.content, room), room, text.style);
        buf.set_span(row.right().saturating_sub(note_width), y, note, note_width);
    }
    if wide {
        let side = Rect { x: body.x + width + 3, width: inner.width - width - 3, ..body };
        for y in body.y..body.bottom() {
            buf.set_string(side.x - 2, y, "│", theme.rule);
        }
        let mut y = side.y;
        for (i, paragraph) in about.iter().enumerate() {
            let style = if i == 0 { theme.strong } else { theme.base };
            for line in wrap(paragraph, side.width.into()) {
                if y < side.bottom() {
                    buf.set_string(side.x, y, line, style);
                }
                y += 1;
            }
            y += 1;
        }
    }
}

fn draw_editor(app: &App, editor: Editor, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let heading = match editor.subject {
        Subject::Attack => format!("{}: parameters", app.plan.attack.name),
        Subject::Defences => {
            format!("Defences, attacked {}", if app.adaptive { "adaptive" } else { "naive" })
        }
    };
    let inner = window(&heading, place, theme, buf);
    let rows = dialogs::rows(app, editor.subject);
    for (i, (row, y)) in rows.iter().zip(inner.y..inner.bottom()).enumerate() {
        let here = i == editor.at;
        let style = if here { theme.selected } else { theme.base };
        if here {
            buf.set_style(Rect { y, height: 1, ..inner }, style);
        }
        let (name, value) = (row.name(app), row.value(app));
        let left = match row {
            Row::Defence(_) => format!("[{}] {name}", if value == "on" { "x" } else { " " }),
            Row::DefenceParam(..) => format!("      {name}"),
            _ => name,
        };
        buf.set_string(inner.x, y, if here { "▸" } else { " " }, style);
        buf.set_stringn(inner.x + 2, y, &left, 28, style);
        if !matches!(row, Row::Defence(_)) {
            let text = format!(
                "{} {value} {}",
                if here { "◂" } else { " " },
                if here { "▸" } else { " " }
            );
            buf.set_stringn(
                inner.x + 32,
                y,
                text,
                usize::from(inner.width).saturating_sub(32),
                style,
            );
        }
    }
    let mut y = inner.y + rows.len() as u16 + 1;
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

fn draw_prompt(app: &App, prompt: &Prompt, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let (heading, help) = match prompt.asked {
        Asked::Epsilon => (
            format!("ε, the largest {} size of the change", app.plan.norm),
            match app.plan.norm {
                Norm::Linf => "a number like 0.1 or 8/255, in pixel units of 0..1".to_string(),
                norm => {
                    format!("a number like 1.5: the {norm} length of the change, pixels in 0..1")
                }
            },
        ),
        Asked::Sample => ("Go to sample".into(), format!("0..{}", app.len().saturating_sub(1))),
        Asked::Row(row) => {
            let allowed = row.param(app).map_or_else(|| "a whole number".into(), |p| p.allowed());
            (row.name(app), allowed)
        }
    };
    let inner = window(&heading, place, theme, buf);
    let line = input_line("› ", &prompt.input, theme.strong, theme.accent);
    buf.set_line(inner.x, inner.y, &line, inner.width);
    let (text, style) = match &prompt.error {
        Some(fault) => (fault.as_str(), theme.fooled),
        None => (help.as_str(), theme.dim),
    };
    for (line, y) in wrap(text, inner.width.into()).into_iter().zip(inner.y + 1..inner.bottom()) {
        buf.set_string(inner.x, y, line, style);
    }
}

fn greeting(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let rows = [
        ("← →", "change ε, the size of the attack"),
        ("↑ ↓", "take another picture"),
        ("Space", "play the attack step by step"),
        ("v", "let the attack know the defences"),
        ("?", "every key"),
    ];
    let place = centred(area, 52.min(area.width), 11.min(area.height));
    let inner = window("An oscilloscope for ε", place, theme, buf);
    let mut y = inner.y;
    for text in wrap(
        "A network looks at a picture; an attack changes it a little. Watch what it then sees.",
        inner.width.into(),
    ) {
        buf.set_string(inner.x, y, text, theme.base);
        y += 1;
    }
    y += u16::from(area.height > 14);
    for (key, what) in rows {
        if y < inner.bottom() {
            buf.set_string(inner.x + 1, y, key, theme.key);
            buf.set_stringn(
                inner.x + 8,
                y,
                what,
                usize::from(inner.width).saturating_sub(8),
                theme.base,
            );
        }
        y += 1;
    }
    let more = " any key goes on ";
    buf.set_string(
        inner.right().saturating_sub(more.len() as u16),
        place.bottom() - 1,
        more,
        theme.dim,
    );
}
