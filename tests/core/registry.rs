//! One table over every attack, every norm it works in, with and without a target: what must hold
//! for each of them.

use crate::nets::{epsilon, network, pictures, problem, values};
use burn_tensor::{Device, Tensor};
use epsiloscope::attack::{
    ATTACKS, AttackConfig, AttackSpec, Bound, DecisionOracle, Flow, JudgedOutput, Knowledge,
    NoObserver, Norm, Problem, ScoreOracle, StepEvent, TargetModel, generate_and_judge,
};
use epsiloscope::model::Network;
use epsiloscope::parameter::Value;

/// What is counted, and how far in these tests.
const FEW: &[(&str, i64)] =
    &[("steps", 6), ("restarts", 2), ("repeats", 5), ("queries", 60), ("searches", 3)];

/// A plan that is quick enough to be run many times.
fn plan(spec: &'static AttackSpec, norm: Norm, epsilon: f64) -> AttackConfig {
    let mut plan = AttackConfig::new(spec, epsilon);
    plan.norm = norm;
    for param in spec.params {
        if let Some((_, few)) = FEW.iter().find(|(id, _)| *id == param.id) {
            plan.settings.set(param.id, Value::Int(*few));
        }
    }
    plan
}

fn attack(plan: &AttackConfig, net: &Network, problem: &Problem) -> JudgedOutput {
    generate_and_judge(
        plan.attack,
        &plan.resolved(),
        &mut TargetModel::new(net),
        problem,
        &mut NoObserver,
    )
    .unwrap()
}

/// Every (attack, norm, targeted) that the registry offers.
fn every_row() -> Vec<(&'static AttackSpec, Norm, bool)> {
    let mut rows = Vec::new();
    for spec in ATTACKS {
        for norm in spec.norms {
            rows.push((spec, *norm, false));
            if spec.targeted {
                rows.push((spec, *norm, true));
            }
        }
    }
    rows
}

const SHAPES: [([usize; 3], usize); 3] = [([1, 8, 8], 10), ([3, 8, 6], 2), ([3, 6, 6], 1000)];

#[test]
fn results_stay_in_the_ball_and_in_the_box() {
    let device = Device::flex();
    for (shape, classes) in SHAPES {
        // Logits all negative, too.
        for bias in [0.0, -50.0] {
            let net = network(shape, classes, 1.0, bias, &device);
            for (spec, norm, targeted) in every_row() {
                let problem =
                    problem(&net, pictures(4, shape, &device), norm, epsilon(norm), targeted);
                let verdict = attack(&plan(spec, norm, epsilon(norm)), &net, &problem);
                let (before, after) = (values(&problem.images), values(&verdict.images));
                let size = shape.iter().product();
                for (a, b) in before.chunks(size).zip(after.chunks(size)) {
                    assert!(
                        b.iter().all(|p| (0.0..=1.0).contains(p)),
                        "{} leaves the box",
                        spec.id
                    );
                    let found = norm.distance(a, b);
                    let bound = epsilon(norm) as f32 * (1.0 + 1e-6);
                    if spec.bound == Bound::FixedEpsilon {
                        assert!(found <= bound, "{} {norm}: {found} > {bound}", spec.id);
                    }
                }
                let goals = verdict.logits.labels().into_iter().zip(&problem.goals);
                let reached: Vec<bool> = goals.map(|(label, goal)| goal.reached(label)).collect();
                assert_eq!(reached, verdict.reached, "{}: the victim decides", spec.id);
                for (i, success) in verdict.success.iter().enumerate() {
                    let inside = verdict.distance[i] <= epsilon(norm) as f32 * (1.0 + 1e-6);
                    let bounded = spec.bound != Bound::Own;
                    assert_eq!(*success, reached[i] && (inside || !bounded), "{}", spec.id);
                }
            }
        }
    }
}

