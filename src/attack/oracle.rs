//! Oracles: what an attack may ask of its victim. [`Decision`] (labels) < [`Score`] (logits) <
//! [`Gradient`] (white box). Each counts what it is asked.
//!
//! How the input gradient is computed stays behind [`Gradient`]: burn's autodiff today, a faster
//! engine for frozen networks when there is one.

use crate::attack::goal::Goal;
use crate::attack::objective::{Objective, Scores};
use crate::error::Result;
use crate::model::{Classifier, Decided};
use burn_tensor::Tensor;

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
    /// log₂ of what each picture's gradient was multiplied by to keep it from underflowing (0 nearly
    /// always); see [`Objective::scaled`].
    pub log2_scale: Vec<f64>,
}

/// Answers with gradients too.
pub trait Gradient: Score {
    /// The objective's value and gradient at each picture of `[N, C, H, W]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn slope(&mut self, images: &Tensor<4>, goals: &[Goal], what: &dyn Objective) -> Result<Slope>;
}

/// A network, or a defended one under a stance, as an oracle of every kind.
pub struct Victim<'a> {
    network: &'a dyn Classifier,
    forward: u64,
    backward: u64,
    non_finite: u64,
    first: Option<(Tensor<4>, f64)>,
}

impl<'a> Victim<'a> {
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
    fn count(&mut self, Decided { logits, rejected }: Decided) -> Scores {
        let scores = Scores::new(logits, self.network.classes()).rejecting(rejected);
        self.non_finite += scores.non_finite() as u64;
        scores
    }

    /// The answers that count: see [`Classifier::decide`].
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    pub fn decide(&mut self, images: &Tensor<4>) -> Result<Scores> {
        self.forward += images.dims()[0] as u64;
        let decided = self.network.decide(images)?;
        Ok(self.count(decided))
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
        self.forward += images.dims()[0] as u64 * self.network.passes();
        let shown = self.network.shown(images)?;
        Ok(self.count(shown))
    }
}

impl Gradient for Victim<'_> {
    fn slope(&mut self, images: &Tensor<4>, goals: &[Goal], what: &dyn Objective) -> Result<Slope> {
        let [n, ..] = images.dims();
        let passes = n as u64 * self.network.passes();
        self.forward += passes;
        self.backward += passes;
        let coarse = self.network.takes_softmax();
        let classes = self.network.classes();
        let (mut loss, mut log2_scale) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut start = |logits: &[f32]| {
            let mut slopes = vec![0.0; n * classes];
            let rows = logits.chunks(classes).zip(goals).zip(slopes.chunks_mut(classes));
            for (at, ((row, goal), slope)) in rows.enumerate() {
                let (value, exponent) = match coarse {
                    true => (what.coarse(at, row, *goal, slope), 0.0),
                    false => what.scaled(at, row, *goal, slope),
                };
                loss.push(value as f32);
                log2_scale.push(exponent);
            }
            slopes.into_iter().map(|s| s as f32).collect()
        };
        let (decided, gradient) = self.network.slope(images, &mut start)?;
        if let (None, Some(exponent)) = (&self.first, log2_scale.first()) {
            self.first = Some((gradient.clone().slice(0..1), *exponent));
        }
        let scores = self.count(decided);
        Ok(Slope { scores, loss, gradient, log2_scale })
    }
}
