//! The editor of the defences and their parameters.

use crate::tui::action::Action;
use crate::tui::action::Command;
use crate::tui::keymap::{DEFEND, char, row};
use crate::tui::screen::{Opener, ScreenSpec};
use crate::tui::windows::editor::{Editor, EditorKind};

const ID: &str = "defences";

/// Opens the editor.
pub const OPEN: Action =
    Action::Open(Command { id: ID, text: "Switch defences on and off, change their parameters" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: ID,
    tab: None,
    opener: Some(Opener {
        binding: row(DEFEND, OPEN, 6, "defences", &[char('d')]),
        after: Action::ToResult,
    }),
    create: || Box::new(Editor::new(ID, EditorKind::Defences)),
};
