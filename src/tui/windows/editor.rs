//! An editor of parameters: those of the attack, or the defences and theirs.

pub use super::editor_row::{EditorKind, EditorRow};

use super::editor_row::rows;
use super::prompt::Prompt;
use super::{card, editor_view};
use crate::parameter::{Kind, Value};
use crate::tui::action::Action::{self, *};
use crate::tui::action::Command;
use crate::tui::keymap::{Keymap, WINDOW, char, key, row};
use crate::tui::screen::{Outcome, Reply, Screen};
use crate::tui::session::{Question, Session};
use crossterm::event::{KeyCode, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How much the attack knows of the defence under the cursor.
pub const NEXT_STANCE: Action = Action::Screen(Command {
    id: "editor.next-stance",
    text: "What the attack knows of this defence",
});

/// The keys of an editor.
pub static KEYS: Keymap = Keymap {
    place: "in an editor",
    rows: &[
        row(WINDOW, Up, 2, "move", &[key(KeyCode::Up), char('k')]),
        row(WINDOW, Down, 2, "move", &[key(KeyCode::Down), char('j')]),
        row(WINDOW, Less, 1, "change", &[key(KeyCode::Left), char('h'), char('-')]),
        row(WINDOW, More, 1, "change", &[key(KeyCode::Right), char('l'), char('+'), char('=')]),
        row(WINDOW, Toggle, 3, "on/off", &[char(' ')]),
        row(WINDOW, Accept, 4, "type a value", &[key(KeyCode::Enter), char('e')]),
        row(
            WINDOW,
            ResetRow,
            5,
            "default",
            &[char('x'), key(KeyCode::Backspace), key(KeyCode::Delete)],
        ),
        row(WINDOW, NEXT_STANCE, 6, "stance", &[char('v')]),
        row(WINDOW, About, 7, "more about it", &[char('i')]),
        row(WINDOW, Back, 8, "close", &[key(KeyCode::Esc), char('q'), char('p'), char('d')]),
    ],
};

/// An editor of parameters.
pub struct Editor {
    /// The identifier of its screen.
    id: &'static str,
    /// What it is about.
    pub kind: EditorKind,
    /// The row under the cursor.
    pub at: usize,
}

impl Editor {
    /// The editor of the screen of this identifier.
    pub fn new(id: &'static str, kind: EditorKind) -> Self {
        Self { id, kind, at: 0 }
    }

    /// The row under the cursor.
    fn row(&self, session: &Session) -> Option<EditorRow> {
        rows(session, self.kind).get(self.at).copied()
    }

    fn move_by(&mut self, by: isize, session: &Session) {
        let last = rows(session, self.kind).len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
    }

    /// Makes the value under the cursor smaller or larger by one step.
    fn step(&self, by: i64, session: &mut Session) {
        match self.row(session) {
            Some(EditorRow::Norm) => session.step_norm(by as isize),
            Some(EditorRow::Seed) => {
                session.plan.seed = session.plan.seed.saturating_add_signed(by);
                session.settings_changed();
            }
            Some(EditorRow::Defence(_)) => self.toggle(session),
            Some(row) => {
                if let Some(param) = row.param(session) {
                    // From what `auto` stands for, so that an arrow is a small change there too.
                    let value = param.nudge(row.resolved(session), by);
                    set(row, value, session);
                }
            }
            None => {}
        }
    }

    /// Turns the defence or the switch under the cursor on or off.
    fn toggle(&self, session: &mut Session) {
        match self.row(session) {
            Some(EditorRow::Defence(i)) => {
                session.defences[i].on = !session.defences[i].on;
                session.settings_changed();
            }
            Some(row) => {
                let kind = row.param(session).map(|param| param.kind);
                if matches!(kind, Some(Kind::Bool | Kind::Choice(_))) {
                    self.step(1, session);
                }
            }
            None => {}
        }
    }

    /// Sets the value under the cursor back to its default.
    fn reset(&self, session: &mut Session) {
        match self.row(session) {
            Some(EditorRow::Norm) => {
                session.set_norm(session.plan.attack.norms[0]);
                session.settings_changed();
            }
            Some(EditorRow::Seed) => {
                session.plan.seed = 0;
                session.settings_changed();
            }
            Some(row) => {
                if let Some(param) = row.param(session) {
                    set(row, param.default(), session);
                }
            }
            None => {}
        }
    }

    /// Asks for the value under the cursor; where it has only a few, takes the next one.
    fn accept(&self, session: &mut Session) -> Outcome {
        let row = match self.row(session) {
            Some(EditorRow::Norm) => {
                session.step_norm(1);
                return Outcome::Done;
            }
            Some(EditorRow::Defence(_)) => {
                self.toggle(session);
                return Outcome::Done;
            }
            Some(row) => row,
            None => return Outcome::Done,
        };
        let help = row
            .param(session)
            .map_or_else(|| "a whole number".into(), crate::parameter::Param::allowed);
        Outcome::Push(Box::new(Prompt::new(Question {
            to: self.id,
            id: "value",
            heading: row.name(session),
            help,
            text: String::new(),
            fault: None,
        })))
    }

    fn next_stance(&self, session: &mut Session) {
        match self.row(session) {
            Some(EditorRow::Defence(i) | EditorRow::DefenceParam(i, _)) => {
                session.defences[i].next_stance();
            }
            _ => session.toggle_stance(),
        }
    }

    /// More about the attack, or about the defence under the cursor.
    fn about(&self, session: &Session) -> Outcome {
        let card = match (self.kind, self.row(session)) {
            (EditorKind::Attack, _) => card::attack(session.plan.attack),
            (_, Some(EditorRow::Defence(i) | EditorRow::DefenceParam(i, _))) => {
                card::defences(session.defences[i].specs())
            }
            _ => return Outcome::Done,
        };
        Outcome::Push(Box::new(card))
    }
}

/// Sets a parameter.
fn set(row: EditorRow, value: Value, session: &mut Session) {
    let Some(param) = row.param(session) else { return };
    match row {
        EditorRow::Param(_) => session.plan.settings.set(param.id, value),
        EditorRow::DefenceParam(i, j) => session.defences[i].set(j, value),
        _ => {}
    }
    session.settings_changed();
}

impl Screen for Editor {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn window(&self, session: &Session) -> Option<(u16, u16)> {
        Some((84, rows(session, self.kind).len() as u16 + editor_view::AROUND))
    }

    fn open(&mut self, _session: &mut Session) -> Outcome {
        self.at = 0;
        Outcome::Show
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        match action {
            Up => self.move_by(-1, session),
            Down => self.move_by(1, session),
            Less => self.step(-1, session),
            More => self.step(1, session),
            Toggle => self.toggle(session),
            ResetRow => self.reset(session),
            NEXT_STANCE => self.next_stance(session),
            Accept => return self.accept(session),
            About => return self.about(session),
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn answer(&mut self, reply: Reply, session: &mut Session) -> Result<Outcome, String> {
        let (Reply::Line { text, .. }, Some(row)) = (reply, self.row(session)) else {
            return Ok(Outcome::Ignored);
        };
        if row == EditorRow::Seed {
            session.plan.seed = text.parse().map_err(|_| "give a whole number".to_string())?;
            session.settings_changed();
        } else if let Some(param) = row.param(session) {
            let value = param.parse(&text).map_err(|error| error.remedy)?;
            set(row, value, session);
        }
        Ok(Outcome::Done)
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        editor_view::draw((self.kind, self.at), session, area, buf);
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, session: &mut Session) -> Outcome {
        let Some(at) = editor_view::row_at((self.kind, self.at), session, area, event.row) else {
            return Outcome::Ignored;
        };
        self.at = at;
        self.toggle(session);
        Outcome::Done
    }
}
