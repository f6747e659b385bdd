//! Pictures and perturbations as half-blocks: two pixels a cell. In mono, as a ramp of characters.

use super::raster;
use crate::data::Image;
use crate::tui::theme::{Theme, mix};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::Widget;

/// From dark to bright.
const RAMP: &[char] = &[' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];
/// Growing increases and growing decreases.
const PLUS: &[char] = &[' ', '·', '+', '#'];
const MINUS: &[char] = &[' ', '·', '-', '='];

/// How pictures are drawn.
#[derive(Clone, Copy)]
pub struct PictureStyle<'a> {
    /// The colours.
    pub theme: &'a Theme,
    /// With characters instead of half-blocks.
    pub ascii: bool,
    /// Faded, because a newer result is on its way.
    pub faded: bool,
}

/// The cells that a picture of this size takes in `area`, centred.
pub fn place(width: usize, height: usize, area: Rect) -> Rect {
    let (wide, high) = raster::fit(width, height, area.width, area.height);
    let (columns, rows) = (wide as u16, raster::cell_rows(high));
    Rect {
        x: area.x + (area.width - columns.min(area.width)) / 2,
        y: area.y + (area.height - rows.min(area.height)) / 2,
        width: columns,
        height: rows,
    }
}

/// A picture.
pub struct PictureView<'a> {
    /// Which picture.
    pub picture: &'a Image,
    /// How.
    pub look: PictureStyle<'a>,
}

impl Widget for PictureView<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let (w, h) = (self.picture.width(), self.picture.height());
        let (wide, high) = raster::fit(w, h, area.width, area.height);
        let pixels = raster::scale(self.picture, wide, high);
        let place = place(w, h, area);
        if self.look.ascii {
            let grey = |[r, g, b]: [f32; 3]| 0.299 * r + 0.587 * g + 0.114 * b;
            let values: Vec<f32> = pixels.into_iter().map(grey).collect();
            characters(&values, wide, place, self.look, buf, |one, other| {
                step(RAMP, (one + other) / 2.0)
            });
            return;
        }
        let colours: Vec<[u8; 3]> = pixels
            .into_iter()
            .map(|p| self.look.shade(p.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)))
            .collect();
        half_blocks(&colours, wide, place, self.look, buf);
    }
}

/// A perturbation: the signed change from one picture to another.
pub struct HeatmapView<'a> {
    /// The picture before.
    pub from: &'a Image,
    /// The picture after.
    pub to: &'a Image,
    /// The change that gets the full colour.
    pub full: f32,
    /// How.
    pub look: PictureStyle<'a>,
}

impl Widget for HeatmapView<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let (w, h) = (self.from.width(), self.from.height());
        let (wide, high) = raster::fit(w, h, area.width, area.height);
        let place = place(w, h, area);
        let full = self.full.max(1e-9);
        let strengths: Vec<f32> = raster::change(self.from, self.to, wide, high)
            .into_iter()
            .map(|v| (v / full).clamp(-1.0, 1.0))
            .collect();
        if self.look.ascii {
            characters(&strengths, wide, place, self.look, buf, |one, other| {
                let strongest = if other.abs() > one.abs() { other } else { one };
                sign(strongest)
            });
            return;
        }
        let colours: Vec<[u8; 3]> =
            strengths.into_iter().map(|s| self.look.shade(self.look.theme.diverging(s))).collect();
        half_blocks(&colours, wide, place, self.look, buf);
    }
}

/// The scale of a heatmap, from the largest decrease to the largest increase.
pub struct Legend<'a> {
    /// How.
    pub look: PictureStyle<'a>,
}

impl Widget for Legend<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        for x in 0..area.width {
            let strength = 2.0 * f32::from(x) / f32::from(area.width.max(2) - 1) - 1.0;
            let cell = &mut buf[(area.x + x, area.y)];
            match self.look.ascii {
                true => cell.set_char(sign(strength)).set_style(self.look.theme.base),
                false => cell
                    .set_char(' ')
                    .set_bg(colour(self.look.shade(self.look.theme.diverging(strength)))),
            };
        }
    }
}

impl PictureStyle<'_> {
    fn shade(&self, colour: [u8; 3]) -> [u8; 3] {
        match self.faded {
            true => mix(colour, self.theme.ground, 0.55),
            false => colour,
        }
    }
}

fn colour([r, g, b]: [u8; 3]) -> Color {
    Color::Rgb(r, g, b)
}

