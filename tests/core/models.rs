//! The shipped models are what their cards say.

use burn_tensor::Device;
use epsiloscope::attack::{AttackConfig, Flow, Norm, find};
use epsiloscope::data::{Dataset, Sample, sha256};
use epsiloscope::defence::DefenceSpec;
use epsiloscope::experiment::{self, Evaluation, Experiment};
use epsiloscope::model::{Model, catalogue};
use epsiloscope::parameter::Value;
use std::path::PathBuf;

fn cpu() -> experiment::DeviceInfo {
    experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() }
}

#[test]
fn every_card_has_its_weights_licence_and_checksum() {
    for card in catalogue() {
        let folder =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample_models").join(&card.name);
        let bytes = std::fs::read(folder.join(&card.weights)).unwrap();
        assert_eq!(card.sha256.as_deref(), Some(sha256(&bytes).as_str()), "{}", card.name);
        assert!(!card.licence.is_empty() && !card.shown().is_empty());
        if let Some(id) = &card.defence {
            assert!(DefenceSpec::find(id).is_ok(), "{id}");
        }
        Model::load(&card.name, &Device::flex()).unwrap();
    }
}

/// Clean accuracy on the first 2,000 samples and robust accuracy on the first 200 must lie where the
/// card's numbers, measured on more, put them: within four standard errors.
#[test]
fn cards_tell_the_truth_about_accuracy() {
    for card in catalogue().into_iter().filter(|c| c.accuracy.is_some()) {
        let said = card.accuracy.clone().unwrap();
        let model = Model::load(&card.name, &Device::flex()).unwrap();
        let measure = |n: usize, plan: AttackConfig| {
            let dataset = Dataset::load(&card.data).unwrap();
            let task = Evaluation::new(model.clone(), dataset, n, plan, cpu());
            experiment::evaluate(&task, &mut |_| Flow::Continue).unwrap()
        };
        let close = |found: f64, said: f64, n: f64| {
            let error = (said * (1.0 - said) / n).sqrt().max(0.5 / n);
            assert!((found - said).abs() < 4.0 * error, "{}: {found}, card {said}", card.name);
        };
        // Of CIFAR-10 only a part of what the card counts is built in.
        let n = 2000.min(Dataset::load(&card.data).unwrap().len());
        let clean = measure(n, AttackConfig::new(find("fgsm").unwrap(), 0.0));
        close(clean.clean_accuracy, said.clean, n as f64);
        assert_eq!(clean.clean_accuracy, clean.robust_accuracy, "ε = 0 breaks nothing");
        for robust in &said.robust {
            let mut plan = AttackConfig::new(find(&robust.attack).unwrap(), robust.epsilon);
            for part in robust.parameters.split_whitespace() {
                plan.settings.assign(plan.attack.params, plan.attack.id, part).unwrap();
            }
            assert_eq!(plan.resolved().to_string(), robust.parameters, "{}", card.name);
            // AutoAttack takes some eight thousand passes for each picture that resists.
            let n = if robust.attack == "autoattack" { 10 } else { 200 }.min(robust.n);
            let found = measure(n, plan);
            close(found.robust_accuracy, robust.accuracy, n as f64);
        }
    }
}

/// Confidences of PyTorch with PIL for the eight photographs, in their order.
const LISTED: [f32; 8] = [0.958, 0.944, 0.378, 0.365, 0.613, 0.586, 0.352, 0.275];

#[test]
fn lite0_sees_what_is_listed_and_falls_to_two_255ths() {
    let model = Model::load("photo-efficientnet-lite0", &Device::flex()).unwrap();
    let photos = Dataset::load("photos").unwrap();
    let mut flipped = 0;
    assert_eq!(photos.len(), LISTED.len());
    for (index, listed) in LISTED.into_iter().enumerate() {
        let sample: Sample = photos.sample(index);
        let mut plan = AttackConfig::new(find("pgd").unwrap(), 2.0 / 255.0);
        plan.settings.set("steps", Value::Int(5));
        let task =
            Experiment { model: model.clone(), surrogate: None, sample, plan, device: cpu() };
        let report =
            experiment::attack_sample(&task, &mut epsiloscope::attack::NoObserver).unwrap();
        assert!(report.label_is_truth);
        assert_eq!(
            report.clean.label, report.label,
            "{} is {}",
            report.sample.name, report.clean.name
        );
        // Within the tolerance of another resizer and JPEG decoder than PIL's.
        let share = report.clean.confidence;
        assert!((share - listed).abs() < 0.06, "{}: {share}", report.sample.name);
        assert!(report.norms.size(Norm::Linf) <= 2.0 / 255.0 + 1e-6);
        flipped += usize::from(report.success);
    }
    assert!(flipped >= 7, "only {flipped} of 8 flipped");
}
