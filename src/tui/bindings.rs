//! Every key: one row each.

use super::action::Action::{self, *};
use super::keymap::{Binding, Context, Key};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

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

pub(super) const CTRL: KeyModifiers = KeyModifiers::CONTROL;
pub(super) const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const LEFT: KeyCode = KeyCode::Left;
const RIGHT: KeyCode = KeyCode::Right;
pub(super) static LETTERS: &[Key] = &[
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

use Context::{Any, Columns, Editor, Explore, Least, List, Matrix, Prompt, Racers, Reader};

const EPS: &str = "Size of the attack, ε";
const SAMPLE: &str = "Sample";
const ATTACK: &str = "Model and attack";
const PLAY: &str = "Iterations";
const DEFEND: &str = "Defences";
const LOOK: &str = "Looking closer";
const PROGRAM: &str = "Program";
const RACE: &str = "In a race";
const LEARN: &str = "Among the lessons";
const COMPARE: &str = "Comparing";
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
    row(Explore, PROGRAM, Action::Compare, 7, "compare", &[c('2')]),
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
    row(Context::Learn, LEARN, Action::Compare, 0, "compare", &[c('2')]),
    row(Context::Compare, COMPARE, Up, 9, "cell", &[k(KeyCode::Up), c('k')]),
    row(Context::Compare, COMPARE, Down, 9, "cell", &[k(KeyCode::Down), c('j')]),
    row(Context::Compare, COMPARE, Left, 9, "cell", &[k(LEFT)]),
    row(Context::Compare, COMPARE, Right, 9, "cell", &[k(RIGHT)]),
    row(Context::Compare, COMPARE, OpenCell, 1, "open it", &[k(KeyCode::Enter)]),
    row(Context::Compare, COMPARE, TurnKnowing, 2, "naive/adaptive", &[c('v')]),
    row(Context::Compare, COMPARE, SwitchTable, 3, "one/many", &[k(KeyCode::Tab)]),
    row(Context::Compare, COMPARE, MoreSamples, 4, "more", &[c('n')]),
    row(Context::Compare, COMPARE, ChooseColumns, 5, "attacks", &[c('a')]),
    row(Context::Compare, COMPARE, EditDefences, 6, "defences", &[c('d')]),
    row(Context::Compare, COMPARE, AddHybrid, 7, "hybrid", &[c('h')]),
    row(Context::Compare, COMPARE, DropRow, 0, "row out", &[c('x'), k(KeyCode::Delete)]),
    row(Context::Compare, COMPARE, NextSort, 8, "sort", &[c('s')]),
    row(Context::Compare, COMPARE, FilterRows, 10, "filter", &[c('/'), c('f')]),
    row(Context::Compare, COMPARE, Export, 8, "export", &[c('e')]),
    row(Context::Compare, COMPARE, PreviousSample, 11, "sample", &[c('['), k(KeyCode::PageUp)]),
    row(Context::Compare, COMPARE, NextSample, 11, "sample", &[c(']'), k(KeyCode::PageDown)]),
    row(Context::Compare, COMPARE, JumpToSample, 0, "jump", &[c('g')]),
    row(Context::Compare, COMPARE, TypeEpsilon, 12, "type ε", &[c('E')]),
    row(Context::Compare, COMPARE, ChooseModel, 13, "model", &[c('M')]),
    row(Context::Compare, COMPARE, ChooseData, 14, "data", &[c('D')]),
    row(Context::Compare, COMPARE, Action::Learn, 0, "lessons", &[c('5')]),
    row(Context::Compare, COMPARE, NextTheme, 15, "theme", &[c('T')]),
    row(Context::Compare, COMPARE, Help, 0, "all keys", &[c('?'), k(KeyCode::F(1))]),
    row(Context::Compare, COMPARE, Palette, 0, "find", &[c(':')]),
    row(Context::Compare, COMPARE, Messages, 0, "messages", &[c('!')]),
    row(Context::Compare, COMPARE, Quit, 0, "quit", &[c('q')]),
    row(Context::Compare, COMPARE, Back, 0, "Explore", &[c('1'), k(KeyCode::Esc)]),
    row(Columns, WINDOW, Up, 3, "move", &[k(KeyCode::Up), with(KeyCode::Char('p'), CTRL)]),
    row(Columns, WINDOW, Down, 3, "move", &[k(KeyCode::Down), with(KeyCode::Char('n'), CTRL)]),
    row(Columns, WINDOW, PageUp, 0, "page up", &[k(KeyCode::PageUp)]),
    row(Columns, WINDOW, PageDown, 0, "page down", &[k(KeyCode::PageDown)]),
    row(Columns, WINDOW, Toggle, 1, "in or out", &[c(' ')]),
    row(Columns, WINDOW, Back, 2, "done", &[k(KeyCode::Enter), k(KeyCode::Esc)]),
    row(Columns, WINDOW, About, 4, "more about this", &[k(KeyCode::Tab)]),
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
