//! NewtonFool: Jang, Wu, Jha 2017.
//!
//! The step divides by the norm of the probability's gradient, which on a confident network
//! underflows in `f32` (foolbox then gives NaN, ART stands still). Here the softmax gradient is in
//! closed form and in `f64` up to the logits, and the backward pass starts from it scaled, so the
//! quotient stays exact. As in foolbox an image is done when its label has changed; the paper goes
//! on for all iterations, which raises the probability again once it is below chance.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::cross_entropy::ClassProbability;
use crate::attack::goal::Goal;
use crate::attack::norm::{Norm, length};
use crate::attack::objective::times_power_of_two;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};

const STEPS: IntParam = IntParam::new(
    "steps",
    (1, 10_000),
    1000,
    "Newton steps at most; on a robust net many are short",
);
const ETA: FloatParam =
    FloatParam::new("eta", (0.0, 1.0), 0.01, "a step's largest length, as a share of ‖x‖₂");

/// NewtonFool: Newton steps on the probability of the true class.
///
/// L2; gradients (white box); minimum norm; untargeted only.
///
/// Jang, Wu, Jha: Objective Metrics and Gradient Descent Algorithms for Adversarial Examples in
/// Machine Learning, ACSAC 2017.
pub const NEWTONFOOL: AttackSpec = AttackSpec {
    id: "newtonfool",
    name: "NewtonFool",
    family: "least perturbation",
    norms: &[Norm::L2],
    bound: Bound::MinimumNorm,
    targeted: false,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, ETA.param],
    summary: "Newton steps that bring the true class's probability down to chance",
    about: "NewtonFool solves p(true class) = 1/K by Newton's method: it takes the probability for \
            linear and steps to where it would be down to chance, but never farther than a hundredth \
            of the picture's own length. On a confident network the probability is so flat that every \
            step is of that largest length. It stops when the answer changes. A step costs one \
            gradient, DeepFool's one for every class; the distances are much the same, and the small \
            steps follow a bent boundary better. Where the probability is exactly flat it stands still.",
    paper: "Jang, Wu, Jha: Objective Metrics and Gradient Descent Algorithms for Adversarial Examples \
            in Machine Learning, ACSAC 2017",
    run: Algorithm::Gradient(newtonfool),
};

fn newtonfool(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let steps = STEPS.count(settings);
    let eta = ETA.get(settings);
    let chance = 1.0 / oracle.classes() as f64;
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let mut images = context.x.clone();
    let longest: Vec<f64> = context.x.iter().map(|x| eta * length(x)).collect();
    let mut active = context.all();
    for iteration in 0..=steps {
        let now = images.select(&active);
        let falls = ClassProbability(|_: usize, goal: Goal| goal.class());
        let gradients = context.gradients(oracle, &active, &now, &falls)?;
        let reached = context.keep_successes(&mut best, &active, &now, &gradients.logits);
        let mut moved = Vec::new();
        let mut first = 0.0;
        for (row, i) in active.iter().enumerate().filter(|(row, _)| !reached[*row]) {
            let gradient = gradients.gradient.row(row);
            let size = length(gradient);
            let above = f64::from(gradients.loss[row]) - chance;
            let step = newton_step(above, (size, gradients.log2_scale[row]), longest[*i]);
            if size > 0.0 && step > 0.0 {
                moved.push(*i);
                for (pixel, g) in images.row_mut(*i).iter_mut().zip(gradient) {
                    let to = f64::from(*pixel) - step * f64::from(*g) / size;
                    *pixel = to.clamp(0.0, 1.0) as f32;
                }
            }
            if row == 0 {
                first = step;
            }
        }
        context.report(&StepReport {
            active: &active,
            iteration,
            iterations: steps,
            loss: &gradients.loss.iter().map(|p| -p).collect::<Vec<f32>>(),
            predictions: Predictions::Logits(&gradients.logits),
            step_size: first as f32,
            images: &now,
            mark: reached[0].then_some("crossed"),
        })?;
        // Where the gradient is zero nothing can change any more.
        active = moved;
        if active.is_empty() {
            break;
        }
    }
    Ok(context.finish(best.images))
}

/// The length of the step to where the probability, if linear, would be at chance. The slope is
/// `size`·2⁻ᵉ.
fn newton_step(above_chance: f64, (size, e): (f64, f64), longest: f64) -> f64 {
    match size > 0.0 {
        true => times_power_of_two(above_chance.max(0.0) / size, e).min(longest),
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_end_at_chance_or_at_the_longest() {
        assert_eq!(newton_step(0.5, (2.0, 0.0), 1.0), 0.25);
        assert_eq!(newton_step(0.5, (8.0, 2.0), 1.0), 0.25);
        assert_eq!(newton_step(0.5, (1e-30, 0.0), 1.0), 1.0);
        assert_eq!(newton_step(0.5, (1.0, 1e5), 1.0), 1.0);
        assert_eq!(newton_step(-0.1, (2.0, 1e5), 1.0), 0.0);
        assert_eq!(newton_step(0.5, (0.0, 0.0), 1.0), 0.0);
    }
}
