//! Attacks that estimate the gradient from scores, by finite differences along random directions,
//! and then climb it as a white-box attack would: SPSA (Uesato et al. 2018) and NES (Ilyas et al.
//! 2018).
//!
//! As in the papers' code the probes around an iterate may lie outside 0..1, by δ or a few σ; the
//! iterates never do. Each iterate is queried once more, so that an attack stops at its first
//! success; that query is counted too.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::adam::Adam;
use crate::attack::norm::{Norm, sign};
use crate::attack::objective::{Margin, Objective};
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Rule, Settings};
use crate::rng::KeyedRng;
use std::collections::VecDeque;

const STEPS: IntParam = IntParam::new("steps", (1, 10_000), 100, "number of Adam steps");
const SAMPLES: IntParam = IntParam::new(
    "samples",
    (1, 100_000),
    128,
    "random directions a step, two queries each; the paper's 8192 take minutes",
);
const DELTA: FloatParam =
    FloatParam::new("delta", (1e-5, 0.5), 0.01, "how far the probes lie, in pixel units");
const LEARNING_RATE: FloatParam =
    FloatParam::new("learning-rate", (1e-5, 1.0), 0.01, "of Adam, in pixel units");

/// SPSA: gradients estimated by simultaneous perturbations, and Adam.
///
/// L∞; logits (black box); within ε; targeted or untargeted.
///
/// Uesato, O'Donoghue, van den Oord, Kohli: Adversarial Risk and the Dangers of Evaluating Against
/// Weak Attacks, ICML 2018.
pub const SPSA: AttackSpec = AttackSpec {
    id: "spsa",
    name: "SPSA",
    family: "score-based",
    norms: &[Norm::Linf],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, SAMPLES.param, DELTA.param, LEARNING_RATE.param],
    summary: "estimates the gradient from random ±1 probes, climbs it with Adam",
    about: "All pixels are moved by +δ or −δ at random, and then the other way round: the difference of \
            the two margins, times the signs, is a noisy estimate of the gradient. Averaged over many \
            probes it is good enough for Adam to climb, and a defence that merely hides its gradient \
            falls. It is the check behind the paper's advice never to trust a defence that only stops \
            gradient attacks. It asks hundreds of times a step: watch the query counter.",
    paper: "Uesato, O'Donoghue, van den Oord, Kohli: Adversarial Risk and the Dangers of Evaluating \
            Against Weak Attacks, ICML 2018",
    run: Algorithm::Score(spsa),
};

const QUERIES: IntParam = IntParam::new("queries", (1, 10_000_000), 10_000, "most queries");
const NES_SAMPLES: IntParam =
    IntParam::new("samples", (2, 100_000), 50, "queries a step, half of them on either side");
const SIGMA: FloatParam =
    FloatParam::new("sigma", (1e-5, 0.5), 0.001, "spread of the probes, in pixel units");
const MOMENTUM: FloatParam =
    FloatParam::new("momentum", (0.0, 0.999), 0.9, "share of the previous estimate kept");
const STEP_SIZE: Rule =
    FloatParam::new("step-size", (0.0, 100.0), 0.0, "length of one step at first, in pixel units")
        .by_rule("ε/5, the paper's 0.01 at ε = 0.05", |given| given.epsilon / 5.0);

/// NES: gradients estimated by natural evolution strategies, and sign steps.
///
/// L∞; logits (black box); within ε; targeted or untargeted.
///
/// Ilyas, Engstrom, Athalye, Lin: Black-box Adversarial Attacks with Limited Queries and
/// Information, ICML 2018.
pub const NES: AttackSpec = AttackSpec {
    id: "nes",
    name: "NES",
    family: "score-based",
    norms: &[Norm::Linf],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[QUERIES.param, NES_SAMPLES.param, SIGMA.param, MOMENTUM.param, STEP_SIZE.param],
    summary: "estimates the gradient from Gaussian probes, climbs it by PGD's sign steps",
    about: "Pairs of opposite Gaussian probes around the picture tell how the loss changes on average: a \
            natural evolution strategy's search gradient. Momentum smooths it over the steps, and PGD \
            climbs its sign. Where the loss has not grown for five steps the step is halved. With few \
            probes the estimate is mostly noise, yet its sign is right a little more often than wrong \
            in enough pixels. It was the first practical attack on a commercial classifier.",
    paper: "Ilyas, Engstrom, Athalye, Lin: Black-box Adversarial Attacks with Limited Queries and \
            Information, ICML 2018",
    run: Algorithm::Score(nes),
};