#[test]
fn epsilon_zero_is_the_identity() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    for (spec, norm, targeted) in every_row() {
        let problem = problem(&net, pictures(3, [1, 8, 8], &device), norm, 0.0, targeted);
        let verdict = attack(&plan(spec, norm, 0.0), &net, &problem);
        if spec.bound == Bound::FixedEpsilon {
            assert_eq!(values(&verdict.images), values(&problem.images), "{} {norm}", spec.id);
        }
        if spec.bound != Bound::Own {
            assert!(verdict.success.iter().all(|s| !s), "{} {norm}", spec.id);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    for (spec, norm, targeted) in every_row() {
        let mut problem =
            problem(&net, pictures(3, [1, 8, 8], &device), norm, epsilon(norm), targeted);
        let settings = plan(spec, norm, epsilon(norm)).resolved();
        // The result and the way to it: several starts may end at the same nearest picture.
        let course = |problem: &Problem| {
            let mut way = Vec::new();
            let mut watch = |step: &StepEvent<'_>| {
                way.extend_from_slice(step.images.row(0));
                Flow::Continue
            };
            let found = generate_and_judge(
                spec,
                &settings,
                &mut TargetModel::new(&net),
                problem,
                &mut watch,
            );
            (values(&found.unwrap().images), way)
        };
        let first = course(&problem);
        assert!(first == course(&problem), "{} {norm}", spec.id);
        problem.seed += 1;
        let other = course(&problem);
        // With few values to choose from, two draws may fall on the same pixels.
        if !spec.random || norm != Norm::L0 {
            assert_eq!(first != other, spec.random, "{} {norm}", spec.id);
        }
    }
}

#[test]
fn a_batch_of_one_equals_a_batch_of_many() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    for (spec, norm, targeted) in every_row().into_iter().filter(|(spec, ..)| !spec.universal) {
        let whole = problem(&net, pictures(5, [1, 8, 8], &device), norm, epsilon(norm), targeted);
        let plan = plan(spec, norm, epsilon(norm));
        let together = values(&attack(&plan, &net, &whole).images);
        for i in 0..whole.len() {
            let alone = Problem {
                images: whole.images.select(&[i]),
                goals: vec![whole.goals[i]],
                samples: vec![whole.samples[i]],
                ..whole.clone()
            };
            let one = values(&attack(&plan, &net, &alone).images);
            let worst = one.iter().zip(&together[i * 64..]).map(|(a, b)| (a - b).abs());
            let worst = worst.fold(0.0, f32::max);
            assert!(worst < 1e-4, "{} {norm} picture {i}: {worst}", spec.id);
        }
    }
}

#[test]
fn a_stop_takes_effect_within_one_step() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    for (spec, norm, targeted) in every_row() {
        let problem = problem(&net, pictures(2, [1, 8, 8], &device), norm, 1e-4, targeted);
        let plan = plan(spec, norm, 1e-4);
        let mut events = 0;
        let mut stop = |_: &StepEvent<'_>| {
            events += 1;
            Flow::Stop
        };
        let result = generate_and_judge(
            plan.attack,
            &plan.resolved(),
            &mut TargetModel::new(&net),
            &problem,
            &mut stop,
        );
        assert!(result.is_err_and(|e| e.is_cancelled()), "{}", spec.id);
        assert_eq!(events, 1, "{}", spec.id);
    }
}

#[test]
fn the_answer_is_never_worse_than_the_last_iterate() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 3.0, 0.0, &device);
    let mut lost_on_the_way = 0;
    for (spec, norm, targeted) in every_row() {
        // Steps far too large, so that iterates jump in and out of success.
        let problem = problem(&net, pictures(6, [1, 8, 8], &device), norm, epsilon(norm), targeted);
        let mut plan = plan(spec, norm, epsilon(norm));
        if spec.params.iter().any(|p| p.id == "step-size") {
            plan.settings.set("step-size", Value::Float(2.0 * epsilon(norm)));
        }
        let mut ever = vec![false; problem.len()];
        let mut last = vec![false; problem.len()];
        let mut most = 0;
        let goals = problem.goals.clone();
        let mut watch = |step: &StepEvent<'_>| {
            for (i, label) in step.active.iter().zip(step.labels) {
                last[*i] = goals[*i].reached(*label);
                ever[*i] |= last[*i];
            }
            most = most.max(last.iter().filter(|reached| **reached).count());
            Flow::Continue
        };
        let settings = plan.resolved();
        let verdict = generate_and_judge(
            plan.attack,
            &settings,
            &mut TargetModel::new(&net),
            &problem,
            &mut watch,
        )
        .unwrap();
        if spec.universal {
            // One perturbation for all: it wins some pictures and loses others.
            let reached = verdict.reached.iter().filter(|reached| **reached).count();
            assert!(reached >= most, "{} {norm}: {reached} of {most}", spec.id);
            continue;
        }
        for (i, success) in verdict.reached.iter().enumerate() {
            assert!(*success || !ever[i], "{} {norm}: picture {i} threw its success away", spec.id);
            lost_on_the_way += usize::from(ever[i] && !last[i]);
        }
    }
    assert!(lost_on_the_way > 0, "the test never saw an iterate that lost its success");
}

