//! Attacks that learn one thing from a crowd of pictures, and attacks outside of every ε-ball.

use crate::nets::{network, pictures, problem, values};
use burn_tensor::{Device, Tensor};
use epsiloscope::attack::{
    AttackConfig, DecisionOracle, Goal, ImageBatch, JudgedOutput, NoObserver, Norm, Problem,
    TargetModel, TrainingImages, find, generate_and_judge,
};
use epsiloscope::data::Dataset;
use epsiloscope::experiment::{BatchTask, attack_batch};
use epsiloscope::model::{Model, Network};
use epsiloscope::parameter::Value;
use std::sync::Arc;

const SHAPE: [usize; 3] = [1, 8, 8];

/// Pictures far enough from black and white that nothing is clipped.
fn greyish(n: usize, device: &Device) -> Tensor<4> {
    pictures(n, SHAPE, device) * 0.4 + 0.3
}

fn crowd(device: &Device) -> Option<Arc<TrainingImages>> {
    let images = pictures(30, SHAPE, device).slice(18..30) * 0.4 + 0.3;
    let images = ImageBatch::from_tensor(images).unwrap();
    // The labels are wrong on purpose: what is fooled is the model's own answer.
    Some(Arc::new(TrainingImages { labels: vec![0; 12], images }))
}

fn plan(id: &str, norm: Norm, set: &[(&'static str, Value)]) -> AttackConfig {
    let mut plan = AttackConfig::new(find(id).unwrap(), 0.1);
    plan.norm = norm;
    set.iter().for_each(|(id, value)| plan.settings.set(id, value.clone()));
    plan
}

fn attack(plan: &AttackConfig, net: &Network, problem: &Problem) -> (JudgedOutput, u64) {
    let mut victim = TargetModel::new(net);
    let verdict =
        generate_and_judge(plan.attack, &plan.resolved(), &mut victim, problem, &mut NoObserver)
            .unwrap();
    (verdict, victim.passes().0)
}

#[test]
fn a_crowd_teaches_one_perturbation_that_all_pictures_get() {
    let device = Device::flex();
    let net = network(SHAPE, 10, 1.0, 0.0, &device);
    for (norm, epsilon) in [(Norm::Linf, 0.1), (Norm::L2, 0.6)] {
        for inner in ["sgd", "deepfool"] {
            let plan = plan("uap", norm, &[("inner", Value::Choice(inner))]);
            let crowd = crowd(&device);
            let some = problem(&net, greyish(5, &device), norm, epsilon, false);
            let some = Problem { training_images: crowd.clone(), ..some };
            let (verdict, asked) = attack(&plan, &net, &some);
            let (before, after) = (values(&some.images), values(&verdict.images));
            let v: Vec<f32> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
            assert!(norm.distance(&v[..64], &[0.0; 64]) > 0.2 * epsilon as f32, "{inner}");
            for other in v.chunks(64) {
                assert!(Norm::Linf.distance(other, &v[..64]) < 1e-6, "{norm} {inner}");
            }
            // Every question counts, those about the crowd too; the judge asks five of its own.
            assert_eq!(verdict.queries.iter().sum::<u64>() + 5, asked, "{norm} {inner}");
            // Whom it will be used on changes nothing.
            let one = problem(&net, greyish(1, &device), norm, epsilon, false);
            let one = Problem { training_images: crowd, ..one };
            assert_eq!(values(&attack(&plan, &net, &one).0.images), after[..64], "{inner}");
            let note = &verdict.notes[0].text().unwrap();
            assert!(note.contains("of the 12 pictures"), "{note}");
        }
    }
}

#[test]
fn one_perturbation_for_all_needs_one_target() {
    let device = Device::flex();
    let net = network(SHAPE, 10, 1.0, 0.0, &device);
    let problem = problem(&net, greyish(2, &device), Norm::Linf, 0.1, true);
    let run = |goals: [usize; 2]| {
        let goals = goals.map(|target| Goal::Targeted { target }).to_vec();
        let problem = Problem { training_images: crowd(&device), goals, ..problem.clone() };
        let plan = plan("uap", Norm::Linf, &[]);
        let mut victim = TargetModel::new(&net);
        generate_and_judge(plan.attack, &plan.resolved(), &mut victim, &problem, &mut NoObserver)
            .map(|_| ())
    };
    assert!(run([3, 3]).is_ok());
    assert!(run([3, 4]).is_err_and(|e| !e.is_cancelled()));
}

#[test]
fn a_patch_of_the_whole_picture_hides_it_and_a_small_one_leaves_the_rest() {
    let device = Device::flex();
    let net = network(SHAPE, 10, 1.0, 0.0, &device);
    let problem = problem(&net, greyish(4, &device), Norm::L0, 1.0, false);
    let problem = Problem { training_images: crowd(&device), ..problem };
    let upright = [("shape", Value::Choice("square")), ("rotation", Value::Float(0.0))];
    let sized = |area| {
        let set = [
            upright[0].clone(),
            upright[1].clone(),
            ("area", Value::Float(area)),
            ("scale", Value::Float(1.0)),
        ];
        attack(&plan("patch", Norm::L0, &set), &net, &problem).0
    };
    let whole = values(&sized(1.0).images);
    assert!(whole.chunks(64).all(|picture| picture == &whole[..64]));
    let small = sized(0.1);
    assert!(small.distance.iter().all(|n| (1.0..=16.0).contains(n)), "{:?}", small.distance);
    assert!(small.notes[0].text().unwrap().contains("of 80 fresh placements"), "{:?}", small.notes);
}

/// How many of the first ten digits fall.
fn fallen(id: &str, set: &[(&'static str, Value)]) -> usize {
    let model = Model::load("mnist-cnn", &Device::flex()).unwrap();
    let digits = Dataset::load("mnist").unwrap();
    let samples: Vec<_> = (0..10).map(|i| digits.sample(i)).collect();
    let batch = BatchTask {
        model,
        images: samples.iter().flat_map(|s| s.image.pixels().to_vec()).collect(),
        shape: [10, 1, 28, 28],
        labels: samples.iter().map(|s| s.label.unwrap()).collect(),
        plan: plan(id, find(id).unwrap().norms[0], set),
        batch_size: 10,
        surrogate: None,
    };
    let report = attack_batch(&batch, &mut |_, _| epsiloscope::attack::Flow::Continue).unwrap();
    report.success.iter().filter(|s| **s).count()
}

#[test]
fn digits_fall_to_turns_and_flows() {
    let ten = ("restarts", Value::Int(10));
    for (id, set, least) in [
        ("rotate-translate", &[][..], 9),
        ("rotate-translate-gradient", &[ten][..], 8),
        ("stadv", &[][..], 9),
    ] {
        let found = fallen(id, set);
        assert!(found >= least, "{id}: {found}");
    }
    // No turn and no shift: nothing can be found.
    let still = [("angle", Value::Float(0.0)), ("shift", Value::Float(0.0))];
    assert_eq!(fallen("rotate-translate", &still), 0);
    assert_eq!(fallen("rotate-translate-gradient", &still), 0);
}
