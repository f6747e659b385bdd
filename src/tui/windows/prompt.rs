//! A line to type a value into.

use crate::tui::action::Action::{self, Accept, Back};
use crate::tui::keymap::{Keymap, WINDOW, key, row};
use crate::tui::screen::{Answer, Outcome, Reply, Screen};
use crate::tui::session::{Question, Session};
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{input_line, wrap};
use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// The keys of a line that is typed.
pub static KEYS: Keymap = Keymap {
    place: "in an input line",
    rows: &[
        row(WINDOW, Accept, 1, "accept", &[key(KeyCode::Enter)]),
        row(WINDOW, Back, 2, "cancel", &[key(KeyCode::Esc)]),
    ],
};

/// A line being typed.
pub struct Prompt {
    question: Question,
    input: Input,
    unchanged: bool,
}

impl Prompt {
    /// The window that asks a question.
    pub fn new(question: Question) -> Self {
        let input = Input::new(question.text.clone());
        Self { question, input, unchanged: true }
    }

    /// What is asked for.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// The line as it stands.
    pub fn text(&self) -> &str {
        self.input.value()
    }
}

impl Screen for Prompt {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn window(&self, _session: &Session) -> Option<(u16, u16)> {
        Some((64, 6))
    }

    fn update(&mut self, action: Action, _session: &mut Session) -> Outcome {
        if action != Accept {
            return Outcome::Ignored;
        }
        let text = self.input.value().trim().to_string();
        let (prompt, unchanged) = (self.question.id, self.unchanged);
        let reply = Reply::Line { prompt, text, unchanged };
        Outcome::Answer(Answer { to: self.question.to, reply, closes: true })
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn typed(&mut self, event: KeyEvent) {
        self.input.handle_event(&Event::Key(event));
        self.question.fault = None;
        self.unchanged = false;
    }

    fn refused(&mut self, why: String) {
        self.question.fault = Some(why);
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        let theme = &session.theme;
        let inner = window(&self.question.heading, area, theme, buf);
        let line = input_line("› ", &self.input, theme.strong, theme.accent);
        buf.set_line(inner.x, inner.y, &line, inner.width);
        let (text, style) = match &self.question.fault {
            Some(fault) => (fault, theme.fooled),
            None => (&self.question.help, theme.dim),
        };
        let lines = wrap(text, inner.width.into());
        for (line, y) in lines.into_iter().zip(inner.y + 1..inner.bottom()) {
            buf.set_string(inner.x, y, line, style);
        }
    }
}
