//! The history of the loss and the margin during an attack on one image, for the checks.

use crate::attack::{Flow, Observer, StepEvent};
use crate::metrics::checks::{RestartHistory, logit_gap};

/// An [`Observer`] of an attack on one image that keeps losses and margins of each restart, and
/// passes every event on to another observer.
pub struct LossHistory<'a> {
    inner: &'a mut dyn Observer,
    histories: Vec<RestartHistory>,
    /// Stage and restart of the leg that is being written.
    place: (usize, usize),
    losses: Vec<f32>,
    /// Empty where the attack sees labels only.
    margins: Vec<f32>,
    hit: bool,
    gap: Option<f32>,
}

impl<'a> LossHistory<'a> {
    /// An empty history.
    pub fn new(inner: &'a mut dyn Observer) -> Self {
        Self {
            inner,
            histories: Vec::new(),
            place: (0, 0),
            losses: Vec::new(),
            margins: Vec::new(),
            hit: false,
            gap: None,
        }
    }

    /// How far the largest logit was above the second at the first iteration; none where the attack
    /// sees labels only.
    pub fn gap(&self) -> Option<f32> {
        self.gap
    }

    fn turn(&mut self) {
        if !self.losses.is_empty() {
            self.histories.push(RestartHistory::new(&self.losses, &self.margins, self.hit));
        }
        self.losses.clear();
        self.margins.clear();
        self.hit = false;
    }

    /// The history of each restart of each stage, in order.
    pub fn finish(mut self) -> Vec<RestartHistory> {
        self.turn();
        self.histories
    }
}

impl Observer for LossHistory<'_> {
    fn step(&mut self, step: &StepEvent<'_>) -> Flow {
        let place = (step.stage.map_or(0, |stage| stage.number), step.restart);
        if place != self.place {
            self.turn();
            self.place = place;
        }
        self.losses.push(step.loss.first().copied().unwrap_or(f32::NAN));
        self.margins.extend(step.margin.first());
        if let (None, Some(scores)) = (self.gap, step.logits) {
            self.gap = scores.rows().next().map(logit_gap);
        }
        let answers = step.goals.iter().zip(step.labels);
        self.hit |= answers.take(1).any(|(goal, label)| goal.reached(*label));
        self.inner.step(step)
    }

    fn poll(&mut self) -> Flow {
        self.inner.poll()
    }
}
