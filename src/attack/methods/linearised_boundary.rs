//! The decision boundary of the network linearised at a point: hyperplanes, one for each rival class,
//! from differences of logits and their gradients. DeepFool, SparseFool and FAB step towards these.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::{Logits, best_other};
use crate::attack::norm::{Norm, length};
use crate::attack::note::Note;
use crate::attack::oracle::GradientOracle;
use crate::error::Result;
use crate::parameter::IntParam;

/// Number of rival classes: with a thousand classes a gradient for each would take minutes,
/// and the nearest boundary is nearly always that of a likely class.
pub(super) const CANDIDATES: IntParam = IntParam::new(
    "candidates",
    (2, 1000),
    10,
    "classes looked at, the most likely on the clean picture, its own included",
);

/// The hyperplane on which the network's linearisation at a point changes its label.
pub(super) struct Hyperplane {
    /// z_k − z_own at the point: negative in front of the plane, 0 on it, positive beyond.
    pub gap: f64,
    /// The gradient of that difference with respect to the pixels.
    pub normal: Vec<f32>,
}

impl Hyperplane {
    /// How far the plane is, measured in this norm and without regard to the box: |gap| over the
    /// dual norm of the normal.
    pub fn distance(&self, norm: Norm) -> f64 {
        self.gap.abs() / (self.size(norm) + 1e-12)
    }

    /// The normal's size in the norm that is dual to this one.
    pub fn size(&self, norm: Norm) -> f64 {
        dual_size(norm, &self.normal)
    }
}

/// The size of a gradient in the norm that is dual to this one: by how much the steepest step of
/// unit size in `norm` climbs.
pub(super) fn dual_size(norm: Norm, gradient: &[f32]) -> f64 {
    let sizes = gradient.iter().map(|w| f64::from(w.abs()));
    match norm {
        Norm::Linf => sizes.sum(),
        Norm::L2 => length(gradient),
        Norm::L1 | Norm::L0 => sizes.fold(0.0, f64::max),
    }
}

/// For each image the classes to be reached, the most likely first: the goal's target, or the
/// most likely `candidates` without the class to be left.
pub(super) fn rivals(goals: &[Goal], logits: &Logits, candidates: usize) -> Vec<Vec<usize>> {
    let rivals = |(goal, row): (&Goal, &[f32])| match *goal {
        Goal::Targeted { target } => vec![target],
        Goal::Untargeted { truth } => {
            let mut others: Vec<usize> = (0..row.len()).filter(|k| *k != truth).collect();
            others.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
            others.truncate(candidates.max(2) - 1);
            others
        }
    };
    goals.iter().zip(logits.rows()).map(rivals).collect()
}

/// The nearest plane of each image in `images`, which are versions of the images `active`;
/// `rivals` has a list for each image of the problem. One backward pass for each rival, all of
/// them in one batch. Gives the logits too.
///
/// With a target the plane is that between it and the class predicted at the point.
///
/// # Errors
/// Cancelled; device failures.
pub(super) fn nearest(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn GradientOracle,
    active: &[usize],
    images: &ImageBatch,
    rivals: &[Vec<usize>],
    norm: Norm,
) -> Result<(Logits, Vec<Hyperplane>)> {
    let mut logits = Logits::new(Vec::new(), oracle.classes());
    let mut planes = Vec::with_capacity(active.len());
    // An image is copied once for each rival: in parts, so that the copies stay few.
    let most = rivals.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let rows: Vec<usize> = (0..active.len()).collect();
    for part in rows.chunks((128 / most).max(1)) {
        let copies = part.iter().flat_map(|row| rivals[active[*row]].iter().map(|k| (*row, *k)));
        let copies: Vec<(usize, usize)> = copies.collect();
        let difference = |at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]| {
            let from = match goal {
                Goal::Untargeted { truth } => truth,
                Goal::Targeted { target } => best_other(row, target),
            };
            let to = copies[at].1;
            logit_gradient[to] += 1.0;
            logit_gradient[from] -= 1.0;
            f64::from(row[to]) - f64::from(row[from])
        };
        let which: Vec<usize> = copies.iter().map(|(row, _)| *row).collect();
        let whose: Vec<usize> = which.iter().map(|row| active[*row]).collect();
        let found = context.gradients(oracle, &whose, &images.select(&which), &difference)?;
        let mut at = 0;
        for row in part {
            let ours = at..at + rivals[active[*row]].len();
            at = ours.end;
            logits.append(Logits::new(found.logits.row(ours.start).to_vec(), logits.classes()));
            let plane = |at: usize| Hyperplane {
                gap: f64::from(found.loss[at]),
                normal: found.gradient.row(at).to_vec(),
            };
            let nearest = ours.map(plane).reduce(|best, other| {
                if other.distance(norm) < best.distance(norm) { other } else { best }
            });
            planes.extend(nearest);
        }
    }
    Ok((logits, planes))
}

/// Looks at where the images `active` of `images` have got to: keeps those that reached their goal,
/// and shows the iteration with its distances. Gives the logits.
///
/// # Errors
/// Cancelled; device failures.
pub(super) fn look(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn GradientOracle,
    best: &mut BestSoFar,
    active: &[usize],
    images: &ImageBatch,
    (iteration, iterations): (usize, usize),
) -> Result<Logits> {
    let now = images.select(active);
    let logits = context.logits(oracle, active, &now)?;
    let reached = context.keep_successes(best, active, &now, &logits);
    let norm = context.problem.budget.norm;
    let far = active.iter().zip(now.iter()).map(|(i, now)| -norm.distance(context.x.row(*i), now));
    context.report(&StepReport {
        active,
        iteration,
        iterations,
        loss: &far.collect::<Vec<f32>>(),
        predictions: Predictions::Logits(&logits),
        step_size: 0.0,
        images: &now,
        mark: reached[0].then_some("crossed"),
    })?;
    Ok(logits)
}

/// A note for where not every class is a rival.
pub(super) fn note(classes: usize, candidates: usize) -> Vec<Note> {
    let text = format!("only the {candidates} most likely of {classes} classes were looked at");
    if classes > candidates { vec![Note::line(text)] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rivals_are_the_likeliest_others_or_the_target() {
        let logits = Logits::new(vec![1.0, 4.0, 2.0, 3.0, 4.0, 0.0, -1.0, 9.0], 4);
        let goals = [Goal::Untargeted { truth: 1 }, Goal::Targeted { target: 2 }];
        assert_eq!(rivals(&goals, &logits, 3), [vec![3, 2], vec![2]]);
        assert_eq!(rivals(&goals[..1], &logits, 10), [vec![3, 2, 0]]);
    }

    #[test]
    fn distances_use_the_dual_norm() {
        let plane = Hyperplane { gap: -6.0, normal: vec![-2.0, 1.0, 0.0] };
        let near = |norm| (plane.distance(norm) * 1e6).round() / 1e6;
        assert_eq!(near(Norm::Linf), 2.0);
        assert_eq!(near(Norm::L2), (6.0 / 5.0_f64.sqrt() * 1e6).round() / 1e6);
        assert_eq!(near(Norm::L1), 3.0);
        // A dead network has no boundary: far away, but no NaN.
        assert!(Hyperplane { gap: -1.0, normal: vec![0.0; 3] }.distance(Norm::L2) > 1e9);
    }
}
