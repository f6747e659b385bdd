//! Steepest ascent of the loss on the pixels: one loop for every attack that takes one or many steps
//! of a given length inside the ball. They differ in where they start, in how they look at the loss
//! (the gradient where they stand, an average, a momentum) and in nothing else.
//!
//! **Which iterate is kept.** The last one, as the reference implementations do, unless it is not
//! adversarial while an earlier one was: then that one of the largest loss (an attack that throws a
//! success away is the "silent success" of Pintor et al. 2022). Over several restarts a picture's
//! first success counts, and pictures that are broken leave the batch; where no restart succeeds
//! the attempt of the largest loss is kept. So the answer is never worse than the last iterate, and
//! a failed attempt still shows what was tried.
//!
//! **Box and ball.** In L2 the step is clipped to the box first and projected onto the ball then, as in
//! ART: torchattacks and foolbox do it the other way round, so that what the box takes away is missing
//! from the ball, and raise the loss less. In L∞ the order does not matter, and in L1 the projection is
//! the exact one onto both.

use crate::attack::context::{AttackContext, BestSoFar, LossGradients, Predictions, StepReport};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::image_batch::ImageBatch;
use crate::attack::l1;
use crate::attack::methods::eot::EotOracle;
use crate::attack::norm::{Budget, Norm, length, sign};
use crate::attack::objective::{Logits, loss_or_margin};
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::error::Result;
use crate::rng::KeyedRng;

/// How the loop is to run.
pub(super) struct StepSchedule {
    pub steps: usize,
    /// α, in pixel units.
    pub step: f32,
    pub start: InitialPoint,
    pub restarts: usize,
    /// Over how many draws of a random network each answer is averaged.
    pub draws: usize,
    /// What a step is in L1.
    pub l1_step: L1Step,
}

impl StepSchedule {
    /// So many steps of this length, once, from the picture itself.
    pub fn new(steps: usize, step: f32) -> Self {
        let l1_step = L1Step::Fill;
        Self { steps, step, start: InitialPoint::Clean, restarts: 1, draws: 1, l1_step }
    }
}

/// Where the steps start.
#[derive(Clone, Copy)]
pub(super) enum InitialPoint {
    /// At the picture.
    Clean,
    /// At a point drawn uniformly from the ball.
    Ball,
    /// This far from the picture along random signs.
    Signs(f32),
}

/// What a step is in L1.
#[derive(Clone, Copy)]
pub(super) enum L1Step {
    /// The largest slopes first, each as far as its pixel can go, until the budget is used up: the
    /// best step there is for a linear loss.
    Fill,
    /// Equal shares for the pixels whose slope is in this quantile, without those that are at the end
    /// of the box already (SLIDE, Tramèr & Boneh 2019).
    Quantile(f64),
}

/// How an attack looks at the loss.
pub(super) trait GradientEstimator {
    /// Forgets everything: a new start of the pictures `active` (numbers of the problem), with random
    /// numbers of their own.
    fn reset(&mut self, _context: &AttackContext<'_>, _active: &[usize], _draws: Vec<KeyedRng>) {}

    /// What the network says about the pictures at `at`, and as the gradient the direction to go (of
    /// any length).
    fn estimate(
        &mut self,
        eot_oracle: &mut EotOracle<'_>,
        context: &mut AttackContext<'_>,
        active: &[usize],
        at: &ImageBatch,
    ) -> Result<LossGradients>;
}

/// The gradient where the pictures are.
pub(super) struct InputGradient;

impl GradientEstimator for InputGradient {
    fn estimate(
        &mut self,
        eot_oracle: &mut EotOracle<'_>,
        context: &mut AttackContext<'_>,
        active: &[usize],
        at: &ImageBatch,
    ) -> Result<LossGradients> {
        eot_oracle.gradients(context, active, at)
    }
}

/// Runs the loop.
pub(super) fn gradient_ascent(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    schedule: &StepSchedule,
    estimator: &mut dyn GradientEstimator,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer)?;
    let mut best = BestSoFar::new(&context.x);
    let mut eot_oracle = EotOracle { oracle, objective: &CrossEntropy, draws: schedule.draws };
    for restart in 0..schedule.restarts {
        let active = best.active(&context.all());
        if active.is_empty() {
            break;
        }
        context.restart = (restart, schedule.restarts);
        let kept = one_restart(&mut context, &mut eot_oracle, &active, schedule, estimator)?;
        for (row, i) in active.iter().enumerate() {
            best.offer(*i, kept.images.row(row), kept.success[row], -kept.loss[row]);
        }
    }
    Ok(context.finish(&best.images))
}

