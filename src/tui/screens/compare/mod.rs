//! Compare: defences × attacks for the chosen sample, and the same over many samples. What was found is
//! kept while the screen is away, and only what is missing is asked for.

mod cells;
mod commands;
mod grid;
mod prompts;
mod report;
mod state;
mod table;
mod view;

pub use commands::{
    ADD_HYBRID, CHOOSE_COLUMNS, DROP_ROW, EXPORT, FILTER_ROWS, MORE_SAMPLES, NEXT_SORT,
    NEXT_STANCE_FILTER, OPEN_CELL, SWITCH_TABLE,
};
pub use report::ROOM_FOR_BOTH;
pub use state::{COUNTS, Compare, StanceFilter, TableKind};

use crate::attack::{AttackSpec, Norm, default_epsilon};
use crate::engine::{JobId, Request, Update};
use crate::experiment::compare::{CompareFindings, attack_name, default_attack, default_attacks};
use crate::tui::action::Action::{self, *};
use crate::tui::action::Command;
use crate::tui::keymap::{Keymap, PROGRAM, char, row};
use crate::tui::screen::{Heard, Opener, Outcome, Reply, Screen, ScreenSpec, Tab};
use crate::tui::session::{DefenceEntry, Refresh, Session};
use crate::tui::windows::attack_items::attack_items;
use crate::tui::windows::choice::Choice;
use crate::tui::windows::picker::{Picker, PickerItem, Several};
use commands::{CHOOSING, KEYS};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use state::{FindingsKey, ID, View};
use std::sync::Arc;

