//! The final check: an attack is never believed. What it returns is clipped to the box and the
//! ball, the victim answers again, and success and norms are decided here.
//!
//! A fixed-ε attempt that fails is still handed out, flagged as failed: it is the strongest attempt
//! inside the ball, which is what the reference implementations return and what a teacher wants to
//! show. An attack for the *least* perturbation returns the original where it finds nothing, and
//! succeeds at ε where what it found is no farther away.

use crate::attack::goal::Goal;
use crate::attack::gradient_stats::GradientStats;
use crate::attack::image_batch::ImageBatch;
use crate::attack::note::Note;
use crate::attack::objective::Logits;
use crate::attack::observer::Observer;
use crate::attack::oracle::TargetModel;
use crate::attack::problem::{AttackOutput, Problem, choose};
use crate::attack::registry::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::Settings;
use burn_tensor::Tensor;

/// What the check found.
pub struct JudgedOutput {
    /// The pictures, inside the box and (where it bounds the attack) the ball, `[N, C, H, W]`.
    pub images: Tensor<4>,
    /// The victim's logits for them.
    pub logits: Logits,
    /// Whether each goal is reached, however far away.
    pub reached: Vec<bool>,
    /// Whether each goal is reached within what bounds the attack: see [`Bound`].
    pub success: Vec<bool>,
    /// The distance of each from the original, in the budget's norm.
    pub distance: Vec<f32>,
    /// How often the attack asked about each picture.
    pub queries: Vec<u64>,
    /// What the attack saw of each picture's gradients.
    pub gradient_stats: Vec<GradientStats>,
    /// What else the attack tells.
    pub notes: Vec<Note>,
    /// Which stage broke each picture, for an attack of several stages; else empty.
    pub stages: Vec<Option<&'static str>>,
}

impl JudgedOutput {
    /// Whether picture `i` did not reach its goal and stood still at least every other step, since its
    /// gradient was zero or not a number.
    pub fn stalled(&self, i: usize) -> bool {
        !self.reached[i] && self.gradient_stats.get(i).is_some_and(GradientStats::mostly_dead)
    }
}

/// Clips an attempt to box and ball and asks the victim again.
///
/// # Errors
/// Device, when the device is lost or out of memory.
pub fn judge(
    bound: Bound,
    output: AttackOutput,
    victim: &mut TargetModel<'_>,
    problem: &Problem,
) -> Result<JudgedOutput> {
    let (x, budget) = (problem.images.clone(), &problem.budget);
    let AttackOutput { images, queries, gradient_stats, notes, stages } = output;
    let nan = images.clone().is_nan();
    let mut images = images.mask_where(nan, x.clone()).clamp(0.0, 1.0);
    if bound == Bound::FixedEpsilon {
        // Rounding may leave the ball by one unit in the last place: project once more.
        let delta = budget.project(images - x.clone())?;
        images = (x.clone() + delta).clamp(0.0, 1.0);
    }
    let mut logits = victim.decide(&images)?;
    let reached = |logits: &Logits| -> Vec<bool> {
        let goals = logits.labels().into_iter().zip(&problem.goals);
        goals.map(|(label, goal): (usize, &Goal)| goal.reached(label)).collect()
    };
    let mut there = reached(&logits);
    if bound == Bound::MinimumNorm && there.iter().any(|there| !there) {
        let lost: Vec<bool> = there.iter().map(|there| !there).collect();
        images = choose(images, x, &lost);
        logits = victim.decide(&images)?;
        there = reached(&logits);
    }
    let (before, after) =
        (ImageBatch::from_tensor(&problem.images)?, ImageBatch::from_tensor(&images)?);
    let pairs = before.iter().zip(after.iter());
    let distance: Vec<f32> = pairs.map(|(a, b)| budget.norm.distance(a, b)).collect();
    let near = |distance: &f32| *distance <= budget.epsilon * (1.0 + 1e-6);
    let success = match bound {
        Bound::MinimumNorm => {
            there.iter().zip(&distance).map(|(there, d)| *there && near(d)).collect()
        }
        Bound::FixedEpsilon | Bound::Own => there.clone(),
    };
    let reached = there;
    Ok(JudgedOutput {
        images,
        logits,
        reached,
        success,
        distance,
        queries,
        gradient_stats,
        notes,
        stages,
    })
}

/// Runs an attack against an oracle, without rejudge it.
///
/// # Errors
/// As [`generate_and_judge`].
pub fn generate(
    spec: &AttackSpec,
    settings: &Settings,
    oracle: &mut TargetModel<'_>,
    problem: &Problem,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    if problem.is_empty() {
        return Ok(AttackOutput::new(problem.images.clone(), vec![0; problem.len()]));
    }
    match spec.run {
        Algorithm::Decision(run) => run(oracle, problem, settings, observer),
        Algorithm::Score(run) => run(oracle, problem, settings, observer),
        Algorithm::Gradient(run) => run(oracle, problem, settings, observer),
    }
}

/// Runs an attack against `victim` and judges it.
///
/// # Errors
/// Cancelled, when the observer stops it; device failures; usage, where attack and norm do not fit.
pub fn generate_and_judge(
    spec: &AttackSpec,
    settings: &Settings,
    victim: &mut TargetModel<'_>,
    problem: &Problem,
    observer: &mut dyn Observer,
) -> Result<JudgedOutput> {
    let output = generate(spec, settings, victim, problem, observer)?;
    judge(spec.bound, output, victim, problem)
}
