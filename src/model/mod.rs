//! Models: cards, networks, and the store of embedded ones.
//!
//! A model takes pixels in 0..1, `[N, C, H, W]`, and answers with logits, `[N, K]`. Normalisation
//! belongs to it: nothing outside ever sees normalised pixels.

mod architecture;
mod card;
mod network;
mod store;
mod weights;

pub use card::{Accuracy, Card, Input, Layer, Normalisation, Padding, Robust};
pub use network::Network;
pub use store::{Model, catalogue, find_card};
pub use weights::{Weights, floats, read_tensors, sha256, write_tensors};

use burn::tensor::{Device, Tensor};

/// Anything that answers pixels with logits.
pub trait Classifier: Send + Sync {
    /// Pixels `[N, C, H, W]` in 0..1 to logits `[N, K]` (never probabilities).
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;

    /// `[C, H, W]`.
    fn input_shape(&self) -> [usize; 3];

    /// Number of classes K.
    fn classes(&self) -> usize;

    /// Where it computes.
    fn device(&self) -> &Device;
}
