//! The one keymap: footer, help, README and the tests read this table.

use super::action::Action::{self, *};
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
    /// In the search for the least ε.
    Least,
    /// In the transfer matrix.
    Matrix,
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

const fn c(code: char) -> Key {
    Key { code: KeyCode::Char(code), modifiers: KeyModifiers::NONE }
}
const fn k(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}
const fn with(code: KeyCode, modifiers: KeyModifiers) -> Key {
    Key { code, modifiers }
}
const fn row(
    context: Context,
    group: &'static str,
    action: Action,
    rank: u8,
    hint: &'static str,
    keys: &'static [Key],
) -> Binding {
    Binding { keys, action, context, group, hint, rank }
}

const CTRL: KeyModifiers = KeyModifiers::CONTROL;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const LEFT: KeyCode = KeyCode::Left;
const RIGHT: KeyCode = KeyCode::Right;
const LETTERS: &[Key] = &[
    c('a'),
    c('b'),
    c('c'),
    c('d'),
    c('e'),
    c('f'),
    c('g'),
    c('h'),
    c('i'),
    c('j'),
    c('k'),
    c('l'),
    c('m'),
    c('n'),
];

use Context::{Any, Editor, Explore, Least, List, Matrix, Prompt, Racers, Reader};

const EPS: &str = "Size of the attack, ε";
const SAMPLE: &str = "Sample";
const ATTACK: &str = "Model and attack";
const PLAY: &str = "Iterations";
const DEFEND: &str = "Defences";
const LOOK: &str = "Looking closer";
const PROGRAM: &str = "Program";
const RACE: &str = "In a race";
const LEARN: &str = "Among the lessons";
const WINDOW: &str = "In windows";

