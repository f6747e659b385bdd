//! Properties that every defence has, and what each family promises.

use crate::defended::Cpu;
use burn_tensor::{Device, Tensor, TensorData};
use epsiloscope::attack::{AttackConfig, Flow, ImageBatch, NoObserver, Norm, TargetModel, find};
use epsiloscope::data::{Dataset, Image};
use epsiloscope::defence::{
    BackwardRule, DEFENCES, DefenceSpec, DefenceStack, EOT_DRAWS, Pipeline, Stance,
    is_calibration_sample,
};
use epsiloscope::error::{ErrorKind, Result};
use epsiloscope::experiment::{
    self, Certification, EvaluatedDefence, Evaluation, Experiment, RocReport,
};
use epsiloscope::metrics::wilson;
use epsiloscope::model::{Classifier, Model};
use epsiloscope::rng::KeyedRng;
use std::sync::Arc;

fn build(stack: &str, model: &str, seed: u64) -> Result<Pipeline> {
    let model = Model::load(model, &Device::flex())?;
    Pipeline::build(&DefenceStack::parse(stack)?, model, seed, &mut Cpu)
}

fn digits(range: std::ops::Range<usize>) -> Vec<Image> {
    let data = Dataset::load("mnist").unwrap();
    range.map(|index| data.sample(index).image).collect()
}

fn tensor(pictures: &[Image]) -> Tensor<4> {
    let [c, h, w] = pictures[0].shape();
    let pixels: Vec<f32> = pictures.iter().flat_map(|p| p.pixels().to_vec()).collect();
    Tensor::from_data(TensorData::new(pixels, [pictures.len(), c, h, w]), &Device::flex())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// Every row at its defaults round the digit network; those that are trained only where a network is.
fn pipelines(seed: u64) -> impl Iterator<Item = (&'static DefenceSpec, Pipeline)> {
    let build = move |row: &'static DefenceSpec| match build(row.id, "mnist-cnn", seed) {
        Ok(pipeline) => Some((row, pipeline)),
        Err(error) if row.family == "training" && error.kind == ErrorKind::Usage => None,
        Err(error) => panic!("{}: {error}", row.id),
    };
    DEFENCES.iter().filter(|row| row.id != "model").filter_map(build)
}

/// Digits that are not quite sure of themselves, so that a draw shows.
fn blurred(n: usize) -> Vec<Image> {
    let (ones, others) = (digits(0..n), digits(10..10 + n));
    let mix = |(a, b): (&Image, &Image)| {
        let pixels = a.pixels().iter().zip(b.pixels()).map(|(a, b)| 0.1 + 0.4 * (a + b));
        Image::new(a.shape(), pixels.collect::<Vec<_>>())
    };
    ones.iter().zip(&others).map(mix).collect()
}

/// Weighs logits by fixed numbers.
fn weigh(logits: &[f32]) -> Vec<f32> {
    (0..logits.len()).map(|k| (1.3 * k as f32).cos()).collect()
}

#[test]
fn answers_follow_from_seed_and_picture_alone() {
    let pictures = blurred(3);
    for ((row, one), (_, same)) in pipelines(3).zip(pipelines(3)) {
        let bits = |pipeline: &Pipeline, pictures: &[Image]| {
            let seen = pipeline.attacker_view(Stance::Adaptive, 3);
            let images = tensor(pictures);
            let decided = seen.predict(&images).unwrap();
            let (_, slope) = seen.input_gradient(&images, &mut weigh).unwrap();
            (decided.logits, decided.rejected, seen.logits(&images).unwrap(), values(slope))
        };
        let all = bits(&one, &pictures);
        assert_eq!(all, bits(&one, &pictures), "{}: asked again", row.id);
        assert_eq!(all, bits(&same, &pictures), "{}: built again", row.id);
        // A picture's answer does not depend on the batch that it stands in.
        let (alone, k) = (bits(&one, &pictures[1..2]), 10);
        let near = |a: &[f32], b: &[f32]| {
            let scale = b.iter().fold(1.0_f32, |top, v| top.max(v.abs()));
            a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-4 * scale)
        };
        assert!(near(&alone.0, &all.0[k..2 * k]) && near(&alone.2, &all.2[k..2 * k]), "{}", row.id);
        assert_eq!(alone.1[0], all.1[1], "{}", row.id);
    }
}

