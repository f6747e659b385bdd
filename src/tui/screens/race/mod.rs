//! A race: two to four attacks on the same sample, side by side.

mod state;
mod view;

use crate::engine::{JobId, Request, Update};
use crate::tui::action::Action::{self, *};
use crate::tui::action::Command;
use crate::tui::keymap::{ATTACK, Keymap, WINDOW, char, key, row};
use crate::tui::screen::{Heard, Opener, Outcome, Reply, Screen, ScreenSpec};
use crate::tui::session::{Refresh, Session};
use crate::tui::windows::attack_items::attack_items;
use crate::tui::windows::choice::Choice;
use crate::tui::windows::picker::{DOWN, Picker, Several, UP};
use crossterm::event::{KeyCode, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use state::LANES;
pub use state::{Lane, Race};

const ID: &str = "race";

/// Asks which attacks take part.
pub const OPEN: Action =
    Action::Open(Command { id: ID, text: "Race: two to four attacks side by side" });

/// Draws the race over queries instead of iterations, or the other way round.
pub const SWITCH_AXIS: Action =
    Action::Screen(Command { id: "race.switch-axis", text: "Race over iterations or queries" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: ID,
    tab: None,
    opener: Some(Opener {
        binding: row(ATTACK, OPEN, 9, "race", &[char('A')]),
        after: super::transfer::OPEN,
    }),
    create: || Box::new(Race::default()),
};

const GROUP: &str = "In a race";

static KEYS: Keymap = Keymap {
    place: "in a race",
    rows: &[
        row(GROUP, SWITCH_AXIS, 1, "iterations/queries", &[char('x'), key(KeyCode::Tab)]),
        row(GROUP, EpsilonDown, 2, "ε", &[key(KeyCode::Left), char('h')]),
        row(GROUP, EpsilonUp, 2, "ε", &[key(KeyCode::Right), char('l')]),
        row(GROUP, TypeEpsilon, 8, "type ε", &[char('e')]),
        row(GROUP, PreviousSample, 3, "sample", &[key(KeyCode::Up), char('k')]),
        row(GROUP, NextSample, 3, "sample", &[key(KeyCode::Down), char('j')]),
        row(GROUP, NextSeed, 6, "seed", &[char('s')]),
        row(GROUP, ChooseTarget, 7, "target", &[char('t')]),
        row(GROUP, OPEN, 5, "other attacks", &[char('A'), char('a')]),
        row(GROUP, NextTheme, 0, "theme", &[char('T')]),
        row(GROUP, super::help::OPEN, 9, "all keys", &[char('?'), key(KeyCode::F(1))]),
        row(GROUP, Palette, 0, "find", &[char(':')]),
        row(GROUP, super::messages::OPEN, 0, "messages", &[char('!')]),
        row(GROUP, Back, 4, "leave", &[key(KeyCode::Esc), char('q')]),
    ],
};

static CHOOSING: Keymap = Keymap {
    place: "choosing a race",
    rows: &[
        row(WINDOW, Up, 3, "move", UP),
        row(WINDOW, Down, 3, "move", DOWN),
        row(WINDOW, PageUp, 0, "page up", &[key(KeyCode::PageUp)]),
        row(WINDOW, PageDown, 0, "page down", &[key(KeyCode::PageDown)]),
        row(WINDOW, Toggle, 1, "in or out", &[char(' ')]),
        row(WINDOW, Accept, 2, "start the race", &[key(KeyCode::Enter)]),
        row(WINDOW, About, 4, "more about this", &[key(KeyCode::Tab)]),
        row(WINDOW, Back, 5, "close", &[key(KeyCode::Esc)]),
    ],
};

impl Screen for Race {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn keymaps(&self) -> Vec<&'static Keymap> {
        vec![&CHOOSING, &KEYS]
    }

    /// Asks first which attacks take part.
    fn open(&mut self, session: &mut Session) -> Outcome {
        if self.racers.is_empty() {
            self.racers.push(session.plan.attack);
        }
        let mut items = attack_items();
        for item in &mut items {
            if let Choice::Attack(attack) = item.choice {
                item.taken = Some(self.racers.contains(&attack));
                item.choice = Choice::Racer(attack);
            }
        }
        let here =
            |choice: &Choice| matches!(choice, Choice::Racer(a) if *a == session.plan.attack);
        let most = format!("at most {} attacks fit into a race", LANES.end());
        let several = Several {
            keymap: &CHOOSING,
            taken: 0..=*LANES.end(),
            refusals: [String::new(), most],
            accepted: LANES,
            hint: "choose two to four attacks: Space takes one in or out",
        };
        let picker = Picker::new(ID, "Race: two to four attacks", items, here);
        Outcome::Push(Box::new(Picker { several: Some(several), tall: true, ..picker }))
    }

    fn answer(&mut self, reply: Reply, session: &mut Session) -> Result<Outcome, String> {
        match reply {
            Reply::Choice(Choice::Racer(attack)) => {
                match self.racers.iter().position(|racer| *racer == attack) {
                    Some(at) => drop(self.racers.remove(at)),
                    None => self.racers.push(attack),
                }
                Ok(Outcome::Done)
            }
            Reply::Accepted if self.start(session) => Ok(Outcome::Show),
            Reply::Accepted => Ok(Outcome::Done),
            _ => Ok(Outcome::Ignored),
        }
    }

    fn close(&mut self, session: &mut Session) {
        if self.is_busy() {
            session.request(Request::Cancel);
        }
        (self.id, self.clean, self.lanes) = (None, None, Vec::new());
        session.refresh();
    }

    fn refresh(&mut self, why: Refresh, session: &mut Session) {
        if why == Refresh::SettingsChanged {
            self.start(session);
        }
    }

    fn update(&mut self, action: Action, _session: &mut Session) -> Outcome {
        if action != SWITCH_AXIS {
            return Outcome::Ignored;
        }
        self.by_queries = !self.by_queries;
        Outcome::Done
    }

    fn on_sent(&mut self, id: JobId, request: &Request, _session: &mut Session) {
        if matches!(request, Request::Race(_)) {
            self.id = Some(id);
        }
    }

    fn on_update(&mut self, update: Update, _session: &mut Session) -> Heard {
        match update {
            Update::Clean(id, clean) if self.is_mine(id) => self.clean = Some(clean),
            Update::LaneStep(id, lane, point, expected) => {
                if self.is_mine(id) {
                    self.step(lane, point, expected);
                }
            }
            Update::LaneFinished(id, lane, report, worked) => {
                let mine = self.is_mine(id);
                if let Some(lane) = self.lanes.get_mut(lane).filter(|_| mine) {
                    (lane.result, lane.worked) = (Some(report), worked);
                }
            }
            Update::Done(id) | Update::Cancelled(id) | Update::Failed(id, _) => {
                self.is_done |= self.is_mine(id);
                return Heard::Passed(update);
            }
            other => return Heard::Passed(other),
        }
        Heard::Taken
    }

    fn is_busy(&self) -> bool {
        !self.lanes.is_empty() && !self.is_done
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        view::draw(self, session, area, buf);
    }

    /// The heading names the axis: a click there switches it.
    fn mouse(&mut self, event: MouseEvent, area: Rect, _session: &mut Session) -> Outcome {
        let click = matches!(event.kind, MouseEventKind::Down(MouseButton::Left));
        match click && event.row == area.y {
            true => Outcome::Do(SWITCH_AXIS),
            false => Outcome::Ignored,
        }
    }
}
