//! Attacks that linearise the decision boundary, on a network that *is* linear: there the least
//! perturbation is known in closed form.

use crate::nets::{problem, values};
use burn_tensor::{Device, Tensor, TensorData};
use epsiloscope::attack::{
    AttackConfig, JudgedOutput, NoObserver, Norm, Problem, TargetModel, find, generate_and_judge,
};
use epsiloscope::model::{Card, Network};
use std::path::Path;

pub const SIZE: usize = 16;

pub fn weight(class: usize, pixel: usize) -> f32 {
    let mixed = (class * SIZE + pixel + 1) as u64 * 2_654_435_761 % 1_000_003;
    2.0 * mixed as f32 / 1_000_003.0 - 1.0
}

pub fn linear(classes: usize, device: &Device) -> Network {
    scaled(classes, 1.0, 0.0, device)
}

/// The linear network with weights `gain` times as large and all logits shifted by `bias`: neither
/// changes an answer.
pub fn scaled(classes: usize, gain: f32, bias: f32, device: &Device) -> Network {
    let text = format!(
        "name = 'linear'\nnum_classes = {classes}\n[input]\nshape = [1, 4, 4]\n\
         [[layers]]\nop = 'flatten'\n\
         [[layers]]\nop = 'linear'\nparam = 'a'\nin = {SIZE}\nout = {classes}\n"
    );
    let card = Card::parse(&text, Path::new("linear")).unwrap();
    Network::build(&card, device, &mut |name, shape| {
        let n: usize = shape.iter().product();
        let value =
            |i: usize| if name == "a.bias" { bias } else { gain * weight(i / SIZE, i % SIZE) };
        Ok(Tensor::from_data(TensorData::new((0..n).map(value).collect::<Vec<f32>>(), [n]), device))
    })
    .unwrap()
}

/// Pictures well inside the box.
pub fn pictures() -> impl Iterator<Item = Vec<f32>> {
    let pixel = |i: usize| 0.35 + 0.3 * ((i as u64 * 48_271) % 65_537) as f32 / 65_537.0;
    (0..200).map(move |n| (0..SIZE).map(|i| pixel(n * SIZE + i)).collect())
}

pub fn tensor(pictures: &[Vec<f32>], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(pictures.concat(), [pictures.len(), 1, 4, 4]), device)
}

pub fn attack(id: &str, settings: &[&str], net: &Network, problem: &Problem) -> JudgedOutput {
    let mut plan = AttackConfig::new(find(id).unwrap(), f64::from(problem.budget.epsilon));
    plan.norm = problem.budget.norm;
    for text in settings {
        plan.settings.assign(plan.attack.params, id, text).unwrap();
    }
    let mut victim = TargetModel::new(net);
    generate_and_judge(plan.attack, &plan.resolved(), &mut victim, problem, &mut NoObserver)
        .unwrap()
}

/// For each class but the one that answers: the gap of the logits and the difference of weights.
fn planes(classes: usize, x: &[f32]) -> Vec<(f64, Vec<f64>)> {
    let logit = |k: usize| -> f64 {
        x.iter().enumerate().map(|(i, x)| f64::from(weight(k, i)) * f64::from(*x)).sum()
    };
    let logits: Vec<f64> = (0..classes).map(logit).collect();
    let top = (0..classes).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    let normal =
        |k: usize| (0..SIZE).map(|i| f64::from(weight(k, i)) - f64::from(weight(top, i))).collect();
    (0..classes).filter(|k| *k != top).map(|k| (logits[top] - logits[k], normal(k))).collect()
}

/// The least distance to another class's region, in the unbounded space.
fn least(norm: Norm, classes: usize, x: &[f32]) -> f64 {
    let distance = |(gap, normal): (f64, Vec<f64>)| {
        let sizes = normal.iter().map(|w| w.abs());
        let dual = match norm {
            Norm::Linf => sizes.sum::<f64>(),
            Norm::L2 => sizes.map(|w| w * w).sum::<f64>().sqrt(),
            _ => sizes.fold(0.0, f64::max),
        };
        gap / dual
    };
    planes(classes, x).into_iter().map(distance).fold(f64::INFINITY, f64::min)
}

#[test]
fn on_a_linear_network_the_distances_are_those_of_the_closed_form() {
    let device = Device::flex();
    let net = linear(5, &device);
    // Near enough to a boundary for the box not to matter, far enough for rounding not to.
    let fair = |x: &Vec<f32>| least(Norm::L1, 5, x) < 0.3 && least(Norm::Linf, 5, x) > 0.01;
    let pictures: Vec<Vec<f32>> = pictures().filter(fair).take(12).collect();
    assert!(pictures.len() >= 8, "{}", pictures.len());
    for (id, norm, settings) in [
        ("fab", Norm::Linf, &[][..]),
        ("fab", Norm::L2, &[]),
        ("fab", Norm::L1, &[]),
        ("fab-t", Norm::Linf, &[]),
        ("fab-t", Norm::L2, &[]),
        ("fab-t", Norm::L1, &[]),
        // Two in a hundred by default.
        ("deepfool", Norm::L2, &["overshoot=0.005"]),
        ("deepfool", Norm::Linf, &["overshoot=0.005"]),
    ] {
        let problem = problem(&net, tensor(&pictures, &device), norm, 1.0, false);
        let found = attack(id, settings, &net, &problem);
        assert!(found.success.iter().all(|s| *s), "{id} {norm}");
        for (i, (x, after)) in pictures.iter().zip(values(&found.images).chunks(SIZE)).enumerate() {
            let ratio = f64::from(norm.distance(x, after)) / least(norm, 5, x);
            assert!((0.999..1.02).contains(&ratio), "{id} {norm} picture {i}: {ratio}");
        }
    }
}