fn spsa(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let steps = STEPS.count(settings);
    let pairs = SAMPLES.count(settings);
    let delta = DELTA.get(settings) as f32;
    let rate = LEARNING_RATE.get(settings);
    let mut draws = problem.draws(0);
    let size = context.x.size();
    let mut adams: Vec<Adam> = problem.samples.iter().map(|_| Adam::new(size)).collect();
    let best = climb(oracle, &mut context, &Margin, steps, |oracle, context, active, images| {
        for (k, i) in active.iter().enumerate() {
            let sign = |draws: &mut KeyedRng| 1.0_f32.copysign(draws.signed());
            let around = Sampling { picture: *i, image: images.row(k), reach: delta, pairs };
            let found = around.estimate(oracle, context, &Margin, &mut draws[*i], sign)?;
            let mut step = vec![0.0; size];
            adams[*i].climb(&mut step, &found.slope, rate);
            images.row_mut(k).iter_mut().zip(step).for_each(|(p, s)| *p += s as f32);
        }
        Ok((rate as f32, None))
    })?;
    Ok(context.finish(best.images))
}

/// Steps of this many without growth of the loss halve NES's step, down to this share of it.
const PLATEAU: (usize, f64) = (5, 1.0 / 200.0);

fn nes(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let pairs = NES_SAMPLES.count(settings) / 2;
    let queries = QUERIES.count(settings);
    // One query for the start, and after each estimate one for where it led.
    let steps = (queries - 1) / (2 * pairs + 1);
    let sigma = SIGMA.get(settings) as f32;
    let momentum = MOMENTUM.get(settings);
    let longest = STEP_SIZE.get(&problem.given(settings));
    let (n, d) = (problem.len(), context.x.size());
    let mut draws = problem.draws(0);
    let mut gradients = vec![vec![0.0; d]; n];
    let mut lengths = vec![longest; n];
    let mut recent = vec![VecDeque::new(); n];
    let best =
        climb(oracle, &mut context, &CrossEntropy, steps, |oracle, context, active, images| {
            let mut mark = None;
            for (k, i) in active.iter().enumerate() {
                let around = Sampling { picture: *i, image: images.row(k), reach: sigma, pairs };
                let normal = |draws: &mut KeyedRng| draws.normal();
                let found =
                    around.estimate(oracle, context, &CrossEntropy, &mut draws[*i], normal)?;
                let recent = &mut recent[*i];
                recent.push_back(found.loss);
                if recent.len() == PLATEAU.0 {
                    if recent.back() < recent.front() && lengths[*i] > longest * PLATEAU.1 {
                        lengths[*i] = (lengths[*i] / 2.0).max(longest * PLATEAU.1);
                        recent.clear();
                        if k == 0 {
                            mark = Some(format!("step halved to {:.4}", lengths[*i]));
                        }
                    } else {
                        recent.pop_front();
                    }
                }
                let image = images.row_mut(k);
                for ((p, kept), new) in image.iter_mut().zip(&mut gradients[*i]).zip(&found.slope) {
                    *kept = momentum * *kept + (1.0 - momentum) * new;
                    // Not signum: where the slope is 0 the pixel stays.
                    *p += (lengths[*i] * f64::from(sign(*kept))) as f32;
                }
            }
            Ok((lengths[active[0]] as f32, mark))
        })?;
    Ok(context.finish(best.images))
}

/// The length of a step, and an event of the first image.
type ShownStep = (f32, Option<String>);

