//! What stands before a network: transformations of pictures, with the way back that an attack who
//! knows them takes.

use crate::data::Image;
use crate::defence::registry::BackwardRule;
use crate::error::Result;
use crate::rng::{KeyedRng, RngKey};
use std::borrow::Borrow;

/// A transformation of one picture; keeps its shape, and stays in 0..1 unless it says otherwise.
pub trait Transform: Send + Sync {
    /// The transformed picture. Whatever is random comes from `draws`.
    ///
    /// # Errors
    /// Failure, when a codec fails.
    fn apply(&self, picture: &Image, draws: &mut KeyedRng) -> Result<Image>;

    /// From the gradient with respect to what came out (`[C, H, W]`) to that with respect to
    /// `picture`, which went in, under the same `draws`. As it stands, the identity: right for a
    /// stage that declares itself straight-through, a mistake for one that declares itself exact.
    ///
    /// # Errors
    /// As [`Self::apply`].
    fn vjp(&self, picture: &Image, gradient: Vec<f32>, draws: &mut KeyedRng) -> Result<Vec<f32>> {
        let (_, _) = (picture, draws);
        Ok(gradient)
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

/// Stages draw from parts of a [`RngKey`] that no layer of a network draws from.
const STAGES: u64 = 1 << 32;

/// What a picture is before each stage, and last what it is behind all of them; `first` is the
/// number of the first stage.
///
/// # Errors
/// Those of the stages.
pub fn forward<S: Borrow<PipelineStage>>(
    stages: &[S],
    first: usize,
    picture: &Image,
    rng_key: RngKey,
) -> Result<Vec<Image>> {
    let mut trail = vec![picture.clone()];
    for (at, stage) in stages.iter().enumerate() {
        let mut draws = rng_key.rng(STAGES | (first + at) as u64);
        let next = stage.borrow().transform.apply(&trail[at], &mut draws)?;
        trail.push(next);
    }
    Ok(trail)
}

/// The way back of [`forward`]: from the gradient behind all stages to that before them. Where
/// `through` is false, a stage without a usable gradient lets none through.
///
/// # Errors
/// Those of the stages.
pub fn backward<S: Borrow<PipelineStage>>(
    stages: &[S],
    first: usize,
    trail: &[Image],
    mut gradient: Vec<f32>,
    (rng_key, through): (RngKey, bool),
) -> Result<Vec<f32>> {
    for (at, stage) in stages.iter().map(S::borrow).enumerate().rev() {
        if stage.backward == BackwardRule::StraightThrough && !through {
            gradient.fill(0.0);
            return Ok(gradient);
        }
        let mut draws = rng_key.rng(STAGES | (first + at) as u64);
        gradient = stage.transform.vjp(&trail[at], gradient, &mut draws)?;
    }
    Ok(gradient)
}