#[test]
fn the_judge_draws_what_no_attacker_has_seen() {
    let pictures = blurred(1);
    let mut random = 0;
    for (row, pipeline) in pipelines(0) {
        let [view, other] = [0, 1].map(|seed| {
            let pipeline = build(row.id, "mnist-cnn", seed).unwrap();
            let seen = pipeline.attacker_view(Stance::Adaptive, 1);
            (
                seen.logits(&tensor(&pictures)).unwrap(),
                pipeline.predict_once(&pictures[0]).unwrap().0,
            )
        });
        assert_eq!(pipeline.is_random(), view.0 != other.0, "{}: another seed", row.id);
        if pipeline.is_random() && pipeline.passes() == 1 {
            assert_ne!(view.0, view.1, "{}: the judge draws for himself", row.id);
            random += 1;
        }
        if row.randomised && row.family != "input" {
            assert!(pipeline.is_random(), "{}", row.id);
        }
    }
    assert!(random >= 3, "{random}");
}

#[test]
fn no_attack_of_no_size_changes_anything() {
    let data = Dataset::load("mnist").unwrap();
    for (row, pipeline) in pipelines(0) {
        let experiment = Experiment {
            model: pipeline.base.clone(),
            surrogate: None,
            sample: data.sample(0),
            plan: AttackConfig { norm: Norm::Linf, ..AttackConfig::new(find("bim").unwrap(), 0.0) },
            device: cpu(),
        };
        let mut plan = experiment.plan.clone();
        plan.settings.assign(plan.attack.params, "bim", "steps=2").unwrap();
        let experiment = Experiment { plan, ..experiment };
        let report = experiment::attack_sample(&experiment, &mut NoObserver).unwrap();
        let known = experiment::defence_baseline(&pipeline, &report.original).unwrap();
        let against = experiment::DefendedAttack {
            pipeline: &pipeline,
            surrogate: None,
            stance: Stance::Adaptive,
            draws: 2,
        };
        let row_ =
            experiment::defend(&experiment, &report, against, &known, &mut NoObserver).unwrap();
        assert_eq!(row_.picture, report.original, "{}", row.id);
        assert_eq!(row_.adversarial.label, known.clean.label, "{}", row.id);
    }
}

#[test]
fn slopes_agree_with_differences_where_the_way_is_smooth() {
    let pictures = blurred(2);
    let smooth = |row: &DefenceSpec, pipeline: &Pipeline| {
        let keyed = pipeline.is_random() && row.id != "bayes";
        row.backward == BackwardRule::Exact && !keyed && row.id != "kwta"
    };
    let mut seen_rows = Vec::new();
    for (row, pipeline) in pipelines(0).filter(|(row, pipeline)| smooth(row, pipeline)) {
        let seen = pipeline.attacker_view(Stance::Adaptive, 5);
        let (_, slope) = seen.input_gradient(&tensor(&pictures), &mut weigh).unwrap();
        let (slope, size) = (values(slope), pictures[0].pixels().len());
        for (i, picture) in pictures.iter().enumerate() {
            let at = |pixels: Vec<f32>| -> f64 {
                let image = tensor(&[Image::new(picture.shape(), pixels)]);
                let logits = seen.logits(&image).unwrap();
                let whole = weigh(&vec![0.0; 10 * pictures.len()]);
                let weights = &whole[10 * i..10 * (i + 1)];
                logits.iter().zip(weights).map(|(z, w)| f64::from(*z) * f64::from(*w)).sum()
            };
            for direction in 0..3 {
                let mut draws = KeyedRng::new(5, i as u64, direction);
                let way = draws.on_l2_sphere(size, 1.0);
                let moved = |by: f32| {
                    let moved = picture.pixels().iter().zip(&way).map(|(p, w)| p + by * w);
                    at(moved.collect())
                };
                let step = 0.02;
                let found = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                let own = &slope[i * size..(i + 1) * size];
                let said: f64 =
                    own.iter().zip(&way).map(|(g, w)| f64::from(*g) * f64::from(*w)).sum();
                let length = own.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
                let error = (found - said).abs();
                assert!(error < 0.02 * length + 1e-3, "{}: {said}, found {found}", row.id);
            }
        }
        seen_rows.push(row.id);
    }
    for id in ["ensemble", "adp", "bayes", "pgd-at", "blur"] {
        assert!(seen_rows.contains(&id), "{id}: {seen_rows:?}");
    }
}

