//! The one keymap: footer, help, README and the tests read this table.

use super::action::Action;
pub use super::key_bindings::BINDINGS;
use super::key_bindings::{CTRL, LETTERS, SHIFT};
use crate::dashboard::KeyRow;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

/// Where a key is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Everywhere.
    Any,
    /// On the screen, no window open.
    Explore,
    /// In a list with a search line: pickers and the palette.
    List,
    /// In an editor of parameters.
    Editor,
    /// In a line that a value is typed into.
    Prompt,
    /// In a text: help, messages.
    Reader,
    /// Choosing who takes part in a race.
    Racers,
    /// In a race.
    Race,
    /// Among the lessons.
    Learn,
    /// Comparing defences.
    Compare,
    /// Choosing attacks to compare defences by.
    Columns,
    /// In the search for the least ε.
    EpsilonSearch,
    /// In the transfer matrix.
    TransferMatrix,
    /// Where a defence is measured by itself.
    DefenceMetrics,
    /// Among the evaluation lamps.
    Checks,
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// With which modifiers (Shift does not count for characters).
    pub modifiers: KeyModifiers,
}

/// One row of the keymap.
pub struct Binding {
    /// The keys.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// Where.
    pub context: Context,
    /// The heading in help.
    pub group: &'static str,
    /// One or two words for the footer.
    pub hint: &'static str,
    /// Place in the footer: 1 comes first, 0 stays out.
    pub rank: u8,
}

use Context::{
    Any, Columns, Editor, EpsilonSearch, Explore, List, Prompt, Racers, Reader, TransferMatrix,
};

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

/// What a key does in a context, if it does anything.
pub fn lookup(context: Context, key: Key) -> Option<Action> {
    let of = |wanted| {
        let mut rows = BINDINGS.iter().filter(move |b| b.context == wanted);
        rows.find(|b| b.keys.contains(&key)).map(|b| b.action)
    };
    of(context).or_else(|| of(Any))
}

/// The keys of an action, as they are shown: "← h". Digits are named together.
pub fn keys_text(binding: &Binding) -> String {
    if std::ptr::eq(binding.keys, LETTERS) {
        return "a-n".into();
    }
    let mut names: Vec<String> = binding.keys.iter().map(Key::to_string).collect();
    names.dedup();
    names.join(" ")
}

/// The keys of an action outside windows, if it has any.
pub fn keys_of(action: Action) -> Option<String> {
    let mut rows = BINDINGS.iter().filter(|b| matches!(b.context, Explore | Any));
    rows.find(|b| b.action == action).map(keys_text)
}

/// The footer's hints in a context, the most important first: neighbours with the same hint are joined.
pub fn hints(context: Context) -> Vec<(String, &'static str)> {
    let mut rows: Vec<&Binding> =
        BINDINGS.iter().filter(|b| b.context == context && b.rank > 0).collect();
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

/// Every key, in the order of the help: what `epsiloscope keys` prints.
pub fn key_rows() -> Vec<KeyRow> {
    let row = |binding: &Binding| {
        let mut keys: Vec<String> = match std::ptr::eq(binding.keys, LETTERS) {
            true => vec!["a…n".into()],
            false => binding.keys.iter().map(Key::to_string).collect(),
        };
        keys.dedup();
        let place = match binding.context {
            Any | Explore => "",
            List => "in a list",
            Editor => "in an editor",
            Prompt => "in an input line",
            Reader => "in a text",
            Racers => "choosing a race",
            Context::Race => "in a race",
            Context::Learn => "among the lessons",
            Context::Compare => "comparing",
            Columns => "choosing attacks to compare",
            EpsilonSearch => "looking for the least ε",
            TransferMatrix => "in the transfer matrix",
            Context::DefenceMetrics => "at a certificate or detector",
            Context::Checks => "among the checks",
        };
        KeyRow { group: binding.group, keys, action: binding.action.description(), place }
    };
    BINDINGS.iter().map(row).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::Action::*;

    #[test]
    fn no_key_is_bound_twice_in_a_context() {
        for (i, one) in BINDINGS.iter().enumerate() {
            for other in &BINDINGS[i..] {
                let meet =
                    one.context == other.context || one.context == Any || other.context == Any;
                for key in one.keys.iter().filter(|_| meet && !std::ptr::eq(one, other)) {
                    assert!(!other.keys.contains(key), "{key} in {:?}", one.context);
                }
            }
        }
    }

    #[test]
    fn every_action_has_a_key_and_every_key_a_hint() {
        for action in Action::LISTED {
            assert!(BINDINGS.iter().any(|b| b.action == *action), "{action:?}");
            assert!(!action.description().is_empty());
        }
        assert!(BINDINGS.iter().all(|b| !b.hint.is_empty() && !b.keys.is_empty()));
    }

    #[test]
    fn shifted_characters_are_found_with_and_without_the_modifier() {
        for modifiers in [KeyModifiers::NONE, SHIFT] {
            let key = Key::of(&KeyEvent::new(KeyCode::Char('T'), modifiers));
            assert_eq!(lookup(Explore, key), Some(NextTheme));
        }
        let ctrl_c = Key::of(&KeyEvent::new(KeyCode::Char('c'), CTRL));
        for context in [Explore, List, Editor, Prompt, Reader] {
            assert_eq!(lookup(context, ctrl_c), Some(ForceQuit));
        }
    }

    #[test]
    fn the_table_names_every_action() {
        let rows = key_rows();
        assert_eq!(rows.len(), BINDINGS.len());
        for (row, binding) in rows.iter().zip(BINDINGS) {
            assert!(row.action == binding.action.description() && !row.keys.is_empty());
        }
    }
}
