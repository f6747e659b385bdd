//! Models: cards, networks, and the store of embedded ones.
//!
//! A model takes pixels in 0..1, `[N, C, H, W]`, and answers with logits, `[N, K]`. Normalisation
//! belongs to it: nothing outside ever sees normalised pixels.

mod architecture;
mod builder;
mod card;
mod diagnosis;
mod foreign;
mod graph;
mod host;
mod layer;
mod mask;
mod network;
mod probe;
mod rule;
mod sample;
mod size;
mod store;
mod untrusted;
mod weights;

pub use card::{Accuracy, Card, Input, Normalisation, Robust};
pub use layer::{Layer, Padding};
pub use network::Network;
pub use rule::Rule;
pub use store::{Model, ModelIdentity, catalogue, find_card};
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
    fn shown(&self, images: &Tensor<4>) -> Result<Decided> {
        Ok(Decided { logits: self.logits(images)?, rejected: Vec::new() })
    }

    /// As [`Self::shown`], and the gradient of Σ logits·`start(logits)` with respect to the pixels,
    /// `[N, C, H, W]`; `start` answers N·K logits with as many numbers.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn slope(
        &self,
        images: &Tensor<4>,
        start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(Decided, Tensor<4>)>;

    /// The answers that count, for the judge. Those of a randomised defence come from random
    /// numbers that no attack has seen.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    fn decide(&self, images: &Tensor<4>) -> Result<Decided> {
        Ok(Decided { logits: self.logits(images)?, rejected: Vec::new() })
    }

    /// Whether whoever attacks it takes cross-entropy behind a softmax in single precision, as it
    /// comes, instead of the exact gradient.
    fn takes_softmax(&self) -> bool {
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
pub struct Decided {
    /// Logits `[N, K]`, row by row; of an answer by vote, the logarithms of the shares.
    pub logits: Vec<f32>,
    /// Which pictures get no answer: detected as attacked, or abstained from. Empty: none.
    pub rejected: Vec<bool>,
}

/// The class of the largest logit, the first of equals; none where a logit is infinite or not a
/// number.
pub fn largest(row: &[f32]) -> Option<usize> {
    let classes = 0..row.len();
    finite(row).then(|| classes.reduce(|best, k| if row[k] > row[best] { k } else { best }))?
}

/// Whether every logit of a picture is a finite number.
pub fn finite(row: &[f32]) -> bool {
    row.iter().all(|z| z.is_finite())
}

/// Reads a tensor, turning a device failure into our error.
fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))
}
