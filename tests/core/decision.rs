//! Attacks that see labels only, and the baselines, on a classifier whose least perturbation is
//! known in closed form.

use crate::nets::values;
use burn_tensor::{Device, Tensor, TensorData};
use epsiloscope::attack::{
    AttackConfig, Budget, Flow, Goal, ImageBatch, JudgedOutput, NoObserver, Norm, Problem,
    StepEvent, TargetModel, TrainingImages, find, generate_and_judge,
};
use epsiloscope::model::{Card, Network};
use epsiloscope::parameter::Value;
use std::path::Path;
use std::sync::Arc;

const SIDE: usize = 8;
const SIZE: usize = SIDE * SIDE;
/// The score by which class 0 leads on the clean picture.
const LEAD: f32 = 0.8;

fn weight(i: usize) -> f32 {
    ((i * 37 + 11) % 64) as f32 / 64.0 - 0.5
}

/// Two classes: class 1 wins where w·(x − ½) exceeds [`LEAD`].
fn linear(device: &Device) -> Network {
    let text = format!(
        "name = 'linear'\nnum_classes = 2\n[input]\nshape = [1, {SIDE}, {SIDE}]\n\
         [[layers]]\nop = 'flatten'\n[[layers]]\nop = 'linear'\nparam = 'a'\nin = {SIZE}\nout = 2\n"
    );
    let card = Card::parse(&text, Path::new("linear")).unwrap();
    let middle: f32 = (0..SIZE).map(|i| 0.5 * weight(i)).sum();
    Network::build(&card, device, &mut |name, shape| {
        let n = shape.iter().product();
        let values: Vec<f32> = match name {
            "a.bias" => vec![0.0, -middle - LEAD],
            _ => (0..n).map(|i| if i < SIZE { 0.0 } else { weight(i - SIZE) }).collect(),
        };
        Ok(Tensor::from_data(TensorData::new(values, [n]), device))
    })
    .unwrap()
}

/// Grey pictures, which the boundary's nearest point to is well inside the box.
fn grey(n: usize, norm: Norm) -> Problem {
    Problem {
        images: ImageBatch::new([1, SIDE, SIDE], vec![0.5; n * SIZE]),
        goals: vec![Goal::Untargeted { truth: 0 }; n],
        budget: Budget::new(norm, norm.largest_distance(SIZE).min(8.0), SIZE).unwrap(),
        seed: 3,
        samples: (0..n as u64).collect(),
        training_images: None,
    }
}

