//! The race: a lane for each attack, all on one axis.

use super::state::{Lane, Race};
use crate::attack::Bound;
use crate::experiment::{Outcome, Report, distance_text, short_distance_text};
use crate::show::Graphics;
use crate::tui::session::{Session, along};
use crate::tui::widgets::chart::{self, Chart};
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::picture::{PictureStyle, PictureView};
use crate::tui::widgets::text::{columns, first_name, short, shorten};
use crate::tui::wording;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

/// Draws the race on everything between header and footer.
pub fn draw(race: &Race, session: &Session, area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let sample = session.current_sample().map_or(String::new(), |sample| sample.name);
    let truth = race
        .clean
        .as_ref()
        .map_or(String::new(), |clean| format!(", {}", first_name(&clean.prediction.name)));
    let axis = Axis::new(race);
    let epsilon = distance_text(session.plan.norm, session.plan.epsilon);
    let mut heading = format!("race on {sample}{truth} · {} ε {epsilon}", session.plan.norm);
    if let Some(surrogate) = &session.surrogate {
        heading.push_str(&format!(" · crafted on {surrogate}"));
    }
    let heading = Line::styled(shorten(&heading, usize::from(area.width)), theme.title);
    let note =
        Line::from(vec![Span::styled("x ", theme.key), Span::styled(axis.words(), theme.dim)]);
    let mut inner = panel(heading, note, area, theme, buf);
    let count = race.lanes.len().max(1) as u16;
    if inner.height < 2 * count {
        return;
    }
    inner.height -= 1;
    let each = (inner.height / count).min(15);
    for (i, lane) in race.lanes.iter().enumerate() {
        let place = Rect { y: inner.y + i as u16 * each, height: each, ..inner };
        draw_lane(session, i, lane, &axis, place, buf);
    }
    let y = inner.y + count * each;
    let (plot, _) = split(session, Rect { y, height: each, ..inner });
    axis.draw(session, chart::plot(Rect { height: 1, ..plot }), buf);
}

/// The axis that all lanes share.
struct Axis {
    /// Over queries instead of iterations.
    queries: bool,
    /// Its right end.
    end: f32,
    /// Whether it is logarithmic: where lanes are of very different lengths.
    logarithmic: bool,
}

impl Axis {
    fn new(race: &Race) -> Self {
        let queries = race.by_queries;
        // As long as is expected, so that the axis stays as it is while they run.
        let end = |lane: &Lane| match (queries, lane.result.is_some()) {
            (_, true) => along(lane.history.entries(), queries).last().copied().unwrap_or(1.0),
            (true, false) => lane.history.expected_queries() as f32,
            (false, false) => lane.history.expected().saturating_sub(1) as f32,
        };
        let ends: Vec<f32> = race.lanes.iter().map(end).collect();
        let longest = ends.iter().copied().fold(1.0, f32::max);
        let shortest = ends.iter().copied().filter(|end| *end > 0.0).fold(longest, f32::min);
        Self { queries, end: longest, logarithmic: longest > 8.0 * shortest.max(1.0) }
    }

    /// What is drawn over what.
    fn words(&self) -> &'static str {
        match (self.queries, self.logarithmic) {
            (true, true) => "margin over queries, logarithmic",
            (true, false) => "margin over queries",
            (false, true) => "margin over iterations, logarithmic",
            (false, false) => "margin over iterations",
        }
    }

    /// The place of so many iterations or queries, in units of its own.
    fn place(&self, count: f32) -> f32 {
        if self.logarithmic { count.ln_1p() } else { count }
    }

    fn draw(&self, session: &Session, row: Rect, buf: &mut Buffer) {
        let dim = session.theme.dim;
        let mut word = |count: f32| {
            let text = format!("{count:.0}");
            let width = columns(&text) as u16;
            let x = chart::column(self.place(count), self.place(self.end), row);
            let x = x.saturating_sub(width / 2).clamp(row.x, row.right().saturating_sub(width));
            let free = (x.saturating_sub(1)..(x + width + 1).min(row.right()))
                .all(|x| buf[(x, row.y)].symbol() == " ");
            if free {
                buf.set_string(x, row.y, text, dim);
            }
        };
        word(0.0);
        word(self.end);
        let mut decade = 10.0;
        while decade < self.end && self.logarithmic {
            word(decade);
            decade *= 10.0;
        }
    }
}

/// The room of the chart, and that of the picture beside it where there is enough.
fn split(session: &Session, lane: Rect) -> (Rect, Rect) {
    let (w, h) = session.image_size();
    let rows = lane.height.saturating_sub(1);
    let columns = (rows * 2 * w as u16) / (h as u16).max(1);
    if lane.width < 100 || rows < 4 || columns > lane.width / 4 {
        return (lane, Rect::ZERO);
    }
    let chart = Rect { width: lane.width - columns - 2, ..lane };
    (chart, Rect { x: chart.right() + 2, y: lane.y, width: columns, height: rows })
}

