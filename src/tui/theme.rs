//! Colours. The palette is blue against orange, which every kind of colour blindness tells apart, and
//! each meaning also has a glyph or a word, so that nothing depends on colour alone.

use crate::config::ThemeChoice;
use crate::terminal::ColourDepth;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThemeKind {
    /// Light text on dark.
    Dark,
    /// Dark text on light.
    Light,
    /// The terminal's own colours and attributes only.
    Mono,
}

/// The styles of everything on the screen.
#[derive(Clone, Debug)]
pub struct Theme {
    /// Which theme it is.
    pub kind: ThemeKind,
    /// Plain text and the background.
    pub base: Style,
    /// Secondary text: units, captions.
    pub dim: Style,
    /// What the eye should find first.
    pub strong: Style,
    /// Lines between panels.
    pub rule: Style,
    /// Headings of panels.
    pub title: Style,
    /// ε, the slider, the playback cursor.
    pub accent: Style,
    /// The right answer; the answer holds.
    pub right: Style,
    /// A wrong answer; fooled.
    pub fooled: Style,
    /// The chosen row of a list.
    pub selected: Style,
    /// Names of keys.
    pub key: Style,
    /// A message that must be seen.
    pub alarm: Style,
    /// The bar of the answer before the attack.
    pub before: Style,
    /// The background's colour, which dimmed pictures fade into.
    pub ground: [u8; 3],
    /// No change, in the heatmap.
    pub zero: [u8; 3],
    /// The largest decrease.
    pub minus: [u8; 3],
    /// The largest increase.
    pub plus: [u8; 3],
}

impl ThemeKind {
    /// The theme to start with; only the environment is asked, never the terminal.
    pub fn choose(choice: ThemeChoice, env: impl Fn(&str) -> Option<String>) -> Self {
        match choice {
            ThemeChoice::Dark => Self::Dark,
            ThemeChoice::Light => Self::Light,
            ThemeChoice::Mono => Self::Mono,
            ThemeChoice::Auto if env("NO_COLOR").is_some_and(|v| !v.is_empty()) => Self::Mono,
            ThemeChoice::Auto if ColourDepth::detect(&env) == ColourDepth::None => Self::Mono,
            ThemeChoice::Auto => {
                let ground = env("COLORFGBG").and_then(|v| {
                    v.rsplit(';').next().and_then(|last| last.trim().parse::<u8>().ok())
                });
                match ground {
                    Some(7 | 9..=15) => Self::Light,
                    _ => Self::Dark,
                }
            }
        }
    }

    /// The next one, for the key that cycles.
    pub fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }
}

fn rgb([r, g, b]: [u8; 3]) -> Color {
    Color::Rgb(r, g, b)
}

impl Theme {
    /// The styles of a theme.
    pub fn new(kind: ThemeKind) -> Self {
        match kind {
            ThemeKind::Dark => Self::coloured(
                kind,
                Palette {
                    ground: [13, 17, 23],
                    text: [236, 240, 244],
                    dim: [150, 160, 172],
                    rule: [62, 72, 84],
                    accent: [250, 216, 92],
                    right: [96, 190, 245],
                    fooled: [255, 160, 66],
                    bright: [255, 255, 255],
                    selected: [38, 62, 92],
                    before: [112, 122, 136],
                    zero: [24, 29, 36],
                },
            ),
            ThemeKind::Light => Self::coloured(
                kind,
                Palette {
                    ground: [255, 255, 255],
                    text: [20, 24, 30],
                    dim: [86, 94, 106],
                    rule: [186, 194, 204],
                    accent: [112, 44, 150],
                    right: [0, 92, 168],
                    fooled: [184, 72, 0],
                    bright: [0, 0, 0],
                    selected: [208, 226, 246],
                    before: [160, 168, 180],
                    zero: [255, 255, 255],
                },
            ),
            ThemeKind::Mono => Self::mono(),
        }
    }