fn attack(id: &str, set: &[(&'static str, Value)], problem: &Problem) -> JudgedOutput {
    let spec = find(id).unwrap();
    let mut plan = AttackConfig::new(spec, f64::from(problem.budget.epsilon));
    set.iter().for_each(|(id, value)| plan.settings.set(id, value.clone()));
    let net = linear(&Device::flex());
    generate_and_judge(
        spec,
        &plan.resolved(),
        &mut TargetModel::new(&net),
        problem,
        &mut NoObserver,
    )
    .unwrap()
}

/// The distance of the hyperplane: the lead over the dual norm of w.
fn least(norm: Norm) -> f32 {
    let weights = (0..SIZE).map(|i| f64::from(weight(i).abs()));
    let dual = match norm {
        Norm::Linf => weights.sum::<f64>(),
        _ => weights.map(|w| w * w).sum::<f64>().sqrt(),
    };
    (f64::from(LEAD) / dual) as f32
}

#[test]
fn decision_attacks_come_within_a_tenth_of_a_hyperplane() {
    let whole = [("subspace", Value::Int(SIDE as i64))];
    for (id, norm, set, excess) in [
        ("boundary", Norm::L2, &[][..], 1.1),
        ("hopskipjump", Norm::L2, &[], 1.05),
        ("hopskipjump", Norm::Linf, &[], 1.1),
        ("geoda", Norm::L2, &whole, 1.05),
        ("geoda", Norm::Linf, &whole, 1.1),
        ("sign-opt", Norm::L2, &[], 1.05),
    ] {
        let found = attack(id, set, &grey(3, norm));
        assert_eq!(found.reached, [true; 3], "{id} {norm}");
        for distance in found.distance {
            let ratio = distance / least(norm);
            assert!((1.0 - 1e-4..excess).contains(&ratio), "{id} {norm}: {ratio} times the least");
        }
    }
}

#[test]
fn the_limit_on_queries_holds_to_the_last_one() {
    for id in ["boundary", "hopskipjump", "geoda", "sign-opt", "blend"] {
        for limit in [10, 11, 23, 64, 301] {
            let found = attack(id, &[("queries", Value::Int(limit))], &grey(2, Norm::L2));
            let most = *found.queries.iter().max().unwrap();
            assert!(most <= limit as u64, "{id}: {most} of {limit}");
            // These two always have a use for another question.
            if ["boundary", "sign-opt"].contains(&id) {
                assert_eq!(most, limit as u64, "{id}");
            }
        }
    }
}

#[test]
fn every_picture_shown_after_the_start_is_adversarial_and_the_answer_is_the_nearest() {
    let device = Device::flex();
    let net = linear(&device);
    for id in ["boundary", "hopskipjump", "geoda", "sign-opt"] {
        let problem = grey(1, Norm::L2);
        let spec = find(id).unwrap();
        let mut plan = AttackConfig::new(spec, 1.0);
        plan.settings.set("queries", Value::Int(800));
        let (mut nearest, mut shown, mut marks) = (f32::INFINITY, 0, Vec::new());
        let mut watch = |step: &StepEvent<'_>| {
            assert_eq!(step.labels, [1], "{id}");
            assert!(step.iteration <= step.iterations, "{id}");
            let size = Norm::L2.distance(step.images.row(0), &[0.5; SIZE]);
            assert!((size + step.loss[0]).abs() < 1e-5, "{id}: the loss is the distance, negated");
            nearest = nearest.min(size);
            shown += 1;
            marks.extend(step.mark.map(str::to_string));
            Flow::Continue
        };
        let settings = plan.resolved();
        let found =
            generate_and_judge(spec, &settings, &mut TargetModel::new(&net), &problem, &mut watch)
                .unwrap();
        assert!(found.distance[0] <= nearest * (1.0 + 2e-4), "{id}");
        assert!(
            shown > 2 && marks.first().is_some_and(|m| m == "boundary found"),
            "{id}: {marks:?}"
        );
    }
}

#[test]
fn a_picture_at_hand_of_the_target_is_the_start() {
    let mut problem = grey(1, Norm::L2);
    problem.goals = vec![Goal::Targeted { target: 1 }];
    // Class 1's own picture, and a nearer one of class 0 that must not be taken for it.
    let bright = (0..SIZE).map(|i| if weight(i) > 0.0 { 0.9 } else { 0.1 });
    let pixels: Vec<f32> = bright.chain([0.5; SIZE]).collect();
    let images = ImageBatch::new([1, SIDE, SIDE], pixels);
    problem.training_images = Some(Arc::new(TrainingImages { images, labels: vec![1, 0] }));
    let found = attack("blend", &[], &problem);
    // On the straight line from ½ to that picture: every pixel is as far from ½ as the others.
    let image = values(&found.images);
    let first = (image[0] - 0.5).abs();
    assert!(found.reached[0] && first > 0.0);
    assert!(image.iter().all(|p| ((p - 0.5).abs() - first).abs() < 1e-5));
    // Along that line the least is LEAD/‖w‖₁ in every pixel.
    let least = least(Norm::Linf);
    assert!((1.0..1.02).contains(&(first / least)), "{first} {least}");
}

#[test]
fn noise_has_the_promised_size_and_plain_changes_are_least() {
    let mut problem = grey(1, Norm::L2);
    // A dark picture, where clipping takes half of the noise away; class 0 far ahead.
    problem.images = ImageBatch::zeros([1, SIDE, SIDE], 1);
    problem.goals = vec![Goal::Targeted { target: 0 }];
    for epsilon in [0.05, 1.0, 2.5] {
        problem.budget = Budget::new(Norm::L2, epsilon, SIZE).unwrap();
        for id in ["uniform-noise", "gaussian-noise"] {
            let ratio = f64::from(attack(id, &[], &problem).distance[0]) / epsilon;
            assert!((ratio - 1.0).abs() < 1e-4, "{id}: {ratio}");
        }
    }
    // Contrast: from a picture of class 1 towards grey, the answer changes where w·(x − ½) falls to
    // the lead.
    let mut problem = grey(1, Norm::L2);
    let pixels: Vec<f32> = (0..SIZE).map(|i| if weight(i) > 0.0 { 0.9 } else { 0.1 }).collect();
    let ahead: f32 = (0..SIZE).map(|i| weight(i) * (pixels[i] - 0.5)).sum();
    problem.images = ImageBatch::new([1, SIDE, SIDE], pixels);
    problem.goals = vec![Goal::Untargeted { truth: 1 }];
    let found = attack("contrast", &[], &problem);
    let share = found.distance[0] / (0.4 * (SIZE as f32).sqrt());
    assert!((share - (1.0 - LEAD / ahead)).abs() < 2e-4, "{share}");
}

#[test]
fn salt_and_pepper_ends_with_few_pixels() {
    let problem = grey(1, Norm::L0);
    // Pixels that may each give at most ½·|w|: the fewest that can add up to the lead.
    let mut gains: Vec<f32> = (0..SIZE).map(|i| 0.5 * weight(i).abs()).collect();
    gains.sort_by(|a, b| b.total_cmp(a));
    let sums = gains.iter().scan(0.0, |sum, g| {
        *sum += g;
        Some(*sum)
    });
    let fewest = sums.take_while(|sum| *sum < LEAD).count() as f32 + 1.0;
    let few = |repeats: i64| attack("salt-pepper", &[("repeats", Value::Int(repeats))], &problem);
    let (soon, often) = (few(20).distance[0], few(300).distance[0]);
    assert!(fewest <= often && often < soon && often <= 4.0 * fewest, "{fewest} {often} {soon}");
}