#[test]
fn a_dead_network_gives_no_nan() {
    let device = Device::flex();
    // A negative gain with a bias of −0.1 on non-negative pixels: every unit is dead.
    let text = "name = 'dead'\nnum_classes = 3\n[input]\nshape = [1, 4, 4]\n\
                [[layers]]\nop = 'linear'\nparam = 'a'\nin = 16\nout = 5\n[[layers]]\nop = 'relu'\n\
                [[layers]]\nop = 'linear'\nparam = 'b'\nin = 5\nout = 3\n";
    let card = epsiloscope::model::Card::parse(text, std::path::Path::new("dead")).unwrap();
    let net = Network::build(&card, &device, &mut |_, shape| {
        Ok(Tensor::full([shape.iter().product::<usize>()], -0.5, &device))
    })
    .unwrap();
    for (spec, norm, targeted) in every_row() {
        let problem = problem(&net, pictures(2, [1, 4, 4], &device), norm, epsilon(norm), targeted);
        let verdict = attack(&plan(spec, norm, epsilon(norm)), &net, &problem);
        assert!(values(&verdict.images).iter().all(|p| p.is_finite()), "{} {norm}", spec.id);
        // No gradient leads anywhere, and that is told.
        for i in (0..problem.len()).filter(|i| !verdict.reached[*i]) {
            let seen = verdict.gradient_stats[i];
            let asked = seen.queries > 0;
            assert_eq!(verdict.stalled(i), asked, "{} {norm} {targeted}: {seen:?}", spec.id);
        }
    }
}

/// One linear layer on 16 pixels, then what `after` says, with these weights of both.
fn linear(after: &str, first: &dyn Fn(usize) -> f32, second: &dyn Fn(usize) -> f32) -> Network {
    let device = Device::flex();
    let text = format!(
        "name = 'extreme'\nnum_classes = 4\n[input]\nshape = [1, 4, 4]\n\
         [[layers]]\nop = 'flatten'\n[[layers]]\nop = 'linear'\nparam = 'a'\nin = 16\nout = 4\n\
         {after}\
         [[layers]]\nop = 'linear'\nparam = 'b'\nin = 4\nout = 4\n"
    );
    let card = epsiloscope::model::Card::parse(&text, std::path::Path::new("extreme")).unwrap();
    Network::build(&card, &device, &mut |name, shape| {
        let n: usize = shape.iter().product();
        let value = |i: usize| match name {
            "a.weight" => first(i),
            "b.weight" => second(i),
            _ => 0.0,
        };
        let values: Vec<f32> = (0..n).map(value).collect();
        Ok(Tensor::from_data(burn_tensor::TensorData::new(values, [n]), &device))
    })
    .unwrap()
}

