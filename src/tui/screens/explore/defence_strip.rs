//! The defence strip: one cell for the undefended network and one for each defence.

use crate::defence::Stance;
use crate::experiment::{Outcome, Prediction};
use crate::tui::session::{Run, Session};
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::text::{columns, first_name, percent, shorten};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// One cell's words.
struct StripCell {
    name: String,
    answer: Option<CellPrediction>,
    /// What stands there where no prediction comes.
    missing: &'static str,
}

struct CellPrediction {
    glyph: &'static str,
    word: &'static str,
    label: String,
    confidence: String,
    extra: Option<String>,
    style: Style,
}

fn answer(
    session: &Session,
    prediction: &Prediction,
    (outcome, beyond): (Outcome, bool),
    extra: Option<f64>,
    old: bool,
) -> CellPrediction {
    let theme = &session.theme;
    let style = theme.outcome(outcome.holds());
    let name = first_name(&prediction.name);
    CellPrediction {
        glyph: outcome.glyph(),
        word: outcome.word(),
        // A way was found, but farther away than ε.
        label: match beyond {
            true => format!("{name} beyond ε"),
            false => name.to_string(),
        },
        confidence: percent(prediction.confidence),
        extra: extra.map(milliseconds),
        style: if old || session.faded() { theme.dim } else { style },
    }
}

fn milliseconds(ms: f64) -> String {
    let ms = ms.max(0.0);
    if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}

fn bare(session: &Session, run: &Run) -> Option<CellPrediction> {
    let report = run.report.as_ref()?;
    Some(answer(session, &report.adversarial, run.outcome(None)?, None, false))
}

fn cells(session: &Session) -> Vec<StripCell> {
    // A running attack has no answers yet: those of the last result stay, faded.
    let run = session.shown.as_ref();
    let mut out = vec![StripCell {
        name: "no defence".into(),
        answer: run.and_then(|run| bare(session, run)),
        missing: "–",
    }];
    for entry in session.active_defences() {
        let stance = entry.stance(session.stance);
        let row = run.and_then(|run| run.row(&entry.stack, stance));
        out.push(StripCell {
            name: match entry.stance {
                Some(stance) => format!("{} ({stance})", entry.stack),
                None => entry.stack.to_string(),
            },
            answer: row.map(|(row, old)| {
                let outcome = (row.outcome, row.is_beyond());
                answer(session, &row.adversarial, outcome, Some(row.extra_ms), old)
            }),
            missing: "not here",
        });
    }
    out
}

/// The columns of each cell: what its name needs, and its share of the rest.
fn widths(cells: &[StripCell], room: u16) -> Vec<u16> {
    let needed: Vec<u16> = cells.iter().map(|c| columns(&c.name).max(14) as u16 + 2).collect();
    let all: u16 = needed.iter().sum();
    let count = cells.len() as u16;
    match room.checked_sub(all) {
        Some(rest) => needed.iter().map(|n| n + rest / count).collect(),
        None => vec![room / count; cells.len()],
    }
}

/// Draws the strip: three rows a cell where there is room, else two; single lines where they are many.
pub fn draw(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let theme = &session.theme;
    let attack = session.plan.attack.name;
    let adaptive = session.stance != Stance::Naive;
    let heading = Line::from(vec![
        Span::styled("defences  ", theme.title),
        Span::styled("v ", theme.key),
        Span::styled(" naive ", if adaptive { theme.dim } else { theme.selected }),
        Span::styled(" adaptive ", if adaptive { theme.selected } else { theme.dim }),
    ]);
    let longer = match adaptive {
        true => format!("adaptive: {attack} attacks through each defence"),
        false => "naive: this is not robustness (the attack does not know the defence)".into(),
    };
    let brief =
        if adaptive { "attacked through the defence" } else { "naive: this is not robustness" };
    let room = usize::from(area.width).saturating_sub(heading.width() + 4);
    let note = if columns(&longer) <= room { longer } else { brief.to_string() };
    let style = if adaptive { theme.dim } else { theme.accent };
    let inner = panel(heading, Line::styled(note, style), area, theme, buf);
    let cells = cells(session);
    if inner.width < 15 * cells.len() as u16 {
        return grid(session, &cells, inner, buf);
    }
    let mut x = inner.x;
    for (cell, width) in cells.iter().zip(widths(&cells, inner.width)) {
        let place = Rect { x, width: width - 1, ..inner };
        x += width;
        buf.set_stringn(
            place.x,
            place.y,
            shorten(&cell.name, place.width.into()),
            place.width.into(),
            theme.strong,
        );
        let lines = match &cell.answer {
            Some(a) => spread(a, place, theme.dim),
            None => vec![Line::styled(missing(session, cell), theme.dim)],
        };
        for (line, y) in lines.iter().zip(place.y + 1..place.bottom()) {
            buf.set_line(place.x, y, line, place.width);
        }
    }
}

