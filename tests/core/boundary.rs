//! Attacks that linearise the decision boundary, on a network that *is* linear: there the least
//! perturbation is known in closed form.

use crate::nets::{problem, values};
use burn::tensor::{Device, Tensor, TensorData};
use epsiloscope::attack::{Norm, Plan, Unobserved, Victim, find, launch};
use epsiloscope::model::{Card, Network};
use epsiloscope::parameter::Value;
use std::path::Path;

const SIZE: usize = 16;
const CLASSES: usize = 5;

fn weight(class: usize, pixel: usize) -> f32 {
    let mixed = (class * SIZE + pixel + 1) as u64 * 2_654_435_761 % 1_000_003;
    2.0 * mixed as f32 / 1_000_003.0 - 1.0
}

fn linear(device: &Device) -> Network {
    let text = format!(
        "name = 'linear'\nnum_classes = {CLASSES}\n[input]\nshape = [1, 4, 4]\n\
         [[layers]]\nop = 'flatten'\n\
         [[layers]]\nop = 'linear'\nparam = 'a'\nin = {SIZE}\nout = {CLASSES}\n"
    );
    let card = Card::parse(&text, Path::new("linear")).unwrap();
    Network::build(&card, device, &mut |name, shape| {
        let n: usize = shape.iter().product();
        let value = |i: usize| if name == "a.bias" { 0.0 } else { weight(i / SIZE, i % SIZE) };
        Ok(Tensor::from_data(TensorData::new((0..n).map(value).collect::<Vec<f32>>(), [n]), device))
    })
    .unwrap()
}

/// The least distance to another class's region, in the unbounded space.
fn least(norm: Norm, x: &[f32]) -> f64 {
    let logit = |k: usize| -> f64 {
        x.iter().enumerate().map(|(i, x)| f64::from(weight(k, i)) * f64::from(*x)).sum()
    };
    let logits: Vec<f64> = (0..CLASSES).map(logit).collect();
    let top = (0..CLASSES).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    let distance = |k: usize| {
        let gaps = (0..SIZE).map(|i| f64::from(weight(k, i) - weight(top, i)).abs());
        let dual = match norm {
            Norm::Linf => gaps.sum::<f64>(),
            Norm::L2 => gaps.map(|g| g * g).sum::<f64>().sqrt(),
            _ => gaps.fold(0.0, f64::max),
        };
        (logits[top] - logits[k]) / dual
    };
    (0..CLASSES).filter(|k| *k != top).map(distance).fold(f64::INFINITY, f64::min)
}

#[test]
fn on_a_linear_network_the_distances_are_those_of_the_closed_form() {
    let device = Device::flex();
    let net = linear(&device);
    let pixel = |i: usize| 0.35 + 0.3 * ((i as u64 * 48_271) % 65_537) as f32 / 65_537.0;
    let pictures: Vec<Vec<f32>> =
        (0..200).map(|n| (0..SIZE).map(|i| pixel(n * SIZE + i)).collect()).collect();
    // Near enough to a boundary for the box not to matter, far enough for rounding not to.
    let fair = |x: &&Vec<f32>| least(Norm::L1, x) < 0.3 && least(Norm::Linf, x) > 0.01;
    let pictures: Vec<Vec<f32>> = pictures.iter().filter(fair).take(12).cloned().collect();
    assert!(pictures.len() >= 8, "{}", pictures.len());
    let images = TensorData::new(pictures.concat(), [pictures.len(), 1, 4, 4]);
    let images: Tensor<4> = Tensor::from_data(images, &device);
    for (id, norm) in [
        ("fab", Norm::Linf),
        ("fab", Norm::L2),
        ("fab", Norm::L1),
        ("fab-t", Norm::Linf),
        ("fab-t", Norm::L2),
        ("fab-t", Norm::L1),
        ("deepfool", Norm::L2),
        ("deepfool", Norm::Linf),
    ] {
        let problem = problem(&net, images.clone(), norm, 1.0, false);
        let mut plan = Plan::new(find(id).unwrap(), 1.0);
        plan.norm = norm;
        if id == "deepfool" {
            // Two in a hundred by default.
            plan.settings.set("overshoot", Value::Float(0.005));
        }
        let found = launch(
            plan.attack,
            &plan.resolved(),
            &mut Victim::new(&net),
            &problem,
            &mut Unobserved,
        );
        let found = found.unwrap();
        assert!(found.success.iter().all(|s| *s), "{id} {norm}");
        let after = values(&found.images);
        for (i, (x, after)) in pictures.iter().zip(after.chunks(SIZE)).enumerate() {
            let ratio = f64::from(norm.distance(x, after)) / least(norm, x);
            assert!((0.999..1.02).contains(&ratio), "{id} {norm} picture {i}: {ratio}");
        }
    }
}