/// Queries the images, reports them, and moves those that are not adversarial yet, `steps` times.
/// `advance` moves the images `active` along its estimate; ball and box are kept here.
pub(super) fn climb(
    oracle: &mut dyn ScoreOracle,
    context: &mut AttackContext<'_>,
    objective: &dyn Objective,
    steps: usize,
    mut advance: impl FnMut(
        &mut dyn ScoreOracle,
        &mut AttackContext<'_>,
        &[usize],
        &mut ImageBatch,
    ) -> Result<ShownStep>,
) -> Result<BestSoFar> {
    let mut best = BestSoFar::new(context.x);
    let mut active = context.all();
    let mut images = context.x.clone();
    let mut told: ShownStep = (0.0, None);
    for iteration in 0..=steps {
        let logits = context.logits(oracle, &active, &images)?;
        let goals = context.goals(&active);
        let (loss, margins) = (logits.losses(&goals, objective), logits.margins(&goals));
        let reached = context.reached(&active, &logits.labels());
        for (k, i) in active.iter().enumerate() {
            best.offer(*i, images.row(k), reached[k], margins[k]);
        }
        context.report(&StepReport {
            active: &active,
            iteration,
            iterations: steps,
            loss: &loss,
            predictions: Predictions::Logits(&logits),
            step_size: told.0,
            images: &images,
            mark: told.1.as_deref(),
        })?;
        let left: Vec<usize> = (0..active.len()).filter(|k| !reached[*k]).collect();
        if iteration == steps || left.is_empty() {
            break;
        }
        active = left.iter().map(|k| active[*k]).collect();
        images = images.select(&left);
        told = advance(oracle, context, &active, &mut images)?;
        for (k, i) in active.iter().enumerate() {
            let x = context.x.row(*i);
            let mut delta: Vec<f32> = images.row(k).iter().zip(x).map(|(p, x)| p - x).collect();
            context.problem.budget.project_row(&mut delta);
            for ((p, x), d) in images.row_mut(k).iter_mut().zip(x).zip(delta) {
                *p = (x + d).clamp(0.0, 1.0);
            }
        }
    }
    Ok(best)
}

/// Where a gradient is to be estimated.
struct Sampling<'a> {
    /// Which image of the problem pays for the queries.
    picture: usize,
    /// The point.
    image: &'a [f32],
    /// How far away the probes lie.
    reach: f32,
    /// How many directions, each queried on both sides.
    pairs: usize,
}

/// A gradient estimate.
struct Estimate {
    /// The gradient.
    slope: Vec<f64>,
    /// The mean value of the probes.
    loss: f64,
}

