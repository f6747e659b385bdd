//! Losses on logits, each with its closed-form gradient.
//!
//! In `f32` the gradient of cross-entropy on a confident picture is wrong when it is computed as
//! p − 1: the subtraction cancels. So every objective returns its value *and* its cancellation-free
//! gradient with respect to the logits (computed in `f64`), and the backward pass starts from that.

use crate::attack::goal::Goal;
use crate::model::{all_finite, argmax};

/// The logits of N pictures over K classes, on the host, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    values: Vec<f32>,
    classes: usize,
    /// Which pictures were refused; empty where none can be.
    rejected: Vec<bool>,
}

/// The label of a picture that a defence refuses to answer: no class.
pub const REJECTED: usize = usize::MAX;

/// The label of a picture for which the network gives no number (a logit that is infinite or not a
/// number): no class, and never the right one.
pub const NON_FINITE: usize = usize::MAX - 1;

impl Logits {
    /// Takes N·K logits.
    pub fn new(values: Vec<f32>, classes: usize) -> Self {
        Self { values, classes, rejected: Vec::new() }
    }

    /// The same, with these pictures refused.
    pub fn rejecting(self, rejected: Vec<bool>) -> Self {
        Self { rejected, ..self }
    }

    /// Number of classes K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Appends the logits of more pictures.
    pub fn append(&mut self, mut other: Self) {
        self.values.append(&mut other.values);
        self.rejected.append(&mut other.rejected);
    }

    /// The logits of one picture.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.classes..(i + 1) * self.classes]
    }

    /// The logits of one picture, to be changed.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.classes..(i + 1) * self.classes]
    }

    /// The logits of the pictures with these numbers, in that order.
    pub fn select(&self, which: &[usize]) -> Self {
        let values = which.iter().flat_map(|i| self.row(*i)).copied().collect();
        let rejected = which.iter().filter_map(|i| self.rejected.get(*i).copied()).collect();
        Self { values, classes: self.classes, rejected }
    }

    /// The logits of each picture.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks(self.classes)
    }

    /// The margin of each picture towards its goal; see [`margin`].
    pub fn margins(&self, goals: &[Goal]) -> Vec<f32> {
        self.rows().zip(goals).map(|(row, goal)| margin(row, *goal)).collect()
    }

    /// The value of `objective` for each picture, without its gradient.
    pub fn losses(&self, goals: &[Goal], objective: &dyn Objective) -> Vec<f32> {
        self.exact_losses(goals, objective).map(|loss| loss as f32).collect()
    }

    /// The value of `objective` for each picture, or where that underflows to 0 the negated margin: for
    /// those who compare or take differences.
    pub fn losses_or_margins(&self, goals: &[Goal], objective: &dyn Objective) -> Vec<f64> {
        let margins = self.margins(goals);
        let losses = self.exact_losses(goals, objective);
        losses.zip(margins).map(|(loss, margin)| loss_or_margin(loss, f64::from(margin))).collect()
    }

    fn exact_losses(&self, goals: &[Goal], objective: &dyn Objective) -> impl Iterator<Item = f64> {
        let mut logit_gradient = vec![0.0; self.classes];
        let rows = self.rows().zip(goals).enumerate();
        rows.map(move |(at, (row, goal))| objective.evaluate(at, row, *goal, &mut logit_gradient))
    }

    /// The answer to each picture: the class of the largest logit, the first of equals, or
    /// [`REJECTED`], or [`NON_FINITE`].
    pub fn labels(&self) -> Vec<usize> {
        let refused = |i: usize| self.rejected.get(i).is_some_and(|refused| *refused);
        let label = |(i, row): (usize, &[f32])| match refused(i) {
            true => REJECTED,
            false => argmax(row).unwrap_or(NON_FINITE),
        };
        self.rows().enumerate().map(label).collect()
    }

    /// How many of the pictures have a logit that is infinite or not a number.
    pub fn non_finite(&self) -> usize {
        self.rows().filter(|row| !all_finite(row)).count()
    }
}

