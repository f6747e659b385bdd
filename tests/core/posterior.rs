//! Networks of drawn weights.

use crate::nets::pictures;
use burn_tensor::Device;
use epsiloscope::model::{Card, Classifier, Model, Weights, write_tensors};
use epsiloscope::rng::RngKey;
use safetensors::Dtype;
use std::path::Path;

/// A linear layer of one weight for each of two classes; with standard deviations where there are
/// any.
fn model(means: [f32; 2], sigmas: Option<[f32; 2]>) -> Model {
    let text = "name='t'\nnum_classes=2\n[input]\nshape=[1,1,1]\n\
                [[layers]]\nop='linear'\nparam='l'\nin=1\nout=2\nbias=false\n";
    let card = Card::parse(text, Path::new("t")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let tensor = |name: &str, values: [f32; 2]| {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        (name.to_string(), vec![2, 1], bytes, Dtype::F32)
    };
    let mut tensors = vec![tensor("l.weight", means)];
    tensors.extend(sigmas.map(|sigmas| tensor("l.weight.sigma", sigmas)));
    write_tensors(&path, &tensors).unwrap();
    let weights = Weights::parse(&std::fs::read(&path).unwrap(), "w").unwrap();
    Model::build(card, &weights, &Device::flex()).unwrap()
}

/// Mean and standard deviation of the weights over draws.
fn moments(model: &Model, relative: f64) -> [(f64, f64); 2] {
    const DRAWS: u64 = 4000;
    let white = burn_tensor::Tensor::ones([1, 1, 1, 1], &Device::flex());
    let mut sums = [(0.0, 0.0); 2];
    for draw in 0..DRAWS {
        let network = model.sample_network(RngKey { seed: 9, draw }, relative).unwrap();
        for (sum, z) in sums.iter_mut().zip(network.logits(&white).unwrap()) {
            sum.0 += f64::from(z) / DRAWS as f64;
            sum.1 += f64::from(z).powi(2) / DRAWS as f64;
        }
    }
    sums.map(|(mean, square)| (mean, (square - mean * mean).max(0.0).sqrt()))
}

#[test]
fn weights_are_drawn_around_their_means_by_their_spread() {
    let close = |found: [(f64, f64); 2], wanted: [(f64, f64); 2]| {
        for ((mean, spread), (m, s)) in found.into_iter().zip(wanted) {
            // Five standard errors of 4000 draws.
            assert!((mean - m).abs() < 5.0 * s / 63.0 + 1e-6, "{mean}, not {m}");
            assert!((spread - s).abs() < 5.0 * s / 89.0 + 1e-6, "{spread}, not {s}");
        }
    };
    let bayes = model([1.0, -2.0], Some([0.5, 0.1]));
    assert!(bayes.is_bayesian());
    close(moments(&bayes, 0.3), [(1.0, 0.5), (-2.0, 0.1)]);
    let plain = model([1.0, -2.0], None);
    assert!(!plain.is_bayesian());
    close(moments(&plain, 0.3), [(1.0, 0.3), (-2.0, 0.6)]);
    close(moments(&plain, 0.0), [(1.0, 0.0), (-2.0, 0.0)]);
}

#[test]
fn a_chance_is_one_network() {
    let device = Device::flex();
    let model = Model::load("mnist-bayes", &device).unwrap();
    let images = pictures(3, [1, 28, 28], &device);
    let by = |draw| {
        let network = model.sample_network(RngKey { seed: 1, draw }, 0.0).unwrap();
        assert!(network.on_cpu_engine());
        network.logits(&images).unwrap()
    };
    let (one, other) = (by(1), by(2));
    assert_eq!(one, by(1));
    assert_ne!(one, other);
    assert_ne!(one, model.network.logits(&images).unwrap());
}
