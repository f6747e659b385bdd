//! Transfer: the attack crafted on each model of the data set, tried on all of them.

use super::app::{App, Effect, Source, fits};
use super::dialogs::Overlay;
use crate::engine::{JobId, Request, TransferJob, TransferSamples};
use crate::experiment::{Report, TransferReport};
use std::sync::Arc;

/// How many samples it can be measured on; 0 is the current one alone.
pub const COUNTS: [usize; 6] = [0, 10, 30, 100, 300, 1000];

/// A transfer matrix, being measured or there.
#[derive(Clone, Debug)]
pub struct TransferMatrix {
    /// Its number.
    pub id: JobId,
    /// What was asked for.
    pub job: Arc<TransferJob>,
    /// For one sample: what came of each pair, by surrogate and victim.
    pub cells: Vec<Vec<Option<Arc<Report>>>>,
    /// For several samples: the rates.
    pub report: Option<Arc<TransferReport>>,
    /// How many samples are done, of how many.
    pub progress: (usize, usize),
}

impl TransferMatrix {
    /// A matrix that was asked for.
    pub fn new(id: JobId, job: Arc<TransferJob>) -> Self {
        let count = job.models.len();
        let cells = vec![vec![None; count]; count];
        Self { id, job, cells, report: None, progress: (0, 0) }
    }

    /// Whether everything is measured.
    pub fn done(&self) -> bool {
        self.report.is_some() || self.cells.iter().flatten().all(Option::is_some)
    }
}

/// The models that answer the current data set's pictures with the same classes.
pub fn models(app: &App) -> Vec<String> {
    let current = app.model.as_ref().map(|model| &model.card);
    let kin = app.cards.iter().filter(|card| fits(card, app.data_id()));
    let same = |card: &&crate::model::Card| {
        current
            .is_none_or(|c| c.input.shape == card.input.shape && c.num_classes == card.num_classes)
    };
    let mut names: Vec<String> = kin.filter(same).map(|card| card.name.clone()).collect();
    let current = app.model.as_ref().map(|model| model.id.clone());
    names.extend(current.filter(|own| !names.contains(own)));
    names
}

/// Those of them that the matrix has room for: the one on the screen, what the attack is crafted on,
/// the ordinary ones, and the adversarially trained one. All of them would be too many to read.
pub fn compared(app: &App) -> Vec<String> {
    let own = app.model.as_ref().map_or(&app.model_wanted, |model| &model.id);
    let usual = |name: &String| {
        let card = app.cards.iter().find(|card| card.name == *name);
        card.is_none_or(|card| matches!(card.defence.as_deref(), None | Some("pgd-at")))
    };
    let mut names = models(app);
    names.retain(|name| name == own || Some(name) == app.surrogate.as_ref() || usual(name));
    names
}

/// Those of them that do not judge: what an attack can be crafted on instead.
pub fn others(app: &App) -> Vec<String> {
    let own = app.model.as_ref().map_or(&app.model_wanted, |model| &model.id);
    models(app).into_iter().filter(|name| name != own).collect()
}

/// Opens the matrix and begins to measure it.
pub fn open(app: &mut App) -> Vec<Effect> {
    if compared(app).len() < 2 {
        app.say("transfer needs two models of the same data set: there is only one".into(), false);
        return Vec::new();
    }
    app.overlays.push(Overlay::TransferMatrix);
    measure(app)
}

fn measure(app: &mut App) -> Vec<Effect> {
    let samples = match (COUNTS[app.matrix_count], &app.source) {
        (0, _) | (_, None | Some(Source::File(_))) => {
            app.current_sample().map(TransferSamples::One)
        }
        (n, Some(Source::Set(set))) => Some(TransferSamples::First(set.clone(), n.min(set.len()))),
    };
    let Some(samples) = samples.filter(|_| app.ready()) else { return Vec::new() };
    let job = TransferJob { models: compared(app), plan: app.plan.clone(), samples };
    vec![Effect::Request(Request::Transfer(Arc::new(job)))]
}

/// More or fewer samples.
pub fn nudge(app: &mut App, by: isize) -> Vec<Effect> {
    let count = app.matrix_count.saturating_add_signed(by).min(COUNTS.len() - 1);
    if count == app.matrix_count {
        return Vec::new();
    }
    app.matrix_count = count;
    measure(app)
}

/// Closes the matrix.
pub fn close(app: &mut App) -> Vec<Effect> {
    app.overlays.pop();
    let running = app.matrix.take().is_some_and(|matrix| !matrix.done());
    let mut effects = Vec::new();
    if running {
        effects.push(Effect::Request(Request::Cancel));
    }
    effects.extend(app.refresh());
    effects
}

fn of(app: &mut App, id: JobId) -> Option<&mut TransferMatrix> {
    app.matrix.as_mut().filter(|matrix| matrix.id == id)
}

/// One pair of models is there.
pub fn cell(app: &mut App, id: JobId, row: usize, column: usize, report: Arc<Report>) {
    let cells = of(app, id).map(|matrix| &mut matrix.cells);
    if let Some(cell) = cells.and_then(|cells| cells.get_mut(row)?.get_mut(column)) {
        *cell = Some(report);
    }
}

/// So many samples are done.
pub fn progress(app: &mut App, id: JobId, done: usize, all: usize) {
    if let Some(matrix) = of(app, id) {
        matrix.progress = (done, all);
    }
}

/// All rates are there.
pub fn transferred(app: &mut App, id: JobId, report: Arc<TransferReport>) {
    if let Some(matrix) = of(app, id) {
        matrix.report = Some(report);
    }
}
