//! How far the weights of a network are sampled around what the file holds.

use crate::error::Result;
use crate::model::weights::Weights;

/// How far a tensor's values are drawn around what the file holds.
pub(super) enum WeightPosterior {
    /// By these standard deviations: the file's tensor of the same name with `.sigma` behind it.
    Known(Vec<f32>),
    /// By a share of each value's size.
    Share,
    /// Not at all: statistics are no weights.
    None,
}

impl WeightPosterior {
    /// What the tensor with the standard deviations of the tensor `name` is called.
    pub(super) fn sigma(name: &str) -> String {
        format!("{name}.sigma")
    }

    /// Of the tensor `name`.
    ///
    /// # Errors
    /// Failure, for standard deviations of another shape or that are not finite.
    pub(super) fn find(weights: &Weights, name: &str, shape: &[usize]) -> Result<Self> {
        let sigma = Self::sigma(name);
        match name.rsplit('.').next() {
            _ if weights.has(&sigma) => Ok(Self::Known(weights.get(&sigma, shape)?.to_vec())),
            Some("running_mean" | "running_var") => Ok(Self::None),
            _ => Ok(Self::Share),
        }
    }
}
