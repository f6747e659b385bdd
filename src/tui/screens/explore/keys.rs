//! The keys of Explore.

use crate::tui::action::Action::*;
use crate::tui::keymap::{
    ATTACK, Binding, CTRL, DEFEND, EPSILON, Keymap, PROGRAM, SHIFT, char, key, row, with,
};
use crossterm::event::KeyCode;

const LEFT: KeyCode = KeyCode::Left;
const RIGHT: KeyCode = KeyCode::Right;

const SAMPLE: &str = "Sample";
const PLAY: &str = "Iterations";
const LOOK: &str = "Looking closer";

/// The keys of Explore; those that open other screens stand with the screens.
pub static KEYS: Keymap = Keymap { place: "", rows: ROWS };

const ROWS: &[Binding] = &[
    row(EPSILON, EpsilonDown, 1, "ε", &[key(LEFT), char('h')]),
    row(EPSILON, EpsilonUp, 1, "ε", &[key(RIGHT), char('l')]),
    row(
        EPSILON,
        EpsilonDownFast,
        0,
        "ε −−",
        &[with(LEFT, SHIFT), with(LEFT, CTRL), char('['), char('H')],
    ),
    row(
        EPSILON,
        EpsilonUpFast,
        0,
        "ε ++",
        &[with(RIGHT, SHIFT), with(RIGHT, CTRL), char(']'), char('L')],
    ),
    row(EPSILON, TypeEpsilon, 14, "type ε", &[char('e')]),
    row(EPSILON, ResetEpsilon, 0, "usual ε", &[char('x')]),
    row(SAMPLE, PreviousSample, 2, "sample", &[key(KeyCode::Up), char('k')]),
    row(SAMPLE, NextSample, 2, "sample", &[key(KeyCode::Down), char('j')]),
    row(SAMPLE, PreviousPage, 0, "ten back", &[key(KeyCode::PageUp)]),
    row(SAMPLE, NextPage, 0, "ten on", &[key(KeyCode::PageDown)]),
    row(SAMPLE, JumpToSample, 0, "jump", &[char('g')]),
    row(SAMPLE, FilterByClass, 15, "filter", &[char('f'), char('/')]),
    row(SAMPLE, NextMistake, 16, "mistake", &[char('n')]),
    row(SAMPLE, PreviousMistake, 0, "mistake back", &[char('N')]),
    row(SAMPLE, ChooseData, 13, "data", &[char('D')]),
    row(ATTACK, ChooseModel, 5, "model", &[char('M')]),
    row(ATTACK, ChooseAttack, 4, "attack", &[char('a')]),
    row(ATTACK, About, 0, "more about it", &[char('i')]),
    row(ATTACK, ChooseTarget, 9, "target", &[char('t')]),
    row(ATTACK, ChooseSurrogate, 0, "crafted on", &[char('u')]),
    row(ATTACK, NextNorm, 0, "norm", &[char('o')]),
    row(ATTACK, NextSeed, 0, "seed", &[char('s')]),
    row(PLAY, PlayPause, 3, "play", &[char(' ')]),
    row(PLAY, StepBack, 12, "step", &[char(',')]),
    row(PLAY, StepForward, 12, "step", &[char('.')]),
    row(PLAY, Rewind, 0, "rewind", &[char('r'), key(KeyCode::Home)]),
    row(PLAY, ToResult, 0, "result", &[char('R'), key(KeyCode::End)]),
    row(DEFEND, ToggleStance, 7, "naive/adaptive", &[char('v')]),
    row(LOOK, Blink, 10, "blink", &[char('b')]),
    row(LOOK, Zoom, 11, "zoom", &[char('z')]),
    row(LOOK, AmplifyMore, 0, "amplify", &[char('+'), char('=')]),
    row(LOOK, AmplifyLess, 0, "amplify less", &[char('-'), char('_')]),
    row(LOOK, NextPane, 0, "next pane", &[key(KeyCode::Tab)]),
    row(
        LOOK,
        PreviousPane,
        0,
        "previous pane",
        &[key(KeyCode::BackTab), with(KeyCode::BackTab, SHIFT)],
    ),
    row(LOOK, NextTheme, 18, "theme", &[char('T')]),
    row(PROGRAM, Palette, 17, "find", &[char(':')]),
    row(PROGRAM, Quit, 0, "quit", &[char('q')]),
    row(PROGRAM, Back, 0, "dismiss", &[key(KeyCode::Esc)]),
];
