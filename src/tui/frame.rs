//! Header and footer, the greeting, and what stands where the terminal is too small.

use super::action::Action;
use super::keymap::{Binding, hints};
use super::session::{Message, Session};
use super::theme::Theme;
use super::widgets::panel::{window, window_place};
use super::widgets::text::{columns, wrap};
use super::wording;
use crate::printable::percent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

/// A screen's name in the header.
#[derive(Clone, Copy, Debug)]
pub struct TabEntry {
    /// Its key.
    pub key: char,
    /// Its name.
    pub name: &'static str,
    /// Whether it is the screen now.
    pub here: bool,
    /// What goes there.
    pub action: Action,
}

/// The same, placed.
pub struct ScreenTab {
    /// Where it stands.
    pub place: Rect,
    /// Its key, and its name where there is room.
    pub text: String,
    /// Whether it is the screen now.
    pub here: bool,
    /// What goes there.
    pub action: Action,
}

/// The fewest columns and rows that the dashboard is drawn on.
const LEAST: (u16, u16) = (40, 12);

/// Whether the terminal is too small for anything but a message.
pub fn is_too_small(area: Rect) -> bool {
    area.width < LEAST.0 || area.height < LEAST.1
}

/// The first row.
pub fn header_place(area: Rect) -> Rect {
    Rect { height: 1, ..area }
}

/// The last row.
pub fn footer_place(area: Rect) -> Rect {
    Rect { y: area.bottom() - 1, height: 1, ..area }
}

/// Everything between header and footer, with a margin.
pub fn body(area: Rect) -> Rect {
    let (y, height) = (area.y + 1, area.height.saturating_sub(2));
    Rect { x: area.x + 1, y, width: area.width.saturating_sub(2), height }
}

/// The columns of the program's name.
const NAME: u16 = 12;

/// Where the screens' names stand in the header: in full, else with keys only, else not at all.
pub fn tabs(session: &Session, entries: Vec<TabEntry>, area: Rect) -> Vec<ScreenTab> {
    let model = session.model.as_ref().map_or(8, |model| columns(&model.card.name)) as u16;
    // Beside the model's name: that it works, on what, and an alarm.
    let room = area.width.saturating_sub(NAME + model + 3 + 20);
    let place = |long: bool| {
        let mut x = area.x + NAME + 1;
        let tabs = entries.iter().map(|entry| {
            let shown = long || entry.here;
            let name = if shown { format!(" {}", entry.name) } else { String::new() };
            let text = format!("{}{name}", entry.key);
            let width = columns(&text) as u16 + 2;
            let place = Rect { x, width, ..area };
            x += width;
            ScreenTab { place, text, here: entry.here, action: entry.action }
        });
        tabs.collect::<Vec<_>>()
    };
    let fits = |tabs: &Vec<ScreenTab>| tabs.iter().map(|tab| tab.place.width).sum::<u16>() <= room;
    [place(true), place(false)].into_iter().find(fits).unwrap_or_default()
}

/// Program, model and device. Where there is little room, why this device was taken matters more
/// than the model's figures.
pub fn draw_header(session: &Session, tabs: &[ScreenTab], area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let loading = session.loading.last().map(|(_, name)| format!("loading {name} …"));
    let model = session.model.as_ref().map(|m| match &session.surrogate {
        // Both names where there is room for more than one.
        Some(surrogate) if area.width >= 100 => {
            format!("crafted on {surrogate}, tested on {}", m.card.name)
        }
        _ => m.card.name.clone(),
    });
    let model = loading.or(model).unwrap_or_else(|| "no model".into());
    let busy = if session.busy { "● working " } else { "" };
    let failures = session.messages.iter().filter(|m| m.failure).count();
    let alarm = if failures > 0 { format!(" ! {failures} ") } else { String::new() };

    let accuracy = session.model.as_ref().and_then(|m| m.card.accuracy.as_ref());
    let brief = accuracy.map(|a| percent(a.clean, 1));
    let clean = accuracy.map(|a| format!("{} right, n = {}", percent(a.clean, 1), a.clean_n));
    let robust = accuracy.and_then(|a| a.robust.first()).map(|r| {
        let robust = percent(r.accuracy, 1);
        format!("{robust} under {} ε {}", r.attack.to_uppercase(), trim(r.epsilon))
    });
    let figures: [Vec<String>; 4] = [
        clean.iter().cloned().chain(robust).collect(),
        clean.into_iter().collect(),
        brief.into_iter().collect(),
        Vec::new(),
    ];
    let (device, note) = wording::device(session);
    let long = note.map_or_else(|| device.clone(), |note| format!("{device} · {note}"));
    let kind =
        session.device.as_ref().map_or_else(|| "…".to_string(), |(d, _)| d.kind.to_uppercase());

    let named = tabs.last().map_or(NAME, |tab| tab.place.right() - area.x);
    let fixed = usize::from(named) + 3 + columns(&model) + 2 + columns(busy) + columns(&alarm) + 1;
    let room = usize::from(area.width).saturating_sub(fixed);
    let needed = |texts: &[String]| texts.iter().map(|t| columns(t) + 3).sum::<usize>();
    let choices =
        [&long, &device, &kind].into_iter().flat_map(|d| figures.iter().map(move |f| (f, d)));
    let fitting =
        choices.into_iter().find(|(figures, device)| needed(figures) + columns(device) <= room);
    let (figures, device) = fitting.unwrap_or((&figures[3], &kind));

    buf.set_string(area.x, area.y, " epsiloscope", theme.accent);
    for ScreenTab { place, text, here, .. } in tabs {
        let (key, name) = text.split_at(1);
        let style = if *here { theme.selected } else { theme.dim };
        buf.set_style(*place, style);
        buf.set_string(place.x + 1, place.y, key, if *here { style } else { theme.key });
        buf.set_string(place.x + 2, place.y, name, style);
    }
    let mut left = Vec::new();
    let texts = figures.iter().map(|text| Span::styled(text.clone(), theme.dim));
    for text in std::iter::once(Span::styled(model, theme.strong)).chain(texts) {
        left.extend([Span::styled(" │ ", theme.rule), text]);
    }
    buf.set_line(area.x + named, area.y, &Line::from(left), area.width.saturating_sub(named));
    let right = Line::from(vec![
        Span::styled(busy, theme.accent),
        Span::styled(device.clone(), theme.dim),
        Span::styled(" ", theme.base),
        Span::styled(alarm, theme.alarm),
    ]);
    let width = (right.width() as u16).min(area.width);
    buf.set_line(area.right() - width, area.y, &right, width);
}

