//! The final check: an attack is never believed. What it returns is clipped to the box and the
//! ball, the victim answers again, and success and norms are decided here.
//!
//! A fixed-ε attempt that fails is still handed out, flagged as failed: it is the strongest attempt
//! inside the ball, which is what the reference implementations return and what a teacher wants to
//! show. An attack for the *least* perturbation returns the original where it finds nothing, and
//! succeeds at ε where what it found is no farther away.

use crate::attack::goal::Goal;
use crate::attack::gradients::GradientCount;
use crate::attack::note::Note;
use crate::attack::objective::Scores;
use crate::attack::observer::Observer;
use crate::attack::oracle::Victim;
use crate::attack::problem::{Attempt, Problem, choose};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::attack::rows::Rows;
use crate::error::Result;
use crate::parameter::Settings;
use burn_tensor::Tensor;

/// What the check found.
pub struct Verdict {
    /// The pictures, inside the box and (where it bounds the attack) the ball, `[N, C, H, W]`.
    pub images: Tensor<4>,
    /// The victim's logits for them.
    pub scores: Scores,
    /// Whether each goal is reached, however far away.
    pub reached: Vec<bool>,
    /// Whether each goal is reached within what bounds the attack: see [`Extent`].
    pub success: Vec<bool>,
    /// The distance of each from the original, in the budget's norm.
    pub distance: Vec<f32>,
    /// How often the attack asked about each picture.
    pub queries: Vec<u64>,
    /// What the attack saw of each picture's gradients.
    pub gradients: Vec<GradientCount>,
    /// What else the attack tells.
    pub notes: Vec<Note>,
    /// Which stage broke each picture, for an attack of several stages; else empty.
    pub stages: Vec<Option<&'static str>>,
}

impl Verdict {
    /// Whether picture `i` did not reach its goal and stood still at least every other step, since its
    /// gradient was zero or not a number.
    pub fn stood(&self, i: usize) -> bool {
        !self.reached[i] && self.gradients.get(i).is_some_and(GradientCount::stands)
    }
}

/// Clips an attempt to box and ball and asks the victim again.
///
/// # Errors
/// Device, when the device is lost or out of memory.
pub fn judge(
    extent: Extent,
    attempt: Attempt,
    victim: &mut Victim<'_>,
    problem: &Problem,
) -> Result<Verdict> {
    let (x, budget) = (problem.images.clone(), &problem.budget);
    let Attempt { images, queries, gradients, notes, stages } = attempt;
    let nan = images.clone().is_nan();
    let mut images = images.mask_where(nan, x.clone()).clamp(0.0, 1.0);
    if extent == Extent::Budget {
        // Rounding may leave the ball by one unit in the last place: project once more.
        let delta = budget.project(images - x.clone())?;
        images = (x.clone() + delta).clamp(0.0, 1.0);
    }
    let mut scores = victim.decide(&images)?;
    let reached = |scores: &Scores| -> Vec<bool> {
        let goals = scores.labels().into_iter().zip(&problem.goals);
        goals.map(|(label, goal): (usize, &Goal)| goal.reached(label)).collect()
    };
    let mut there = reached(&scores);
    if extent == Extent::Least && there.iter().any(|there| !there) {
        let lost: Vec<bool> = there.iter().map(|there| !there).collect();
        images = choose(images, x, &lost);
        scores = victim.decide(&images)?;
        there = reached(&scores);
    }
    let (before, after) = (Rows::read(&problem.images)?, Rows::read(&images)?);
    let pairs = before.iter().zip(after.iter());
    let distance: Vec<f32> = pairs.map(|(a, b)| budget.norm.distance(a, b)).collect();
    let near = |distance: &f32| *distance <= budget.epsilon * (1.0 + 1e-6);
    let success = match extent {
        Extent::Least => there.iter().zip(&distance).map(|(there, d)| *there && near(d)).collect(),
        Extent::Budget | Extent::Own => there.clone(),
    };
    let reached = there;
    Ok(Verdict { images, scores, reached, success, distance, queries, gradients, notes, stages })
}

/// Runs an attack against an oracle, without judging it.
///
/// # Errors
/// As [`launch`].
pub fn attempt(
    spec: &AttackSpec,
    settings: &Settings,
    oracle: &mut Victim<'_>,
    problem: &Problem,
    observer: &mut dyn Observer,
) -> Result<Attempt> {
    if problem.is_empty() {
        return Ok(Attempt::new(problem.images.clone(), vec![0; problem.len()]));
    }
    match spec.run {
        Run::Decision(run) => run(oracle, problem, settings, observer),
        Run::Score(run) => run(oracle, problem, settings, observer),
        Run::Gradient(run) => run(oracle, problem, settings, observer),
    }
}

/// Runs an attack against `victim` and judges it.
///
/// # Errors
/// Cancelled, when the observer stops it; device failures; usage, where attack and norm do not fit.
pub fn launch(
    spec: &AttackSpec,
    settings: &Settings,
    victim: &mut Victim<'_>,
    problem: &Problem,
    observer: &mut dyn Observer,
) -> Result<Verdict> {
    let attempt = attempt(spec, settings, victim, problem, observer)?;
    judge(spec.extent, attempt, victim, problem)
}
