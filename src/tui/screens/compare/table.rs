//! One of the two tables.

use super::cells::{self, CellText};
use super::grid::{Grid, HEAD};
use super::state::{COUNTS, StanceFilter, TableKind, View};
use crate::attack::Bound;
use crate::defence::Stance;
use crate::experiment::compare::{
    AttackColumn, CompareReport, CompareRow, DefenceOrder, LEGEND, ROBUST_NOTE,
};
use crate::experiment::{Share, short_distance_text};
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::text::{columns, first_name, shorten};
use crate::tui::wording::time_left;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Draws a table: its heading, the attacks, a line for each defence and stance.
pub fn draw(view: View<'_>, report: &CompareReport, part: TableKind, area: Rect, buf: &mut Buffer) {
    if area.height <= HEAD {
        return;
    }
    let theme = &view.session.theme;
    let here = view.compare.part == part;
    let heading = match part {
        TableKind::Sample => sample_heading(view, report),
        TableKind::Many => many_heading(view),
    };
    panel(heading, note(view, report, part), area, theme, buf);
    let grid = Grid::new(view, report, part, area);
    head(view, report, part, &grid, here, buf);
    let mut before = None;
    for (at, y) in grid.lines() {
        let row = &report.rows[at];
        let again = before == Some(row.defence.as_str());
        before = Some(row.defence.as_str());
        line(view, report, part, &grid, (at, y, again), buf);
    }
    let hidden = report.rows.len() - grid.rows.0 - grid.rows.1;
    if hidden > 0 || grid.rows.0 > 0 {
        let text = format!(" ↑{} ↓{hidden} ", grid.rows.0);
        let x = area.right().saturating_sub(columns(&text) as u16);
        buf.set_string(x, area.y + 1, text, theme.accent);
    }
}

