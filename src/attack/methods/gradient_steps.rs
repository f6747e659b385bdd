//! Steepest ascent of the loss on the pixels: the loop of FGSM, BIM, PGD and the momentum attacks, which
//! take one or many steps of a given length inside the ε-ball. They differ in where they start and in
//! the direction of a step (the gradient, an average, a momentum), and in nothing else.
//!
//! **Which iterate is kept.** The last one, as in the reference implementations, unless it is not
//! adversarial while an earlier one was: then, of the adversarial ones, that of the largest loss. (To
//! lose a success on the way is the "silent success" of Pintor et al. 2022.) Of several restarts an
//! image's first success counts, and it leaves the batch; where no restart succeeds, the attempt of
//! the largest loss is kept. So the result is never worse than the last iterate, and a failed attempt
//! is still shown.
//!
//! **Box and ball.** In L2 a step is clipped to 0..1 first and projected onto the ball then, as in ART.
//! torchattacks and foolbox do it in the other order; what clipping takes away is then missing from
//! the ball, and the loss rises less. In L∞ the order does not matter, and in L1 the projection is the
//! exact one onto the intersection.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::image_batch::ImageBatch;
use crate::attack::l1;
use crate::attack::methods::eot::EotOracle;
use crate::attack::norm::{Budget, Norm, length, sign};
use crate::attack::objective::loss_or_margin;
use crate::attack::observer::Observer;
use crate::attack::oracle::{GradientOracle, LossGradient};
use crate::attack::problem::{AttackOutput, Problem};
use crate::error::Result;
use crate::rng::KeyedRng;

/// How the loop is to run.
pub(super) struct StepSchedule {
    /// Number of steps of one restart.
    pub steps: usize,
    /// α, the length of one step, in pixel units of 0..1.
    pub step: f32,
    /// Where a restart begins.
    pub start: InitialPoint,
    /// Number of restarts.
    pub restarts: usize,
    /// Number of queries that each gradient of a randomised network is averaged over.
    pub draws: usize,
    /// What a step is in L1.
    pub l1_step: L1Step,
}

impl StepSchedule {
    /// So many steps of length α, `step`, once, from the clean image.
    pub fn new(steps: usize, step: f32) -> Self {
        let l1_step = L1Step::Fill;
        Self { steps, step, start: InitialPoint::Clean, restarts: 1, draws: 1, l1_step }
    }
}

/// Where a restart begins.
#[derive(Clone, Copy)]
pub(super) enum InitialPoint {
    /// At the clean image.
    Clean,
    /// At a point drawn uniformly from the ball.
    Ball,
    /// At this distance (L∞) from the clean image, along random signs.
    Signs(f32),
}

/// What a step is in L1.
#[derive(Clone, Copy)]
pub(super) enum L1Step {
    /// The pixels of the largest gradient, each as far as 0..1 allows, until ε is used up: the best
    /// step there is for a linear loss.
    Fill,
    /// Equal shares for the pixels whose gradient is in this quantile, without those that are at the
    /// end of 0..1 already (SLIDE, Tramèr & Boneh 2019).
    Quantile(f64),
}