    fn coloured(kind: ThemeKind, p: Palette) -> Self {
        let base = Style::new().fg(rgb(p.text)).bg(rgb(p.ground));
        let fg = |colour| base.fg(rgb(colour));
        Self {
            kind,
            base,
            dim: fg(p.dim),
            strong: fg(p.bright).add_modifier(Modifier::BOLD),
            rule: fg(p.rule),
            title: fg(p.text).add_modifier(Modifier::BOLD),
            accent: fg(p.accent).add_modifier(Modifier::BOLD),
            right: fg(p.right).add_modifier(Modifier::BOLD),
            fooled: fg(p.fooled).add_modifier(Modifier::BOLD),
            selected: fg(p.bright).bg(rgb(p.selected)).add_modifier(Modifier::BOLD),
            key: fg(p.accent),
            alarm: Style::new().fg(rgb(p.ground)).bg(rgb(p.fooled)).add_modifier(Modifier::BOLD),
            before: fg(p.before),
            ground: p.ground,
            zero: p.zero,
            minus: p.right,
            plus: p.fooled,
        }
    }

    fn mono() -> Self {
        let base = Style::reset();
        let with = |modifier| base.add_modifier(modifier);
        Self {
            kind: ThemeKind::Mono,
            base,
            dim: with(Modifier::DIM),
            strong: with(Modifier::BOLD),
            rule: with(Modifier::DIM),
            title: with(Modifier::BOLD),
            accent: with(Modifier::BOLD),
            right: with(Modifier::BOLD),
            fooled: with(Modifier::BOLD | Modifier::UNDERLINED),
            selected: with(Modifier::REVERSED),
            key: with(Modifier::BOLD),
            alarm: with(Modifier::REVERSED | Modifier::BOLD),
            before: with(Modifier::DIM),
            ground: [0; 3],
            zero: [0; 3],
            minus: [0; 3],
            plus: [0; 3],
        }
    }

    /// Whether pictures are drawn with characters instead of colours.
    pub fn is_mono(&self) -> bool {
        self.kind == ThemeKind::Mono
    }

    /// The heatmap's colour for a strength in −1..1.
    pub fn diverging(&self, strength: f32) -> [u8; 3] {
        let end = if strength < 0.0 { self.minus } else { self.plus };
        // A gentle curve: faint noise stays visible without drowning the strong changes.
        mix(self.zero, end, strength.abs().min(1.0).powf(0.8))
    }

    /// The style of an outcome: held or fooled.
    pub fn outcome(&self, holds: bool) -> Style {
        if holds { self.right } else { self.fooled }
    }
}

struct Palette {
    ground: [u8; 3],
    text: [u8; 3],
    dim: [u8; 3],
    rule: [u8; 3],
    accent: [u8; 3],
    right: [u8; 3],
    fooled: [u8; 3],
    bright: [u8; 3],
    selected: [u8; 3],
    before: [u8; 3],
    zero: [u8; 3],
}

/// The colour a share `t` of the way from `a` to `b`.
pub fn mix(a: [u8; 3], b: [u8; 3], t: f32) -> [u8; 3] {
    std::array::from_fn(|i| {
        let (a, b) = (f32::from(a[i]), f32::from(b[i]));
        (a + (b - a) * t).round().clamp(0.0, 255.0) as u8
    })
}

impl ColourDepth {
    /// Brings the colours of a finished frame down to what the terminal shows.
    pub fn adapt(self, buffer: &mut Buffer) {
        let brought_down: fn([u8; 3]) -> Color = match self {
            Self::True => return,
            Self::Indexed => |colour| Color::Indexed(nearest(colour)),
            Self::Sixteen => |colour| Color::Indexed(nearest_of_16(colour)),
            Self::None => |_| Color::Reset,
        };
        for cell in &mut buffer.content {
            for colour in [&mut cell.fg, &mut cell.bg] {
                if let Color::Rgb(r, g, b) = *colour {
                    *colour = brought_down([r, g, b]);
                }
            }
        }
    }
}

