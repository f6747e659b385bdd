//! [`UniversalTask`]: what attacks have in common that train one perturbation on many images. The
//! attacked images and the training images are put into one joint problem, the attacked ones first.

use crate::attack::context::AttackContext;
use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::note::Note;
use crate::attack::objective::Objective;
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::error::{Error, Result};
use crate::rng::KeyedRng;

/// Attacked images and training images.
pub(super) struct UniversalTask {
    /// The problem of all of them, the attacked images first.
    pub joint: Problem,
    /// The indices of the images to train on.
    pub learn: Vec<usize>,
    /// The random numbers of the learning, of the seed alone: with training images, what is learned does
    /// not depend on which images are attacked.
    pub draws: KeyedRng,
    attacked: usize,
    asked: u64,
}

impl UniversalTask {
    /// Learns from `problem.training_images` against the model's own predictions for them (for Moosavi-Dezfooli et al.
    /// an image is fooled where the *prediction* changes), or from the attacked images where there are no
    /// training images. Where a class is aimed at, images that are taken for it already teach nothing.
    ///
    /// # Errors
    /// Usage, when training images is to reach different targets; cancelled; device failures.
    pub fn new(
        oracle: &mut dyn ScoreOracle,
        problem: &Problem,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let attacked = problem.len();
        let draws = KeyedRng::new(problem.seed, u64::MAX, 0);
        let mut task = Self {
            joint: problem.clone(),
            learn: (0..attacked).collect(),
            draws,
            attacked,
            asked: 0,
        };
        let Some(training_images) = &problem.training_images else { return Ok(task) };
        let n = training_images.labels.len();
        let truths = training_images.labels.iter().map(|truth| Goal::Untargeted { truth: *truth });
        let others = Problem {
            images: training_images.images.clone(),
            goals: truths.collect(),
            samples: (0..n as u64).collect(),
            training_images: None,
            ..problem.clone()
        };
        let mut context = AttackContext::new(&others, observer);
        let images = context.x.clone();
        let predictions = context.labels(oracle, &context.all(), &images)?;
        task.asked = n as u64;
        let targets: Vec<Goal> = match problem.goals[0] {
            Goal::Targeted { .. } if problem.goals.iter().any(|g| *g != problem.goals[0]) => {
                return Err(Error::usage(
                    "one perturbation for all pictures needs one target for all",
                    "--target",
                    "give a class",
                ));
            }
            goal @ Goal::Targeted { .. } => vec![goal; n],
            Goal::Untargeted { .. } => {
                predictions.iter().map(|truth| Goal::Untargeted { truth: *truth }).collect()
            }
        };
        let useful: Vec<usize> = (0..n).filter(|i| !targets[*i].reached(predictions[*i])).collect();
        if !useful.is_empty() {
            task.learn = useful.iter().map(|i| attacked + i).collect();
        }
        task.joint.images.append(training_images.images.clone());
        task.joint.goals.extend(targets);
        task.joint.samples.extend(others.samples);
        Ok(task)
    }

    /// The attacked images.
    pub fn attacked(&self) -> Vec<usize> {
        (0..self.attacked).collect()
    }

    /// Whether it learns from the attacked images themselves.
    pub fn learns_from_attacked(&self) -> bool {
        self.learn[0] < self.attacked
    }

    /// The images to learn from in a random order.
    pub fn shuffled(&mut self) -> Vec<usize> {
        let mut order = self.learn.clone();
        shuffle(&mut order, &mut self.draws);
        order
    }

    /// Ends with these attacked images. What was queried the training images is shared out among them,
    /// so that their queries add up to all that were made.
    pub fn finish(
        &self,
        context: AttackContext<'_>,
        images: ImageBatch,
        notes: Vec<Note>,
    ) -> AttackOutput {
        let mut output = context.finish(images);
        let training_images = output.queries.split_off(self.attacked);
        output.gradient_stats.truncate(self.attacked);
        let extra = self.asked + training_images.iter().sum::<u64>();
        let n = self.attacked as u64;
        for (i, queries) in output.queries.iter_mut().enumerate() {
            *queries += extra / n + u64::from((i as u64) < extra % n);
        }
        output.notes = notes;
        output
    }
}

/// Fisher and Yates.
fn shuffle(order: &mut [usize], draws: &mut KeyedRng) {
    for i in (1..order.len()).rev() {
        order.swap(i, draws.below(i + 1));
    }
}

