//! Where the columns and rows of a table stand. Drawing and mouse ask the same.

use super::state::{StanceFilter, TableKind, View};
use crate::experiment::compare::CompareReport;
use crate::tui::widgets::text::columns;
use ratatui::layout::{Position, Rect};

/// The rows of a table above those of the defences.
pub const HEAD: u16 = 3;

/// A table's geometry: widths include the gap behind a column.
pub struct Grid {
    /// The whole table.
    pub area: Rect,
    /// The defences' names.
    pub name: u16,
    /// The stances; 0 where they stand under the names.
    pub stance: u16,
    /// The answer to the clean sample, or the clean accuracy.
    pub clean: u16,
    /// The worst case; 0 in the table of one sample.
    pub worst: u16,
    /// The time of an answer.
    pub ms: u16,
    /// Each attack.
    pub each: u16,
    /// The first attack shown, and how many are.
    pub attacks: (usize, usize),
    /// The first row shown, and how many are.
    pub rows: (usize, usize),
}

impl Grid {
    /// The geometry of a table in `area`.
    pub fn new(view: View<'_>, report: &CompareReport, part: TableKind, area: Rect) -> Self {
        let wide = area.width >= 140;
        let longest = report.rows.iter().map(|row| columns(&row.name)).max().unwrap_or(0) as u16;
        let most = match area.width {
            140.. => 30,
            100.. => 22,
            _ => 18,
        };
        let name = (longest + 2).clamp(12, most);
        let both = view.compare.stance_filter == StanceFilter::Both;
        let stance = if both && area.width >= 100 { 9 } else { 0 };
        let many = part == TableKind::Many;
        let (clean, worst) = match (many, wide) {
            (true, true) => (14, 14),
            (true, false) => (8, 8),
            (false, true) => (14, 0),
            (false, false) => (10, 0),
        };
        let ms = 7;
        let room = area.width.saturating_sub(name + stance + clean + worst + ms);
        let count = report.attacks.len().max(1);
        let each = (room / count as u16).clamp(9, 17);
        let shown = usize::from(room / each).clamp(1, count);
        let lines = usize::from(area.height.saturating_sub(HEAD));
        let (row, column) = view.compare.at;
        let above = (row + 1).saturating_sub(lines.saturating_sub(lines / 4));
        let first = above.min(report.rows.len().saturating_sub(lines));
        let attacks = ((column + 1).saturating_sub(shown), shown);
        let rows = (first, lines.min(report.rows.len()));
        Self { area, name, stance, clean, worst, ms, each, attacks, rows }
    }

    /// Where the attacks begin.
    pub fn left(&self) -> u16 {
        self.area.x + self.name + self.stance + self.clean + self.worst
    }

    /// The attacks shown, each with the place where it begins.
    pub fn columns(&self) -> impl Iterator<Item = (usize, u16)> + '_ {
        let (first, shown) = self.attacks;
        (0..shown).map(move |at| (first + at, self.left() + at as u16 * self.each))
    }

    /// Where the time of an answer begins.
    pub fn right(&self) -> u16 {
        self.left() + self.attacks.1 as u16 * self.each
    }

    /// The rows shown, each with its line.
    pub fn lines(&self) -> impl Iterator<Item = (usize, u16)> + '_ {
        let (first, shown) = self.rows;
        (0..shown).map(move |at| (first + at, self.area.y + HEAD + at as u16))
    }

    /// The row and the column under a place of the screen; left of the attacks, the first of them.
    pub fn cell_under(&self, at: Position) -> Option<(usize, usize)> {
        let (row, _) = self.lines().find(|(_, y)| *y == at.y)?;
        let under = self.columns().find(|(_, x)| (*x..*x + self.each).contains(&at.x));
        Some((row, under.map_or(self.attacks.0, |(column, _)| column)))
    }
}
