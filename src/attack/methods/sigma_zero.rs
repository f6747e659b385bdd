//! σ-zero (Cinà et al. 2025): descends a smooth stand-in for the number of changed values.
//!
//! As in the authors' code the hinge on the margin and the share of changed values are summed, the
//! gradient is divided by its largest value, and Adam steps with a rate that falls along a cosine
//! to a tenth. Aiming at a class, which that code leaves out, only turns the margin around.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::methods::adam::{Adam, cosine};
use crate::attack::methods::cw_penalty::Hinge;
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};

const STEPS: IntParam = IntParam::new("steps", (1, 10_000), 300, "gradients; the paper takes 1000");
const LEARNING_RATE: FloatParam =
    FloatParam::new("learning-rate", (1e-3, 10.0), 1.0, "Adam's first; it falls to a tenth");
const SIGMA: FloatParam = FloatParam::new(
    "sigma",
    (1e-8, 1.0),
    1e-3,
    "σ: a change d counts as d²/(d² + σ) of a pixel; smaller is sharper",
);
const THRESHOLD: FloatParam =
    FloatParam::new("threshold", (0.0, 1.0), 0.3, "changes smaller than this are undone, at first");
const THRESHOLD_STEP: FloatParam = FloatParam::new(
    "threshold-step",
    (0.0, 1.0),
    0.01,
    "how fast the threshold rises where the goal is reached and falls where it is not, \
             times the learning rate",
);

/// σ-zero: gradient steps on a smooth surrogate of L0.
///
/// L0; gradients (white box); minimum norm; targeted or untargeted.
///
/// Cinà et al.: σ-zero: Gradient-based Optimization of ℓ0-norm Adversarial Examples, ICLR 2025.
pub const SIGMA_ZERO: AttackSpec = AttackSpec {
    id: "sigma-zero",
    name: "σ-zero",
    family: "sparse",
    norms: &[Norm::L0],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, LEARNING_RATE.param, SIGMA.param, THRESHOLD.param, THRESHOLD_STEP.param],
    summary: "few pixels: a smooth count of changes, and a threshold that undoes the small ones",
    about: "The number of changed pixels has no gradient. σ-zero counts a change d as d²/(d² + σ), \
            nearly 1 for any visible change and 0 for none, and descends that count together with \
            the margin. After each step every change below a threshold is undone; the threshold rises \
            while the answer is wrong and falls while it is right, so that pixels are tried, dropped, \
            and tried again. Watch the changed pixels dwindle to a handful. It needs neither a set \
            number of pixels nor a search over pairs as JSMA does, and finds fewer.",
    paper: "Cinà et al.: σ-zero: Gradient-based Optimization of ℓ0-norm Adversarial Examples, ICLR 2025",
    run: Algorithm::Gradient(sigma_zero),
};

fn sigma_zero(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let steps = STEPS.count(settings);
    let first_rate = LEARNING_RATE.get(settings);
    let sigma = SIGMA.get(settings);
    let pace = THRESHOLD_STEP.get(settings);
    let (active, size) = (context.all(), context.x.size());
    let mut images = context.x.clone();
    let mut thresholds = vec![THRESHOLD.get(settings); active.len()];
    let mut courses: Vec<(Adam, Vec<f64>)> =
        active.iter().map(|_| (Adam::new(size), vec![0.0; size])).collect();
    let rate_at = |step: usize| first_rate * (0.1 + 0.9 * cosine(step, steps));
    for step in 0..steps {
        let gradients = context.gradients(oracle, &active, &images, &Hinge { confidence: 0.0 })?;
        let reached = context.keep_successes(&mut best, &active, &images, &gradients.logits);
        let mut loss = gradients.loss.clone();
        for i in &active {
            let counts = courses[*i].1.iter().map(|d| d * d / (d * d + sigma));
            loss[*i] -= (counts.sum::<f64>() / size as f64) as f32;
        }
        context.report(&StepReport {
            active: &active,
            iteration: step,
            iterations: steps - 1,
            loss: &loss,
            predictions: Predictions::Logits(&gradients.logits),
            step_size: 0.0,
            images: &images,
            mark: thresholds.first().map(|t| format!("undo below {t:.2}")).as_deref(),
        })?;
        for i in &active {
            let (adam, delta) = &mut courses[*i];
            let uncount = |d: f64| -2.0 * d * sigma / (d * d + sigma).powi(2) / size as f64;
            let climb = gradients.gradient.row(*i).iter().zip(delta.iter());
            let mut gradient: Vec<f64> = climb.map(|(g, d)| f64::from(*g) + uncount(*d)).collect();
            let top = gradient.iter().fold(1e-12, |top: f64, g| top.max(g.abs()));
            gradient.iter_mut().for_each(|g| *g /= top);
            adam.climb(delta, &gradient, rate_at(step));
            let threshold = &mut thresholds[*i];
            let way = if reached[*i] { pace } else { -pace };
            *threshold = (*threshold + way * rate_at(step + 1)).clamp(0.0, 1.0);
            let placed = images.row_mut(*i).iter_mut().zip(context.x.row(*i)).zip(delta);
            for ((p, x), d) in placed {
                let x = f64::from(*x);
                *d = (x + *d).clamp(0.0, 1.0) - x;
                *d = if d.abs() < *threshold { 0.0 } else { *d };
                *p = (x + *d) as f32;
            }
        }
    }
    Ok(context.finish(best.images))
}
