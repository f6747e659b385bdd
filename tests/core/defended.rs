//! Defended models: what an attack that knows the defence leaves of it.

use burn_tensor::Device;
use epsiloscope::attack::{AttackConfig, Flow, find};
use epsiloscope::data::Dataset;
use epsiloscope::defence::{DefenceStack, EOT_DRAWS, ModelProvider, Pipeline, Stance};
use epsiloscope::error::Result;
use epsiloscope::experiment::{self, EvaluatedDefence, Evaluation, EvaluationReport};
use epsiloscope::model::Model;
use std::sync::Arc;

/// Loads models onto the CPU.
pub struct Cpu;

impl ModelProvider for Cpu {
    fn model(&mut self, name: &str) -> Result<Arc<Model>> {
        Model::load(name, &Device::flex())
    }
}

/// PGD on the first `n` digits at ε 0.3 against a defended network.
fn evaluate(model: &str, stack: &str, stance: Stance, n: usize) -> EvaluationReport {
    let model = Model::load(model, &Device::flex()).unwrap();
    let stack = DefenceStack::parse(stack).unwrap();
    let pipeline = Pipeline::build(&stack, model.clone(), 0, &mut Cpu).unwrap();
    let defence = EvaluatedDefence { pipeline: Arc::new(pipeline), stance, draws: EOT_DRAWS };
    let dataset = Dataset::load("mnist").unwrap();
    let plan = AttackConfig::new(find("pgd").unwrap(), 0.3);
    let device = experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() };
    let task = Evaluation::new(model, dataset, n, plan, device);
    let task = Evaluation { defence: Some(defence), ..task };
    experiment::evaluate(&task, &mut |_| Flow::Continue).unwrap()
}

#[test]
fn stages_without_a_gradient_stop_only_who_does_not_go_straight_through() {
    for stack in ["jpeg:75", "bits:3", "median:2"] {
        let robust = |stance| evaluate("mnist-cnn", stack, stance, 40).robust_accuracy;
        assert!(robust(Stance::Gradient) >= 0.8, "{stack}");
        assert!(robust(Stance::Adaptive) <= 0.05, "{stack}");
    }
}

#[test]
fn a_defence_that_computes_more_takes_more_extra_time() {
    let model = Model::load("mnist-cnn", &Device::flex()).unwrap();
    let picture = Dataset::load("mnist").unwrap().sample(0).image;
    let baseline = |text: &str| {
        let stack = DefenceStack::parse(text).unwrap();
        let pipeline = Pipeline::build(&stack, model.clone(), 0, &mut Cpu).unwrap();
        experiment::defence_baseline(&pipeline, &picture).unwrap()
    };
    // Three sorts of 49 values for each pixel against one rounding: hundreds of times the work, of
    // which three times is asked for. A busy machine may stop either for a while, but not each of
    // twenty times.
    let mut seen = Vec::new();
    let found = (0..20).any(|_| {
        let (slow, quick) = (baseline("median:7+median:7+median:7"), baseline("bits:4"));
        let more = slow.extra_ms > 3.0 * quick.extra_ms.max(0.0);
        let holds = more && slow.extra_ms > 0.0 && slow.extra_ms < slow.ms;
        seen.push([slow.ms, slow.extra_ms, quick.extra_ms]);
        holds
    });
    assert!(found, "slow, its extra time, the quick one's extra time, in ms: {seen:?}");
}

#[test]
fn a_network_trained_for_it_holds_against_who_knows_it() {
    let report = evaluate("mnist-cnn", "jpeg:75+pgd-at", Stance::Adaptive, 60);
    assert!(report.robust_accuracy > 0.8, "{}", report.robust_accuracy);
    let note = report.defence.unwrap();
    assert_eq!((note.stack.as_str(), note.votes, note.draws), ("jpeg+pgd-at", 1, None));
    let naive = evaluate("mnist-cnn", "pgd-at", Stance::Naive, 20);
    assert!(naive.caveat.starts_with("not robustness"), "{}", naive.caveat);
}
