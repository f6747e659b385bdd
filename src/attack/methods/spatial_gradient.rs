//! Rotations and translations by descent on angle and shift: see [`super::spatial`].

use crate::attack::context::{AttackContext, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::grid_search::{
    GridSearchResult, TransformSetting, Transformation, report,
};
use crate::attack::methods::spatial::{ANGLE, RotateTranslate, SHIFT};
use crate::attack::norm::Norm;
use crate::attack::objective::Margin;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};

const STEPS: IntParam =
    IntParam::new("steps", (1, 10_000), 50, "number of gradient steps (200 in the paper)");
const STEP_SIZE: FloatParam =
    FloatParam::new("step-size", (0.0, 2.0), 0.04, "one step, as a share of the bounds");
const RESTARTS: IntParam = IntParam::new(
    "restarts",
    (1, 100),
    1,
    "number of random starts; a picture leaves as soon as one succeeds",
);

/// Rotation and translation, by gradient steps on angle and shift.
///
/// L2; gradients (white box); bounded by its own parameters; targeted or untargeted.
///
/// Engstrom, Tran, Tsipras, Schmidt, Madry: Exploring the Landscape of Spatial Robustness, ICML
/// 2019.
pub const ROTATE_GRADIENT: AttackSpec = AttackSpec {
    id: "rotate-translate-gradient",
    name: "rotation and translation by gradient",
    family: "spatial and semantic",
    norms: &[Norm::L2],
    bound: Bound::Own,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[ANGLE.param, SHIFT.param, STEPS.param, STEP_SIZE.param, RESTARTS.param],
    summary: "angle and shift follow the gradient through the interpolation",
    about: "The same turns and shifts as `rotate-translate`, found by signed gradient steps on three \
            numbers from a random start. It is told here because it is *weaker* than trying a grid: \
            the loss over angle and shift has many local tops, and an attack that follows the \
            gradient stays on the one it started under. Add restarts and it catches up.",
    paper: "Engstrom, Tran, Tsipras, Schmidt, Madry: Exploring the Landscape of Spatial Robustness, ICML 2019",
    run: Algorithm::Gradient(descend),
};

fn descend(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let turn = RotateTranslate::new(context.x.shape(), settings);
    let steps = STEPS.count(settings);
    let length = STEP_SIZE.get(settings);
    let restarts = RESTARTS.count(settings);
    let mut found = GridSearchResult::new(context.x);
    for restart in 0..restarts {
        context.restart = (restart, restarts);
        let start = |draws: &mut crate::rng::KeyedRng| -> TransformSetting<3> {
            std::array::from_fn(|_| f64::from(draws.signed()))
        };
        let mut now: Vec<TransformSetting<3>> =
            problem.draws(restart).iter_mut().map(start).collect();
        for step in 0..=steps {
            let active = found.best.active(&context.all());
            if active.is_empty() {
                break;
            }
            let mut images = ImageBatch::zeros(context.x.shape(), 0);
            active.iter().for_each(|i| images.push(&turn.apply(context.x.row(*i), &now[*i])));
            // The last images need no gradient any more.
            let (logits, gradient) = match step < steps {
                true => {
                    let gradients = context.gradients(oracle, &active, &images, &Margin)?;
                    (gradients.logits, Some(gradients.gradient))
                }
                false => (context.logits(oracle, &active, &images)?, None),
            };
            let margins = logits.margins(&context.goals(&active));
            let reached = context.reached(&active, &logits.labels());
            let mark = turn.describe(&now[active[0]]);
            for (row, i) in active.iter().enumerate() {
                if found.best.offer(*i, images.row(row), reached[row], margins[row]) {
                    found.settings[*i] = now[*i];
                }
                if let Some(gradient) = &gradient {
                    let slope = turn.gradient(context.x.row(*i), now[*i], gradient.row(row));
                    for (value, slope) in now[*i].iter_mut().zip(slope) {
                        let sign = if slope == 0.0 { 0.0 } else { slope.signum() };
                        *value = (*value + length * sign).clamp(-1.0, 1.0);
                    }
                }
            }
            context.report(&StepReport {
                active: &active,
                iteration: step,
                iterations: steps,
                loss: &margins.iter().map(|m| -m).collect::<Vec<_>>(),
                predictions: Predictions::Logits(&logits),
                step_size: 0.0,
                images: &images,
                mark: Some(&mark),
            })?;
        }
    }
    Ok(report(context, &turn, &found))
}