fn one_restart(
    context: &mut AttackContext<'_>,
    eot_oracle: &mut EotOracle<'_>,
    active: &[usize],
    schedule: &StepSchedule,
    estimator: &mut dyn GradientEstimator,
) -> Result<BestIterate> {
    let budget = context.problem.budget;
    let mut draws = context.problem.draws(context.restart.0);
    let mut at = context.x.select(active);
    for (row, i) in active.iter().enumerate() {
        start(at.row_mut(row), schedule.start, &budget, &mut draws[*i]);
    }
    estimator.reset(context, active, active.iter().map(|i| draws[*i].clone()).collect());
    let n = active.len();
    let mut kept = BestIterate {
        images: at.clone(),
        success: vec![false; n],
        loss: vec![f32::NEG_INFINITY; n],
    };
    for iteration in 0..=schedule.steps {
        let last = iteration == schedule.steps;
        // The last iterate is only looked at: no step is taken from it.
        let (logits, loss, gradient) = match last {
            false => {
                let found = estimator.estimate(eot_oracle, context, active, &at)?;
                (found.logits, found.loss, Some(found.gradient))
            }
            true => {
                let (logits, loss) = eot_oracle.logits(context, active, &at)?;
                (logits, loss, None)
            }
        };
        let margins = logits.margins(&context.goals(active));
        let losses_or_margins: Vec<f32> =
            loss.iter().zip(margins).map(|(l, m)| loss_or_margin(*l, m)).collect();
        kept.offer(&at, &context.reached(active, &logits.labels()), &losses_or_margins, last);
        report(context, active, schedule, iteration, (&logits, &loss), &at)?;
        let Some(gradient) = gradient else { break };
        for (row, i) in active.iter().enumerate() {
            ascend(at.row_mut(row), context.x.row(*i), gradient.row(row), &budget, schedule);
        }
    }
    Ok(kept)
}

/// What is kept of one restart, for each of its pictures.
struct BestIterate {
    images: ImageBatch,
    success: Vec<bool>,
    loss: Vec<f32>,
}

impl BestIterate {
    fn offer(&mut self, at: &ImageBatch, reached: &[bool], loss: &[f32], last: bool) {
        for (i, hit) in reached.iter().enumerate() {
            let wins = match (*hit, self.success[i]) {
                (true, true) => last || loss[i] > self.loss[i],
                (true, false) => true,
                (false, true) => false,
                (false, false) => last,
            };
            if wins {
                self.images.row_mut(i).copy_from_slice(at.row(i));
                self.success[i] = *hit;
                self.loss[i] = loss[i];
            }
        }
    }
}

fn report(
    context: &mut AttackContext<'_>,
    active: &[usize],
    schedule: &StepSchedule,
    iteration: usize,
    (logits, loss): (&Logits, &[f32]),
    images: &ImageBatch,
) -> Result<()> {
    context.report(&StepReport {
        active,
        iteration,
        iterations: schedule.steps,
        loss,
        predictions: Predictions::Logits(logits),
        step_size: schedule.step,
        images,
        mark: None,
    })
}

/// Moves a picture to where its steps start.
fn start(image: &mut [f32], start: InitialPoint, budget: &Budget, draws: &mut KeyedRng) {
    let d = image.len();
    let delta: Vec<f32> = match (start, budget.norm) {
        (InitialPoint::Clean, _) => return,
        (InitialPoint::Signs(size), _) => (0..d).map(|_| size.copysign(draws.signed())).collect(),
        (InitialPoint::Ball, Norm::L2) => draws.in_l2_ball(d, budget.epsilon),
        (InitialPoint::Ball, Norm::L1) => draws.in_l1_ball(d, budget.epsilon),
        (InitialPoint::Ball, _) => (0..d).map(|_| draws.signed() * budget.epsilon).collect(),
    };
    image.iter_mut().zip(delta).for_each(|(p, d)| *p = (*p + d).clamp(0.0, 1.0));
}

