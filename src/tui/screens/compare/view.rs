//! The Compare screen: a table for the chosen sample, one for many samples under it where there is
//! room, what they say in words, and the cell under the cursor in full.

use super::grid::{Grid, HEAD};
use super::state::{TableKind, View};
use super::table;
use crate::experiment::compare::{CompareReport, CompareRow};
use crate::experiment::{DefenceRow, short_distance_text};
use crate::metrics::checks;
use crate::printable::percent;
use crate::tui::widgets::text::{columns, first_name, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Where everything stands.
struct CompareLayout {
    tables: Vec<(TableKind, Rect)>,
    /// What the tables say.
    words: Rect,
    /// What all numbers depend on.
    caption: Rect,
    /// The cell under the cursor.
    detail: Rect,
}

fn places(view: View<'_>, report: &CompareReport, area: Rect) -> CompareLayout {
    let (mut y, bottom) = (area.y, area.bottom());
    let below =
        |rows: u16, from: u16| Rect { y: bottom.saturating_sub(from), height: rows, ..area };
    let lines = match area.height {
        36.. => 4,
        30.. => 3,
        16.. => 2,
        _ => 1,
    };
    let rest = area.height.saturating_sub(lines + 2);
    let parts = view.compare.parts(view.session);
    let needed = report.rows.len() as u16 + HEAD;
    let each = (rest / parts.len() as u16).min(needed + 1);
    let tables = parts.into_iter().map(|part| {
        let place = Rect { y, height: each, ..area };
        y += each;
        (part, place)
    });
    CompareLayout {
        tables: tables.collect(),
        words: below(lines, lines + 2),
        caption: below(1, 2),
        detail: below(1, 1),
    }
}

/// Draws the screen between header and footer.
pub fn draw(view: View<'_>, area: Rect, buf: &mut Buffer) {
    let report = view.compare.report(view.session);
    let places = places(view, &report, area);
    for (part, place) in &places.tables {
        table::draw(view, &report, *part, *place, buf);
    }
    words(view, &report, places.words, buf);
    let theme = &view.session.theme;
    let line = |place: Rect, text: &str, style: Style, buf: &mut Buffer| {
        buf.set_string(place.x, place.y, shorten(text, place.width.into()), style);
    };
    line(places.caption, &caption(view, &report, area.width), theme.dim, buf);
    if let Some((row, column)) = view.compare.cell_at(&report) {
        let (text, style) = detail(view, &report, row, column);
        line(places.detail, &text, style, buf);
    }
}

/// The cell under a place of the screen: its table, row and column.
pub fn cell_under(view: View<'_>, area: Rect, at: Position) -> Option<(TableKind, usize, usize)> {
    let report = view.compare.report(view.session);
    let places = places(view, &report, area);
    let (part, place) = places.tables.iter().find(|(_, place)| place.contains(at))?;
    let grid = Grid::new(view, &report, *part, *place);
    let (row, column) = grid.cell_under(at)?;
    Some((*part, row, column))
}

/// As many of the sentences as there is room for, in order; none is cut as long as another fits.
fn words(view: View<'_>, report: &CompareReport, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width).saturating_sub(2);
    let mut y = area.y;
    for sentence in &report.words {
        let lines = wrap(sentence, width);
        if y + lines.len() as u16 > area.bottom() {
            continue;
        }
        buf.set_string(area.x, y, "›", view.session.theme.accent);
        for line in lines {
            buf.set_string(area.x + 2, y, line, view.session.theme.strong);
            y += 1;
        }
    }
    if report.words.is_empty() && view.compare.running.is_some() {
        buf.set_string(
            area.x,
            y,
            "one moment: the cells fill as they are measured",
            view.session.theme.dim,
        );
    }
}

/// What all numbers depend on; less of it in narrow windows, where columns say their ε.
fn caption(view: View<'_>, report: &CompareReport, width: u16) -> String {
    let caption = report.caption();
    let options = [
        format!("{caption} · 95 % Wilson intervals, McNemar's exact test"),
        format!("{caption} · 95 % Wilson intervals"),
    ];
    if let Some(long) = options.into_iter().find(|text| columns(text) <= width.into()) {
        return long;
    }
    let sample = report.sample.as_ref().map_or("", |sample| &sample.name);
    let n = report.n.map_or(String::new(), |n| format!(" · n = {n} of {}", view.session.data_id()));
    let short = format!("{} · {sample}{n} · seed {} · 95 % intervals", report.model, report.seed);
    let pairs = format!("{short} · 6:0 counts the pairs that only one holds");
    if columns(&pairs) <= width.into() { pairs } else { short }
}

/// The cell under the cursor in one line, and its style.
fn detail(view: View<'_>, report: &CompareReport, row: &CompareRow, at: usize) -> (String, Style) {
    let theme = &view.session.theme;
    let Some(column) = report.attacks.get(at) else { return (String::new(), theme.dim) };
    let stance = row.stance.map_or(String::new(), |stance| format!(", {stance}"));
    let size = column.epsilon.map(|e| format!(" ε {}", short_distance_text(column.norm, e)));
    let head = format!("{}{stance} × {}{}", row.name, column.name, size.unwrap_or_default());
    if let Some(why) = &row.unfit {
        return (format!("{}: {why}", row.name), theme.accent);
    }
    let text = match view.compare.part {
        TableKind::Sample => row.cells.get(at).and_then(Option::as_deref).map(|cell| {
            let answer = cell.adversarial.named(first_name(&cell.adversarial.name), 1);
            let held = cell.held.map_or(String::new(), |held| {
                format!(", {} of {} answers hold", held.hits, held.n)
            });
            let draws = cell.draws.map_or(String::new(), |n| format!(", EOT over {n} draws"));
            let far = short_distance_text(column.norm, cell.distance.into());
            let cost = cell.cost.seconds * 1e3;
            let check = warning(cell).map_or(String::new(), |check| format!(" · {check}"));
            format!(
                "{}: {answer}{held}{draws}, ‖δ‖ {} {far}, {cost:.0} ms{check}",
                cell.outcome.word(),
                column.norm
            )
        }),
        TableKind::Many => {
            row.many.as_ref().and_then(|tally| tally.attacks.get(at).copied()?).map(|s| {
                let [low, high] = s.interval.map(|end| end * 100.0);
                let (held, hits, n) = (percent(s.value, 1), s.hits, s.n);
                let paired = row.many.as_ref().and_then(|tally| tally.against_bare[at]);
                let test = paired
                    .map_or(String::new(), |paired| format!("; against no defence: {paired}"));
                format!("{held} hold ({low:.1}–{high:.1} %), {hits} of {n}{test}")
            })
        }
    };
    match text {
        Some(text) => (format!("{head}: {text}"), theme.base),
        None => (format!("{head}: not there yet"), theme.dim),
    }
}

/// The worst of a cell's evaluation checks, where one warns.
fn warning(cell: &DefenceRow) -> Option<String> {
    let lit = checks::run_checks(&cell.checks).into_iter().filter(|verdict| verdict.status.warns());
    let worst = lit.max_by_key(|verdict| verdict.status)?;
    Some(format!("{} {}", worst.status.glyph(), worst.reason))
}
