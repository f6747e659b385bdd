//! A slider from 0 to a largest value.

use super::text::columns;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// A slider one row high.
pub struct Slider<'a> {
    /// Where it stands.
    pub value: f64,
    /// Its right end.
    pub largest: f64,
    /// A place worth marking: the usual value.
    pub mark: f64,
    /// A value that was found, and what is said of it beside its mark.
    pub found: Option<(f64, &'a str)>,
    /// The values between which something is still searched for.
    pub between: Option<(f64, f64)>,
    /// Whether it moves nothing now.
    pub idle: bool,
    /// The colours.
    pub theme: &'a Theme,
}

/// The column of a value.
fn column(value: f64, largest: f64, width: u16) -> u16 {
    let share = (value / largest.max(1e-12)).clamp(0.0, 1.0);
    (share * f64::from(width.saturating_sub(1))).round() as u16
}

/// The value behind a column of the screen.
pub fn value_at(x: u16, area: Rect, largest: f64) -> f64 {
    let steps = f64::from(area.width.saturating_sub(1).max(1));
    f64::from(x.saturating_sub(area.x)).min(steps) / steps * largest
}

impl Widget for Slider<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let (accent, rest) = match self.idle {
            true => (self.theme.dim, self.theme.dim),
            false => (self.theme.accent, self.theme.dim),
        };
        let knob = column(self.value, self.largest, area.width);
        let mark = column(self.mark, self.largest, area.width);
        for x in 0..area.width {
            let (symbol, style) = match x {
                _ if x == knob => (if self.idle { '○' } else { '●' }, accent),
                _ if x == mark => ('┿', if x < knob { accent } else { rest }),
                _ if x < knob => ('━', accent),
                _ => ('─', self.theme.rule),
            };
            buf[(area.x + x, area.y)].set_char(symbol).set_style(style);
        }
        for (value, symbol) in self.between.iter().flat_map(|(l, r)| [(*l, '['), (*r, ']')]) {
            let x = column(value, self.largest, area.width);
            buf[(area.x + x, area.y)].set_char(symbol).set_style(self.theme.strong);
        }
        if let Some((value, words)) = self.found {
            self.draw_found(value, words, knob, area, buf);
        }
    }
}

impl Slider<'_> {
    /// The mark of a found value, and words on the side of it where the knob is not.
    fn draw_found(&self, value: f64, words: &str, knob: u16, area: Rect, buf: &mut Buffer) {
        let at = column(value, self.largest, area.width);
        let symbol = match (value > self.largest, at == knob) {
            (true, _) => '▸',
            (false, true) => '◈',
            (false, false) => '◆',
        };
        buf[(area.x + at, area.y)].set_char(symbol).set_style(self.theme.strong);
        let width = columns(words) as u16 + 2;
        let free = |from: u16| !(from..from + width).contains(&knob);
        let right = (at + 1 + width <= area.width && free(at + 1)).then_some(at + 1);
        let left = at.checked_sub(width).filter(|from| free(*from));
        if let Some(from) = right.or(left) {
            buf.set_string(area.x + from, area.y, format!(" {words} "), self.theme.strong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_marked_and_named_where_the_knob_is_not() {
        let theme = Theme::new(crate::tui::theme::ThemeKind::Dark);
        let draw = |value: f64, found: f64| -> String {
            let mut buf = Buffer::empty(Rect::new(0, 0, 41, 1));
            let found = Some((found, "found at x"));
            let (mark, largest) = (0.0, 4.0);
            let slider =
                Slider { value, largest, mark, found, between: None, idle: false, theme: &theme };
            slider.render(buf.area, &mut buf);
            buf.content.iter().map(ratatui::buffer::Cell::symbol).collect()
        };
        assert!(draw(0.5, 2.0).contains("◆ found at x "));
        assert!(draw(2.5, 2.0).contains(" found at x ◆"));
        assert!(draw(0.5, 4.0).contains(" found at x ◆"));
        assert!(draw(0.5, 9.0).contains(" found at x ▸"));
        assert!(draw(2.0, 2.0).contains('◈'));
    }

    #[test]
    fn columns_and_values_agree() {
        let area = Rect::new(5, 0, 101, 1);
        for percent in [0u16, 1, 50, 99, 100] {
            let value = value_at(5 + percent, area, 0.5);
            assert!((value - f64::from(percent) / 200.0).abs() < 1e-9);
            assert_eq!(column(value, 0.5, 101), percent);
        }
        assert_eq!(value_at(0, area, 0.5), 0.0);
        assert_eq!(value_at(999, area, 0.5), 0.5);
    }
}
