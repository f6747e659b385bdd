//! What stands in a cell: a sign, a word or number, a colour.

use crate::experiment::{DefenceRow, Outcome, Prediction, Share};
use crate::tui::theme::Theme;
use crate::tui::widgets::text::{columns, first_name, shorten};
use ratatui::style::Style;

/// A cell's words: what stands at its left and at its right, and what is less important behind.
pub struct CellText {
    /// A sign and what it is about.
    pub text: String,
    /// What stands behind it, quieter, where there is room.
    pub more: String,
    /// The colour.
    pub style: Style,
}

impl CellText {
    /// A number that is neither good nor bad.
    pub fn plain(theme: &Theme, text: String) -> Self {
        Self { text, more: String::new(), style: theme.base }
    }

    /// Something without a result.
    pub fn quiet(theme: &Theme, text: &str) -> Self {
        Self { text: text.into(), more: String::new(), style: theme.dim }
    }
}

/// What came of an attack on the one sample.
pub fn outcome(theme: &Theme, cell: &DefenceRow, width: usize) -> CellText {
    let style = theme.outcome(cell.outcome.holds());
    let sign = cell.outcome.glyph();
    // A way was found, but farther away than ε.
    if cell.is_beyond() {
        let text = shorten(&format!("{sign} beyond ε"), width);
        return CellText { text, more: String::new(), style };
    }
    CellText { text: answered(sign, &cell.adversarial, width), more: String::new(), style }
}

/// The answer to the clean sample.
pub fn clean(theme: &Theme, answer: &Prediction, truth: Option<&str>, width: usize) -> CellText {
    let right = truth.is_none_or(|truth| truth == answer.name);
    let outcome = if right { Outcome::Right } else { Outcome::Wrong };
    let style = if right { theme.base } else { theme.outcome(false) };
    CellText { text: answered(outcome.glyph(), answer, width), more: String::new(), style }
}

/// A sign, an answer, and its confidence at the right; where there is no room for both, the answer.
fn answered(sign: &str, answer: &Prediction, width: usize) -> String {
    let share = match answer.confidence.is_nan() {
        true => String::new(),
        false => format!("{:.0}%", answer.confidence * 100.0),
    };
    let name = first_name(&answer.name);
    let room = width.saturating_sub(columns(&share) + 3);
    match columns(name) <= room {
        true => format!("{sign} {name:<room$} {share}"),
        false => format!("{sign} {}", shorten(name, width.saturating_sub(2))),
    }
}

/// How much of a whole, in a sign that needs no colour.
fn level(share: f64) -> char {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    LEVELS[((share * 8.0) as usize).min(7)]
}

/// A share with its interval.
pub fn share(share: Share, style: Style) -> CellText {
    let [low, high] = share.interval.map(|end| end * 100.0);
    CellText {
        text: format!("{} {:>3.0} %", level(share.value), share.value * 100.0),
        more: format!("{low:.0}–{high:.0}"),
        style,
    }
}

/// Milliseconds in four columns.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.2}"),
        ..100.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}
