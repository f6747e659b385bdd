//! The editor of the attack's parameters.

use crate::tui::action::Action;
use crate::tui::action::Command;
use crate::tui::keymap::{ATTACK, char, row};
use crate::tui::screen::{Opener, ScreenSpec};
use crate::tui::windows::editor::{Editor, EditorKind};

const ID: &str = "attack-parameters";

/// Opens the editor.
pub const OPEN: Action = Action::Open(Command { id: ID, text: "Change the attack's parameters" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: ID,
    tab: None,
    opener: Some(Opener {
        binding: row(ATTACK, OPEN, 8, "parameters", &[char('p')]),
        after: Action::ChooseAttack,
    }),
    create: || Box::new(Editor::new(ID, EditorKind::Attack)),
};
