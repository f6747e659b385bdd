//! A slider from 0 to a largest value.

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
        let knob = column(self.value, self.largest, area.width);
        let mark = column(self.mark, self.largest, area.width);
        for x in 0..area.width {
            let (symbol, style) = match x {
                _ if x == knob => ('●', self.theme.accent),
                _ if x == mark => ('┿', if x < knob { self.theme.accent } else { self.theme.dim }),
                _ if x < knob => ('━', self.theme.accent),
                _ => ('─', self.theme.rule),
            };
            buf[(area.x + x, area.y)].set_char(symbol).set_style(style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
