//! [`Momentum`]: the direction of the steps of MI-FGSM and the transfer attacks built on it. The
//! gradient, taken at the image or ahead of it, of the image or of transformed copies, possibly
//! blurred or corrected by the gradients around it, is added to a momentum.
//!
//! **The size of the momentum.** The papers divide each gradient by its L1 norm; their authors' code,
//! and torchattacks, by the mean of its absolute values, which is d times less. For the sign of the
//! momentum that makes no difference, but the look-ahead α·μ·g of the Nesterov attacks is d times
//! longer with the mean, and next to nothing with the norm. The mean is used here: the published
//! results are made with it.

use crate::attack::context::AttackContext;
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::eot::EotOracle;
use crate::attack::methods::gradient_steps::GradientEstimator;
use crate::attack::methods::input_diversity::{ResizePad, blur, gaussian};
use crate::attack::objective::times_power_of_two;
use crate::attack::oracle::LossGradient;
use crate::error::Result;
use crate::rng::KeyedRng;

/// A momentum with what the transfer attacks add to it; with everything off it is that of MI-FGSM.
#[derive(Default)]
pub(super) struct Momentum {
    /// μ, the share of the momentum that stays from step to step.
    pub decay: f64,
    /// Nesterov: α·μ, how far along the momentum the gradient is taken; 0 without.
    pub ahead: f32,
    /// The input transformation.
    pub view: InputView,
    /// Width in pixels of the Gaussian kernel that blurs the gradient; `None`: not blurred.
    pub blur: Option<usize>,
    /// Variance tuning: number of neighbours, and their largest distance in pixel units of 0..1.
    pub neighbours: Option<(usize, f32)>,
    memory: Vec<Vec<f64>>,
    variance: Vec<Option<Scaled>>,
    draws: Vec<KeyedRng>,
}

/// The input transformation that the gradient is taken through.
#[derive(Clone, Copy, Default)]
pub(super) enum InputView {
    /// None: the image itself.
    #[default]
    Plain,
    /// So many copies, divided by 1, 2, 4, …; their gradients are averaged.
    Scales(usize),
    /// With this probability, the image shrunk to no less than this share of its side and padded.
    ResizePad(f64, f64),
}

impl GradientEstimator for Momentum {
    fn reset(&mut self, context: &AttackContext<'_>, active: &[usize], draws: Vec<KeyedRng>) {
        self.memory = vec![vec![0.0; context.x.size()]; active.len()];
        self.variance = vec![None; active.len()];
        self.draws = draws;
    }

    fn estimate(
        &mut self,
        eot_oracle: &mut EotOracle<'_>,
        context: &mut AttackContext<'_>,
        active: &[usize],
        at: &ImageBatch,
    ) -> Result<LossGradient> {
        let mut found = self.gradient(eot_oracle, context, active, at)?;
        if self.ahead != 0.0 || !matches!(self.view, InputView::Plain) {
            // The gradient was taken elsewhere: logits and loss of the image itself are queried.
            (found.logits, found.loss) = eot_oracle.logits(context, active, at)?;
        }
        let around = match self.neighbours {
            None => None,
            Some((count, radius)) => {
                let mut version = |k: usize, _: usize| -> Vec<f32> {
                    let draws = &mut self.draws[k];
                    at.row(k).iter().map(|p| p + draws.signed() * radius).collect()
                };
                Some(eot_oracle.mean(context, active, count, &mut version, &|_| 1.0)?)
            }
        };
        let [_, h, w] = at.shape();
        for k in 0..active.len() {
            let here = Scaled::of(&found, k);
            let Scaled { values: mut way, .. } = match &self.variance[k] {
                Some(variance) => here.plus(1.0, variance),
                None => here.clone(),
            };
            if let Some(around) = &around {
                self.variance[k] = Some(Scaled::of(around, k).plus(-1.0, &here));
            }
            if let Some(width) = self.blur {
                blur(&mut way, h, w, &gaussian(width));
            }
            let mean = way.iter().map(|v| v.abs()).sum::<f64>() / way.len() as f64;
            // A zero gradient adds nothing to the momentum, and no NaN either.
            let share = if mean > 0.0 { 1.0 / mean } else { 0.0 };
            let memory = &mut self.memory[k];
            memory.iter_mut().zip(way).for_each(|(m, way)| *m = self.decay * *m + way * share);
            let direction = found.gradient.row_mut(k).iter_mut();
            direction.zip(memory).for_each(|(d, m)| *d = *m as f32);
        }
        Ok(found)
    }
}

/// A vector times 2ᵉ, which would underflow without its exponent.
#[derive(Clone)]
struct Scaled {
    values: Vec<f64>,
    exponent: f64,
}

impl Scaled {
    /// The gradient of the image in row `row`.
    fn of(gradients: &LossGradient, row: usize) -> Self {
        let values = gradients.gradient.row(row).iter().map(|g| f64::from(*g)).collect();
        Self { values, exponent: gradients.log2_scale[row] }
    }

    /// The sum with `share` times the other, at the exponent of the larger one.
    fn plus(&self, share: f64, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let [own, others] = [self, other].map(|v| times_power_of_two(1.0, exponent - v.exponent));
        let pairs = self.values.iter().zip(&other.values);
        let values = pairs.map(|(a, b)| own * a + share * others * b).collect();
        Self { values, exponent }
    }
}

impl Momentum {
    /// Plain momentum with μ = `decay`.
    pub fn new(decay: f64) -> Self {
        Self { decay, ..Self::default() }
    }

    /// The gradient at the image, or ahead of it, through the input transformation.
    fn gradient(
        &mut self,
        eot_oracle: &mut EotOracle<'_>,
        context: &mut AttackContext<'_>,
        active: &[usize],
        at: &ImageBatch,
    ) -> Result<LossGradient> {
        let mut points = at.clone();
        if self.ahead != 0.0 {
            for (k, memory) in self.memory.iter().enumerate() {
                let point = points.row_mut(k).iter_mut();
                point.zip(memory).for_each(|(p, m)| *p += self.ahead * *m as f32);
            }
        }
        match self.view {
            InputView::Plain => eot_oracle.gradients(context, active, &points),
            InputView::Scales(scales) => {
                // The image is divided by 2ⁱ, and so by the chain rule is its gradient.
                let scale = |copy: usize| 0.5_f64.powi(copy as i32);
                let mut version = |k: usize, copy: usize| -> Vec<f32> {
                    points.row(k).iter().map(|p| p * scale(copy) as f32).collect()
                };
                eot_oracle.mean(context, active, scales, &mut version, &scale)
            }
            InputView::ResizePad(probability, rate) => {
                let [_, h, w] = at.shape();
                let mut views = Vec::with_capacity(active.len());
                for (k, draws) in self.draws.iter_mut().enumerate() {
                    let shrinks = f64::from(draws.unit()) < probability;
                    views.push(shrinks.then(|| ResizePad::draw(h, w, rate, draws)));
                    if let Some(view) = &views[k] {
                        let shown = view.apply(points.row(k));
                        points.row_mut(k).copy_from_slice(&shown);
                    }
                }
                let mut found = eot_oracle.gradients(context, active, &points)?;
                for (k, view) in views.iter().enumerate() {
                    if let Some(view) = view {
                        let back = view.pull_back(found.gradient.row(k));
                        found.gradient.row_mut(k).copy_from_slice(&back);
                    }
                }
                Ok(found)
            }
        }
    }
}
