//! The recorded course of one attack on one picture: what the trajectory view plays back.

use crate::attack::{Flow, Norm, Observer, Step, softmax};
use crate::data::Picture;
use crate::metrics::norms;

/// One iteration.
#[derive(Clone, Debug)]
pub struct Point {
    /// Which restart, from 0.
    pub restart: usize,
    /// Gradient steps taken: 0 is the start.
    pub iteration: usize,
    /// The objective's value.
    pub loss: f32,
    /// The margin: below 0 the goal is reached.
    pub margin: f32,
    /// Size of the perturbation in the budget's norm.
    pub size: f32,
    /// The model's answer.
    pub label: usize,
    /// The softmax probabilities of every class.
    pub probabilities: Vec<f32>,
    /// The picture; none where it was thinned out to save memory.
    pub picture: Option<Picture>,
}

/// Softmax in single precision.
pub(super) fn probabilities(row: &[f32]) -> Vec<f32> {
    softmax(row).into_iter().map(|p| p as f32).collect()
}

/// The most memory a trace's pictures may take, in bytes.
const PICTURE_BUDGET: usize = 48 << 20;

/// An [`Observer`] of a batch of one that records, and passes each point on.
pub struct Recorder<'a> {
    original: Picture,
    norm: Norm,
    expected: usize,
    sink: &'a mut dyn FnMut(Point, usize) -> Flow,
}

impl<'a> Recorder<'a> {
    /// Records an attack on `original`, handing each point and the number of points to expect to `sink`.
    pub fn new(
        original: Picture,
        norm: Norm,
        sink: &'a mut dyn FnMut(Point, usize) -> Flow,
    ) -> Self {
        Self { original, norm, expected: 0, sink }
    }
}

impl Observer for Recorder<'_> {
    fn step(&mut self, step: &Step<'_>) -> Flow {
        self.expected = step.restarts * (step.iterations + 1);
        let bytes = std::mem::size_of_val(self.original.pixels());
        let every = (self.expected * bytes).div_ceil(PICTURE_BUDGET).max(1);
        let Ok(pixels) = step.images.clone().try_into_vec_as::<f32>() else {
            // A device that cannot be read fails the attack itself at its next read.
            return Flow::Continue;
        };
        let picture = Picture::new(self.original.shape(), pixels);
        let size = norms(self.original.pixels(), picture.pixels()).size(self.norm);
        let keep = step.iteration.is_multiple_of(every) || step.iteration == step.iterations;
        let row = step.scores.rows().next();
        let point = Point {
            restart: step.restart,
            iteration: step.iteration,
            loss: step.loss[0],
            margin: step.margin[0],
            size,
            label: step.labels[0],
            probabilities: row.map_or(Vec::new(), probabilities),
            picture: keep.then_some(picture),
        };
        (self.sink)(point, self.expected)
    }
}