/// What stands where there is no prediction.
fn missing(session: &Session, cell: &StripCell) -> &'static str {
    match &session.shown {
        Some(run) if run.report.as_ref().is_some_and(|report| !report.attacked) => "–",
        Some(run) if run.cut => "–",
        Some(run) if run.done && !session.busy => cell.missing,
        _ if session.busy => "…",
        _ => "–",
    }
}

/// A prediction in the rows below the name.
fn spread(a: &CellPrediction, place: Rect, dim: Style) -> Vec<Line<'static>> {
    let width = usize::from(place.width);
    if place.height >= 3 {
        let longest = format!("{} {}: {}", a.glyph, a.word, a.label);
        let plain = format!("{} {}", a.glyph, a.label);
        let worded = columns(&longest) <= width && !a.label.ends_with('ε');
        let first = if worded { longest } else { shorten(&plain, width) };
        let share = Span::styled(format!("{} %", a.confidence), a.style);
        let extra = a.extra.as_ref().map_or(String::new(), |ms| format!("   +{ms} ms"));
        return vec![
            Line::styled(first, a.style),
            Line::from(vec![share, Span::styled(extra, dim)]),
        ];
    }
    let mut rest = format!(" {:.0}%", a.confidence.parse::<f32>().unwrap_or(0.0).floor());
    let mut late = a.extra.as_ref().map_or(String::new(), |ms| format!(" +{ms}ms"));
    if 2 + columns(&a.label) + columns(&rest) + columns(&late) > width {
        late.clear();
    }
    if 2 + columns(&a.label) + columns(&rest) > width {
        rest.clear();
    }
    let label = shorten(&a.label, width.saturating_sub(2 + columns(&rest)));
    vec![Line::from(vec![
        Span::styled(format!("{} {label}{rest}", a.glyph), a.style),
        Span::styled(late, dim),
    ])]
}

/// Columns that a cell of a single line needs at least.
const NARROW: u16 = 20;

/// The cells as single lines, in as many columns as it takes to show all of them.
fn grid(session: &Session, cells: &[StripCell], area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let most = (area.width / NARROW).max(1);
    let wanted = (cells.len() as u16).div_ceil(area.height.max(1));
    let across = wanted.clamp(1, most);
    let width = area.width / across;
    let room = usize::from(across * area.height);
    let hidden = if cells.len() > room { cells.len() + 1 - room } else { 0 };
    let longest = cells.iter().map(|cell| columns(&cell.name)).max().unwrap_or(0);
    let names = (longest + 1).min(usize::from(width) * 3 / 5);
    for (at, cell) in cells.iter().take(cells.len() - hidden).enumerate() {
        let (x, y) = (at as u16 / area.height * width, at as u16 % area.height);
        let (x, y) = (area.x + x, area.y + y);
        let name = shorten(&cell.name, names.saturating_sub(1));
        buf.set_stringn(x, y, name, names, theme.strong);
        let room = width.saturating_sub(names as u16 + 2);
        let place = Rect::new(x + names as u16 + 1, y, room, 2);
        let line = match &cell.answer {
            Some(a) => spread(a, place, theme.dim).swap_remove(0),
            None => Line::styled(missing(session, cell), theme.dim),
        };
        buf.set_line(place.x, y, &line, place.width);
    }
    if hidden > 0 {
        let (x, y) = (area.x + (across - 1) * width, area.bottom() - 1);
        let text = format!("+{hidden} more: 2");
        buf.set_stringn(x, y, shorten(&text, width.into()), width.into(), theme.accent);
    }
}
