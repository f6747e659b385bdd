//! Windows on top: where they stand, inputs, texts, and the greeting.

use super::{
    checks, defence_metrics, editor, epsilon_search, help, info_card, picker, transfer_matrix,
};
use crate::attack::Norm;
use crate::tui::app::App;
use crate::tui::dialogs::{Overlay, PickerKind, Prompt, PromptKind};
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{columns, input_line, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws every window, and the greeting where there is none.
pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    if app.hint && app.overlays.is_empty() {
        return greeting(app, area, buf);
    }
    for overlay in &app.overlays {
        let place = place(app, overlay, area);
        match overlay {
            Overlay::Help(from) => text(app, overlay, "Help", *from, place, buf),
            Overlay::Messages(from) => text(app, overlay, "Messages", *from, place, buf),
            Overlay::Card(card) => text(app, overlay, &card.heading, card.from, place, buf),
            Overlay::Picker(list) => picker::draw(app, list, place, buf),
            Overlay::Editor(editor) => editor::draw(app, *editor, place, buf),
            Overlay::Prompt(prompt) => draw_prompt(app, prompt, place, buf),
            Overlay::EpsilonSearch => epsilon_search::draw(app, place, buf),
            Overlay::TransferMatrix => transfer_matrix::draw(app, place, buf),
            Overlay::DefenceMetrics(which) => defence_metrics::draw(app, *which, place, buf),
            Overlay::Checks(at) => checks::draw(app, *at, place, buf),
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
        Overlay::Picker(list) => {
            let long = list.topic == PickerKind::Attack || list.topic.takes_several();
            let most = if long { 44 } else { 28 };
            centred(area, (width - 2).min(100), (height - 2).min(most))
        }
        Overlay::Editor(editor) => {
            centred(area, (width - 2).min(84), editor::height(app, *editor).min(height - 2))
        }
        Overlay::Prompt(_) => centred(area, (width - 2).min(64), 6),
        Overlay::EpsilonSearch => {
            centred(area, (width - 2).min(64), epsilon_search::HEIGHT.min(height - 2))
        }
        Overlay::TransferMatrix => {
            centred(area, (width - 2).min(84), transfer_matrix::height(app).min(height - 2))
        }
        Overlay::DefenceMetrics(_) => {
            centred(area, (width - 2).min(100), defence_metrics::HEIGHT.min(height - 2))
        }
        Overlay::Checks(_) => centred(area, (width - 2).min(110), checks::HEIGHT.min(height - 2)),
        Overlay::Card(card) => {
            let width = (width - 2).min(100);
            let lines = info_card::lines(&card.pieces, &app.theme, width.saturating_sub(4)).len();
            centred(area, width, (lines as u16 + 2).min(height - 2))
        }
    }
}

/// The row of a list or editor under a place of the screen.
pub fn row_at(app: &App, overlay: &Overlay, area: Rect, y: u16) -> Option<usize> {
    let place = place(app, overlay, area);
    match overlay {
        Overlay::Picker(list) => picker::item_at(app, list, place, y),
        Overlay::Editor(editor) => editor::row_at(app, *editor, place, y),
        Overlay::Checks(at) => checks::row_at(app, *at, place, y),
        _ => None,
    }
}

/// The lines of a text in a window.
fn lines(app: &App, overlay: &Overlay, width: u16) -> Vec<Line<'static>> {
    match overlay {
        Overlay::Help(_) => help::lines(&app.theme, width),
        Overlay::Messages(_) => messages(app, width),
        Overlay::Card(card) => info_card::lines(&card.pieces, &app.theme, width),
        _ => Vec::new(),
    }
}

/// How far a text can be scrolled.
pub fn farthest(app: &App, overlay: &Overlay) -> usize {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let place = place(app, overlay, area);
    let lines = lines(app, overlay, place.width.saturating_sub(4));
    lines.len().saturating_sub(place.height.saturating_sub(2).into())
}

fn text(app: &App, overlay: &Overlay, heading: &str, from: usize, place: Rect, buf: &mut Buffer) {
    let inner = window(heading, place, &app.theme, buf);
    let lines = lines(app, overlay, inner.width);
    let room = usize::from(inner.height);
    let from = from.min(lines.len().saturating_sub(room));
    for (line, y) in lines.iter().skip(from).zip(inner.y..inner.bottom()) {
        buf.set_line(inner.x, y, line, inner.width);
    }
    if from + room < lines.len() {
        let more = format!(" ↓ {} more ", lines.len() - from - room);
        let x = inner.right().saturating_sub(columns(&more) as u16);
        buf.set_string(x, inner.bottom(), more, app.theme.accent);
    }
}

fn messages(app: &App, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for message in app.messages.iter().rev() {
        let style = if message.failure { app.theme.fooled } else { app.theme.base };
        let glyph = if message.failure { "! " } else { "· " };
        let parts = wrap(&message.text, usize::from(width).saturating_sub(2));
        for (i, part) in parts.into_iter().enumerate() {
            lines.push(Line::styled(format!("{}{part}", if i == 0 { glyph } else { "  " }), style));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled("nothing went wrong so far", app.theme.dim));
    }
    lines
}

fn draw_prompt(app: &App, prompt: &Prompt, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let (heading, help) = match prompt.asked {
        PromptKind::Epsilon => (
            format!("ε, the largest {} size of the change", app.plan.norm),
            match app.plan.norm {
                Norm::Linf => "a number like 0.1 or 8/255, in pixel units of 0..1".to_string(),
                norm => {
                    format!("a number like 1.5: the {norm} length of the change, pixels in 0..1")
                }
            },
        ),
        PromptKind::Sample => {
            ("Go to sample".into(), format!("0..{}", app.len().saturating_sub(1)))
        }
        PromptKind::Hybrid => (
            "Add a hybrid".into(),
            "layers, outermost first: jpeg:75+pgd-at; a name saves it: tough = jpeg:75+pgd-at"
                .to_string(),
        ),
        PromptKind::Rows => (
            "Show defences with this in their name".into(),
            "such as jpeg; nothing shows all of them".to_string(),
        ),
        PromptKind::Export { .. } => (
            "Write the tables to".into(),
            "a file; its name ends in .csv (a line a number), .json or .md".to_string(),
        ),
        PromptKind::Row(row) => {
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
