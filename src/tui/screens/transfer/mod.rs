//! Transfer: the attack crafted on each model of the data set, tried on all of them.

mod matrix;
mod view;

use crate::engine::{JobId, Request, TransferJob, TransferSamples, Update};
use crate::tui::action::Action::{self, Back, Less, More};
use crate::tui::action::Command;
use crate::tui::keymap::{ATTACK, Keymap, WINDOW, char, key, row};
use crate::tui::screen::{Heard, Opener, Outcome, Screen, ScreenSpec};
use crate::tui::session::{Session, Source};
use crossterm::event::KeyCode;
pub use matrix::TransferMatrix;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

/// Opens the matrix and begins to measure it.
pub const OPEN: Action =
    Action::Open(Command { id: "transfer", text: "Transfer between the models of this data set" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "transfer",
    tab: None,
    opener: Some(Opener {
        binding: row(ATTACK, OPEN, 0, "transfer", &[char('U')]),
        after: Action::ChooseSurrogate,
    }),
    create: || Box::new(Transfer::default()),
};

const CLOSE: &[crate::tui::keymap::Key] =
    &[key(KeyCode::Esc), char('q'), char('U'), key(KeyCode::Enter)];

static KEYS: Keymap = Keymap {
    place: "in the transfer matrix",
    rows: &[
        row(WINDOW, Less, 1, "samples", &[key(KeyCode::Left), char('h'), char('-')]),
        row(WINDOW, More, 1, "samples", &[key(KeyCode::Right), char('l'), char('+'), char('=')]),
        row(WINDOW, Back, 2, "close", CLOSE),
    ],
};

/// How many samples it can be measured on; 0 is the current one alone.
pub const COUNTS: [usize; 6] = [0, 10, 30, 100, 300, 1000];

/// The transfer matrix of an attack.
#[derive(Default)]
pub struct Transfer {
    /// Index into [`COUNTS`].
    count: usize,
    /// What is measured; none before it was asked for.
    pub matrix: Option<TransferMatrix>,
}

/// The models that the matrix has room for: the current one, what the attack is crafted on, the
/// undefended ones, and the adversarially trained one. All of them would be too many to read.
fn compared_models(session: &Session) -> Vec<String> {
    let undefended = |name: &String| {
        let card = session.cards.iter().find(|card| card.name == *name);
        card.is_none_or(|card| matches!(card.defence.as_deref(), None | Some("pgd-at")))
    };
    let wanted = |name: &String| {
        name == session.attacked_model()
            || Some(name) == session.surrogate.as_ref()
            || undefended(name)
    };
    let mut names = session.matching_models();
    names.retain(wanted);
    names
}

impl Transfer {
    fn measure(&self, session: &mut Session) {
        let samples = match (COUNTS[self.count], &session.source) {
            (0, _) | (_, None | Some(Source::File(_))) => {
                session.current_sample().map(TransferSamples::One)
            }
            (n, Some(Source::Set(set))) => {
                Some(TransferSamples::First(set.clone(), n.min(set.len())))
            }
        };
        if let Some(samples) = samples.filter(|_| session.ready()) {
            let (models, plan) = (compared_models(session), session.plan.clone());
            let job = TransferJob { models, plan, samples };
            session.request(Request::Transfer(Arc::new(job)));
        }
    }

    fn step_count(&mut self, by: isize, session: &mut Session) -> Outcome {
        let count = self.count.saturating_add_signed(by).min(COUNTS.len() - 1);
        if count != self.count {
            self.count = count;
            self.measure(session);
        }
        Outcome::Done
    }

    fn of(&mut self, id: JobId) -> Option<&mut TransferMatrix> {
        self.matrix.as_mut().filter(|matrix| matrix.id == id)
    }
}

impl Screen for Transfer {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn window(&self, _session: &Session) -> Option<(u16, u16)> {
        let models = self.matrix.as_ref().map_or(2, |matrix| matrix.job.models.len());
        Some((84, view::height(models)))
    }

    fn open(&mut self, session: &mut Session) -> Outcome {
        if compared_models(session).len() < 2 {
            session.say("transfer needs two models of the same data set: there is only one", false);
            return Outcome::Done;
        }
        self.measure(session);
        Outcome::Show
    }

    fn close(&mut self, session: &mut Session) {
        if self.matrix.take().is_some_and(|matrix| !matrix.is_done()) {
            session.request(Request::Cancel);
        }
        session.refresh();
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        match action {
            Less => self.step_count(-1, session),
            More => self.step_count(1, session),
            _ => Outcome::Ignored,
        }
    }

    fn on_sent(&mut self, id: JobId, request: &Request, _session: &mut Session) {
        if let Request::Transfer(job) = request {
            self.matrix = Some(TransferMatrix::new(id, job.clone()));
        }
    }

    fn on_update(&mut self, update: Update, _session: &mut Session) -> Heard {
        match update {
            Update::TransferCell(id, row, column, report) => {
                let cells = self.of(id).map(|matrix| &mut matrix.cells);
                let cell = cells.and_then(|cells| cells.get_mut(row)?.get_mut(column));
                cell.into_iter().for_each(|cell| *cell = Some(report.clone()));
                Heard::Taken
            }
            Update::TransferRates(id, report) => {
                self.of(id).into_iter().for_each(|matrix| matrix.report = Some(report.clone()));
                Heard::Taken
            }
            Update::Progress(id, done, all, _) => {
                self.of(id).into_iter().for_each(|matrix| matrix.progress = (done, all));
                Heard::Passed(update)
            }
            Update::Cancelled(id) | Update::Failed(id, _) => {
                let over = |matrix: &mut TransferMatrix| matrix.id == id && !matrix.is_done();
                match self.matrix.take_if(over) {
                    Some(_) => Heard::Closed(update),
                    None => Heard::Passed(update),
                }
            }
            other => Heard::Passed(other),
        }
    }

    fn is_busy(&self) -> bool {
        self.matrix.as_ref().is_some_and(|matrix| !matrix.is_done())
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        view::draw(self.matrix.as_ref(), session, area, buf);
    }
}
