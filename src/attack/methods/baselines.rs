//! Random noise: the baseline that every attack must beat.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::methods::boundary_search::{BoundaryPoint, BoundarySearch};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::{DecisionOracle, ScoreOracle};
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{IntParam, Settings};
use crate::rng::KeyedRng;

const REPEATS: IntParam = IntParam::new(
    "repeats",
    (1, 10_000),
    20,
    "number of draws; the first that reaches the goal counts, else the one nearest to it",
);

/// Random noise: ±ε in every pixel (L∞) or a random direction of length ε (L2).
///
/// L∞, L2; logits (black box); within ε; targeted or untargeted.
///
/// the random-search check of Carlini et al.: On Evaluating Adversarial Robustness, 2019.
pub const NOISE: AttackSpec = AttackSpec {
    id: "noise",
    name: "random noise",
    family: "baseline",
    norms: &[Norm::Linf, Norm::L2],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[REPEATS.param],
    summary: "random noise of size ε: what an attack must be better than",
    about: "Every pixel is moved by +ε or −ε at random (L∞), or the picture is moved by ε in a random \
            direction (L2), so that the noise is as large as an attack's perturbation, up to what \
            the pixel range cuts off. Networks hardly notice: it is not the size of a perturbation \
            that fools them but its direction. If noise ever beats a gradient attack, the gradients \
            are misleading.",
    paper: "the random-search check of Carlini et al.: On Evaluating Adversarial Robustness, 2019",
    run: Algorithm::Score(signs),
};

/// Uniform noise of size ε.
///
/// L∞, L2; logits (black box); within ε; targeted or untargeted.
///
/// Rauber, Brendel, Bethge: Foolbox, 2017 (additive uniform noise, repeated and clip-aware).
pub const UNIFORM_NOISE: AttackSpec = AttackSpec {
    id: "uniform-noise",
    name: "uniform noise",
    summary: "noise drawn uniformly from −ε..ε in every pixel",
    about: "Every pixel moves by a number drawn uniformly from −ε..ε (L∞); for L2 such noise is scaled \
            so that its length is ε after clipping to the pixel range. About half as strong as ±ε \
            noise in L∞: most of it stays far from the bound. Useful as a check that a defence does \
            not already break under harmless noise.",
    paper: "Rauber, Brendel, Bethge: Foolbox, 2017 (additive uniform noise, repeated and clip-aware)",
    run: Algorithm::Score(uniform),
    ..NOISE
};

/// Gaussian noise of size ε.
///
/// L2, L∞; logits (black box); within ε; targeted or untargeted.
///
/// Rauber, Brendel, Bethge: Foolbox, 2017 (additive Gaussian noise, repeated and clip-aware).
pub const GAUSSIAN_NOISE: AttackSpec = AttackSpec {
    id: "gaussian-noise",
    name: "Gaussian noise",
    norms: &[Norm::L2, Norm::Linf],
    summary: "normally distributed noise whose size after clipping is exactly ε",
    about: "Noise as a camera makes it. For L2 it is scaled until its length is ε *after* clipping to \
            the pixel range, so that dark and bright pictures get as much of it as grey ones; for L∞ \
            its standard deviation is ε and it is cut off at ±ε. How much of it a network bears tells \
            how far its decision boundary is in a typical direction; an attack finds one that is \
            many times nearer.",
    paper: "Rauber, Brendel, Bethge: Foolbox, 2017 (additive Gaussian noise, repeated and clip-aware)",
    run: Algorithm::Score(gaussian),
    ..NOISE
};

const SALT_PEPPER_REPEATS: IntParam = IntParam::new(
    "repeats",
    (1, 10_000),
    100,
    "number of random orders of the pixels; foolbox takes 1000 draws",
);

/// Salt and pepper: random pixels turned black or white, as few as possible.
///
/// L0; labels only (black box); minimum norm; targeted or untargeted.
///
/// Rauber, Brendel, Bethge: Foolbox, 2017 (salt-and-pepper noise of shrinking density).
pub const SALT_PEPPER: AttackSpec = AttackSpec {
    id: "salt-pepper",
    name: "salt and pepper",
    family: "baseline",
    norms: &[Norm::L0],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[SALT_PEPPER_REPEATS.param],
    summary: "random pixels turn black or white, as few as will do",
    about: "It draws an order of the pixels, turns as many of them black or white as it takes to change \
            the answer, and then tries other orders with fewer pixels than the best so far. The count \
            it arrives at is what a broken sensor would need; sparse attacks that choose their pixels \
            need a small part of it.",
    paper: "Rauber, Brendel, Bethge: Foolbox, 2017 (salt-and-pepper noise of shrinking density)",
    run: Algorithm::Decision(salt_pepper),
};

/// Draws a perturbation of size ε for an image of `x`.
type Noise = fn(&mut KeyedRng, Norm, &[f32], f32) -> Vec<f32>;
type Watcher<'a> = &'a mut dyn Observer;

fn signs(
    o: &mut dyn ScoreOracle,
    p: &Problem,
    s: &Settings,
    w: Watcher<'_>,
) -> Result<AttackOutput> {
    repeated(o, p, s, w, |draws, norm, x, epsilon| match norm {
        Norm::L2 => draws.on_l2_sphere(x.len(), epsilon),
        _ => x.iter().map(|_| epsilon.copysign(draws.signed())).collect(),
    })
}

