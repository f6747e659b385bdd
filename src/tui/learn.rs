//! The lessons' screen: published numbers and what broke them, measured here and now.

use super::app::{App, Effect};
use super::defence_list::DefenceEntry;
use crate::defence::Stance;
use crate::engine::{JobId, LessonJob, Request};
use crate::experiment::{LESSONS, LessonReport, LessonSide, LessonSideReport, LessonSpec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many pictures a lesson can be measured on.
pub const COUNTS: [usize; 5] = [20, 50, 100, 200, 500];

/// The lessons and what has come out of them.
#[derive(Clone, Debug)]
pub struct Learn {
    /// The lesson under the cursor.
    pub at: usize,
    /// Index into [`COUNTS`].
    pub count: usize,
    /// What came out, by lesson.
    pub reports: BTreeMap<&'static str, Arc<LessonReport>>,
    /// The lesson that is being measured.
    pub running: Option<LessonRun>,
    /// Whether it is on the screen.
    pub open: bool,
}

impl Default for Learn {
    fn default() -> Self {
        let (reports, running) = (BTreeMap::new(), None);
        Self { at: 0, count: 1, reports, running, open: false }
    }
}

/// A lesson being measured.
#[derive(Clone, Debug)]
pub struct LessonRun {
    /// Its number.
    pub id: JobId,
    /// What was asked for.
    pub job: Arc<LessonJob>,
    /// The side at work, and how much of it is done, 0..1.
    pub share: (usize, f64),
    /// The sides that are done.
    pub sides: Vec<Arc<LessonSideReport>>,
}

impl Learn {
    /// The lesson under the cursor.
    pub fn lesson(&self) -> &'static LessonSpec {
        &LESSONS[self.at.min(LESSONS.len() - 1)]
    }

    /// The lesson under the cursor, where it is being measured.
    pub fn running(&self) -> Option<&LessonRun> {
        self.running.as_ref().filter(|running| running.job.lesson == self.lesson())
    }

    /// What is known of a side of the lesson under the cursor.
    pub fn side(&self, at: usize) -> Option<&LessonSideReport> {
        match self.running() {
            Some(running) => running.sides.get(at).map(Arc::as_ref),
            None => self.reports.get(self.lesson().id).and_then(|report| report.sides.get(at)),
        }
    }
}

/// Opens the screen.
pub fn open(app: &mut App) -> Vec<Effect> {
    app.learn.open = true;
    Vec::new()
}

/// Back to the attack.
pub fn leave(app: &mut App) -> Vec<Effect> {
    app.learn.open = false;
    let mut effects = Vec::new();
    if app.learn.running.is_some() {
        effects.push(Effect::Request(Request::Cancel));
    }
    effects.extend(app.refresh());
    effects
}

/// Moves the cursor.
pub fn walk(app: &mut App, by: isize) -> Vec<Effect> {
    app.learn.at = app.learn.at.saturating_add_signed(by).min(LESSONS.len() - 1);
    Vec::new()
}

/// Measures the lesson under the cursor.
pub fn run(app: &mut App) -> Vec<Effect> {
    let (lesson, n) = (app.learn.lesson(), COUNTS[app.learn.count]);
    let job = LessonJob { lesson, n, seed: app.plan.seed };
    vec![Effect::Request(Request::Lesson(Arc::new(job)))]
}

/// Measures the lesson of this number: a key each.
pub fn pick(app: &mut App, at: usize) -> Vec<Effect> {
    if at >= LESSONS.len() {
        return Vec::new();
    }
    app.learn.at = at;
    run(app)
}

/// More or fewer pictures.
pub fn nudge(app: &mut App, by: isize) -> Vec<Effect> {
    app.learn.count = app.learn.count.saturating_add_signed(by).min(COUNTS.len() - 1);
    Vec::new()
}

/// Goes to the attack's screen with the last side of the lesson under the cursor set up there.
pub fn explore(app: &mut App) -> Vec<Effect> {
    let lesson = app.learn.lesson();
    let Some(side) = lesson.sides.last() else { return Vec::new() };
    let mut effects = match app.learn.running.is_some() {
        true => vec![Effect::Request(Request::Cancel)],
        false => Vec::new(),
    };
    app.learn.open = false;
    match set_up(app, side) {
        Ok(()) => effects.extend(super::on_update::match_data(app)),
        Err(error) => app.say(error.to_string(), true),
    }
    effects
}

fn set_up(app: &mut App, side: &LessonSide) -> crate::error::Result<()> {
    let (plan, stack) = (side.plan(app.plan.seed)?, side.stack()?);
    (app.plan, app.epsilon_fixed) = (plan, true);
    app.surrogate = None;
    app.model_wanted = side.model.to_string();
    let naive = side.stance == Stance::Naive;
    app.stance = if naive { Stance::Naive } else { Stance::Adaptive };
    let Some(stack) = stack else { return Ok(()) };
    app.defences.iter_mut().for_each(|entry| entry.on = false);
    match app.defences.iter_mut().find(|entry| entry.stack == stack) {
        Some(entry) => (entry.on, entry.stance) = (true, None),
        None => app.defences.push(DefenceEntry { stack, on: true, stance: None }),
    }
    Ok(())
}

/// A request for a lesson was sent.
pub fn sent(app: &mut App, id: JobId, job: Arc<LessonJob>) {
    app.learn.running = Some(LessonRun { id, job, share: (0, 0.0), sides: Vec::new() });
}

fn of(app: &mut App, id: JobId) -> Option<&mut LessonRun> {
    app.learn.running.as_mut().filter(|running| running.id == id)
}

/// So much of a side is done.
pub fn progress(app: &mut App, id: JobId, side: usize, share: f64) {
    if let Some(running) = of(app, id) {
        running.share = (side, share);
    }
}

/// A side is done.
pub fn side(app: &mut App, id: JobId, report: Arc<LessonSideReport>) {
    if let Some(running) = of(app, id) {
        running.sides.push(report);
    }
}

/// The lesson is done.
pub fn done(app: &mut App, id: JobId, report: Arc<LessonReport>) {
    if of(app, id).is_some() {
        app.learn.reports.insert(report.lesson, report);
        app.learn.running = None;
    }
}

/// The lesson came to no end.
pub fn give_up(app: &mut App, id: JobId) {
    if of(app, id).is_some() {
        app.learn.running = None;
    }
}
