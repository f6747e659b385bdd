//! Thresholds of detectors, set on clean images.

use crate::data::{Dataset, DatasetSpec, Image};
use crate::defence::branch::RngStream;
use crate::defence::detector::{DetectionScore, Detector};
use crate::defence::pipeline::Pipeline;
use crate::defence::pixel_move::PixelMove;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Thresholds are set on so many clean images, spread evenly over the data set.
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
    /// One prediction for each image, as it is given in use: its logits, and its detection score (0
    /// without a detector).
    ///
    /// # Errors
    /// Those of the stages; device failures.
    pub fn detection_scores(&self, images: &[Image]) -> Result<Vec<(Vec<f32>, f64)>> {
        let score = self.detector.as_ref().map(|detector| detector.score);
        self.looked_at(images, score.unwrap_or(|_| 0.0))
    }

    fn looked_at(&self, images: &[Image], score: DetectionScore) -> Result<Vec<(Vec<f32>, f64)>> {
        let members = self.members(images, (RngStream::Judge, None), 0..self.inner as u64)?;
        let one = |members| {
            let views = self.joined(members, 0..self.inner);
            (self.rules[1].join(&views[0]), score(&views))
        };
        Ok(members.iter().map(one).collect())
    }
}

/// What tells a calibration from all others: stack, data set and seed, and what the networks say to
/// the first image.
type Key = (String, String, u64, Vec<u32>);

/// The detector whose threshold this share of clean images exceeds.
///
/// # Errors
/// Usage, where no images of the base's data are built in; those of the stages; device failures.
pub(super) fn calibrated(
    pipeline: &Pipeline,
    score: DetectionScore,
    rate: f64,
) -> Result<Detector> {
    static KNOWN: Mutex<Option<HashMap<Key, f64>>> = Mutex::new(None);
    let data = pipeline.base.card.data.as_str();
    let images = clean(pipeline)?;
    let n = images.len();
    let first = pipeline.looked_at(&images[..1], score)?.swap_remove(0);
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
            let found = pipeline.looked_at(&images, score)?;
            let threshold = exceeded(found.into_iter().map(|(_, score)| score), rate);
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_or_insert_default().insert(key, threshold);
            threshold
        }
    };
    let share = (rate * n as f64) as usize;
    let len = DatasetSpec::find(data).map_or(0, |row| row.len);
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

/// The clean images that a threshold is set on, as the model sees them. Of a data set of a few
/// images they are mirrored and shifted versions, and the images themselves are left to judge
/// the detector on.
fn clean(pipeline: &Pipeline) -> Result<Vec<Image>> {
    let (card, place) = (&pipeline.base.card, format!("defence {}", pipeline.stack.text()));
    if DatasetSpec::find(&card.data).is_none() {
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
    let versions = |image: Image| moves.iter().map(move |by| by.of(&image)).collect::<Vec<_>>();
    Ok((0..dataset.len()).flat_map(|index| versions(fit(index))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_exceeded_by_its_share() {
        for (n, rate, above) in [(1000, 0.05, 50), (40, 0.05, 2), (8, 0.05, 0), (50, 0.0, 0)] {
            let scores: Vec<f64> = (0..n).map(|i| f64::from((i * 7919) % n)).collect();
            let threshold = exceeded(scores.iter().copied(), rate);
            assert_eq!(scores.iter().filter(|score| **score > threshold).count(), above, "{n}");
        }
        let count = |len| (0..len).filter(|index| is_calibration_sample(*index, len)).count();
        assert_eq!((count(10_000), count(100)), (1000, 50));
    }
}
