//! Detectors: what refuses to answer where an answer looks suspicious.

use crate::data::{DATASETS, Dataset, Image};
use crate::defence::aggregation;
use crate::defence::bayes;
use crate::defence::builder::RejectionThreshold;
use crate::defence::ensemble::PixelMove;
use crate::defence::pipeline::{Pipeline, RngStream};
use crate::defence::registry::{BackwardRule, DefenceSpec};
use crate::defence::transform::{PipelineStage, Transform};
use crate::error::{Error, Result};
use crate::parameter::Param;
use crate::rng::KeyedRng;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The share of clean pictures that is taken as attacked.
const FPR: Param =
    Param::float("fpr", (0.0, 0.5), 0.05, "share of clean pictures that may be taken as attacked");

/// Feature squeezing.
pub const SQUEEZE: DefenceSpec = DefenceSpec {
    id: "squeeze",
    aliases: &["feature-squeezing"],
    name: "feature squeezing",
    family: "detection",
    params: &[FPR],
    backward: BackwardRule::StraightThrough,
    randomised: false,
    summary: "refuses pictures whose answer changes when colours or details are squeezed out",
    about: "The network answers the picture and three squeezed versions of it: fewer bits a value (1 for             grey pictures, 5 for colour), a 2×2 median, and non-local means. On clean pictures the             answers agree; an attack that does not know of the squeezers rarely survives all of them. The             largest L1 distance between the probabilities is the score, and what exceeds the score of             all but 5 % of clean pictures is refused. Xu et al. detected 98.2 % of successful attacks on             MNIST, 84.5 % on CIFAR-10. Who knows of the squeezers attacks all versions at once, through             the straight-through estimator: He et al. (2017) evaded it on nearly every picture with             perturbations that are hardly larger. What remains is a bound: a grey pixel near black or             white cannot cross the middle within ε < 0.5. The price: four passes, the squeezers' time,             and one clean picture in twenty refused.",
    paper: "Xu, Evans, Qi: Feature Squeezing, NDSS 2018; broken by He et al.: Ensembles of Weak Defenses \
            Are Not Strong, WOOT 2017",
    build: |settings, builder| {
        let [channels, height, _] = builder.base.card.input.shape;
        let (bits, means) = match (channels, height) {
            (1, _) => (1, "nlm:search=11:strength=4"),
            (_, ..=64) => (5, "nlm:search=13:strength=2"),
            _ => (5, "nlm:search=11:strength=4"),
        };
        let levels = (2_u32.pow(bits) - 1) as f32;
        let ease = |stage: PipelineStage| PipelineStage {
            transform: Box::new(Eased { rounding: stage.transform, levels }),
            ..stage
        };
        let rounded = builder.stages_of(&format!("bit-depth:{bits}"))?;
        builder.view(rounded.into_iter().map(ease).collect());
        for squeezer in ["median:2", means] {
            let stages = builder.stages_of(squeezer)?;
            builder.view(stages);
        }
        builder.detector(farthest, RejectionThreshold::Attacked(settings.float("fpr", 0.05)))
    },
};

