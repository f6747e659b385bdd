//! Models: cards, networks, and the built-in ones.
//!
//! A model takes images `[N, C, H, W]` with pixels in 0..1 and gives logits `[N, K]`. Normalisation
//! belongs to it: nothing outside ever sees normalised pixels.
//!
//! A card lists the layers ([`ops`]); they become a graph of values and nodes, which burn runs on any
//! device, and the CPU engine on the CPU.

mod activation_swap;
mod architecture;
mod autodiff;
mod card;
mod card_errors;
mod cpu;
mod graph;
mod graph_builder;
mod memory_estimate;
mod network;
pub mod ops;
mod other_formats;
mod posterior;
mod sampling;
mod sanity_check;
mod shape;
mod store;
mod summary;
mod untrusted;
mod weights;

pub use activation_swap::ActivationSwap;
pub use card::{Accuracy, Card, InputSpec, Normalisation, RobustAccuracy};
pub use network::Network;
pub use ops::Layer;
pub use store::{Model, ModelIdentity, catalogue, find_card};
pub use summary::LayerSummary;
pub use weights::{Weights, floats, read_tensors, write_tensors};

use crate::error::{Error, Result};
use burn_tensor::{Device, Tensor};

/// A differentiable classifier: a [`Network`], or a pipeline of defences round one.
pub trait Classifier: Send + Sync {
    /// Logits `[N, K]` (never probabilities), row by row, of images `[N, C, H, W]` in 0..1.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn logits(&self, images: &Tensor<4>) -> Result<Vec<f32>>;

    /// What an attacker's query returns: logits, and for which images it knows that the prediction
    /// is another one than the logits say (of a detector, the rejected ones).
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn query(&self, images: &Tensor<4>) -> Result<ModelOutput> {
        Ok(ModelOutput { logits: self.logits(images)?, rejected: Vec::new() })
    }

    /// As [`Self::query`], and the gradient `[N, C, H, W]` of Σ logits·`logit_gradient(logits)` with
    /// respect to the pixels: the vector-Jacobian product. `logit_gradient` is called once, with the
    /// N·K logits, and gives as many numbers: the gradient of the loss with respect to the logits.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn input_gradient(
        &self,
        images: &Tensor<4>,
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(ModelOutput, Tensor<4>)>;

    /// The predictions that count when robustness is measured. Those of a randomised defence come
    /// from random numbers that no attack has met.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn predict(&self, images: &Tensor<4>) -> Result<ModelOutput> {
        Ok(ModelOutput { logits: self.logits(images)?, rejected: Vec::new() })
    }

    /// Whether a loss on it is to be differentiated in single precision behind the softmax, where it
    /// may vanish, instead of exactly on the logits.
    fn single_precision_softmax(&self) -> bool {
        false
    }

    /// Number of forward passes through a network that one prediction takes.
    fn passes(&self) -> u64 {
        1
    }

    /// `[C, H, W]`.
    fn input_shape(&self) -> [usize; 3];

    /// Number of classes K.
    fn classes(&self) -> usize;

    /// The device on which it computes.
    fn device(&self) -> &Device;
}

/// Predictions for N images.
#[derive(Clone, Debug, Default)]
pub struct ModelOutput {
    /// Logits `[N, K]`, row by row; of a vote, the logarithms of the shares.
    pub logits: Vec<f32>,
    /// Which images are rejected instead of classified: detected as adversarial, or the vote too
    /// close. Empty: none.
    pub rejected: Vec<bool>,
}

/// The class of the largest logit, the first of equals; none where a logit is infinite or not a
/// number.
pub fn argmax(row: &[f32]) -> Option<usize> {
    let classes = 0..row.len();
    all_finite(row).then(|| classes.reduce(|best, k| if row[k] > row[best] { k } else { best }))?
}

/// Whether every logit of an image is a finite number.
pub fn all_finite(row: &[f32]) -> bool {
    row.iter().all(|z| z.is_finite())
}

/// Reads a tensor, turning a device failure into our error.
fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))
}
