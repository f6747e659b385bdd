//! A line over iterations, in braille: two by four dots a cell, the axis' ends beside it.

use super::text::short;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::Widget;

/// One line.
pub struct Chart<'a> {
    /// Its name, on its left.
    pub name: &'a str,
    /// The values.
    pub values: &'a [f32],
    /// How many there will be.
    pub expected: usize,
    /// The value under the cursor.
    pub cursor: Option<usize>,
    /// A level worth a line: 0 for the margin.
    pub level: Option<f32>,
    /// Whether the axis begins at 0.
    pub from_zero: bool,
    /// The style of values at or above the level.
    pub above: Style,
    /// The style of values below it.
    pub below: Style,
    /// The colours.
    pub theme: &'a Theme,
}

/// The width of names and axis numbers.
pub const GUTTER: u16 = 15;

/// The columns of the line itself.
pub fn plot(area: Rect) -> Rect {
    let gutter = GUTTER.min(area.width);
    Rect { x: area.x + gutter, width: area.width - gutter, ..area }
}

/// The index of the value behind a column of the screen.
pub fn index_at(x: u16, area: Rect, expected: usize) -> usize {
    let plot = plot(area);
    let columns = usize::from(plot.width.saturating_sub(1)).max(1);
    let at = usize::from(x.saturating_sub(plot.x)).min(columns);
    (at * expected.saturating_sub(1) + columns / 2) / columns
}

impl Chart<'_> {
    /// Lowest and highest value, the level included.
    fn range(&self) -> (f32, f32) {
        let finite = self.values.iter().copied().filter(|v| v.is_finite());
        let all = finite.chain(self.level).chain(self.from_zero.then_some(0.0));
        let (low, high) = all.fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(v), h.max(v)));
        match low < high {
            true => (low, high),
            false if low == high => (low - 0.5, low + 0.5),
            false => (0.0, 1.0),
        }
    }
}

impl Widget for Chart<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let plot = plot(area);
        let (low, high) = self.range();
        let theme = self.theme;
        let middle = area.y + (area.height.max(1) - 1) / 2;
        buf.set_stringn(area.x, middle, self.name, 7, theme.base);
        if !self.values.is_empty() {
            let number = |v: f32| format!("{:>6} ", short(v));
            buf.set_stringn(area.x + 7, area.y, number(high), 7, theme.dim);
            if area.height > 1 {
                buf.set_stringn(area.x + 7, area.bottom() - 1, number(low), 7, theme.dim);
            }
        }
        if plot.is_empty() || self.values.is_empty() {
            return;
        }
        let (dots_wide, dots_high) = (usize::from(plot.width) * 2, usize::from(plot.height) * 4);
        let row = |v: f32| {
            let share = ((high - v) / (high - low)).clamp(0.0, 1.0);
            (share * (dots_high - 1) as f32).round() as usize
        };
        if let Some(level) = self.level {
            let y = plot.y + (row(level) / 4) as u16;
            (plot.x..plot.right()).for_each(|x| {
                buf[(x, y)].set_char('╌').set_style(theme.rule);
            });
        }
        let last = self.expected.max(self.values.len()).saturating_sub(1).max(1);
        let mut cells = vec![0u8; usize::from(plot.width) * usize::from(plot.height)];
        let mut lowest = vec![f32::MAX; usize::from(plot.width)];
        let mut previous: Option<usize> = None;
        for x in 0..dots_wide {
            let at = x as f32 / (dots_wide - 1) as f32 * last as f32;
            let (left, share) = (at.floor() as usize, at.fract());
            let Some(one) = self.values.get(left).copied() else { break };
            let other = self.values.get(left + 1).copied().unwrap_or(one);
            let value = one + (other - one) * share;
            if !value.is_finite() {
                previous = None;
                continue;
            }
            let y = row(value);
            let from =
                previous.map_or(y, |p| if p < y { p + 1 } else { p.saturating_sub(1).max(y) });
            for dot in from.min(y)..=from.max(y) {
                cells[dot / 4 * usize::from(plot.width) + x / 2] |= DOTS[dot % 4][x % 2];
            }
            lowest[x / 2] = lowest[x / 2].min(value);
            previous = Some(y);
        }
        for (i, bits) in cells.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            let (x, y) = (i % usize::from(plot.width), i / usize::from(plot.width));
            let symbol = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or('•');
            let style = match self.level {
                Some(level) if lowest[x] < level => self.below,
                _ => self.above,
            };
            buf[(plot.x + x as u16, plot.y + y as u16)].set_char(symbol).set_style(style);
        }
        if let Some(cursor) = self.cursor {
            let share = cursor.min(last) as f32 / last as f32;
            let x = plot.x + (share * f32::from(plot.width - 1)).round() as u16;
            for y in plot.y..plot.bottom() {
                let cell = &mut buf[(x, y)];
                if cell.symbol() == " " || cell.symbol() == "╌" {
                    cell.set_char('│');
                }
                cell.set_style(theme.accent.add_modifier(Modifier::BOLD));
            }
        }
    }
}

/// The bits of a braille cell, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Kind;

    #[test]
    fn a_rising_line_goes_from_bottom_left_to_top_right_and_shows_its_ends() {
        let theme = Theme::new(Kind::Dark);
        let mut buf = Buffer::empty(Rect::new(0, 0, GUTTER + 4, 3));
        let values = [0.0, 1.0, 2.0, 3.0];
        let style = theme.base;
        Chart {
            name: "loss",
            values: &values,
            expected: 4,
            cursor: None,
            level: None,
            from_zero: false,
            above: style,
            below: style,
            theme: &theme,
        }
        .render(buf.area, &mut buf);
        let line = |y: u16| -> String { (0..GUTTER + 4).map(|x| buf[(x, y)].symbol()).collect() };
        assert!(
            line(0).contains("3.00") && line(2).contains("0.00") && line(1).starts_with("loss")
        );
        assert_ne!(buf[(GUTTER, 2)].symbol(), " ");
        assert_ne!(buf[(GUTTER + 3, 0)].symbol(), " ");
        assert_eq!(buf[(GUTTER, 0)].symbol(), " ");
    }

    #[test]
    fn columns_lead_to_iterations() {
        let area = Rect::new(2, 0, GUTTER + 41, 3);
        assert_eq!(index_at(0, area, 41), 0);
        assert_eq!(index_at(2 + GUTTER, area, 41), 0);
        assert_eq!(index_at(2 + GUTTER + 20, area, 41), 20);
        assert_eq!(index_at(2 + GUTTER + 40, area, 41), 40);
        assert_eq!(index_at(500, area, 41), 40);
    }
}
