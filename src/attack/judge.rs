//! The final check: an attack is never believed. What it returns is clipped to the box and the
//! ball, the victim answers again, and success and norms are decided here.
//!
//! A fixed-ε attempt that fails is still handed out, flagged as failed: it is the strongest attempt
//! inside the ball, which is what the reference implementations return and what a teacher wants to
//! show. (An attack for the *least* perturbation returns the original where it finds nothing.)

use crate::attack::norm::Norm;
use crate::attack::objective::Scores;
use crate::attack::observer::Observer;
use crate::attack::oracle::{Score, Victim};
use crate::attack::problem::{Attempt, Problem};
use crate::attack::registry::{AttackSpec, Run};
use crate::error::{Error, Result};
use crate::parameter::Settings;
use burn::tensor::Tensor;

/// What the check found.
pub struct Verdict {
    /// The pictures, inside box and ball, `[N, C, H, W]`.
    pub images: Tensor<4>,
    /// The victim's logits for them.
    pub scores: Scores,
    /// Whether each goal is reached.
    pub success: Vec<bool>,
}

/// Clips an attempt to ball and box and asks the victim again.
///
/// # Errors
/// Device, when the device is lost or out of memory.
pub fn judge(attempt: Attempt, victim: &mut Victim<'_>, problem: &Problem) -> Result<Verdict> {
    let x = problem.images.clone();
    let mut images = attempt.images.clamp(0.0, 1.0);
    match problem.budget.norm {
        Norm::Linf | Norm::L2 => {
            // Rounding may leave the ball by one unit in the last place: project once more.
            let delta = problem.budget.project(images - x.clone())?;
            images = (x + delta).clamp(0.0, 1.0);
        }
        Norm::L0 | Norm::L1 => {}
    }
    let finite =
        images.clone().is_finite().all().try_into_scalar::<bool>().map_err(|e| Error::lost(&e))?;
    if !finite {
        images = images.clone().mask_where(images.is_nan(), problem.images.clone());
    }
    let scores = victim.scores(&images)?;
    let reached = scores.labels().into_iter().zip(&problem.goals);
    let success = reached.map(|(label, goal)| goal.reached(label)).collect();
    Ok(Verdict { images, scores, success })
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
    let attempt = match problem.is_empty() {
        true => Attempt { images: problem.images.clone() },
        false => match spec.run {
            Run::Decision(run) => run(victim, problem, settings, observer)?,
            Run::Score(run) => run(victim, problem, settings, observer)?,
            Run::Gradient(run) => run(victim, problem, settings, observer)?,
        },
    };
    judge(attempt, victim, problem)
}
