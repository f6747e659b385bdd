//! SparseFool: Modas, Moosavi-Dezfooli, Frossard 2019, as in the authors' code: DeepFool's step sum is
//! stretched by λ and linearised at the point before stretching, DeepFool itself is neither clipped
//! nor started from the clean image again (torchattacks linearises at the stretched point and does
//! start again). L0 counts values, so a pixel of a colour image may count three times.

use crate::attack::context::{AttackContext, BestSoFar};
use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::linearised_boundary::{CANDIDATES, look, nearest, note, rivals};
use crate::attack::norm::{Norm, length};
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};

/// Iterations of the DeepFool inside.
const INNER: usize = 50;

const STEPS: IntParam = IntParam::new("steps", (1, 1000), 20, "linearisations at most");
const LAMBDA: FloatParam = FloatParam::new(
    "lambda",
    (1.0, 100.0),
    3.0,
    "how far beyond the boundary the plane is put: larger is faster, smaller sparser \
             (1 is best on digits; large photographs need 10 to 30)",
);
const OVERSHOOT: FloatParam =
    FloatParam::new("overshoot", (0.0, 1.0), 0.02, "how far beyond the boundary, as a share");

/// SparseFool: few values, changed until the boundary that DeepFool finds is crossed.
///
/// L0; gradients (white box); minimum norm; untargeted only.
///
/// Modas, Moosavi-Dezfooli, Frossard: SparseFool: A Few Pixels Make a Big Difference, CVPR 2019.
pub const SPARSEFOOL: AttackSpec = AttackSpec {
    id: "sparsefool",
    name: "SparseFool",
    family: "sparse",
    norms: &[Norm::L0],
    bound: Bound::MinimumNorm,
    targeted: false,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, LAMBDA.param, OVERSHOOT.param, CANDIDATES.param],
    summary: "changes the values that count most until DeepFool's boundary is crossed",
    about: "SparseFool lets DeepFool find a point of the boundary, takes the boundary for a plane \
            there, and walks onto the plane along as few values as it can: the one with the largest \
            weight first, as far as the pixel range allows, then the next. If the answer does not \
            change, it does so again from where it is. λ puts the plane farther away, so that fewer \
            rounds but more values are needed. It cannot aim at a class.",
    paper: "Modas, Moosavi-Dezfooli, Frossard: SparseFool: A Few Pixels Make a Big Difference, CVPR 2019",
    run: Algorithm::Gradient(sparsefool),
};

fn sparsefool(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let steps = STEPS.count(settings);
    let candidates = CANDIDATES.count(settings);
    let lambda = LAMBDA.get(settings);
    let overshoot = 1.0 + OVERSHOOT.get(settings);
    let notes = note(oracle.classes(), candidates);
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    // The point, and the one a little farther from the clean image, which is queried.
    let mut points = context.x.clone();
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
        let found = boundary(&mut context, oracle, &active, &points, &targets, overshoot)?;
        for (i, Boundary { total, normal }) in active.iter().zip(found) {
            let gap: f64 = total.iter().zip(&normal).map(|(r, n)| -lambda * r * n).sum();
            push(points.row_mut(*i), &normal, gap);
            let pairs = points.row(*i).iter().zip(context.x.row(*i));
            for (pixel, (to, clean)) in images.row_mut(*i).iter_mut().zip(pairs) {
                let far = overshoot * (f64::from(*to) - f64::from(*clean));
                *pixel = (f64::from(*clean) + far).clamp(0.0, 1.0) as f32;
            }
        }
    }
    Ok(AttackOutput { notes, ..context.finish(best.images) })
}

/// What DeepFool found from a point.
#[derive(Clone)]
struct Boundary {
    /// The sum of its steps.
    total: Vec<f64>,
    /// The unit normal of the boundary at their end; zero where there is no gradient.
    normal: Vec<f64>,
}

