//! The transfer matrix: what was crafted on the row's model, judged by the column's.

use super::matrix::TransferMatrix;
use crate::engine::TransferSamples;
use crate::experiment::{Outcome, Report, Share, distance_text};
use crate::printable::percent;
use crate::tui::session::Session;
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{columns, first_name, shorten, wrap};
use crate::tui::wording;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The rows that the window of a matrix of so many models asks for.
pub fn height(models: usize) -> u16 {
    3 * models as u16 + 10
}

/// What stands in a cell, on two lines.
struct CellText {
    text: String,
    below: String,
    style: Style,
}

/// Draws the window.
pub fn draw(matrix: Option<&TransferMatrix>, session: &Session, place: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let plan = matrix.map_or(&session.plan, |matrix| &matrix.job.plan);
    let epsilon = distance_text(plan.norm, plan.epsilon);
    let heading = format!("Transfer of {} at ε {epsilon}", wording::attack(plan));
    let inner = window(&heading, place, theme, buf);
    let Some(matrix) = matrix else {
        buf.set_string(inner.x, inner.y, "one moment …", theme.dim);
        return;
    };
    let names = &matrix.job.models;
    let longest = names.iter().map(|name| columns(name)).max().unwrap_or(0) as u16;
    let left = longest.max(12).min(inner.width / 3);
    let each = (inner.width.saturating_sub(left + 2) / names.len() as u16).min(24);
    let line = |text: &str, width: u16| shorten(text, usize::from(width));
    let x = |column: usize| inner.x + left + 2 + column as u16 * each;
    buf.set_string(inner.x, inner.y, line(&counted(matrix), inner.width), theme.accent);
    buf.set_string(inner.x, inner.y + 2, line("crafted on ↓", left), theme.dim);
    buf.set_string(x(0), inner.y + 2, "tested on →", theme.dim);
    for (i, name) in names.iter().enumerate() {
        buf.set_string(x(i), inner.y + 3, line(name, each.saturating_sub(1)), theme.strong);
        let y = inner.y + 5 + 3 * i as u16;
        if y + 1 >= inner.bottom() {
            break;
        }
        buf.set_string(inner.x, y, line(name, left), theme.strong);
        for j in 0..names.len() {
            let words = words(session, matrix, i, j);
            buf.set_string(x(j), y, line(&words.text, each.saturating_sub(1)), words.style);
            buf.set_string(x(j), y + 1, line(&words.below, each.saturating_sub(1)), theme.dim);
        }
    }
    let text = "On the diagonal the attack is crafted on the network that it is tested on (white box); \
                elsewhere it is crafted on another one and only tested here.";
    let y = inner.y + 5 + 3 * names.len() as u16;
    for (line, y) in wrap(text, inner.width.into()).into_iter().zip(y..inner.bottom()) {
        buf.set_string(inner.x, y, line, theme.dim);
    }
}

/// On how many samples, and how far it is.
fn counted(matrix: &TransferMatrix) -> String {
    let on = match &matrix.job.samples {
        TransferSamples::One(sample) => format!("◂ on {} ▸", sample.name),
        TransferSamples::First(set, n) => format!("◂ on the first {n} of {} ▸", set.title),
    };
    match matrix.progress {
        (done, all) if !matrix.is_done() && all > 0 => format!("{on}   {} %", 100 * done / all),
        _ => on,
    }
}

fn words(session: &Session, matrix: &TransferMatrix, row: usize, column: usize) -> CellText {
    let white = if row == column { "white box" } else { "" };
    if let Some(report) = &matrix.report {
        let share = report.success.get(row).and_then(|row| row.get(column));
        return share.map_or_else(|| waiting(session), |share| rate(session, share));
    }
    match &matrix.cells[row][column] {
        Some(report) => one(session, report, white),
        None => waiting(session),
    }
}

fn waiting(session: &Session) -> CellText {
    CellText { text: "…".into(), below: String::new(), style: session.theme.dim }
}

/// A rate with its interval.
fn rate(session: &Session, share: &Share) -> CellText {
    if share.n == 0 {
        return CellText { text: "–".into(), below: "n = 0".into(), style: session.theme.dim };
    }
    let [low, high] = share.interval.map(|bound| bound * 100.0);
    CellText {
        text: format!("{} fooled", percent(share.value, 0)),
        below: format!("{low:.0}–{high:.0} %, n = {}", share.n),
        style: session.theme.outcome(share.value < 0.5),
    }
}

/// What became of one sample.
fn one(session: &Session, report: &Report, white: &str) -> CellText {
    let name = first_name(&report.adversarial.name);
    let outcome = report.outcome();
    let below = match outcome {
        Outcome::Wrong => outcome.word(),
        _ if report.is_beyond() => "beyond ε",
        _ => white,
    };
    CellText {
        text: format!("{} {}", outcome.glyph(), report.adversarial.named(name, 0)),
        below: below.into(),
        style: session.theme.outcome(outcome.holds()),
    }
}
