//! Random noise of equal norm: the baseline that every attack must beat.

use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::Score;
use crate::attack::problem::{Attempt, Problem};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::attack::trial::{Answers, Best, Sight, Trial};
use crate::error::Result;
use crate::parameter::{Param, Settings};

/// Noise of norm ε, repeated.
pub const NOISE: AttackSpec = AttackSpec {
    id: "noise",
    name: "random noise",
    family: "baseline",
    norms: &[Norm::Linf, Norm::L2],
    extent: Extent::Budget,
    targeted: true,
    random: true,
    crowd: false,
    params: &[Param::int(
        "repeats",
        (1, 10_000),
        20,
        "number of draws; the first that reaches the goal counts, else the one nearest to it",
    )],
    summary: "random noise of size ε: what an attack must be better than",
    about: "Every pixel is moved by +ε or −ε at random (L∞), or the picture is moved by ε in a random \
            direction (L2), so that the noise is exactly as large as an attack's perturbation. Networks \
            hardly notice: it is not the size of a perturbation that fools them but its direction. If \
            noise ever beats a gradient attack, the gradients are misleading.",
    paper: "the random-search check of Carlini et al.: On Evaluating Adversarial Robustness, 2019",
    run: Run::Score(noise),
};

fn noise(
    oracle: &mut dyn Score,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let mut trial = Trial::new(problem, watcher)?;
    let mut best = Best::new(&trial.x);
    let repeats = settings.int("repeats", 20).max(1) as usize;
    let epsilon = problem.budget.epsilon;
    for repeat in 0..repeats {
        let open = best.open(&trial.all());
        if open.is_empty() {
            break;
        }
        let draws = problem.draws(repeat);
        let mut images = trial.x.select(&open);
        for (row, i) in open.iter().enumerate() {
            let mut draws = draws[*i].clone();
            let image = images.row_mut(row);
            let noise: Vec<f32> = match problem.budget.norm {
                Norm::L2 => draws.on_l2_sphere(image.len(), epsilon),
                _ => image.iter().map(|_| epsilon.copysign(draws.signed())).collect(),
            };
            image.iter_mut().zip(noise).for_each(|(p, d)| *p = (*p + d).clamp(0.0, 1.0));
        }
        let scores = trial.scores(oracle, &open, &images)?;
        let margins = scores.margins(&trial.goals(&open));
        let reached = trial.reached(&open, &scores.labels());
        for (row, i) in open.iter().enumerate() {
            best.offer(*i, images.row(row), reached[row], margins[row]);
        }
        let loss: Vec<f32> = margins.iter().map(|m| -m).collect();
        trial.show(&Sight {
            open: &open,
            iteration: repeat,
            iterations: repeats - 1,
            loss: &loss,
            answers: Answers::Scores(&scores),
            step_size: epsilon,
            images: &images,
            mark: None,
        })?;
    }
    Ok(trial.finish(&best.images))
}
