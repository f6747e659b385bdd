//! How many colours the terminal shows, as the environment says: the terminal itself is not asked.

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColourDepth {
    /// None: attributes at best.
    None,
    /// The 16 colours of the oldest terminals that have any.
    Sixteen,
    /// The 256 colours of xterm.
    Indexed,
    /// 24-bit colours.
    True,
}

/// Terminals that show 24-bit colours without saying so in COLORTERM.
const TRUE: &[&str] = &["direct", "kitty", "alacritty", "foot", "ghostty", "wezterm"];

/// Terminals whose bare name stands for 16 colours or 8.
const SIXTEEN: &[&str] = &[
    "linux", "xterm", "screen", "tmux", "rxvt", "ansi", "cygwin", "eterm", "pcansi", "konsole",
    "gnome", "putty", "cons25", "bvterm",
];

impl ColourDepth {
    /// What the variables COLORTERM, TERM and TMUX say.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> Self {
        let term = env("TERM").unwrap_or_default().to_lowercase();
        let color = env("COLORTERM").unwrap_or_default();
        let (name, kind) = term.split_once('-').unwrap_or((&term, ""));
        let numbered = |prefix: &str| {
            name.strip_prefix(prefix).is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
        };
        match () {
            () if ["truecolor", "24bit"].iter().any(|word| color.contains(word)) => Self::True,
            () if TRUE.iter().any(|word| term.contains(word)) => Self::True,
            () if env("TMUX").is_some() && ["screen", "tmux"].contains(&name) => Self::True,
            () if kind.contains("256color") || !color.is_empty() => Self::Indexed,
            () if name == "dumb" || numbered("vt") => Self::None,
            () if ["m", "mono"].contains(&kind) => Self::None,
            () if ["color", "16color", "8color"].contains(&kind) => Self::Sixteen,
            () if SIXTEEN.contains(&name) => Self::Sixteen,
            () => Self::Indexed,
        }
    }

    /// What this process's environment says.
    pub fn here() -> Self {
        Self::detect(|name| std::env::var(name).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_tells_the_number_of_colours() {
        for (term, color, tmux, depth) in [
            ("xterm-256color", "", false, ColourDepth::Indexed),
            ("xterm-256color", "truecolor", false, ColourDepth::True),
            ("tmux-256color", "", true, ColourDepth::True),
            ("xterm-kitty", "", false, ColourDepth::True),
            ("xterm", "", false, ColourDepth::Sixteen),
            ("xterm-16color", "", false, ColourDepth::Sixteen),
            ("linux", "", false, ColourDepth::Sixteen),
            ("linux", "truecolor", false, ColourDepth::True),
            ("screen", "", false, ColourDepth::Sixteen),
            ("vt100", "", false, ColourDepth::None),
            ("vt220", "", false, ColourDepth::None),
            ("xterm-mono", "", false, ColourDepth::None),
            ("dumb", "", false, ColourDepth::None),
            ("st-256color", "", false, ColourDepth::Indexed),
            ("", "", false, ColourDepth::Indexed),
        ] {
            let env = |name: &str| match name {
                "TERM" => Some(term.to_string()),
                "COLORTERM" => Some(color.to_string()),
                "TMUX" => tmux.then(|| "/tmp/tmux".to_string()),
                _ => None,
            };
            assert_eq!(ColourDepth::detect(env), depth, "{term} {color}");
        }
    }
}
