//! The commands and keys of Compare.

use crate::tui::action::Action::{self, *};
use crate::tui::action::Command;
use crate::tui::keymap::{Keymap, WINDOW, char, key, row};
use crate::tui::screens::{help, messages};
use crate::tui::windows::picker::{DOWN, UP};
use crossterm::event::KeyCode;

/// Open the cell in Explore: its attack, its defence, its stance.
pub const OPEN_CELL: Action = Action::Screen(Command {
    id: "compare.open-cell",
    text: "Open the cell in Explore: its attack, its defence, its stance",
});
/// Show naive attacks, adaptive ones, or both.
pub const NEXT_STANCE_FILTER: Action = Action::Screen(Command {
    id: "compare.next-stance-filter",
    text: "Show naive attacks, adaptive ones, or both",
});
/// To the other table: this sample, or many.
pub const SWITCH_TABLE: Action = Action::Screen(Command {
    id: "compare.switch-table",
    text: "To the other table: this sample, or many",
});
/// Over 20, 100 or 500 samples.
pub const MORE_SAMPLES: Action =
    Action::Screen(Command { id: "compare.more-samples", text: "Over 20, 100 or 500 samples" });
/// Take attacks in or out.
pub const CHOOSE_COLUMNS: Action =
    Action::Screen(Command { id: "compare.choose-columns", text: "Take attacks in or out" });
/// Add a hybrid, such as jpeg:75+pgd-at; name = stack saves it.
pub const ADD_HYBRID: Action = Action::Screen(Command {
    id: "compare.add-hybrid",
    text: "Add a hybrid, such as jpeg:75+pgd-at; name = stack saves it",
});
/// Take the defence out.
pub const DROP_ROW: Action =
    Action::Screen(Command { id: "compare.drop-row", text: "Take the defence out" });
/// Sort: as named, clean accuracy, worst case, latency.
pub const NEXT_SORT: Action = Action::Screen(Command {
    id: "compare.next-sort",
    text: "Sort: as named, clean accuracy, worst case, latency",
});
/// Show only the defences whose name has this in it.
pub const FILTER_ROWS: Action = Action::Screen(Command {
    id: "compare.filter-rows",
    text: "Show only the defences whose name has this in it",
});
/// Write the tables to a file: .csv, .json or .md.
pub const EXPORT: Action = Action::Screen(Command {
    id: "compare.export",
    text: "Write the tables to a file: .csv, .json or .md",
});

const GROUP: &str = "Comparing";

/// The keys of the screen.
pub static KEYS: Keymap = Keymap {
    place: "comparing",
    rows: &[
        row(GROUP, Up, 9, "cell", &[key(KeyCode::Up), char('k')]),
        row(GROUP, Down, 9, "cell", &[key(KeyCode::Down), char('j')]),
        row(GROUP, Left, 9, "cell", &[key(KeyCode::Left)]),
        row(GROUP, Right, 9, "cell", &[key(KeyCode::Right)]),
        row(GROUP, OPEN_CELL, 1, "open it", &[key(KeyCode::Enter)]),
        row(GROUP, NEXT_STANCE_FILTER, 2, "naive/adaptive", &[char('v')]),
        row(GROUP, SWITCH_TABLE, 3, "one/many", &[key(KeyCode::Tab)]),
        row(GROUP, MORE_SAMPLES, 4, "more", &[char('n')]),
        row(GROUP, CHOOSE_COLUMNS, 5, "attacks", &[char('a')]),
        row(GROUP, crate::tui::screens::defences::OPEN, 6, "defences", &[char('d')]),
        row(GROUP, ADD_HYBRID, 7, "hybrid", &[char('h')]),
        row(GROUP, DROP_ROW, 0, "row out", &[char('x'), key(KeyCode::Delete)]),
        row(GROUP, NEXT_SORT, 8, "sort", &[char('s')]),
        row(GROUP, FILTER_ROWS, 10, "filter", &[char('/'), char('f')]),
        row(GROUP, EXPORT, 8, "export", &[char('e')]),
        row(GROUP, PreviousSample, 11, "sample", &[char('['), key(KeyCode::PageUp)]),
        row(GROUP, NextSample, 11, "sample", &[char(']'), key(KeyCode::PageDown)]),
        row(GROUP, JumpToSample, 0, "jump", &[char('g')]),
        row(GROUP, TypeEpsilon, 12, "type ε", &[char('E')]),
        row(GROUP, ChooseModel, 13, "model", &[char('M')]),
        row(GROUP, ChooseData, 14, "data", &[char('D')]),
        row(GROUP, NextTheme, 15, "theme", &[char('T')]),
        row(GROUP, help::OPEN, 0, "all keys", &[char('?'), key(KeyCode::F(1))]),
        row(GROUP, Palette, 0, "find", &[char(':')]),
        row(GROUP, messages::OPEN, 0, "messages", &[char('!')]),
        row(GROUP, Quit, 0, "quit", &[char('q')]),
        row(GROUP, Back, 0, "Explore", &[char('1'), key(KeyCode::Esc)]),
    ],
};

/// The keys of the list that columns are chosen from.
pub static CHOOSING: Keymap = Keymap {
    place: "choosing attacks to compare",
    rows: &[
        row(WINDOW, Up, 3, "move", UP),
        row(WINDOW, Down, 3, "move", DOWN),
        row(WINDOW, PageUp, 0, "page up", &[key(KeyCode::PageUp)]),
        row(WINDOW, PageDown, 0, "page down", &[key(KeyCode::PageDown)]),
        row(WINDOW, Toggle, 1, "in or out", &[char(' ')]),
        row(WINDOW, Back, 2, "done", &[key(KeyCode::Enter), key(KeyCode::Esc)]),
        row(WINDOW, About, 4, "more about this", &[key(KeyCode::Tab)]),
    ],
};
