//! The lessons' screen: the list, and the sides of one lesson as bars.

use super::state::{COUNTS, Learn};
use crate::experiment::{LESSONS, LessonClaim, LessonSideReport};
use crate::printable::percent;
use crate::tui::session::Session;
use crate::tui::theme::Theme;
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::text::{columns, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The letter that measures lesson number `at`.
pub fn letter(at: usize) -> char {
    char::from(b'a' + at as u8)
}

/// Draws list and lesson on everything between header and footer.
pub fn draw(learn: &Learn, session: &Session, area: Rect, buf: &mut Buffer) {
    let longest = LESSONS.iter().map(|l| columns(l.id)).max().unwrap_or(0) as u16 + 6;
    // Beside the names what was found, where that leaves the bars enough room.
    let found = if area.width >= 100 { 9 } else { 0 };
    let left = Rect { width: (longest + found).min(area.width / 3), ..area };
    let x = left.right() + 2;
    let right = Rect { x, width: area.right().saturating_sub(x), ..area };
    list(learn, &session.theme, left, buf);
    lesson(learn, session, right, buf);
}

/// The lesson whose row this is.
pub fn row_at(area: Rect, y: u16) -> Option<usize> {
    let at = usize::from(y.checked_sub(area.y + 1)?);
    (at < LESSONS.len()).then_some(at)
}

fn list(learn: &Learn, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let heading = Line::styled("lessons", theme.title);
    let inner = panel(heading, Line::default(), area, theme, buf);
    let whole = |side: &LessonSideReport| format!("{:.0}", side.robust.value * 100.0);
    for (at, (lesson, y)) in LESSONS.iter().zip(inner.y..inner.bottom()).enumerate() {
        let running = learn.running.as_ref().is_some_and(|r| r.job.lesson == lesson);
        let (glyph, style) = match learn.reports.get(lesson.id) {
            _ if running => ("…", theme.accent),
            Some(report) if report.shown => ("✓", theme.right),
            Some(_) => ("✗", theme.fooled),
            None => ("·", theme.dim),
        };
        let name = if at == learn.at { theme.selected } else { theme.base };
        let room = usize::from(inner.width).saturating_sub(4);
        let mut text = format!("{:<room$}", shorten(lesson.id, room));
        let report = learn.reports.get(lesson.id);
        if let Some([first, .., last]) = report.map(|report| report.sides.as_slice()) {
            let found = format!("{}→{}", whole(first), whole(last));
            let cut = room.saturating_sub(columns(&found));
            if columns(lesson.id) < cut {
                text = format!("{:<cut$}{found}", lesson.id);
            }
        }
        let line = Line::from(vec![
            Span::styled(letter(at).to_string(), theme.key),
            Span::styled(format!(" {glyph} "), style),
            Span::styled(text, name),
        ]);
        buf.set_line(inner.x, y, &line, inner.width);
    }
}

fn lesson(learn: &Learn, session: &Session, area: Rect, buf: &mut Buffer) {
    let (theme, lesson) = (&session.theme, learn.lesson());
    let n = learn.reports.get(lesson.id).map_or(COUNTS[learn.count], |report| report.n);
    let note = format!("n = {n}, seed {}", session.plan.seed);
    let heading = Line::styled("what it shows", theme.title);
    let inner = panel(heading, Line::styled(note, theme.dim), area, theme, buf);
    let width = usize::from(inner.width);
    let mut y = inner.y;
    let mut line = |text: &str, style: Style, y: &mut u16| {
        if *y < inner.bottom() {
            buf.set_stringn(inner.x, *y, text, width, style);
        }
        *y += 1;
    };
    for text in wrap(lesson.title, width) {
        line(&text, theme.strong, &mut y);
    }
    // The bars matter most: the text gets what they leave.
    // Thick where there is room: it has to be read from the last row.
    let count = lesson.sides.len() as u16;
    let thick = if inner.height > 6 * count + 12 { 3 } else { 1 };
    let sides = (3 + thick) * count + 3;
    let room = usize::from(inner.bottom().saturating_sub(y + sides + 1));
    for text in wrap(lesson.about, width).into_iter().take(room) {
        line(&text, theme.dim, &mut y);
    }
    y += 1;
    let running = learn.running();
    for (at, made) in lesson.sides.iter().enumerate() {
        let place = Rect { y, height: inner.bottom().saturating_sub(y).min(2 + thick), ..inner };
        let share = match running {
            Some(running) if running.share.0 == at => Some(running.share.1),
            _ => None,
        };
        let plus = if made.defence.is_empty() { "" } else { " + " };
        let (attack, model, defence) = (made.attack_text(), made.model, made.defence);
        let what = format!("{attack}, {model}{plus}{defence}, {}", made.stance);
        side(theme, made.label, &what, (learn.side(at), share), place, buf);
        y += 3 + thick;
    }
    for (words, style) in [conclusion(learn, theme), (lesson.paper.into(), theme.dim)] {
        for text in wrap(&words, width) {
            if y < inner.bottom() {
                buf.set_stringn(inner.x, y, text, width, style);
            }
            y += 1;
        }
    }
}

/// One side: its name, its bar with the interval, and what was done.
fn side(
    theme: &Theme,
    label: &str,
    what: &str,
    (report, share): (Option<&LessonSideReport>, Option<f64>),
    area: Rect,
    buf: &mut Buffer,
) {
    if area.height < 3 {
        return;
    }
    let width = usize::from(area.width);
    let style = |robust: f64| if robust >= 0.5 { theme.right } else { theme.fooled };
    let number = match (report, share) {
        (Some(side), _) => {
            let [low, high] = side.robust.interval.map(|end| end * 100.0);
            let glyph = if side.robust.value >= 0.5 { "✓" } else { "✗" };
            let robust = percent(side.robust.value, 0);
            let text = format!("{glyph} {robust} robust ({low:.0}…{high:.0})");
            let clean = format!("{text}, {} clean", percent(side.clean.value, 0));
            if columns(label) + 2 + columns(&clean) <= width { clean } else { text }
        }
        (None, Some(share)) => format!("… {} done", percent(share, 0)),
        (None, None) => "not measured yet".to_string(),
    };
    let shown = report.map_or(theme.dim, |side| style(side.robust.value));
    let heading = Line::from(vec![
        Span::styled(format!("{label}  "), theme.strong),
        Span::styled(number, shown),
    ]);
    buf.set_line(area.x, area.y, &heading, area.width);
    let cells = area.width.min(100);
    let rows = area.y + 1..area.bottom() - 1;
    for (x, y) in rows.flat_map(|y| (0..cells).map(move |x| (x, y))) {
        let at = (f64::from(x) + 0.5) / f64::from(cells);
        let (symbol, style) = match report {
            Some(side) if at <= side.robust.value => ('█', style(side.robust.value)),
            Some(side) if at <= side.robust.interval[1] && at >= side.robust.interval[0] => {
                ('┄', style(side.robust.value))
            }
            _ => ('·', theme.rule),
        };
        buf[(area.x + x, y)].set_char(symbol).set_style(style);
    }
    buf.set_stringn(area.x, area.bottom() - 1, shorten(what, width), width, theme.dim);
}

fn conclusion(learn: &Learn, theme: &Theme) -> (String, Style) {
    let lesson = learn.lesson();
    let Some(report) = learn.reports.get(lesson.id).filter(|_| learn.running().is_none()) else {
        return (String::new(), theme.dim);
    };
    let robust = |side: &LessonSideReport| percent(side.robust.value, 0);
    let (first, last) = match report.sides.as_slice() {
        [first, .., last] => (robust(first), robust(last)),
        _ => return (String::new(), theme.dim),
    };
    let what = match report.claim {
        LessonClaim::Falls => format!("robust accuracy falls from {first} to {last}"),
        LessonClaim::Gains => {
            let alone = report.sides[..report.sides.len() - 1].iter();
            let alone: Vec<String> = alone.map(robust).collect();
            format!("together {last}, each part alone {}", alone.join(" and "))
        }
    };
    // The weakest of what has to differ decides.
    let weakest = report.contrasts.iter().find(|contrast| !contrast.contrast.is_more());
    let test = weakest.or(report.contrasts.first()).map(|contrast| contrast.contrast.to_string());
    let test = test.unwrap_or_default();
    match report.shown {
        true => (format!("✓ shown: {what} ({test})"), theme.right),
        false => {
            let more = "which is not significant: more images (+) may tell";
            (format!("✗ not shown: {what} ({test}), {more}"), theme.fooled)
        }
    }
}
