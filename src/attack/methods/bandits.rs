//! Bandits-TD (Ilyas, Engstrom and Madry 2019): what is known of the gradient is carried from step
//! to step as a prior, which a bandit algorithm improves from two queries a step.
//!
//! Time: the gradients of successive iterates are alike, so the last estimate is a good guess.
//! Data: neighbouring pixels have gradients alike, so the prior lives on a coarse grid of tiles.
//! The paper's code does not count the query that tells whether an iterate has succeeded; here it
//! is counted, three queries a step.

use crate::attack::context::AttackContext;
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::finite_differences::climb;
use crate::attack::norm::{Norm, length, sign};
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, Given, IntParam, Rule, Settings};
use crate::rng::KeyedRng;

/// What a rule gives in L∞, or in L2.
fn by_norm(given: &Given, linf: f64, l2: f64) -> f64 {
    if given.norm == "l2" { l2 } else { linf }
}

const QUERIES: IntParam =
    IntParam::new("queries", (1, 10_000_000), 10_000, "most queries, three a step");
const STEP_SIZE: Rule =
    FloatParam::new("step-size", (0.0, 100.0), 0.0, "length of one step, in pixel units")
        .by_rule("ε/5 in L∞, ε/10 in L2: the paper's at its ε", |given| {
            given.epsilon / by_norm(given, 5.0, 10.0)
        });
const LEARNING_RATE: Rule = FloatParam::new("learning-rate", (0.0, 10_000.0), 0.0, "of the prior")
    .by_rule("100 in L∞, 0.1 in L2", |given| by_norm(given, 100.0, 0.1));
const EXPLORATION: Rule =
    FloatParam::new("exploration", (1e-5, 100.0), 1.0, "size of the noise around the prior")
        .by_rule("1 in L∞, 0.01 in L2", |given| by_norm(given, 1.0, 0.01));
const PROBE: Rule =
    FloatParam::new("probe", (1e-5, 10.0), 0.1, "how far the two queries lie, in L2")
        .by_rule("0.1 in L∞, 0.01 in L2", |given| by_norm(given, 0.1, 0.01));
const TILE: IntParam = IntParam::new(
    "tile",
    (1, 64),
    4,
    "side of the prior's tiles in pixels; the paper's grid of 50 makes 4 to 6",
);

/// Bandits-TD: gradient estimation with a prior over time and neighbouring pixels.
///
/// L∞, L2; logits (black box); within ε; targeted or untargeted.
///
/// Ilyas, Engstrom, Madry: Prior Convictions: Black-Box Adversarial Attacks with Bandits and
/// Priors, ICLR 2019.
pub const BANDITS: AttackSpec = AttackSpec {
    id: "bandits",
    name: "Bandits",
    family: "score-based",
    norms: &[Norm::Linf, Norm::L2],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[
        QUERIES.param,
        STEP_SIZE.param,
        LEARNING_RATE.param,
        EXPLORATION.param,
        PROBE.param,
        TILE.param,
    ],
    summary: "carries a guess of the gradient along and corrects it with two queries a step",
    about: "A gradient estimated afresh at every step is wasteful: it is nearly that of the step before, \
            and nearly the same in neighbouring pixels. Bandits keeps a guess, one value for each tile \
            of pixels, asks on either side of it with some noise added, and turns the guess to where \
            the loss grew more. The picture steps along the guess. Look at the perturbation: the tiles \
            show. It needs far fewer queries than estimates from scratch.",
    paper: "Ilyas, Engstrom, Madry: Prior Convictions: Black-Box Adversarial Attacks with Bandits and \
            Priors, ICLR 2019",
    run: Algorithm::Score(bandits),
};

fn bandits(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let queries = QUERIES.count(settings);
    let step = STEP_SIZE.get(&problem.given(settings)) as f32;
    let norm = problem.budget.norm;
    let rules = PriorConfig {
        norm,
        shape: context.x.shape(),
        tile: TILE.count(settings),
        rate: LEARNING_RATE.get(&problem.given(settings)),
        exploration: EXPLORATION.get(&problem.given(settings)),
        probe: PROBE.get(&problem.given(settings)),
    };
    let mut draws = problem.draws(0);
    let mut priors = vec![Prior::new(&rules); problem.len()];
    let steps = (queries - 1) / 3;
    let best =
        climb(oracle, &mut context, &CrossEntropy, steps, |oracle, context, active, images| {
            let mut noises = Vec::with_capacity(active.len());
            let mut probes = ImageBatch::zeros(rules.shape, 0);
            for (k, i) in active.iter().enumerate() {
                let noise = rules.noise(&mut draws[*i]);
                for sign in [1.0, -1.0] {
                    let towards = priors[*i].probe(&rules, &noise, sign);
                    let moved = images.row(k).iter().zip(towards).map(|(p, t)| p + t);
                    probes.push(&moved.collect::<Vec<f32>>());
                }
                noises.push(noise);
            }
            let payers: Vec<usize> = active.iter().flat_map(|i| [*i, *i]).collect();
            let logits = context.logits(oracle, &payers, &probes)?;
            // In f64: the two values are close together.
            let losses: Vec<f64> = logits.losses_or_margins(&context.goals(&payers), &CrossEntropy);
            for (k, i) in active.iter().enumerate() {
                priors[*i].learn(&rules, &noises[k], losses[2 * k] - losses[2 * k + 1]);
                let mut along = rules.spread(&priors[*i].values);
                // On a confident image the values are as small as the loss: their squares underflow.
                let top = along.iter().fold(f64::MIN_POSITIVE, |top, a| top.max(a.abs()));
                along.iter_mut().for_each(|a| *a /= top);
                let size = length(&along).max(1e-30);
                for (p, a) in images.row_mut(k).iter_mut().zip(along) {
                    *p += step * if norm == Norm::L2 { (a / size) as f32 } else { sign(a) };
                }
            }
            Ok((step, None))
        })?;
    Ok(context.finish(best.images))
}