/// Every key.
pub static BINDINGS: &[Binding] = &[
    row(Explore, EPS, EpsilonDown, 1, "ε", &[k(LEFT), c('h')]),
    row(Explore, EPS, EpsilonUp, 1, "ε", &[k(RIGHT), c('l')]),
    row(
        Explore,
        EPS,
        EpsilonDownFast,
        0,
        "ε −−",
        &[with(LEFT, SHIFT), with(LEFT, CTRL), c('['), c('H')],
    ),
    row(
        Explore,
        EPS,
        EpsilonUpFast,
        0,
        "ε ++",
        &[with(RIGHT, SHIFT), with(RIGHT, CTRL), c(']'), c('L')],
    ),
    row(Explore, EPS, TypeEpsilon, 14, "type ε", &[c('e')]),
    row(Explore, EPS, LeastEpsilon, 8, "least ε", &[c('m')]),
    row(Explore, EPS, ResetEpsilon, 0, "usual ε", &[c('x')]),
    row(Explore, SAMPLE, PreviousSample, 2, "sample", &[k(KeyCode::Up), c('k')]),
    row(Explore, SAMPLE, NextSample, 2, "sample", &[k(KeyCode::Down), c('j')]),
    row(Explore, SAMPLE, PreviousPage, 0, "ten back", &[k(KeyCode::PageUp)]),
    row(Explore, SAMPLE, NextPage, 0, "ten on", &[k(KeyCode::PageDown)]),
    row(Explore, SAMPLE, JumpToSample, 0, "jump", &[c('g')]),
    row(Explore, SAMPLE, FilterByClass, 15, "filter", &[c('f'), c('/')]),
    row(Explore, SAMPLE, NextMistake, 16, "mistake", &[c('n')]),
    row(Explore, SAMPLE, PreviousMistake, 0, "mistake back", &[c('N')]),
    row(Explore, SAMPLE, ChooseData, 13, "data", &[c('D')]),
    row(Explore, ATTACK, ChooseModel, 5, "model", &[c('M')]),
    row(Explore, ATTACK, ChooseAttack, 4, "attack", &[c('a')]),
    row(Explore, ATTACK, EditAttack, 8, "parameters", &[c('p')]),
    row(Explore, ATTACK, About, 0, "more about it", &[c('i')]),
    row(Explore, ATTACK, ChooseTarget, 9, "target", &[c('t')]),
    row(Explore, ATTACK, ChooseSurrogate, 0, "crafted on", &[c('u')]),
    row(Explore, ATTACK, Action::Transfer, 0, "transfer", &[c('U')]),
    row(Explore, ATTACK, Action::Race, 9, "race", &[c('A')]),
    row(Explore, ATTACK, NextNorm, 0, "norm", &[c('o')]),
    row(Explore, ATTACK, NextSeed, 0, "seed", &[c('s')]),
    row(Explore, PLAY, PlayPause, 3, "play", &[c(' ')]),
    row(Explore, PLAY, StepBack, 12, "step", &[c(',')]),
    row(Explore, PLAY, StepForward, 12, "step", &[c('.')]),
    row(Explore, PLAY, Rewind, 0, "rewind", &[c('r'), k(KeyCode::Home)]),
    row(Explore, PLAY, ToResult, 0, "result", &[c('R'), k(KeyCode::End)]),
    row(Explore, DEFEND, EditDefences, 6, "defences", &[c('d')]),
    row(Explore, DEFEND, ToggleStance, 7, "naive/adaptive", &[c('v')]),
    row(Explore, LOOK, Blink, 10, "blink", &[c('b')]),
    row(Explore, LOOK, Zoom, 11, "zoom", &[c('z')]),
    row(Explore, LOOK, AmplifyMore, 0, "amplify", &[c('+'), c('=')]),
    row(Explore, LOOK, AmplifyLess, 0, "amplify less", &[c('-'), c('_')]),
    row(Explore, LOOK, NextPane, 0, "next pane", &[k(KeyCode::Tab)]),
    row(
        Explore,
        LOOK,
        PreviousPane,
        0,
        "previous pane",
        &[k(KeyCode::BackTab), with(KeyCode::BackTab, SHIFT)],
    ),
    row(Explore, LOOK, NextTheme, 18, "theme", &[c('T')]),
    row(Explore, PROGRAM, Action::Learn, 12, "lessons", &[c('5')]),
    row(Explore, PROGRAM, Help, 0, "all keys", &[c('?'), k(KeyCode::F(1))]),
    row(Explore, PROGRAM, Palette, 17, "find", &[c(':')]),
    row(Explore, PROGRAM, Messages, 0, "messages", &[c('!')]),
    row(Explore, PROGRAM, Quit, 0, "quit", &[c('q')]),
    row(Explore, PROGRAM, Back, 0, "dismiss", &[k(KeyCode::Esc)]),
    row(Any, PROGRAM, ForceQuit, 0, "quit", &[with(KeyCode::Char('c'), CTRL)]),
    row(Any, PROGRAM, Suspend, 0, "suspend", &[with(KeyCode::Char('z'), CTRL)]),
    row(List, WINDOW, Up, 2, "move", &[k(KeyCode::Up), with(KeyCode::Char('p'), CTRL)]),
    row(List, WINDOW, Down, 2, "move", &[k(KeyCode::Down), with(KeyCode::Char('n'), CTRL)]),
    row(List, WINDOW, PageUp, 0, "page up", &[k(KeyCode::PageUp)]),
    row(List, WINDOW, PageDown, 0, "page down", &[k(KeyCode::PageDown)]),
    row(List, WINDOW, Accept, 1, "choose", &[k(KeyCode::Enter)]),
    row(List, WINDOW, About, 3, "more about this", &[k(KeyCode::Tab)]),
    row(List, WINDOW, Back, 4, "close", &[k(KeyCode::Esc)]),
    row(Racers, WINDOW, Up, 3, "move", &[k(KeyCode::Up), with(KeyCode::Char('p'), CTRL)]),
    row(Racers, WINDOW, Down, 3, "move", &[k(KeyCode::Down), with(KeyCode::Char('n'), CTRL)]),
    row(Racers, WINDOW, PageUp, 0, "page up", &[k(KeyCode::PageUp)]),
    row(Racers, WINDOW, PageDown, 0, "page down", &[k(KeyCode::PageDown)]),
    row(Racers, WINDOW, Toggle, 1, "in or out", &[c(' ')]),
    row(Racers, WINDOW, Accept, 2, "start the race", &[k(KeyCode::Enter)]),
    row(Racers, WINDOW, About, 4, "more about this", &[k(KeyCode::Tab)]),
    row(Racers, WINDOW, Back, 5, "close", &[k(KeyCode::Esc)]),
    row(Context::Race, RACE, SwitchAxis, 1, "iterations/queries", &[c('x'), k(KeyCode::Tab)]),
    row(Context::Race, RACE, EpsilonDown, 2, "ε", &[k(LEFT), c('h')]),
    row(Context::Race, RACE, EpsilonUp, 2, "ε", &[k(RIGHT), c('l')]),
    row(Context::Race, RACE, TypeEpsilon, 8, "type ε", &[c('e')]),
    row(Context::Race, RACE, PreviousSample, 3, "sample", &[k(KeyCode::Up), c('k')]),
    row(Context::Race, RACE, NextSample, 3, "sample", &[k(KeyCode::Down), c('j')]),
    row(Context::Race, RACE, NextSeed, 6, "seed", &[c('s')]),
    row(Context::Race, RACE, ChooseTarget, 7, "target", &[c('t')]),
    row(Context::Race, RACE, Action::Race, 5, "other attacks", &[c('A'), c('a')]),
    row(Context::Race, RACE, NextTheme, 0, "theme", &[c('T')]),
    row(Context::Race, RACE, Help, 9, "all keys", &[c('?'), k(KeyCode::F(1))]),
    row(Context::Race, RACE, Palette, 0, "find", &[c(':')]),
    row(Context::Race, RACE, Messages, 0, "messages", &[c('!')]),
    row(Context::Race, RACE, Back, 4, "leave", &[k(KeyCode::Esc), c('q')]),
    row(Context::Learn, LEARN, Accept, 1, "measure", &[k(KeyCode::Enter), c(' ')]),
    row(Context::Learn, LEARN, PickLesson, 0, "measure", LETTERS),
    row(Context::Learn, LEARN, Up, 2, "lesson", &[k(KeyCode::Up)]),
    row(Context::Learn, LEARN, Down, 2, "lesson", &[k(KeyCode::Down)]),
    row(Context::Learn, LEARN, Less, 3, "pictures", &[c('-'), k(LEFT)]),
    row(Context::Learn, LEARN, More, 3, "pictures", &[c('+'), c('='), k(RIGHT)]),
    row(Context::Learn, LEARN, OpenSide, 4, "open in Explore", &[c('o')]),
    row(Context::Learn, LEARN, NextTheme, 0, "theme", &[c('T')]),
    row(Context::Learn, LEARN, Help, 6, "all keys", &[c('?'), k(KeyCode::F(1))]),
    row(Context::Learn, LEARN, Palette, 0, "find", &[c(':')]),
    row(Context::Learn, LEARN, Messages, 0, "messages", &[c('!')]),
    row(Context::Learn, LEARN, Back, 5, "leave", &[k(KeyCode::Esc), c('q'), c('1')]),
    row(Least, WINDOW, Accept, 1, "take it", &[k(KeyCode::Enter)]),
    row(Least, WINDOW, Back, 2, "close", &[k(KeyCode::Esc), c('q'), c('m')]),
    row(Matrix, WINDOW, Less, 1, "samples", &[k(LEFT), c('h'), c('-')]),
    row(Matrix, WINDOW, More, 1, "samples", &[k(RIGHT), c('l'), c('+'), c('=')]),
    row(Matrix, WINDOW, Back, 2, "close", &[k(KeyCode::Esc), c('q'), c('U'), k(KeyCode::Enter)]),
    row(Editor, WINDOW, Up, 2, "move", &[k(KeyCode::Up), c('k')]),
    row(Editor, WINDOW, Down, 2, "move", &[k(KeyCode::Down), c('j')]),
    row(Editor, WINDOW, Less, 1, "change", &[k(LEFT), c('h'), c('-')]),
    row(Editor, WINDOW, More, 1, "change", &[k(RIGHT), c('l'), c('+'), c('=')]),
    row(Editor, WINDOW, Toggle, 3, "on/off", &[c(' ')]),
    row(Editor, WINDOW, Accept, 4, "type a value", &[k(KeyCode::Enter), c('e')]),
    row(
        Editor,
        WINDOW,
        ResetRow,
        5,
        "default",
        &[c('x'), k(KeyCode::Backspace), k(KeyCode::Delete)],
    ),
    row(Editor, WINDOW, TurnStance, 6, "stance", &[c('v')]),
    row(Editor, WINDOW, About, 7, "more about it", &[c('i')]),
    row(Editor, WINDOW, Back, 8, "close", &[k(KeyCode::Esc), c('q'), c('p'), c('d')]),
    row(Prompt, WINDOW, Accept, 1, "accept", &[k(KeyCode::Enter)]),
    row(Prompt, WINDOW, Back, 2, "cancel", &[k(KeyCode::Esc)]),
    row(Reader, WINDOW, Up, 1, "scroll", &[k(KeyCode::Up), c('k')]),
    row(Reader, WINDOW, Down, 1, "scroll", &[k(KeyCode::Down), c('j')]),
    row(Reader, WINDOW, PageUp, 0, "page up", &[k(KeyCode::PageUp)]),
    row(Reader, WINDOW, PageDown, 0, "page down", &[k(KeyCode::PageDown), c(' ')]),
    row(
        Reader,
        WINDOW,
        Back,
        2,
        "close",
        &[k(KeyCode::Esc), c('q'), c('?'), c('!'), k(KeyCode::F(1)), k(KeyCode::Enter)],
    ),
];

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

