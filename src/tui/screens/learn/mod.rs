//! Learn: published numbers and what broke them, measured here and now.

mod state;
mod view;

pub use state::{COUNTS, Learn, LessonRun};

use crate::defence::Stance;
use crate::engine::{JobId, LessonJob, Request, Update};
use crate::error::Error;
use crate::experiment::{LESSONS, LessonSide};
use crate::tui::action::Action::{self, *};
use crate::tui::action::Command;
use crate::tui::keymap::{Key, Keymap, PROGRAM, char, key, row};
use crate::tui::screen::{Heard, Opener, Outcome, Screen, ScreenSpec, Tab};
use crate::tui::session::{DefenceEntry, Session};
use crossterm::event::{KeyCode, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

/// Goes to the screen.
pub const OPEN: Action =
    Action::Open(Command { id: "learn", text: "Lessons: published defences and what broke them" });

/// Sets the last side of the lesson under the cursor up on Explore.
pub const OPEN_SIDE: Action =
    Action::Screen(Command { id: "learn.open-side", text: "Set the lesson up on Explore" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "learn",
    tab: Some(Tab { key: '5', name: "Learn" }),
    opener: Some(Opener {
        binding: row(PROGRAM, OPEN, 12, "lessons", &[char('5')]),
        after: super::compare::OPEN,
    }),
    create: || Box::new(Learn::default()),
};

const GROUP: &str = "Among the lessons";

/// A letter for each lesson.
static LETTERS: &[Key] = &[
    char('a'),
    char('b'),
    char('c'),
    char('d'),
    char('e'),
    char('f'),
    char('g'),
    char('h'),
    char('i'),
    char('j'),
    char('k'),
    char('l'),
    char('m'),
    char('n'),
];

static KEYS: Keymap = Keymap {
    place: "among the lessons",
    rows: &[
        row(GROUP, Accept, 1, "measure", &[key(KeyCode::Enter), char(' ')]),
        row(GROUP, PickLetter('a'), 0, "measure", LETTERS),
        row(GROUP, Up, 2, "lesson", &[key(KeyCode::Up)]),
        row(GROUP, Down, 2, "lesson", &[key(KeyCode::Down)]),
        row(GROUP, Less, 3, "images", &[char('-'), key(KeyCode::Left)]),
        row(GROUP, More, 3, "images", &[char('+'), char('='), key(KeyCode::Right)]),
        row(GROUP, OPEN_SIDE, 4, "open in Explore", &[char('o')]),
        row(GROUP, NextTheme, 0, "theme", &[char('T')]),
        row(GROUP, super::help::OPEN, 6, "all keys", &[char('?'), key(KeyCode::F(1))]),
        row(GROUP, Palette, 0, "find", &[char(':')]),
        row(GROUP, super::messages::OPEN, 0, "messages", &[char('!')]),
        row(GROUP, Back, 5, "leave", &[key(KeyCode::Esc), char('q'), char('1')]),
    ],
};

impl Learn {
    /// Measures the lesson under the cursor.
    fn measure(&self, session: &mut Session) {
        let (lesson, n) = (self.lesson(), COUNTS[self.count]);
        let job = LessonJob { lesson, n, seed: session.plan.seed };
        session.request(Request::Lesson(Arc::new(job)));
    }

    /// Measures the lesson of this number.
    fn pick(&mut self, at: usize, session: &mut Session) {
        if at < LESSONS.len() {
            self.at = at;
            self.measure(session);
        }
    }

    fn cancel(&mut self, session: &mut Session) {
        if self.running.take().is_some() {
            session.request(Request::Cancel);
        }
    }

    /// Leaves for Explore with the last side of the lesson under the cursor set up there.
    fn open_side(&mut self, session: &mut Session) -> Outcome {
        let Some(side) = self.lesson().sides.last() else { return Outcome::Done };
        self.cancel(session);
        match set_up(side, session) {
            Ok(()) => {
                // The run follows once the model is there.
                session.match_data();
                self.is_left = true;
            }
            Err(error) => session.say(error.to_string(), true),
        }
        Outcome::Close
    }

    fn running_job(&mut self, id: JobId) -> Option<&mut LessonRun> {
        self.running.as_mut().filter(|running| running.id == id)
    }
}

/// Sets one side of a lesson up in the session: its attack, model, defence and stance.
fn set_up(side: &LessonSide, session: &mut Session) -> Result<(), Error> {
    let (plan, stack) = (side.plan(session.plan.seed)?, side.stack()?);
    (session.plan, session.epsilon_fixed) = (plan, true);
    session.surrogate = None;
    session.model_wanted = side.model.to_string();
    let naive = side.stance == Stance::Naive;
    session.stance = if naive { Stance::Naive } else { Stance::Adaptive };
    let Some(stack) = stack else { return Ok(()) };
    session.defences.iter_mut().for_each(|entry| entry.on = false);
    match session.defences.iter_mut().find(|entry| entry.stack == stack) {
        Some(entry) => (entry.on, entry.stance) = (true, None),
        None => session.defences.push(DefenceEntry { stack, on: true, stance: None }),
    }
    Ok(())
}

impl Screen for Learn {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn close(&mut self, session: &mut Session) {
        self.cancel(session);
        if !std::mem::take(&mut self.is_left) {
            session.refresh();
        }
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        let step = |at: usize, by: isize, len: usize| at.saturating_add_signed(by).min(len - 1);
        match action {
            Up => self.at = step(self.at, -1, LESSONS.len()),
            Down => self.at = step(self.at, 1, LESSONS.len()),
            Less => self.count = step(self.count, -1, COUNTS.len()),
            More => self.count = step(self.count, 1, COUNTS.len()),
            Accept => self.measure(session),
            PickLetter(letter) => {
                self.pick((letter as usize).wrapping_sub('a' as usize), session);
            }
            OPEN_SIDE => return self.open_side(session),
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn on_sent(&mut self, id: JobId, request: &Request, _session: &mut Session) {
        if let Request::Lesson(job) = request {
            let job = job.clone();
            self.running = Some(LessonRun { id, job, share: (0, 0.0), sides: Vec::new() });
        }
    }

    fn on_update(&mut self, update: Update, _session: &mut Session) -> Heard {
        match update {
            Update::LessonProgress(id, side, share) => {
                self.running_job(id).into_iter().for_each(|job| job.share = (side, share));
            }
            Update::LessonSide(id, report) => {
                self.running_job(id).into_iter().for_each(|job| job.sides.push(report.clone()));
            }
            Update::Lesson(id, report) => {
                if self.running.take_if(|running| running.id == id).is_some() {
                    self.reports.insert(report.lesson, report);
                }
            }
            Update::Cancelled(id) | Update::Failed(id, _) => {
                self.running.take_if(|running| running.id == id);
                return Heard::Passed(update);
            }
            other => return Heard::Passed(other),
        }
        Heard::Taken
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        view::draw(self, session, area, buf);
    }

    /// A click on a lesson measures it.
    fn mouse(&mut self, event: MouseEvent, area: Rect, session: &mut Session) -> Outcome {
        let click = matches!(event.kind, MouseEventKind::Down(MouseButton::Left));
        match view::row_at(area, event.row).filter(|_| click) {
            Some(at) => {
                self.pick(at, session);
                Outcome::Done
            }
            None => Outcome::Ignored,
        }
    }
}