/// How far the goal is: the logit of the class to leave minus the largest other one, or for a
/// target the largest other one minus the target's. Below 0 the goal is reached.
pub fn margin(row: &[f32], goal: Goal) -> f32 {
    let class = goal.class();
    let others = row.iter().enumerate().filter(|(k, _)| *k != class);
    let other = others.fold(f32::NEG_INFINITY, |a, (_, z)| a.max(*z));
    match goal {
        Goal::Untargeted { .. } => row[class] - other,
        Goal::Targeted { .. } => other - row[class],
    }
}

/// A loss that an attack climbs.
pub trait Objective: Sync {
    /// The value for one picture's logits, and its gradient with respect to them added to `logit_gradient`
    /// (K values, zero at first). Climbing it brings the goal nearer. `at` is the picture's number
    /// in the batch that was asked about, for objectives with constants of each picture's own.
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64;

    /// The same with the slope multiplied by 2ᵉ, which keeps that of a confident picture from
    /// underflowing on its way back through the network; gives the value and e. `logit_gradient` holds K zeros
    /// at first. e is 0 nearly always.
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

    /// The same as a framework computes it in single precision, softmax first: where it is flat
    /// there, so is this. What defences that mask gradients live on.
    fn evaluate_f32(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        self.evaluate(at, row, goal, logit_gradient)
    }
}

impl<F: Fn(usize, &[f32], Goal, &mut [f64]) -> f64 + Sync> Objective for F {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        self(at, row, goal, logit_gradient)
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

/// Brings a slope whose largest entry is below 1e-12 to about 1e-3, by a power of two; gives its
/// exponent.
pub(super) fn rescale(logit_gradient: &mut [f64]) -> f64 {
    let top = logit_gradient.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    if top == 0.0 || top >= 1e-12 {
        return 0.0;
    }
    // Two logarithms: the quotient 1e-3 / top overflows where top is subnormal.
    let exponent = (1e-3_f64.log2() - top.log2()).floor();
    logit_gradient.iter_mut().for_each(|s| *s = times_power_of_two(*s, exponent));
    exponent
}

/// What the attacks that climb compare: the loss, or where it is exactly 0 the negated margin. A
/// confident picture's cross-entropy underflows to 0 (at a margin of 104 in `f32`, of 746 in `f64`);
/// its margin still tells which of two points is better. The order is right across the two: an
/// untargeted loss is 0 only where the margin is positive, one towards a target only where it is not.
pub fn loss_or_margin<T: Default + PartialEq + std::ops::Neg<Output = T>>(loss: T, margin: T) -> T {
    match loss == T::default() {
        true => -margin,
        false => loss,
    }
}

/// The margin, negated: climbing it brings the goal nearer at the same pace however confident the
/// answer is.
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

/// The class other than `class` with the largest logit, the first of equals.
pub fn best_other(row: &[f32], class: usize) -> usize {
    let others = (0..row.len()).filter(|k| *k != class);
    others.reduce(|best, k| if row[k] > row[best] { k } else { best }).unwrap_or(class)
}

/// A loss that is asked by other numbers than its own: the second says what they stand for.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_number_is_no_class() {
        let row = |bad: f32| [1.0, bad, 3.0];
        let rows = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.0].map(row);
        let logits = Logits::new(rows.concat(), 3);
        assert_eq!(logits.labels(), [NON_FINITE, NON_FINITE, NON_FINITE, 2]);
        assert_eq!(logits.non_finite(), 3);
        let refused = logits.rejecting(vec![true, false, false, true]);
        assert_eq!(refused.labels(), [REJECTED, NON_FINITE, NON_FINITE, REJECTED]);
        assert!(Goal::Untargeted { truth: 2 }.reached(NON_FINITE), "it is not the right answer");
        assert!(!Goal::Targeted { target: 1 }.reached(NON_FINITE));
    }

    #[test]
    fn margins_are_right_for_negative_logits_too() {
        let row = [-5.0, -1.0, -3.0];
        assert_eq!(margin(&row, Goal::Untargeted { truth: 1 }), 2.0);
        assert_eq!(margin(&row, Goal::Untargeted { truth: 0 }), -4.0);
        assert_eq!(margin(&row, Goal::Targeted { target: 2 }), 2.0);
        assert_eq!(margin(&row, Goal::Targeted { target: 1 }), -2.0);
    }
}
