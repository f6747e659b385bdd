//! Universal adversarial perturbations: one v that is added to every image.
//!
//! Moosavi-Dezfooli et al. 2017: the images that v does not fool yet are taken one after the
//! other; DeepFool (L2) finds the least change that carries this one over the boundary, which is
//! added to v, and v is projected back into the ball. The `sgd` step is the cheaper minibatch one
//! (Shafahi et al. 2020), here from a random start and on the log-probability of the goal, in which
//! images that are fooled already push no further. It is the default: on the digits it fools more
//! than DeepFool does, at a fifth of the queries.
//!
//! Different from the paper: the model is queried x + v *clipped to the box*, since that is
//! what is applied; DeepFool leaves out pixels that the box holds back; and with a target, its
//! linear step goes towards that class. v is the one that fooled most of the images learned from,
//! not the last: a later v can be worse.

use crate::attack::context::{AttackContext, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::deepfool::add_step;
use crate::attack::methods::linearised_boundary::{nearest, rivals};
use crate::attack::methods::universal::{GoalLogLikelihood, UniversalScore, UniversalTask};
use crate::attack::norm::{Budget, Norm};
use crate::attack::note::Note;
use crate::attack::objective::times_power_of_two;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{ChoiceParam, FloatParam, IntParam, Rule, Settings};
use crate::rng::KeyedRng;

const INNER: ChoiceParam<bool> = ChoiceParam::new(
    "inner",
    &["sgd", "deepfool"],
    &[true, false],
    "minibatches of gradients, or the paper's DeepFool on one picture at a time (minutes)",
);
const SAMPLES: IntParam =
    IntParam::new("samples", (1, 10_000), 50, "how many pictures v is learned from");
const STEPS: IntParam =
    IntParam::new("steps", (1, 1000), 20, "largest number of passes over these pictures");
const RATE: FloatParam =
    FloatParam::new("rate", (0.0, 1.0), 0.8, "the fooling rate 1 − δ at which learning ends");
const BATCH: IntParam = IntParam::new("batch", (1, 1000), 25, "pictures a gradient step of `sgd`");
const STEP_SIZE: Rule =
    FloatParam::new("step-size", (0.0, 100.0), 0.0, "length of one step of `sgd`, in pixel units")
        .by_rule("ε/4", |given| given.epsilon / 4.0);

/// Universal adversarial perturbation: one for all images.
///
/// L∞, L2; gradients (white box); within ε; targeted or untargeted.
///
/// Moosavi-Dezfooli, Fawzi, Fawzi, Frossard: Universal Adversarial Perturbations, CVPR 2017.
pub const UAP: AttackSpec = AttackSpec {
    id: "uap",
    name: "universal perturbation",
    family: "universal and patch",
    norms: &[Norm::Linf, Norm::L2],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: true,
    training_images: Some(SAMPLES),
    repetitions: &[STEPS],
    stages: None,
    params: &[INNER.param, SAMPLES.param, STEPS.param, RATE.param, BATCH.param, STEP_SIZE.param],
    summary: "one perturbation, learned from many pictures, that fools the model on most others",
    about: "A single pattern v is learned from a crowd of pictures and then added to every picture. \
            That it works at all on pictures it has never seen means that the boundaries around \
            different pictures have directions in common: the attacker needs no model, and no time, \
            at the moment of the attack. Watch the same texture grow over passes, and the fooling \
            rate with it; it is measured against the model's own clean answers. A v that fools the \
            crowd but not this picture is an honest result: it was not made for it.",
    paper: "Moosavi-Dezfooli, Fawzi, Fawzi, Frossard: Universal Adversarial Perturbations, CVPR 2017",
    run: Algorithm::Gradient(uap),
};

fn uap(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut task = UniversalTask::new(oracle, problem, observer)?;
    let joint = task.joint.clone();
    let mut context = AttackContext::new(&joint, observer);
    let passes = STEPS.count(settings);
    let alpha = STEP_SIZE.get(&problem.given(settings));
    let batch = BATCH.count(settings);
    let attacked = task.attacked();
    let sgd = INNER.get(settings);
    let mut v = match sgd {
        true => start(problem.budget, context.x.size(), &mut task.draws),
        false => vec![0.0; context.x.size()],
    };
    let mut best: Option<(UniversalScore, Vec<f32>)> = None;
    for pass in 0..=passes {
        if pass > 0 {
            let order = task.shuffled();
            if sgd {
                for some in order.chunks(batch) {
                    climb(&mut context, oracle, some, &mut v, alpha)?;
                }
            } else {
                for i in order {
                    push_over(&mut context, oracle, i, &mut v)?;
                }
            }
        }
        let images = added(&context, &attacked, &v);
        let logits = context.logits(oracle, &attacked, &images)?;
        let score = match task.learns_from_attacked() {
            true => UniversalScore::new(&logits, &context.goals(&attacked)),
            false => {
                let others = added(&context, &task.learn, &v);
                let predictions = context.logits(oracle, &task.learn, &others)?;
                UniversalScore::new(&predictions, &context.goals(&task.learn))
            }
        };
        let rate = score.reached as f64 / task.learn.len() as f64;
        let margins = logits.margins(&context.goals(&attacked));
        context.report(&StepReport {
            active: &attacked,
            iteration: pass,
            iterations: passes,
            loss: &margins.iter().map(|m| -m).collect::<Vec<_>>(),
            predictions: Predictions::Logits(&logits),
            step_size: if sgd { alpha as f32 } else { 0.0 },
            images: &images,
            mark: Some(&format!("fooling rate {:.0} %", 100.0 * rate)),
        })?;
        if best.as_ref().is_none_or(|(record, _)| score.beats(*record)) {
            best = Some((score, v.clone()));
        }
        if rate >= RATE.get(settings) {
            break;
        }
    }
    let (score, v) = best.unwrap_or((UniversalScore { reached: 0, margin: 0.0 }, v));
    let n = task.learn.len();
    let rate = 100.0 * score.reached as f64 / n as f64;
    let text = format!("fooling rate {rate:.0} % of the {n} pictures it was learned from");
    let notes = vec![Note::line(text)];
    let images = added(&context, &attacked, &v);
    Ok(task.finish(context, images, notes))
}

/// A start drawn uniformly from the ball.
fn start(budget: Budget, n: usize, draws: &mut KeyedRng) -> Vec<f32> {
    match budget.norm {
        Norm::L2 => draws.in_l2_ball(n, budget.epsilon),
        _ => (0..n).map(|_| draws.signed() * budget.epsilon).collect(),
    }
}

/// x + v in the box.
fn add(x: &[f32], v: &[f32]) -> Vec<f32> {
    x.iter().zip(v).map(|(x, v)| (x + v).clamp(0.0, 1.0)).collect()
}

/// These images under v.
fn added(context: &AttackContext<'_>, which: &[usize], v: &[f32]) -> ImageBatch {
    let mut rows = ImageBatch::zeros(context.x.shape(), 0);
    which.iter().for_each(|i| rows.push(&add(context.x.row(*i), v)));
    rows
}

/// One step of length `alpha` up the mean gradient of some images, in the direction that is
/// steepest in the norm.
fn climb(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn GradientOracle,
    some: &[usize],
    v: &mut [f32],
    alpha: f64,
) -> Result<()> {
    let images = added(context, some, v);
    let gradients = context.gradients(oracle, some, &images, &GoalLogLikelihood)?;
    let mut sum = vec![0.0_f64; v.len()];
    // Only the direction of the sum counts, so all are measured by the steepest of them: what they
    // really are may be too little for any number.
    let steepest = gradients.log2_scale.iter().copied().fold(f64::INFINITY, f64::min);
    for (row, i) in some.iter().enumerate() {
        let share = times_power_of_two(1.0, steepest - gradients.log2_scale[row]);
        let pixels = gradients.gradient.row(row).iter().zip(context.x.row(*i)).zip(v.iter());
        for (sum, ((g, x), v)) in sum.iter_mut().zip(pixels) {
            // Where the box cuts x + v off, v has no influence.
            if (0.0..=1.0).contains(&(x + v)) {
                *sum += f64::from(*g) * share;
            }
        }
    }
    let size = sum.iter().map(|g| g * g).sum::<f64>().sqrt();
    for (v, g) in v.iter_mut().zip(&sum) {
        let direction = match context.problem.budget.norm {
            Norm::L2 if size > 0.0 => g / size,
            Norm::L2 => 0.0,
            _ if *g == 0.0 => 0.0,
            _ => g.signum(),
        };
        *v += (alpha * direction) as f32;
    }
    context.problem.budget.project_row(v);
    Ok(())
}

/// How many classes DeepFool looks at, as its authors do.
const CANDIDATES: usize = 10;
/// How many linear steps DeepFool takes at most.
const LINEAR_STEPS: usize = 10;
/// How far beyond the boundary it goes.
const OVERSHOOT: f64 = 1.02;

/// Changes v by the least (in L2) that carries image `i` over the boundary, where it is not yet;
/// leaves v alone where DeepFool does not get there.
fn push_over(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn GradientOracle,
    i: usize,
    v: &mut [f32],
) -> Result<()> {
    let mut moved = v.to_vec();
    let mut total = vec![0.0; v.len()];
    let mut targets = vec![Vec::new(); context.problem.len()];
    for step in 0..=LINEAR_STEPS {
        let now = added(context, &[i], &moved);
        let logits = context.logits(oracle, &[i], &now)?;
        if context.reached(&[i], &logits.labels())[0] {
            v.copy_from_slice(&moved);
            context.problem.budget.project_row(v);
            break;
        }
        if step == 0 {
            targets[i] = rivals(&context.goals(&[i]), &logits, CANDIDATES).remove(0);
        }
        if step < LINEAR_STEPS {
            let (_, mut planes) = nearest(context, oracle, &[i], &now, &targets, Norm::L2)?;
            release(&mut planes[0].normal, context.x.row(i), &moved);
            add_step(&mut total, &planes[0], Norm::L2);
            for ((moved, v), total) in moved.iter_mut().zip(v.iter()).zip(&total) {
                *moved = (f64::from(*v) + OVERSHOOT * total) as f32;
            }
        }
    }
    Ok(())
}

/// Leaves out the pixels that the box holds back: they cannot go where the normal leads.
fn release(normal: &mut [f32], x: &[f32], v: &[f32]) {
    for (w, at) in normal.iter_mut().zip(x.iter().zip(v).map(|(x, v)| x + v)) {
        if (at <= 0.0 && *w < 0.0) || (at >= 1.0 && *w > 0.0) {
            *w = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_at_the_wall_move_away_from_it_only() {
        let mut normal = [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0];
        release(&mut normal, &[0.0, 0.0, 1.0, 1.0, 0.5, 0.5], &[0.0, 0.0, 0.0, 0.0, -0.6, 0.6]);
        assert_eq!(normal, [0.0, 1.0, -1.0, 0.0, 0.0, 0.0]);
    }
}
