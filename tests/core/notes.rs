//! What attacks tell is counted over a whole evaluation, however it is cut into batches and however
//! often it is broken off.

use crate::defended::Cpu;
use burn_tensor::Device;
use epsiloscope::attack::{AttackConfig, Flow, find};
use epsiloscope::data::Dataset;
use epsiloscope::defence::{DefenceStack, EOT_DRAWS, Pipeline, Stance};
use epsiloscope::experiment::{self, EvaluatedDefence, Evaluation, EvaluationStatus};
use epsiloscope::metrics::Rate;
use epsiloscope::metrics::checks::{
    CheckStatus, DatasetAttack, DatasetEvidence, Evidence, check_dataset, run_checks,
};
use epsiloscope::model::Model;
use epsiloscope::parameter::Value;
use std::path::Path;
use std::sync::Arc;

/// AutoAttack with small budgets through a stage that lets no gradient through.
fn task(attack: &str, n: usize, batch_size: usize, state: Option<&Path>) -> Evaluation {
    let model = Model::load("mnist-cnn", &Device::flex()).unwrap();
    let stack = DefenceStack::parse("bits:3").unwrap();
    let pipeline = Arc::new(Pipeline::build(&stack, model.clone(), 0, &mut Cpu).unwrap());
    let mut plan = AttackConfig::new(find(attack).unwrap(), 0.3);
    plan.norm = plan.attack.norms[0];
    for (id, value) in [("steps", 2), ("queries", 60)] {
        if plan.attack.params.iter().any(|param| param.id == id) {
            plan.settings.set(id, Value::Int(value));
        }
    }
    let dataset = Dataset::load("mnist").unwrap();
    let device = experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() };
    let task = Evaluation::new(model, dataset, n, plan, device);
    let defence = Some(EvaluatedDefence { pipeline, stance: Stance::Gradient, draws: EOT_DRAWS });
    let state = state.map(Path::to_path_buf);
    Evaluation { defence, batch_size, state, ..task }
}

fn notes(task: &Evaluation) -> Vec<String> {
    let report = experiment::evaluate(task, &mut |_| Flow::Continue).unwrap();
    report.attacks[0].notes.clone()
}

#[test]
fn flags_count_over_all_batches_and_after_resuming() {
    let (n, folder) = (24, tempfile::tempdir().unwrap());
    let whole = notes(&task("autoattack", n, 6, None));
    // One line each, none a batch.
    let kinds = ["gradient of zero", "Square", "not the published", "stood still"];
    let told = |kind: &&str| whole.iter().filter(|note| note.contains(*kind)).count();
    assert!(kinds.iter().all(|kind| told(kind) == 1) && whole.len() == 4, "{whole:?}");
    assert!(
        whole.contains(&format!("flag: {n} of {n} pictures looked at have a gradient of zero"))
    );
    let square = whole.iter().find(|note| note.contains("Square")).unwrap();
    assert!(square.contains(&format!(" of {n} that gradients could not")), "{square}");
    // The count of Square does not depend on how the samples are cut into batches.
    assert!(notes(&task("autoattack", n, n, None)).contains(square));
    // Broken off after two batches, and taken up again.
    let state = folder.path().join("state.json");
    let broken_off = task("autoattack", n, 6, Some(&state));
    let stop = &mut |status: &EvaluationStatus| match status.done >= 12.0 {
        true => Flow::Stop,
        false => Flow::Continue,
    };
    assert!(experiment::evaluate(&broken_off, stop).unwrap_err().is_cancelled());
    assert_eq!(notes(&task("autoattack", n, 6, Some(&state))), whole);
}

#[test]
fn other_attacks_count_over_all_batches_too() {
    let whole = notes(&task("rotate-translate", 9, 9, None));
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert!(whole[0].contains(" of 9"), "{whole:?}");
    // The last batch is a single picture.
    assert_eq!(notes(&task("rotate-translate", 9, 4, None)), whole);
}

/// Checks say nothing else than the sentences and flags beside them.
#[test]
fn a_check_agrees_with_what_stands_beside_it() {
    let black_box = |attacked: usize, by_square: usize| {
        let fate = |at: usize| match at {
            at if at < by_square => Some((true, Some("square".to_string()))),
            at => (at < attacked).then_some((false, None)),
        };
        let trial = DatasetAttack {
            plan: AttackConfig::new(find("autoattack").unwrap(), 0.1),
            epsilon: Some(0.1),
            staged: true,
            broke: (0..1000).map(fate).collect(),
            stood: vec![false; 1000],
            faint: vec![false; 1000],
        };
        let of = DatasetEvidence {
            samples: (0..1000).collect(),
            classes: 10,
            gaps: vec![1.0; 1000],
            non_finite: 0,
            clean: Rate { hits: attacked, n: 1000 },
            robust: Rate { hits: attacked - by_square, n: 1000 },
            defence: None,
            trials: vec![trial],
            looked: Vec::new(),
        };
        check_dataset(&of).into_iter().find(|verdict| verdict.check.id == "black-box").unwrap()
    };
    // One of 400 attacked is more than 0.2 %, as AutoAttack's flag counts, whatever else was looked at.
    assert_eq!(black_box(400, 1).status, CheckStatus::Amber);
    let usual = black_box(900, 1);
    assert!(
        usual.status == CheckStatus::Green && usual.reason.contains("1 of 900"),
        "{}",
        usual.reason
    );
    // DeepFool found a way beyond ε: that BIM finds none is no sign that there is none.
    let mut evidence = Evidence::new(AttackConfig::new(find("deepfool").unwrap(), 0.1), Some(0.1));
    (evidence.reached, evidence.probes.unbounded) = (true, Some(false));
    let all = run_checks(&evidence);
    let unbounded = all.iter().find(|verdict| verdict.check.id == "unbounded").unwrap();
    assert_eq!(
        (unbounded.status, &*unbounded.reason),
        (CheckStatus::Green, "the goal was reached beyond ε")
    );
}
