//! The list of samples: number, true class, and whether the model is known to be wrong.

use crate::tui::session::{Session, Source};
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::text::{columns, first_name, shorten};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::ops::Range;

/// The rows shown, as places in [`Session::listed`], in a list of this height.
fn window(session: &Session, height: usize) -> Range<usize> {
    let here = session.listed.partition_point(|i| *i < session.sample);
    let first = here.saturating_sub(height / 2).min(session.listed.len().saturating_sub(height));
    first..(first + height).min(session.listed.len())
}

/// The sample under a row of the screen.
pub fn sample_at(session: &Session, area: Rect, y: u16) -> Option<usize> {
    let row = usize::from(y.checked_sub(area.y + 1)?);
    let shown = window(session, usize::from(area.height.saturating_sub(1)));
    shown.into_iter().nth(row).map(|at| session.listed[at])
}

/// Draws the list.
pub fn draw(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &session.theme;
    let title = match &session.source {
        Some(Source::Set(set)) => set.title.clone(),
        Some(Source::File(_)) => "your picture".into(),
        None => "loading …".into(),
    };
    let labels = session.data_labels();
    let note = match session.filter.and_then(|class| labels.get(class)) {
        Some(name) => Line::styled(format!("only {}", shorten(first_name(name), 12)), theme.accent),
        None => Line::styled(format!("{}", session.len()), theme.dim),
    };
    let inner = panel(Line::styled(title, theme.title), note, area, theme, buf);
    let shown = window(session, usize::from(inner.height));
    let digits = session.len().saturating_sub(1).to_string().len();
    for (at, y) in shown.zip(inner.y..) {
        let index = session.listed[at];
        let here = index == session.sample;
        let name = match (session.label(index).and_then(|l| labels.get(l)), &session.source) {
            (Some(name), _) => first_name(name).to_string(),
            (None, Some(Source::File(sample))) => sample.name.clone(),
            _ => String::new(),
        };
        let number = format!("{index:>digits$}");
        let mark = if session.mistakes.contains(&index) { " !" } else { "" };
        let room = usize::from(inner.width).saturating_sub(digits + 5 + columns(mark));
        let style = if here { theme.selected } else { theme.base };
        let quiet = if here { theme.selected } else { theme.dim };
        let line = Line::from(vec![
            Span::styled(if here { "▸" } else { " " }, style),
            Span::styled(format!("#{number} "), quiet),
            Span::styled(format!(" {}", shorten(&name, room)), style),
            Span::styled(mark, if here { theme.selected } else { theme.fooled }),
        ]);
        if here {
            buf.set_style(Rect { y, height: 1, ..inner }, theme.selected);
        }
        buf.set_line(inner.x, y, &line, inner.width);
    }
}
