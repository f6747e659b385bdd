//! Cross-entropy and the probability of a class, with slopes that neither cancel nor underflow.
//!
//! In `f32` the gradient of cross-entropy on a confident image is wrong when it is computed as p − 1:
//! the subtraction cancels. Where the logits are hundreds apart (defensive distillation) the others'
//! probabilities underflow even in `f64`. Here 1 − p is the sum of the others, and where that is too
//! small for `f64` it is computed from the differences of the logits.

use crate::attack::goal::Goal;
use crate::attack::logits::best_other;
use crate::attack::objective::{Objective, rescale};
use std::f64::consts::LN_2;

/// A gradient in `f64` whose largest entry is at least this has all its digits.
const RESOLVED: f64 = 1e-280;

/// The softmax of K logits, in `f64`, safe for any finite logits.
pub fn softmax(row: &[f32]) -> Vec<f64> {
    let powers = powers(row, top(row));
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

/// The largest logit.
fn top(row: &[f32]) -> f64 {
    row.iter().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(*b)))
}

/// exp(z − `top`) of each logit z.
fn powers(row: &[f32], top: f64) -> Vec<f64> {
    row.iter().map(|z| (f64::from(*z) - top).exp()).collect()
}

/// The sum of all entries but that of `class`.
fn others(values: &[f64], class: usize) -> f64 {
    values.iter().enumerate().filter(|(k, _)| *k != class).map(|(_, v)| v).sum()
}

/// The probability of `class` and, added to `logit_gradient`, its gradient with respect to the logits,
/// p (1 − p) and −p p_k, without the cancellation in 1 − p.
pub fn probability(row: &[f32], class: usize, logit_gradient: &mut [f64]) -> f64 {
    let p = softmax(row);
    let others = others(&p, class);
    for (k, logit_gradient) in logit_gradient.iter_mut().enumerate() {
        *logit_gradient += p[class] * if k == class { others } else { -p[k] };
    }
    p[class]
}

/// Cross-entropy, by log-sum-exp: −log p of the true class, or +log p of the target.
pub struct CrossEntropy;

impl Objective for CrossEntropy {
    fn evaluate(&self, _: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        let class = goal.class();
        let top = top(row);
        let powers = powers(row, top);
        let sum: f64 = powers.iter().sum();
        let p: Vec<f64> = powers.iter().map(|power| power / sum).collect();
        // p_class − 1 = −Σ of the others, without the cancellation.
        let rest = others(&p, class);
        for (k, logit_gradient) in logit_gradient.iter_mut().enumerate() {
            *logit_gradient += goal.sign() * if k == class { -rest } else { p[k] };
        }
        let own = f64::from(row[class]);
        // −log p = log Σ exp(z − z_class); for a confident prediction ln_1p keeps the small sum.
        let loss = match own >= top {
            true => others(&powers, class).ln_1p(),
            false => top - own + sum.ln(),
        };
        goal.sign() * loss
    }

    /// Logits hundreds apart (defensive distillation) underflow even in `f64`: there the slope is
    /// computed from the logits' differences, relative to the largest other class.
    fn evaluate_scaled(
        &self,
        at: usize,
        row: &[f32],
        goal: Goal,
        logit_gradient: &mut [f64],
    ) -> (f64, f64) {
        let value = self.evaluate(at, row, goal, logit_gradient);
        let class = goal.class();
        let own = f64::from(row[class]);
        let next = f64::from(row[best_other(row, class)]);
        if logit_gradient[class].abs() >= RESOLVED || !(own - next).is_finite() {
            return (value, rescale(logit_gradient));
        }
        for (k, logit_gradient) in logit_gradient.iter_mut().enumerate() {
            *logit_gradient = if k == class { 0.0 } else { (f64::from(row[k]) - next).exp() };
        }
        let sum: f64 = logit_gradient.iter().sum();
        // log₂ of 1 − p_class, where log Σ exp z is z_class to the last digit.
        let size = (next - own + sum.ln()) / LN_2;
        let exponent = (1e-3_f64.log2() - size).floor();
        let share = goal.sign() * (size + exponent).exp2();
        logit_gradient.iter_mut().for_each(|logit_gradient| *logit_gradient *= share / sum);
        logit_gradient[class] = -share;
        (value, exponent)
    }

    fn evaluate_f32(&self, _: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        let class = goal.class();
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = row.iter().map(|z| (z - top).exp()).collect();
        let sum: f32 = powers.iter().sum();
        for (k, logit_gradient) in logit_gradient.iter_mut().enumerate() {
            let wanted = if k == class { 1.0 } else { 0.0 };
            *logit_gradient += goal.sign() * f64::from(powers[k] / sum - wanted);
        }
        // The usual guard against the logarithm of nothing.
        goal.sign() * -f64::from((powers[class] / sum).max(1e-12).ln())
    }
}

/// The probability of a class, which the function chooses by the image's number in the batch and
/// its goal.
pub(super) struct ClassProbability<F>(pub F);

