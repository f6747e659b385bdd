//! Oracles: what an attack may ask of its victim. [`DecisionOracle`] (labels) < [`ScoreOracle`] (logits) <
//! [`GradientOracle`] (white box). Each counts what it is asked.
//!
//! How the input gradient is computed stays behind [`GradientOracle`]: burn's autodiff today, a faster
//! engine for frozen networks when there is one.

use crate::attack::goal::Goal;
use crate::attack::objective::{Logits, Objective};
use crate::error::Result;
use crate::model::{Classifier, ModelOutput};
use burn_tensor::Tensor;

/// Answers with labels only, and counts the questions.
pub trait DecisionOracle {
    /// The label of each picture of `[N, C, H, W]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn labels(&mut self, images: &Tensor<4>) -> Result<Vec<usize>>;

    /// Number of classes K.
    fn classes(&self) -> usize;

    /// Forward and backward passes so far, counted by picture.
    fn passes(&self) -> (u64, u64);
}

/// Answers with logits too.
pub trait ScoreOracle: DecisionOracle {
    /// The logits of each picture of `[N, C, H, W]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn logits(&mut self, images: &Tensor<4>) -> Result<Logits>;
}

/// A gradient query's answer.
pub struct LossGradient {
    /// The logits.
    pub logits: Logits,
    /// The objective's value for each picture.
    pub loss: Vec<f32>,
    /// Its gradient with respect to the pixels, `[N, C, H, W]`; each picture's own, not a mean.
    pub gradient: Tensor<4>,
    /// log₂ of what each picture's gradient was multiplied by to keep it from underflowing (0 nearly
    /// always); see [`Objective::evaluate_scaled`].
    pub log2_scale: Vec<f64>,
}

/// Answers with gradients too.
pub trait GradientOracle: ScoreOracle {
    /// The objective's value and gradient at each picture of `[N, C, H, W]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn gradient(
        &mut self,
        images: &Tensor<4>,
        goals: &[Goal],
        objective: &dyn Objective,
    ) -> Result<LossGradient>;
}

/// A network, or a defended one under a stance, as an oracle of every kind.
pub struct TargetModel<'a> {
    network: &'a dyn Classifier,
    forward: u64,
    backward: u64,
    non_finite: u64,
    first: Option<(Tensor<4>, f64)>,
}

impl<'a> TargetModel<'a> {
    /// An oracle that nobody has asked yet.
    pub fn new(network: &'a dyn Classifier) -> Self {
        Self { network, forward: 0, backward: 0, non_finite: 0, first: None }
    }

    /// The first picture's first gradient, `[1, C, H, W]`, and log₂ of what it was multiplied by; none where
    /// nobody has asked for one.
    pub fn first_gradient(&self) -> Option<&(Tensor<4>, f64)> {
        self.first.as_ref()
    }

    /// How many of its answers so far, counted by picture, had a logit that is infinite or not a
    /// number.
    pub fn non_finite(&self) -> u64 {
        self.non_finite
    }

    /// Logits as scores; those that are no numbers are counted.
    fn count(&mut self, ModelOutput { logits, rejected }: ModelOutput) -> Logits {
        let logits = Logits::new(logits, self.network.classes()).rejecting(rejected);
        self.non_finite += logits.non_finite() as u64;
        logits
    }

    /// The answers that count: see [`Classifier::decide`].
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    pub fn decide(&mut self, images: &Tensor<4>) -> Result<Logits> {
        self.forward += images.dims()[0] as u64;
        let decided = self.network.predict(images)?;
        Ok(self.count(decided))
    }
}

impl DecisionOracle for TargetModel<'_> {
    fn labels(&mut self, images: &Tensor<4>) -> Result<Vec<usize>> {
        Ok(self.logits(images)?.labels())
    }

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn passes(&self) -> (u64, u64) {
        (self.forward, self.backward)
    }
}

impl ScoreOracle for TargetModel<'_> {
    fn logits(&mut self, images: &Tensor<4>) -> Result<Logits> {
        self.forward += images.dims()[0] as u64 * self.network.passes();
        let shown = self.network.query(images)?;
        Ok(self.count(shown))
    }
}

impl GradientOracle for TargetModel<'_> {
    fn gradient(
        &mut self,
        images: &Tensor<4>,
        goals: &[Goal],
        objective: &dyn Objective,
    ) -> Result<LossGradient> {
        let [n, ..] = images.dims();
        let passes = n as u64 * self.network.passes();
        self.forward += passes;
        self.backward += passes;
        let single_precision = self.network.single_precision_softmax();
        let classes = self.network.classes();
        let (mut loss, mut log2_scale) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut start = |logits: &[f32]| {
            let mut logit_gradients = vec![0.0; n * classes];
            let rows = logits.chunks(classes).zip(goals).zip(logit_gradients.chunks_mut(classes));
            for (at, ((row, goal), logit_gradient)) in rows.enumerate() {
                let (value, exponent) = match single_precision {
                    true => (objective.evaluate_f32(at, row, *goal, logit_gradient), 0.0),
                    false => objective.evaluate_scaled(at, row, *goal, logit_gradient),
                };
                loss.push(value as f32);
                log2_scale.push(exponent);
            }
            logit_gradients.into_iter().map(|s| s as f32).collect()
        };
        let (decided, gradient) = self.network.input_gradient(images, &mut start)?;
        if let (None, Some(exponent)) = (&self.first, log2_scale.first()) {
            self.first = Some((gradient.clone().slice(0..1), *exponent));
        }
        let logits = self.count(decided);
        Ok(LossGradient { logits, loss, gradient, log2_scale })
    }
}
