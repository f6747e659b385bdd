//! The search for the least ε: every try, and what came of it.

use crate::experiment::distance_text;
use crate::tui::session::{EpsilonSearch, Session};
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::wrap;
use crate::tui::wording;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The rows that the window asks for.
pub const HEIGHT: u16 = 24;

/// Draws the window.
pub fn draw(session: &Session, place: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let heading = format!("The least ε for {}", wording::attack(&session.plan));
    let mut inner = window(&heading, place, theme, buf);
    let Some(search) = &session.epsilon_search else {
        buf.set_string(inner.x, inner.y, "one moment …", theme.dim);
        return;
    };
    let text = search.sentence().unwrap_or_else(|| {
        "Doubling or halving ε until one try fools and one holds, then halfway between them.".into()
    });
    let style = match &search.found {
        Some(least) => theme.outcome(least.report.outcome().holds()),
        None => theme.dim,
    };
    for line in wrap(&text, inner.width.into()) {
        if inner.height > 0 {
            buf.set_string(inner.x, inner.y, line, style);
            (inner.y, inner.height) = (inner.y + 1, inner.height - 1);
        }
    }
    if inner.height > 4 {
        (inner.y, inner.height) = (inner.y + 1, inner.height - 1);
    }
    let lines = lines(session, search);
    // The last ones where not all fit.
    let hidden = lines.len().saturating_sub(inner.height.into());
    for (line, y) in lines.iter().skip(hidden).zip(inner.y..inner.bottom()) {
        buf.set_line(inner.x, y, line, inner.width);
    }
    if search.found.as_ref().is_some_and(|least| least.epsilon.is_some()) {
        let words = " Enter takes it ";
        let x = inner.right().saturating_sub(words.len() as u16);
        buf.set_string(x, place.bottom() - 1, words, theme.accent);
    }
}

/// A line a try.
fn lines(session: &Session, search: &EpsilonSearch) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let norm = search.job.plan.norm;
    let least = search.found.as_ref().and_then(|least| least.epsilon);
    let line = |(i, (epsilon, fooled)): (usize, &(f64, bool))| {
        let (glyph, word) = if *fooled { ("✗", "fooled") } else { ("✓", "holds") };
        let here = Some(*epsilon) == least;
        let size = format!("{:<22}", distance_text(norm, *epsilon));
        Line::from(vec![
            Span::styled(format!("{:>3}  ", i + 1), theme.dim),
            Span::styled(size, if here { theme.strong } else { theme.base }),
            Span::styled(format!("{glyph} {word}"), theme.outcome(!fooled)),
            Span::styled(if here { "   ◆ the least" } else { "" }, theme.strong),
        ])
    };
    let mut out: Vec<Line<'static>> = search.tried.iter().enumerate().map(line).collect();
    if let Some(epsilon) = search.trying {
        out.push(Line::from(vec![
            Span::styled(format!("{:>3}  ", out.len() + 1), theme.dim),
            Span::styled(format!("{:<22}", distance_text(norm, epsilon)), theme.base),
            Span::styled("● running", theme.accent),
        ]));
    }
    if search.tried.is_empty() && search.found.is_some() {
        let text = "The attack searches for the least change itself: one run.";
        out.push(Line::styled(text, theme.dim));
    }
    out
}
