//! Transformations of an image before the network sees it, and how a gradient gets back through them.

use crate::data::Image;
use crate::error::{Error, Result};
use crate::rng::{KeyedRng, RngKey};
use std::borrow::Borrow;

/// A transformation of one image `[C, H, W]`; keeps its shape, and stays in 0..1 unless it says
/// otherwise.
pub trait Transform: Send + Sync {
    /// The transformed image. Whatever is random comes from `rng`.
    ///
    /// # Errors
    /// Failure, when a codec fails.
    fn apply(&self, image: &Image, rng: &mut KeyedRng) -> Result<Image>;

    /// The vector-Jacobian product: from the gradient with respect to the output, `[C, H, W]`, to that
    /// with respect to `image`, which went in, under the same random numbers. Stages of
    /// [`BackwardRule::StraightThrough`] are not asked and need none.
    ///
    /// # Errors
    /// As [`Self::apply`]; failure, where there is none.
    fn vjp(&self, image: &Image, gradient: Vec<f32>, rng: &mut KeyedRng) -> Result<Vec<f32>> {
        let (_, _, _) = (image, gradient, rng);
        Err(Error::failure("a stage has no gradient of its own", "defence", ""))
    }
}

/// How a gradient gets through a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackwardRule {
    /// The stage is differentiable and is differentiated.
    Exact,
    /// The stage is not (usefully) differentiable: forwards it is exact, backwards it counts as the
    /// identity (BPDA with the straight-through estimator; Athalye et al. 2018).
    StraightThrough,
    /// The stage is not differentiable either, and brings a gradient of its own in place of the missing
    /// one: that of a smooth function near it (BPDA).
    Own,
}

impl BackwardRule {
    /// In lists: `exact`.
    pub fn text(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::StraightThrough => "straight-through",
            Self::Own => "of its own",
        }
    }
}

/// A transformation in its place.
pub struct PipelineStage {
    /// What it does.
    pub transform: Box<dyn Transform>,
    /// How a gradient gets through.
    pub backward: BackwardRule,
    /// Whether it does something else each time.
    pub randomised: bool,
}

/// Stages draw from parts of an [`RngKey`] that no layer of a network draws from.
const STAGES: u64 = 1 << 32;

/// The image before each stage, and last the output of all of them; `first` is the number of the
/// first stage.
///
/// # Errors
/// Those of the stages.
pub fn forward<S: Borrow<PipelineStage>>(
    stages: &[S],
    first: usize,
    image: &Image,
    rng_key: RngKey,
) -> Result<Vec<Image>> {
    let mut inputs = vec![image.clone()];
    for (at, stage) in stages.iter().enumerate() {
        let mut rng = rng_key.rng(STAGES | (first + at) as u64);
        let next = stage.borrow().transform.apply(&inputs[at], &mut rng)?;
        inputs.push(next);
    }
    Ok(inputs)
}

/// From the gradient `[C, H, W]` with respect to the output of all stages to that with respect to the
/// image before them. `inputs` is what [`forward`] gave with the same `rng_key`. Where `bpda` is
/// false, a stage that is not differentiable lets no gradient through.
///
/// # Errors
/// Those of the stages.
pub fn backward<S: Borrow<PipelineStage>>(
    stages: &[S],
    first: usize,
    inputs: &[Image],
    mut gradient: Vec<f32>,
    (rng_key, bpda): (RngKey, bool),
) -> Result<Vec<f32>> {
    for (at, stage) in stages.iter().map(S::borrow).enumerate().rev() {
        match stage.backward {
            BackwardRule::StraightThrough | BackwardRule::Own if !bpda => {
                gradient.fill(0.0);
                return Ok(gradient);
            }
            BackwardRule::StraightThrough => {}
            BackwardRule::Exact | BackwardRule::Own => {
                let mut rng = rng_key.rng(STAGES | (first + at) as u64);
                gradient = stage.transform.vjp(&inputs[at], gradient, &mut rng)?;
            }
        }
    }
    Ok(gradient)
}
