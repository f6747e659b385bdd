//! Experiments: what the dashboard and the command line both run.

use burn::tensor::Device;
use epsiloscope::attack::{Extent, Norm, Plan, Unobserved, find};
use epsiloscope::data::Dataset;
use epsiloscope::experiment::{self, Experiment, Report};
use epsiloscope::model::Model;

fn experiment(model: &str, attack: &str, epsilon: f64) -> Experiment {
    Experiment {
        model: Model::load(model, &Device::flex()).unwrap(),
        twin: None,
        surrogate: None,
        sample: Dataset::load("mnist").unwrap().sample(0),
        plan: Plan::new(find(attack).unwrap(), epsilon),
        device: experiment::Device { kind: "cpu".into(), name: "test".into() },
    }
}

fn run(experiment: &Experiment) -> Report {
    experiment::run(experiment, &mut Unobserved).unwrap()
}

#[test]
fn a_surrogate_crafts_and_the_victim_judges() {
    let alone = experiment("mnist-cnn-at", "pgd", 0.3);
    let white = run(&alone);
    let surrogate = Model::load("mnist-cnn", &Device::flex()).unwrap();
    let crafted = Experiment { surrogate: Some(surrogate.clone()), ..alone.clone() };
    let transferred = run(&crafted);
    assert_eq!(transferred.surrogate.as_deref(), Some("mnist-cnn"));
    assert_ne!(white.picture, transferred.picture);
    // It is the very picture that the attack finds on the surrogate, and the victim's own answer.
    let there = run(&Experiment { model: surrogate, ..alone.clone() });
    assert_eq!(there.picture, transferred.picture);
    assert_eq!(there.queries, transferred.queries);
    assert!(transferred.queries > 0 && transferred.cost.backward > 0);
    let mut again = alone.clone();
    again.sample.picture = transferred.picture.clone();
    let answer = experiment::clean(&again).unwrap().prediction;
    assert_eq!(answer.label, transferred.adversarial.label);
    let other = Model::load("fashion-cnn", &Device::flex()).unwrap();
    let unlike = Experiment { surrogate: Some(other), ..alone };
    let refused = experiment::run(&unlike, &mut Unobserved).unwrap_err();
    assert_eq!((refused.exit_status(), refused.place.as_str()), (2, "--surrogate"));
}

#[test]
fn the_least_epsilon_works_and_one_percent_less_does_not() {
    let task = experiment("mnist-cnn", "bim", 0.3);
    let found = experiment::least(&task, &mut Unobserved).unwrap();
    let epsilon = found.epsilon.unwrap();
    assert!(found.report.success && found.report.epsilon == Some(epsilon));
    assert!(found.tried.len() <= 16, "{:?}", found.tried);
    let below = found.tried.iter().filter(|(e, worked)| *e < epsilon && !worked);
    let nearest = below.map(|(e, _)| *e).fold(0.0, f64::max);
    assert!(nearest * 1.01 >= epsilon, "{:?}", found.tried);
    assert!(!found.tried.iter().any(|(e, worked)| *e < epsilon && *worked));
    for (epsilon, worked) in &found.tried[..3] {
        let mut task = task.clone();
        task.plan.epsilon = *epsilon;
        assert_eq!(run(&task).success, *worked);
    }
}

#[test]
fn a_sentence_says_what_bounds_the_attack() {
    let mut report = run(&experiment("mnist-cnn", "fgsm", 0.3));
    let check = |report: &Report, sentence: &str, brief: &str| {
        let words = |text: String| {
            let (a, rest) = text.split_once(" (").unwrap();
            format!("{a}{}", rest.split_once(')').unwrap().1)
        };
        assert_eq!((&*words(report.sentence()), &*words(report.brief())), (sentence, brief));
    };
    (report.clean.name, report.adversarial.name) = ("7".into(), "2".into());
    (report.reached, report.success) = (true, true);
    check(&report, "7 becomes 2 at L∞ ε = 0.3000 (76.5/255)", "7 becomes 2");
    (report.extent, report.norm, report.distance) = (Extent::Least, Norm::L2, 1.31);
    report.epsilon = Some(1.5);
    let brief = "7 becomes 2 at L2 distance 1.310";
    check(&report, &format!("{brief}, within ε = 1.500"), brief);
    (report.epsilon, report.success) = (Some(1.0), false);
    check(&report, &format!("{brief}, which is beyond ε = 1.000"), brief);
    (report.epsilon, report.success) = (None, true);
    check(&report, brief, brief);
    (report.reached, report.success) = (false, false);
    let none = "7 holds against fgsm, which found no way in L2";
    check(&report, none, none);
    (report.extent, report.reached, report.success) = (Extent::Own, true, true);
    check(&report, "7 becomes 2 by fgsm", "7 becomes 2 by fgsm");
}
