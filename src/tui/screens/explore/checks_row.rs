//! The evaluation checks of the result on show: a row, or a cell where there is little room.

use super::layout::CHECKS_CELL;
use crate::metrics::checks::CheckStatus;
use crate::tui::screens::checks;
use crate::tui::session::{CheckSummary, Session};
use crate::tui::widgets::text::columns;
use crate::tui::wording::check_style;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

fn count(summaries: &[CheckSummary], status: CheckStatus) -> usize {
    summaries.iter().filter(|summary| summary.status() == status).count()
}

/// Those that warn by name, the worst first; the others counted; and why the worst one warns.
pub fn draw(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    if area.width <= CHECKS_CELL {
        return cell(session, area, buf);
    }
    let theme = &session.theme;
    let mut spans = vec![
        Span::styled("checks  ", theme.title),
        Span::styled(session.keys.keys_of(checks::OPEN).unwrap_or_default(), theme.key),
        Span::raw("  "),
    ];
    let summaries = session.check_summaries();
    let mut named: Vec<&CheckSummary> =
        summaries.iter().filter(|summary| summary.status() > CheckStatus::Unlit).collect();
    named.sort_by_key(|summary| std::cmp::Reverse(summary.status()));
    let warns = named.iter().take_while(|summary| summary.status().warns()).count();
    let faded = |status| if session.faded() { theme.dim } else { check_style(theme, status) };
    let mut left = usize::from(area.width).saturating_sub(40);
    // Where something warns, why is worth more than the names of what does not.
    let most = if warns > 0 { warns } else { named.len() };
    let mut shown = 0;
    for summary in named.iter().take(most) {
        let text = format!("{} {}  ", summary.status().glyph(), summary.check.name);
        if columns(&text) > left {
            break;
        }
        left -= columns(&text);
        shown += 1;
        spans.push(Span::styled(text, faded(summary.status())));
    }
    let rest: Vec<&&CheckSummary> = named.iter().skip(shown).collect();
    for status in [CheckStatus::Red, CheckStatus::Amber, CheckStatus::Green] {
        let n = rest.iter().filter(|summary| summary.status() == status).count();
        if n > 0 {
            let more = if shown > 0 { " more" } else { "" };
            spans.push(Span::styled(format!("{} {n}{more}  ", status.glyph()), faded(status)));
        }
    }
    let unlit = count(&summaries, CheckStatus::Unlit);
    if unlit > 0 {
        spans.push(Span::styled(format!("{} {unlit}  ", CheckStatus::Unlit.glyph()), theme.dim));
    }
    if session.pending_checks.is_some() {
        spans.push(Span::styled("asking …  ", theme.accent));
    }
    let line = Line::from(spans);
    let used = line.width();
    buf.set_line(area.x, area.y, &line, area.width);
    if let Some(worst) = named.first().filter(|summary| summary.status().warns()) {
        let room = usize::from(area.width).saturating_sub(used);
        let mut words = std::iter::once(worst.reason()).chain(worst.brief());
        if let Some(text) = words.find(|text| columns(text) <= room) {
            buf.set_string(area.x + used as u16, area.y, text, theme.dim);
        }
    }
}

/// How many show what.
fn cell(session: &Session, area: Rect, buf: &mut Buffer) {
    let summaries = session.check_summaries();
    if summaries.is_empty() {
        return;
    }
    let theme = &session.theme;
    let key = session.keys.keys_of(checks::OPEN).unwrap_or_default();
    let mut spans = vec![Span::styled(key, theme.key)];
    for status in [CheckStatus::Red, CheckStatus::Amber, CheckStatus::Green] {
        let n = count(&summaries, status);
        let style = if n == 0 || session.faded() { theme.dim } else { check_style(theme, status) };
        spans.push(Span::styled(format!(" {}{n}", status.glyph()), style));
    }
    let line = Line::from(spans);
    let x = area.right().saturating_sub(line.width() as u16 + 1);
    buf.set_line(x, area.y, &line, area.width);
}
