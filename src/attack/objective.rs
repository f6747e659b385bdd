//! Losses on logits, each with its closed-form gradient.
//!
//! In `f32` the gradient of cross-entropy on a confident picture is wrong when it is computed as
//! p − 1: the subtraction cancels. So every objective returns its value *and* its cancellation-free
//! gradient with respect to the logits (computed in `f64`), and the backward pass starts from that.

use crate::attack::goal::Goal;
use crate::model::largest;

/// The logits of N pictures over K classes, on the host, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    values: Vec<f32>,
    classes: usize,
    /// Which pictures were refused; empty where none can be.
    rejected: Vec<bool>,
}

/// The label of a picture that a defence refuses to answer: no class.
pub const REJECTED: usize = usize::MAX;

impl Scores {
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

    /// The value of `what` for each picture, without its gradient.
    pub fn losses(&self, goals: &[Goal], what: &dyn Objective) -> Vec<f32> {
        self.exact_losses(goals, what).into_iter().map(|loss| loss as f32).collect()
    }

    /// As [`Self::losses`], for those who take differences.
    pub fn exact_losses(&self, goals: &[Goal], what: &dyn Objective) -> Vec<f64> {
        let mut slope = vec![0.0; self.classes];
        let rows = self.rows().zip(goals).enumerate();
        rows.map(|(at, (row, goal))| what.evaluate(at, row, *goal, &mut slope)).collect()
    }

    /// The answer to each picture: the class of the largest logit, the first of equals, or
    /// [`REJECTED`].
    pub fn labels(&self) -> Vec<usize> {
        let refused = |i: usize| self.rejected.get(i).is_some_and(|refused| *refused);
        let label = |(i, row)| if refused(i) { REJECTED } else { largest(row) };
        self.rows().enumerate().map(label).collect()
    }
}

/// Softmax in `f64`, safe for any finite logits.
pub fn softmax(row: &[f32]) -> Vec<f64> {
    let top = row.iter().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(*b)));
    let powers: Vec<f64> = row.iter().map(|z| (f64::from(*z) - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

/// The probability of `class` and, added to `slope`, its gradient with respect to the logits,
/// p (1 − p) and −p p_k, without the cancellation in 1 − p.
pub fn probability(row: &[f32], class: usize, slope: &mut [f64]) -> f64 {
    let p = softmax(row);
    let others: f64 = p.iter().enumerate().filter(|(k, _)| *k != class).map(|(_, p)| p).sum();
    for (k, slope) in slope.iter_mut().enumerate() {
        *slope += p[class] * if k == class { others } else { -p[k] };
    }
    p[class]
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
    /// The value for one picture's logits, and its gradient with respect to them added to `slope`
    /// (K values, zero at first). Climbing it brings the goal nearer. `at` is the picture's number
    /// in the batch that was asked about, for objectives with constants of each picture's own.
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64;

    /// The same as a framework computes it in single precision, softmax first: where it is flat
    /// there, so is this. What defences that mask gradients live on.
    fn coarse(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        self.evaluate(at, row, goal, slope)
    }
}

impl<F: Fn(usize, &[f32], Goal, &mut [f64]) -> f64 + Sync> Objective for F {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        self(at, row, goal, slope)
    }
}

/// The margin, negated: climbing it brings the goal nearer at the same pace however confident the
/// answer is.
pub struct Margin;

impl Objective for Margin {
    fn evaluate(&self, _: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        let class = goal.class();
        let other = best_other(row, class);
        slope[class] -= goal.sign();
        slope[other] += goal.sign();
        -f64::from(margin(row, goal))
    }
}

/// The class other than `class` with the largest logit, the first of equals.
pub fn best_other(row: &[f32], class: usize) -> usize {
    let others = (0..row.len()).filter(|k| *k != class);
    others.reduce(|best, k| if row[k] > row[best] { k } else { best }).unwrap_or(class)
}

/// A loss that is asked by other numbers than its own: the second says what they stand for.
pub(super) struct Numbered<'a, F>(pub &'a dyn Objective, pub F);

impl<F: Fn(usize) -> usize + Sync> Objective for Numbered<'_, F> {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        self.0.evaluate((self.1)(at), row, goal, slope)
    }

    fn coarse(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        self.0.coarse((self.1)(at), row, goal, slope)
    }
}

/// A slope as faint as can be that its reader still finds.
const FAINT: f64 = 1e-300;

/// Cross-entropy, by log-sum-exp: −log p of the true class, or +log p of the target.
pub struct CrossEntropy;

