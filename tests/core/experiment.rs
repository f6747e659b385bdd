//! Experiments: what the dashboard and the command line both run.

use burn_tensor::Device;
use epsiloscope::attack::{AttackConfig, Bound, Flow, NoObserver, Norm, find};
use epsiloscope::data::Dataset;
use epsiloscope::experiment::{
    self, Evaluation, EvaluationReport, EvaluationStatus, Experiment, Report, Transfer,
};
use epsiloscope::model::Model;
use epsiloscope::parameter::Value;

fn experiment(model: &str, attack: &str, epsilon: f64) -> Experiment {
    Experiment {
        model: Model::load(model, &Device::flex()).unwrap(),
        surrogate: None,
        sample: Dataset::load("mnist").unwrap().sample(0),
        plan: AttackConfig::new(find(attack).unwrap(), epsilon),
        device: cpu(),
    }
}

fn cpu() -> experiment::DeviceInfo {
    experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() }
}

fn run(experiment: &Experiment) -> Report {
    experiment::attack_sample(experiment, &mut NoObserver).unwrap()
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
    again.sample.image = transferred.picture.clone();
    let answer = experiment::predict_clean(&again).unwrap().prediction;
    assert_eq!(answer.label, transferred.adversarial.label);
    let other = Model::load("fashion-cnn", &Device::flex()).unwrap();
    let unlike = Experiment { surrogate: Some(other), ..alone };
    let refused = experiment::attack_sample(&unlike, &mut NoObserver).unwrap_err();
    assert_eq!((refused.exit_status(), refused.place.as_str()), (2, "--surrogate"));
}

#[test]
fn the_least_epsilon_works_and_one_percent_less_does_not() {
    let task = experiment("mnist-cnn", "bim", 0.3);
    let found = experiment::minimum_epsilon(&task, &mut NoObserver).unwrap();
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
    (report.extent, report.norm, report.distance) = (Bound::MinimumNorm, Norm::L2, 1.31);
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
    (report.extent, report.reached, report.success) = (Bound::Own, true, true);
    check(&report, "7 becomes 2 by fgsm", "7 becomes 2 by fgsm");
}

/// FGSM, then PGD of few steps, on 40 samples.
fn evaluation(every: bool) -> Evaluation {
    let model = Model::load("mnist-cnn", &Device::flex()).unwrap();
    let dataset = Dataset::load("mnist").unwrap();
    let plan = |id: &str| AttackConfig::new(find(id).unwrap(), 0.1);
    let mut pgd = plan("pgd");
    pgd.settings.set("steps", Value::Int(5));
    let one = Evaluation::new(model, dataset, 40, plan("fgsm"), cpu());
    Evaluation { plans: vec![plan("fgsm"), pgd], every, batch_size: 8, ..one }
}

fn evaluate(task: &Evaluation) -> EvaluationReport {
    experiment::evaluate(task, &mut |_| Flow::Continue).unwrap()
}

/// The report without what depends on the clock.
fn timeless(report: &EvaluationReport) -> String {
    let mut report = report.clone();
    report.cost.seconds = 0.0;
    report.attacks.iter_mut().for_each(|attack| attack.cost.seconds = 0.0);
    serde_json::to_string(&report).unwrap()
}

#[test]
fn the_worst_case_counts_what_any_attack_breaks() {
    let (skipping, every) = (evaluate(&evaluation(false)), evaluate(&evaluation(true)));
    assert_eq!(skipping.robust_accuracy, every.robust_accuracy);
    let of = |report: &EvaluationReport, sample: usize, attack: usize| {
        report.samples[sample].attacks[attack].as_ref().map(|fate| fate.success)
    };
    let mut robust = 0;
    for (i, sample) in every.samples.iter().enumerate() {
        let fates = [of(&every, i, 0), of(&every, i, 1)];
        assert_eq!(sample.correct, fates[0].is_some() && fates[1].is_some());
        let stands = sample.correct && fates == [Some(false); 2];
        assert_eq!((sample.robust, skipping.samples[i].robust), (stands, stands), "{i}");
        robust += usize::from(stands);
        // Spared what was broken before, and the same where it was not.
        let expected = if fates[0] == Some(false) { fates[1] } else { None };
        assert_eq!(of(&skipping, i, 1), expected, "{i}");
    }
    assert_eq!(every.robust_accuracy, robust as f64 / 40.0);
    let [fgsm, pgd] = [&every.attacks[0], &every.attacks[1]];
    assert!(fgsm.broken.hits > 0 && pgd.broken.hits > fgsm.broken.hits, "{fgsm:?} {pgd:?}");
    assert_eq!(pgd.robust_after.hits, robust);
    assert!(pgd.robust_alone.is_some() && skipping.attacks[1].robust_alone.is_none());
    assert!(skipping.attacks[1].broken.n < every.attacks[1].broken.n);
    assert!(fgsm.median_queries.unwrap() >= 1.0 && fgsm.median_distance.unwrap() <= 0.100_001);
}

