//! The iterations: loss, margin and size of the change, with the playback's cursor.

use crate::tui::app::App;
use crate::tui::widgets::chart::{self, Chart};
use crate::tui::widgets::panel::panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

/// The iteration under a column of the screen.
pub fn point_at(app: &App, area: Rect, x: u16) -> Option<usize> {
    let run = app.shown.as_ref()?;
    let at = chart::index_at(x, area, run.points.len());
    (!run.points.is_empty()).then_some(at)
}

/// Draws the charts.
pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height < 2 || area.width < chart::GUTTER + 4 {
        return;
    }
    let theme = &app.theme;
    let shown = app.display();
    let points = shown.map_or(&[][..], |(run, _)| &run.points);
    let live = shown.is_some_and(|(_, live)| live);
    let last = points.len().saturating_sub(1);
    let cursor = if live { None } else { app.playback.at.map(|at| at.min(last)) };
    let at = cursor.and_then(|at| points.get(at));
    let state = match (at, app.playback.next.is_some()) {
        _ if live => "running".to_string(),
        (Some(p), true) => format!("▶ step {}", p.iteration),
        (Some(p), false) => format!("‖ step {}", p.iteration),
        (None, _) if points.is_empty() => String::new(),
        (None, _) => "Space plays".to_string(),
    };
    let inner = panel(
        Line::styled("iterations", theme.title),
        Line::styled(state, if at.is_some() { theme.accent } else { theme.dim }),
        area,
        theme,
        buf,
    );
    let expected =
        shown.map_or(0, |(run, live)| if live { run.expected } else { run.points.len() });
    let column =
        |value: fn(&crate::experiment::Point) -> f32| points.iter().map(value).collect::<Vec<_>>();
    let norm = shown.map_or(app.plan.norm, |(run, _)| run.job.plan.norm);
    let size = format!("‖δ‖ {norm}");
    let (loss, margin, sizes) = (column(|p| p.loss), column(|p| p.margin), column(|p| p.size));
    // Without colours the line of the level alone tells above from below.
    let style = |coloured| match (app.faded(), theme.is_mono()) {
        (true, _) => theme.dim,
        (false, true) => theme.base,
        (false, false) => coloured,
    };
    let (below, plain, above) = (style(theme.fooled), style(theme.base), style(theme.right));
    let chart = |name, values, level, from_zero, above, below| Chart {
        name,
        values,
        expected,
        cursor,
        level,
        from_zero,
        above,
        below,
        theme,
    };
    let charts = [
        chart("margin", &margin, Some(0.0), false, above, below),
        chart("loss", &loss, None, false, plain, plain),
        chart(size.as_str(), &sizes, None, true, plain, plain),
    ];
    // One row for the axis; as many charts as fit with two rows each.
    let rows = inner.height.saturating_sub(1).max(1);
    let count = (rows / 2).clamp(1, 3);
    let gap = u16::from(rows / count >= 5);
    let each = rows / count;
    for (i, chart) in charts.into_iter().take(count.into()).enumerate() {
        let y = inner.y + i as u16 * each;
        chart.render(Rect { y, height: (each - gap).max(1), ..inner }, buf);
    }
    if inner.height >= 2 && expected > 0 {
        let plot = chart::plot(inner);
        let y = inner.bottom() - 1;
        let end = (expected - 1).to_string();
        buf.set_string(plot.x, y, "0", theme.dim);
        let x = plot.right().saturating_sub(end.len() as u16);
        if x > plot.x + 2 {
            buf.set_string(x, y, end, theme.dim);
        }
        let words = if cursor.is_some() { "click or , . to step" } else { "margin < 0: fooled" };
        let middle = plot.x + plot.width.saturating_sub(words.len() as u16) / 2;
        if plot.width as usize > words.len() + 8 {
            buf.set_string(middle, y, words, theme.dim);
        }
    }
}
