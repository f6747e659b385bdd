//! Oracles: what an attack may query of the model it attacks. The threat model is the type of the
//! oracle: [`DecisionOracle`] gives labels only, [`ScoreOracle`] logits too, [`GradientOracle`] (white
//! box) gradients too. An attack that is handed a [`DecisionOracle`] cannot see a gradient.
//!
//! An own oracle, say in front of a service that answers over the network, implements the first one
//! or two of these traits and can then be attacked by every attack that needs no more.

use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::objective::Objective;
use crate::error::Result;
use crate::model::{Classifier, ModelOutput};
use burn_tensor::Device;

/// Gives labels, and counts the queries. The least that an attack can work with.
pub trait DecisionOracle {
    /// The predicted label of each of `images`, `[N, C, H, W]` in 0..1.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn labels(&mut self, images: &ImageBatch) -> Result<Vec<usize>>;

    /// Number of classes K.
    fn classes(&self) -> usize;

    /// Forward and backward passes so far, each image counted once a pass.
    fn passes(&self) -> (u64, u64);
}

/// Gives logits too.
pub trait ScoreOracle: DecisionOracle {
    /// The logits, `[N, K]`, of `images`, `[N, C, H, W]` in 0..1.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn logits(&mut self, images: &ImageBatch) -> Result<Logits>;
}

/// A loss and its gradient with respect to the pixels, for N images.
pub struct LossGradient {
    /// The logits, `[N, K]`.
    pub logits: Logits,
    /// The loss of each image, `[N]`.
    pub loss: Vec<f32>,
    /// The gradient of each image's own loss (not of the mean) with respect to its pixels,
    /// `[N, C, H, W]`, times two to the power of its `log2_scale`.
    pub gradient: ImageBatch,
    /// The binary exponent that each image's gradient was scaled by to keep it from underflowing,
    /// `[N]`; 0 nearly always. See [`Objective::evaluate_scaled`].
    pub log2_scale: Vec<f64>,
}

/// Gives gradients too: the white box.
pub trait GradientOracle: ScoreOracle {
    /// The value of `objective` and its gradient with respect to the pixels, for each of `images`,
    /// `[N, C, H, W]` in 0..1, with its goal, `[N]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn gradient(
        &mut self,
        images: &ImageBatch,
        goals: &[Goal],
        objective: &dyn Objective,
    ) -> Result<LossGradient>;
}

/// The model under attack, bare or defended, as an oracle of every kind. It counts the passes that
/// it is asked for, and it is the only place where images become tensors on the device.
pub struct TargetModel<'a> {
    classifier: &'a dyn Classifier,
    forward: u64,
    backward: u64,
    non_finite: u64,
    first_gradient: Option<(Vec<f32>, f64)>,
}

impl<'a> TargetModel<'a> {
    /// The oracle of a classifier, with all counts at zero.
    pub fn new(classifier: &'a dyn Classifier) -> Self {
        Self { classifier, forward: 0, backward: 0, non_finite: 0, first_gradient: None }
    }

    /// The first gradient that was queried, of the first image, C·H·W values, and the binary
    /// exponent it was scaled by; none where no gradient was queried.
    pub fn first_gradient(&self) -> Option<(&[f32], f64)> {
        self.first_gradient.as_ref().map(|(gradient, log2_scale)| (&gradient[..], *log2_scale))
    }

    /// For how many images so far a logit was infinite or not a number.
    pub fn non_finite(&self) -> u64 {
        self.non_finite
    }

    /// The final predictions for `images`, `[N, C, H, W]`: see [`Classifier::predict`]. The judge
    /// looks at these, no attack does.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    pub fn predict(&mut self, images: &ImageBatch) -> Result<Logits> {
        self.forward += images.len() as u64;
        let output = self.classifier.predict(&images.to_tensor(self.classifier.device()))?;
        Ok(self.checked(output))
    }

    /// The device that the model computes on.
    pub(super) fn device(&self) -> &Device {
        self.classifier.device()
    }

    /// The logits, after counting those that are no numbers.
    fn checked(&mut self, ModelOutput { logits, rejected }: ModelOutput) -> Logits {
        let logits = Logits::new(logits, self.classifier.classes()).rejecting(rejected);
        self.non_finite += logits.non_finite() as u64;
        logits
    }
}

impl DecisionOracle for TargetModel<'_> {
    fn labels(&mut self, images: &ImageBatch) -> Result<Vec<usize>> {
        Ok(self.logits(images)?.labels())
    }

    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn passes(&self) -> (u64, u64) {
        (self.forward, self.backward)
    }
}

impl ScoreOracle for TargetModel<'_> {
    fn logits(&mut self, images: &ImageBatch) -> Result<Logits> {
        self.forward += images.len() as u64 * self.classifier.passes();
        let output = self.classifier.query(&images.to_tensor(self.classifier.device()))?;
        Ok(self.checked(output))
    }
}

impl GradientOracle for TargetModel<'_> {
    fn gradient(
        &mut self,
        images: &ImageBatch,
        goals: &[Goal],
        objective: &dyn Objective,
    ) -> Result<LossGradient> {
        let (n, classes) = (images.len(), self.classifier.classes());
        let passes = n as u64 * self.classifier.passes();
        self.forward += passes;
        self.backward += passes;
        let single_precision = self.classifier.single_precision_softmax();
        let (mut loss, mut log2_scale) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut logit_gradient = |logits: &[f32]| -> Vec<f32> {
            let mut gradients = vec![0.0; n * classes];
            let rows = logits.chunks(classes).zip(goals).zip(gradients.chunks_mut(classes));
            for (at, ((row, goal), gradient)) in rows.enumerate() {
                let (value, exponent) = match single_precision {
                    true => (objective.evaluate_f32(at, row, *goal, gradient), 0.0),
                    false => objective.evaluate_scaled(at, row, *goal, gradient),
                };
                loss.push(value as f32);
                log2_scale.push(exponent);
            }
            gradients.into_iter().map(|g| g as f32).collect()
        };
        let tensor = images.to_tensor(self.classifier.device());
        let (output, gradient) = self.classifier.input_gradient(&tensor, &mut logit_gradient)?;
        let gradient = ImageBatch::from_tensor(gradient)?;
        if let (None, Some(exponent)) = (&self.first_gradient, log2_scale.first()) {
            self.first_gradient = Some((gradient.row(0).to_vec(), *exponent));
        }
        let logits = self.checked(output);
        Ok(LossGradient { logits, loss, gradient, log2_scale })
    }
}
