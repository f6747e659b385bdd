//! The methods on a tiny network: gradients against differences, the inner attack, weight
//! perturbation, normalisation.

use super::adam::WeightTensor;
use super::batch::{Batch, epoch_order};
use super::inner_attack::{maximise, pictures};
use super::loss::{cross_entropy, divergence};
use super::recipe::{InnerAttack, Recipe, StartPoint, TrainingMethod};
use super::recipes::RECIPES;
use super::reparametrisation;
use super::spectral;
use super::step_loss::PeerNetworks;
use super::trainer::Trainer;
use crate::data::Dataset;
use crate::model::ops::{Conv2d, Flatten, Linear, Padding, Tanh};
use crate::model::{Classifier, Layer};
use burn_tensor::Device;

fn tiny() -> Vec<Layer> {
    vec![
        Conv2d {
            param: "a".into(),
            inputs: 1,
            out: 3,
            kernel: 3,
            stride: 2,
            padding: Padding::Even(1),
            groups: 1,
            bias: true,
        }
        .into(),
        // Smooth, so that differences tell the gradient.
        Tanh {}.into(),
        Flatten {}.into(),
        Linear { param: "b".into(), inputs: 27, out: 4, bias: true }.into(),
    ]
}

/// Twelve images of 6×6 in four classes.
fn data() -> Dataset {
    let pixels = (0..12 * 36).map(|i| ((i * 48_271 + 7 * i * i) % 251) as u8).collect();
    let names = ["a", "b", "c", "d"].map(String::from).to_vec();
    Dataset::from_bytes("tiny", [1, 6, 6], pixels, (0..12).map(|i| i % 4).collect(), names)
}

/// A recipe of this method; it leaks a few bytes, as recipes live for ever.
fn recipe(method: TrainingMethod, perturbation: Option<f64>, spectral: bool) -> &'static Recipe {
    let row = RECIPES[0];
    Box::leak(Box::new(Recipe {
        layers: tiny,
        gain: 2.0,
        batch: 12,
        method,
        perturbation,
        spectral,
        ..row
    }))
}

/// An attack without steps: where it ends does not hang on the weights, as differences need it.
fn still(start: StartPoint) -> InnerAttack {
    InnerAttack { epsilon: 0.2, steps: 0, step_share: 0.0, start }
}

fn batch(trainer: &Trainer<'_>, data: &Dataset) -> Batch {
    Batch::new(data, [1, 6, 6], trainer.recipe, &epoch_order(12, 1, 0), 1, 0)
}

#[test]
fn the_gradient_of_every_method_is_that_of_differences() {
    let (device, data) = (Device::flex(), data());
    for (method, spectral) in [
        (TrainingMethod::Standard, false),
        (TrainingMethod::Standard, true),
        (TrainingMethod::LabelSmoothing { alpha: 0.1 }, false),
        (TrainingMethod::Gaussian { sigma: 0.25 }, false),
        (TrainingMethod::Adversarial(still(StartPoint::Uniform)), false),
        (TrainingMethod::Trades { adversary: still(StartPoint::Uniform), beta: 6.0 }, false),
        (TrainingMethod::Mart { adversary: still(StartPoint::Uniform), lambda: 5.0 }, false),
        (TrainingMethod::Distillation { temperature: 2.0 }, false),
        (TrainingMethod::Bayes { prior: 0.5, sigma: 0.2 }, false),
        (TrainingMethod::Diverse { alpha: 2.0, beta: 0.5 }, false),
    ] {
        let recipe = recipe(method, None, spectral);
        let mut trainer = Trainer::new(recipe, &data, 1, 4, &device).unwrap();
        let batch = batch(&trainer, &data);
        let helper = trainer.network(&reparametrisation::plain(&trainer.networks[0]).0).ok();
        // Of a pair and of teacher and student the second learns beside the first.
        let at = trainer.networks.len() - 1;
        let peers = match method {
            TrainingMethod::Diverse { .. } => {
                PeerNetworks { other: helper.as_ref(), teacher: None }
            }
            TrainingMethod::Distillation { .. } => {
                PeerNetworks { teacher: helper.as_ref(), other: None }
            }
            _ => PeerNetworks::default(),
        };
        // Differences of a norm need its vectors to stand still.
        for p in trainer.networks[at].iter_mut().filter(|p| !p.singular.is_empty()) {
            (0..200).for_each(|_| drop(spectral::iterate(&p.value, &mut p.singular)));
        }
        let (gradients, _) = trainer.gradients(at, &peers, &batch, 0).unwrap();
        for (tensor, gradient) in gradients.iter().enumerate() {
            let top = gradient.iter().fold(0.0_f32, |a, g| a.max(g.abs()));
            for place in (0..gradient.len()).step_by(1 + gradient.len() / 6) {
                let mut value = |by: f32| {
                    trainer.networks[at][tensor].value[place] += by;
                    let (_, learned) = trainer.gradients(at, &peers, &batch, 0).unwrap();
                    trainer.networks[at][tensor].value[place] -= by;
                    learned.loss
                };
                let step = 1.0 / 128.0;
                // Four points: exact to the third order.
                let near = value(step) - value(-step);
                let far = value(2.0 * step) - value(-2.0 * step);
                let found = (8.0 * near - far) / (12.0 * f64::from(step));
                let wanted = f64::from(gradient[place]);
                assert!(
                    (found - wanted).abs() < 2e-3 * f64::from(top) + 2e-4,
                    "{method:?} {spectral}: tensor {tensor} at {place}: {wanted}, {found}"
                );
            }
        }
    }
}

