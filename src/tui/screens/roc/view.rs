//! How the ROC curve of a detector is drawn, beside its numbers.

use crate::experiment::{RocReport, Share};
use crate::printable::percent;
use crate::tui::theme::Theme;
use crate::tui::widgets::page::TextPage;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line as Segment};

/// A detector's curve beside its figures.
pub fn draw(theme: &Theme, report: &RocReport, page: &mut TextPage<'_>) {
    let wide = (page.inner.width * 11 / 20).min(56);
    let below = page.inner.bottom().saturating_sub(page.y);
    let place = Rect { x: page.inner.x, y: page.y, width: wide, height: below.saturating_sub(2) };
    let colour = |style: Style| style.fg.unwrap_or_default();
    let (curve, chance) = (colour(theme.right), colour(theme.rule));
    Canvas::default()
        .marker(Marker::Braille)
        .background_color(theme.base.bg.unwrap_or_default())
        .x_bounds([0.0, 1.0])
        .y_bounds([0.0, 1.0])
        .paint(|context| {
            context.draw(&Segment { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0, color: chance });
            for pair in report.points.windows(2) {
                let ([x1, y1], [x2, y2]) = ([pair[0].fpr, pair[0].tpr], [pair[1].fpr, pair[1].tpr]);
                context.draw(&Segment { x1, y1, x2, y2, color: curve });
            }
            let (x, y) = (report.false_positives.value, report.detected.value);
            context.print(x, y, Line::styled("◆", theme.accent));
        })
        .render(place, page.buf);
    let under = Line::styled("0 %  of clean images refused  100 %", theme.dim);
    page.buf.set_line(place.x, place.bottom(), &under, wide);
    page.inner.x += wide + 2;
    page.inner.width = page.inner.width.saturating_sub(wide + 2);
    let share = |page: &mut TextPage<'_>, name: &str, share: &Share, style: Style| {
        let [low, high] = share.interval.map(|end| end * 100.0);
        page.line(&format!("{} {name}", percent(share.value, 1)), style);
        let (hits, n) = (share.hits, share.n);
        page.line(&format!("  {hits} of {n}, {low:.0}–{high:.0} %"), theme.dim);
    };
    let evades = if report.evaded.value >= 0.5 { theme.fooled } else { theme.right };
    share(page, "of clean ones refused", &report.false_positives, theme.base);
    share(page, "turned by the attack", &report.turned, theme.base);
    share(page, "of those refused", &report.detected, theme.right);
    share(page, "turned and not refused", &report.evaded, evades);
    page.line(&format!("{:.3} area under the curve", report.auc), theme.base);
    page.y += 1;
    page.text(&format!("◆ threshold {:.4}: {}", report.threshold, report.basis), theme.dim);
}
