//! Oracles: what an attack may ask of its victim. [`Decision`] (labels) < [`Score`] (logits) <
//! [`Gradient`] (white box). Each counts what it is asked.
//!
//! How the input gradient is computed stays behind [`Gradient`]: burn's autodiff today, a faster
//! engine for frozen networks when there is one.

use crate::attack::goal::Goal;
use crate::attack::objective::{Objective, Scores};
use crate::error::Result;
use crate::model::Classifier;
use burn::tensor::Tensor;

/// Answers with labels only, and counts the questions.
pub trait Decision {
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
pub trait Score: Decision {
    /// The logits of each picture of `[N, C, H, W]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn scores(&mut self, images: &Tensor<4>) -> Result<Scores>;
}

/// A gradient query's answer.
pub struct Slope {
    /// The logits.
    pub scores: Scores,
    /// The objective's value for each picture.
    pub loss: Vec<f32>,
    /// Its gradient with respect to the pixels, `[N, C, H, W]`; each picture's own, not a mean.
    pub gradient: Tensor<4>,
    /// By what each picture's gradient was multiplied to keep it from underflowing (1 nearly
    /// always).
    pub scale: Vec<f64>,
}

/// Answers with gradients too.
pub trait Gradient: Score {
    /// The objective's value and gradient at each picture of `[N, C, H, W]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn slope(&mut self, images: &Tensor<4>, goals: &[Goal], what: &dyn Objective) -> Result<Slope>;
}

/// A stage before the network whose gradient counts as the identity: rounding, JPEG, a median …
pub type InputStage<'a> = &'a (dyn Fn(&Tensor<4>) -> Result<Tensor<4>> + 'a);

/// A network, perhaps behind input stages, as an oracle of every kind.
pub struct Victim<'a> {
    network: &'a dyn Classifier,
    stage: Option<InputStage<'a>>,
    forward: u64,
    backward: u64,
}

impl<'a> Victim<'a> {
    /// The bare network.
    pub fn new(network: &'a dyn Classifier) -> Self {
        Self { network, stage: None, forward: 0, backward: 0 }
    }

    /// The network behind `stage`, whose backward pass is the identity (BPDA, straight-through).
    pub fn behind(network: &'a dyn Classifier, stage: InputStage<'a>) -> Self {
        Self { stage: Some(stage), ..Self::new(network) }
    }

    fn staged(&self, images: &Tensor<4>) -> Result<Tensor<4>> {
        match self.stage {
            Some(stage) => stage(images),
            None => Ok(images.clone()),
        }
    }
}

impl Decision for Victim<'_> {
    fn labels(&mut self, images: &Tensor<4>) -> Result<Vec<usize>> {
        Ok(self.scores(images)?.labels())
    }

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn passes(&self) -> (u64, u64) {
        (self.forward, self.backward)
    }
}

impl Score for Victim<'_> {
    fn scores(&mut self, images: &Tensor<4>) -> Result<Scores> {
        self.forward += images.dims()[0] as u64;
        let logits = self.network.logits(&self.staged(images)?)?;
        Ok(Scores::new(logits, self.network.classes()))
    }
}

impl Gradient for Victim<'_> {
    fn slope(&mut self, images: &Tensor<4>, goals: &[Goal], what: &dyn Objective) -> Result<Slope> {
        let [n, ..] = images.dims();
        self.forward += n as u64;
        self.backward += n as u64;
        let classes = self.network.classes();
        let (mut loss, mut scale) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut start = |logits: &[f32]| {
            let mut slopes = vec![0.0; n * classes];
            let rows = logits.chunks(classes).zip(goals).zip(slopes.chunks_mut(classes));
            for (at, ((row, goal), slope)) in rows.enumerate() {
                loss.push(what.evaluate(at, row, *goal, slope) as f32);
                scale.push(rescale(slope));
            }
            slopes.into_iter().map(|s| s as f32).collect()
        };
        let (logits, gradient) = self.network.slope(&self.staged(images)?, &mut start)?;
        let scores = Scores::new(logits, classes);
        Ok(Slope { scores, loss, gradient, scale })
    }
}

/// Keeps a confident picture's slope (as small as e⁻¹⁰⁰) from underflowing in `f32` on its way back
/// through the network: scaled by a power of two, only where it is needed; says by which.
fn rescale(slope: &mut [f64]) -> f64 {
    let top = slope.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    if top == 0.0 || top >= 1e-12 {
        return 1.0;
    }
    let factor = (1e-3 / top).log2().floor().exp2();
    slope.iter_mut().for_each(|s| *s *= factor);
    factor
}
