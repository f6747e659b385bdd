//! A run of an attack on one sample and what came of it; where samples come from; playback.

use super::history::History;
use crate::data::{Dataset, DatasetSpec, Sample};
use crate::defence::{DefenceStack, Stance};
use crate::engine::{JobId, RunJob};
use crate::experiment::{CleanPrediction, DefenceRow, Report};
use crate::metrics::checks::Probe;
use crate::model::Card;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long the last result stays as it is before it fades and the running attack is shown instead.
pub const PATIENCE: Duration = Duration::from_millis(150);
/// Half a period of blinking.
pub const BLINK: Duration = Duration::from_millis(250);

/// Where samples come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A data set.
    Set(Arc<Dataset>),
    /// One image from a file.
    File(Sample),
}

/// One attack on one sample, with its iterations, its report and the defences tried against it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: JobId,
    /// What was asked for.
    pub job: RunJob,
    /// The model's name.
    pub model: String,
    /// The prediction on the clean image, `[C, H, W]`.
    pub clean: Option<Arc<CleanPrediction>>,
    /// The iterations so far.
    pub history: History,
    /// The judged result.
    pub report: Option<Arc<Report>>,
    /// The defences tried so far, naive and adaptive.
    pub rows: Vec<Arc<DefenceRow>>,
    /// The defences that do not apply, and why not.
    pub unfit: BTreeMap<String, String>,
    /// The rows of the run before, shown faded until there are new ones.
    pub old_rows: Vec<Arc<DefenceRow>>,
    /// Whether everything is done.
    pub done: bool,
    /// Whether it was stopped before everything was done.
    pub cut: bool,
}

/// Playing back the iterations of the shown run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Playback {
    /// The iteration shown; none: the result.
    pub at: Option<usize>,
    /// When the next one comes, if it plays.
    pub next: Option<Duration>,
}

/// Blinking original and adversarial in one place.
#[derive(Clone, Copy, Debug)]
pub struct Blinking {
    /// Whether the original is shown now.
    pub original: bool,
    /// When that changes.
    pub next: Duration,
}

/// Evaluation checks that the model is asked for on demand.
#[derive(Clone, Debug)]
pub struct PendingChecks {
    /// The job's number; none while it waits for the run to end.
    pub id: Option<JobId>,
    /// What is asked; everything where it is empty.
    pub probes: Vec<Probe>,
}

/// How strongly the perturbation is amplified; none: so that the largest change is in full colour.
pub const AMPLIFICATIONS: [Option<u32>; 7] =
    [None, Some(1), Some(2), Some(5), Some(10), Some(20), Some(50)];

impl Source {
    /// The data set's identifier.
    pub fn id(&self) -> &str {
        match self {
            Self::Set(set) => &set.id,
            Self::File(_) => "file",
        }
    }
}

impl Run {
    /// A run that just began.
    pub fn new(id: JobId, job: RunJob, model: String) -> Self {
        Self {
            id,
            job,
            model,
            clean: None,
            history: History::default(),
            report: None,
            rows: Vec::new(),
            old_rows: Vec::new(),
            unfit: BTreeMap::new(),
            done: false,
            cut: false,
        }
    }

    /// The queries of the attack so far: how often it evaluated the model.
    pub fn queries(&self) -> u64 {
        self.history.entries().last().map_or(0, |stop| stop.queries)
    }

    /// The row of a defence under a stance: the new one, or a faded one of the run before.
    pub fn row(&self, stack: &DefenceStack, stance: Stance) -> Option<(&DefenceRow, bool)> {
        let text = stack.text();
        let same = |row: &&Arc<DefenceRow>| row.stance == stance && row.defence == text;
        let new = self.rows.iter().find(same).map(|row| (row.as_ref(), false));
        new.or_else(|| self.old_rows.iter().find(same).map(|row| (row.as_ref(), true)))
    }
}

/// Whether a model was made for a data set's images.
pub fn fits(card: &Card, data: &str) -> bool {
    let any = DatasetSpec::find(&card.data).is_some_and(|row| row.any_image);
    let colour = DatasetSpec::find(data).is_some_and(|row| !row.black_background);
    card.data == data || any && (colour || data == "file")
}

/// The first of the models that fit a data set.
pub fn model_for(cards: &[Card], data: &str) -> String {
    let card = cards.iter().find(|card| fits(card, data)).or(cards.first());
    card.map_or_else(String::new, |card| card.name.clone())
}
