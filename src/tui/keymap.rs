//! Keys: bindings of keys to actions, and the table of all of them, which footer, help, palette and
//! the command line read.

use super::action::Action;
use crate::dashboard::KeyRow;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

pub(super) const CTRL: KeyModifiers = KeyModifiers::CONTROL;
pub(super) const SHIFT: KeyModifiers = KeyModifiers::SHIFT;

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// With which modifiers (Shift does not count for characters).
    pub modifiers: KeyModifiers,
}

/// One row of a keymap.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// The heading in help.
    pub group: &'static str,
    /// One or two words for the footer.
    pub hint: &'static str,
    /// Place in the footer: 1 comes first, 0 stays out.
    pub rank: u8,
}

/// The keys of a screen or window: they work while it is on top.
#[derive(Debug)]
pub struct Keymap {
    /// Where that is, as the key table says it, such as "in a race"; empty on the first screen.
    pub place: &'static str,
    /// The bindings.
    pub rows: &'static [Binding],
}

/// The heading in help of what concerns ε.
pub const EPSILON: &str = "Size of the attack, ε";
/// The heading in help of what concerns model and attack.
pub const ATTACK: &str = "Model and attack";
/// The heading in help of what concerns defences.
pub const DEFEND: &str = "Defences";
/// The heading in help of everything that belongs to no screen.
pub const PROGRAM: &str = "Program";
/// The heading in help of windows' keys.
pub const WINDOW: &str = "In windows";

/// The keys that work everywhere.
pub static EVERYWHERE: &[Binding] = &[
    row(PROGRAM, Action::ForceQuit, 0, "quit", &[with(KeyCode::Char('c'), CTRL)]),
    row(PROGRAM, Action::Suspend, 0, "suspend", &[with(KeyCode::Char('z'), CTRL)]),
];

/// A key without modifiers that is a character.
pub const fn char(code: char) -> Key {
    key(KeyCode::Char(code))
}

/// A key without modifiers.
pub const fn key(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}

/// A key with modifiers.
pub const fn with(code: KeyCode, modifiers: KeyModifiers) -> Key {
    Key { code, modifiers }
}

/// A binding: its heading in help, what it does, its place in the footer and its words there, its keys.
pub const fn row(
    group: &'static str,
    action: Action,
    rank: u8,
    hint: &'static str,
    keys: &'static [Key],
) -> Binding {
    Binding { keys, action, group, hint, rank }
}

impl Key {
    /// The key of a terminal event. Shift is dropped where the character shows it already.
    pub fn of(event: &KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (CTRL | SHIFT | KeyModifiers::ALT);
        if matches!(event.code, KeyCode::Char(_)) {
            modifiers.remove(SHIFT);
        }
        Self { code: event.code, modifiers }
    }
}

/// What a key does by these bindings, if it does anything.
pub fn lookup(bindings: &[Binding], key: Key) -> Option<Action> {
    let found = bindings.iter().find(|binding| binding.keys.contains(&key))?;
    Some(match (found.action, key.code) {
        (Action::PickLetter(_), KeyCode::Char(letter)) => Action::PickLetter(letter),
        (action, _) => action,
    })
}

impl Binding {
    /// The keys as they are shown: "← h".
    pub fn keys_text(&self) -> String {
        if let (Action::PickLetter(_), [first, .., last]) = (self.action, self.keys) {
            return format!("{first}-{last}");
        }
        let mut names: Vec<String> = self.keys.iter().map(Key::to_string).collect();
        names.dedup();
        names.join(" ")
    }
}

/// The footer's hints, the most important first: neighbours with the same hint are joined.
pub fn hints(bindings: &[Binding]) -> Vec<(String, &'static str)> {
    let mut rows: Vec<&Binding> = bindings.iter().filter(|b| b.rank > 0).collect();
    rows.sort_by_key(|b| b.rank);
    let mut out: Vec<(String, &'static str)> = Vec::new();
    for row in rows {
        let key = row.keys[0].to_string();
        match out.last_mut() {
            Some((keys, hint)) if *hint == row.hint => keys.push_str(&key),
            _ => out.push((key, row.hint)),
        }
    }
    out
}

/// Every binding of the program, in the order of help.
#[derive(Debug, Default)]
pub struct KeyTable {
    /// The keys of the first screen and those that work everywhere.
    pub root: Vec<Binding>,
    /// Those and all others, each with where it works.
    pub all: Vec<(&'static str, Binding)>,
}

impl KeyTable {
    /// The keys of an action on the first screen, if it has any.
    pub fn keys_of(&self, action: Action) -> Option<String> {
        self.root.iter().find(|b| b.action == action).map(Binding::keys_text)
    }

    /// Every binding in words.
    pub fn rows(&self) -> Vec<KeyRow> {
        let row = |(place, binding): &(&'static str, Binding)| {
            let ends = [binding.keys.first(), binding.keys.last()].into_iter().flatten();
            let mut keys: Vec<String> = match binding.action {
                Action::PickLetter(_) => {
                    vec![ends.map(Key::to_string).collect::<Vec<_>>().join("…")]
                }
                _ => binding.keys.iter().map(Key::to_string).collect(),
            };
            keys.dedup();
            let action = binding.action.description();
            KeyRow { group: binding.group, keys, action, place }
        };
        self.all.iter().map(row).collect()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(CTRL) {
            f.write_str("Ctrl-")?;
        }
        if self.modifiers.contains(SHIFT) && self.code != KeyCode::BackTab {
            f.write_str("Shift-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.modifiers.contains(CTRL) => {
                write!(f, "{}", c.to_ascii_uppercase())
            }
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::F(n) => write!(f, "F{n}"),
            code => write!(f, "{code:?}"),
        }
    }
}
