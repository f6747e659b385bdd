//! A list to choose from, with a search line and a card beside the row under the cursor.

pub use super::picker_list::{Picker, PickerItem, Several};

use super::choice::Choice;
use super::{card, picker_view};
use crate::tui::action::Action::{self, *};
use crate::tui::keymap::{Binding, CTRL, Keymap, WINDOW, key, row, with};
use crate::tui::screen::{Answer, Outcome, Reply, Screen};
use crate::tui::session::Session;
use crossterm::event::{Event, KeyCode, KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// The keys of a list that one row is chosen from.
pub static KEYS: Keymap = Keymap { place: "in a list", rows: ROWS };

const ROWS: &[Binding] = &[
    row(WINDOW, Up, 2, "move", UP),
    row(WINDOW, Down, 2, "move", DOWN),
    row(WINDOW, PageUp, 0, "page up", &[key(KeyCode::PageUp)]),
    row(WINDOW, PageDown, 0, "page down", &[key(KeyCode::PageDown)]),
    row(WINDOW, Accept, 1, "choose", &[key(KeyCode::Enter)]),
    row(WINDOW, About, 3, "more about this", &[key(KeyCode::Tab)]),
    row(WINDOW, Back, 4, "close", &[key(KeyCode::Esc)]),
];

/// The keys that go one row up, where letters are typed into the search line.
pub const UP: &[crate::tui::keymap::Key] = &[key(KeyCode::Up), with(KeyCode::Char('p'), CTRL)];
/// The keys that go one row down.
pub const DOWN: &[crate::tui::keymap::Key] = &[key(KeyCode::Down), with(KeyCode::Char('n'), CTRL)];

impl Picker {
    fn move_by(&mut self, by: isize) -> Outcome {
        let last = self.found().len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        Outcome::Done
    }

    /// Chooses the row under the cursor, or accepts those taken in.
    fn accept(&mut self, session: &mut Session) -> Outcome {
        if let Some(several) = &self.several {
            let count = self.items.iter().filter(|item| item.taken == Some(true)).count();
            if !several.accepted.contains(&count) {
                session.say(several.hint, false);
                return Outcome::Done;
            }
            return Outcome::Answer(Answer { to: self.to, reply: Reply::Accepted, closes: true });
        }
        match self.found().into_iter().nth(self.at).map(|item| item.choice) {
            Some(Choice::Do(action)) => Outcome::CloseAndDo(action),
            Some(choice) => self.reply(choice, true),
            None => Outcome::Done,
        }
    }

    fn reply(&self, choice: Choice, closes: bool) -> Outcome {
        Outcome::Answer(Answer { to: self.to, reply: Reply::Choice(choice), closes })
    }

    /// Takes the row under the cursor in, or out.
    fn toggle(&mut self, session: &mut Session) -> Outcome {
        let (Some(several), Some(chosen)) = (&self.several, self.found().into_iter().nth(self.at))
        else {
            return Outcome::Done;
        };
        let same = |item: &PickerItem| item.text == chosen.text && item.section == chosen.section;
        let taken = chosen.taken == Some(true);
        let count = self.items.iter().filter(|item| item.taken == Some(true)).count();
        let refused = match taken {
            true if count <= *several.taken.start() => Some(&several.refusals[0]),
            false if count >= *several.taken.end() => Some(&several.refusals[1]),
            _ => None,
        };
        if let Some(why) = refused {
            session.say(why, false);
        }
        let refused = refused.is_some();
        // The next one is searched for from the start.
        self.input = Input::default();
        self.at = self.items.iter().position(same).unwrap_or(0);
        if refused {
            return Outcome::Done;
        }
        self.items.iter_mut().filter(|item| same(item)).for_each(|item| item.taken = Some(!taken));
        self.reply(chosen.choice, false)
    }

    /// More about the row under the cursor.
    fn about(&self, session: &mut Session) -> Outcome {
        let Some(item) = self.found().into_iter().nth(self.at) else { return Outcome::Done };
        let card = match item.choice {
            Choice::Attack(attack) | Choice::Racer(attack) | Choice::Column(attack, _) => {
                card::attack(attack)
            }
            _ if item.about.is_empty() => {
                session.say("there is no more to say about it", false);
                return Outcome::Done;
            }
            _ => card::InfoCard::new(item.text, item.about),
        };
        Outcome::Push(Box::new(card))
    }
}

impl Screen for Picker {
    fn keymap(&self) -> &'static Keymap {
        self.several.as_ref().map_or(&KEYS, |several| several.keymap)
    }

    fn window(&self, _session: &Session) -> Option<(u16, u16)> {
        Some((100, if self.tall { 44 } else { 28 }))
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        match action {
            Up => self.move_by(-1),
            Down => self.move_by(1),
            PageUp => self.move_by(-10),
            PageDown => self.move_by(10),
            Accept => self.accept(session),
            Toggle => self.toggle(session),
            About => self.about(session),
            _ => Outcome::Ignored,
        }
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn typed(&mut self, event: KeyEvent) {
        let change = self.input.handle_event(&Event::Key(event));
        if change.is_some_and(|change| change.value) {
            self.at = 0;
        }
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        picker_view::draw(self, &session.theme, area, buf);
    }

    fn mouse(&mut self, event: MouseEvent, area: Rect, session: &mut Session) -> Outcome {
        let Some(at) = picker_view::item_at(self, area, event.row) else {
            return Outcome::Ignored;
        };
        self.at = at;
        match self.several {
            Some(_) => self.toggle(session),
            None => self.accept(session),
        }
    }
}