impl Objective for CrossEntropy {
    fn evaluate(&self, _: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        let class = goal.class();
        let p = softmax(row);
        // p_class − 1 = −Σ of the others, without the cancellation.
        let others: f64 = p.iter().enumerate().filter(|(k, _)| *k != class).map(|(_, p)| p).sum();
        for (k, slope) in slope.iter_mut().enumerate() {
            *slope += goal.sign() * if k == class { -others } else { p[k] };
        }
        // Logits hundreds apart (defensive distillation) underflow even here: which way to go is
        // still known.
        if others == 0.0 {
            slope[class] -= goal.sign() * FAINT;
            slope[best_other(row, class)] += goal.sign() * FAINT;
        }
        let top = row.iter().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(*b)));
        let own = f64::from(row[class]);
        // −log p = log Σ exp(z − z_class); for a confident answer ln_1p keeps the small sum.
        let loss = match own >= top {
            true => {
                let rest = row.iter().enumerate().filter(|(k, _)| *k != class);
                rest.map(|(_, z)| (f64::from(*z) - own).exp()).sum::<f64>().ln_1p()
            }
            false => {
                let sum: f64 = row.iter().map(|z| (f64::from(*z) - top).exp()).sum();
                top - own + sum.ln()
            }
        };
        goal.sign() * loss
    }

    fn coarse(&self, _: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        let class = goal.class();
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = row.iter().map(|z| (z - top).exp()).collect();
        let sum: f32 = powers.iter().sum();
        for (k, slope) in slope.iter_mut().enumerate() {
            let wanted = if k == class { 1.0 } else { 0.0 };
            *slope += goal.sign() * f64::from(powers[k] / sum - wanted);
        }
        // The usual guard against the logarithm of nothing.
        goal.sign() * -f64::from((powers[class] / sum).max(1e-12).ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cross_entropy_slopes_sum_to_zero_and_match_differences(
            row in proptest::collection::vec(-8.0_f32..8.0, 2..12),
            class in 0_usize..2,
        ) {
            for goal in [Goal::Untargeted { truth: class }, Goal::Targeted { target: class }] {
                let mut slope = vec![0.0; row.len()];
                CrossEntropy.evaluate(0, &row, goal, &mut slope);
                prop_assert!(slope.iter().sum::<f64>().abs() < 1e-12);
                for k in 0..row.len() {
                    let at = |by: f32| {
                        let mut moved = row.clone();
                        moved[k] += by;
                        let step = f64::from(moved[k]) - f64::from(row[k]);
                        (CrossEntropy.evaluate(0, &moved, goal, &mut vec![0.0; row.len()]), step)
                    };
                    let ((up, a), (down, b)) = (at(1e-2), at(-1e-2));
                    prop_assert!(((up - down) / (a - b) - slope[k]).abs() < 1e-3);
                }
            }
        }
    }

    #[test]
    fn a_confident_answer_still_has_a_gradient_and_a_loss() {
        let row = [60.0, 0.0, 1.0];
        let mut slope = vec![0.0; 3];
        let loss = CrossEntropy.evaluate(0, &row, Goal::Untargeted { truth: 0 }, &mut slope);
        let expected = (-60.0_f64).exp() + (-59.0_f64).exp();
        assert!((loss / expected - 1.0).abs() < 1e-9, "{loss}");
        assert!((slope[0] / -expected - 1.0).abs() < 1e-9, "{}", slope[0]);
    }

    #[test]
    fn an_answer_beyond_double_precision_still_has_a_direction() {
        let (row, mut slope) = ([2000.0, 0.0, 1.0], vec![0.0; 3]);
        let loss = CrossEntropy.evaluate(0, &row, Goal::Untargeted { truth: 0 }, &mut slope);
        assert!(loss == 0.0 && slope[0] < 0.0 && slope[1] == 0.0 && slope[2] > 0.0, "{slope:?}");
    }

    #[test]
    fn in_single_precision_a_confident_answer_has_no_gradient() {
        let goal = Goal::Untargeted { truth: 0 };
        let at = |row: &[f32]| {
            let mut slope = vec![0.0; row.len()];
            CrossEntropy.coarse(0, row, goal, &mut slope);
            slope
        };
        assert_eq!(at(&[200.0, 0.0, 1.0]), [0.0; 3]);
        let (mut exact, row) = (vec![0.0; 3], [2.0, 0.0, 1.0]);
        CrossEntropy.evaluate(0, &row, goal, &mut exact);
        assert!(at(&row).iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_probability_s_slope_is_that_of_differences_even_where_it_is_flat() {
        let at = |row: &[f32]| {
            let mut slope = vec![0.0; row.len()];
            (probability(row, 1, &mut slope), slope)
        };
        let row = [0.3_f32, 1.25, -0.5];
        let (p, slope) = at(&row);
        for k in 0..3 {
            let mut up = row;
            up[k] += 1.0 / 1024.0;
            assert!(((at(&up).0 - p) * 1024.0 - slope[k]).abs() < 1e-3);
        }
        let (p, slope) = at(&[0.0, 60.0, 1.0]);
        let rest = (-60.0_f64).exp() + (-59.0_f64).exp();
        assert!(p == 1.0 && (slope[1] / rest - 1.0).abs() < 1e-9, "{slope:?}");
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
