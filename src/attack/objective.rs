//! Objectives: the losses that attacks increase, as functions of the logits, each with its gradient
//! in closed form.
//!
//! Computed the usual way, as p − 1 in `f32`, the gradient of cross-entropy on a confident image is
//! wrong, because the subtraction cancels. So every [`Objective`] gives its value and its gradient
//! with respect to the logits in `f64`, free of cancellation, and the backward pass through the
//! network begins with that gradient.

use crate::attack::goal::Goal;
use crate::attack::logits::{Logits, best_other, margin};

/// A loss of one image's logits that an attack increases: the larger it is, the nearer is the goal.
///
/// A closure `(at, row, goal, logit_gradient) -> value` is an objective too.
pub trait Objective: Sync {
    /// The value for one image's K logits `row`; its gradient with respect to them is added to
    /// `logit_gradient`, K values. `at` is the index of the image in the batch that was queried, for
    /// objectives with constants of each image's own.
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64;

    /// The value, and a binary exponent e by which the gradient is scaled: `logit_gradient`, zeros
    /// at first, becomes 2ᵉ times the gradient. This keeps the gradient of a confident image from
    /// underflowing on its way back through the network. e is 0 nearly always.
    fn evaluate_scaled(
        &self,
        at: usize,
        row: &[f32],
        goal: Goal,
        logit_gradient: &mut [f64],
    ) -> (f64, f64) {
        let value = self.evaluate(at, row, goal, logit_gradient);
        (value, rescale(logit_gradient))
    }

    /// As [`Self::evaluate`], but computed as frameworks do, softmax first and in single precision,
    /// with the flat places that brings. Defences that mask gradients live on those.
    fn evaluate_f32(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        self.evaluate(at, row, goal, logit_gradient)
    }
}

impl<F: Fn(usize, &[f32], Goal, &mut [f64]) -> f64 + Sync> Objective for F {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        self(at, row, goal, logit_gradient)
    }
}

impl Logits {
    /// The value of `objective` for each image, `[N]`, without its gradient.
    pub fn losses(&self, goals: &[Goal], objective: &dyn Objective) -> Vec<f32> {
        self.exact_losses(goals, objective).map(|loss| loss as f32).collect()
    }

    /// `loss_or_margin` of each image, `[N]`: for attacks that compare losses or take differences.
    pub fn losses_or_margins(&self, goals: &[Goal], objective: &dyn Objective) -> Vec<f64> {
        let margins = self.margins(goals);
        let losses = self.exact_losses(goals, objective);
        losses.zip(margins).map(|(loss, margin)| loss_or_margin(loss, f64::from(margin))).collect()
    }

    fn exact_losses(&self, goals: &[Goal], objective: &dyn Objective) -> impl Iterator<Item = f64> {
        let mut unused = vec![0.0; self.classes()];
        let rows = self.rows().zip(goals).enumerate();
        rows.map(move |(at, (row, goal))| objective.evaluate(at, row, *goal, &mut unused))
    }
}

/// x·2ᵉ for any e, also where 2ᵉ alone is out of range.
pub fn times_power_of_two(x: f64, e: f64) -> f64 {
    if x == 0.0 {
        return x;
    }
    let half = (e / 2.0).trunc();
    x * half.exp2() * (e - half).exp2()
}

/// Multiplies a gradient whose largest entry is below 1e-12 by the power of two that brings that
/// entry to about 1e-3; returns the exponent, 0 where nothing was done.
pub(super) fn rescale(gradient: &mut [f64]) -> f64 {
    let top = gradient.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    if top == 0.0 || top >= 1e-12 {
        return 0.0;
    }
    // Two logarithms: the quotient 1e-3 / top overflows where top is subnormal.
    let exponent = (1e-3_f64.log2() - top.log2()).floor();
    gradient.iter_mut().for_each(|g| *g = times_power_of_two(*g, exponent));
    exponent
}

/// The number by which attacks compare two points: the loss, or where it is exactly 0 the negated
/// margin. The cross-entropy of a confident image underflows to 0 (at a margin of 104 in `f32`, of
/// 746 in `f64`); its margin still tells which of two points is better. The order is right across
/// the two: an untargeted loss is 0 only where the margin is positive, a targeted one only where it
/// is not.
pub fn loss_or_margin<T: Default + PartialEq + std::ops::Neg<Output = T>>(loss: T, margin: T) -> T {
    match loss == T::default() {
        true => -margin,
        false => loss,
    }
}

/// The negated [`margin`]: its gradient does not fade, however confident the prediction is.
pub struct Margin;

impl Objective for Margin {
    fn evaluate(&self, _: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        let class = goal.class();
        let other = best_other(row, class);
        logit_gradient[class] -= goal.sign();
        logit_gradient[other] += goal.sign();
        -f64::from(margin(row, goal))
    }
}

/// An objective whose images are indexed otherwise: image `at` of the query is image `.1(at)` of the
/// objective `.0`.
pub(super) struct Reindexed<'a, F>(pub &'a dyn Objective, pub F);

impl<F: Fn(usize) -> usize + Sync> Objective for Reindexed<'_, F> {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        self.0.evaluate((self.1)(at), row, goal, logit_gradient)
    }

    fn evaluate_scaled(
        &self,
        at: usize,
        row: &[f32],
        goal: Goal,
        logit_gradient: &mut [f64],
    ) -> (f64, f64) {
        self.0.evaluate_scaled((self.1)(at), row, goal, logit_gradient)
    }

    fn evaluate_f32(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        self.0.evaluate_f32((self.1)(at), row, goal, logit_gradient)
    }
}
