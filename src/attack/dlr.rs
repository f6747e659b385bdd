//! The difference-of-logits ratio (Croce & Hein 2020): the margin divided by a difference of the
//! largest logits, so that neither the scale nor the shift of the logits matters. Cross-entropy's
//! gradient fades on a confident network; this one's does not.

use crate::attack::goal::Goal;
use crate::attack::logits::best_other;
use crate::attack::objective::Objective;

/// Keeps equal logits from dividing by zero.
const TINY: f64 = 1e-12;

/// DLR. Untargeted: −(z_y − max_{i≠y} z_i) / (z₍₁₎ − z₍₃₎). Towards a target t:
/// −(max_{i≠t} z_i − z_t) / (z₍₁₎ − (z₍₃₎ + z₍₄₎)/2). Networks with too few classes for the
/// denominator (3 and 4 are needed) get the margin alone.
pub struct Dlr;

impl Objective for Dlr {
    fn evaluate(&self, _: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        let class = goal.class();
        let other = best_other(row, class);
        match goal {
            Goal::Untargeted { .. } => ratio(row, (other, class), &[(2, 1.0)], logit_gradient),
            Goal::Targeted { .. } => ratio(row, (class, other), FOURTH, logit_gradient),
        }
    }
}

/// Targeted DLR, −(z_y − z_t) / (z₍₁₎ − (z₍₃₎ + z₍₄₎)/2): leaves the true class y by way of a class
/// t of each image's own. Where the goal is a class already, it is [`Dlr`] towards that one.
pub struct DlrTowards(
    /// The class t of each image.
    pub Vec<usize>,
);

impl Objective for DlrTowards {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        match goal {
            Goal::Untargeted { truth } => ratio(row, (self.0[at], truth), FOURTH, logit_gradient),
            Goal::Targeted { .. } => Dlr.evaluate(at, row, goal, logit_gradient),
        }
    }
}

/// What is subtracted in the targeted denominator: half of the third and half of the fourth logit.
const FOURTH: &[(usize, f64)] = &[(2, 0.5), (3, 0.5)];

/// (z_up − z_down) / (z₍₁₎ − Σ weight·z₍rank₎), ranks counted from 0.
fn ratio(
    row: &[f32],
    (up, down): (usize, usize),
    less: &[(usize, f64)],
    logit_gradient: &mut [f64],
) -> f64 {
    let z = |k: usize| f64::from(row[k]);
    let above = z(up) - z(down);
    let needed = less.iter().map(|(rank, _)| rank + 1).max().unwrap_or(1);
    if row.len() < needed {
        logit_gradient[up] += 1.0;
        logit_gradient[down] -= 1.0;
        return above;
    }
    let top = largest(row, needed);
    let below = z(top[0]) - less.iter().map(|(rank, share)| share * z(top[*rank])).sum::<f64>();
    let below = below.max(TINY);
    logit_gradient[up] += 1.0 / below;
    logit_gradient[down] -= 1.0 / below;
    // The quotient rule's other half, so that the two cancel to the last bit where the ratio is 1
    // whatever the logits are: a sign step makes a full step of any rest.
    let pull = (above / below) / below;
    logit_gradient[top[0]] -= pull;
    less.iter().for_each(|(rank, share)| logit_gradient[top[*rank]] += share * pull);
    above / below
}

/// The classes of the `n` largest logits, largest first, the first of equals first.
pub(super) fn largest(row: &[f32], n: usize) -> Vec<usize> {
    let mut top: Vec<usize> = Vec::with_capacity(n + 1);
    for class in 0..row.len() {
        let place = top.iter().position(|t| row[class] > row[*t]).unwrap_or(top.len());
        if place < n {
            top.insert(place, class);
            top.truncate(n);
        }
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(objective: &dyn Objective, row: &[f32], goal: Goal) -> (f64, Vec<f64>) {
        let mut logit_gradient = vec![0.0; row.len()];
        (objective.evaluate(0, row, goal, &mut logit_gradient), logit_gradient)
    }

    /// Logits that are far enough apart that a small change does not reorder them.
    fn apart(row: &[f32]) -> bool {
        let mut sorted = row.to_vec();
        sorted.sort_by(f32::total_cmp);
        sorted.windows(2).all(|pair| pair[1] - pair[0] > 0.05)
    }

    proptest! {
        #[test]
        fn slopes_match_differences_and_scale_and_shift_change_nothing(
            row in proptest::collection::vec(-8.0_f32..8.0, 2..9).prop_filter("ties", |r| apart(r)),
            class in 0_usize..2,
            scale in 0.1_f32..20.0,
            shift in -50.0_f32..50.0,
        ) {
            let by = DlrTowards(vec![1 - class]);
            let losses: [(&dyn Objective, Goal); 3] = [
                (&Dlr, Goal::Untargeted { truth: class }),
                (&Dlr, Goal::Targeted { target: class }),
                (&by, Goal::Untargeted { truth: class }),
            ];
            for (objective, goal) in losses {
                let (loss, logit_gradient) = value(objective, &row, goal);
                for k in 0..row.len() {
                    let at = |by: f32| {
                        let mut moved = row.clone();
                        moved[k] += by;
                        (value(objective, &moved, goal).0, f64::from(moved[k]))
                    };
                    let ((up, a), (down, b)) = (at(1e-3), at(-1e-3));
                    let difference = (up - down) / (a - b);
                    let size = logit_gradient.iter().fold(1.0_f64, |top, s| top.max(s.abs()));
                    prop_assert!((difference - logit_gradient[k]).abs() < 1e-2 * size);
                }
                if row.len() >= 4 {
                    let other: Vec<f32> = row.iter().map(|z| z * scale + shift).collect();
                    prop_assert!((value(objective, &other, goal).0 - loss).abs() < 1e-2 * (1.0 + loss.abs()));
                }
            }
        }
    }

    #[test]
    fn values_are_the_papers() {
        let row = [1.0, 5.0, 4.0, 2.0, 0.0];
        let loss = |objective: &dyn Objective, goal| value(objective, &row, goal).0;
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        near(loss(&Dlr, Goal::Untargeted { truth: 1 }), -1.0 / 3.0);
        near(loss(&Dlr, Goal::Untargeted { truth: 3 }), 3.0 / 3.0);
        near(loss(&Dlr, Goal::Targeted { target: 0 }), -4.0 / 3.5);
        near(loss(&DlrTowards(vec![2]), Goal::Untargeted { truth: 1 }), -1.0 / 3.5);
        near(loss(&DlrTowards(vec![0]), Goal::Untargeted { truth: 3 }), -1.0 / 3.5);
    }

    #[test]
    fn few_classes_fall_back_to_the_margin_and_equal_logits_to_zero() {
        let two = value(&Dlr, &[3.0, 1.0], Goal::Untargeted { truth: 0 });
        assert_eq!(two, (-2.0, vec![-1.0, 1.0]));
        let three = value(&DlrTowards(vec![2]), &[3.0, 1.0, 2.5], Goal::Untargeted { truth: 0 });
        assert_eq!(three, (-0.5, vec![-1.0, 0.0, 1.0]));
        let (loss, logit_gradient) = value(&Dlr, &[1.0; 4], Goal::Untargeted { truth: 0 });
        assert!(loss == 0.0 && logit_gradient.iter().all(|s| s.is_finite()));
    }

    #[test]
    fn the_largest_come_in_order() {
        assert_eq!(largest(&[1.0, 5.0, 5.0, 2.0], 3), [1, 2, 3]);
        assert_eq!(largest(&[1.0, 5.0], 4), [1, 0]);
    }
}