/// The nearest of the first 16 colours, as xterm shows them.
fn nearest_of_16(colour: [u8; 3]) -> u8 {
    const SHOWN: [[i32; 3]; 16] = [
        [0, 0, 0],
        [205, 0, 0],
        [0, 205, 0],
        [205, 205, 0],
        [0, 0, 238],
        [205, 0, 205],
        [0, 205, 205],
        [229, 229, 229],
        [127, 127, 127],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [92, 92, 255],
        [255, 0, 255],
        [0, 255, 255],
        [255, 255, 255],
    ];
    let wanted = colour.map(i32::from);
    let distance = |n: &u8| {
        let shown = SHOWN[usize::from(*n)];
        (0..3).map(|i| (shown[i] - wanted[i]).pow(2)).sum::<i32>()
    };
    (0..16).min_by_key(distance).unwrap_or(0)
}

/// The nearest of xterm's colours 16..=255: the 6×6×6 cube or the ramp of greys.
fn nearest(colour: [u8; 3]) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let wanted = colour.map(i32::from);
    let distance = |c: [i32; 3]| (0..3).map(|i| (c[i] - wanted[i]).pow(2)).sum::<i32>();
    let level = wanted.map(|v| (0..6).min_by_key(|l| (LEVELS[*l] - v).abs()).unwrap_or(0));
    let cube = distance(level.map(|l| LEVELS[l]));
    let mean = wanted.iter().sum::<i32>() / 3;
    let step = ((mean - 8 + 5) / 10).clamp(0, 23);
    match distance([8 + 10 * step; 3]) < cube {
        true => 232 + step as u8,
        false => (16 + 36 * level[0] + 6 * level[1] + level[2]) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_theme() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|p| p.0 == name).map(|p| p.1.to_string())
        };
        assert_eq!(ThemeKind::choose(ThemeChoice::Auto, env(&[])), ThemeKind::Dark);
        assert_eq!(
            ThemeKind::choose(ThemeChoice::Auto, env(&[("COLORFGBG", "0;15")])),
            ThemeKind::Light
        );
        assert_eq!(
            ThemeKind::choose(ThemeChoice::Auto, env(&[("NO_COLOR", "1")])),
            ThemeKind::Mono
        );
        assert_eq!(
            ThemeKind::choose(ThemeChoice::Dark, env(&[("NO_COLOR", "1")])),
            ThemeKind::Dark
        );
        assert_eq!(
            ThemeKind::choose(ThemeChoice::Auto, env(&[("TERM", "vt100")])),
            ThemeKind::Mono
        );
        assert_eq!(
            ThemeKind::choose(ThemeChoice::Auto, env(&[("TERM", "linux")])),
            ThemeKind::Dark
        );
    }

    #[test]
    fn colours_map_to_the_nearest_of_256() {
        assert_eq!(nearest([255, 0, 0]), 196);
        assert_eq!(nearest([0, 0, 0]), 16);
        assert_eq!(nearest([8, 8, 8]), 232);
        assert_eq!(nearest([128, 128, 128]), 244);
    }

    #[test]
    fn the_palette_stays_apart_on_16_colours() {
        for kind in [ThemeKind::Dark, ThemeKind::Light] {
            let theme = Theme::new(kind);
            let colour = |style: Style| match style.fg {
                Some(Color::Rgb(r, g, b)) => nearest_of_16([r, g, b]),
                other => panic!("{other:?}"),
            };
            let (right, fooled) = (colour(theme.right), colour(theme.fooled));
            let ground = nearest_of_16(theme.ground);
            let all = [right, fooled, colour(theme.base), colour(theme.dim), ground];
            for (i, one) in all.iter().enumerate() {
                assert!(all[..i].iter().all(|other| other != one), "{kind:?}: {all:?}");
            }
        }
    }
}
