//! The judge: an attack is never believed. The images it returns are clipped to 0..1 and projected onto
//! the ball, the model is queried again, and success and distance are decided here.
//!
//! Where a fixed-ε attack fails, its images are returned nevertheless, flagged as failed: the
//! strongest attempt inside the ball, which is what the reference implementations return. A
//! minimum-norm attack returns the original where it finds nothing, and succeeds at ε where what it
//! found is no farther away.

use crate::attack::goal::Goal;
use crate::attack::gradient_stats::GradientStats;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::note::Note;
use crate::attack::observer::Observer;
use crate::attack::oracle::TargetModel;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::Settings;

/// What an attack achieved, as the judge found it.
pub struct JudgedOutput {
    /// The adversarial images, `[N, C, H, W]`, in 0..1 and (for a fixed-ε attack) in the ball.
    pub images: ImageBatch,
    /// The model's logits for them, `[N, K]`.
    pub logits: Logits,
    /// Whether each image reaches its goal, however far away it is, `[N]`.
    pub reached: Vec<bool>,
    /// Whether each image reaches its goal within what bounds the attack, `[N]`: see [`Bound`].
    pub success: Vec<bool>,
    /// The distance of each image from the original, in the budget's norm, `[N]`.
    pub distance: Vec<f32>,
    /// Queries of the attack for each image, `[N]`.
    pub queries: Vec<u64>,
    /// Statistics of the gradients that the attack saw of each image, `[N]`.
    pub gradient_stats: Vec<GradientStats>,
    /// Remarks of the attack's own.
    pub notes: Vec<Note>,
    /// For an attack of several stages, the one that succeeded on each image, `[N]`; else empty.
    pub stages: Vec<Option<&'static str>>,
}

impl JudgedOutput {
    /// Whether image `i` failed to reach its goal and could not move in at least half of the steps,
    /// because its gradient was zero or not a number.
    pub fn stalled(&self, i: usize) -> bool {
        !self.reached[i] && self.gradient_stats.get(i).is_some_and(GradientStats::mostly_dead)
    }
}

/// Clips and projects what an attack returned, and queries the model again.
///
/// # Errors
/// Device, when the device is lost or out of memory.
pub fn judge(
    bound: Bound,
    output: AttackOutput,
    model: &mut TargetModel<'_>,
    problem: &Problem,
) -> Result<JudgedOutput> {
    let (x, budget) = (&problem.images, &problem.budget);
    let AttackOutput { mut images, queries, gradient_stats, notes, stages } = output;
    for (pixel, clean) in pixels(&mut images, x) {
        *pixel = if pixel.is_nan() { clean } else { *pixel }.clamp(0.0, 1.0);
    }
    if bound == Bound::FixedEpsilon {
        // Rounding may leave the ball by one unit in the last place: project once more.
        pixels(&mut images, x).for_each(|(pixel, clean)| *pixel -= clean);
        images = budget.project(images, model.device())?;
        pixels(&mut images, x).for_each(|(delta, clean)| *delta = (clean + *delta).clamp(0.0, 1.0));
    }
    let goals = |logits: &Logits| -> Vec<bool> {
        let labels = logits.labels().into_iter().zip(&problem.goals);
        labels.map(|(label, goal): (usize, &Goal)| goal.reached(label)).collect()
    };
    let mut logits = model.predict(&images)?;
    let mut reached = goals(&logits);
    if bound == Bound::MinimumNorm && reached.contains(&false) {
        for i in (0..reached.len()).filter(|i| !reached[*i]) {
            images.row_mut(i).copy_from_slice(x.row(i));
        }
        logits = model.predict(&images)?;
        reached = goals(&logits);
    }
    let distance = |(a, b)| budget.norm.distance(a, b);
    let distance: Vec<f32> = x.iter().zip(images.iter()).map(distance).collect();
    let near = |distance: &f32| *distance <= budget.epsilon * (1.0 + 1e-6);
    let success = match bound {
        Bound::MinimumNorm => {
            reached.iter().zip(&distance).map(|(reached, d)| *reached && near(d)).collect()
        }
        Bound::FixedEpsilon | Bound::Own => reached.clone(),
    };
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

/// Each pixel of `images` with the clean one.
fn pixels<'a>(
    images: &'a mut ImageBatch,
    x: &'a ImageBatch,
) -> impl Iterator<Item = (&'a mut f32, f32)> {
    let rows = images.iter_mut().zip(x.iter());
    rows.flat_map(|(row, clean)| row.iter_mut().zip(clean.iter().copied()))
}

/// Runs an attack, without judging it.
///
/// # Errors
/// As [`generate_and_judge`].
pub fn generate(
    spec: &AttackSpec,
    settings: &Settings,
    model: &mut TargetModel<'_>,
    problem: &Problem,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    match problem.is_empty() {
        true => Ok(AttackOutput::new(problem.images.clone(), Vec::new())),
        false => spec.run(model, problem, settings, observer),
    }
}

/// Runs an attack on `model` and judges what it returns.
///
/// # Errors
/// Cancelled, when the observer stops it; device failures; usage, where attack and norm do not fit.
pub fn generate_and_judge(
    spec: &AttackSpec,
    settings: &Settings,
    model: &mut TargetModel<'_>,
    problem: &Problem,
    observer: &mut dyn Observer,
) -> Result<JudgedOutput> {
    let output = generate(spec, settings, model, problem, observer)?;
    judge(spec.bound, output, model, problem)
}
