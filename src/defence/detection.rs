//! Defences by detection: feature squeezing, and the variance of a Bayesian network.

use crate::data::Image;
use crate::defence::aggregation;
use crate::defence::bayes;
use crate::defence::detector::RejectionThreshold;
use crate::defence::input::{bit_depth_stage, median_stage, nlm_stage};
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, PipelineStage, Transform};
use crate::error::Result;
use crate::parameter::FloatParam;
use crate::rng::KeyedRng;

/// The share of clean images that is taken as attacked.
const FPR: FloatParam = FloatParam::new(
    "fpr",
    (0.0, 0.5),
    0.05,
    "share of clean pictures that may be taken as attacked",
);

/// Feature squeezing.
pub const SQUEEZE: DefenceSpec = DefenceSpec {
    id: "squeeze",
    aliases: &["feature-squeezing"],
    name: "feature squeezing",
    family: "detection",
    params: &[FPR.param],
    backward: BackwardRule::StraightThrough,
    randomised: false,
    summary: "refuses pictures whose answer changes when colours or details are squeezed out",
    about: "The network answers the picture and three squeezed versions of it: fewer bits a value (1 for             grey pictures, 5 for colour), a 2×2 median, and non-local means. On clean pictures the             answers agree; an attack that does not know of the squeezers rarely survives all of them. The             largest L1 distance between the probabilities is the score, and what exceeds the score of             all but 5 % of clean pictures is refused. Xu et al. detected 98.2 % of successful attacks on             MNIST, 84.5 % on CIFAR-10. Who knows of the squeezers attacks all versions at once, through             the straight-through estimator: He et al. (2017) evaded it on nearly every picture with             perturbations that are hardly larger. What remains is a bound: a grey pixel near black or             white cannot cross the middle within ε < 0.5. The price: four passes, the squeezers' time,             and one clean picture in twenty refused.",
    paper: "Xu, Evans, Qi: Feature Squeezing, NDSS 2018; broken by He et al.: Ensembles of Weak Defenses \
            Are Not Strong, WOOT 2017",
    build: |settings, builder| {
        let [channels, height, _] = builder.base.card.input.shape;
        let (bits, (search, strength)) = match (channels, height) {
            (1, _) => (1, (11, 4.0)),
            (_, ..=64) => (5, (13, 2.0)),
            _ => (5, (11, 4.0)),
        };
        let levels = (2_u32.pow(bits) - 1) as f32;
        let rounding = bit_depth_stage(bits).transform;
        builder.view(vec![PipelineStage {
            transform: Box::new(SmoothedRounding { rounding, levels }),
            backward: BackwardRule::Own,
            randomised: false,
        }]);
        builder.view(vec![median_stage(2)]);
        builder.view(vec![nlm_stage(search, 3, strength)]);
        builder.detector(farthest, RejectionThreshold::Attacked(FPR.get(settings)))
    },
};

/// The spread of a random network's answers.
pub const VARIANCE: DefenceSpec = DefenceSpec {
    id: "variance",
    aliases: &["predictive-variance"],
    name: "variance",
    family: "detection",
    params: &[FPR.param, bayes::DRAWS.param, bayes::SPREAD.param],
    backward: BackwardRule::Exact,
    randomised: true,
    summary: "refuses pictures that the networks of a Bayesian one answer differently",
    about: "Networks drawn from a posterior agree about pictures like those they have learned from, and \
            less about others: the variance of their probabilities, summed over the classes, is the \
            score, and what exceeds that of all but 5 % of clean pictures is refused. Feinman et al. \
            (2017) measured it by dropout; behind bayes or mc-dropout it takes that layer's draws, \
            alone those of the Bayesian network. It sees pictures that were pushed just over the \
            boundary of one network. Who pushes farther, or averages over the draws, arrives where all \
            of them are sure of the wrong class: Carlini and Wagner (2017) evaded it by the loss of the \
            mean. The price: as many passes as draws, and one clean picture in twenty refused.",
    paper: "Feinman, Curtin, Shintre, Gardner: Detecting Adversarial Samples from Artifacts, 2017; broken by \
            Carlini, Wagner: Adversarial Examples Are Not Easily Detected, AISec 2017",
    build: |settings, builder| {
        builder.inside_else(bayes::sampled(settings));
        bayes::draw(settings, builder);
        builder.detector(variance, RejectionThreshold::Attacked(FPR.get(settings)))
    },
};

/// The variance of the probabilities over the draws, summed over the classes.
fn variance(views: &[Vec<Vec<f32>>]) -> f64 {
    let draws: Vec<Vec<f64>> = views[0].iter().map(|row| aggregation::softmax(row)).collect();
    let n = draws.len() as f64;
    let of = |k: usize| {
        let mean = draws.iter().map(|p| p[k]).sum::<f64>() / n;
        draws.iter().map(|p| (p[k] - mean).powi(2)).sum::<f64>() / n
    };
    (0..draws[0].len()).map(of).sum()
}

/// Rounding to `levels` steps whose gradient is that of smooth stairs: a sigmoid between two steps. It
/// is large where a value is near an edge, and so finds the few values worth changing where the size
/// of the whole change is bounded.
struct SmoothedRounding {
    rounding: Box<dyn Transform>,
    levels: f32,
}

/// Steepness of the sigmoid: its largest slope is a quarter of it.
const STEEPNESS: f32 = 8.0;

impl Transform for SmoothedRounding {
    fn apply(&self, image: &Image, draws: &mut KeyedRng) -> Result<Image> {
        self.rounding.apply(image, draws)
    }

    fn vjp(&self, image: &Image, mut gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        for (g, pixel) in gradient.iter_mut().zip(image.pixels()) {
            let past = (pixel * self.levels).rem_euclid(1.0) - 0.5;
            let share = 1.0 / (1.0 + (-STEEPNESS * past).exp());
            *g *= STEEPNESS * share * (1.0 - share);
        }
        Ok(gradient)
    }
}

/// How far the squeezed views' probabilities are from those of the first, in L1: the farthest.
fn farthest(views: &[Vec<Vec<f32>>]) -> f64 {
    let view = |draws: &Vec<Vec<f32>>| {
        aggregation::softmax(&aggregation::mean(
            &draws.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        ))
    };
    let first = view(&views[0]);
    let far = |draws| first.iter().zip(view(draws)).map(|(a, b)| (a - b).abs()).sum::<f64>();
    views[1..].iter().map(far).fold(0.0, f64::max)
}