/// DeepFool in L2 from these points, without clipping.
fn boundary(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn GradientOracle,
    active: &[usize],
    points: &ImageBatch,
    targets: &[Vec<usize>],
    overshoot: f64,
) -> Result<Vec<Boundary>> {
    let nothing = vec![0.0; points.size()];
    let mut found =
        vec![Boundary { total: nothing.clone(), normal: nothing.clone() }; active.len()];
    // The class on the other side: the likeliest rival, until the label is another.
    let mut beyond: Vec<usize> = active.iter().map(|i| targets[*i][0]).collect();
    let mut rows: Vec<usize> = (0..active.len()).collect();
    let moved = |rows: &[usize], found: &[Boundary], factor: f64| {
        let mut images = ImageBatch::zeros(points.shape(), 0);
        for row in rows {
            let pairs = points.row(active[*row]).iter().zip(&found[*row].total);
            let image = pairs.map(|(x, r)| (f64::from(*x) + factor * r) as f32);
            images.push(&image.collect::<Vec<f32>>());
        }
        images
    };
    for _ in 0..INNER {
        let which: Vec<usize> = rows.iter().map(|row| active[*row]).collect();
        let here = moved(&rows, &found, 1.0);
        let (_, planes) = nearest(context, oracle, &which, &here, targets, Norm::L2)?;
        for (row, plane) in rows.iter().zip(&planes) {
            let size = plane.size(Norm::L2);
            if size > 0.0 {
                let step = (plane.gap.abs() / size).max(1e-4) / size;
                let total = found[*row].total.iter_mut().zip(&plane.normal);
                total.for_each(|(total, w)| *total += step * f64::from(*w));
            }
        }
        let labels = context.logits(oracle, &which, &moved(&rows, &found, overshoot))?.labels();
        let reached = context.reached(&which, &labels);
        // Logits that are no numbers reach the goal, and give no class to go on with.
        let classes = oracle.classes();
        let class = |at: &usize| reached[*at] && labels[*at] < classes;
        for (at, row) in rows.iter().enumerate().filter(|(at, _)| class(at)) {
            beyond[*row] = labels[at];
        }
        rows = rows.iter().zip(&reached).filter(|(_, there)| !**there).map(|(r, _)| *r).collect();
        if rows.is_empty() {
            break;
        }
    }
    let all: Vec<usize> = (0..active.len()).collect();
    let difference = |at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]| {
        logit_gradient[beyond[at]] += 1.0;
        logit_gradient[goal.class()] -= 1.0;
        f64::from(row[beyond[at]]) - f64::from(row[goal.class()])
    };
    let gradients = context.gradients(oracle, active, &moved(&all, &found, 1.0), &difference)?;
    for (found, gradient) in found.iter_mut().zip(gradients.gradient.iter()) {
        let size = length(gradient).max(1e-30);
        found.normal = gradient.iter().map(|g| f64::from(*g) / size).collect();
    }
    Ok(found)
}

/// The linear solver: from `x`, which is `gap` in front of the plane (behind it, where that is
/// positive), push one value after the other towards the plane inside the box, the one of largest
/// weight first, until the plane is crossed.
fn push(x: &mut [f32], normal: &[f64], mut gap: f64) {
    let side = if gap < 0.0 { 1.0 } else { -1.0 };
    let mut order: Vec<usize> = (0..x.len()).filter(|i| normal[*i] != 0.0).collect();
    order.sort_by(|a, b| normal[*b].abs().total_cmp(&normal[*a].abs()));
    for i in order {
        if gap * side >= 0.0 {
            break;
        }
        // A thousandth beyond the plane, and far enough for rounding not to swallow it.
        let step = ((gap.abs() + 1e-3) / normal[i].abs()).max(1e-4) * side * normal[i].signum();
        let to = (f64::from(x[i]) + step).clamp(0.0, 1.0) as f32;
        gap += normal[i] * (f64::from(to) - f64::from(x[i]));
        x[i] = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solver_changes_the_fewest_values_that_reach_the_plane() {
        let normal = [0.6, -0.48, 0.0, 0.64];
        let start = [0.5_f32, 0.5, 0.5, 0.5];
        let gap = |x: &[f32], b: f64| {
            x.iter().zip(&normal).map(|(x, n)| f64::from(*x) * n).sum::<f64>() - b
        };
        let at = gap(&start, 0.0);
        for (far, changed) in [(0.3, 1), (0.6, 2), (0.8, 3)] {
            for side in [1.0, -1.0] {
                let mut x = start;
                push(&mut x, &normal, -side * far);
                let end = (gap(&x, at) - side * far) * side;
                assert!((0.0..2e-3).contains(&end), "{far}: {end}");
                let moved = x.iter().zip(&start).filter(|(a, b)| a != b).count();
                assert_eq!(moved, changed, "{far} {side}");
            }
        }
        // Out of reach: every value goes to its end.
        let mut x = start;
        push(&mut x, &normal, -2.0);
        assert_eq!(x, [1.0, 0.0, 0.5, 1.0]);
    }
}