/// How well a universal perturbation works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UniversalScore {
    /// Number of images whose goal is reached.
    pub reached: usize,
    /// The mean margin, in logits.
    pub margin: f64,
}

impl UniversalScore {
    /// The score of these logits.
    pub fn new(logits: &Logits, goals: &[Goal]) -> Self {
        let predictions = goals.iter().zip(logits.labels());
        let margin: f64 = logits.margins(goals).iter().map(|m| f64::from(*m)).sum();
        Self {
            reached: predictions.filter(|(goal, label)| goal.reached(*label)).count(),
            margin: margin / goals.len().max(1) as f64,
        }
    }

    /// Whether it reaches more goals, or as many with a smaller mean margin.
    pub fn beats(self, other: Self) -> bool {
        (self.reached, -self.margin) > (other.reached, -other.margin)
    }
}

/// The log-probability that the goal is reached: log p(target), or log(1 − p(truth)). Images that
/// reach it already have a gradient of nearly zero, so that a step helps the others.
pub(super) struct GoalLogLikelihood;

impl Objective for GoalLogLikelihood {
    fn evaluate(&self, _: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        let inside = part(row, |k| goal.reached(k));
        let outside = part(row, |k| !goal.reached(k));
        let lead = inside - outside;
        // p(not reached) = 1 / (1 + eˡ), without cancellation for either sign of l.
        let missing = if lead > 0.0 {
            (-lead).exp() / (1.0 + (-lead).exp())
        } else {
            1.0 / (1.0 + lead.exp())
        };
        for (k, logit_gradient) in logit_gradient.iter_mut().enumerate() {
            let z = f64::from(row[k]);
            *logit_gradient += match goal.reached(k) {
                true => (z - inside).exp() * missing,
                false => -(z - outside).exp() * missing,
            };
        }
        if lead > 0.0 { -(-lead).exp().ln_1p() } else { lead - lead.exp().ln_1p() }
    }
}

/// log Σ exp over some of the classes.
fn part(row: &[f32], of: impl Fn(usize) -> bool) -> f64 {
    let some = || row.iter().enumerate().filter(|(k, _)| of(*k)).map(|(_, z)| f64::from(*z));
    let top = some().fold(f64::NEG_INFINITY, f64::max);
    top + some().map(|z| (z - top).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::cross_entropy::softmax;

    #[test]
    fn the_likelihood_is_that_of_the_goal_and_its_slope_too() {
        for row in [vec![2.0, -1.0, 0.5, 0.25], vec![-3.0, 4.0], vec![5.0, 5.0, -2.0]] {
            for goal in [Goal::Untargeted { truth: 0 }, Goal::Targeted { target: 1 }] {
                let mut logit_gradient = vec![0.0; row.len()];
                let value = GoalLogLikelihood.evaluate(0, &row, goal, &mut logit_gradient);
                let p = softmax(&row);
                let sum: f64 = (0..row.len()).filter(|k| goal.reached(*k)).map(|k| p[k]).sum();
                assert!((value - sum.ln()).abs() < 1e-9, "{value} {sum}");
                for k in 0..row.len() {
                    let at = |by: f32| {
                        let mut moved = row.clone();
                        moved[k] += by;
                        GoalLogLikelihood.evaluate(0, &moved, goal, &mut vec![0.0; row.len()])
                    };
                    let difference = (at(1.0 / 256.0) - at(-1.0 / 256.0)) * 128.0;
                    assert!((difference - logit_gradient[k]).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn won_pictures_push_no_further_and_lost_ones_always_do() {
        let size = |row: &[f32]| {
            let mut logit_gradient = vec![0.0; row.len()];
            let value = GoalLogLikelihood.evaluate(
                0,
                row,
                Goal::Untargeted { truth: 0 },
                &mut logit_gradient,
            );
            assert!(value.is_finite());
            logit_gradient[0].abs()
        };
        assert!(size(&[-400.0, 400.0, 0.0]) == 0.0 && size(&[400.0, -400.0, 0.0]) == 1.0);
    }

    #[test]
    fn every_order_is_drawn() {
        let draws = &mut KeyedRng::new(0, 0, 0);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut order = vec![0, 1, 2];
            shuffle(&mut order, draws);
            seen.insert(order);
        }
        assert_eq!(seen.len(), 6);
    }
}
