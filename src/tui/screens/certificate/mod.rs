//! The certificate of a sample by randomised smoothing, beside what an attack breaks.

mod view;

use super::measurement::{Measurement, has_data_set, step};
use crate::engine::{DefenceMetricsJob, JobId, Request, Update};
use crate::experiment::CertifyReport;
use crate::tui::action::Action::{self, Back, Down, Less, More, Up};
use crate::tui::action::Command;
use crate::tui::keymap::{DEFEND, Key, Keymap, WINDOW, char, key, row};
use crate::tui::screen::{Heard, Opener, Outcome, Screen, ScreenSpec};
use crate::tui::session::{Session, Source};
use crate::tui::widgets::page::TextPage;
use crate::tui::widgets::panel::window;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Opens the window and begins to measure.
pub const OPEN: Action = Action::Open(Command {
    id: "certificate",
    text: "Certificate: the radius that randomised smoothing proves, beside what PGD breaks",
});

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "certificate",
    tab: None,
    opener: Some(Opener {
        binding: row(DEFEND, OPEN, 0, "certificate", &[char('C')]),
        after: Action::ToggleStance,
    }),
    create: || Box::new(Certificate::default()),
};

const CLOSE: &[Key] = &[key(KeyCode::Esc), char('q'), key(KeyCode::Enter)];

static KEYS: Keymap = Keymap {
    place: "at a certificate",
    rows: &[
        row(WINDOW, Less, 1, "n", &[key(KeyCode::Left), char('h'), char('-')]),
        row(WINDOW, More, 1, "n", &[key(KeyCode::Right), char('l'), char('+'), char('=')]),
        row(WINDOW, Up, 2, "σ", &[key(KeyCode::Up), char('k')]),
        row(WINDOW, Down, 2, "σ", &[key(KeyCode::Down), char('j')]),
        row(WINDOW, Back, 4, "close", CLOSE),
    ],
};

/// How many noisy copies a certificate can be computed from.
pub const COPIES: [u64; 6] = [100, 300, 1000, 3000, 10_000, 30_000];

/// The σ that can be certified with, in pixel units 0..1.
pub const SIGMAS: [f64; 4] = [0.12, 0.25, 0.5, 1.0];

/// The certificate of the current sample.
struct Certificate {
    measurement: Measurement<CertifyReport>,
    /// Index into [`COPIES`].
    copies: usize,
    /// Index into [`SIGMAS`].
    sigma: usize,
}

impl Default for Certificate {
    fn default() -> Self {
        Self { measurement: Measurement::default(), copies: 2, sigma: 1 }
    }
}

impl Certificate {
    fn measure(&mut self, session: &mut Session) {
        let job = match &session.source {
            Some(Source::Set(dataset)) if session.ready() => Some(DefenceMetricsJob::Certify {
                dataset: dataset.clone(),
                index: session.sample,
                sigma: SIGMAS[self.sigma],
                n: COPIES[self.copies],
                seed: session.plan.seed,
            }),
            _ => None,
        };
        self.measurement.start(job, session);
    }
}

impl Screen for Certificate {
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
            Less => step(&mut self.copies, -1, COPIES.len()),
            More => step(&mut self.copies, 1, COPIES.len()),
            Up => step(&mut self.sigma, -1, SIGMAS.len()),
            Down => step(&mut self.sigma, 1, SIGMAS.len()),
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
            Update::Certified(id, report) => {
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
        let name = session.current_sample().map_or(String::new(), |sample| sample.name);
        let heading = format!("Certified by randomised smoothing: {name}");
        let inner = window(&heading, area, theme, buf);
        let mut page = TextPage { inner, y: inner.y, buf };
        let (n, sigma, seed) = (COPIES[self.copies], SIGMAS[self.sigma], session.plan.seed);
        page.line(
            &format!("◂ n = {n} noisy copies ▸   ↑↓ σ = {sigma}   seed {seed}"),
            theme.accent,
        );
        page.y += 1;
        match &self.measurement.report {
            Some(report) => view::draw(session, report, &mut page),
            None => {
                // The certificate is the first half of the work.
                let at_work = match self.measurement.percent < 50 {
                    true => "  the noisy copies vote",
                    false => "  an attack tries one L2 distance after the other",
                };
                page.line(&self.measurement.progress_text(at_work), theme.accent);
            }
        }
    }
}
