//! [`Observer`]: who watches an attack. An attack reports every iteration as a [`StepEvent`], and the
//! observer's reply may stop it. The live view, the recorded trace, progress bars and cancellation
//! all hang on this one stream.

use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;

/// The reply of an [`Observer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop as soon as possible: the attack returns a cancelled error.
    Stop,
}

/// Which of its stages an attack of several is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackStage {
    /// The names of all stages, in order: `apgd-ce`, `apgd-t`, …
    pub all: &'static [&'static str],
    /// The index of this one, from 0.
    pub number: usize,
}

impl AttackStage {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.all.get(self.number).copied().unwrap_or_default()
    }
}

/// One iteration of an attack, on the N images of its problem that it still works on.
#[derive(Clone, Copy)]
pub struct StepEvent<'a> {
    /// The indices in the problem of these images, `[N]`.
    pub active: &'a [usize],
    /// Their goals, `[N]`.
    pub goals: &'a [Goal],
    /// Which restart, from 0.
    pub restart: usize,
    /// Number of restarts, at most.
    pub restarts: usize,
    /// Iterations done so far in this restart: 0 is the initial point.
    pub iteration: usize,
    /// Iterations of one restart, at most.
    pub iterations: usize,
    /// The value of the objective that the attack increases, `[N]`.
    pub loss: &'a [f32],
    /// The margin in logits, `[N]`; below 0 the goal is reached. Empty where the attack sees labels
    /// only.
    pub margin: &'a [f32],
    /// The logits, `[N, K]`; `None` where the attack sees labels only.
    pub logits: Option<&'a Logits>,
    /// The predicted labels, `[N]`.
    pub labels: &'a [usize],
    /// The step size in use, in pixel units of 0..1; 0 where there is none.
    pub step_size: f32,
    /// The images at this iteration, `[N, C, H, W]`.
    pub images: &'a ImageBatch,
    /// Queries so far for the first of them.
    pub queries: u64,
    /// The stage, for an attack of several.
    pub stage: Option<AttackStage>,
    /// An event of the attack's own at this iteration: a halved step, a new constant.
    pub mark: Option<&'a str>,
}

/// Watches an attack, and may stop it. A closure `|event: &StepEvent| -> Flow` is an observer.
pub trait Observer {
    /// Called after each iteration; the reply may stop the attack.
    fn step(&mut self, step: &StepEvent<'_>) -> Flow;

    /// Called between pieces of work inside an iteration; the reply may stop the attack.
    fn poll(&mut self) -> Flow {
        Flow::Continue
    }
}

/// Ignores every event and never stops an attack.
pub struct NoObserver;

impl Observer for NoObserver {
    fn step(&mut self, _: &StepEvent<'_>) -> Flow {
        Flow::Continue
    }
}

/// Ignores the events and stops an attack as soon as the function says [`Flow::Stop`].
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
