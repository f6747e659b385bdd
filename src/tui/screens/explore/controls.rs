//! The attack with its parameters, and ε.

use crate::attack::{Bound, Norm};
use crate::experiment::{distance_text, short_distance_text};
use crate::parameter::Value;
use crate::tui::action::Action;
use crate::tui::screens::attack_parameters;
use crate::tui::session::{EpsilonSearch, Session};
use crate::tui::widgets::slider::Slider;
use crate::tui::widgets::text::columns;
use crate::tui::wording;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

/// Where the slider itself stands in its row.
pub fn track(session: &Session, area: Rect) -> Rect {
    let value = columns(&value_text(session, area.width)) as u16;
    let left = 4;
    Rect {
        x: area.x + left,
        width: area.width.saturating_sub(left + value + 2),
        height: area.height.min(1),
        ..area
    }
}

fn value_text(session: &Session, width: u16) -> String {
    let norm = session.plan.norm;
    let value = distance_text(norm, session.plan.epsilon);
    let end = short_distance_text(norm, session.largest_epsilon());
    // Always as wide, so that the slider keeps its place.
    match width {
        100.. => format!("{value:<20} {norm}, up to {end:<7}"),
        _ if norm == Norm::Linf => format!("{value:<19}"),
        _ => format!("{value:<8}"),
    }
}

/// Draws ε.
pub fn slider(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &session.theme;
    buf.set_string(area.x + 1, area.y, "ε", theme.accent);
    let track = track(session, area);
    let idle = session.plan.attack.bound == Bound::Own;
    let found = session.found_epsilon();
    let words = found.map(|(epsilon, least)| {
        let size = short_distance_text(session.plan.norm, epsilon);
        format!("{} {size}", if least { "least" } else { "found at" })
    });
    let slider = Slider {
        value: session.plan.epsilon,
        largest: session.largest_epsilon(),
        mark: session.usual_epsilon(),
        found: found.zip(words.as_deref()).map(|((epsilon, _), words)| (epsilon, words)),
        between: session.epsilon_search.as_ref().and_then(EpsilonSearch::between),
        idle,
        theme,
    };
    slider.render(track, buf);
    let room = usize::from(area.right().saturating_sub(track.right() + 1));
    let style = if idle { theme.dim } else { theme.accent };
    buf.set_stringn(track.right() + 1, area.y, value_text(session, area.width), room, style);
    let why = [" its own parameters bound this attack, not ε ", " not bounded by ε "];
    let fits = |text: &&&str| columns(text) + 4 <= usize::from(track.width);
    if let Some(text) = why.iter().find(fits).filter(|_| idle) {
        let x = track.x + (track.width - columns(text) as u16) / 2;
        buf.set_string(x, area.y, text, theme.base);
    }
}

/// Draws the attack, its aim, its parameters and the seed.
pub fn attack(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &session.theme;
    let parameters: Vec<String> =
        session.plan.resolved().iter().map(|(id, value)| parameter(id, value.clone())).collect();
    let gap = if area.width >= 150 { "    " } else { "  " };
    let mut spans = vec![Span::raw(" ")];
    let mut room = usize::from(area.width).saturating_sub(2);
    let mut add = |action: Action, word: &str, value: String, style| {
        let key = session.keys.keys_of(action).unwrap_or_default();
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
    add(Action::ChooseAttack, word("attack"), wording::attack(&session.plan), theme.strong);
    add(
        Action::ChooseTarget,
        word("target"),
        wording::aim(session, session.plan.target),
        theme.base,
    );
    if let Some(surrogate) = &session.surrogate {
        add(Action::ChooseSurrogate, "crafted on", surrogate.clone(), theme.accent);
    }
    // In large windows n stands over the figures.
    let seed = session.plan.seed;
    let seed = if area.width >= 120 { seed.to_string() } else { format!("{seed}, n = 1") };
    let room = add(Action::NextSeed, "seed", seed, theme.base);
    let listed = some(&parameters, room.saturating_sub(2));
    if !listed.is_empty() {
        add(attack_parameters::OPEN, "", listed, theme.base);
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
