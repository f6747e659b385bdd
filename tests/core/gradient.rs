//! Relations between gradient attacks: one with its addition turned off is the other.

use crate::nets::{network, pictures, problem, values};
use burn_tensor::Device;
use epsiloscope::attack::{
    AttackConfig, Flow, NoObserver, Norm, Problem, StepEvent, TargetModel, find, generate_and_judge,
};
use epsiloscope::model::Network;

fn run(net: &Network, problem: &Problem, id: &str, settings: &[&str]) -> (Vec<f32>, u64) {
    let spec = find(id).unwrap();
    let mut plan = AttackConfig::new(spec, f64::from(problem.budget.epsilon));
    plan.norm = problem.budget.norm;
    for text in settings {
        plan.settings.assign(spec.params, id, text).unwrap();
    }
    let mut victim = TargetModel::new(net);
    let found =
        generate_and_judge(spec, &plan.resolved(), &mut victim, problem, &mut NoObserver).unwrap();
    (values(&found.images), found.queries[0])
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn an_attack_without_its_addition_is_the_one_it_was_added_to() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    let problem = problem(&net, pictures(3, [1, 8, 8], &device), Norm::Linf, 0.1, false);
    let same = ["steps=7", "step-size=0.02"];
    for (id, without, base) in [
        ("mi-fgsm", "decay=0", "bim"),
        ("ni-fgsm", "decay=0", "bim"),
        ("si-ni-fgsm", "scales=1", "ni-fgsm"),
        ("di-fgsm", "probability=0", "mi-fgsm"),
        ("ti-fgsm", "kernel=1", "mi-fgsm"),
        ("vmi-fgsm", "reach=0", "mi-fgsm"),
        ("eot-pgd", "draws=3", "pgd"),
        ("pgd", "random-start=false", "bim"),
    ] {
        let (with, _) = run(&net, &problem, id, &[&same[..], &[without]].concat());
        let (base_images, _) = run(&net, &problem, base, &same);
        assert!(worst(&with, &base_images) < 1e-5, "{id} {without} is not {base}");
    }
    // And each addition changes something.
    let (mi, _) = run(&net, &problem, "mi-fgsm", &same);
    for id in ["ni-fgsm", "si-ni-fgsm", "di-fgsm", "ti-fgsm", "vmi-fgsm", "vni-fgsm", "bim"] {
        assert!(worst(&run(&net, &problem, id, &same).0, &mi) > 1e-3, "{id} is mi-fgsm");
    }
}

#[test]
fn every_pass_is_paid_for() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    // Too small an ε to succeed, so that nothing leaves early.
    let problem = problem(&net, pictures(2, [1, 8, 8], &device), Norm::Linf, 1e-5, false);
    for (id, settings, queries) in [
        ("fgsm", &[][..], 2),
        ("r-fgsm", &[], 2),
        ("fast", &[], 2),
        ("pgd", &["steps=7", "restarts=2"], 16),
        ("eot-pgd", &["steps=7", "draws=5"], 40),
        ("mi-fgsm", &["steps=7"], 8),
        // The picture itself is asked about, too.
        ("ni-fgsm", &["steps=7"], 15),
        ("si-ni-fgsm", &["steps=7", "scales=5"], 43),
        ("vmi-fgsm", &["steps=7", "neighbours=20"], 148),
        ("apgd-ce", &["steps=20"], 21),
        // Nine walks, and the clean answer that orders the classes.
        ("apgd-t", &["steps=20"], 9 * 21 + 1),
    ] {
        assert_eq!(run(&net, &problem, id, settings).1, queries, "{id}");
    }
}

#[test]
fn a_broken_picture_leaves_at_once_where_that_is_asked_for() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    let problem = problem(&net, pictures(3, [1, 8, 8], &device), Norm::Linf, 0.4, false);
    let (_, all) = run(&net, &problem, "apgd-ce", &["steps=20"]);
    let (_, few) = run(&net, &problem, "apgd-ce", &["steps=20", "stop-early=true"]);
    assert!(all == 21 && few < 10, "{all} {few}");
}

#[test]
fn halvings_are_marked_and_l1_begins_in_larger_balls() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    for (norm, wanted) in [(Norm::Linf, "step halved to 0.2"), (Norm::L1, "in the ball of 9")] {
        let epsilon = if norm == Norm::L1 { 3.0 } else { 0.2 };
        let problem = problem(&net, pictures(1, [1, 8, 8], &device), norm, epsilon, false);
        let mut plan = AttackConfig::new(find("apgd-ce").unwrap(), epsilon);
        plan.norm = norm;
        let (mut marks, mut steps) = (Vec::new(), Vec::new());
        let mut watch = |step: &StepEvent<'_>| {
            marks.extend(step.mark.map(String::from));
            steps.push(step.step_size);
            Flow::Continue
        };
        let mut victim = TargetModel::new(&net);
        generate_and_judge(plan.attack, &plan.resolved(), &mut victim, &problem, &mut watch)
            .unwrap();
        assert!(marks.iter().any(|mark| mark == wanted), "{norm}: {marks:?}");
        assert!(steps.windows(2).any(|pair| pair[1] < pair[0]), "{norm}: {steps:?}");
    }
}
