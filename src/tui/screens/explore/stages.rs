//! The stages of an attack such as AutoAttack, and the state of each.

use crate::tui::session::{Run, Session};
use crate::tui::widgets::text::columns;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The state of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageState {
    /// Its turn has not come.
    Waiting,
    /// It runs: so many iterations done, of so many.
    Running(usize, usize),
    /// It failed: the prediction held.
    Held,
    /// It succeeded.
    Broke,
    /// An earlier one had succeeded already.
    Spared,
}

/// Every stage and its state; empty for an attack without stages.
pub fn states(run: &Run) -> Vec<(&'static str, StageState)> {
    let Some(now) = run.history.stage() else { return Vec::new() };
    let report = run.report.as_ref();
    let broken = report.filter(|report| report.success).map(|report| {
        let named = report.stage.and_then(|name| now.all.iter().position(|other| *other == name));
        named.unwrap_or(now.number)
    });
    let state = |number: usize| match (report, broken) {
        (None, _) if number < now.number => StageState::Held,
        (None, _) if number == now.number => {
            let (came, expected) = run.history.progress();
            StageState::Running(came.saturating_sub(1), expected.saturating_sub(1))
        }
        (None, _) => StageState::Waiting,
        (_, Some(broken)) if number == broken => StageState::Broke,
        (_, Some(broken)) if number > broken => StageState::Spared,
        _ => StageState::Held,
    };
    now.all.iter().enumerate().map(|(number, name)| (*name, state(number))).collect()
}

impl StageState {
    fn glyph(self) -> &'static str {
        match self {
            Self::Waiting => "·",
            Self::Running(..) => "●",
            Self::Held => "✓",
            Self::Broke => "✗",
            Self::Spared => "–",
        }
    }

    fn words(self) -> String {
        match self {
            Self::Waiting => "waiting".into(),
            Self::Running(done, all) => format!("running {done}/{all}"),
            Self::Held => "held".into(),
            Self::Broke => "broke it".into(),
            Self::Spared => "not needed".into(),
        }
    }

    fn brief(self) -> String {
        match self {
            Self::Running(done, all) => format!("{done}/{all}"),
            _ => String::new(),
        }
    }
}

/// Draws the strip on one row, in full words where they fit.
pub fn draw(session: &Session, run: &Run, live: bool, area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let style = |state: StageState| -> Style {
        match state {
            _ if session.faded() && !live => theme.dim,
            StageState::Waiting | StageState::Spared => theme.dim,
            StageState::Running(..) => theme.accent,
            StageState::Held => theme.right,
            StageState::Broke => theme.fooled,
        }
    };
    let states = states(run);
    let line = |words: fn(StageState) -> String, gap: &'static str| {
        let mut spans = Vec::new();
        for (name, state) in &states {
            let words = words(*state);
            let space = if words.is_empty() { "" } else { " " };
            let text = format!("{} {name}{space}{words}", state.glyph());
            spans.extend([Span::styled(text, style(*state)), Span::raw(gap)]);
        }
        spans.pop();
        Line::from(spans)
    };
    let lines = [
        line(StageState::words, "   "),
        line(StageState::brief, "  "),
        line(|_| String::new(), " "),
    ];
    let width = usize::from(area.width);
    let fits =
        |line: &&Line<'_>| line.spans.iter().map(|s| columns(&s.content)).sum::<usize>() <= width;
    if let Some(line) = lines.iter().find(fits).or(lines.last()) {
        buf.set_line(area.x, area.y, line, area.width);
    }
}
