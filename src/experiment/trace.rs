//! The iterations of one attack on one image, recorded for the screen to play back.

use crate::attack::{
    AttackStage, Flow, ImageBatch, Norm, Observer, ScoreOracle, StepEvent, TargetModel, margin,
    softmax,
};
use crate::data::Image;
use crate::metrics::norms;
use crate::model::Classifier;

/// One iteration of an attack: the image, its loss, margin and predictions.
#[derive(Clone, Debug)]
pub struct TracePoint {
    /// Which restart, from 0.
    pub restart: usize,
    /// Gradient steps taken: 0 is the start.
    pub iteration: usize,
    /// The objective's value.
    pub loss: f32,
    /// The margin: below 0 the goal is reached. Where the attack saw labels only, it was measured
    /// for the screen alone.
    pub margin: f32,
    /// Size of the perturbation in the budget's norm.
    pub size: f32,
    /// The model's prediction.
    pub label: usize,
    /// The softmax probabilities of every class.
    pub probabilities: Vec<f32>,
    /// The step size in use, in pixel units; 0 where there is none.
    pub step_size: f32,
    /// How many queries the attack has made so far.
    pub queries: u64,
    /// Which part is running, for an attack of several.
    pub stage: Option<AttackStage>,
    /// An event of the attack's own: a halved step, a new constant, a window.
    pub mark: Option<String>,
    /// The image; none where it was thinned out to save memory.
    pub picture: Option<Image>,
}

/// Softmax in single precision.
pub(super) fn probabilities(row: &[f32]) -> Vec<f32> {
    softmax(row).into_iter().map(|p| p as f32).collect()
}

/// The most memory a trace's images may take, in bytes.
const PICTURE_BUDGET: usize = 48 << 20;

/// An [`Observer`] of an attack on one image that hands each iteration on as a [`TracePoint`].
pub struct TraceRecorder<'a> {
    original: Image,
    norm: Norm,
    network: &'a dyn Classifier,
    expected: usize,
    sink: &'a mut dyn FnMut(Option<TracePoint>, usize) -> Flow,
}

impl<'a> TraceRecorder<'a> {
    /// Records an attack on `original`, handing each point and the number of points to expect to
    /// `sink` (and no point between two pieces of work of one iteration). `network` predicts
    /// for the screen what an attack that sees labels only does not query.
    pub fn new(
        original: Image,
        norm: Norm,
        network: &'a dyn Classifier,
        sink: &'a mut dyn FnMut(Option<TracePoint>, usize) -> Flow,
    ) -> Self {
        Self { original, norm, network, expected: 0, sink }
    }

    fn logits(&self, picture: &Image) -> Vec<f32> {
        let images = ImageBatch::of(picture);
        TargetModel::new(self.network).logits(&images).map_or(Vec::new(), |s| s.row(0).to_vec())
    }
}

impl Observer for TraceRecorder<'_> {
    fn step(&mut self, step: &StepEvent<'_>) -> Flow {
        self.expected = step.restarts * (step.iterations + 1);
        let bytes = std::mem::size_of_val(self.original.pixels());
        let every = (self.expected * bytes).div_ceil(PICTURE_BUDGET).max(1);
        let picture = step.images.image(0);
        let size = norms(self.original.pixels(), picture.pixels()).size(self.norm);
        let keep = step.iteration.is_multiple_of(every) || step.iteration == step.iterations;
        let row = match step.logits {
            Some(scores) => scores.row(0).to_vec(),
            None => self.logits(&picture),
        };
        let point = TracePoint {
            restart: step.restart,
            iteration: step.iteration,
            loss: step.loss[0],
            margin: if row.is_empty() { 0.0 } else { margin(&row, step.goals[0]) },
            size,
            label: step.labels[0],
            probabilities: probabilities(&row),
            step_size: step.step_size,
            queries: step.queries,
            stage: step.stage,
            mark: step.mark.map(str::to_string),
            picture: keep.then_some(picture),
        };
        (self.sink)(Some(point), self.expected)
    }

    fn poll(&mut self) -> Flow {
        (self.sink)(None, self.expected)
    }
}