#[test]
fn no_attack_fails_or_stands_still_in_silence_where_the_network_gives_no_numbers() {
    let sigmoid = "[[layers]]\nop = 'sigmoid'\n";
    let mixed = |i: usize| ((i as u64 + 1) * 2_654_435_761 % 1_000_003) as f32 / 1_000_003.0 - 0.5;
    let nets = [
        // Bright pictures overflow, dark ones do not.
        linear("", &|i| 3e38 * mixed(i), &|i| f32::from(u8::from(i % 5 == 0))),
        // Every logit of every picture is no number, even of the black one.
        linear("", &|_| 0.1, &|i| if i == 3 { f32::NAN } else { 1.0 }),
        linear("", &|_| 0.1, &|_| f32::INFINITY),
        // The logits are numbers, the gradient is infinite where a pixel is black.
        linear(sigmoid, &|i| 3e38 * mixed(i), &|i| 1e3 * mixed(i + 7)),
        // Steep enough that the gradient is zero.
        linear(sigmoid, &|i| 1e6 * (1.5 + mixed(i)), &|i| mixed(i + 7)),
    ];
    let device = Device::flex();
    let size = 16;
    let (mut stood, mut bad) = (0, 0);
    for (number, net) in nets.iter().enumerate() {
        for (spec, norm, targeted) in every_row() {
            // One of them black, one nearly so.
            let images = values(&pictures(4, [1, 4, 4], &device));
            let dim = |(i, p): (usize, f32)| match i / size {
                0 => 0.0,
                1 => p / 64.0,
                _ => p,
            };
            let images: Vec<f32> = images.into_iter().enumerate().map(dim).collect();
            let data = burn_tensor::TensorData::new(images, [4, 1, 4, 4]);
            let images = Tensor::from_data(data, &device);
            let problem = problem(net, images, norm, epsilon(norm), targeted);
            let mut victim = TargetModel::new(net);
            let plan = plan(spec, norm, epsilon(norm));
            let place = format!("network {number}, {} {norm} {targeted}", spec.id);
            let verdict =
                generate_and_judge(spec, &plan.resolved(), &mut victim, &problem, &mut NoObserver)
                    .unwrap();
            bad += victim.non_finite();
            let (before, after) = (values(&problem.images), values(&verdict.images));
            assert!(after.iter().all(|p| (0.0..=1.0).contains(p)), "{place}");
            for (i, (a, b)) in before.chunks(size).zip(after.chunks(size)).enumerate() {
                let bound = epsilon(norm) as f32 * (1.0 + 1e-6);
                assert!(
                    spec.bound != Bound::FixedEpsilon || norm.distance(a, b) <= bound,
                    "{place}"
                );
                // Who asked for gradients and got nothing but zeros has said so.
                let seen = verdict.gradient_stats[i];
                let blind = seen.queries > 0 && seen.dead == seen.queries;
                assert_eq!(
                    verdict.stalled(i),
                    seen.mostly_dead() && !verdict.reached[i],
                    "{place}"
                );
                assert!(!blind || verdict.reached[i] || verdict.stalled(i), "{place}");
                let asks = spec.knowledge() == Knowledge::Gradient;
                let told = verdict.reached[i] || verdict.stalled(i) || a != b;
                // None where its own look, in another order of sums, found the goal reached.
                let none = seen.queries == 0 || seen.queries > seen.dead;
                assert!(told || !asks || none, "{place} picture {i}: {seen:?}");
                stood += usize::from(verdict.stalled(i));
            }
        }
    }
    assert!(stood > 100 && bad > 100, "{stood} stood still, {bad} answers were no numbers");
}

#[test]
fn noise_uses_no_gradient_and_oracles_count() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    let problem = problem(&net, pictures(2, [1, 8, 8], &device), Norm::Linf, 1e-5, false);
    for (id, forward, backward) in [("fgsm", 2 * 3, 2), ("bim", 2 * 8, 2 * 6), ("noise", 2 * 6, 0)]
    {
        let plan = plan(epsiloscope::attack::find(id).unwrap(), Norm::Linf, 1e-5);
        let mut victim = TargetModel::new(&net);
        generate_and_judge(plan.attack, &plan.resolved(), &mut victim, &problem, &mut NoObserver)
            .unwrap();
        assert_eq!(victim.passes(), (forward, backward), "{id}");
    }
    let mut victim = TargetModel::new(&net);
    victim.logits(&problem.images).unwrap();
    assert_eq!(victim.passes(), (2, 0));
}

#[test]
fn every_query_is_counted_and_black_boxes_see_no_gradient() {
    let device = Device::flex();
    let net = network([1, 8, 8], 10, 1.0, 0.0, &device);
    for (spec, norm, targeted) in every_row().into_iter().filter(|(spec, ..)| !spec.universal) {
        let problem = problem(&net, pictures(3, [1, 8, 8], &device), norm, epsilon(norm), targeted);
        let mut victim = TargetModel::new(&net);
        let plan = plan(spec, norm, epsilon(norm));
        let found =
            generate_and_judge(spec, &plan.resolved(), &mut victim, &problem, &mut NoObserver)
                .unwrap();
        let (forward, backward) = victim.passes();
        let asked: u64 = found.queries.iter().sum();
        // The judge asks once, and once more where a search for the least found nothing.
        let judged = [asked + 3, asked + 6];
        assert!(judged.contains(&forward), "{} {norm}: {asked} of {forward}", spec.id);
        if spec.knowledge() != Knowledge::Gradient {
            assert_eq!(backward, 0, "{}", spec.id);
        }
    }
}