impl Sampling<'_> {
    /// The mean of v·(f(x + rv) − f(x − rv))/2r over random directions v. The probes go through the
    /// network image by image, so that the logits do not depend on the batch.
    fn estimate(
        &self,
        oracle: &mut dyn ScoreOracle,
        context: &mut AttackContext<'_>,
        objective: &dyn Objective,
        draws: &mut KeyedRng,
        value: impl Fn(&mut KeyedRng) -> f32,
    ) -> Result<Estimate> {
        let mut slope = vec![0.0; self.image.len()];
        let mut total = 0.0;
        let mut left = self.pairs;
        while left > 0 {
            let pairs = left.min(context.batch_size() / 2);
            left -= pairs;
            let mut directions = ImageBatch::zeros(context.x.shape(), 0);
            let mut probes = ImageBatch::zeros(context.x.shape(), 0);
            for _ in 0..pairs {
                let direction: Vec<f32> = self.image.iter().map(|_| value(draws)).collect();
                for reach in [self.reach, -self.reach] {
                    let moved = self.image.iter().zip(&direction).map(|(p, v)| p + reach * v);
                    probes.push(&moved.collect::<Vec<f32>>());
                }
                directions.push(&direction);
            }
            let payers = vec![self.picture; 2 * pairs];
            let logits = context.logits(oracle, &payers, &probes)?;
            let losses = logits.losses_or_margins(&context.goals(&payers), objective);
            for (k, direction) in directions.iter().enumerate() {
                let (up, down) = (losses[2 * k], losses[2 * k + 1]);
                total += up + down;
                let rise = (up - down) / (2.0 * f64::from(self.reach) * self.pairs as f64);
                slope.iter_mut().zip(direction).for_each(|(s, v)| *s += rise * f64::from(*v));
            }
        }
        Ok(Estimate { slope, loss: total / (2 * self.pairs) as f64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::goal::Goal;
    use crate::attack::logits::Logits;
    use crate::attack::norm::Budget;
    use crate::attack::observer::NoObserver;
    use crate::attack::oracle::DecisionOracle;

    /// Two classes; the second's logit is w·x − 50, so that it never wins.
    struct Linear(Vec<f32>);

    impl DecisionOracle for Linear {
        fn labels(&mut self, images: &ImageBatch) -> Result<Vec<usize>> {
            Ok(self.logits(images)?.labels())
        }

        fn classes(&self) -> usize {
            2
        }

        fn passes(&self) -> (u64, u64) {
            (0, 0)
        }
    }

    impl ScoreOracle for Linear {
        fn logits(&mut self, images: &ImageBatch) -> Result<Logits> {
            let dot = |row: &[f32]| row.iter().zip(&self.0).map(|(x, w)| x * w).sum::<f32>();
            let values = images.iter().flat_map(|row| [0.0, dot(row) - 50.0]).collect();
            Ok(Logits::new(values, 2))
        }
    }

    fn weights() -> Vec<f32> {
        (0..64).map(|i| ((i * 37 % 64) as f32 - 31.5) / 8.0).collect()
    }

    fn problem(goal: Goal) -> Problem {
        Problem {
            images: ImageBatch::new([1, 8, 8], vec![0.5; 64]),
            goals: vec![goal],
            budget: Budget { norm: Norm::Linf, epsilon: 0.2 },
            seed: 3,
            samples: vec![0],
            training_images: None,
        }
    }

    fn cosine(a: &[f64], b: &[f32]) -> f64 {
        let dot = |f: &dyn Fn(usize) -> f64| (0..a.len()).map(f).sum::<f64>();
        let (aa, bb) = (dot(&|i| a[i] * a[i]), dot(&|i| f64::from(b[i]).powi(2)));
        dot(&|i| a[i] * f64::from(b[i])) / (aa * bb).sqrt()
    }

    #[test]
    fn estimates_point_along_the_gradient_as_far_as_the_samples_allow() {
        let away = Goal::Untargeted { truth: 0 };
        for (goal, pairs) in [(away, 512), (away, 16), (Goal::Targeted { target: 0 }, 512)] {
            let problem = problem(goal);
            let mut observer = NoObserver;
            let mut context = AttackContext::new(&problem, &mut observer);
            let image = context.x.row(0).to_vec();
            let around = Sampling { picture: 0, image: &image, reach: 0.01, pairs };
            for gaussian in [false, true] {
                let value = |draws: &mut KeyedRng| match gaussian {
                    true => draws.normal(),
                    false => 1.0_f32.copysign(draws.signed()),
                };
                let mut draws = problem.draws(0)[0].clone();
                let oracle = &mut Linear(weights());
                let found = around.estimate(oracle, &mut context, &Margin, &mut draws, value);
                let found = cosine(&found.unwrap().slope, &weights()) * goal.sign();
                // n directions in d dimensions see a share n/(n + d) of the squared length.
                let expected = (pairs as f64 / (pairs as f64 + 64.0)).sqrt();
                assert!((found - expected).abs() < 0.12, "{gaussian} {pairs}: {found}");
            }
            assert_eq!(context.queries, [4 * pairs as u64]);
        }
    }

    #[test]
    fn both_attacks_climb_to_the_corner_and_keep_to_their_queries() {
        let problem = problem(Goal::Untargeted { truth: 0 });
        for (spec, queries) in [(&SPSA, 1 + 100 * 257), (&NES, 1 + 9999 / 51 * 51)] {
            let Algorithm::Score(run) = spec.run else {
                panic!("{} sees more than scores", spec.id)
            };
            let settings = Settings::defaults(spec.params).resolved(spec.params, 0.2, "linf");
            let found = run(&mut Linear(weights()), &problem, &settings, &mut NoObserver).unwrap();
            assert_eq!(found.queries, [queries], "{}", spec.id);
            let image = found.images;
            let gain = |(p, w): (&f32, &f32)| (p - 0.5) * w;
            let gained: f32 = image.row(0).iter().zip(&weights()).map(gain).sum();
            let most = 0.2 * weights().iter().map(|w| w.abs()).sum::<f32>();
            assert!(gained > 0.95 * most, "{}: {gained} of {most}", spec.id);
        }
    }
}
