//! Models: cards, networks, and the store of embedded ones.
//!
//! A model takes pixels in 0..1, `[N, C, H, W]`, and answers with logits, `[N, K]`. Normalisation
//! belongs to it: nothing outside ever sees normalised pixels.

mod activation_swap;
mod architecture;
mod card;
mod card_errors;
mod cpu;
mod graph;
mod memory_estimate;
mod network;
pub mod ops;
mod other_formats;
mod posterior;
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

/// Anything that answers pixels with logits.
pub trait Classifier: Send + Sync {
    /// Logits `[N, K]` (never probabilities), row by row on the host, of pictures `[N, C, H, W]` in
    /// 0..1.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn logits(&self, images: &Tensor<4>) -> Result<Vec<f32>>;

    /// What the attacker is shown: logits, and which of the pictures it knows to get another answer
    /// than they show (of a defence that detects, the refused ones).
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn query(&self, images: &Tensor<4>) -> Result<ModelOutput> {
        Ok(ModelOutput { logits: self.logits(images)?, rejected: Vec::new() })
    }

    /// As [`Self::query`], and the gradient of Σ logits·`logit_gradient(logits)` with respect to the pixels,
    /// `[N, C, H, W]`; `logit_gradient` answers N·K logits with as many numbers.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn input_gradient(
        &self,
        images: &Tensor<4>,
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(ModelOutput, Tensor<4>)>;

    /// The answers that count, for the judge. Those of a randomised defence come from random
    /// numbers that no attack has seen.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn predict(&self, images: &Tensor<4>) -> Result<ModelOutput> {
        Ok(ModelOutput { logits: self.logits(images)?, rejected: Vec::new() })
    }

    /// Whether whoever attacks it takes cross-entropy behind a softmax in single precision, as it
    /// comes, instead of the exact gradient.
    fn single_precision_softmax(&self) -> bool {
        false
    }

    /// How many passes through a network one answer takes.
    fn passes(&self) -> u64 {
        1
    }

    /// `[C, H, W]`.
    fn input_shape(&self) -> [usize; 3];

    /// Number of classes K.
    fn classes(&self) -> usize;

    /// Where it computes.
    fn device(&self) -> &Device;
}

/// Final answers to N pictures.
#[derive(Clone, Debug, Default)]
pub struct ModelOutput {
    /// Logits `[N, K]`, row by row; of an answer by vote, the logarithms of the shares.
    pub logits: Vec<f32>,
    /// Which pictures get no answer: detected as attacked, or abstained from. Empty: none.
    pub rejected: Vec<bool>,
}

/// The class of the largest logit, the first of equals; none where a logit is infinite or not a
/// number.
pub fn argmax(row: &[f32]) -> Option<usize> {
    let classes = 0..row.len();
    all_finite(row).then(|| classes.reduce(|best, k| if row[k] > row[best] { k } else { best }))?
}

/// Whether every logit of a picture is a finite number.
pub fn all_finite(row: &[f32]) -> bool {
    row.iter().all(|z| z.is_finite())
}

/// Reads a tensor, turning a device failure into our error.
fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))
}
