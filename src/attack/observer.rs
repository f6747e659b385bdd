//! Step events: an attack reports every iteration, and the answer may be "stop". This one stream
//! feeds the live view, the trajectory, progress bars and cancellation.

use crate::attack::objective::Scores;
use burn::tensor::Tensor;

/// What the observer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop as soon as possible; the attack returns a cancelled error.
    Stop,
}

/// One iteration of an attack on a batch of N pictures.
pub struct Step<'a> {
    /// Which restart, from 0.
    pub restart: usize,
    /// How many restarts there will be at most.
    pub restarts: usize,
    /// Gradient steps taken to reach `images`: 0 is the start.
    pub iteration: usize,
    /// How many iterations a restart has.
    pub iterations: usize,
    /// The objective's value for each picture (what the attack climbs), `[N]`.
    pub loss: &'a [f32],
    /// The margin for each picture (below 0: misclassified, or the target reached), `[N]`.
    pub margin: &'a [f32],
    /// The logits of each picture, `[N, K]`.
    pub scores: &'a Scores,
    /// The answer for each picture, `[N]`.
    pub labels: &'a [usize],
    /// The step size in use, in pixel units; 0 where there is none.
    pub step_size: f32,
    /// The pictures at this iteration, `[N, C, H, W]`.
    pub images: &'a Tensor<4>,
}

/// Somebody who watches an attack.
pub trait Observer {
    /// Called once an iteration; the answer may stop the attack.
    fn step(&mut self, step: &Step<'_>) -> Flow;
}

/// Watches nothing and never stops.
pub struct Unobserved;

impl Observer for Unobserved {
    fn step(&mut self, _: &Step<'_>) -> Flow {
        Flow::Continue
    }
}

impl<F: FnMut(&Step<'_>) -> Flow> Observer for F {
    fn step(&mut self, step: &Step<'_>) -> Flow {
        self(step)
    }
}
