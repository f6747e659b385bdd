//! Rotations and translations by descent on angle and shift: see [`super::spatial`].

use crate::attack::methods::spatial::{ANGLE, SHIFT, Turn};
use crate::attack::methods::sweep::{Change, Found, Setting, report};
use crate::attack::norm::Norm;
use crate::attack::objective::Margin;
use crate::attack::observer::Observer;
use crate::attack::oracle::Gradient;
use crate::attack::problem::{Attempt, Problem};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::attack::rows::Rows;
use crate::attack::trial::{Answers, Sight, Trial};
use crate::error::Result;
use crate::parameter::{Param, Settings};

/// Descent on angle and shift.
pub const ROTATE_GRADIENT: AttackSpec = AttackSpec {
    id: "rotate-translate-gradient",
    name: "rotation and translation by gradient",
    family: "spatial and semantic",
    norms: &[Norm::L2],
    extent: Extent::Own,
    targeted: true,
    random: true,
    crowd: false,
    params: &[
        ANGLE,
        SHIFT,
        Param::int("steps", (1, 10_000), 50, "number of gradient steps (200 in the paper)"),
        Param::float("step-size", (0.0, 2.0), 0.04, "one step, as a share of the bounds"),
        Param::int(
            "restarts",
            (1, 100),
            1,
            "number of random starts; a picture leaves as soon as one succeeds",
        ),
    ],
    summary: "angle and shift follow the gradient through the interpolation",
    about: "The same turns and shifts as `rotate-translate`, found by signed gradient steps on three \
            numbers from a random start. It is told here because it is *weaker* than trying a grid: \
            the loss over angle and shift has many local tops, and an attack that follows the \
            gradient stays on the one it started under. Add restarts and it catches up.",
    paper: "Engstrom, Tran, Tsipras, Schmidt, Madry: Exploring the Landscape of Spatial Robustness, ICML 2019",
    run: Run::Gradient(descend),
};

fn descend(
    oracle: &mut dyn Gradient,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let mut trial = Trial::new(problem, watcher)?;
    let turn = Turn::new(trial.x.shape(), settings);
    let steps = settings.int("steps", 50).max(1) as usize;
    let length = settings.float("step-size", 0.04);
    let restarts = settings.int("restarts", 1).max(1) as usize;
    let mut found = Found::new(&trial.x);
    for restart in 0..restarts {
        trial.restart = (restart, restarts);
        let start = |draws: &mut crate::draws::Draws| -> Setting<3> {
            std::array::from_fn(|_| f64::from(draws.signed()))
        };
        let mut now: Vec<Setting<3>> = problem.draws(restart).iter_mut().map(start).collect();
        for step in 0..=steps {
            let open = found.best.open(&trial.all());
            if open.is_empty() {
                break;
            }
            let mut images = Rows::zeros(trial.x.shape(), 0);
            open.iter().for_each(|i| images.push(&turn.apply(trial.x.row(*i), &now[*i])));
            // The last images need no gradient any more.
            let (scores, gradient) = match step < steps {
                true => {
                    let slopes = trial.slopes(oracle, &open, &images, &Margin)?;
                    (slopes.scores, Some(slopes.gradient))
                }
                false => (trial.scores(oracle, &open, &images)?, None),
            };
            let margins = scores.margins(&trial.goals(&open));
            let reached = trial.reached(&open, &scores.labels());
            let mark = turn.tell(&now[open[0]]);
            for (row, i) in open.iter().enumerate() {
                if found.best.offer(*i, images.row(row), reached[row], margins[row]) {
                    found.settings[*i] = now[*i];
                }
                if let Some(gradient) = &gradient {
                    let slope = turn.gradient(trial.x.row(*i), now[*i], gradient.row(row));
                    for (value, slope) in now[*i].iter_mut().zip(slope) {
                        let sign = if slope == 0.0 { 0.0 } else { slope.signum() };
                        *value = (*value + length * sign).clamp(-1.0, 1.0);
                    }
                }
            }
            trial.show(&Sight {
                open: &open,
                iteration: step,
                iterations: steps,
                loss: &margins.iter().map(|m| -m).collect::<Vec<_>>(),
                answers: Answers::Scores(&scores),
                step_size: 0.0,
                images: &images,
                mark: Some(&mark),
            })?;
        }
    }
    Ok(report(trial, &turn, &found))
}