fn uniform(
    o: &mut dyn ScoreOracle,
    p: &Problem,
    s: &Settings,
    w: Watcher<'_>,
) -> Result<AttackOutput> {
    repeated(o, p, s, w, |draws, norm, x, epsilon| {
        let noise: Vec<f32> = x.iter().map(|_| draws.signed() * epsilon).collect();
        if norm == Norm::L2 { filled(x, noise, epsilon) } else { noise }
    })
}

fn gaussian(
    o: &mut dyn ScoreOracle,
    p: &Problem,
    s: &Settings,
    w: Watcher<'_>,
) -> Result<AttackOutput> {
    repeated(o, p, s, w, |draws, norm, x, epsilon| match norm {
        Norm::L2 => filled(x, draws.on_l2_sphere(x.len(), epsilon), epsilon),
        _ => x.iter().map(|_| (draws.normal() * epsilon).clamp(-epsilon, epsilon)).collect(),
    })
}

/// Scales noise so that its L2 length is ε after clipping to the box; where even black and white
/// pixels are nearer than ε, that is what it becomes.
fn filled(x: &[f32], noise: Vec<f32>, epsilon: f32) -> Vec<f32> {
    let clipped = |factor: f32| -> Vec<f32> {
        x.iter().zip(&noise).map(|(x, d)| (x + factor * d).clamp(0.0, 1.0) - x).collect()
    };
    let length = |delta: &[f32]| delta.iter().map(|d| f64::from(*d).powi(2)).sum::<f64>().sqrt();
    let short = |factor: f32| length(&clipped(factor)) < f64::from(epsilon);
    if epsilon <= 0.0 {
        return vec![0.0; x.len()];
    }
    // The length grows with the factor.
    let (mut low, mut high) = (0.0, 1.0);
    while short(high) && high < 1e6 {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..30 {
        let middle = f32::midpoint(low, high);
        if short(middle) { low = middle } else { high = middle }
    }
    clipped(low)
}

fn repeated(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: Watcher<'_>,
    draw: Noise,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let repeats = REPEATS.count(settings);
    let epsilon = problem.budget.epsilon;
    for repeat in 0..repeats {
        let active = best.active(&context.all());
        if active.is_empty() {
            break;
        }
        let draws = problem.draws(repeat);
        let mut images = context.x.select(&active);
        for (row, i) in active.iter().enumerate() {
            let noise = draw(&mut draws[*i].clone(), problem.budget.norm, images.row(row), epsilon);
            let image = images.row_mut(row);
            image.iter_mut().zip(noise).for_each(|(p, d)| *p = (*p + d).clamp(0.0, 1.0));
        }
        let logits = context.logits(oracle, &active, &images)?;
        let margins = logits.margins(&context.goals(&active));
        let reached = context.reached(&active, &logits.labels());
        for (row, i) in active.iter().enumerate() {
            best.offer(*i, images.row(row), reached[row], margins[row]);
        }
        let loss: Vec<f32> = margins.iter().map(|m| -m).collect();
        context.report(&StepReport {
            active: &active,
            iteration: repeat,
            iterations: repeats - 1,
            loss: &loss,
            predictions: Predictions::Logits(&logits),
            step_size: epsilon,
            images: &images,
            mark: None,
        })?;
    }
    Ok(context.finish(best.images))
}

fn salt_pepper(
    oracle: &mut dyn DecisionOracle,
    problem: &Problem,
    settings: &Settings,
    observer: Watcher<'_>,
) -> Result<AttackOutput> {
    let repeats = SALT_PEPPER_REPEATS.count(settings);
    let mut search = BoundarySearch::new(oracle, problem, repeats - 1, None, observer);
    let [c, h, w] = search.context.x.shape();
    for i in search.context.all() {
        let x = search.clean(i);
        let mut fewest = h * w;
        let mut shown: Option<BoundaryPoint> = None;
        for repeat in 0..repeats {
            // The pixels in random order, each with the value it takes.
            let mut order: Vec<(usize, f32)> = (0..h * w).map(|pixel| (pixel, 0.0)).collect();
            for k in 0..order.len() {
                let other = k + search.draws[i].below(h * w - k);
                order.swap(k, other);
                order[k].1 = search.draws[i].below(2) as f32;
            }
            let grains = |count: f64| {
                let mut image = x.clone();
                for (pixel, value) in &order[..count as usize] {
                    (0..c).for_each(|channel| image[channel * h * w + pixel] = *value);
                }
                image
            };
            // Until something is found, dense and sparse by turns: noise all over is one class.
            let found = shown.as_ref().is_some_and(|point| point.reached);
            let count = if found { fewest } else { (fewest >> (repeat % 4)).max(1) } as f64;
            let Some(mut point) = search.query_one(i, grains(count))? else { break };
            let better = point.reached;
            if better {
                // Whole pixels: neighbours are one apart.
                let found = search.bisect(i, (0.0, count), point, 1.0, &grains)?;
                (fewest, point) = ((found.0 as usize).saturating_sub(1).max(1), found.1);
            }
            if better || !found {
                shown = Some(point);
            }
            let mark = better.then_some("fewer pixels");
            if let Some(point) = &shown {
                search.report(&[i], &[point], repeat, 0.0, mark)?;
            }
        }
    }
    search.finish()
}
