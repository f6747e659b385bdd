//! Score-based attacks against the reference network: no more queries, and no larger perturbations,
//! than the published implementations needed on the same pictures.

use crate::conformance::golden;
use epsiloscope::attack::{
    AttackConfig, Budget, Goal, ImageBatch, JudgedOutput, NoObserver, Norm, Problem, ScoreOracle,
    TargetChoice, TargetModel, find, generate_and_judge,
};
use epsiloscope::data::Dataset;
use epsiloscope::model::Model;

/// The first test pictures, those that are answered rightly.
fn digits(model: &Model, n: usize, norm: Norm, epsilon: f64, aim: TargetChoice) -> Problem {
    let data = Dataset::load("mnist").unwrap();
    let read = |kept: &[usize]| {
        let pixels = kept.iter().flat_map(|i| data.sample(*i).image.pixels().to_vec());
        ImageBatch::new([1, 28, 28], pixels.collect())
    };
    let all: Vec<usize> = (0..n).collect();
    let clean = TargetModel::new(&model.network).logits(&read(&all)).unwrap();
    let truth = |i: &usize| data.label(*i).unwrap();
    let right: Vec<usize> = all.into_iter().filter(|i| clean.labels()[*i] == truth(i)).collect();
    let goals: Vec<Goal> =
        right.iter().map(|i| aim.goal(truth(i), clean.row(*i)).unwrap()).collect();
    Problem {
        images: read(&right),
        goals,
        budget: Budget::new(norm, epsilon, 784).unwrap(),
        seed: 0,
        samples: right.iter().map(|i| *i as u64).collect(),
        training_images: None,
    }
}

fn attack(
    id: &str,
    settings: &[&str],
    (n, norm, epsilon, aim): (usize, Norm, f64, TargetChoice),
) -> JudgedOutput {
    let model = golden("mlp").model;
    let problem = digits(&model, n, norm, epsilon, aim);
    let spec = find(id).unwrap();
    let mut plan = AttackConfig::new(spec, epsilon);
    plan.norm = norm;
    settings.iter().for_each(|text| plan.settings.assign(spec.params, id, text).unwrap());
    let mut victim = TargetModel::new(&model.network);
    generate_and_judge(spec, &plan.resolved(), &mut victim, &problem, &mut NoObserver).unwrap()
}

/// The share of the first n pictures, as peers count it, that is not broken in `limit` queries.
fn robust(verdict: &JudgedOutput, n: usize, limit: u64) -> f64 {
    let pairs = verdict.success.iter().zip(&verdict.queries);
    pairs.filter(|(success, queries)| !(**success && **queries <= limit)).count() as f64 / n as f64
}

fn median<T: Copy + PartialOrd>(values: &[T]) -> T {
    let mut values = values.to_vec();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

/// AutoAttack's Square, 128 pictures, mean of three seeds, plus two standard errors.
#[test]
fn square_needs_no_more_queries_than_autoattacks() {
    let easy = attack("square", &["queries=250"], (128, Norm::Linf, 0.3, TargetChoice::Untargeted));
    assert_eq!(robust(&easy, 128, 250), 0.0);
    assert!(median(&easy.queries) <= 3);
    assert_eq!(easy.queries.iter().min(), Some(&1), "the start is a query");
    let hard = attack("square", &["queries=500"], (128, Norm::Linf, 0.1, TargetChoice::Untargeted));
    for (limit, most) in [(100, 0.513 + 0.088), (250, 0.276 + 0.080), (500, 0.177 + 0.068)] {
        assert!(robust(&hard, 128, limit) <= most, "{limit}: {}", robust(&hard, 128, limit));
    }
}

#[test]
fn simba_takes_no_longer_way_than_arts() {
    let found = attack("simba", &[], (16, Norm::L2, 10.0, TargetChoice::Untargeted));
    assert!(found.success.iter().all(|s| *s));
    assert!(median(&found.distance) <= 2.36, "{}", median(&found.distance));
    assert!(found.queries.iter().sum::<u64>() / found.queries.len() as u64 <= 380);
    // In the ball of ε = 2 the half that needs more than that is left.
    let bounded = attack("simba", &[], (16, Norm::L2, 2.0, TargetChoice::Untargeted));
    assert!(bounded.distance.iter().all(|d| *d <= 2.0));
    assert!((1..16).contains(&bounded.success.iter().filter(|s| **s).count()));
    let waves = attack("simba", &["basis=dct"], (16, Norm::L2, 2.0, TargetChoice::Untargeted));
    let hits = |found: &JudgedOutput| found.success.iter().filter(|s| **s).count();
    assert!(hits(&waves) > hits(&bounded), "long waves are the better directions");
}

#[test]
fn estimated_gradients_break_what_gradients_break() {
    let linf = (16, Norm::Linf, 0.3, TargetChoice::Untargeted);
    let like = ["steps=20", "samples=128", "learning-rate=0.1"];
    for (id, settings, most) in
        [("spsa", &like[..], 5121), ("nes", &[], 1000), ("bandits", &[], 300)]
    {
        let found = attack(id, settings, linf);
        assert!(found.success.iter().all(|s| *s), "{id}");
        assert!(found.queries.iter().all(|q| *q <= most), "{id}: {:?}", found.queries);
    }
}

#[test]
fn a_few_pixels_break_what_torchattacks_breaks() {
    let budget = (32, Norm::L0, 1.0, TargetChoice::Untargeted);
    let found = attack("one-pixel", &["population=60", "steps=5"], budget);
    assert!(found.success.contains(&true), "1 of 32");
    assert!(found.distance.iter().all(|d| *d <= 1.0));
    assert!(found.queries.iter().all(|q| q % 60 == 0 && *q <= 360));
}

#[test]
fn targets_are_reached_and_no_limit_is_passed() {
    for (id, norm, epsilon, hits) in [
        ("square", Norm::Linf, 0.3, 14),
        ("square", Norm::L2, 4.0, 14),
        ("square", Norm::L1, 40.0, 8),
        ("nes", Norm::Linf, 0.3, 14),
        ("bandits", Norm::Linf, 0.3, 14),
        ("bandits", Norm::L2, 4.0, 14),
        ("simba", Norm::L2, 4.0, 10),
    ] {
        let second = (16, norm, epsilon, TargetChoice::SecondMostLikely);
        let found = attack(id, &["queries=1000"], second);
        let reached = found.success.iter().filter(|s| **s).count();
        assert!(reached >= hits, "{id} {norm}: {reached}");
        assert!(found.queries.iter().all(|q| *q <= 1000), "{id} {norm}");
        for limit in [1, 2, 53] {
            let found = attack(
                id,
                &[&format!("queries={limit}")],
                (4, norm, 1e-4, TargetChoice::Untargeted),
            );
            assert!(found.queries.iter().all(|q| *q <= limit), "{id} {norm} {limit}");
        }
    }
}