fn draw_lane(
    session: &Session,
    number: usize,
    lane: &Lane,
    axis: &Axis,
    place: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    let (room, side) = split(session, place);
    let style = verdict(session, lane).1;
    let words = words(session, number, lane, axis.queries, usize::from(room.width));
    buf.set_line(room.x, room.y, &words, room.width);
    let entries = lane.history.entries();
    let counts = along(entries, axis.queries);
    let along: Vec<f32> = counts.into_iter().map(|count| axis.place(count)).collect();
    let margin: Vec<f32> = entries.iter().map(|entry| entry.point.margin).collect();
    let first = lane.first.map(|(number, queries)| match axis.queries {
        true => axis.place(queries as f32),
        false => axis.place(number as f32),
    });
    let plain = if theme.is_mono() { theme.base } else { theme.right };
    let below = if theme.is_mono() { theme.base } else { theme.fooled };
    Chart {
        name: "margin",
        along: &along,
        values: &margin,
        end: axis.place(axis.end),
        cursor: first,
        parts: &[],
        level: Some(0.0),
        from_zero: false,
        above: plain,
        below,
        theme,
    }
    .render(Rect { y: room.y + 1, height: room.height.saturating_sub(1).max(1), ..room }, buf);
    let picture = lane
        .report()
        .map(|report| report.picture.clone())
        .or_else(|| entries.iter().rev().find_map(|entry| entry.point.picture.clone()));
    if let Some(picture) = picture.filter(|_| !side.is_empty()) {
        let ascii = theme.is_mono() || session.graphics == Graphics::Ascii;
        PictureView { picture: &picture, look: PictureStyle { theme, ascii, faded: false } }
            .render(side, buf);
        let ended = lane.report().map(Report::outcome).filter(|outcome| !outcome.holds());
        let mark = ended.map_or("", Outcome::glyph);
        buf.set_string(side.x, side.y, mark, style);
    }
}

/// The verdict of a lane, and its style.
fn verdict(session: &Session, lane: &Lane) -> (String, Style) {
    let theme = &session.theme;
    let (came, expected) = lane.history.progress();
    match (&lane.result, lane.report()) {
        (None, _) if lane.history.is_empty() => ("waiting".into(), theme.dim),
        (None, _) => {
            let text = format!("● {}/{}", came.saturating_sub(1), expected.saturating_sub(1));
            (text, theme.accent)
        }
        (Some(Err(error)), _) => (format!("! {}", error.what), theme.fooled),
        (_, Some(report)) => (answer(report), theme.outcome(report.outcome().holds())),
        _ => (String::new(), theme.base),
    }
}

/// What the network answers now, and whether that counts.
fn answer(report: &Report) -> String {
    let name = first_name(&report.adversarial.name);
    let shown = report.adversarial.named(name, 0);
    let outcome = report.outcome();
    let words = match outcome {
        Outcome::Wrong => outcome.word().to_string(),
        Outcome::Fooled => format!("becomes {shown}"),
        _ if report.is_beyond() => format!("{name} only beyond ε"),
        _ => format!("holds: {shown}"),
    };
    format!("{} {words}", outcome.glyph())
}

/// A lane's heading: who, what came of it, when first, how far, what it cost; the least important
/// is left out first.
fn words(
    session: &Session,
    number: usize,
    lane: &Lane,
    by_queries: bool,
    width: usize,
) -> Line<'static> {
    let theme = &session.theme;
    let (verdict, style) = verdict(session, lane);
    let first = lane.first.map(|(number, queries)| match by_queries {
        true => format!("first at query {queries}"),
        false => format!("first at step {number}"),
    });
    let queries = lane.history.entries().last().map_or(0, |entry| entry.queries);
    let asked = lane.report().map_or(queries, |report| report.queries.max(queries));
    let size = match lane.report() {
        Some(report) => Some(report.distance),
        None => lane.history.entries().last().map(|entry| entry.point.size),
    };
    let size = size.map(|size| format!("‖δ‖ {}", short(size)));
    let other = lane.plan.norm != session.plan.norm;
    let bound = match lane.plan.attack.bound {
        Bound::Own => Some("its own bounds".to_string()),
        _ if other => Some(format!("ε {}", short_distance_text(lane.plan.norm, lane.plan.epsilon))),
        _ => None,
    };
    let time = lane.result.as_ref().map(|_| format!("{:.0} ms", lane.worked.as_secs_f64() * 1e3));
    let queries = (!lane.history.is_empty()).then(|| format!("{asked} queries"));
    let name = wording::attack(&lane.plan);
    let mut spans = vec![
        Span::styled(format!("{} ", number + 1), theme.dim),
        Span::styled(name, theme.strong),
        Span::raw("  "),
        Span::styled(verdict, style),
    ];
    let mut room = width.saturating_sub(spans.iter().map(|s| columns(&s.content)).sum());
    for text in [first, size, queries, bound, time].into_iter().flatten() {
        let needed = columns(&text) + 3;
        if needed > room {
            break;
        }
        room -= needed;
        spans.extend([Span::styled(" · ", theme.rule), Span::styled(text, theme.base)]);
    }
    Line::from(spans)
}
