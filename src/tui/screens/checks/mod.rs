//! The evaluation checks of the result on show: the list of all of them, what remedies a warning, and
//! asking the model for more.

mod view;

use crate::metrics::checks::CheckStatus;
use crate::tui::action::Action::{self, *};
use crate::tui::action::Command;
use crate::tui::keymap::{DEFEND, Keymap, WINDOW, char, key, row};
use crate::tui::screen::{Opener, Outcome, Screen, ScreenSpec};
use crate::tui::session::Session;
use crossterm::event::{KeyCode, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Opens the list.
pub const OPEN: Action = Action::Open(Command {
    id: "checks",
    text: "Evaluation checks: what may be wrong with this result",
});

/// Asks the model for all that the checks want to know.
pub const RUN_ALL: Action = Action::Screen(Command {
    id: "checks.run-all",
    text: "Ask the model for all that the checks want to know",
});

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "checks",
    tab: None,
    opener: Some(Opener {
        binding: row(DEFEND, OPEN, 10, "checks", &[char('w')]),
        after: super::roc::OPEN,
    }),
    create: || Box::new(Checks::default()),
};

static KEYS: Keymap = Keymap {
    place: "among the checks",
    rows: &[
        row(WINDOW, Up, 3, "move", &[key(KeyCode::Up), char('k')]),
        row(WINDOW, Down, 3, "move", &[key(KeyCode::Down), char('j')]),
        row(WINDOW, Accept, 1, "remedy or ask", &[key(KeyCode::Enter)]),
        row(WINDOW, RUN_ALL, 2, "ask for all", &[char('L')]),
        row(WINDOW, Back, 4, "close", &[key(KeyCode::Esc), char('q'), char('w')]),
    ],
};

/// The list of checks.
#[derive(Debug, Default)]
pub struct Checks {
    /// The check under the cursor.
    pub at: usize,
}

impl Checks {
    fn move_by(&mut self, by: isize, session: &Session) -> Outcome {
        let last = session.check_summaries().len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        Outcome::Done
    }

    /// Remedies what the check under the cursor warns of, else asks the model for what it wants.
    fn accept(&self, session: &mut Session) -> Outcome {
        let Some(summary) = session.check_summaries().into_iter().nth(self.at) else {
            return Outcome::Done;
        };
        if let (true, Some(remedy)) = (summary.status().warns(), summary.remedy()) {
            session.apply_remedy(remedy);
            return Outcome::Done;
        }
        if let Some(probe) = summary.probe() {
            session.request_checks(vec![probe]);
            return Outcome::Done;
        }
        let text = match summary.status() {
            CheckStatus::Unlit => "the check has nothing to say here",
            CheckStatus::Green => "nothing is wrong here",
            CheckStatus::Amber | CheckStatus::Red => "no key remedies this",
        };
        session.say(text, false);
        Outcome::Done
    }
}

impl Screen for Checks {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn window(&self, _session: &Session) -> Option<(u16, u16)> {
        Some((110, view::HEIGHT))
    }

    /// The cursor goes to the worst.
    fn open(&mut self, session: &mut Session) -> Outcome {
        let summaries = session.check_summaries();
        let worst = (0..summaries.len()).rev().max_by_key(|at| summaries[*at].status());
        self.at = worst.unwrap_or(0);
        Outcome::Show
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        match action {
            Up => self.move_by(-1, session),
            Down => self.move_by(1, session),
            Accept => self.accept(session),
            RUN_ALL => {
                session.request_checks(Vec::new());
                Outcome::Done
            }
            _ => Outcome::Ignored,
        }
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        view::draw(session, self.at, area, buf);
    }

    /// The first click on a row goes there, the second accepts it.
    fn mouse(&mut self, event: MouseEvent, area: Rect, session: &mut Session) -> Outcome {
        let Some(at) = view::row_at(session, self.at, area, event.row) else {
            return Outcome::Ignored;
        };
        if at == self.at {
            return self.accept(session);
        }
        self.at = at;
        Outcome::Done
    }
}
