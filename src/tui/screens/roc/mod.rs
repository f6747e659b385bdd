//! The ROC curve of a detector on the data set.

mod view;

use super::measurement::{Measurement, has_data_set, step};
use crate::defence::{DEFENCES, DefenceSpec, DefenceStack, Stance};
use crate::engine::{DefenceMetricsJob, JobId, Request, Update};
use crate::experiment::{RocReport, short_distance_text};
use crate::tui::action::Action::{self, Back, Down, Less, More, ToggleStance, Up};
use crate::tui::action::Command;
use crate::tui::keymap::{DEFEND, Key, Keymap, WINDOW, char, key, row};
use crate::tui::screen::{Heard, Opener, Outcome, Screen, ScreenSpec};
use crate::tui::session::{Session, Source};
use crate::tui::widgets::page::TextPage;
use crate::tui::widgets::panel::window;
use crate::tui::wording;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Opens the window and begins to measure.
pub const OPEN: Action = Action::Open(Command {
    id: "roc",
    text: "Detector: its curve on this data set (ROC), naive or adaptive",
});

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "roc",
    tab: None,
    opener: Some(Opener {
        binding: row(DEFEND, OPEN, 0, "detector", &[char('O')]),
        after: super::certificate::OPEN,
    }),
    create: || Box::new(Roc::default()),
};

const CLOSE: &[Key] = &[key(KeyCode::Esc), char('q'), key(KeyCode::Enter)];

static KEYS: Keymap = Keymap {
    place: "at a detector",
    rows: &[
        row(WINDOW, Less, 1, "n", &[key(KeyCode::Left), char('h'), char('-')]),
        row(WINDOW, More, 1, "n", &[key(KeyCode::Right), char('l'), char('+'), char('=')]),
        row(WINDOW, Up, 2, "detector", &[key(KeyCode::Up), char('k')]),
        row(WINDOW, Down, 2, "detector", &[key(KeyCode::Down), char('j')]),
        row(WINDOW, ToggleStance, 3, "stance", &[char('v')]),
        row(WINDOW, Back, 4, "close", CLOSE),
    ],
};

/// How many samples a detector's curve can be measured on.
pub const COUNTS: [usize; 4] = [50, 100, 200, 500];

/// The curve of a detector.
struct Roc {
    measurement: Measurement<RocReport>,
    /// Index into [`COUNTS`].
    count: usize,
    /// Index into [`detectors`].
    detector: usize,
    /// How much of the detector the attack knows.
    stance: Stance,
}

impl Default for Roc {
    fn default() -> Self {
        let measurement = Measurement::default();
        Self { measurement, count: 1, detector: 0, stance: Stance::Adaptive }
    }
}

/// The defences that detect.
fn detectors() -> Vec<&'static DefenceSpec> {
    DEFENCES.iter().filter(|row| row.family == "detection").collect()
}

impl Roc {
    /// On how many samples the curve is measured.
    fn samples(&self, session: &Session) -> usize {
        let there = match &session.source {
            Some(Source::Set(set)) => set.len(),
            _ => 0,
        };
        COUNTS[self.count].min(there)
    }

    fn job(&self, session: &Session) -> Option<DefenceMetricsJob> {
        let Some(Source::Set(dataset)) = session.source.as_ref().filter(|_| session.ready()) else {
            return None;
        };
        Some(DefenceMetricsJob::Roc {
            stack: DefenceStack::of(detectors().get(self.detector)?),
            stance: self.stance,
            draws: session.draws,
            dataset: dataset.clone(),
            n: self.samples(session),
            plan: session.plan.clone(),
        })
    }

    fn measure(&mut self, session: &mut Session) {
        let job = self.job(session);
        self.measurement.start(job, session);
    }
}

impl Screen for Roc {
    fn keymap(&self) -> &'static Keymap {
        &KEYS
    }

    fn window(&self, _session: &Session) -> Option<(u16, u16)> {
        Some((100, 22))
    }

    fn open(&mut self, session: &mut Session) -> Outcome {
        if !has_data_set(session) {
            return Outcome::Done;
        }
        self.measure(session);
        Outcome::Show
    }

    fn close(&mut self, session: &mut Session) {
        self.measurement.stop(session);
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        let changed = match action {
            Less => step(&mut self.count, -1, COUNTS.len()),
            More => step(&mut self.count, 1, COUNTS.len()),
            Up => step(&mut self.detector, -1, detectors().len()),
            Down => step(&mut self.detector, 1, detectors().len()),
            ToggleStance => {
                let naive = self.stance == Stance::Naive;
                self.stance = if naive { Stance::Adaptive } else { Stance::Naive };
                true
            }
            _ => return Outcome::Ignored,
        };
        if changed {
            self.measure(session);
        }
        Outcome::Done
    }

    fn on_sent(&mut self, id: JobId, request: &Request, _session: &mut Session) {
        self.measurement.on_sent(id, request);
    }

    fn on_update(&mut self, update: Update, _session: &mut Session) -> Heard {
        match update {
            Update::RocTraced(id, report) => {
                if self.measurement.is(id) {
                    self.measurement.report = Some(report);
                }
                Heard::Taken
            }
            other => self.measurement.on_update(other),
        }
    }

    fn is_busy(&self) -> bool {
        self.measurement.is_running()
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        let theme = &session.theme;
        let name = detectors().get(self.detector).map_or("", |row| row.name);
        let heading = format!("Detector: {name}, {} attack", self.stance);
        let inner = window(&heading, area, theme, buf);
        let mut page = TextPage { inner, y: inner.y, buf };
        let (plan, n) = (&session.plan, self.samples(session));
        let size = short_distance_text(plan.norm, plan.epsilon);
        let (attack, seed) = (wording::attack(plan), plan.seed);
        let asked = format!(
            "◂ n = {n} samples ▸   ↑↓ detector   v stance   {attack} ε {size}, seed {seed}"
        );
        page.line(&asked, theme.accent);
        page.y += 1;
        match &self.measurement.report {
            Some(report) => view::draw(theme, report, &mut page),
            None => page.line(&self.measurement.progress_text(""), theme.accent),
        }
    }
}
