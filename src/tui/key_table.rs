//! The table of every key, put together from those of the screens.

use super::action::Action;
use super::keymap::{Binding, EVERYWHERE, KeyTable, Keymap};
use super::screen::ScreenSpec;
use super::screens::SCREENS;
use super::windows::{editor, picker, prompt, text};
use std::sync::LazyLock;

/// Every key of the program.
pub static KEY_TABLE: LazyLock<KeyTable> = LazyLock::new(|| {
    let root = root();
    let first = root.iter().map(|binding| ("", *binding));
    let mut all: Vec<(&'static str, Binding)> = first.collect();
    let mut add = |keymap: &Keymap, more: Vec<Binding>| {
        all.extend(keymap.rows.iter().copied().chain(more).map(|row| (keymap.place, row)));
    };
    add(&picker::KEYS, Vec::new());
    let windows = [&editor::KEYS, &prompt::KEYS, &text::KEYS];
    for spec in &SCREENS[1..] {
        let screen = (spec.create)();
        let shared = |keymap: &Keymap| windows.iter().any(|other| std::ptr::eq(*other, keymap));
        for keymap in screen.keymaps().into_iter().filter(|keymap| !shared(keymap)) {
            let own = std::ptr::eq(keymap, screen.keymap());
            let group = keymap.rows.first().map_or("", |row| row.group);
            add(keymap, if own { tab_keys(spec, group) } else { Vec::new() });
        }
    }
    windows.into_iter().for_each(|keymap| add(keymap, Vec::new()));
    KeyTable { root, all }
});

/// The keys of the first screen: its own, those that open other screens, those that work everywhere.
fn root() -> Vec<Binding> {
    let mut rows = (SCREENS[0].create)().keymap().rows.to_vec();
    let mut openers: Vec<_> = SCREENS.iter().filter_map(|spec| spec.opener.as_ref()).collect();
    while !openers.is_empty() {
        let place = |after: Action| rows.iter().position(|row| row.action == after);
        let next = openers.iter().position(|opener| place(opener.after).is_some());
        // Who stands behind nothing stands at the end.
        let opener = openers.remove(next.unwrap_or(0));
        // Behind that row, and behind what stands there for the same reason.
        let mut at = place(opener.after).map_or(rows.len(), |at| at + 1);
        while rows.get(at).is_some_and(|row| matches!(row.action, Action::Open(_))) {
            at += 1;
        }
        rows.insert(at, opener.binding);
    }
    rows.extend(EVERYWHERE);
    rows
}

/// The keys that go from one screen of the header to the others, for help under the heading `group`.
pub fn tab_keys(spec: &ScreenSpec, group: &'static str) -> Vec<Binding> {
    let others = SCREENS
        .iter()
        .filter(|other| spec.tab.is_some() && other.tab.is_some() && other.id != spec.id);
    let openers = others.filter_map(|other| other.opener.as_ref());
    openers.map(|opener| Binding { rank: 0, group, ..opener.binding }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{CTRL, Key, SHIFT, lookup};
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    /// The bindings that work at the same time, by where they do.
    fn contexts() -> Vec<(&'static str, Vec<Binding>)> {
        let mut out: Vec<(&'static str, Vec<Binding>)> = vec![("", KEY_TABLE.root.clone())];
        for (place, binding) in KEY_TABLE.all.iter().filter(|(place, _)| !place.is_empty()) {
            match out.iter_mut().find(|(other, _)| other == place) {
                Some((_, rows)) => rows.push(*binding),
                None => out.push((place, EVERYWHERE.iter().copied().chain([*binding]).collect())),
            }
        }
        out
    }

    #[test]
    fn no_key_is_bound_twice_in_one_place() {
        for (place, rows) in contexts() {
            let keys: Vec<&Key> = rows.iter().flat_map(|row| row.keys).collect();
            for (i, key) in keys.iter().enumerate() {
                assert!(!keys[i + 1..].contains(key), "{key} {place}");
            }
        }
    }

    #[test]
    fn every_binding_has_keys_and_words() {
        for (place, binding) in &KEY_TABLE.all {
            let words = [binding.hint, binding.group, binding.action.description()];
            assert!(words.iter().all(|text| !text.is_empty()), "{:?} {place}", binding.action);
            assert!(!binding.keys.is_empty(), "{:?} {place}", binding.action);
        }
    }

    #[test]
    fn every_opener_opens_its_own_screen_and_stands_where_it_says() {
        for spec in SCREENS {
            let Some(opener) = &spec.opener else { continue };
            assert_eq!(opener.command().map(|command| command.id), Some(spec.id));
            let root = &KEY_TABLE.root;
            let at = root.iter().position(|row| row.action == opener.binding.action).unwrap();
            let before = &root[..at];
            assert!(before.iter().any(|row| row.action == opener.after), "{}", spec.id);
        }
    }

    #[test]
    fn shifted_characters_are_found_with_and_without_the_modifier() {
        for modifiers in [KeyModifiers::NONE, SHIFT] {
            let key = Key::of(&KeyEvent::new(KeyCode::Char('T'), modifiers));
            assert_eq!(lookup(&KEY_TABLE.root, key), Some(Action::NextTheme));
        }
        let ctrl_c = Key::of(&KeyEvent::new(KeyCode::Char('c'), CTRL));
        for (_, rows) in contexts() {
            assert_eq!(lookup(&rows, ctrl_c), Some(Action::ForceQuit));
        }
    }

    #[test]
    fn the_list_of_keys_names_every_binding() {
        let rows = KEY_TABLE.rows();
        assert_eq!(rows.len(), KEY_TABLE.all.len());
        for (row, (place, binding)) in rows.iter().zip(&KEY_TABLE.all) {
            assert_eq!((row.action, row.place), (binding.action.description(), *place));
            assert!(!row.keys.is_empty() && row.keys.iter().all(|key| !key.is_empty()));
        }
    }
}
