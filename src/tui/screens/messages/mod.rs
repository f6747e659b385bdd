//! Every message so far, the last one first.

use crate::tui::action::{Action, Command};
use crate::tui::keymap::{Keymap, PROGRAM, char, row};
use crate::tui::screen::{Opener, Outcome, Screen, ScreenSpec};
use crate::tui::session::Session;
use crate::tui::widgets::text::wrap;
use crate::tui::windows::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Opens the messages.
pub const OPEN: Action = Action::Open(Command { id: "messages", text: "Every message so far" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "messages",
    tab: None,
    opener: Some(Opener {
        binding: row(PROGRAM, OPEN, 0, "messages", &[char('!')]),
        after: Action::Palette,
    }),
    create: || Box::new(Messages::default()),
};

/// The messages, scrolled down by so many lines.
#[derive(Default)]
struct Messages {
    from: usize,
}

/// The columns and rows that the messages ask for.
fn wanted(session: &Session) -> (u16, u16) {
    (session.size.0.saturating_sub(4).min(116), 44)
}

fn lines(session: &Session, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for message in session.messages.iter().rev() {
        let style = if message.failure { session.theme.fooled } else { session.theme.base };
        let glyph = if message.failure { "! " } else { "· " };
        let parts = wrap(&message.text, usize::from(width).saturating_sub(2));
        for (i, part) in parts.into_iter().enumerate() {
            lines.push(Line::styled(format!("{}{part}", if i == 0 { glyph } else { "  " }), style));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled("nothing went wrong so far", session.theme.dim));
    }
    lines
}

impl Screen for Messages {
    fn keymap(&self) -> &'static Keymap {
        &text::KEYS
    }

    fn window(&self, session: &Session) -> Option<(u16, u16)> {
        Some(wanted(session))
    }

    fn open(&mut self, _session: &mut Session) -> Outcome {
        self.from = 0;
        Outcome::Show
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        let lines = |width| lines(session, width);
        text::update(&mut self.from, action, wanted(session), lines, session)
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        let lines = |width| lines(session, width);
        text::draw("Messages", self.from, lines, &session.theme, area, buf);
    }
}
