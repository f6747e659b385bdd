//! The plot of the iterations: margin, loss and size of the change, with the attack's own events, its
//! stages, and the playback's cursor. Black-box attacks are drawn over queries.

use super::stages;
use crate::tui::session::{History, HistoryEntry, Run, Session, along, by_queries};
use crate::tui::widgets::chart::{self, Chart};
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::text::{columns, shorten};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

/// The right end of the axis: what is expected while it runs, then what came.
fn end(history: &History, queries: bool, live: bool) -> f32 {
    let came = along(history.entries().last().map_or(&[], std::slice::from_ref), queries);
    let expected = match queries {
        true => history.expected_queries() as f32,
        false => history.expected().saturating_sub(1) as f32,
    };
    came.first().copied().unwrap_or_default().max(if live { expected } else { 0.0 })
}

/// The iteration under a column of the screen.
pub fn point_at(session: &Session, area: Rect, x: u16) -> Option<usize> {
    let run = session.shown.as_ref()?;
    let queries = by_queries(run.job.plan.attack);
    let place = chart::along_at(x, area, end(&run.history, queries, false));
    chart::nearest(&along(run.history.entries(), queries), place)
}

/// Where parts begin on the axis, the first one left out: stages by their name, restarts without.
fn parts(entries: &[HistoryEntry], along: &[f32]) -> Vec<(f32, &'static str)> {
    let pairs = entries.windows(2).zip(&along[1.min(along.len())..]);
    let begins: Vec<(f32, &'static str)> = pairs
        .filter_map(|(pair, along)| {
            let (one, other) = (&pair[0].point, &pair[1].point);
            match other.stage.filter(|_| one.stage != other.stage) {
                Some(stage) => Some((*along, stage.name())),
                None => (one.restart != other.restart).then_some((*along, "")),
            }
        })
        .collect();
    // Many restarts would hide the line.
    let few = begins.len() <= 8;
    begins.into_iter().filter(|(_, name)| few || !name.is_empty()).collect()
}

/// What is going on, at the right of the heading.
fn state(session: &Session, run: &Run, live: bool, at: Option<usize>, room: usize) -> String {
    let stop = run.history.entries().get(at.unwrap_or(run.history.len().saturating_sub(1)));
    let asked = stop.filter(|_| by_queries(run.job.plan.attack));
    // The report has counted the last questions too.
    let all = run.report.as_ref().filter(|_| at.is_none()).map_or(0, |report| report.queries);
    let asked = asked.map(|stop| format!("{} queries", stop.queries.max(all)));
    let (came, expected) = run.history.progress();
    let step = match (at.and(stop), session.playback.next.is_some()) {
        _ if live => format!("running {}/{}", came.saturating_sub(1), expected.saturating_sub(1)),
        (Some(stop), playing) => {
            format!("{} step {}", if playing { "▶" } else { "‖" }, stop.point.iteration)
        }
        (None, _) if run.history.is_empty() => String::new(),
        (None, _) => "Space plays".into(),
    };
    let place = if live { Some(run.history.len()) } else { at };
    let mark = place.and_then(|at| run.history.mark(at)).map(|(mark, _)| mark.to_string());
    let told = |parts: [&Option<String>; 3]| {
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join(" · ")
    };
    let (step, none) = (Some(step).filter(|step| !step.is_empty()), None);
    // The axis tells of queries too and the picture's heading of steps; the event stands here only.
    let brief = match (&mark, at) {
        (Some(mark), Some(_)) => {
            let glyph = if session.playback.next.is_some() { "▶" } else { "‖" };
            format!("{glyph} {mark}")
        }
        _ => told([&step, &mark, &none]),
    };
    let options = [told([&step, &asked, &mark]), told([&step, &mark, &none]), brief];
    let fitting = options.iter().find(|text| columns(text) <= room);
    fitting.cloned().unwrap_or_else(|| shorten(&options[2], room))
}

/// Draws the charts.
pub fn draw(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.height < 2 || area.width < chart::GUTTER + 4 {
        return;
    }
    let theme = &session.theme;
    let Some((run, live)) = session.display() else {
        let heading = Line::styled("iterations", theme.title);
        panel(heading, Line::default(), area, theme, buf);
        return;
    };
    let (history, queries) = (&run.history, by_queries(run.job.plan.attack));
    let entries = history.entries();
    let last = entries.len().saturating_sub(1);
    let at = if live { None } else { session.playback.at.map(|at| at.min(last)) };
    let heading = match (queries, &run.job.surrogate) {
        (true, None) => "queries".to_string(),
        (false, None) => "iterations".to_string(),
        (true, Some(surrogate)) => format!("queries of {surrogate}"),
        (false, Some(surrogate)) => format!("on {surrogate}"),
    };
    let note = state(
        session,
        run,
        live,
        at,
        usize::from(area.width).saturating_sub(columns(&heading) + 4),
    );
    let style = if at.is_some() { theme.accent } else { theme.dim };
    let heading = Line::styled(heading, theme.title);
    let mut inner = panel(heading, Line::styled(note, style), area, theme, buf);
    if history.stage().is_some() && inner.height >= 4 {
        stages::draw(session, run, live, Rect { height: 1, ..inner }, buf);
        (inner.y, inner.height) = (inner.y + 1, inner.height - 1);
    }
    let along = along(entries, queries);
    let end = end(history, queries, live);
    let cursor = at.and_then(|at| along.get(at).copied());
    let parts = parts(entries, &along);
    let begins: Vec<f32> = parts.iter().map(|(along, _)| *along).collect();
    let column = |value: fn(&HistoryEntry) -> f32| entries.iter().map(value).collect::<Vec<_>>();
    let size = format!("‖δ‖ {}", run.job.plan.norm);
    let (loss, margin, sizes) =
        (column(|s| s.point.loss), column(|s| s.point.margin), column(|s| s.point.size));
    // Without colours the line of the level alone tells above from below.
    let style = |coloured| match (session.faded(), theme.is_mono()) {
        (true, _) => theme.dim,
        (false, true) => theme.base,
        (false, false) => coloured,
    };
    let (below, plain, above) = (style(theme.fooled), style(theme.base), style(theme.right));
    let chart = |name, values, level, from_zero, above, below| Chart {
        name,
        along: &along,
        values,
        end,
        cursor,
        parts: &begins,
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
    let plot = chart::plot(inner);
    for (along, name) in parts {
        label(name, chart::column(along, end, plot) + 1, plot, session, buf);
    }
    if inner.height >= 2 && !entries.is_empty() {
        let row = Rect { y: inner.bottom() - 1, height: 1, ..plot };
        axis(session, run, end, cursor, &along, row, buf);
    }
}

/// A stage's name beside the line where it begins, where nothing else is written.
fn label(name: &str, x: u16, plot: Rect, session: &Session, buf: &mut Buffer) {
    let width = columns(name) as u16;
    let free = |y: u16| (x..x + width).all(|x| buf[(x, y)].symbol() == " ");
    if width > 0
        && x + width <= plot.right()
        && let Some(y) = (plot.y..plot.bottom()).find(|y| free(*y))
    {
        buf.set_string(x, y, name, session.theme.dim);
    }
}

/// The axis: its ends, and a tick for each event of the attack's own.
fn axis(
    session: &Session,
    run: &Run,
    end: f32,
    cursor: Option<f32>,
    along: &[f32],
    row: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    let queries = by_queries(run.job.plan.attack);
    let right = format!("{end:.0}");
    let entries = run.history.entries().iter().zip(along);
    let marked = entries.filter(|(stop, _)| stop.point.mark.is_some());
    let mut marked: Vec<f32> = marked.map(|(_, along)| *along).collect();
    let mut places: Vec<u16> = marked.iter().map(|a| chart::column(*a, end, row)).collect();
    places.dedup();
    // An event at every step is none.
    if places.len() * 2 > usize::from(row.width) {
        marked.clear();
    }
    let words = match (cursor, queries) {
        (Some(_), _) => "click or , . to step",
        (None, true) => "queries · margin < 0: fooled",
        (None, false) => "margin < 0: fooled",
    };
    let middle = row.x + row.width.saturating_sub(columns(words) as u16) / 2;
    if marked.is_empty() && usize::from(row.width) > columns(words) + 2 * right.len() + 4 {
        buf.set_string(middle, row.y, words, theme.dim);
    }
    buf.set_string(row.x, row.y, "0", theme.dim);
    let x = row.right().saturating_sub(right.len() as u16);
    if x > row.x + 2 {
        buf.set_string(x, row.y, right, theme.dim);
    }
    for along in marked {
        let x = chart::column(along, end, row);
        let passed = cursor.is_none_or(|cursor| along <= cursor);
        let style = if passed { theme.accent } else { theme.dim };
        let cell = &mut buf[(x, row.y)];
        // The axis' ends stay readable.
        if matches!(cell.symbol(), " " | "▴") {
            cell.set_char('▴').set_style(style);
        }
    }
}
