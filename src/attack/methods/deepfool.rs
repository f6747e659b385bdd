//! DeepFool: Moosavi-Dezfooli, Fawzi, Frossard 2016.
//!
//! As in foolbox, the steps are added up and the overshoot is applied to their sum, x₀ + 1.02 · Σr,
//! which is clipped to the box before the next look. (Applying it to each step and clipping each, as
//! torchattacks does, comes to rest in front of the boundary on images with many pixels at 0 or 1.)

use crate::attack::context::{AttackContext, BestSoFar};
use crate::attack::methods::linearised_boundary::{
    CANDIDATES, Hyperplane, look, nearest, note, rivals,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};

const STEPS: IntParam =
    IntParam::new("steps", (1, 1000), 50, "linearisations at most; two or three are usual");
const OVERSHOOT: FloatParam =
    FloatParam::new("overshoot", (0.0, 1.0), 0.02, "how far beyond the boundary, as a share");

/// DeepFool: steps to the nearest linearised boundary until it is crossed.
///
/// L2, L∞; gradients (white box); minimum norm; untargeted only.
///
/// Moosavi-Dezfooli, Fawzi, Frossard: DeepFool: A Simple and Accurate Method to Fool Deep Neural
/// Networks, CVPR 2016.
pub const DEEPFOOL: AttackSpec = AttackSpec {
    id: "deepfool",
    name: "DeepFool",
    family: "least perturbation",
    norms: &[Norm::L2, Norm::Linf],
    bound: Bound::MinimumNorm,
    targeted: false,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, CANDIDATES.param, OVERSHOOT.param],
    summary: "steps to the nearest linearised boundary until the answer changes",
    about: "DeepFool takes the network for linear at the point where it is: then every other class's \
            boundary is a hyperplane, and the way to the nearest one has a closed form. It goes there, \
            looks again, and stops as soon as the answer changes, mostly after two or three steps. Its \
            distance is a quick and rather tight estimate of how robust a picture is; FAB, DDN and \
            C&W come somewhat closer because they go on after the first success. It cannot aim at a class.",
    paper: "Moosavi-Dezfooli, Fawzi, Frossard: DeepFool: A Simple and Accurate Method to Fool Deep \
            Neural Networks, CVPR 2016",
    run: Algorithm::Gradient(deepfool),
};

fn deepfool(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let steps = STEPS.count(settings);
    let candidates = CANDIDATES.count(settings);
    let overshoot = 1.0 + OVERSHOOT.get(settings);
    let norm = problem.budget.norm;
    let notes = note(oracle.classes(), candidates);
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let mut totals = vec![vec![0.0; context.x.size()]; problem.len()];
    let mut images = context.x.clone();
    let mut targets = Vec::new();
    let mut active = context.all();
    for iteration in 0..=steps {
        let logits = look(&mut context, oracle, &mut best, &active, &images, (iteration, steps))?;
        if iteration == 0 {
            targets = rivals(&problem.goals, &logits, candidates);
        }
        active = best.active(&active);
        if active.is_empty() || iteration == steps {
            break;
        }
        let now = images.select(&active);
        let (_, planes) = nearest(&mut context, oracle, &active, &now, &targets, norm)?;
        for (i, plane) in active.iter().zip(&planes) {
            add_step(&mut totals[*i], plane, norm);
            let clean = context.x.row(*i).iter().zip(&totals[*i]);
            for (pixel, (clean, total)) in images.row_mut(*i).iter_mut().zip(clean) {
                *pixel = (f64::from(*clean) + overshoot * total).clamp(0.0, 1.0) as f32;
            }
        }
    }
    Ok(AttackOutput { notes, ..context.finish(best.images) })
}

/// Adds the step to the plane, and a little more, so that a step from right in front of the
/// boundary gets anywhere.
pub(super) fn add_step(total: &mut [f64], plane: &Hyperplane, norm: Norm) {
    let size = plane.size(norm) + 1e-8;
    let distance = plane.gap.abs() / size + 1e-4;
    for (total, w) in total.iter_mut().zip(&plane.normal) {
        let w = f64::from(*w);
        *total += match norm {
            Norm::Linf if w == 0.0 => 0.0,
            Norm::Linf => distance * w.signum(),
            _ => distance * w / size,
        };
    }
}
