//! DeepFool: Moosavi-Dezfooli, Fawzi, Frossard 2016.
//!
//! As in foolbox, the steps are added up and the overshoot is applied to their sum, x₀ + 1.02 · Σr,
//! which is clipped to the box before the next look. (Applying it to each step and clipping each, as
//! torchattacks does, comes to rest in front of the boundary on pictures with many pixels at 0 or 1.)

use crate::attack::methods::linear::{CANDIDATES, Plane, look, nearest, note, rivals};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::Gradient;
use crate::attack::problem::{Attempt, Problem};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::attack::trial::{Best, Trial};
use crate::error::Result;
use crate::parameter::{Param, Settings};

/// The nearest linearised boundary, until it is crossed.
pub const DEEPFOOL: AttackSpec = AttackSpec {
    id: "deepfool",
    name: "DeepFool",
    family: "least perturbation",
    norms: &[Norm::L2, Norm::Linf],
    extent: Extent::Least,
    targeted: false,
    random: false,
    crowd: false,
    params: &[
        Param::int("steps", (1, 1000), 50, "linearisations at most; two or three are usual"),
        CANDIDATES,
        Param::float("overshoot", (0.0, 1.0), 0.02, "how far beyond the boundary, as a share"),
    ],
    summary: "steps to the nearest linearised boundary until the answer changes",
    about: "DeepFool takes the network for linear at the point where it is: then every other class's \
            boundary is a hyperplane, and the way to the nearest one has a closed form. It goes there, \
            looks again, and stops as soon as the answer changes, mostly after two or three steps. Its \
            distance is a quick and rather tight estimate of how robust a picture is; FAB, DDN and \
            C&W come somewhat closer because they go on after the first success. It cannot aim at a class.",
    paper: "Moosavi-Dezfooli, Fawzi, Frossard: DeepFool: A Simple and Accurate Method to Fool Deep \
            Neural Networks, CVPR 2016",
    run: Run::Gradient(deepfool),
};

fn deepfool(
    oracle: &mut dyn Gradient,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let steps = settings.int("steps", 50).max(1) as usize;
    let candidates = settings.int("candidates", 10).max(2) as usize;
    let overshoot = 1.0 + settings.float("overshoot", 0.02);
    let norm = problem.budget.norm;
    let notes = note(oracle.classes(), candidates);
    let mut trial = Trial::new(problem, watcher)?;
    let mut best = Best::new(&trial.x);
    let mut totals = vec![vec![0.0; trial.x.size()]; problem.len()];
    let mut images = trial.x.clone();
    let mut targets = Vec::new();
    let mut open = trial.all();
    for iteration in 0..=steps {
        let scores = look(&mut trial, oracle, &mut best, &open, &images, (iteration, steps))?;
        if iteration == 0 {
            targets = rivals(&problem.goals, &scores, candidates);
        }
        open = best.open(&open);
        if open.is_empty() || iteration == steps {
            break;
        }
        let now = images.select(&open);
        let (_, planes) = nearest(&mut trial, oracle, &open, &now, &targets, norm)?;
        for (i, plane) in open.iter().zip(&planes) {
            add_step(&mut totals[*i], plane, norm);
            let clean = trial.x.row(*i).iter().zip(&totals[*i]);
            for (pixel, (clean, total)) in images.row_mut(*i).iter_mut().zip(clean) {
                *pixel = (f64::from(*clean) + overshoot * total).clamp(0.0, 1.0) as f32;
            }
        }
    }
    Ok(Attempt { notes, ..trial.finish(&best.images) })
}

/// Adds the step to the plane, and a little more, so that a step from right in front of the
/// boundary gets anywhere.
pub(super) fn add_step(total: &mut [f64], plane: &Plane, norm: Norm) {
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
