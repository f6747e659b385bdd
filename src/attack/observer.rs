//! Step events: an attack reports every iteration, and the answer may be "stop". This one stream
//! feeds the live view, the trajectory, progress bars and cancellation.

use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::objective::Logits;
use crate::error::Result;
use burn_tensor::Tensor;

/// What the observer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop as soon as possible; the attack returns a cancelled error.
    Stop,
}

/// The pictures of an iteration, wherever the attack keeps them.
#[derive(Clone, Copy)]
pub enum Images<'a> {
    /// On the device, `[N, C, H, W]`.
    Tensor(&'a Tensor<4>),
    /// On the host.
    ImageBatch(&'a ImageBatch),
}

impl Images<'_> {
    /// The pixels of the first picture.
    ///
    /// # Errors
    /// Device failures.
    pub fn first(&self) -> Result<Vec<f32>> {
        match self {
            Self::Tensor(images) => {
                let first = Tensor::clone(images).slice(0..1);
                Ok(ImageBatch::from_tensor(&first)?.row(0).to_vec())
            }
            Self::ImageBatch(rows) => Ok(rows.row(0).to_vec()),
        }
    }
}

/// Which part of an attack of several parts is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackStage {
    /// The names of all of them, in order: `apgd-ce`, `apgd-t`, …
    pub all: &'static [&'static str],
    /// The number of this one, from 0.
    pub number: usize,
}

impl AttackStage {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.all.get(self.number).copied().unwrap_or_default()
    }
}

/// One iteration of an attack on those pictures of its problem that are still worked on.
#[derive(Clone, Copy)]
pub struct StepEvent<'a> {
    /// Which pictures of the problem the lists speak of, `[N]`.
    pub active: &'a [usize],
    /// Their goals, `[N]`.
    pub goals: &'a [Goal],
    /// Which restart, from 0.
    pub restart: usize,
    /// How many restarts there will be at most.
    pub restarts: usize,
    /// Iterations done to reach `images`: 0 is the start.
    pub iteration: usize,
    /// How many iterations a restart has at most.
    pub iterations: usize,
    /// The objective's value for each picture (what the attack climbs), `[N]`.
    pub loss: &'a [f32],
    /// The margin for each picture (below 0: misclassified, or the target reached), `[N]`; empty
    /// where the attack sees labels only.
    pub margin: &'a [f32],
    /// The logits of each picture, `[N, K]`; none where the attack sees labels only.
    pub logits: Option<&'a Logits>,
    /// The answer for each picture, `[N]`.
    pub labels: &'a [usize],
    /// The step size in use, in pixel units; 0 where there is none.
    pub step_size: f32,
    /// The pictures at this iteration.
    pub images: Images<'a>,
    /// How often the model was asked about the first of them so far.
    pub queries: u64,
    /// Which part is running, for an attack of several.
    pub stage: Option<AttackStage>,
    /// An event of the attack's own at this iteration: a halved step, a new constant, a window.
    pub mark: Option<&'a str>,
}

/// Somebody who watches an attack.
pub trait Observer {
    /// Called once an iteration; the answer may stop the attack.
    fn step(&mut self, step: &StepEvent<'_>) -> Flow;

    /// Called between pieces of work inside an iteration; the answer may stop the attack.
    fn poll(&mut self) -> Flow {
        Flow::Continue
    }
}

/// Watches nothing and never stops.
pub struct NoObserver;

impl Observer for NoObserver {
    fn step(&mut self, _: &StepEvent<'_>) -> Flow {
        Flow::Continue
    }
}

/// Shows nothing and stops when the question is answered with [`Flow::Stop`].
pub struct StopWhen<F>(pub F);

impl<F: FnMut() -> Flow> Observer for StopWhen<F> {
    fn step(&mut self, _: &StepEvent<'_>) -> Flow {
        (self.0)()
    }

    fn poll(&mut self) -> Flow {
        (self.0)()
    }
}

impl<F: FnMut(&StepEvent<'_>) -> Flow> Observer for F {
    fn step(&mut self, step: &StepEvent<'_>) -> Flow {
        self(step)
    }
}