#[test]
fn newtonfool_passes_the_boundary_by_no_more_than_a_step() {
    let device = Device::flex();
    let net = linear(2, &device);
    // With two classes the probability falls straight towards the boundary.
    let fair = |x: &Vec<f32>| least(Norm::Linf, 2, x) < 0.3;
    let pictures: Vec<Vec<f32>> = pictures().filter(fair).take(12).collect();
    let problem = problem(&net, tensor(&pictures, &device), Norm::L2, 4.0, false);
    let found = attack("newtonfool", &[], &net, &problem);
    assert!(pictures.len() >= 8 && found.success.iter().all(|s| *s));
    for (x, after) in pictures.iter().zip(values(&found.images).chunks(SIZE)) {
        let step = 0.01 * f64::from(Norm::L2.distance(x, &[0.0; SIZE]));
        let beyond = f64::from(Norm::L2.distance(x, after)) - least(Norm::L2, 2, x);
        assert!((-1e-6..=step + 1e-6).contains(&beyond), "{beyond} of {step}");
    }
}

#[test]
fn sparsefool_changes_hardly_more_values_than_must_be() {
    let device = Device::flex();
    let net = linear(5, &device);
    // Moved towards class 0, so that one value alone is seldom enough.
    let towards = |x: Vec<f32>| -> Vec<f32> {
        x.iter().enumerate().map(|(i, x)| x + 0.2 * weight(0, i).signum()).collect()
    };
    let pictures: Vec<Vec<f32>> = pictures().take(30).map(towards).collect();
    // As few values as can close the gap to some class, each pushed to its end.
    let fewest = |x: &Vec<f32>| {
        let count = |(gap, normal): (f64, Vec<f64>)| {
            let room =
                |(w, x): (&f64, &f32)| w.abs() * f64::from(if *w > 0.0 { 1.0 - x } else { *x });
            let mut gains: Vec<f64> = normal.iter().zip(x).map(room).collect();
            gains.sort_by(|a, b| b.total_cmp(a));
            let sums = gains.iter().scan(0.0, |sum, gain| {
                *sum += gain;
                Some(*sum)
            });
            sums.take_while(|sum| *sum < gap).count() + 1
        };
        planes(5, x).into_iter().map(count).min().unwrap_or(0)
    };
    let problem = problem(&net, tensor(&pictures, &device), Norm::L0, 16.0, false);
    let found = attack("sparsefool", &["lambda=1"], &net, &problem);
    assert!(found.success.iter().all(|s| *s), "{:?}", found.success);
    let least: Vec<usize> = pictures.iter().map(fewest).collect();
    for (ours, least) in found.distance.iter().zip(&least) {
        assert!((*least as f32..=*least as f32 + 1.0).contains(ours), "{ours} of {least}");
    }
    assert!(least.iter().filter(|n| **n > 1).count() > 20, "too easy: {least:?}");
    let mean = found.distance.iter().zip(&least).map(|(a, b)| a / *b as f32).sum::<f32>() / 30.0;
    assert!(mean < 1.2, "{mean}");
}

#[test]
fn jsma_changes_few_values_one_way_only() {
    let device = Device::flex();
    let net = linear(5, &device);
    let pictures: Vec<Vec<f32>> = pictures().take(40).collect();
    for way in ["increase", "decrease"] {
        for rule in ["rule=pair", "rule=gradient"] {
            for outputs in ["outputs=softmax", "outputs=logits"] {
                let problem = problem(&net, tensor(&pictures, &device), Norm::L0, 16.0, true);
                let change = format!("change={way}");
                let settings = [rule, outputs, &change, "gamma=0.5", "theta=0.4"];
                let found = attack("jsma", &settings, &net, &problem);
                let reached = found.success.iter().filter(|s| **s).count();
                assert!(reached >= 20, "{settings:?}: {reached}");
                for (x, after) in pictures.iter().zip(values(&found.images).chunks(SIZE)) {
                    assert!(Norm::L0.distance(x, after) <= 8.0, "{settings:?}");
                    let ways = x.iter().zip(after).map(|(a, b)| b - a);
                    let sign = if way == "increase" { 1.0 } else { -1.0 };
                    assert!(ways.into_iter().all(|d| d * sign >= 0.0), "{settings:?}");
                }
            }
        }
    }
}
