//! What one step learns: the images, after the inner attack, and the loss on their logits.

use crate::error::Result;
use crate::model::{Classifier, Network, argmax};
use crate::rng::RngKey;
use crate::training::batch::Batch;
use crate::training::inner_attack::{FillLogitGradient, maximise, pictures};
use crate::training::loss;
use crate::training::recipe::{InnerAttack, TrainingMethod};

/// The loss of image `i`, with its gradient with respect to the logits of the clean image and of
/// the attacked one; the two are one and the same where the lesson is not paired.
type Loss<'a> = Box<dyn Fn(usize, [&[f32]; 2], [&mut [f64]; 2]) -> f64 + 'a>;

/// Images and the loss on them.
pub struct StepLoss<'a> {
    /// `[N, C, H, W]`, or twice as many: the clean ones, then the attacked ones.
    images: Vec<f32>,
    paired: bool,
    rng_keys: Vec<RngKey>,
    labels: &'a [usize],
    loss: Loss<'a>,
}

/// What came of a lesson.
pub struct StepGradients {
    /// The mean loss.
    pub loss: f64,
    /// The share of the (attacked) images classified rightly.
    pub accuracy: f32,
    /// One list a weight tensor.
    pub gradients: Vec<Vec<f32>>,
}

/// Networks that a method asks besides the one that learns.
#[derive(Default)]
pub struct PeerNetworks<'a> {
    /// The teacher of a distillation, once the student learns.
    pub teacher: Option<&'a Network>,
    /// The other member of a pair.
    pub other: Option<&'a Network>,
}

impl<'a> StepLoss<'a> {
    /// The lesson of a batch: runs the method's attack, at `ramp` of its ε, on `network`.
    ///
    /// # Errors
    /// Device failures.
    pub fn new(
        method: &'a TrainingMethod,
        network: &Network,
        peers: &PeerNetworks<'_>,
        batch: &'a Batch,
        ramp: f64,
        seed: u64,
    ) -> Result<Self> {
        let labels = &batch.labels[..];
        let plain = |loss: Loss<'a>| Self {
            images: batch.pixels.clone(),
            paired: false,
            rng_keys: batch.rng_keys.clone(),
            labels,
            loss,
        };
        let by_truth: FillLogitGradient<'_> = &|i, row, slope| {
            loss::cross_entropy(row, labels[i], slope);
        };
        let attacked = |adversary: &InnerAttack, pull: FillLogitGradient<'_>| {
            let adversary = InnerAttack { epsilon: adversary.epsilon * ramp, ..*adversary };
            maximise(network, &batch.pixels, &adversary, seed, &batch.samples, pull)
        };
        let paired = |after: Vec<f32>, loss: Loss<'a>| {
            let images = [&batch.pixels[..], &after].concat();
            let rng_keys = [&batch.rng_keys[..], &batch.rng_keys].concat();
            Self { images, paired: true, rng_keys, labels, loss }
        };
        let ordinary = || -> Loss<'a> {
            Box::new(move |i, [row, _], [slope, _]| loss::cross_entropy(row, labels[i], slope))
        };
        Ok(match *method {
            TrainingMethod::Standard
            | TrainingMethod::Gaussian { .. }
            | TrainingMethod::Bayes { .. } => plain(ordinary()),
            TrainingMethod::LabelSmoothing { alpha } => {
                plain(Box::new(move |i, [row, _], [slope, _]| {
                    let wanted = loss::smoothed(labels[i], alpha, row.len());
                    loss::soft_cross_entropy(row, &wanted, slope)
                }))
            }
            TrainingMethod::Adversarial(adversary) => {
                Self { images: attacked(&adversary, by_truth)?, ..plain(ordinary()) }
            }
            TrainingMethod::Trades { adversary, beta } => {
                let clean = answers(network, batch)?;
                let after = attacked(&adversary, &|i, row, slope| {
                    let classes = row.len();
                    let clean = &clean[i * classes..][..classes];
                    loss::divergence(clean, row, 1.0, [&mut vec![0.0; classes], slope]);
                })?;
                paired(
                    after,
                    Box::new(move |i, rows, slopes| loss::trades(rows, labels[i], beta, slopes)),
                )
            }
            TrainingMethod::Mart { adversary, lambda } => paired(
                attacked(&adversary, by_truth)?,
                Box::new(move |i, rows, slopes| loss::mart(rows, labels[i], lambda, slopes)),
            ),
            TrainingMethod::Distillation { temperature } => {
                let teacher = peers.teacher.map(|t| answers(t, batch)).transpose()?;
                plain(Box::new(move |i, [row, _], [slope, _]| {
                    let cooled = loss::cooled(row, temperature);
                    let loss = match &teacher {
                        None => loss::cross_entropy(&cooled, labels[i], slope),
                        Some(teacher) => {
                            let answer = &teacher[i * row.len()..][..row.len()];
                            let wanted = loss::tempered(answer, temperature);
                            loss::soft_cross_entropy(&cooled, &wanted, slope)
                        }
                    };
                    slope.iter_mut().for_each(|s| *s /= temperature);
                    loss
                }))
            }
            TrainingMethod::Diverse { alpha, beta } => {
                let others = peers.other.map(|o| answers(o, batch)).transpose()?;
                plain(Box::new(move |i, [row, _], [slope, _]| {
                    let loss = loss::cross_entropy(row, labels[i], slope);
                    let Some(others) = &others else { return loss };
                    let other = &others[i * row.len()..][..row.len()];
                    loss - loss::diversity(row, other, labels[i], [alpha, beta], slope)
                }))
            }
        })
    }

    /// Loss, accuracy and the gradients of `network`'s weights.
    ///
    /// # Errors
    /// Device failures.
    pub fn evaluate(&self, network: &Network) -> Result<StepGradients> {
        let (n, classes) = (self.labels.len(), network.classes());
        let (mut loss, mut right) = (0.0, 0);
        let images = pictures(&self.images, network.input_shape(), network.device());
        let (_, gradients) = network.weight_gradients(&images, &self.rng_keys, &mut |logits| {
            let mut slopes = vec![0.0_f64; logits.len()];
            let (clean, attacked) = logits.split_at(if self.paired { n * classes } else { 0 });
            let (on_clean, on_attacked) = slopes.split_at_mut(clean.len());
            let rows = attacked.chunks(classes).zip(on_attacked.chunks_mut(classes));
            let mut unused = vec![0.0; classes];
            for (i, (row, slope)) in rows.enumerate() {
                let at = i * classes..(i + 1) * classes;
                loss += match self.paired {
                    true => {
                        let slopes = [&mut on_clean[at.clone()], slope];
                        (self.loss)(i, [&clean[at], row], slopes)
                    }
                    false => (self.loss)(i, [row, row], [slope, &mut unused]),
                };
                right += usize::from(argmax(row) == Some(self.labels[i]));
            }
            slopes.into_iter().map(|s| (s / n as f64) as f32).collect()
        })?;
        Ok(StepGradients { loss: loss / n as f64, accuracy: right as f32 / n as f32, gradients })
    }
}

/// The logits of a batch's own images.
fn answers(network: &Network, batch: &Batch) -> Result<Vec<f32>> {
    network.logits(&pictures(&batch.pixels, network.input_shape(), network.device()))
}
