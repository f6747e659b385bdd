//! Networks and batches: safetensors files, and cards with their weights.

use super::told;
use burn_tensor::Device;
use epsiloscope::cli::Inputs;
use epsiloscope::model::{Card, Classifier, Model, Weights, floats, read_tensors};
use std::path::Path;

/// A file of weights: every tensor of numbers is found by its name and shape, and by no other.
pub fn weights(data: &[u8]) -> bool {
    let Some(weights) = told(Weights::parse(data, "weights")) else { return false };
    let tensors = read_tensors(data, "weights").expect("it was read before");
    let mut count = 0;
    for (name, view) in &tensors {
        let Some(values) = floats(view) else { continue };
        count += values.len();
        assert_eq!(values.len(), view.shape().iter().product::<usize>(), "{name}");
        assert!(weights.has(name));
        match told(weights.get(name, view.shape())) {
            Some(found) => assert_eq!(found, values),
            // A variance below zero is refused, too.
            None => {
                let least = if name.ends_with("running_var") { 0.0 } else { f32::MIN };
                assert!(!values.iter().all(|v| v.is_finite() && *v >= least), "{name}");
            }
        }
        let other = [view.shape(), &[2]].concat();
        assert!(told(weights.get(name, &other)).is_none(), "{name} has two shapes");
    }
    assert_eq!(weights.count(), count);
    let absent: String = tensors.iter().map(|(name, _)| name.as_str()).chain(["x"]).collect();
    if !weights.has(&absent) {
        assert!(told(weights.get(&absent, &[1])).is_none());
    }
    true
}

/// A card and its weights, with a zero byte between them: a network that is built answers.
pub fn model(data: &[u8]) -> bool {
    let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    let (card, weights) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let Ok(text) = std::str::from_utf8(card) else { return false };
    let Some(card) = told(Card::parse(text, Path::new("card.toml"))) else { return false };
    let Some(weights) = told(Weights::parse(weights, "weights")) else { return false };
    let Some(model) = told(Model::build(card, &weights, &Device::flex())) else { return false };
    assert_eq!(model.labels.len(), model.card.num_classes);
    assert_eq!(model.network.classes(), model.card.num_classes);
    assert!(model.parameters() <= weights.count());
    assert!(model.notes.iter().all(|note| !note.contains(char::is_control)), "{:?}", model.notes);
    true
}

/// A batch for `attack --inputs`.
pub fn inputs(data: &[u8]) -> bool {
    let card =
        "name = 'm'\nnum_classes = 3\n[input]\nshape = [1, 2, 2]\n[[layers]]\nop = 'flatten'";
    let card = Card::parse(card, Path::new("card.toml")).expect("a good card");
    let Some(inputs) = told(Inputs::parse(data, Path::new("in.safetensors"), &card)) else {
        return false;
    };
    let [n, c, h, w] = inputs.shape;
    assert!(n > 0 && [c, h, w] == card.input.shape);
    assert_eq!((inputs.images.len(), inputs.labels.len()), (n * c * h * w, n));
    true
}
