//! The contract of screens and windows.
//!
//! Everything that is drawn and takes keys is a [`Screen`]: Explore at the bottom, full screens such as
//! Compare above it, windows on top. They stand on one stack, and the stack is the one order of
//! precedence: keys, mouse, drawing, footer and help all go by it. A screen changes the
//! [`Session`] that it is given and says by an [`Outcome`] what is to become of the stack; it knows
//! neither the stack nor the other screens' state.
//!
//! A new screen is a folder in `screens/` and its row in the list there.

use super::action::{Action, Command};
use super::keymap::{Binding, Keymap};
use super::session::{Refresh, Session};
use super::windows::choice::Choice;
use crate::engine::{JobId, Request, Update};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use std::any::Any;

/// What becomes of the stack after a screen has done something.
pub enum Outcome {
    /// It was nothing for this screen: the one beneath is asked.
    Ignored,
    /// It is done.
    Done,
    /// This screen comes on top, if it is not there already.
    Show,
    /// This screen closes.
    Close,
    /// A window opens on top.
    Push(Box<dyn Screen>),
    /// Something else is to be done.
    Do(Action),
    /// This window closes, and something else is to be done.
    CloseAndDo(Action),
    /// The screen that opened this window is told of an answer.
    Answer(Answer),
}

/// What was answered in a window, for the screen that opened it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The identifier of that screen.
    pub to: &'static str,
    /// What was answered.
    pub reply: Reply,
    /// Whether the window closes, unless the answer is refused.
    pub closes: bool,
}

/// An answer itself.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A row of a list was chosen, or taken in or out where several can be.
    Choice(Choice),
    /// The rows taken in are accepted.
    Accepted,
    /// A line was typed.
    Line {
        /// The prompt's identifier.
        prompt: &'static str,
        /// The line.
        text: String,
        /// Whether it is still the one that the prompt began with.
        unchanged: bool,
    },
}

/// What a screen made of an update of the engine.
pub enum Heard {
    /// It was this screen's alone.
    Taken,
    /// Others may want it too.
    Passed(Update),
    /// Others may want it too; the screen has nothing left to show and closes.
    Closed(Update),
}

/// A screen or window.
pub trait Screen: Any {
    /// The keys that work while it is on top.
    fn keymap(&self) -> &'static Keymap;

    /// Its keymap and those of windows of its own, for help.
    fn keymaps(&self) -> Vec<&'static Keymap> {
        vec![self.keymap()]
    }

    /// The columns and rows that its window asks for; none: it fills the room between header and
    /// footer.
    fn window(&self, _session: &Session) -> Option<(u16, u16)> {
        None
    }

    /// It was asked for: brings it on top, opens a window first, or says why not.
    fn open(&mut self, _session: &mut Session) -> Outcome {
        Outcome::Show
    }

    /// It leaves the stack.
    fn close(&mut self, _session: &mut Session) {}

    /// Does an action, or leaves it to the screen beneath.
    fn update(&mut self, action: Action, session: &mut Session) -> Outcome;

    /// Takes a key that is bound to nothing: text is typed.
    fn typed(&mut self, _event: KeyEvent) {}

    /// Whether it has a line that text is typed into.
    fn takes_text(&self) -> bool {
        false
    }

    /// Takes the answer of a window that it opened.
    ///
    /// # Errors
    /// What is wrong with it, in words for the window.
    fn answer(&mut self, _reply: Reply, _session: &mut Session) -> Result<Outcome, String> {
        Ok(Outcome::Ignored)
    }

    /// Its answer was refused: `why` is shown.
    fn refused(&mut self, _why: String) {}

    /// It is the full screen on top, and what it shows may be out of date: asks the engine anew.
    fn refresh(&mut self, _why: Refresh, _session: &mut Session) {}

    /// A request was sent to the engine under this number.
    fn on_sent(&mut self, _id: JobId, _request: &Request, _session: &mut Session) {}

    /// Takes an update of the engine, on the stack or not.
    fn on_update(&mut self, update: Update, _session: &mut Session) -> Heard {
        Heard::Passed(update)
    }

    /// Whether a job of its own is going on.
    fn is_busy(&self) -> bool {
        false
    }

    /// Draws it into its place.
    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer);

    /// Takes a mouse event in its place. The wheel over a window and clicks beside it do not come here.
    fn mouse(&mut self, _event: MouseEvent, _area: Rect, _session: &mut Session) -> Outcome {
        Outcome::Ignored
    }

    /// What it says in the footer of work in the background, while no window is on top.
    fn status(&self, _session: &Session) -> Option<Line<'static>> {
        None
    }

    /// Keys that the footer always ends with.
    fn footer(&self, _session: &Session) -> Vec<(String, &'static str)> {
        Vec::new()
    }
}

/// A row of the list of screens.
pub struct ScreenSpec {
    /// The identifier.
    pub id: &'static str,
    /// Its name in the header, if it stands there.
    pub tab: Option<Tab>,
    /// How it is opened from the first screen; none for that itself.
    pub opener: Option<Opener>,
    /// Makes it. It is made once, and keeps its state while it is not on the stack.
    pub create: fn() -> Box<dyn Screen>,
}

/// A screen's name in the header.
pub struct Tab {
    /// The key that goes there.
    pub key: char,
    /// The name.
    pub name: &'static str,
}

/// The binding that opens a screen.
pub struct Opener {
    /// The binding; its action is [`Action::Open`].
    pub binding: Binding,
    /// The binding of the first screen that help lists it behind.
    pub after: Action,
}

impl Opener {
    /// What it opens.
    pub fn command(&self) -> Option<Command> {
        match self.binding.action {
            Action::Open(command) => Some(command),
            _ => None,
        }
    }
}