/// How the prior is kept.
struct PriorConfig {
    norm: Norm,
    shape: [usize; 3],
    tile: usize,
    rate: f64,
    exploration: f64,
    probe: f64,
}

impl PriorConfig {
    /// Tiles from top to bottom and from left to right.
    fn grid(&self) -> (usize, usize) {
        (self.shape[1].div_ceil(self.tile), self.shape[2].div_ceil(self.tile))
    }

    /// Number of values of the prior.
    fn size(&self) -> usize {
        let (down, across) = self.grid();
        self.shape[0] * down * across
    }

    /// Random exploration, about `exploration` long.
    fn noise(&self, draws: &mut KeyedRng) -> Vec<f64> {
        let scale = self.exploration / (self.size() as f64).sqrt();
        (0..self.size()).map(|_| scale * f64::from(draws.normal())).collect()
    }

    /// The value of its tile for every pixel.
    fn spread(&self, tiles: &[f64]) -> Vec<f64> {
        let [channels, height, width] = self.shape;
        let (down, across) = self.grid();
        let mut pixels = Vec::with_capacity(channels * height * width);
        for line in 0..channels * height {
            let (channel, row) = (line / height, line % height);
            let first = (channel * down + row / self.tile) * across;
            pixels.extend((0..width).map(|column| tiles[first + column / self.tile]));
        }
        pixels
    }
}

/// What is believed of the gradient's direction, one value a tile.
#[derive(Clone)]
struct Prior {
    values: Vec<f64>,
    /// In L∞, the logarithms of the odds that the values stand for.
    odds: Vec<f64>,
}

impl Prior {
    fn new(rules: &PriorConfig) -> Self {
        Self { values: vec![0.0; rules.size()], odds: vec![0.0; rules.size()] }
    }

    /// A step of length `probe` along the prior with the noise added, or taken off.
    fn probe(&self, rules: &PriorConfig, noise: &[f64], sign: f64) -> impl Iterator<Item = f32> {
        let tiles: Vec<f64> = self.values.iter().zip(noise).map(|(v, n)| v + sign * n).collect();
        let pixels = rules.spread(&tiles);
        let scale = rules.probe / length(&pixels).max(1e-30);
        pixels.into_iter().map(move |v| (v * scale) as f32)
    }

    /// Learns that the loss was higher by `gain` on the noise's side: an exponentiated gradient
    /// step in L∞, where the values stay between −1 and 1, a plain one in L2.
    fn learn(&mut self, rules: &PriorConfig, noise: &[f64], gain: f64) {
        let slope = gain / (rules.probe * rules.exploration);
        for ((value, odds), noise) in self.values.iter_mut().zip(&mut self.odds).zip(noise) {
            let step = rules.rate * slope * noise;
            if rules.norm == Norm::L2 {
                *value += step;
            } else {
                *odds += 2.0 * step;
                *value = (*odds / 2.0).tanh();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(norm: Norm) -> PriorConfig {
        let (rate, exploration, probe) =
            if norm == Norm::L2 { (0.1, 0.01, 0.01) } else { (100.0, 1.0, 0.1) };
        PriorConfig { norm, shape: [2, 10, 9], tile: 4, rate, exploration, probe }
    }

    #[test]
    fn every_pixel_has_the_value_of_its_tile() {
        let rules = rules(Norm::Linf);
        assert_eq!((rules.grid(), rules.size()), ((3, 3), 18));
        let tiles: Vec<f64> = (0..18).map(f64::from).collect();
        let pixels = rules.spread(&tiles);
        assert_eq!(pixels.len(), 180);
        for (at, value) in [(0, 0.0), (3, 0.0), (4, 1.0), (8, 2.0), (4 * 9, 3.0), (90, 9.0)] {
            assert_eq!(pixels[at], value, "{at}");
        }
        assert_eq!(pixels[179], 17.0);
    }

    #[test]
    fn the_prior_turns_towards_the_gradient() {
        for norm in [Norm::Linf, Norm::L2] {
            let rules = rules(norm);
            let mut draws = KeyedRng::new(1, 0, 0);
            let tiles: Vec<f64> = (0..18).map(|i| f64::from(i * 7 % 18) - 8.5).collect();
            let gradient = rules.spread(&tiles);
            let mut prior = Prior::new(&rules);
            for _ in 0..300 {
                let noise = rules.noise(&mut draws);
                let side = |sign: f64| {
                    let probe = prior.probe(&rules, &noise, sign);
                    probe.zip(&gradient).map(|(p, g)| f64::from(p) * g).sum::<f64>()
                };
                let gain = side(1.0) - side(-1.0);
                prior.learn(&rules, &noise, gain);
            }
            let guess = rules.spread(&prior.values);
            let dot: f64 = guess.iter().zip(&gradient).map(|(a, b)| a * b).sum();
            let cosine = dot / (length(&guess) * length(&gradient));
            assert!(cosine > 0.8, "{norm}: {cosine}");
            let inside = prior.values.iter().all(|v| v.abs() <= 1.0);
            assert!(inside || norm == Norm::L2);
        }
    }
}