/// Every key in a Markdown table, for the README (which is tested to hold exactly this).
pub fn key_table() -> String {
    let mut text = String::from("| Keys | What they do |\n|---|---|\n");
    let mut group = "";
    for binding in BINDINGS {
        if binding.group != group {
            group = binding.group;
            text.push_str(&format!("| | **{group}** |\n"));
        }
        let keys: Vec<String> = match std::ptr::eq(binding.keys, LETTERS) {
            true => vec!["`a`…`n`".into()],
            false => {
                let mut keys: Vec<_> = binding.keys.iter().map(|k| format!("`{k}`")).collect();
                keys.dedup();
                keys
            }
        };
        let place = match binding.context {
            Any | Explore => "",
            List => " (in a list)",
            Editor => " (in an editor)",
            Prompt => " (in an input line)",
            Reader => " (in a text)",
            Racers => " (choosing a race)",
            Context::Race => " (in a race)",
            Context::Learn => " (among the lessons)",
            Least => " (looking for the least ε)",
            Matrix => " (in the transfer matrix)",
        };
        let what = binding.action.description();
        text.push_str(&format!("| {} | {what}{place} |\n", keys.join(" ")));
    }
    text
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
        let table = key_table();
        for binding in BINDINGS {
            assert!(table.contains(binding.action.description()));
        }
    }
}