/// One step of steepest ascent, back into the ball around `x` and into the box.
fn ascend(at: &mut [f32], x: &[f32], gradient: &[f32], budget: &Budget, schedule: &StepSchedule) {
    let step = schedule.step;
    match (budget.norm, schedule.l1_step) {
        (Norm::L1 | Norm::L0, L1Step::Fill) => l1::fill(at, x, gradient, budget.epsilon),
        (Norm::L1 | Norm::L0, L1Step::Quantile(share)) => {
            let blocked = |at: f32, g: f32| (at <= 0.0 && g < 0.0) || (at >= 1.0 && g > 0.0);
            let free = |(at, g): (&f32, &f32)| if blocked(*at, *g) { 0.0 } else { *g };
            let mut way: Vec<f32> = at.iter().zip(gradient).map(free).collect();
            let least = l1::quantile(&way, (share * way.len() as f64) as usize);
            l1::sparse(&mut way, least);
            at.iter_mut().zip(&way).for_each(|(at, way)| *at += step * way);
            let near = l1::nearest(x, at, budget.epsilon);
            at.copy_from_slice(&near);
        }
        (Norm::L2, _) => {
            let scale = f64::from(step) / length(gradient).max(1e-300);
            let moved = at.iter().zip(gradient).map(|(at, g)| at + (f64::from(*g) * scale) as f32);
            // The box first: what it takes away is not missing from the ball then. Shrinking towards x
            // stays in the box.
            let mut delta: Vec<f32> = moved.zip(x).map(|(z, x)| z.clamp(0.0, 1.0) - x).collect();
            budget.project_row(&mut delta);
            at.iter_mut().zip(x).zip(delta).for_each(|((at, x), d)| *at = (x + d).clamp(0.0, 1.0));
        }
        (Norm::Linf, _) => {
            for ((at, x), g) in at.iter_mut().zip(x).zip(gradient) {
                let delta = *at + step * sign(*g) - x;
                *at = (x + delta.clamp(-budget.epsilon, budget.epsilon)).clamp(0.0, 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_success_is_kept_and_the_last_one_preferred() {
        let mut kept = BestIterate {
            images: ImageBatch::new([1, 1, 1], vec![0.0; 3]),
            success: vec![false; 3],
            loss: vec![f32::NEG_INFINITY; 3],
        };
        let at = |v: f32| ImageBatch::new([1, 1, 1], vec![v; 3]);
        kept.offer(&at(0.1), &[true, true, false], &[5.0, 5.0, 9.0], false);
        kept.offer(&at(0.2), &[true, false, false], &[4.0, 8.0, 1.0], false);
        kept.offer(&at(0.3), &[true, false, false], &[1.0, 9.0, 2.0], true);
        assert_eq!(kept.images, ImageBatch::new([1, 1, 1], vec![0.3, 0.1, 0.3]));
        assert_eq!((kept.success, kept.loss), (vec![true, true, false], vec![1.0, 5.0, 2.0]));
    }

    #[test]
    fn steps_have_the_length_asked_for() {
        let (x, g) = ([0.5; 4], [1e-20, -3e-20, 0.0, 2e-20]);
        for (norm, moved) in [
            (Norm::Linf, [0.1, -0.1, 0.0, 0.1]),
            (Norm::L2, [0.0267, -0.0802, 0.0, 0.0535]),
            (Norm::L1, [0.0, -0.1, 0.0, 0.0]),
        ] {
            let mut schedule = StepSchedule::new(1, 0.1);
            schedule.l1_step = L1Step::Quantile(0.9);
            let mut at = x;
            ascend(&mut at, &x, &g, &Budget { norm, epsilon: 0.2 }, &schedule);
            for (at, moved) in at.iter().zip(moved) {
                assert!((at - 0.5 - moved).abs() < 1e-4, "{norm}: {at}");
            }
            ascend(&mut at, &x, &[0.0; 4], &Budget { norm, epsilon: 0.0 }, &schedule);
            assert_eq!(at, x, "{norm}");
        }
    }
}
