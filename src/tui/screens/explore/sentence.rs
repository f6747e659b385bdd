//! The result in words.

use crate::tui::session::Session;
use crate::tui::widgets::text::{shorten, wrap};
use crate::tui::wording;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The result in words, on one or two lines.
pub fn draw(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &session.theme;
    let Some((run, live)) = session.display() else {
        let text = if session.loading.is_empty() {
            ""
        } else {
            " one moment: model and images are loading"
        };
        buf.set_stringn(area.x, area.y, text, area.width.into(), theme.dim);
        return;
    };
    let Some(report) = run.report.as_ref().filter(|_| !live) else {
        let text = format!(" {} is running …", wording::attack(&run.job.plan));
        buf.set_stringn(area.x, area.y, text, area.width.into(), theme.dim);
        return;
    };
    let outcome = report.outcome();
    let style = if session.faded() { theme.dim } else { theme.outcome(outcome.holds()) };
    let width = usize::from(area.width).saturating_sub(4);
    let options = wording::sentences(run);
    let mut wrapped = options.iter().map(|text| wrap(text, width));
    let fitting = wrapped.clone().find(|lines| lines.len() <= usize::from(area.height));
    let mut lines = fitting.or_else(|| wrapped.next_back()).unwrap_or_default();
    if lines.len() > usize::from(area.height) {
        lines = vec![shorten(options.last().map_or("", |s| s), width)];
    }
    buf.set_string(area.x + 1, area.y, outcome.glyph(), style);
    for (text, y) in lines.iter().zip(area.y..area.bottom()) {
        buf.set_stringn(area.x + 3, y, text, width, style);
    }
}
