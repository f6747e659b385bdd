//! The attack with its parameters, and ε.

use super::wording;
use crate::attack::Norm;
use crate::parameter::Value;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::keymap;
use crate::tui::widgets::slider::Slider;
use crate::tui::widgets::text::columns;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

/// Where the slider itself stands in its row.
pub fn track(app: &App, area: Rect) -> Rect {
    let value = columns(&value_text(app, area.width)) as u16;
    let left = 4;
    Rect {
        x: area.x + left,
        width: area.width.saturating_sub(left + value + 2),
        height: area.height.min(1),
        ..area
    }
}

fn value_text(app: &App, width: u16) -> String {
    let norm = app.plan.norm;
    let value = wording::epsilon(norm, app.plan.epsilon);
    let end = wording::epsilon_short(norm, app.largest_epsilon());
    // Always as wide, so that the slider keeps its place.
    match width {
        100.. => format!("{value:<20} {norm}, up to {end:<7}"),
        _ if norm == Norm::Linf => format!("{value:<19}"),
        _ => format!("{value:<8}"),
    }
}

/// Draws ε.
pub fn slider(app: &App, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &app.theme;
    buf.set_string(area.x + 1, area.y, "ε", theme.accent);
    let track = track(app, area);
    let slider = Slider {
        value: app.plan.epsilon,
        largest: app.largest_epsilon(),
        mark: app.usual_epsilon(),
        theme,
    };
    slider.render(track, buf);
    let room = usize::from(area.right().saturating_sub(track.right() + 1));
    buf.set_stringn(track.right() + 1, area.y, value_text(app, area.width), room, theme.accent);
}

/// Draws the attack, its aim, its parameters and the seed.
pub fn attack(app: &App, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &app.theme;
    let same = |plan: &crate::attack::Plan| {
        plan.attack == app.plan.attack && plan.settings == app.plan.settings
    };
    // What `auto` came to, where the result on the screen says so.
    let report =
        app.shown.as_ref().filter(|run| same(&run.job.plan)).and_then(|run| run.report.as_ref());
    let settings = report.map_or(&app.plan.settings, |report| &report.parameters);
    let parameters: Vec<String> = settings.iter().map(|(id, value)| parameter(id, value)).collect();
    let gap = if area.width >= 150 { "    " } else { "  " };
    let mut spans = vec![Span::raw(" ")];
    let mut room = usize::from(area.width).saturating_sub(2);
    let mut add = |action: Action, word: &str, value: String, style| {
        let key = keymap::keys_of(action).unwrap_or_default();
        let word = if word.is_empty() { String::new() } else { format!("{word} ") };
        let needed = columns(&key) + 1 + columns(&word) + columns(&value) + gap.len();
        if needed <= room + gap.len() {
            room = room.saturating_sub(needed);
            spans.push(Span::styled(key, theme.key));
            spans.push(Span::styled(format!(" {word}"), theme.dim));
            spans.push(Span::styled(value, style));
            spans.push(Span::raw(gap));
        }
        room
    };
    let wide = area.width >= 100;
    let word = |text: &'static str| if wide { text } else { "" };
    add(Action::ChooseAttack, word("attack"), wording::attack(&app.plan), theme.strong);
    add(Action::ChooseTarget, word("target"), wording::aim(app, app.plan.aim), theme.base);
    // In large windows n stands over the figures.
    let seed = app.plan.seed;
    let seed = if area.width >= 120 { seed.to_string() } else { format!("{seed}, n = 1") };
    let room = add(Action::NextSeed, "seed", seed, theme.base);
    let listed = some(&parameters, room.saturating_sub(2));
    if !listed.is_empty() {
        add(Action::EditAttack, "", listed, theme.base);
    }
    buf.set_line(area.x, area.y, &Line::from(spans), area.width);
}

/// A parameter in words: a switch by its name alone.
fn parameter(id: &str, value: Value) -> String {
    match value {
        Value::Bool(true) => id.to_string(),
        Value::Bool(false) => format!("no {id}"),
        _ => format!("{id} {value}"),
    }
}

/// As many parameters as fit, and how many more there are.
fn some(parameters: &[String], room: usize) -> String {
    for count in (0..=parameters.len()).rev() {
        let mut text = parameters[..count].join(" · ");
        if count < parameters.len() {
            let more = format!("+{}", parameters.len() - count);
            text = if count == 0 { more } else { format!("{text} · {more}") };
        }
        if columns(&text) <= room {
            return text;
        }
    }
    String::new()
}
