//! Agreement with torchattacks, foolbox and ART on their own networks and pictures (see
//! `tests/data/README.md`), and of EfficientNet-Lite0 with PyTorch.

use crate::nets::values;
use burn_tensor::Device;
use epsiloscope::attack::Flow;
use epsiloscope::attack::{
    AttackConfig, CrossEntropy, Goal, GradientOracle, ImageBatch, Logits, Norm, ScoreOracle,
    TargetModel, find, margin,
};
use epsiloscope::experiment::{BatchTask, attack_batch};
use epsiloscope::model::{Model, floats, read_tensors};
use epsiloscope::parameter::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

/// A network of the reference harness, its pictures and what the peers make of them.
pub struct Golden {
    pub model: Arc<Model>,
    pub tensors: HashMap<String, Vec<f32>>,
    pub labels: Vec<usize>,
}

impl Golden {
    /// The network's logits for the first n of these images.
    pub fn logits(&self, images: &[f32], n: usize) -> Logits {
        let images = ImageBatch::new([1, 28, 28], images[..n * SIZE].to_vec());
        TargetModel::new(&self.model.network).logits(&images).unwrap()
    }

    /// Which of the first n images the network gets wrong as they stand in `images`.
    pub fn broken(&self, images: &[f32], n: usize) -> Vec<bool> {
        let labels = self.logits(images, n).labels();
        labels.iter().zip(&self.labels).map(|(a, b)| a != b).collect()
    }
}

const PICTURES: usize = 16;
pub const SIZE: usize = 784;

/// Reads one.
pub fn golden(name: &str) -> Golden {
    let folder = data("peers").join(name);
    let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
    let model = Model::load(folder.to_str().unwrap(), &Device::flex()).unwrap();
    let list = read_tensors(&bytes, name).unwrap();
    let labels = &list.iter().find(|(n, _)| n == "labels").unwrap().1;
    let labels = labels.data().chunks(8).map(|b| b[0] as usize).collect();
    let tensors = list.iter().filter_map(|(n, view)| Some((n.clone(), floats(view)?))).collect();
    Golden { model, tensors, labels }
}

/// The attack's pictures and successes with the parameters of the golden file.
fn ours(
    golden: &Golden,
    id: &str,
    norm: Norm,
    epsilon: f64,
    step: Option<f64>,
) -> (Vec<f32>, Vec<bool>) {
    let mut plan = AttackConfig::new(find(id).unwrap(), epsilon);
    plan.norm = norm;
    if let Some(step) = step {
        plan.settings.set("steps", Value::Int(40));
        plan.settings.set("step-size", Value::Float(step));
    }
    let batch = BatchTask {
        model: golden.model.clone(),
        surrogate: None,
        images: golden.tensors["x"].clone(),
        shape: [PICTURES, 1, 28, 28],
        labels: golden.labels.clone(),
        plan,
        batch_size: 16,
    };
    let found = attack_batch(&batch, &mut |_, _| Flow::Continue).unwrap();
    (found.adversarial, found.success)
}

/// The share of values that differ by more than 1e-4.
pub fn differing(a: &[f32], b: &[f32]) -> f64 {
    let far = a.iter().zip(b).filter(|(a, b)| (*a - *b).abs() > 1e-4).count();
    far as f64 / a.len() as f64
}

