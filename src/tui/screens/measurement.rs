//! A measurement of a defence by itself that takes a while: what was asked for, and what came of it.

use crate::engine::{DefenceMetricsJob, JobId, Request, Update};
use crate::tui::screen::Heard;
use crate::tui::session::{Session, Source};
use crate::tui::wording::time_left;
use std::sync::Arc;

/// A measurement with a report of type `R`.
#[derive(Debug)]
pub struct Measurement<R> {
    /// The job's number; none while nothing is asked for.
    id: Option<JobId>,
    /// Whether a job of this measurement was asked for and has no number yet.
    asked: bool,
    /// The report; none before it is there.
    pub report: Option<Arc<R>>,
    /// How far it is, in percent.
    pub percent: usize,
    /// The seconds that are left; none where nobody can tell.
    left: Option<f64>,
}

impl<R> Default for Measurement<R> {
    fn default() -> Self {
        Self { id: None, asked: false, report: None, percent: 0, left: None }
    }
}

impl<R> Measurement<R> {
    /// Asks for a job; without one, only forgets what was there.
    pub fn start(&mut self, job: Option<DefenceMetricsJob>, session: &mut Session) {
        *self = Self { asked: job.is_some(), ..Self::default() };
        job.into_iter().for_each(|job| session.request(Request::DefenceMetrics(Arc::new(job))));
    }

    /// A request was sent.
    pub fn on_sent(&mut self, id: JobId, request: &Request) {
        if matches!(request, Request::DefenceMetrics(_)) && std::mem::take(&mut self.asked) {
            self.id = Some(id);
        }
    }

    /// Whether the job of this number is this one.
    pub fn is(&self, id: JobId) -> bool {
        self.id == Some(id)
    }

    /// Whether something is asked for and not yet there.
    pub fn is_running(&self) -> bool {
        self.id.is_some() && self.report.is_none()
    }

    /// Takes what the engine says of any such measurement.
    pub fn on_update(&mut self, update: Update) -> Heard {
        match update {
            Update::Progress(id, done, all, left) if self.is(id) => {
                (self.percent, self.left) = (100 * done / all.max(1), left);
            }
            Update::Cancelled(id) | Update::Failed(id, _) if self.is(id) && self.is_running() => {
                self.id = None;
                return Heard::Closed(update);
            }
            _ => {}
        }
        Heard::Passed(update)
    }

    /// Its window closes: what is going on stops.
    pub fn stop(&mut self, session: &mut Session) {
        if self.is_running() {
            session.request(Request::Cancel);
        }
        self.id = None;
        session.refresh();
    }

    /// How far it is, in words, with what is `at_work`.
    pub fn progress_text(&self, at_work: &str) -> String {
        format!("● {} %{at_work}, {}", self.percent, time_left(self.left))
    }
}

/// Whether there is a data set to measure on; says so where there is none.
pub fn has_data_set(session: &mut Session) -> bool {
    let there = matches!(session.source, Some(Source::Set(_)));
    if !there {
        session.say("that takes the images of a data set: D chooses one", false);
    }
    there
}

/// Moves an index into a list of `len`; true when it changed.
pub fn step(at: &mut usize, by: isize, len: usize) -> bool {
    let new = at.saturating_add_signed(by).min(len - 1);
    std::mem::replace(at, new) != new
}