impl<F: Fn(usize, Goal) -> usize + Sync> Objective for ClassProbability<F> {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        probability(row, (self.0)(at, goal), logit_gradient)
    }

    /// ∂p/∂z = −p ∂(−ln p)/∂z: p and the other factor may both be out of range of `f64`.
    fn evaluate_scaled(
        &self,
        at: usize,
        row: &[f32],
        goal: Goal,
        logit_gradient: &mut [f64],
    ) -> (f64, f64) {
        let class = (self.0)(at, goal);
        let value = probability(row, class, logit_gradient);
        if logit_gradient[class].abs() >= RESOLVED {
            return (value, rescale(logit_gradient));
        }
        logit_gradient.fill(0.0);
        let (loss, exponent) = CrossEntropy.evaluate_scaled(
            at,
            row,
            Goal::Untargeted { truth: class },
            logit_gradient,
        );
        let size = -loss / LN_2;
        let whole = size.floor();
        logit_gradient
            .iter_mut()
            .for_each(|logit_gradient| *logit_gradient *= -(size - whole).exp2());
        (value, exponent - whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::logits::margin;
    use crate::attack::objective::loss_or_margin;
    use proptest::prelude::*;

    /// The objectives whose slope fades with confidence.
    fn fading() -> [(&'static str, Box<dyn Objective>); 2] {
        let falls = |_: usize, goal: Goal| goal.class();
        [
            ("cross-entropy", Box::new(CrossEntropy)),
            ("probability", Box::new(ClassProbability(falls))),
        ]
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
        for (name, objective) in fading() {
            for goal in [Goal::Untargeted { truth: class }, Goal::Targeted { target: class }] {
                let mut logit_gradient = vec![0.0; row.len()];
                let (_, exponent) = objective.evaluate_scaled(0, row, goal, &mut logit_gradient);
                let wanted = reference(name, row, goal);
                let top = wanted.iter().fold(f64::NEG_INFINITY, |a, (size, _)| a.max(*size));
                for (k, (size, sign)) in wanted.into_iter().enumerate() {
                    prop_assert!(
                        logit_gradient[k].is_finite() && (logit_gradient[k] as f32).is_finite()
                    );
                    // What is 2⁻²⁰⁰ of the largest is nothing in `f32`.
                    if size > top - 200.0 {
                        prop_assert_eq!(
                            logit_gradient[k].signum(),
                            sign,
                            "{} {:?} {}",
                            name,
                            row,
                            k
                        );
                        let found = logit_gradient[k].abs().log2() - exponent;
                        let near = (found - size).abs() < 1e-6 * (1.0 + size.abs() / 1e4);
                        prop_assert!(near, "{} {:?} {}: 2^{} for 2^{}", name, row, k, found, size);
                    }
                }
                let largest = logit_gradient.iter().fold(0.0_f64, |a, s| a.max(s.abs()));
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
            loss_or_margin(loss, margin(&row, goal))
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
                let mut logit_gradient = vec![0.0; row.len()];
                CrossEntropy.evaluate(0, &row, goal, &mut logit_gradient);
                prop_assert!(logit_gradient.iter().sum::<f64>().abs() < 1e-12);
                for k in 0..row.len() {
                    let at = |by: f32| {
                        let mut moved = row.clone();
                        moved[k] += by;
                        let step = f64::from(moved[k]) - f64::from(row[k]);
                        (CrossEntropy.evaluate(0, &moved, goal, &mut vec![0.0; row.len()]), step)
                    };
                    let ((up, a), (down, b)) = (at(1e-2), at(-1e-2));
                    prop_assert!(((up - down) / (a - b) - logit_gradient[k]).abs() < 1e-3);
                }
            }
        }
    }

    #[test]
    fn a_confident_answer_still_has_a_gradient_and_a_loss() {
        let row = [60.0, 0.0, 1.0];
        let mut logit_gradient = vec![0.0; 3];
        let loss =
            CrossEntropy.evaluate(0, &row, Goal::Untargeted { truth: 0 }, &mut logit_gradient);
        let expected = (-60.0_f64).exp() + (-59.0_f64).exp();
        assert!((loss / expected - 1.0).abs() < 1e-9, "{loss}");
        assert!((logit_gradient[0] / -expected - 1.0).abs() < 1e-9, "{}", logit_gradient[0]);
    }

    #[test]
    fn in_single_precision_a_confident_answer_has_no_gradient() {
        let goal = Goal::Untargeted { truth: 0 };
        let at = |row: &[f32]| {
            let mut logit_gradient = vec![0.0; row.len()];
            CrossEntropy.evaluate_f32(0, row, goal, &mut logit_gradient);
            logit_gradient
        };
        assert_eq!(at(&[200.0, 0.0, 1.0]), [0.0; 3]);
        let (mut exact, row) = (vec![0.0; 3], [2.0, 0.0, 1.0]);
        CrossEntropy.evaluate(0, &row, goal, &mut exact);
        assert!(at(&row).iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_probability_s_slope_is_that_of_differences_even_where_it_is_flat() {
        let at = |row: &[f32]| {
            let mut logit_gradient = vec![0.0; row.len()];
            (probability(row, 1, &mut logit_gradient), logit_gradient)
        };
        let row = [0.3_f32, 1.25, -0.5];
        let (p, logit_gradient) = at(&row);
        for k in 0..3 {
            let mut up = row;
            up[k] += 1.0 / 1024.0;
            assert!(((at(&up).0 - p) * 1024.0 - logit_gradient[k]).abs() < 1e-3);
        }
        let (p, logit_gradient) = at(&[0.0, 60.0, 1.0]);
        let rest = (-60.0_f64).exp() + (-59.0_f64).exp();
        assert!(p == 1.0 && (logit_gradient[1] / rest - 1.0).abs() < 1e-9, "{logit_gradient:?}");
    }
}
