//! Adversarial patches (Brown et al. 2017): a small image that wins wherever it lies. It is
//! trained by expectation over transformation: every step lays it on images at freshly drawn
//! positions, turns and scales, and climbs the mean log-probability of the goal with Adam.
//!
//! Pixels are in 0..1, so the learning rate is too: 5.0 is a rate for pixels in 0..255, and on
//! images in 0..1 it drives every value to black or white in one step.
//!
//! The attacked images get the patch at a placement of their own, drawn from the seed and not
//! trained on; how it does at other placements is told besides. The patch kept is the one that wins
//! most of the images it learns from, each at a fixed placement, not the last.

use crate::attack::context::{AttackContext, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::adam::Adam;
use crate::attack::methods::patch_placement::{CoveredPixel, PatchGeometry, PatchPlace};
use crate::attack::methods::universal::{GoalLogLikelihood, UniversalScore, UniversalTask};
use crate::attack::norm::Norm;
use crate::attack::note::Note;
use crate::attack::objective::times_power_of_two;
use crate::attack::observer::Observer;
use crate::attack::oracle::{GradientOracle, ScoreOracle};
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{ChoiceParam, FloatParam, IntParam, Settings};

const AREA: FloatParam =
    FloatParam::new("area", (0.001, 1.0), 0.1, "its share of the picture's area at full scale");
const SHAPE: ChoiceParam<bool> =
    ChoiceParam::new("shape", &["circle", "square"], &[true, false], "its outline");
const PLACE: ChoiceParam<PatchPlace> = ChoiceParam::new(
    "place",
    &["random", "centre", "corner"],
    &[PatchPlace::Random, PatchPlace::Centre, PatchPlace::Corner],
    "where it may lie",
);
const ROTATION: FloatParam =
    FloatParam::new("rotation", (0.0, 180.0), 22.5, "largest turn to either side, in degrees");
const SCALE: FloatParam =
    FloatParam::new("scale", (0.05, 1.0), 0.7, "smallest scale; the largest is 1");
const SAMPLES: IntParam =
    IntParam::new("samples", (1, 10_000), 50, "how many pictures it is trained on");
const STEPS: IntParam =
    IntParam::new("steps", (1, 10_000), 100, "number of gradient steps (500 in the paper)");
const LEARNING_RATE: FloatParam =
    FloatParam::new("learning-rate", (1e-4, 1.0), 0.05, "rate of Adam, in pixel units");
const DRAWS: IntParam =
    IntParam::new("draws", (1, 1000), 16, "pictures, each at a drawn placement, a step");

/// Adversarial patch, trained under random placements.
///
/// L0; gradients (white box); bounded by its own parameters; targeted or untargeted.
///
/// Brown, Mané, Roy, Abadi, Gilmer: Adversarial Patch, NIPS workshop 2017.
pub const PATCH: AttackSpec = AttackSpec {
    id: "patch",
    name: "adversarial patch",
    family: "universal and patch",
    norms: &[Norm::L0],
    bound: Bound::Own,
    targeted: true,
    random: true,
    universal: true,
    training_images: Some(SAMPLES),
    repetitions: &[],
    stages: None,
    params: &[
        AREA.param,
        SHAPE.param,
        PLACE.param,
        ROTATION.param,
        SCALE.param,
        SAMPLES.param,
        STEPS.param,
        LEARNING_RATE.param,
        DRAWS.param,
    ],
    summary: "a small sticker that makes the model see what it wants, wherever it lies",
    about: "Instead of changing every pixel a little, a patch changes few pixels without any limit. \
            It is trained on many pictures at many positions, turns and scales, so that it needs no \
            knowledge of the picture it will lie on: printed out, it works in the physical world. \
            Watch it grow from grey into something that looks like a caricature of a class. The \
            patch is shown where the seed puts it; how often it wins at 20 fresh placements is told \
            in the notes. Small areas fail: try the least that works.",
    paper: "Brown, Mané, Roy, Abadi, Gilmer: Adversarial Patch, NIPS workshop 2017",
    run: Algorithm::Gradient(patch),
};

/// How many fresh placements an attacked image is tried at, and how many images at most: a
/// thousand placements tell the rate well enough.
const FRESH: (usize, usize) = (20, 50);
/// How many attacked images are shown at most while training images is learned from.
const SHOWN: usize = 8;
/// How often the patch is tried on training images during training.
const CHECKS: usize = 10;

fn patch(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut task = UniversalTask::new(oracle, problem, observer)?;
    let joint = task.joint.clone();
    let mut context = AttackContext::new(&joint, observer);
    let round = SHAPE.get(settings);
    let geometry = PatchGeometry {
        spot: PLACE.get(settings),
        turn: ROTATION.get(settings),
        smallest: SCALE.get(settings),
        ..PatchGeometry::new(context.x.shape(), AREA.get(settings), round)
    };
    let fixed: Vec<_> = joint.draws(0).iter_mut().map(|draws| geometry.draw(draws)).collect();
    let steps = STEPS.count(settings);
    let rate = LEARNING_RATE.get(settings);
    let attacked = task.attacked();
    // With training images to judge by, a few of the attacked images are enough to look at.
    let most = if task.learns_from_attacked() { attacked.len() } else { SHOWN };
    let shown = &attacked[..most.min(attacked.len())];
    let mut values = vec![0.5_f64; geometry.canvas().iter().product()];
    let mut adam = Adam::new(values.len());
    let mut order = Vec::new();
    let mut best: Option<(UniversalScore, Vec<f32>)> = None;
    for step in 0..=steps {
        if step > 0 {
            let mut some = Vec::new();
            while some.len() < DRAWS.count(settings) {
                if order.is_empty() {
                    order = task.shuffled();
                }
                some.extend(order.pop());
            }
            let covers: Vec<_> = some.iter().map(|_| geometry.draw(&mut task.draws)).collect();
            let now = single(&values);
            let images = laid(&context, &geometry, &now, some.iter().copied().zip(&covers));
            let gradients = context.gradients(oracle, &some, &images, &GoalLogLikelihood)?;
            let mut gradient = vec![0.0; values.len()];
            for (row, covers) in covers.iter().enumerate() {
                let one = geometry.patch_gradient(covers, gradients.gradient.row(row));
                let share = times_power_of_two(1.0 / some.len() as f64, -gradients.log2_scale[row]);
                gradient.iter_mut().zip(one).for_each(|(sum, g)| *sum += share * g);
            }
            adam.climb(&mut values, &gradient, rate);
            values.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        }
        let now = single(&values);
        let fix = |which: &[usize]| which.iter().map(|i| (*i, &fixed[*i])).collect::<Vec<_>>();
        let images = laid(&context, &geometry, &now, fix(shown));
        let logits = context.logits(oracle, shown, &images)?;
        let check = step % steps.div_ceil(CHECKS) == 0 || step == steps;
        let score = match (task.learns_from_attacked(), check) {
            (true, _) => Some(UniversalScore::new(&logits, &context.goals(shown))),
            (false, true) => {
                let others = laid(&context, &geometry, &now, fix(&task.learn));
                let predictions = context.logits(oracle, &task.learn, &others)?;
                Some(UniversalScore::new(&predictions, &context.goals(&task.learn)))
            }
            (false, false) => None,
        };
        let margins = logits.margins(&context.goals(shown));
        let n = task.learn.len();
        let mark = score.map(|score| format!("wins {} of {n} it learns from", score.reached));
        context.report(&StepReport {
            active: shown,
            iteration: step,
            iterations: steps,
            loss: &margins.iter().map(|m| -m).collect::<Vec<_>>(),
            predictions: Predictions::Logits(&logits),
            step_size: rate as f32,
            images: &images,
            mark: mark.as_deref().filter(|_| check),
        })?;
        if let Some(score) = score
            && best.as_ref().is_none_or(|(record, _)| score.beats(*record))
        {
            best = Some((score, now));
        }
    }
    let now = best.map_or_else(|| single(&values), |(_, patch)| patch);
    let notes = vec![fresh(&mut context, oracle, &geometry, &now, &attacked)?];
    let images = laid(&context, &geometry, &now, attacked.iter().map(|i| (*i, &fixed[*i])));
    Ok(task.finish(context, images, notes))
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// These images with the patch laid on them.
fn laid<'a>(
    context: &AttackContext<'_>,
    geometry: &PatchGeometry,
    patch: &[f32],
    which: impl IntoIterator<Item = (usize, &'a Vec<CoveredPixel>)>,
) -> ImageBatch {
    let mut rows = ImageBatch::zeros(context.x.shape(), 0);
    for (i, covers) in which {
        let mut picture = context.x.row(i).to_vec();
        geometry.apply(patch, covers, &mut picture);
        rows.push(&picture);
    }
    rows
}

/// How often the patch wins at placements that it has never been tried at, in words.
fn fresh(
    context: &mut AttackContext<'_>,
    oracle: &mut (impl ScoreOracle + ?Sized),
    geometry: &PatchGeometry,
    patch: &[f32],
    attacked: &[usize],
) -> Result<Note> {
    let (each, most) = FRESH;
    let mut draws = context.problem.draws(1);
    let tried = &attacked[..most.min(attacked.len())];
    let mut won = 0;
    for i in tried {
        let covers: Vec<_> = (0..each).map(|_| geometry.draw(&mut draws[*i])).collect();
        let images = laid(context, geometry, patch, covers.iter().map(|c| (*i, c)));
        let which = vec![*i; each];
        let labels = context.labels(oracle, &which, &images)?;
        won += context.reached(&which, &labels).into_iter().filter(|r| *r).count();
    }
    let text = format!("wins at {{hits}} of {{of}} fresh placements ({each} a picture)");
    Ok(Note::count(&text, &text, (won, each * tried.len())))
}