fn trim(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// What the footer shows.
pub struct Footer {
    /// The bindings that work now.
    pub bindings: Vec<Binding>,
    /// Keys that it always ends with.
    pub ends: Vec<(String, &'static str)>,
    /// What a screen says of work in the background, instead of the keys.
    pub status: Option<Line<'static>>,
}

impl Footer {
    /// Draws the keys that do something now, or the last message, or what is searched for.
    pub fn draw(self, session: &Session, area: Rect, buf: &mut Buffer) {
        let theme = &session.theme;
        if let Some(message) = session.messages.last().filter(|_| session.message_shown) {
            return say(theme, message, area, buf);
        }
        if let Some((_, looked)) = session.mistake_search {
            let text = format!(" looking for a mistake of the model: {looked} samples so far …");
            buf.set_stringn(area.x, area.y, text, area.width.into(), theme.accent);
            return;
        }
        if let Some(status) = self.status {
            buf.set_line(area.x, area.y, &status, area.width);
            return;
        }
        let width = |(key, hint): &(String, &str)| columns(key) + columns(hint) + 3;
        let ends: usize = self.ends.iter().map(width).sum();
        let mut room = usize::from(area.width).saturating_sub(ends + 1);
        let mut shown = Vec::new();
        for hint in hints(&self.bindings) {
            if width(&hint) > room {
                break;
            }
            room -= width(&hint);
            shown.push(hint);
        }
        shown.extend(self.ends);
        let mut x = area.x + 1;
        let mut put = |text: &str, style, gap: u16, buf: &mut Buffer| {
            let room = area.right().saturating_sub(x).into();
            x = buf.set_stringn(x, area.y, text, room, style).0 + gap;
        };
        for (key, hint) in shown {
            put(&key, theme.key, 1, buf);
            put(hint, theme.dim, 2, buf);
        }
    }
}

/// The last message, over as many rows as it needs: nobody shall miss what to do.
fn say(theme: &Theme, message: &Message, area: Rect, buf: &mut Buffer) {
    let style = if message.failure { theme.alarm } else { theme.selected };
    let more = if message.failure { "  (! lists messages)" } else { "" };
    let width = usize::from(area.width).saturating_sub(2);
    let lines = wrap(&format!("{}{more}", message.text), width);
    let rows = (lines.len() as u16).clamp(1, area.y.min(4));
    let place = Rect { y: area.bottom() - rows, height: rows, ..area };
    Clear.render(place, buf);
    buf.set_style(place, style);
    for (line, y) in lines.iter().zip(place.y..place.bottom()) {
        buf.set_stringn(place.x + 1, y, line, width, style);
    }
}

/// Says that the terminal is too small.
pub fn draw_too_small(theme: &Theme, area: Rect, buf: &mut Buffer) {
    let lines = ["epsiloscope needs 40×12 cells", "make the window larger", "q quits"];
    let first = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (text, y) in lines.iter().zip(first..area.bottom()) {
        let line = Line::styled(*text, theme.base);
        let x = area.x + (area.width.saturating_sub(line.width() as u16)) / 2;
        buf.set_line(x, y, &line, area.width);
    }
}

/// Greets a new user with the first keys.
pub fn draw_greeting(theme: &Theme, area: Rect, buf: &mut Buffer) {
    let rows = [
        ("← →", "change ε, the size of the attack"),
        ("↑ ↓", "take another image"),
        ("Space", "play the attack step by step"),
        ("v", "let the attack know the defences"),
        ("?", "every key"),
    ];
    let place = window_place((52, 11), area);
    let inner = window("An oscilloscope for ε", place, theme, buf);
    let text = "A network classifies an image; an attack changes the image a little. Watch what is predicted then.";
    let mut y = inner.y;
    for line in wrap(text, inner.width.into()) {
        buf.set_string(inner.x, y, line, theme.base);
        y += 1;
    }
    y += u16::from(area.height > 14);
    for ((key, what), y) in rows.into_iter().zip(y..inner.bottom()) {
        buf.set_string(inner.x + 1, y, key, theme.key);
        let room = usize::from(inner.width).saturating_sub(8);
        buf.set_stringn(inner.x + 8, y, what, room, theme.base);
    }
    let more = " any key goes on ";
    let x = inner.right().saturating_sub(more.len() as u16);
    buf.set_string(x, place.bottom() - 1, more, theme.dim);
}
