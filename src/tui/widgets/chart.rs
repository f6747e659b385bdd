//! A line over iterations or queries, in braille: two by four dots a cell, the axis' ends beside it.

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
    /// Where each value stands on the axis below, rising from 0.
    pub along: &'a [f32],
    /// The values; those that are no numbers leave a gap.
    pub values: &'a [f32],
    /// The right end of the axis below.
    pub end: f32,
    /// The place under the cursor, on the axis below.
    pub cursor: Option<f32>,
    /// Places worth a line from top to bottom: where a part begins, before which the line ends.
    pub parts: &'a [f32],
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

/// The column of a place on the axis.
pub fn column(along: f32, end: f32, plot: Rect) -> u16 {
    let share = if end > 0.0 { (along / end).clamp(0.0, 1.0) } else { 0.0 };
    plot.x + (share * f32::from(plot.width.saturating_sub(1))).round() as u16
}

/// The place on the axis behind a column of the screen.
pub fn along_at(x: u16, area: Rect, end: f32) -> f32 {
    let plot = plot(area);
    let columns = plot.width.saturating_sub(1).max(1);
    f32::from(x.saturating_sub(plot.x).min(columns)) / f32::from(columns) * end
}

/// The index of the value nearest to a place on the axis.
pub fn nearest(along: &[f32], place: f32) -> Option<usize> {
    let right = along.partition_point(|a| *a < place).min(along.len().checked_sub(1)?);
    let left = right.saturating_sub(1);
    let nearer = (along[left] - place).abs() <= (along[right] - place).abs();
    Some(if nearer { left } else { right })
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

    /// The first, lowest, highest and last value in each of so many columns of dots: what stands
    /// there, or between its neighbours. None beyond the last value and where there is no number.
    fn dots(&self, columns: usize) -> Vec<Option<[f32; 4]>> {
        let place = |i: usize| match self.end > 0.0 {
            true => (self.along[i] / self.end * (columns - 1) as f32).min((columns - 1) as f32),
            false => 0.0,
        };
        let count = self.along.len().min(self.values.len());
        let mut out = vec![None; columns];
        let mut next = 0;
        for (x, dot) in out.iter_mut().enumerate() {
            let first = next;
            while next < count && place(next) <= x as f32 + 0.5 {
                next += 1;
            }
            let here = self.values[first..next].iter().copied().filter(|v| v.is_finite());
            for value in here {
                let [begin, low, high, _] = dot.unwrap_or([value; 4]);
                *dot = Some([begin, value.min(low), value.max(high), value]);
            }
            let gap = |next: usize| self.parts.contains(&self.along[next]);
            if first == next && (1..count).contains(&next) && !gap(next) {
                let (left, right) = (place(next - 1), place(next));
                let share = (x as f32 - left) / (right - left);
                let (a, b) = (self.values[next - 1], self.values[next]);
                let value = a + (b - a) * share;
                *dot = value.is_finite().then_some([value; 4]);
            }
        }
        out
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
        for part in self.parts {
            let x = column(*part, self.end, plot);
            (plot.y..plot.bottom()).for_each(|y| {
                buf[(x, y)].set_char('┊').set_style(theme.dim);
            });
        }
        if let Some(level) = self.level {
            let y = plot.y + (row(level) / 4) as u16;
            (plot.x..plot.right()).for_each(|x| {
                buf[(x, y)].set_char('╌').set_style(theme.rule);
            });
        }
        let mut cells = vec![0u8; usize::from(plot.width) * usize::from(plot.height)];
        let mut lowest = vec![f32::MAX; usize::from(plot.width)];
        let mut previous: Option<usize> = None;
        for (x, dot) in self.dots(dots_wide).into_iter().enumerate() {
            let Some([begin, lowest_here, highest_here, end]) = dot else {
                previous = None;
                continue;
            };
            let (mut top, mut bottom) = (row(highest_here), row(lowest_here));
            let place = |part: &f32| part / self.end * (dots_wide - 1) as f32;
            if self.parts.iter().any(|part| (place(part) - x as f32).abs() <= 0.5) {
                previous = None;
            }
            // On from where the line was, so that it has no holes.
            match previous {
                Some(p) if p < row(begin) => top = top.min(p + 1),
                Some(p) if p > row(begin) => bottom = bottom.max(p - 1),
                _ => {}
            }
            for dot in top..=bottom {
                cells[dot / 4 * usize::from(plot.width) + x / 2] |= DOTS[dot % 4][x % 2];
            }
            lowest[x / 2] = lowest[x / 2].min(lowest_here);
            previous = Some(row(end));
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
            let x = column(cursor, self.end, plot);
            for y in plot.y..plot.bottom() {
                let cell = &mut buf[(x, y)];
                if matches!(cell.symbol(), " " | "╌" | "┊") {
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
    use crate::tui::theme::ThemeKind;

    fn draw(along: &[f32], values: &[f32], width: u16) -> Buffer {
        let theme = Theme::new(ThemeKind::Dark);
        let mut buf = Buffer::empty(Rect::new(0, 0, GUTTER + width, 3));
        let style = theme.base;
        Chart {
            name: "loss",
            along,
            values,
            end: along.last().copied().unwrap_or_default(),
            cursor: None,
            parts: &[],
            level: None,
            from_zero: false,
            above: style,
            below: style,
            theme: &theme,
        }
        .render(buf.area, &mut buf);
        buf
    }

    fn line(buf: &Buffer, y: u16) -> String {
        (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect()
    }

    #[test]
    fn a_rising_line_goes_from_bottom_left_to_top_right_and_shows_its_ends() {
        let buf = draw(&[0.0, 1.0, 2.0, 3.0], &[0.0, 1.0, 2.0, 3.0], 4);
        assert!(line(&buf, 0).contains("3.00") && line(&buf, 2).contains("0.00"));
        assert!(line(&buf, 1).starts_with("loss"));
        assert_ne!(buf[(GUTTER, 2)].symbol(), " ");
        assert_ne!(buf[(GUTTER + 3, 0)].symbol(), " ");
        assert_eq!(buf[(GUTTER, 0)].symbol(), " ");
    }

    #[test]
    fn a_spike_among_thousands_of_points_is_seen() {
        let along: Vec<f32> = (0..5000).map(|i| i as f32).collect();
        let mut values = vec![0.0; 5000];
        values[2501] = 1.0;
        let buf = draw(&along, &values, 20);
        assert!((GUTTER..GUTTER + 20).any(|x| buf[(x, 0)].symbol() != " "));
    }

    #[test]
    fn what_is_no_number_leaves_a_gap() {
        let along: Vec<f32> = (0..9).map(|i| i as f32).collect();
        let mut values = vec![1.0; 9];
        (3..6).for_each(|i| values[i] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][i - 3]);
        let buf = draw(&along, &values, 9);
        let gap = (GUTTER..GUTTER + 9).filter(|x| (0..3).all(|y| buf[(*x, y)].symbol() == " "));
        assert!((3..=5).contains(&gap.count()));
        draw(&along, &[f32::NAN; 9], 9);
        draw(&[0.0; 3], &[1.0; 3], 9);
        draw(&[], &[], 9);
    }

    #[test]
    fn columns_lead_to_places_and_places_to_values() {
        let area = Rect::new(2, 0, GUTTER + 41, 3);
        assert_eq!(along_at(0, area, 40.0), 0.0);
        assert_eq!(along_at(2 + GUTTER + 20, area, 80.0), 40.0);
        assert_eq!(along_at(500, area, 40.0), 40.0);
        assert_eq!(column(40.0, 80.0, plot(area)), 2 + GUTTER + 20);
        let along = [0.0, 10.0, 11.0, 50.0];
        assert_eq!(nearest(&along, 4.0), Some(0));
        assert_eq!(nearest(&along, 6.0), Some(1));
        assert_eq!(nearest(&along, 999.0), Some(3));
        assert_eq!(nearest(&[], 1.0), None);
    }
}