fn step(ramp: &[char], value: f32) -> char {
    let at = (value.clamp(0.0, 1.0) * (ramp.len() - 1) as f32).round();
    ramp[at as usize]
}

/// The character of a signed strength in −1..1.
fn sign(strength: f32) -> char {
    step(if strength < 0.0 { MINUS } else { PLUS }, strength.abs())
}

fn half_blocks(
    colours: &[[u8; 3]],
    wide: usize,
    place: Rect,
    look: PictureStyle<'_>,
    buf: &mut Buffer,
) {
    let ground = look.theme.base.bg.unwrap_or(Color::Reset);
    let at = |x: u16, y: usize| colours.get(y * wide + usize::from(x)).copied();
    for position in place.intersection(buf.area).positions() {
        let (x, y) = (position.x - place.x, usize::from(position.y - place.y) * 2);
        let top = at(x, y).map_or(ground, colour);
        let bottom = at(x, y + 1).map_or(ground, colour);
        let style = Style::reset().fg(top).bg(bottom);
        buf[position].set_char('▀').set_style(style);
    }
}

fn characters(
    values: &[f32],
    wide: usize,
    place: Rect,
    look: PictureStyle<'_>,
    buf: &mut Buffer,
    character: impl Fn(f32, f32) -> char,
) {
    let style = match look.faded {
        true => look.theme.base.add_modifier(Modifier::DIM),
        false => look.theme.base,
    };
    for position in place.intersection(buf.area).positions() {
        let (x, y) = (usize::from(position.x - place.x), usize::from(position.y - place.y) * 2);
        let one = values.get(y * wide + x).copied().unwrap_or(0.0);
        let other = values.get((y + 1) * wide + x).copied().unwrap_or(one);
        buf[position].set_char(character(one, other)).set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::ThemeKind;

    fn draw(widget: impl Widget, width: u16, height: u16) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        widget.render(buf.area, &mut buf);
        buf
    }

    #[test]
    fn a_digit_is_exactly_28_by_14_cells() {
        let pixels: Vec<f32> = (0..784).map(|i| (i % 256) as f32 / 255.0).collect();
        let picture = Image::new([1, 28, 28], pixels);
        let theme = Theme::new(ThemeKind::Dark);
        let look = PictureStyle { theme: &theme, ascii: false, faded: false };
        let buf = draw(PictureView { picture: &picture, look }, 28, 14);
        for (y, x) in [(0, 0), (5, 17), (13, 27)] {
            let cell = &buf[(x as u16, y as u16)];
            let byte = |row: usize| ((row * 28 + x) % 256) as u8;
            assert_eq!(cell.symbol(), "▀");
            assert_eq!(cell.fg, colour([byte(2 * y); 3]));
            assert_eq!(cell.bg, colour([byte(2 * y + 1); 3]));
        }
        assert_eq!(place(28, 28, Rect::new(0, 0, 40, 20)), Rect::new(6, 3, 28, 14));
    }

    #[test]
    fn a_heatmap_shows_the_sign_by_colour_and_in_mono_by_character() {
        let from = Image::new([1, 2, 2], vec![0.5; 4]);
        let to = Image::new([1, 2, 2], vec![0.6, 0.4, 0.6, 0.4]);
        let theme = Theme::new(ThemeKind::Dark);
        let look = PictureStyle { theme: &theme, ascii: false, faded: false };
        let buf = draw(HeatmapView { from: &from, to: &to, full: 0.1, look }, 2, 1);
        assert_eq!(buf[(0, 0)].fg, colour(theme.plus));
        assert_eq!(buf[(1, 0)].fg, colour(theme.minus));
        let theme = Theme::new(ThemeKind::Mono);
        let look = PictureStyle { theme: &theme, ascii: true, faded: false };
        let buf = draw(HeatmapView { from: &from, to: &to, full: 0.1, look }, 2, 1);
        assert_eq!((buf[(0, 0)].symbol(), buf[(1, 0)].symbol()), ("#", "="));
        assert!(buf.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    }

    #[test]
    fn an_odd_last_row_leaves_the_ground_below() {
        let picture = Image::new([1, 3, 1], vec![1.0; 3]);
        let theme = Theme::new(ThemeKind::Light);
        let look = PictureStyle { theme: &theme, ascii: false, faded: false };
        let buf = draw(PictureView { picture: &picture, look }, 1, 2);
        assert_eq!(buf[(0, 1)].bg, theme.base.bg.unwrap());
    }
}
