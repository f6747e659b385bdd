//! What the keys of the configuration can be set to, with the names on the command line.

use crate::engine::DeviceChoice;
use crate::show::Graphics;

/// When text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal that can, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The theme that the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeChoice {
    /// Mono with NO_COLOR and on terminals without colours, light where COLORFGBG says so, else dark.
    #[default]
    Auto,
    /// Light text on dark.
    Dark,
    /// Dark text on light.
    Light,
    /// The terminal's own colours and attributes only.
    Mono,
}

/// Names of the values of `device`.
pub const DEVICES: &[(&str, DeviceChoice)] =
    &[("auto", DeviceChoice::Auto), ("wgpu", DeviceChoice::Wgpu), ("cpu", DeviceChoice::Cpu)];

/// Names of the values of `theme`.
pub const THEMES: &[(&str, ThemeChoice)] = &[
    ("auto", ThemeChoice::Auto),
    ("dark", ThemeChoice::Dark),
    ("light", ThemeChoice::Light),
    ("mono", ThemeChoice::Mono),
];

/// Names of the values of `graphics`.
pub const GRAPHICS: &[(&str, Graphics)] = &[
    ("auto", Graphics::Auto),
    ("kitty", Graphics::Kitty),
    ("iterm", Graphics::Iterm),
    ("sixel", Graphics::Sixel),
    ("blocks", Graphics::Blocks),
    ("ascii", Graphics::Ascii),
];

/// Names of the values of `color`.
pub const COLORS: &[(&str, ColorChoice)] =
    &[("auto", ColorChoice::Auto), ("always", ColorChoice::Always), ("never", ColorChoice::Never)];

/// The names in one of the tables above.
pub fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}
