//! What a network is tried with when it is loaded: whether it answers with logits, and with numbers.

use crate::error::{Error, Result};
use crate::model::card::Card;
use crate::model::network::Network;
use crate::model::ops::Layer;
use crate::model::weights::Weights;
use crate::model::{Classifier, architecture, read};
use crate::rng::RngKey;
use burn_tensor::{Tensor, TensorData};

/// The grey levels of the flat images. One of noise comes behind them.
const LEVELS: [f32; 3] = [0.0, 0.5, 1.0];

/// Answers three flat images and one of noise, which also warms the device up. A network whose
/// answers all sum to 1, or that ends in a sigmoid, hides its logits, and every attack on it would
/// underflow; one that never answers with numbers answers nothing. What is left is a note, where some
/// of the logits are no numbers.
///
/// # Errors
/// Failure for such networks; device, when the device is lost or out of memory.
pub(super) fn check(card: &Card, network: &Network, weights: &Weights) -> Result<Option<String>> {
    let place = format!("card '{}'", card.name);
    let size: usize = card.input.shape.iter().product();
    let mut pixels: Vec<f32> = LEVELS.iter().flat_map(|level| vec![*level; size]).collect();
    let mut noise = vec![0.0; size];
    RngKey::default().rng(0).units(&mut noise);
    pixels.extend(noise);
    let [c, h, w] = card.input.shape;
    let pixels = TensorData::new(pixels, [LEVELS.len() + 1, c, h, w]);
    let images = Tensor::<4>::from_data(pixels, network.device());
    let answers =
        read(network.forward(images)?).map_err(|e| Error { place: place.clone(), ..e })?;
    let rows = answers.chunks(card.num_classes);
    let probes = rows.len();
    let lost = rows.clone().filter(|row| row.iter().any(|z| !z.is_finite())).count();
    if lost == probes {
        let what = match answers.iter().any(|z| z.is_nan()) {
            true => "the network never gives a number: its answers are NaN",
            false => "the network never gives a number: its answers are infinite",
        };
        return Err(Error::file(what, place, cause(weights)));
    }
    let probabilities = rows.clone().all(|row| {
        row.iter().all(|v| (0.0..=1.0).contains(v)) && (row.iter().sum::<f32>() - 1.0).abs() < 1e-4
    });
    if probabilities {
        let what = "the network answers with probabilities, not logits";
        return Err(Error::file(what, place, "leave out its last softmax"));
    }
    let layers = architecture::layers_of(card)?;
    let quiet = |layer: &&Layer| !matches!(layer, Layer::Flatten(_) | Layer::Dropout(_));
    if let Some(Layer::Sigmoid(_)) = layers.iter().rfind(quiet) {
        let what =
            "the last layer is a sigmoid: the network answers with probabilities, not logits";
        return Err(Error::file(what, place, "leave out its last sigmoid"));
    }
    Ok((lost > 0).then(|| {
        format!(
            "the network gives no number (NaN or infinity) for {lost} of the {probes} pictures it was \
             tried with: {}",
            cause(weights)
        )
    }))
}

/// Why a network gives no numbers, most likely.
fn cause(weights: &Weights) -> String {
    match weights.largest() {
        Some((name, size)) if size > 1e6 => {
            format!("tensor '{name}' holds numbers up to {size:.0e}; export its weights again")
        }
        _ => "check input.normalisation, the layers and the weights of its card".into(),
    }
}
