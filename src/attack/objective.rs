//! Losses on logits, each with its closed-form gradient.
//!
//! In `f32` the gradient of cross-entropy on a confident picture is wrong when it is computed as
//! p − 1: the subtraction cancels. So every objective returns its value *and* its cancellation-free
//! gradient with respect to the logits (computed in `f64`), and the backward pass starts from that.

use crate::attack::goal::Goal;
use crate::model::{finite, largest};
use std::f64::consts::LN_2;

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

/// The label of a picture for which the network gives no number (a logit that is infinite or not a
/// number): no class, and never the right one.
pub const NON_FINITE: usize = usize::MAX - 1;

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
        self.exact_losses(goals, what).map(|loss| loss as f32).collect()
    }

    /// The [`height`] of `what` for each picture, for those who compare or take differences.
    pub fn heights(&self, goals: &[Goal], what: &dyn Objective) -> Vec<f64> {
        let margins = self.margins(goals);
        let losses = self.exact_losses(goals, what);
        losses.zip(margins).map(|(loss, margin)| height(loss, f64::from(margin))).collect()
    }

    fn exact_losses(&self, goals: &[Goal], what: &dyn Objective) -> impl Iterator<Item = f64> {
        let mut slope = vec![0.0; self.classes];
        let rows = self.rows().zip(goals).enumerate();
        rows.map(move |(at, (row, goal))| what.evaluate(at, row, *goal, &mut slope))
    }

    /// The answer to each picture: the class of the largest logit, the first of equals, or
    /// [`REJECTED`], or [`NON_FINITE`].
    pub fn labels(&self) -> Vec<usize> {
        let refused = |i: usize| self.rejected.get(i).is_some_and(|refused| *refused);
        let label = |(i, row): (usize, &[f32])| match refused(i) {
            true => REJECTED,
            false => largest(row).unwrap_or(NON_FINITE),
        };
        self.rows().enumerate().map(label).collect()
    }

    /// How many of the pictures have a logit that is infinite or not a number.
    pub fn non_finite(&self) -> usize {
        self.rows().filter(|row| !finite(row)).count()
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

    /// The same with the slope multiplied by 2ᵉ, which keeps that of a confident picture from
    /// underflowing on its way back through the network; gives the value and e. `slope` holds K zeros
    /// at first. e is 0 nearly always.
    fn scaled(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> (f64, f64) {
        let value = self.evaluate(at, row, goal, slope);
        (value, rescale(slope))
    }

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
fn rescale(slope: &mut [f64]) -> f64 {
    let top = slope.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    if top == 0.0 || top >= 1e-12 {
        return 0.0;
    }
    // Two logarithms: the quotient 1e-3 / top overflows where top is subnormal.
    let exponent = (1e-3_f64.log2() - top.log2()).floor();
    slope.iter_mut().for_each(|s| *s = times_power_of_two(*s, exponent));
    exponent
}

/// A slope in `f64` whose largest entry is at least this has all its digits.
const RESOLVED: f64 = 1e-280;

/// What the attacks that climb compare: the loss, or where it is exactly 0 the negated margin. A
/// confident picture's cross-entropy underflows to 0 (at a margin of 104 in `f32`, of 746 in `f64`);
/// its margin still tells which of two points is better. The order is right across the two: an
/// untargeted loss is 0 only where the margin is positive, one towards a target only where it is not.
pub fn height<T: Default + PartialEq + std::ops::Neg<Output = T>>(loss: T, margin: T) -> T {
    match loss == T::default() {
        true => -margin,
        false => loss,
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

    fn scaled(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> (f64, f64) {
        self.0.scaled((self.1)(at), row, goal, slope)
    }

    fn coarse(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        self.0.coarse((self.1)(at), row, goal, slope)
    }
}

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

    /// Logits hundreds apart (defensive distillation) underflow even in `f64`: there the slope is
    /// computed from the logits' differences, relative to the largest other class.
    fn scaled(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> (f64, f64) {
        let value = self.evaluate(at, row, goal, slope);
        let class = goal.class();
        let own = f64::from(row[class]);
        let next = f64::from(row[best_other(row, class)]);
        if slope[class].abs() >= RESOLVED || !(own - next).is_finite() {
            return (value, rescale(slope));
        }
        for (k, slope) in slope.iter_mut().enumerate() {
            *slope = if k == class { 0.0 } else { (f64::from(row[k]) - next).exp() };
        }
        let sum: f64 = slope.iter().sum();
        // log₂ of 1 − p_class, where log Σ exp z is z_class to the last digit.
        let size = (next - own + sum.ln()) / LN_2;
        let exponent = (1e-3_f64.log2() - size).floor();
        let share = goal.sign() * (size + exponent).exp2();
        slope.iter_mut().for_each(|slope| *slope *= share / sum);
        slope[class] = -share;
        (value, exponent)
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

/// The probability of a class, which the function chooses by the picture's number in the batch and
/// its goal.
pub(super) struct ProbabilityOf<F>(pub F);

impl<F: Fn(usize, Goal) -> usize + Sync> Objective for ProbabilityOf<F> {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
        probability(row, (self.0)(at, goal), slope)
    }

    /// ∂p/∂z = −p ∂(−ln p)/∂z: p and the other factor may both be out of range of `f64`.
    fn scaled(&self, at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> (f64, f64) {
        let class = (self.0)(at, goal);
        let value = probability(row, class, slope);
        if slope[class].abs() >= RESOLVED {
            return (value, rescale(slope));
        }
        slope.fill(0.0);
        let (loss, exponent) =
            CrossEntropy.scaled(at, row, Goal::Untargeted { truth: class }, slope);
        let size = -loss / LN_2;
        let whole = size.floor();
        slope.iter_mut().for_each(|slope| *slope *= -(size - whole).exp2());
        (value, exponent - whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The objectives whose slope fades with confidence.
    fn fading() -> [(&'static str, Box<dyn Objective>); 2] {
        let falls = |_: usize, goal: Goal| goal.class();
        [("cross-entropy", Box::new(CrossEntropy)), ("probability", Box::new(ProbabilityOf(falls)))]
    }

    /// log₂ of each slope's size, and its sign, by formulas that never leave log-space.
    fn reference(name: &str, row: &[f32], goal: Goal) -> Vec<(f64, f64)> {
        let class = goal.class();
        let z = |k: usize| f64::from(row[k]);
        let sum_of = |keep: &dyn Fn(usize) -> bool| -> f64 {
            let some = || (0..row.len()).filter(|k| keep(*k)).map(z);
            let top = some().fold(f64::NEG_INFINITY, f64::max);
            top + some().map(|z| (z - top).exp()).sum::<f64>().ln()
        };
        let all = sum_of(&|_| true);
        let rest = sum_of(&|k| k != class) - all;
        let (factor, sign) = match name {
            "probability" => (z(class) - all, -1.0),
            _ => (0.0, goal.sign()),
        };
        let one = |k: usize| match k == class {
            true => ((rest + factor) / LN_2, -sign),
            false => ((z(k) - all + factor) / LN_2, sign),
        };
        (0..row.len()).map(one).collect()
    }

    proptest! {
        #[test]
        fn slopes_keep_size_and_sign_at_any_gap(
            mut row in proptest::collection::vec(-8.0_f32..8.0, 2..12),
            power in -2.0_f64..5.0,
            class in 0_usize..2,
            leads in proptest::bool::ANY,
        ) {
            // The class leads, or trails, by a gap of 0.01 to 1e5.
            let gap = 10_f64.powf(power) as f32;
            row[class] = best_of(&row, class) + if leads { gap } else { -gap };
            check_slopes(&row, class)?;
        }
    }

    fn best_of(row: &[f32], class: usize) -> f32 {
        row[best_other(row, class)]
    }

    fn check_slopes(row: &[f32], class: usize) -> Result<(), TestCaseError> {
        for (name, what) in fading() {
            for goal in [Goal::Untargeted { truth: class }, Goal::Targeted { target: class }] {
                let mut slope = vec![0.0; row.len()];
                let (_, exponent) = what.scaled(0, row, goal, &mut slope);
                let wanted = reference(name, row, goal);
                let top = wanted.iter().fold(f64::NEG_INFINITY, |a, (size, _)| a.max(*size));
                for (k, (size, sign)) in wanted.into_iter().enumerate() {
                    prop_assert!(slope[k].is_finite() && (slope[k] as f32).is_finite());
                    // What is 2⁻²⁰⁰ of the largest is nothing in `f32`.
                    if size > top - 200.0 {
                        prop_assert_eq!(slope[k].signum(), sign, "{} {:?} {}", name, row, k);
                        let found = slope[k].abs().log2() - exponent;
                        let near = (found - size).abs() < 1e-6 * (1.0 + size.abs() / 1e4);
                        prop_assert!(near, "{} {:?} {}: 2^{} for 2^{}", name, row, k, found, size);
                    }
                }
                let largest = slope.iter().fold(0.0_f64, |a, s| a.max(s.abs()));
                prop_assert!((1e-12..=2.0).contains(&largest), "{} {:?} {}", name, row, largest);
            }
        }
        Ok(())
    }

    #[test]
    fn the_gaps_between_normal_and_nothing_keep_their_slopes() {
        for gap in [0.0, 16.7, 87.4, 103.9, 644.0, 708.0, 717.0, 731.5, 744.5, 745.5, 1e3, 1e5] {
            check_slopes(&[gap, 0.0, -1.0], 0).unwrap();
            check_slopes(&[-gap, 0.0, -1.0], 0).unwrap();
        }
    }

    #[test]
    fn heights_order_points_by_loss_and_then_by_margin() {
        let at = |gap: f32, goal: Goal| {
            let row = [gap, 0.0];
            let loss = CrossEntropy.evaluate(0, &row, goal, &mut [0.0; 2]) as f32;
            height(loss, margin(&row, goal))
        };
        let gaps = [1e5_f32, 1e3, 746.0, 300.0, 104.0, 90.0, 20.0, 1.0, -1.0, -100.0, -1e5];
        let (away, towards) = (Goal::Untargeted { truth: 0 }, Goal::Targeted { target: 1 });
        for goal in [away, towards] {
            assert!(gaps.windows(2).all(|pair| at(pair[0], goal) < at(pair[1], goal)), "{goal:?}");
        }
    }

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
    fn an_answer_that_is_no_number_is_no_class() {
        let row = |bad: f32| [1.0, bad, 3.0];
        let rows = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.0].map(row);
        let scores = Scores::new(rows.concat(), 3);
        assert_eq!(scores.labels(), [NON_FINITE, NON_FINITE, NON_FINITE, 2]);
        assert_eq!(scores.non_finite(), 3);
        let refused = scores.rejecting(vec![true, false, false, true]);
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