#[test]
fn an_ensemble_is_the_mean_or_the_vote_of_its_members() {
    let names = ["mnist-cnn", "mnist-mlp", "mnist-cnn-at"];
    let picture = blurred(3).swap_remove(2);
    let logits: Vec<Vec<f32>> = names
        .iter()
        .map(|name| {
            let model = Model::load(name, &Device::flex()).unwrap();
            model.network.logits(&tensor(std::slice::from_ref(&picture))).unwrap()
        })
        .collect();
    let softmax = |row: &Vec<f32>| -> Vec<f64> {
        let sum: f64 = row.iter().map(|z| f64::from(*z).exp()).sum();
        row.iter().map(|z| f64::from(*z).exp() / sum).collect()
    };
    let mean: Vec<f64> = (0..10)
        .map(|k| logits.iter().map(|row| softmax(row)[k]).sum::<f64>() / names.len() as f64)
        .collect();
    let asked = |rule: &str| {
        let stack = format!("ensemble:rule={rule}:models={}", names.join(","));
        build(&stack, "mnist-cnn", 0).unwrap().predict_once(&picture).unwrap().0
    };
    for (found, wanted) in asked("mean").iter().zip(&mean) {
        assert!((f64::from(*found).exp() - wanted).abs() < 1e-5);
    }
    let largest = |row: &[f32]| (0..10).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
    let votes = asked("vote");
    for (k, vote) in votes.iter().enumerate() {
        let share = logits.iter().filter(|row| largest(row) == k).count() as f64 / 3.0;
        assert!((f64::from(*vote).exp() - share).abs() < 1e-4, "{k}");
    }
    // One network alone looks three times.
    assert_eq!(build("ensemble", "photo-efficientnet-lite0", 0).unwrap().passes(), 3);
}

fn cpu() -> experiment::DeviceInfo {
    experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() }
}

fn roc(stack: &str, attack: &str, epsilon: f64, stance: Stance, n: usize) -> RocReport {
    let pipeline = Arc::new(build(stack, "mnist-cnn", 0).unwrap());
    let plan = AttackConfig { norm: Norm::L2, ..AttackConfig::new(find(attack).unwrap(), epsilon) };
    let dataset = Dataset::load("mnist").unwrap();
    let task = Evaluation {
        defence: Some(EvaluatedDefence { pipeline: pipeline.clone(), stance, draws: EOT_DRAWS }),
        ..Evaluation::new(pipeline.base.clone(), dataset, n, plan, cpu())
    };
    experiment::roc(&task, &mut |_| Flow::Continue).unwrap()
}

#[test]
fn one_clean_picture_in_twenty_is_refused() {
    for stack in ["squeeze", "variance"] {
        let pipeline = build(stack, "mnist-cnn", 0).unwrap();
        let detector = pipeline.detector.as_ref().unwrap();
        assert!(
            detector.detects && detector.basis.contains("50 of 1000 samples"),
            "{}",
            detector.basis
        );
        let data = Dataset::load("mnist").unwrap();
        let fresh =
            (0..data.len()).filter(|index| !is_calibration_sample(*index, data.len())).take(1000);
        let fresh: Vec<Image> = fresh.map(|index| data.sample(index).image).collect();
        let seen: usize = fresh
            .chunks(250)
            .map(|part| {
                let found = pipeline.detection_scores(part).unwrap();
                found.iter().filter(|(_, score)| *score > detector.threshold).count()
            })
            .sum();
        let [low, high] = wilson(seen, 1000);
        assert!(low <= 0.05 && 0.05 <= high, "{stack}: {seen} of 1000");
    }
}

#[test]
fn squeezing_detects_who_does_not_know_it_and_not_who_does() {
    let naive = roc("squeeze", "apgd-ce", 2.5, Stance::Naive, 40);
    let knows = roc("squeeze", "apgd-ce", 2.5, Stance::Adaptive, 40);
    assert!(naive.detected.interval[0] > 0.6, "{:?}", naive.detected);
    assert!(knows.evaded.interval[0] > naive.evaded.interval[1], "{:?}", knows.evaded);
    assert!(naive.auc > 0.9 && knows.auc < naive.auc, "{} {}", naive.auc, knows.auc);
    let (first, last) = (naive.points[0], *naive.points.last().unwrap());
    assert_eq!((first.fpr, first.tpr, last.fpr, last.tpr), (0.0, 0.0, 1.0, 1.0));
}

