//! The search for the least ε with which the attack works. It goes on while its window is closed.

mod view;

use crate::attack::Bound;
use crate::engine::{JobId, Request, Update};
use crate::experiment::MinimumEpsilon as Found;
use crate::tui::action::Action::{self, Accept, Back};
use crate::tui::action::Command;
use crate::tui::keymap::{EPSILON, Keymap, WINDOW, char, key, row};
use crate::tui::screen::{Heard, Opener, Outcome, Screen, ScreenSpec};
use crate::tui::session::{EpsilonSearch, Session};
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::sync::Arc;

/// Opens the window and begins the search.
pub const OPEN: Action =
    Action::Open(Command { id: "minimum-epsilon", text: "Look for the least ε that works" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "minimum-epsilon",
    tab: None,
    opener: Some(Opener {
        binding: row(EPSILON, OPEN, 8, "least ε", &[char('m')]),
        after: Action::TypeEpsilon,
    }),
    create: || Box::new(MinimumEpsilon::default()),
};

static KEYS: Keymap = Keymap {
    place: "looking for the least ε",
    rows: &[
        row(WINDOW, Accept, 1, "take it", &[key(KeyCode::Enter)]),
        row(WINDOW, Back, 2, "close", &[key(KeyCode::Esc), char('q'), char('m')]),
    ],
};

/// The window; what was tried and found stands in the session, since the slider shows it too.
#[derive(Default)]
struct MinimumEpsilon {
    is_open: bool,
}

fn search(id: JobId, session: &mut Session) -> Option<&mut EpsilonSearch> {
    session.epsilon_search.as_mut().filter(|search| search.id == id)
}

/// One more ε is tried, or was.
fn tried(id: JobId, epsilon: f64, success: Option<bool>, session: &mut Session) {
    let Some(search) = search(id, session) else { return };
    search.trying = match success {
        None => Some(epsilon),
        Some(success) => {
            search.tried.push((epsilon, success));
            None
        }
    };
}

impl MinimumEpsilon {
    fn found(&self, id: JobId, found: Arc<Found>, session: &mut Session) {
        let Some(search) = search(id, session) else { return };
        search.trying = None;
        search.found = Some(found);
        let sentence = search.sentence();
        if let Some(sentence) = sentence.filter(|_| !self.is_open) {
            session.say(sentence, false);
        }
        session.refresh();
    }
}

impl Screen for MinimumEpsilon {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn window(&self, _session: &Session) -> Option<(u16, u16)> {
        Some((64, view::HEIGHT))
    }

    /// Begins a search, or shows the one before where nothing but ε has changed.
    fn open(&mut self, session: &mut Session) -> Outcome {
        let Some(job) = session.wanted().filter(|_| session.ready()) else { return Outcome::Done };
        if job.plan.attack.bound == Bound::Own {
            let name = job.plan.attack.name;
            session.say(format!("{name} is bounded by its own parameters, not by ε"), false);
            return Outcome::Done;
        }
        let same = |search: &EpsilonSearch| {
            session.model_id() == search.model && job.differs_only_in_epsilon(&search.job)
        };
        if !session.epsilon_search.as_ref().is_some_and(same) {
            session.epsilon_search = None;
            session.request(Request::MinimumEpsilon(Arc::new(job)));
        }
        self.is_open = true;
        Outcome::Show
    }

    fn close(&mut self, _session: &mut Session) {
        self.is_open = false;
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        if action != Accept {
            return Outcome::Ignored;
        }
        let search = session.epsilon_search.as_ref();
        if let Some(epsilon) = search.and_then(|search| search.found.as_ref()?.epsilon) {
            session.set_epsilon(epsilon);
        }
        Outcome::Close
    }

    fn on_update(&mut self, update: Update, session: &mut Session) -> Heard {
        match update {
            Update::EpsilonTried(id, epsilon, success) => tried(id, epsilon, success, session),
            Update::MinimumEpsilon(id, found) => self.found(id, found, session),
            Update::Cancelled(id) | Update::Failed(id, _) => {
                let over = |search: &mut EpsilonSearch| search.id == id && search.is_running();
                return match session.epsilon_search.take_if(over) {
                    Some(_) => {
                        self.is_open = false;
                        Heard::Closed(update)
                    }
                    None => Heard::Passed(update),
                };
            }
            other => return Heard::Passed(other),
        }
        Heard::Taken
    }

    fn status(&self, session: &Session) -> Option<Line<'static>> {
        let theme = &session.theme;
        let search = session.epsilon_search.as_ref().filter(|search| search.is_running())?;
        let text = format!(" looking for the least ε: {} tries so far …  ", search.tried.len());
        let keys = session.keys.keys_of(OPEN).unwrap_or_default();
        let words = [(text, theme.accent), (keys, theme.key), (" shows them".into(), theme.dim)];
        Some(Line::from(words.map(|(text, style)| Span::styled(text, style)).to_vec()))
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        view::draw(session, area, buf);
    }
}