#[test]
fn an_evaluation_that_was_stopped_goes_on_and_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = 0;
    let mut count = |_: &EvaluationStatus| {
        asked += 1;
        Flow::Continue
    };
    let whole = timeless(&experiment::evaluate(&evaluation(false), &mut count).unwrap());
    // Within the clean pictures, within the first attack, within the second, before the end.
    for stop in [0, asked / 4, asked / 2, asked - 1] {
        let path = folder.path().join(format!("{stop}.json"));
        let state = Some(path.clone());
        let task = Evaluation { state: state.clone(), ..evaluation(false) };
        let mut calls = 0;
        let mut broken_off = |_: &EvaluationStatus| {
            calls += 1;
            if calls > stop { Flow::Stop } else { Flow::Continue }
        };
        let ended = experiment::evaluate(&task, &mut broken_off);
        assert!(ended.is_err_and(|e| e.is_cancelled()), "{stop}");
        assert_eq!(path.exists(), stop > 0);
        assert_eq!(timeless(&evaluate(&task)), whole, "{stop}");
        // Once more, with nothing left to do.
        assert_eq!(timeless(&evaluate(&task)), whole, "{stop}");
        let mut other = Evaluation { state: state.clone(), ..evaluation(false) };
        let network = Model::load("mnist-cnn-at", &Device::flex()).unwrap();
        let network = Evaluation { model: network, state, ..evaluation(false) };
        other.plans[1].epsilon = 0.2;
        for (task, word) in
            [(network, "models [0] name is"), (other, "attacks [1] epsilon is 0.1, not 0.2")]
        {
            let error = experiment::evaluate(&task, &mut |_| Flow::Continue).unwrap_err();
            assert!(error.exit_status() == 2 && error.to_string().contains(word), "{error}");
        }
    }
}

#[test]
fn the_transfer_matrix_is_what_its_cells_say() {
    let load = |name: &str| Model::load(name, &Device::flex()).unwrap();
    let mut plan = AttackConfig::new(find("bim").unwrap(), 0.2);
    plan.settings.set("steps", Value::Int(5));
    let task = Transfer {
        models: vec![load("mnist-cnn"), load("mnist-cnn-at")],
        dataset: Dataset::load("mnist").unwrap(),
        n: 24,
        plan: plan.clone(),
        batch_size: 7,
        device: cpu(),
    };
    let found = experiment::transfer(&task, &mut |_, _| Flow::Continue).unwrap();
    for (row, surrogate) in task.models.iter().enumerate() {
        for (column, victim) in task.models.iter().enumerate() {
            let (mut hits, mut n) = (0, 0);
            for index in 0..task.n {
                let mut one = experiment("mnist-cnn", "bim", 0.2);
                one.plan = plan.clone();
                one.sample = task.dataset.sample(index);
                (one.model, one.surrogate) = (victim.clone(), Some(surrogate.clone()));
                let known = Experiment { model: surrogate.clone(), ..one.clone() };
                let right = |e: &Experiment| {
                    let clean = experiment::predict_clean(e).unwrap();
                    clean.prediction.label == clean.label
                };
                if right(&one) && right(&known) {
                    n += 1;
                    hits += usize::from(run(&one).success);
                }
            }
            let cell = found.success[row][column];
            assert_eq!((cell.hits, cell.n), (hits, n), "{row} {column}");
        }
    }
    assert!(found.success[0][0].value > found.success[1][0].value);
}

#[test]
fn what_is_learned_from_many_is_learned_once_and_from_others() {
    let mut task = evaluation(false);
    task.plans = vec![AttackConfig::new(find("uap").unwrap(), 0.2)];
    task.plans[0].settings.set("samples", Value::Int(10));
    task.plans[0].settings.set("steps", Value::Int(2));
    let whole = evaluate(&task);
    assert!(whole.attacks[0].broken.hits > 0);
    // One perturbation for all, whatever the size of the pieces.
    task.batch_size = 3;
    assert_eq!(timeless(&evaluate(&task)), timeless(&whole));
    // It comes from pictures that are not evaluated: none of the 40 is among the 10.
    let notes = &whole.attacks[0].notes;
    assert!(notes.iter().any(|note| note.contains("10 pictures")), "{notes:?}");
}
