//! The task of an evaluation over many samples, and its progress.

use crate::attack::{AttackConfig, Flow};
use crate::data::Dataset;
use crate::defence::{AttackerView, Pipeline, Stance};
use crate::experiment::provenance::{DataIdentity, Sources};
use crate::experiment::types::DeviceInfo;
use crate::model::{Classifier, Model};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// An evaluation to run: clean and robust accuracy of a model over samples of a data set, under one
/// attack or several.
pub struct Evaluation {
    /// The model.
    pub model: Arc<Model>,
    /// The samples are from here.
    pub dataset: Arc<Dataset>,
    /// The number of the first sample.
    pub first: usize,
    /// How many samples.
    pub n: usize,
    /// What defends the model, if anything does.
    pub defence: Option<EvaluatedDefence>,
    /// Which attacks, how, in this order.
    pub plans: Vec<AttackConfig>,
    /// Whether every attack is tried on every sample that is classified correctly; if not, only on
    /// those that no attack before it has broken.
    pub every: bool,
    /// How many images go through the network at once.
    pub batch_size: usize,
    /// Which device does the work, for the report.
    pub device: DeviceInfo,
    /// The file where the work is written down as it goes, so that it can be taken up again.
    pub state: Option<PathBuf>,
}

/// The defence around an evaluated model, and how it is attacked.
#[derive(Clone)]
pub struct EvaluatedDefence {
    /// The defence.
    pub pipeline: Arc<Pipeline>,
    /// How much of it the attacks know.
    pub stance: Stance,
    /// Draws that EOT averages over.
    pub draws: u64,
}

/// The progress of an evaluation.
pub struct EvaluationStatus {
    /// Samples done, summed over the attacks; a fraction of a sample counts.
    pub done: f64,
    /// Of how many.
    pub total: f64,
    /// The attack at work; none while the clean images are predicted.
    pub attack: Option<&'static str>,
    /// Its stage, if it has any.
    pub stage: Option<&'static str>,
    /// How many samples no attack has broken so far.
    pub robust: usize,
    /// The seconds that are left; none where it is unknown yet.
    pub left: Option<f64>,
}

/// Called with the progress of the evaluation; may stop it (within one attack step).
pub type OnStatus<'a> = &'a mut dyn FnMut(&EvaluationStatus) -> Flow;

impl Evaluation {
    /// One attack on the first `n` samples.
    pub fn new(
        model: Arc<Model>,
        dataset: Arc<Dataset>,
        n: usize,
        plan: AttackConfig,
        device: DeviceInfo,
    ) -> Self {
        let (first, every, batch_size) = (0, false, 100);
        let (defence, plans, state) = (None, vec![plan], None);
        Self { model, dataset, first, n, defence, plans, every, batch_size, device, state }
    }

    /// The defended model as the attacks see it.
    pub(super) fn seen(&self) -> Option<AttackerView<'_>> {
        self.defence.as_ref().map(|d| d.pipeline.attacker_view(d.stance, d.draws))
    }

    /// The classifier that is attacked.
    pub(super) fn victim<'a>(&'a self, seen: Option<&'a AttackerView<'_>>) -> &'a dyn Classifier {
        match seen {
            Some(seen) => seen,
            None => &self.model.network,
        }
    }

    /// Whether the attacks do not know the defence.
    pub(super) fn is_naive(&self) -> bool {
        self.defence.as_ref().is_some_and(|d| d.stance == Stance::Naive)
    }

    /// Whether predictions for the same image can differ.
    pub(super) fn is_random(&self) -> bool {
        self.defence.as_ref().is_some_and(|d| d.pipeline.is_random())
    }

    /// The model, those of the defence and the data, for the provenance.
    pub fn sources(&self) -> Sources {
        let mut origin = Sources::default();
        origin.model(&self.model);
        self.defence.iter().for_each(|defence| origin.pipeline(&defence.pipeline));
        origin.data(DataIdentity::of(&self.dataset));
        origin
    }

    /// The samples, by their numbers in the data set.
    pub fn range(&self) -> Range<usize> {
        let end = self.first.saturating_add(self.n).min(self.dataset.len());
        self.first.min(end)..end
    }
}