#[test]
fn a_close_vote_gets_no_answer_and_no_certificate() {
    let pipeline = build("smoothing:0.25", "mnist-cnn", 0).unwrap();
    assert_eq!(pipeline.models[0].card.name, "mnist-gaussian");
    let [a, b] = [digits(0..1).remove(0), digits(1..2).remove(0)];
    let between = |share: f32| {
        let mixed = a.pixels().iter().zip(b.pixels()).map(|(a, b)| a + share * (b - a));
        Image::new(a.shape(), mixed.collect::<Vec<_>>())
    };
    // Where the votes for the first class fall below those for the rest.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        let counts = pipeline.class_counts(&between(middle), 0..200).unwrap();
        match counts[7] > 100 {
            true => low = middle,
            false => high = middle,
        }
    }
    let (_, refused) = pipeline.predict_once(&between(low)).unwrap();
    assert!(refused, "at {low}");
    assert!(!pipeline.detector.as_ref().unwrap().detects);
    let go_on: &mut dyn FnMut(u64) -> Result<()> = &mut |_| Ok(());
    let none = experiment::certify(&pipeline, &between(low), [100, 200], 0.001, go_on).unwrap();
    assert_eq!((none.label, none.radius), (None, 0.0));
    let (_, refused) = pipeline.predict_once(&a).unwrap();
    let sure = experiment::certify(&pipeline, &a, [100, 200], 0.001, go_on).unwrap();
    assert!(!refused && sure.label == Some(7) && sure.radius > 0.2, "{sure:?}");
    assert!(build("jpeg+smoothing", "mnist-cnn", 0).is_err());
}

#[test]
fn no_attack_breaks_within_a_certified_radius() {
    let pipeline = Arc::new(build("smoothing:0.5", "mnist-cnn", 0).unwrap());
    let mut plan = AttackConfig::new(find("pgd").unwrap(), 1.0);
    plan.settings.assign(plan.attack.params, "pgd", "steps=10").unwrap();
    let task = Certification {
        model: pipeline.base.clone(),
        pipeline,
        dataset: Dataset::load("mnist").unwrap(),
        first: 0,
        samples: 6,
        n0: 100,
        n: 500,
        alpha: 0.001,
        plan,
        draws: 10,
        device: cpu(),
    };
    let report = experiment::certify_dataset(&task, &mut |_| Flow::Continue).unwrap();
    let proven = report.rows.iter().filter(|row| row.certificate.radius > 0.25).count();
    let broken = report.rows.iter().filter(|row| row.broken_at.is_some()).count();
    assert!(proven >= 3 && broken >= 3, "{:?}", report.rows);
    for row in &report.rows {
        let at = row.broken_at.unwrap_or(f64::INFINITY);
        assert!(row.certificate.radius < at, "{row:?}");
    }
    assert!(report.within[0].certified.value <= report.within[0].empirical.value);
}

#[test]
fn distillation_hides_its_gradient_from_who_takes_the_softmax_first() {
    let pipeline = build("distilled", "mnist-cnn", 0).unwrap();
    let images = ImageBatch::from_tensor(tensor(&digits(0..30))).unwrap();
    let data = Dataset::load("mnist").unwrap();
    let still = |stance| {
        let seen = pipeline.attacker_view(stance, 1);
        let goals: Vec<_> = (0..30)
            .map(|i| epsiloscope::attack::Goal::Untargeted { truth: data.label(i).unwrap() })
            .collect();
        let mut victim = TargetModel::new(&seen);
        use epsiloscope::attack::{CrossEntropy, GradientOracle};
        let slope = victim.gradient(&images, &goals, &CrossEntropy).unwrap();
        let flat = slope.gradient.into_values();
        flat.chunks(784).filter(|row| row.iter().all(|g| *g == 0.0)).count()
    };
    let found = [Stance::Gradient, Stance::Adaptive].map(still);
    assert!(found[0] >= 20 && found[1] == 0, "{found:?}");
}