#[test]
fn the_inner_attack_climbs_what_it_is_told_and_stays_in_the_ball() {
    let (device, data) = (Device::flex(), data());
    let recipe = recipe(TrainingMethod::Standard, None, false);
    let trainer = Trainer::new(recipe, &data, 1, 4, &device).unwrap();
    let batch = batch(&trainer, &data);
    let network = trainer.network(&reparametrisation::plain(&trainer.networks[0]).0).unwrap();
    let logits = |p: &[f32]| network.logits(&pictures(p, [1, 6, 6], &device)).unwrap();
    let clean = logits(&batch.pixels);
    let apart = |i: usize, row: &[f32], slope: &mut [f64]| {
        divergence(&clean[i * 4..][..4], row, 1.0, [&mut [0.0; 4], slope])
    };
    let wrong =
        |i: usize, row: &[f32], slope: &mut [f64]| cross_entropy(row, batch.labels[i], slope);
    type Value<'a> = &'a dyn Fn(usize, &[f32], &mut [f64]) -> f64;
    for (start, climbed) in [
        (StartPoint::Near, &apart as Value<'_>),
        (StartPoint::Uniform, &wrong),
        (StartPoint::Image, &wrong),
    ] {
        let pull = |i: usize, row: &[f32], slope: &mut [f64]| {
            climbed(i, row, slope);
        };
        let after = |steps: usize| {
            let adversary = InnerAttack { epsilon: 0.1, steps, step_share: 0.3, start };
            maximise(&network, &batch.pixels, &adversary, 9, &batch.samples, &pull).unwrap()
        };
        let mean = |p: &[f32]| {
            let rows = logits(p);
            rows.chunks(4).enumerate().map(|(i, row)| climbed(i, row, &mut [0.0; 4])).sum::<f64>()
        };
        let (begun, done) = (after(0), after(6));
        assert_eq!(begun == batch.pixels, start == StartPoint::Image);
        assert!(mean(&done) > 1.1 * mean(&begun), "{start:?}: {} {}", mean(&begun), mean(&done));
        // A wide start comes back into the ball with its first step.
        for (image, clean) in done.iter().zip(&batch.pixels) {
            assert!((image - clean).abs() < 0.1 + 1e-6 && (0.0..=1.0).contains(image));
        }
    }
}

#[test]
fn weight_perturbation_takes_the_gradient_elsewhere_and_leaves_the_weights() {
    let (device, data) = (Device::flex(), data());
    let method = TrainingMethod::Trades { adversary: InnerAttack::near(0.1, 2, 0.5), beta: 6.0 };
    let gamma = 0.05;
    let mut awp = Trainer::new(recipe(method, Some(gamma), false), &data, 1, 4, &device).unwrap();
    let batch = batch(&awp, &data);
    let before = awp.networks.clone();
    let (found, learned) = awp.gradients(0, &PeerNetworks::default(), &batch, 0).unwrap();
    assert_eq!(awp.networks, before, "the weights are where they were, to the last bit");
    let mut plain = Trainer::new(recipe(method, None, false), &data, 1, 4, &device).unwrap();
    let (first, same) = plain.gradients(0, &PeerNetworks::default(), &batch, 0).unwrap();
    assert_eq!(learned.loss, same.loss, "what is told is the loss of the weights themselves");
    assert_ne!(found, first);
    let weights: Vec<Vec<f32>> = before[0].iter().map(|p| p.value.clone()).collect();
    let moved = reparametrisation::perturbed(&weights, &before[0], &first, gamma);
    let length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for ((p, moved), gradient) in before[0].iter().zip(&moved).zip(&first) {
        let by: Vec<f32> = moved.iter().zip(&p.value).map(|(m, w)| m - w).collect();
        if p.shape.len() < 2 {
            assert!(by.iter().all(|b| *b == 0.0), "{}: biases stay", p.name);
            continue;
        }
        assert!((length(&by) / (gamma * length(&p.value)) - 1.0).abs() < 1e-3, "{}", p.name);
        let along: f64 = by.iter().zip(gradient).map(|(b, g)| f64::from(b * g)).sum();
        assert!(along > 0.999 * length(&by) * length(gradient), "{}: uphill", p.name);
    }
}

/// The largest singular value of a dense matrix by Jacobi rotations of AAᵀ.
fn jacobi(matrix: &[f32], rows: usize) -> f64 {
    let width = matrix.len() / rows;
    let dot = |i: usize, j: usize| -> f64 {
        let (a, b) = (&matrix[i * width..][..width], &matrix[j * width..][..width]);
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let mut m: Vec<Vec<f64>> = (0..rows).map(|i| (0..rows).map(|j| dot(i, j)).collect()).collect();
    for _ in 0..60 {
        for p in 0..rows {
            for q in p + 1..rows {
                if m[p][q].abs() < 1e-14 {
                    continue;
                }
                let angle = 0.5 * (2.0 * m[p][q]).atan2(m[q][q] - m[p][p]);
                let (s, c) = angle.sin_cos();
                for row in &mut m {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (one, other) = (m[p].clone(), m[q].clone());
                let turn = |c: f64, s: f64| -> Vec<f64> {
                    one.iter().zip(&other).map(|(a, b)| c * a + s * b).collect()
                };
                (m[p], m[q]) = (turn(c, -s), turn(s, c));
            }
        }
    }
    (0..rows).map(|i| m[i][i]).fold(0.0, f64::max).sqrt()
}

#[test]
fn spectral_norms_are_those_of_a_dense_decomposition() {
    let (device, data) = (Device::flex(), data());
    let mut trainer =
        Trainer::new(recipe(TrainingMethod::Standard, None, true), &data, 1, 4, &device).unwrap();
    let raw = trainer.networks[0].clone();
    for p in raw.iter().filter(|p| p.shape.len() > 1) {
        let (found, wanted) = (spectral::norm(&p.value, p.shape[0]), jacobi(&p.value, p.shape[0]));
        assert!((f64::from(found) / wanted - 1.0).abs() < 1e-4, "{}: {found} {wanted}", p.name);
    }
    // One iteration a step comes to the same, and what ships has norm 1.
    for _ in 0..300 {
        reparametrisation::normalised(&mut trainer.networks[0]);
    }
    let (weights, _) = reparametrisation::normalised(&mut trainer.networks[0]);
    for (shipped, (weights, p)) in trainer.weights(0).iter().zip(weights.iter().zip(&raw)) {
        let close = |a: f32, b: f32| (a - b).abs() < 1e-4;
        assert!(shipped.value.iter().zip(weights).all(|(a, b)| close(*a, *b)), "{}", p.name);
        if p.shape.len() > 1 {
            assert!((jacobi(weights, p.shape[0]) - 1.0).abs() < 1e-4);
        }
    }
}

#[test]
fn the_lipschitz_bound_holds_and_is_near_for_a_linear_layer() {
    let (device, data) = (Device::flex(), data());
    let trainer =
        Trainer::new(recipe(TrainingMethod::Standard, None, false), &data, 1, 4, &device).unwrap();
    let parameters: &[WeightTensor] = &trainer.networks[0];
    let linear = Linear { param: "b".into(), inputs: 27, out: 4, bias: true }.into();
    let (norms, bound) = spectral::lipschitz(&[linear], parameters);
    assert!((f64::from(norms[0].1) - bound).abs() < 1e-6);
    assert!((bound / jacobi(&parameters[2].value, 4) - 1.0).abs() < 1e-4);
    // The whole convolution as a dense matrix: its columns are the answers to single pixels.
    let conv = |x: usize, y: usize, out: usize| -> Vec<f32> {
        let kernel = &parameters[0].value[out * 9..][..9];
        let tap = |oy: usize, ox: usize| {
            let (ky, kx) = ((y + 1).checked_sub(2 * oy)?, (x + 1).checked_sub(2 * ox)?);
            (ky < 3 && kx < 3).then(|| kernel[ky * 3 + kx])
        };
        (0..9).map(|at| tap(at / 3, at % 3).unwrap_or(0.0)).collect()
    };
    let rows: Vec<f32> = (0..36)
        .flat_map(|pixel| (0..3).flat_map(move |out| [(pixel, out)]))
        .flat_map(|(pixel, out)| conv(pixel % 6, pixel / 6, out))
        .collect();
    let dense = jacobi(&rows, 36);
    let (norms, bound) = spectral::lipschitz(&trainer.card.layers[..1], parameters);
    assert_eq!(bound, f64::from(norms[0].1) * 2.0);
    assert!(dense <= bound * 1.0001, "{dense} {bound}");
    assert!(dense > 0.3 * bound, "{dense} {bound}");
}

#[test]
fn every_recipe_builds_and_is_named_once() {
    let device = Device::flex();
    for recipe in RECIPES {
        let data = Dataset::load(recipe.dataset).unwrap();
        let trainer = Trainer::new(recipe, &data, 1, 1, &device).unwrap();
        let network = trainer.network(&reparametrisation::plain(&trainer.networks[0]).0).unwrap();
        let finite = network.logits(&pictures(
            &vec![0.5; network.input_shape().iter().product()],
            network.input_shape(),
            &device,
        ));
        assert!(finite.unwrap().iter().all(|z| z.is_finite()), "{}", recipe.id);
        let same = RECIPES.iter().filter(|r| r.id == recipe.id);
        assert_eq!(same.count(), 1, "{}", recipe.id);
        let ordinary = recipe.method == TrainingMethod::Standard && !recipe.spectral;
        assert!(recipe.defence.is_some() || ordinary, "{}", recipe.id);
    }
}
