//! How the list of the evaluation checks is drawn.

use crate::tui::session::{CheckSummary, Session, remedy_text};
use crate::tui::theme::Theme;
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{columns, shorten, wrap};
use crate::tui::wording::check_style;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// The rows that the list asks for.
pub const HEIGHT: u16 = 30;

/// The first row of the list that is shown, and how many are.
fn span(place: Rect, at: usize, count: usize) -> (usize, usize) {
    let inner = usize::from(place.height.saturating_sub(2));
    // The reason, the rule and the source need rows, too.
    let room = count.min(inner.saturating_sub(9).max(inner / 2));
    ((at + 1).saturating_sub(room), room)
}

/// The check under a row of the screen.
pub fn row_at(session: &Session, at: usize, place: Rect, y: u16) -> Option<usize> {
    let count = session.check_summaries().len();
    let (first, room) = span(place, at, count);
    let row = usize::from(y.checked_sub(place.y + 1)?);
    (row < room).then_some(first + row).filter(|at| *at < count)
}

/// Draws the list, and what there is to say of the check under the cursor.
pub fn draw(session: &Session, at: usize, place: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let summaries = session.check_summaries();
    let (first, room) = span(place, at, summaries.len());
    let title = match room < summaries.len() {
        true => format!("Evaluation checks {}–{} of {}", first + 1, first + room, summaries.len()),
        false => "Evaluation checks: what may be wrong with this result".into(),
    };
    let inner = window(&title, place, theme, buf);
    let Some(current) = summaries.get(at) else {
        buf.set_string(inner.x, inner.y, "there is no result yet", theme.dim);
        return;
    };
    let names = summaries.iter().map(|summary| columns(summary.check.name)).max().unwrap_or(0);
    let shown = summaries.iter().enumerate().skip(first).take(room);
    for ((i, summary), y) in shown.zip(inner.y..) {
        let row = Rect { y, height: 1, ..inner };
        let mut style = check_style(theme, summary.status());
        if i == at {
            buf.set_style(row, theme.selected);
            style = Style { fg: style.fg, ..theme.selected };
        }
        let mark = if i == at { "▸" } else { " " };
        let head = format!("{mark}{} {:names$}  ", summary.status().glyph(), summary.check.name);
        let x = buf.set_stringn(row.x, y, &head, row.width.into(), style).0;
        let width = usize::from(row.right().saturating_sub(x));
        let faint = if i == at { theme.selected } else { theme.base };
        buf.set_stringn(x, y, shorten(&summary.reason(), width), width, faint);
    }
    let below = Rect {
        y: inner.y + room as u16 + 1,
        height: inner.height.saturating_sub(room as u16 + 1),
        ..inner
    };
    for (line, y) in about(theme, current, inner.width.into()).iter().zip(below.y..below.bottom()) {
        buf.set_line(below.x, y, line, below.width);
    }
    let enter = match (current.status().warns(), current.remedy(), current.probe()) {
        (true, Some(remedy), _) => format!(" Enter {} ", remedy_text(session.plan.norm, remedy)),
        (_, _, Some(_)) => " Enter asks the model ".into(),
        _ => String::new(),
    };
    let all = match summaries.iter().any(|summary| summary.probe().is_some()) {
        _ if session.pending_checks.is_some() => " asking … ".to_string(),
        true => " L asks for all ".to_string(),
        false => String::new(),
    };
    let x = inner.right().saturating_sub(columns(&all) as u16);
    buf.set_string(x, place.bottom() - 1, &all, theme.accent);
    buf.set_stringn(inner.x, place.bottom() - 1, &enter, usize::from(x - inner.x), theme.accent);
}

/// What a check looks at, what it says of each result, its rule, and who says so.
fn about(theme: &Theme, summary: &CheckSummary, width: usize) -> Vec<Line<'static>> {
    let mut out = vec![Line::styled(summary.check.watches, theme.strong)];
    let worst = summary.status();
    // Results that show it for the same reason are named together.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (of, verdict) in summary.results.iter().take_while(|(_, v)| v.status == worst) {
        match reasons.iter_mut().find(|(reason, _)| *reason == verdict.reason) {
            Some((_, names)) => names.push(of),
            None => reasons.push((&verdict.reason, vec![of])),
        }
    }
    let mut add = |text: &str, style: Style| {
        out.extend(wrap(text, width).into_iter().map(|line| Line::styled(line, style)));
    };
    for (reason, names) in reasons.iter().take(3) {
        let names = names.join(" · ");
        let of = if names.is_empty() { names } else { format!("{names}: ") };
        add(&format!("{} {of}{reason}", worst.glyph()), check_style(theme, worst));
    }
    add(summary.check.rule, theme.base);
    add(&format!("what helps: {}", summary.check.remedy), theme.base);
    add(summary.check.source, theme.dim);
    out
}