fn chosen(view: View<'_>, options: &[(String, bool)]) -> Vec<Span<'static>> {
    let theme = &view.session.theme;
    let one = |(text, on): &(String, bool)| {
        Span::styled(format!(" {text} "), if *on { theme.selected } else { theme.dim })
    };
    options.iter().map(one).collect()
}

fn sample_heading(view: View<'_>, report: &CompareReport) -> Line<'static> {
    let theme = &view.session.theme;
    let name = report.sample.as_ref().map_or(String::new(), |sample| sample.name.clone());
    let label =
        report.label_name.as_deref().map_or(String::new(), |l| format!(", {}", first_name(l)));
    let mut spans = vec![Span::styled(format!("{name}{label}  "), theme.title)];
    spans.push(Span::styled("v", theme.key));
    spans.extend(chosen(
        view,
        &StanceFilter::ALL.map(|(stance_filter, name)| {
            (name.to_string(), stance_filter == view.compare.stance_filter)
        }),
    ));
    Line::from(spans)
}

fn many_heading(view: View<'_>) -> Line<'static> {
    let theme = &view.session.theme;
    let mut spans = vec![Span::styled("robust accuracy over  ", theme.title)];
    spans.push(Span::styled("n", theme.key));
    let count = |(at, n): (usize, &usize)| (n.to_string(), at == view.compare.count);
    let counts: Vec<(String, bool)> = COUNTS.iter().enumerate().map(count).collect();
    spans.extend(chosen(view, &counts));
    Line::from(spans)
}

/// At the right of a heading: what is measured now, else order and filter, else what naive means.
fn note(view: View<'_>, report: &CompareReport, part: TableKind) -> Line<'static> {
    let theme = &view.session.theme;
    let (there, all) = progress(report, part);
    if view.compare.running.is_some() && there < all {
        let percent = format!("● {} %, {}", 100 * there / all.max(1), time_left(view.compare.left));
        let busy = format!("{percent} {}", view.compare.last);
        return Line::styled(busy, theme.accent);
    }
    let mut words = Vec::new();
    if view.compare.sort != DefenceOrder::Registry {
        words.push(format!("sorted by {}", view.compare.sort.name()));
    }
    if !view.compare.filter.is_empty() {
        words.push(format!("only '{}'", view.compare.filter));
    }
    let naive = view.compare.stance_filter == StanceFilter::Naive;
    match (words.is_empty(), part) {
        (false, _) => Line::styled(words.join(", "), theme.accent),
        (true, _) if naive => Line::styled("naive: this is not robustness", theme.accent),
        (true, TableKind::Sample) => Line::styled(LEGEND, theme.dim),
        (true, TableKind::Many) => Line::styled(ROBUST_NOTE, theme.dim),
    }
}

/// How many cells, or samples in cells, are there, and of how many.
fn progress(report: &CompareReport, part: TableKind) -> (usize, usize) {
    let rows = || report.rows.iter().filter(|row| row.unfit.is_none());
    let n = report.n.unwrap_or(0);
    let count = |row: &CompareRow| match part {
        TableKind::Sample => row.cells.iter().flatten().count(),
        TableKind::Many => {
            let shares = row.many.iter().flat_map(|tally| tally.attacks.iter().flatten());
            shares.map(|share| share.n).sum()
        }
    };
    let each = if part == TableKind::Sample { 1 } else { n };
    (rows().map(count).sum(), rows().count() * report.attacks.len() * each)
}

/// The attacks, each with its norm and ε under it.
fn head(
    view: View<'_>,
    report: &CompareReport,
    part: TableKind,
    grid: &Grid,
    here: bool,
    buf: &mut Buffer,
) {
    let theme = &view.session.theme;
    let y = grid.area.y + 1;
    let mut word = |x: u16, y: u16, text: &str, width: u16, style: Style| {
        let room = usize::from(width).saturating_sub(1);
        buf.set_string(x, y, shorten(text, room), style);
    };
    let x = grid.area.x + grid.name + grid.stance;
    match part {
        TableKind::Sample => word(x, y, "clean", grid.clean, theme.dim),
        TableKind::Many => {
            word(x, y, "clean", grid.clean, theme.dim);
            word(x + grid.clean, y, "worst", grid.worst, theme.dim);
            word(x + grid.clean, y + 1, "of all", grid.worst, theme.dim);
        }
    }
    for (at, x) in grid.columns() {
        let column = &report.attacks[at];
        let style = if here && at == view.compare.at.1 { theme.strong } else { theme.base };
        let name = view.compare.columns.get(at).map_or("", |column| column.attack.name);
        word(x, y, brief(name, grid.each), grid.each, style);
        word(x, y + 1, &bound(column), grid.each, theme.dim);
    }
    word(grid.right(), y, "ms", grid.ms, theme.dim);
    let (first, shown) = grid.attacks;
    let hidden = report.attacks.len() - first - shown;
    if first + hidden > 0 {
        let text = format!("‹{first} {hidden}›");
        word(grid.right(), y + 1, &text, grid.ms, theme.accent);
    }
}

/// A name, or its first word where there is room for no more.
fn brief(name: &str, width: u16) -> &str {
    let fits = |text: &str| columns(text) < usize::from(width);
    let first = name.split(' ').next().filter(|first| !fits(name) && fits(first));
    first.unwrap_or(name)
}

/// What bounds an attack, in few columns.
fn bound(column: &AttackColumn) -> String {
    match (column.extent, column.epsilon) {
        (Bound::Own, _) | (_, None) => "no ε".into(),
        (_, Some(epsilon)) => {
            format!("{} {}", column.norm, short_distance_text(column.norm, epsilon))
        }
    }
}

/// The line of a defence under a stance; `again`, where the one above it is the same defence's.
fn line(
    view: View<'_>,
    report: &CompareReport,
    part: TableKind,
    grid: &Grid,
    (at, y, again): (usize, u16, bool),
    buf: &mut Buffer,
) {
    let (theme, row) = (&view.session.theme, &report.rows[at]);
    let stance = row.stance.map_or("", Stance::id);
    let under = grid.stance == 0 && view.compare.stance_filter == StanceFilter::Both;
    let (name, style) = match (again, under) {
        (true, true) => (format!("  └ {stance}"), theme.dim),
        (true, false) => (String::new(), theme.dim),
        (false, _) => (row.name.clone(), theme.strong),
    };
    let x = grid.area.x;
    buf.set_string(x, y, shorten(&name, usize::from(grid.name) - 1), style);
    if grid.stance > 0 {
        buf.set_string(x + grid.name, y, stance, theme.dim);
    }
    let x = x + grid.name + grid.stance;
    if row.unfit.is_some() {
        buf.set_string(x, y, if again { "" } else { "does not apply here" }, theme.dim);
        return;
    }
    let cell = |x: u16, width: u16| Rect { x, y, width: width.saturating_sub(1), height: 1 };
    let waiting = || CellText::quiet(theme, if view.compare.running.is_some() { "·" } else { "–" });
    // What does not depend on the stance is said once.
    let once = |words: Option<CellText>| match again {
        true => CellText::quiet(theme, ""),
        false => words.unwrap_or_else(waiting),
    };
    let judged = |share: Share| cells::share(share, theme.outcome(share.value >= 0.5));
    let tally = row.many.as_ref();
    match part {
        TableKind::Sample => {
            let place = cell(x, grid.clean);
            let (truth, room) = (report.label_name.as_deref(), usize::from(place.width).min(11));
            let clean = row.clean.as_ref().map(|a| cells::clean(theme, a, truth, room));
            put(&once(clean), place, None, buf);
        }
        TableKind::Many => {
            let clean = tally.map(|tally| cells::share(tally.clean, theme.base));
            put(&once(clean), cell(x, grid.clean), None, buf);
            let worst = tally.and_then(|tally| tally.worst).map(judged);
            let place = cell(x + grid.clean, grid.worst);
            put(&worst.unwrap_or_else(waiting), place, None, buf);
        }
    }
    for (column, x) in grid.columns() {
        let place = cell(x, grid.each);
        let words = match part {
            TableKind::Sample => row.cells[column]
                .as_deref()
                .map(|cell| cells::outcome(theme, cell, usize::from(place.width))),
            TableKind::Many => tally.and_then(|tally| tally.attacks[column]).map(judged),
        };
        let here = view.compare.part == part && view.compare.at == (at, column);
        put(&words.unwrap_or_else(waiting), place, here.then_some(theme.selected), buf);
    }
    let ms = row.ms.map(|ms| CellText::plain(theme, cells::milliseconds(ms)));
    put(&once(ms), cell(grid.right(), grid.ms), None, buf);
}

/// Puts words into a cell; under the cursor, on another ground in their own colour.
fn put(words: &CellText, place: Rect, cursor: Option<Style>, buf: &mut Buffer) {
    let mut style = words.style;
    if let Some(cursor) = cursor {
        style = cursor.fg(words.style.fg.unwrap_or(Color::Reset));
        buf.set_style(place, style);
    }
    buf.set_stringn(place.x, place.y, &words.text, place.width.into(), style);
    let used = columns(&words.text) as u16 + 1;
    if used + columns(&words.more) as u16 <= place.width {
        let quiet = style.remove_modifier(Modifier::BOLD);
        buf.set_string(place.x + used, place.y, &words.more, quiet);
    }
}