/// Share of pixels that may differ: the larger of the rounding floors that the reference harness
/// measured between float32 and float64 of one and the same peer.
#[test]
fn attacks_agree_with_the_references() {
    for (model, attack, id, norm, epsilon, step, peer, floor) in [
        ("mlp", "fgsm_linf_0.1", "fgsm", Norm::Linf, 0.1, None, "torchattacks_f64", 0.0006),
        ("mlp", "pgd_linf_0.3", "bim", Norm::Linf, 0.3, Some(0.01), "torchattacks_f64", 0.006),
        ("mlp", "pgd_l2_2.0", "bim", Norm::L2, 2.0, Some(0.2), "art", 0.025),
        ("cnn_at", "fgsm_linf_0.1", "fgsm", Norm::Linf, 0.1, None, "torchattacks_f64", 0.0),
        ("cnn_at", "fgm_l2_2.0", "fgsm", Norm::L2, 2.0, None, "foolbox", 0.014),
        ("cnn_at", "pgd_linf_0.3", "bim", Norm::Linf, 0.3, Some(0.01), "torchattacks_f64", 0.021),
        ("cnn_at", "pgd_l2_2.0", "bim", Norm::L2, 2.0, Some(0.2), "art", 0.09),
    ] {
        let golden = golden(model);
        let (found, success) = ours(&golden, id, norm, epsilon, step);
        let theirs = &golden.tensors[&format!("{attack}.{peer}")];
        let share = differing(&found, theirs);
        assert!(share <= floor, "{model} {attack}: {share} of the pixels differ from {peer}");
        assert_eq!(success, golden.broken(theirs, PICTURES), "{model} {attack}: success");
    }
}

#[test]
fn logits_and_gradients_agree_with_float64() {
    for name in ["mlp", "cnn_at"] {
        let golden = golden(name);
        let images = ImageBatch::new([1, 28, 28], golden.tensors["x"].clone());
        let goals: Vec<Goal> =
            golden.labels.iter().map(|t| Goal::Untargeted { truth: *t }).collect();
        let mut victim = TargetModel::new(&golden.model.network);
        let slope = victim.gradient(&images, &goals, &CrossEntropy).unwrap();
        let logits: Vec<f32> = slope.logits.rows().flatten().copied().collect();
        let scale = |v: &[f32]| v.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        let worst = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / scale(b)
        };
        assert!(worst(&logits, &golden.tensors["logits"]) < 1e-5, "{name} logits");
        let gradient = values(&slope.gradient);
        let reference = &golden.tensors["grad_ce_sum"];
        for (i, (a, b)) in gradient.chunks(SIZE).zip(reference.chunks(SIZE)).enumerate() {
            assert!(worst(a, b) < 1e-4, "{name} gradient of picture {i}: {}", worst(a, b));
        }
        for ((row, goal), label) in slope.logits.rows().zip(&goals).zip(slope.logits.labels()) {
            assert_eq!(margin(row, *goal) < 0.0, goal.reached(label));
        }
    }
}

#[test]
fn lite0_agrees_with_pytorch() {
    let model = Model::load("photo-efficientnet-lite0", &Device::flex()).unwrap();
    let bytes = std::fs::read(data("lite0/reference.safetensors")).unwrap();
    let tensors: HashMap<_, _> = read_tensors(&bytes, "lite0").unwrap().into_iter().collect();
    let numbers = |name: &str| floats(&tensors[name]).unwrap();
    let integers = |name: &str| -> Vec<usize> {
        let words = tensors[name].data().as_chunks().0;
        words.iter().map(|b| i64::from_le_bytes(*b) as usize).collect()
    };
    let pixels: Vec<f32> = tensors["x_u8"].data().iter().map(|b| f32::from(*b) / 255.0).collect();
    let images = ImageBatch::new([3, 224, 224], pixels);
    let goals: Vec<Goal> =
        integers("labels").iter().map(|truth| Goal::Untargeted { truth: *truth }).collect();
    let slope = TargetModel::new(&model.network).gradient(&images, &goals, &CrossEntropy).unwrap();
    let logits: Vec<f32> = slope.logits.rows().flatten().copied().collect();
    for (a, b) in logits.iter().zip(numbers("logits")) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
    let gradient = values(&slope.gradient);
    let size = 3 * 224 * 224;
    let (probe, wanted) = (integers("probe"), numbers("grad_ce_probe"));
    for (picture, part) in gradient.chunks(size).enumerate() {
        let length = part.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let reference = f64::from(numbers("grad_ce_l2")[picture]);
        assert!((length / reference - 1.0).abs() < 0.01, "{length} {reference}");
        let wanted = &wanted[picture * probe.len()..(picture + 1) * probe.len()];
        let top = wanted.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        for (at, wanted) in probe.iter().zip(wanted) {
            assert!((part[*at] - wanted).abs() < 0.02 * top, "{} {wanted}", part[*at]);
        }
    }
}
