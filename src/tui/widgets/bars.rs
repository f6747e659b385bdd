//! Two bars in one row: the upper half is before, the lower half after.

use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

/// A row with two shares, 0..1.
pub struct Bars<'a> {
    /// The share before.
    pub before: f32,
    /// The share after.
    pub after: f32,
    /// The style of the bar after.
    pub style: Style,
    /// The colours.
    pub theme: &'a Theme,
}

impl Widget for Bars<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        // A share that is there at all gets half a chance to be seen: 2 % and up show a cell.
        let cells = |share: f32| match share * f32::from(area.width) {
            cells if share >= 0.02 => cells.round().max(1.0) as u16,
            _ => 0,
        };
        let (before, after) = (cells(self.before), cells(self.after));
        for x in 0..area.width {
            let cell = &mut buf[(area.x + x, area.y)];
            match (x < before, x < after) {
                // Without colours a half-block cannot show both: the full block does.
                (true, true) if self.theme.is_mono() => cell.set_char('█').set_style(self.style),
                (true, true) => cell
                    .set_char('▄')
                    .set_style(self.style.bg(self.theme.before.fg.unwrap_or_default())),
                (true, false) => cell.set_char('▀').set_style(self.theme.before),
                (false, true) => cell.set_char('▄').set_style(self.style),
                (false, false) => cell.set_char(' '),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::ThemeKind;

    #[test]
    fn both_bars_are_seen_in_every_theme() {
        for kind in [ThemeKind::Dark, ThemeKind::Light, ThemeKind::Mono] {
            let theme = Theme::new(kind);
            let mut buf = Buffer::empty(Rect::new(0, 0, 10, 1));
            let style = theme.fooled;
            Bars { before: 0.3, after: 0.6, style, theme: &theme }.render(buf.area, &mut buf);
            let text: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
            let both = if kind == ThemeKind::Mono { "███" } else { "▄▄▄" };
            assert_eq!(text, format!("{both}▄▄▄    "));
        }
    }
}