/// Goes to the screen.
pub const OPEN: Action =
    Action::Open(Command { id: ID, text: "Compare defences before several attacks" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: ID,
    tab: Some(Tab { key: '2', name: "Compare" }),
    opener: Some(Opener {
        binding: row(PROGRAM, OPEN, 7, "compare", &[char('2')]),
        after: NextTheme,
    }),
    create: || Box::new(Compare::default()),
};

impl Compare {
    fn view<'a>(&'a self, session: &'a Session) -> View<'a> {
        View { compare: self, session }
    }

    /// The table, row and column under a place of the screen, which stands in `area`.
    pub fn cell_under(
        &self,
        session: &Session,
        area: Rect,
        at: Position,
    ) -> Option<(TableKind, usize, usize)> {
        view::cell_under(self.view(session), area, at)
    }

    /// Asks for what is missing.
    fn ask(&mut self, session: &mut Session) {
        if !session.ready() {
            return;
        }
        let (model, data) = (session.model_id().to_string(), session.data_id().to_string());
        let basis = FindingsKey { model, data, seed: session.plan.seed };
        let sample = session.current_sample();
        if self.basis.as_ref() != Some(&basis) {
            self.findings = CompareFindings::default();
            self.unfit.clear();
            self.basis = Some(basis);
        }
        if self.sample != sample {
            self.findings.forget_sample();
            self.sample = sample;
        }
        self.clamp(session);
        match (self.missing(session), &self.running) {
            (Some(job), Some((_, running))) if report::same(&job, running) => {}
            (Some(job), _) => session.request(Request::Compare(Arc::new(job))),
            (None, Some(_)) => {
                self.running = None;
                session.request(Request::Cancel);
            }
            (None, None) => {}
        }
    }

    /// Keeps the cursor where there is something.
    fn clamp(&mut self, session: &Session) {
        let (rows, columns) = (self.report(session).rows.len(), self.columns.len());
        let (row, column) = self.at;
        self.at = (row.min(rows.saturating_sub(1)), column.min(columns.saturating_sub(1)));
    }

    fn move_by(&mut self, rows: isize, columns: isize, session: &Session) {
        let (row, column) = self.at;
        self.at = (row.saturating_add_signed(rows), column.saturating_add_signed(columns));
        self.clamp(session);
    }

    /// Sets the cell under the cursor up in the session, its attack, its defence, its stance, and
    /// leaves for Explore.
    fn open_cell(&mut self, session: &mut Session) -> Outcome {
        let (report, plans) = (self.report(session), self.plans(session));
        let (Some(row), Some(plan)) = (report.rows.get(self.at.0), plans.get(self.at.1)) else {
            return Outcome::Done;
        };
        self.opened = Some(self.at.1);
        session.epsilon_fixed = plan.epsilon != default_epsilon(session.data_id(), plan.norm);
        session.plan = plan.clone();
        if let Some(stance) = row.stance {
            session.stance = stance;
            let mut stacks = self.stacks(session).into_iter();
            let stack = stacks.find(|stack| stack.text() == row.defence);
            let mut entries = session.defences.iter_mut();
            let entry = entries.find(|entry| entry.stack.text() == row.defence);
            match (entry, stack) {
                (Some(entry), _) => (entry.on, entry.stance) = (true, None),
                (None, Some(stack)) => {
                    session.defences.push(DefenceEntry { stack, on: true, stance: None });
                }
                (None, None) => {}
            }
        }
        Outcome::Close
    }

    /// Takes the defence under the cursor out.
    fn drop_row(&mut self, session: &mut Session) {
        let report = self.report(session);
        let Some(row) = report.rows.get(self.at.0).filter(|row| row.stance.is_some()) else {
            return session.say("the bare network stays: the others are compared with it", false);
        };
        self.own.retain(|stack| stack.text() != row.defence);
        let entries = session.defences.iter_mut();
        let dropped = entries.filter(|entry| entry.stack.text() == row.defence);
        dropped.for_each(|entry| entry.on = false);
        self.ask(session);
    }

    /// Opens the list of attacks and norms to compare defences by.
    fn choose_columns(&self) -> Outcome {
        let taken = |attack: &AttackSpec, norm: Norm| {
            self.columns.iter().any(|column| *column.attack == *attack && column.norm == norm)
        };
        let mut items = Vec::new();
        for item in attack_items() {
            let Choice::Attack(attack) = item.choice else { continue };
            items.extend(attack.norms.iter().map(|norm| PickerItem {
                text: attack_name(attack, *norm),
                note: String::new(),
                taken: Some(taken(attack, *norm)),
                choice: Choice::Column(attack, *norm),
                also: format!("{} {}", item.also, norm.id()),
                ..item.clone()
            }));
        }
        let here = |choice: &Choice| matches!(choice, Choice::Column(a, norm) if taken(a, *norm));
        let picker = Picker::new(ID, "Attacks to compare defences by", items, here);
        let several = Several {
            keymap: &CHOOSING,
            taken: 1..=usize::MAX,
            refusals: ["one attack has to stay".into(), String::new()],
            accepted: 1..=usize::MAX,
            hint: "",
        };
        Outcome::Push(Box::new(Picker { several: Some(several), tall: true, ..picker }))
    }

    /// Takes an attack in a norm in, or out.
    fn toggle_column(&mut self, attack: &'static AttackSpec, norm: Norm, session: &mut Session) {
        let here = self.columns.iter().position(|c| *c.attack == *attack && c.norm == norm);
        match here {
            Some(at) => drop(self.columns.remove(at)),
            // As it stood among those to begin with, else at its defaults.
            None => {
                let known = default_attacks("", 0).into_iter();
                let mut known = known.filter(|plan| *plan.attack == *attack && plan.norm == norm);
                let plan = known.next().unwrap_or_else(|| default_attack(attack, norm, "", 0));
                self.columns.push(plan);
            }
        }
        self.opened = None;
        self.ask(session);
    }

    fn is_running(&self, id: JobId) -> bool {
        self.running.as_ref().is_some_and(|(running, _)| *running == id)
    }
}

impl Screen for Compare {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn keymaps(&self) -> Vec<&'static Keymap> {
        vec![&KEYS, &CHOOSING]
    }

    fn open(&mut self, session: &mut Session) -> Outcome {
        // The attack that was opened in Explore may have been changed there.
        let column = self.opened.take().and_then(|at| self.columns.get_mut(at));
        if let Some(column) = column
            && (column.attack, column.norm) == (session.plan.attack, session.plan.norm)
        {
            column.settings = session.plan.settings.clone();
        }
        self.ask(session);
        Outcome::Show
    }

    /// What is found so far stays.
    fn close(&mut self, session: &mut Session) {
        if self.running.take().is_some() {
            session.request(Request::Cancel);
        }
        session.refresh();
    }

    fn refresh(&mut self, _why: Refresh, session: &mut Session) {
        self.ask(session);
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        match action {
            Up => self.move_by(-1, 0, session),
            Down => self.move_by(1, 0, session),
            Left => self.move_by(0, -1, session),
            Right => self.move_by(0, 1, session),
            OPEN_CELL => return self.open_cell(session),
            NEXT_STANCE_FILTER => {
                self.stance_filter = self.stance_filter.next();
                self.ask(session);
            }
            SWITCH_TABLE => {
                self.part = match self.part {
                    TableKind::Sample => TableKind::Many,
                    TableKind::Many => TableKind::Sample,
                };
                self.ask(session);
            }
            MORE_SAMPLES => {
                self.part = TableKind::Many;
                self.count = (self.count + 1) % COUNTS.len();
                self.ask(session);
            }
            CHOOSE_COLUMNS => return self.choose_columns(),
            ADD_HYBRID => return prompts::ask_hybrid(),
            FILTER_ROWS => return prompts::ask_filter(self),
            EXPORT => return prompts::ask_export(),
            DROP_ROW => self.drop_row(session),
            NEXT_SORT => self.sort = self.sort.next(),
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn answer(&mut self, reply: Reply, session: &mut Session) -> Result<Outcome, String> {
        let answered = match reply {
            Reply::Choice(Choice::Column(attack, norm)) => {
                self.toggle_column(attack, norm, session);
                Ok(())
            }
            Reply::Line { prompt: prompts::FILTER, text, .. } => {
                self.filter = text;
                self.clamp(session);
                Ok(())
            }
            Reply::Line { prompt: prompts::HYBRID, text, .. } => {
                prompts::add_hybrid(self, &text, session)
            }
            Reply::Line { prompt: prompts::EXPORT, text, .. } => {
                prompts::export(self, &text, false, session)
            }
            // Another name is another file.
            Reply::Line { prompt: prompts::OVERWRITE, text, unchanged } => {
                prompts::export(self, &text, unchanged, session)
            }
            _ => return Ok(Outcome::Ignored),
        };
        answered.map(|()| Outcome::Done).map_err(|error| error.to_string())
    }

    fn on_sent(&mut self, id: JobId, request: &Request, _session: &mut Session) {
        if let Request::Compare(job) = request {
            (self.running, self.left) = (Some((id, job.clone())), None);
        }
    }

    fn on_update(&mut self, update: Update, _session: &mut Session) -> Heard {
        match update {
            Update::CompareFinding(id, finding) => {
                if self.is_running(id) {
                    self.last = finding.words().unwrap_or(std::mem::take(&mut self.last));
                    self.findings.take(finding);
                }
                return Heard::Taken;
            }
            Update::DefenceNotApplicable(id, stack, why) if self.is_running(id) => {
                self.unfit.insert(stack, why);
                return Heard::Taken;
            }
            Update::Progress(id, _, _, left) if self.is_running(id) => self.left = left,
            Update::Done(id) | Update::Cancelled(id) | Update::Failed(id, _) => {
                self.running.take_if(|(running, _)| *running == id);
            }
            _ => {}
        }
        Heard::Passed(update)
    }

    fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        view::draw(self.view(session), area, buf);
    }

    /// A click puts the cursor on a cell; on the one it is on already, opens that.
    fn mouse(&mut self, event: MouseEvent, area: Rect, session: &mut Session) -> Outcome {
        match event.kind {
            MouseEventKind::ScrollUp => Outcome::Do(Up),
            MouseEventKind::ScrollDown => Outcome::Do(Down),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(event.column, event.row);
                let Some((part, row, column)) = self.cell_under(session, area, at) else {
                    return Outcome::Ignored;
                };
                if (self.part, self.at) == (part, (row, column)) {
                    return self.open_cell(session);
                }
                (self.part, self.at) = (part, (row, column));
                self.clamp(session);
                Outcome::Done
            }
            _ => Outcome::Ignored,
        }
    }

    fn footer(&self, _session: &Session) -> Vec<(String, &'static str)> {
        vec![("?".to_string(), "all keys"), ("q".to_string(), "quit")]
    }
}
