//! Networks so sure of themselves that cross-entropy and its gradient underflow: every attack that
//! climbs still climbs.

use crate::nets::{epsilon, network, pictures};
use burn_tensor::{Device, Tensor};
use epsiloscope::attack::{
    ATTACKS, AttackConfig, AttackSpec, Bound, Budget, Flow, Goal, ImageBatch, Knowledge, Norm,
    Problem, StepEvent, TargetModel, find, generate_and_judge,
};
use epsiloscope::data::Dataset;
use epsiloscope::error::Result;
use epsiloscope::experiment::{self, Evaluation};
use epsiloscope::model::{Classifier, Model, ModelOutput, Network};
use epsiloscope::parameter::Value;

/// A network whose first class leads by so much more.
struct Sure {
    network: Network,
    lead: f32,
}

impl Sure {
    fn raised(&self, logits: &[f32]) -> Vec<f32> {
        let mut raised = logits.to_vec();
        raised.iter_mut().step_by(self.classes()).for_each(|z| *z += self.lead);
        raised
    }
}

impl Classifier for Sure {
    fn logits(&self, images: &Tensor<4>) -> Result<Vec<f32>> {
        Ok(self.raised(&self.network.logits(images)?))
    }

    fn input_gradient(
        &self,
        images: &Tensor<4>,
        start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(ModelOutput, Tensor<4>)> {
        let mut above = |logits: &[f32]| start(&self.raised(logits));
        let (decided, gradient) = self.network.input_gradient(images, &mut above)?;
        Ok((ModelOutput { logits: self.raised(&decided.logits), ..decided }, gradient))
    }

    fn input_shape(&self) -> [usize; 3] {
        self.network.input_shape()
    }

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }
}

/// Leads at which something underflows: a probability's distance from 1 in `f32` at 17, a probability
/// at 88 to 104, and in `f64` at 709 to 746.
const LEADS: [f32; 8] = [90.0, 110.0, 300.0, 712.0, 722.0, 735.0, 760.0, 20_000.0];

/// By how much each of two pictures' margins fell on an attack's way.
fn gains(spec: &'static AttackSpec, norm: Norm, lead: f32) -> [f32; 2] {
    let (device, shape) = (Device::flex(), [1, 8, 8]);
    let sure = Sure { network: network(shape, 4, 1.0, 0.0, &device), lead };
    let problem = Problem {
        images: ImageBatch::from_tensor(pictures(2, shape, &device)).unwrap(),
        goals: vec![Goal::Untargeted { truth: 0 }; 2],
        budget: Budget::new(norm, epsilon(norm), 64).unwrap(),
        seed: 0,
        samples: vec![0, 1],
        training_images: None,
    };
    let mut plan = AttackConfig::new(spec, epsilon(norm));
    plan.norm = norm;
    for (id, few) in [("steps", 10), ("queries", 120), ("searches", 2)] {
        if spec.params.iter().any(|param| param.id == id) {
            plan.settings.set(id, Value::Int(few));
        }
    }
    let (mut first, mut nearest) = ([None; 2], [f32::INFINITY; 2]);
    let mut watch = |step: &StepEvent<'_>| {
        for (margin, i) in step.margin.iter().zip(step.active) {
            first[*i].get_or_insert(*margin);
            nearest[*i] = nearest[*i].min(*margin);
        }
        Flow::Continue
    };
    let victim = &mut TargetModel::new(&sure);
    generate_and_judge(spec, &plan.resolved(), victim, &problem, &mut watch).unwrap();
    [0, 1].map(|i| first[i].unwrap_or(f32::INFINITY) - nearest[i])
}

#[test]
fn attacks_come_as_near_however_sure_the_network_is() {
    for spec in ATTACKS.iter().filter(|spec| !spec.universal && spec.bound != Bound::Own) {
        // Differences of logits of 20,000 are too coarse for who sees no gradient.
        let most = match spec.knowledge() {
            Knowledge::Gradient => f32::INFINITY,
            Knowledge::Score => 1000.0,
            Knowledge::Decision => continue,
        };
        for norm in spec.norms {
            let wanted = gains(spec, *norm, 20.0);
            for lead in LEADS.into_iter().filter(|lead| *lead < most) {
                let found = gains(spec, *norm, lead);
                for (found, wanted) in found.into_iter().zip(wanted) {
                    let enough = found >= 0.5 * wanted - 0.05;
                    assert!(enough, "{} {norm} {lead}: {found}, not {wanted}", spec.id);
                }
            }
        }
    }
}

#[test]
fn the_distilled_network_falls_to_cross_entropy() {
    let device = experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() };
    for attack in ["pgd", "bim", "mi-fgsm", "apgd-ce"] {
        let model = Model::load("mnist-distilled", &Device::flex()).unwrap();
        let mut plan = AttackConfig::new(find(attack).unwrap(), 0.3);
        plan.settings.set("steps", Value::Int(20));
        let task =
            Evaluation::new(model, Dataset::load("mnist").unwrap(), 300, plan, device.clone());
        let report = experiment::evaluate(&task, &mut |_| Flow::Continue).unwrap();
        // With exact gradients PyTorch's PGD in double precision leaves none of 1,000.
        assert_eq!(report.robust_accuracy, 0.0, "{attack}");
    }
}
