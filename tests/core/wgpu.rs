//! wgpu against the CPU, on whatever adapter there is (in CI: the software adapter). Where CI sets
//! `EPSILOSCOPE_REQUIRE_WGPU` a missing adapter is a failure, not a reason to skip.

use crate::nets::values;
use burn_tensor::{Device, Tensor};
use epsiloscope::attack::{
    AttackConfig, CrossEntropy, Goal, GradientOracle, ImageBatch, NoObserver, TargetModel, find,
};
use epsiloscope::data::Dataset;
use epsiloscope::engine::{ChosenDevice, DeviceChoice, choose};
use epsiloscope::experiment::{self, Experiment};
use epsiloscope::model::Model;
use epsiloscope::parameter::Value;

fn adapter() -> Option<ChosenDevice> {
    let chosen = choose(DeviceChoice::Wgpu);
    if chosen.info.kind == "wgpu" {
        return Some(chosen);
    }
    let note = chosen.note.unwrap_or_default();
    assert!(std::env::var_os("EPSILOSCOPE_REQUIRE_WGPU").is_none(), "no wgpu adapter: {note}");
    eprintln!("skipped: {note}");
    None
}

#[test]
fn gradients_and_attacks_agree_with_the_cpu() {
    let Some(wgpu) = adapter() else { return };
    let sample = Dataset::load("mnist").unwrap().sample(0);
    let mut gradients = Vec::new();
    let mut reports = Vec::new();
    for (device, info) in [
        (Device::flex(), experiment::DeviceInfo { kind: "cpu".into(), name: String::new() }),
        (wgpu.device.clone(), wgpu.info.clone()),
    ] {
        let model = Model::load("mnist-cnn", &device).unwrap();
        let images = ImageBatch::of(&sample.image);
        let goals = [Goal::Untargeted { truth: 7 }];
        let slope =
            TargetModel::new(&model.network).gradient(&images, &goals, &CrossEntropy).unwrap();
        gradients.push(values(&slope.gradient));
        let mut plan = AttackConfig::new(find("pgd").unwrap(), 0.3);
        plan.settings.set("steps", Value::Int(10));
        plan.seed = 1;
        let task =
            Experiment { model, surrogate: None, sample: sample.clone(), plan, device: info };
        reports.push(experiment::attack_sample(&task, &mut NoObserver).unwrap());
    }
    let top = gradients[0].iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    let far = gradients[0].iter().zip(&gradients[1]).map(|(a, b)| (a - b).abs());
    let far = far.fold(0.0, f32::max) / top;
    assert!(far <= 1e-4, "the first gradients differ by {far} of their largest value");
    assert_eq!(reports[0].adversarial.label, reports[1].adversarial.label);
    assert_eq!(reports[0].success, reports[1].success);
    assert_eq!(reports[1].device.kind, "wgpu");
}

#[test]
fn asking_for_too_much_memory_is_an_error_and_the_device_goes_on() {
    let Some(wgpu) = adapter() else { return };
    let device = &wgpu.device;
    let huge = std::panic::catch_unwind(|| {
        let tensor: Tensor<1> = Tensor::zeros([5_000_000_000_usize], device);
        tensor.sum().try_into_scalar::<f32>().map_err(|e| e.to_string())
    });
    assert!(!matches!(huge, Ok(Ok(_))), "20 GB fitted");
    let small: Tensor<1> = Tensor::from_floats([1.0, 2.0], device);
    assert_eq!(small.sum().try_into_scalar::<f32>().unwrap(), 3.0);
}