/// Where the direction of a step comes from.
pub(super) trait GradientEstimator {
    /// Begins a restart of the images in `active`, with a stream of random numbers for each.
    fn reset(&mut self, _context: &AttackContext<'_>, _active: &[usize], _draws: Vec<KeyedRng>) {}

    /// The logits and the loss at `at`, versions of the images in `active`, and as the gradient the
    /// direction of the step, of any length.
    fn estimate(
        &mut self,
        oracle: &mut EotOracle<'_>,
        context: &mut AttackContext<'_>,
        active: &[usize],
        at: &ImageBatch,
    ) -> Result<LossGradient>;
}

/// The gradient itself.
pub(super) struct InputGradient;

impl GradientEstimator for InputGradient {
    fn estimate(
        &mut self,
        oracle: &mut EotOracle<'_>,
        context: &mut AttackContext<'_>,
        active: &[usize],
        at: &ImageBatch,
    ) -> Result<LossGradient> {
        oracle.gradients(context, active, at)
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
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let mut oracle = EotOracle { oracle, objective: &CrossEntropy, draws: schedule.draws };
    for restart in 0..schedule.restarts {
        let active = best.active(&context.all());
        if active.is_empty() {
            break;
        }
        context.restart = (restart, schedule.restarts);
        let kept = one_restart(&mut context, &mut oracle, &active, schedule, estimator)?;
        for (row, i) in active.iter().enumerate() {
            best.offer(*i, kept.images.row(row), kept.reached[row], -kept.loss[row]);
        }
    }
    Ok(context.finish(best.images))
}

fn one_restart(
    context: &mut AttackContext<'_>,
    oracle: &mut EotOracle<'_>,
    active: &[usize],
    schedule: &StepSchedule,
    estimator: &mut dyn GradientEstimator,
) -> Result<BestIterate> {
    let budget = context.problem.budget;
    let mut draws = context.problem.draws(context.restart.0);
    let mut at = context.x.select(active);
    for (i, image) in active.iter().zip(at.iter_mut()) {
        start(image, schedule.start, &budget, &mut draws[*i]);
    }
    estimator.reset(context, active, active.iter().map(|i| draws[*i].clone()).collect());
    let goals = context.goals(active);
    let mut best = BestIterate::new(&at);
    for iteration in 0..=schedule.steps {
        let last = iteration == schedule.steps;
        // No step is taken from the last iterate: its gradient is not needed.
        let (logits, loss, gradient) = match last {
            false => {
                let found = estimator.estimate(oracle, context, active, &at)?;
                (found.logits, found.loss, Some(found.gradient))
            }
            true => {
                let (logits, loss) = oracle.logits(context, active, &at)?;
                (logits, loss, None)
            }
        };
        let (labels, margins) = (logits.labels(), logits.margins(&goals));
        let reached = context.reached(active, &labels);
        let compared = loss.iter().zip(&margins).map(|(l, m)| loss_or_margin(*l, *m));
        best.offer(&at, &reached, &compared.collect::<Vec<f32>>(), last);
        context.report(&StepReport {
            active,
            iteration,
            iterations: schedule.steps,
            loss: &loss,
            predictions: Predictions::Judged(&logits, &labels, &margins),
            step_size: schedule.step,
            images: &at,
            mark: None,
        })?;
        let Some(gradient) = gradient else { break };
        let rows = at.iter_mut().zip(gradient.iter());
        for (i, (image, gradient)) in active.iter().zip(rows) {
            ascend(image, context.x.row(*i), gradient, &budget, schedule);
        }
    }
    Ok(best)
}

/// The iterate of one restart that is kept of each image.
struct BestIterate {
    images: ImageBatch,
    reached: Vec<bool>,
    loss: Vec<f32>,
}

impl BestIterate {
    fn new(at: &ImageBatch) -> Self {
        let n = at.len();
        Self { images: at.clone(), reached: vec![false; n], loss: vec![f32::NEG_INFINITY; n] }
    }

    /// Takes those of the iterates `at` that are better than the ones so far.
    fn offer(&mut self, at: &ImageBatch, reached: &[bool], loss: &[f32], last: bool) {
        for (i, hit) in reached.iter().enumerate() {
            let wins = match (*hit, self.reached[i]) {
                (true, true) => last || loss[i] > self.loss[i],
                (true, false) => true,
                (false, true) => false,
                (false, false) => last,
            };
            if wins {
                self.images.row_mut(i).copy_from_slice(at.row(i));
                self.reached[i] = *hit;
                self.loss[i] = loss[i];
            }
        }
    }
}

/// Moves a clean image to where a restart begins.
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

/// One step of steepest ascent from `at`, back into the ball around `x` and into 0..1.
fn ascend(at: &mut [f32], x: &[f32], gradient: &[f32], budget: &Budget, schedule: &StepSchedule) {
    let step = schedule.step;
    match (budget.norm, schedule.l1_step) {
        (Norm::L1 | Norm::L0, L1Step::Fill) => l1::fill(at, x, gradient, budget.epsilon),
        (Norm::L1 | Norm::L0, L1Step::Quantile(share)) => {
            let blocked = |at: f32, g: f32| (at <= 0.0 && g < 0.0) || (at >= 1.0 && g > 0.0);
            let free = |(at, g): (&f32, &f32)| if blocked(*at, *g) { 0.0 } else { *g };
            let mut direction: Vec<f32> = at.iter().zip(gradient).map(free).collect();
            let least = l1::quantile(&direction, (share * direction.len() as f64) as usize);
            l1::sparse(&mut direction, least);
            at.iter_mut().zip(&direction).for_each(|(at, d)| *at += step * d);
            let near = l1::nearest(x, at, budget.epsilon);
            at.copy_from_slice(&near);
        }
        (Norm::L2, _) => {
            let scale = f64::from(step) / length(gradient).max(1e-300);
            let moved = at.iter().zip(gradient).map(|(at, g)| at + (f64::from(*g) * scale) as f32);
            // Clipped first, so that what clipping takes away is not missing from the ball.
            // Shrinking towards x stays in 0..1.
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
        let mut kept = BestIterate::new(&ImageBatch::zeros([1, 1, 1], 3));
        let at = |v: f32| ImageBatch::new([1, 1, 1], vec![v; 3]);
        kept.offer(&at(0.1), &[true, true, false], &[5.0, 5.0, 9.0], false);
        kept.offer(&at(0.2), &[true, false, false], &[4.0, 8.0, 1.0], false);
        kept.offer(&at(0.3), &[true, false, false], &[1.0, 9.0, 2.0], true);
        assert_eq!(kept.images, ImageBatch::new([1, 1, 1], vec![0.3, 0.1, 0.3]));
        assert_eq!((kept.reached, kept.loss), (vec![true, true, false], vec![1.0, 5.0, 2.0]));
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
