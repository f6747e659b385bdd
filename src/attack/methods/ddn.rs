//! Decoupled direction and norm (Rony et al. 2019): a walk on a sphere whose radius follows the
//! boundary.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::adam::cosine;
use crate::attack::norm::{Norm, length};
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FlagParam, FloatParam, IntParam, Settings};

const STEPS: IntParam =
    IntParam::new("steps", (1, 10_000), 100, "gradients; the paper takes 100, 300 and 1000");
const INITIAL_EPSILON: FloatParam =
    FloatParam::new("initial-epsilon", (1e-3, 100.0), 1.0, "radius of the first sphere");
const GAMMA: FloatParam = FloatParam::new(
    "gamma",
    (1e-4, 0.9),
    0.05,
    "share by which the radius shrinks where the goal is reached, and grows where it is not",
);
const QUANTISE: FlagParam = FlagParam::new(
    "quantise",
    false,
    "round every step to 256 levels, as the paper does, so that saving as 8 bits changes nothing",
);

/// DDN: gradient steps on a sphere around the image, whose radius follows the boundary.
///
/// L2; gradients (white box); minimum norm; targeted or untargeted.
///
/// Rony et al.: Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks
/// and Defenses, CVPR 2019.
pub const DDN: AttackSpec = AttackSpec {
    id: "ddn",
    name: "DDN",
    family: "least perturbation",
    norms: &[Norm::L2],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, INITIAL_EPSILON.param, GAMMA.param, QUANTISE.param],
    summary: "steps on a sphere that shrinks when the answer is wrong and grows when it is right",
    about: "Instead of weighing distance against loss, DDN separates them: the direction follows the \
            gradient of cross-entropy, and the length is set by one rule. Where the goal is reached \
            the sphere's radius shrinks by γ, where it is not it grows by γ, so the picture zigzags \
            across the decision boundary while it slides along it to the nearest point. A hundred \
            gradients give what C&W needs thousands for. Watch the distance saw up and down; the \
            smallest one that fooled counts. It can settle in a valley that is not the nearest.",
    paper: "Rony et al.: Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial \
            Attacks and Defenses, CVPR 2019",
    run: Algorithm::Gradient(ddn),
};

fn ddn(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let steps = STEPS.count(settings);
    let gamma = GAMMA.get(settings);
    let quantise = QUANTISE.get(settings);
    let active = context.all();
    let mut images = context.x.clone();
    let mut radius = vec![INITIAL_EPSILON.get(settings); active.len()];
    for step in 0..steps {
        let rate = 0.01 + 0.99 * cosine(step, steps);
        let gradients = context.gradients(oracle, &active, &images, &CrossEntropy)?;
        let reached = context.keep_successes(&mut best, &active, &images, &gradients.logits);
        for i in &active {
            let x = context.x.row(*i);
            radius[*i] *= if reached[*i] { 1.0 - gamma } else { 1.0 + gamma };
            // No image in the box is farther away.
            let farthest: Vec<f32> = x.iter().map(|x| x.max(1.0 - x)).collect();
            radius[*i] = radius[*i].min(length(&farthest));
        }
        context.report(&StepReport {
            active: &active,
            iteration: step,
            iterations: steps - 1,
            loss: &gradients.loss,
            predictions: Predictions::Logits(&gradients.logits),
            step_size: rate as f32,
            images: &images,
            mark: reached.first().map(|in_| if *in_ { "inwards" } else { "outwards" }),
        })?;
        for i in &active {
            walk(images.row_mut(*i), context.x, *i, gradients.gradient.row(*i), rate, radius[*i]);
            if quantise {
                images.row_mut(*i).iter_mut().for_each(|p| *p = (*p * 255.0).round() / 255.0);
            }
        }
    }
    Ok(context.finish(best.images))
}

/// One step of this length along the gradient, and from there onto the sphere around the original.
fn walk(image: &mut [f32], x: &ImageBatch, i: usize, gradient: &[f32], rate: f64, radius: f64) {
    let x = x.row(i);
    let slope = length(gradient);
    let rate = if slope > 0.0 { rate / slope } else { 0.0 };
    let moved = image.iter().zip(x).zip(gradient);
    let delta: Vec<f64> =
        moved.map(|((p, x), g)| f64::from(p - x) + rate * f64::from(*g)).collect();
    let size = length(&delta);
    let factor = if size > 0.0 { radius / size } else { 0.0 };
    for ((p, x), d) in image.iter_mut().zip(x).zip(delta) {
        *p = ((f64::from(*x) + factor * d) as f32).clamp(0.0, 1.0);
    }
}