/// The spread of a random network's answers.
pub const VARIANCE: DefenceSpec = DefenceSpec {
    id: "variance",
    aliases: &["predictive-variance"],
    name: "variance",
    family: "detection",
    params: &[FPR, bayes::DRAWS, bayes::SPREAD],
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
        builder.detector(variance, RejectionThreshold::Attacked(settings.float("fpr", 0.05)))
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

/// Rounding with another way back than the identity: the slope of stairs whose edges are worn. Of all
/// changes it prefers those that bring a value near the edge over it, and so finds the few that
/// matter where the length of the whole is bounded.
struct Eased {
    rounding: Box<dyn Transform>,
    levels: f32,
}

/// How steep the worn stairs are at their steepest, four times.
const STEEP: f32 = 8.0;

impl Transform for Eased {
    fn apply(&self, picture: &Image, draws: &mut KeyedRng) -> Result<Image> {
        self.rounding.apply(picture, draws)
    }

    fn vjp(&self, picture: &Image, mut gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        for (g, pixel) in gradient.iter_mut().zip(picture.pixels()) {
            let past = (pixel * self.levels).rem_euclid(1.0) - 0.5;
            let share = 1.0 / (1.0 + (-STEEP * past).exp());
            *g *= STEEP * share * (1.0 - share);
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

/// How suspicious an answer is: from the logits of every view at every draw, `[view][draw]`.
pub type DetectionScore = fn(&[Vec<Vec<f32>>]) -> f64;

/// Refuses to answer where the views or the draws behind an answer look suspicious together.
#[derive(Clone)]
pub struct Detector {
    /// Whether a refusal says that the picture is attacked; if not, that the answer is not sure.
    pub detects: bool,
    /// How suspicious an answer is.
    pub score: DetectionScore,
    /// Above this it refuses.
    pub threshold: f64,
    /// How the threshold came about.
    pub basis: String,
}

impl Detector {
    /// Whether it refuses the answer of these logits, `[view][draw]`.
    pub fn rejects(&self, views: &[Vec<Vec<f32>>]) -> bool {
        (self.score)(views) > self.threshold
    }
}

/// Thresholds are set on so many clean pictures, spread evenly over the data set.
const CALIBRATION: usize = 1000;

/// Every so many samples of a data set of `len` one is for calibration.
fn step(len: usize) -> usize {
    (len / CALIBRATION).max(2)
}

/// Whether a detector's threshold is set on this sample of a data set of `len`; judge it on others.
pub fn is_calibration_sample(index: usize, len: usize) -> bool {
    index % step(len) == step(len) - 1
}

impl Pipeline {
    /// One answer to each picture, as it is given in use, without the guard: its logits, and how
    /// suspicious it is (0 where nothing guards it).
    ///
    /// # Errors
    /// Those of the stages; device failures.
    pub fn detection_scores(&self, pictures: &[Image]) -> Result<Vec<(Vec<f32>, f64)>> {
        let score = self.detector.as_ref().map(|detector| detector.score);
        self.looked_at(pictures, score.unwrap_or(|_| 0.0))
    }

    fn looked_at(&self, pictures: &[Image], score: DetectionScore) -> Result<Vec<(Vec<f32>, f64)>> {
        let members = self.members(pictures, (RngStream::Judge, None), 0..self.inner as u64)?;
        let one = |members| {
            let views = self.joined(members, 0..self.inner);
            (self.rules[1].join(&views[0]), score(&views))
        };
        Ok(members.iter().map(one).collect())
    }
}

/// What tells a calibration from all others: stack, data set and seed, and what the networks say to
/// the first picture.
type Key = (String, String, u64, Vec<u32>);

/// A guard that takes as attacked what is more suspicious than all but this share of clean pictures.
///
/// # Errors
/// Usage, where no pictures of the base's data are built in; those of the stages; device failures.
pub(super) fn calibrated(
    pipeline: &Pipeline,
    score: DetectionScore,
    rate: f64,
) -> Result<Detector> {
    static KNOWN: Mutex<Option<HashMap<Key, f64>>> = Mutex::new(None);
    let data = pipeline.base.card.data.as_str();
    let pictures = clean(pipeline)?;
    let n = pictures.len();
    let first = pipeline.looked_at(&pictures[..1], score)?.swap_remove(0);
    let mut bits: Vec<u32> = first.0.iter().map(|logit| logit.to_bits()).collect();
    bits.push((first.1 as f32).to_bits());
    let key = (pipeline.stack.text(), data.to_string(), pipeline.seed, bits);
    let known = |key: &Key| {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().and_then(|known| known.get(key).copied())
    };
    let threshold = match known(&key) {
        Some(threshold) => threshold,
        None => {
            let found = pipeline.looked_at(&pictures, score)?;
            let threshold = exceeded(found.into_iter().map(|(_, score)| score), rate);
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_or_insert_default().insert(key, threshold);
            threshold
        }
    };
    let share = (rate * n as f64) as usize;
    let len = DATASETS.iter().find(|row| row.id == data).map_or(0, |row| row.len);
    let of = match n == len / step(len) {
        true => format!("{n} samples of {data} (one in {})", step(len)),
        false => format!("{n} mirrored and shifted versions of the pictures of {data}"),
    };
    Ok(Detector { detects: true, score, threshold, basis: format!("{share} of {of} exceed it") })
}

/// The value that this share of the scores exceeds.
fn exceeded(scores: impl Iterator<Item = f64>, rate: f64) -> f64 {
    let mut scores: Vec<f64> = scores.collect();
    scores.sort_by(f64::total_cmp);
    let above = (rate * scores.len() as f64) as usize;
    scores[scores.len() - 1 - above.min(scores.len() - 1)]
}

/// A data set of fewer samples than this is too small to spare some.
const FEW: usize = 40;

/// The clean pictures that a threshold is set on, as the model sees them. Of a data set of a few
/// pictures they are mirrored and shifted versions, and the pictures themselves are left to judge
/// the detector on.
fn clean(pipeline: &Pipeline) -> Result<Vec<Image>> {
    let (card, place) = (&pipeline.base.card, format!("defence {}", pipeline.stack.text()));
    if !DATASETS.iter().any(|row| row.id == card.data) {
        return Err(Error::usage(
            format!("its threshold is set on clean pictures, and '{}' is not built in", card.data),
            place,
            "name one of the built-in data sets in the card (`epsiloscope samples`)",
        ));
    }
    let dataset = Dataset::load(&card.data)?;
    let fit = |index: usize| card.input.fit(&dataset.sample(index).image);
    if dataset.len() >= FEW {
        let chosen =
            (0..dataset.len()).filter(|index| is_calibration_sample(*index, dataset.len()));
        return Ok(chosen.map(fit).collect());
    }
    let by = (card.input.shape[1] / 28).max(1) as isize;
    let moves = [PixelMove::mirror(), PixelMove::shift(-by, -by), PixelMove::shift(by, by)];
    let moves = moves.into_iter().chain([PixelMove::shift(-by, by), PixelMove::shift(by, -by)]);
    let moves: Vec<PixelMove> = moves.collect();
    let versions = |picture: Image| moves.iter().map(move |by| by.of(&picture)).collect::<Vec<_>>();
    Ok((0..dataset.len()).flat_map(|index| versions(fit(index))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_exceeded_by_its_share() {
        for (n, rate, above) in [(1000, 0.05, 50), (40, 0.05, 2), (8, 0.05, 0), (50, 0.0, 0)] {
            let scores: Vec<f64> = (0..n).map(|i| ((i * 7919) % n) as f64).collect();
            let threshold = exceeded(scores.iter().copied(), rate);
            assert_eq!(scores.iter().filter(|score| **score > threshold).count(), above, "{n}");
        }
        let count = |len| (0..len).filter(|index| is_calibration_sample(*index, len)).count();
        assert_eq!((count(10_000), count(100)), (1000, 50));
    }
}
