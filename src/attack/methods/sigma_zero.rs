//! σ-zero (Cinà et al. 2025): descends a smooth stand-in for the number of changed values.
//!
//! As in the authors' code the hinge on the margin and the share of changed values are summed, the
//! gradient is divided by its largest value, and Adam steps with a rate that falls along a cosine
//! to a tenth. Aiming at a class, which that code leaves out, only turns the margin around.

use crate::attack::methods::ascent::{Adam, cosine};
use crate::attack::methods::penalty::Hinge;
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::Gradient;
use crate::attack::problem::{Attempt, Problem};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::attack::trial::{Answers, Best, Sight, Trial};
use crate::error::Result;
use crate::parameter::{Param, Settings};

/// σ-zero.
pub const SIGMA_ZERO: AttackSpec = AttackSpec {
    id: "sigma-zero",
    name: "σ-zero",
    family: "sparse",
    norms: &[Norm::L0],
    extent: Extent::Least,
    targeted: true,
    random: false,
    crowd: false,
    params: &[
        Param::int("steps", (1, 10_000), 300, "gradients; the paper takes 1000"),
        Param::float("learning-rate", (1e-3, 10.0), 1.0, "Adam's first; it falls to a tenth"),
        Param::float(
            "sigma",
            (1e-8, 1.0),
            1e-3,
            "σ: a change d counts as d²/(d² + σ) of a pixel; smaller is sharper",
        ),
        Param::float(
            "threshold",
            (0.0, 1.0),
            0.3,
            "changes smaller than this are undone, at first",
        ),
        Param::float(
            "threshold-step",
            (0.0, 1.0),
            0.01,
            "how fast the threshold rises where the goal is reached and falls where it is not, \
             times the learning rate",
        ),
    ],
    summary: "few pixels: a smooth count of changes, and a threshold that undoes the small ones",
    about: "The number of changed pixels has no gradient. σ-zero counts a change d as d²/(d² + σ), \
            nearly 1 for any visible change and 0 for none, and descends that count together with \
            the margin. After each step every change below a threshold is undone; the threshold rises \
            while the answer is wrong and falls while it is right, so that pixels are tried, dropped, \
            and tried again. Watch the changed pixels dwindle to a handful. It needs neither a set \
            number of pixels nor a search over pairs as JSMA does, and finds fewer.",
    paper: "Cinà et al.: σ-zero: Gradient-based Optimization of ℓ0-norm Adversarial Examples, ICLR 2025",
    run: Run::Gradient(sigma_zero),
};

fn sigma_zero(
    oracle: &mut dyn Gradient,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let mut trial = Trial::new(problem, watcher)?;
    let mut best = Best::new(&trial.x);
    let steps = settings.int("steps", 300).max(1) as usize;
    let first_rate = settings.float("learning-rate", 1.0);
    let sigma = settings.float("sigma", 1e-3);
    let pace = settings.float("threshold-step", 0.01);
    let (open, size) = (trial.all(), trial.x.size());
    let mut images = trial.x.clone();
    let mut thresholds = vec![settings.float("threshold", 0.3); open.len()];
    let mut courses: Vec<(Adam, Vec<f64>)> =
        open.iter().map(|_| (Adam::new(size), vec![0.0; size])).collect();
    let rate_at = |step: usize| first_rate * (0.1 + 0.9 * cosine(step, steps));
    for step in 0..steps {
        let slopes = trial.slopes(oracle, &open, &images, &Hinge { confidence: 0.0 })?;
        let reached = trial.keep(&mut best, &open, &images, &slopes.scores);
        let mut loss = slopes.loss.clone();
        for i in &open {
            let counts = courses[*i].1.iter().map(|d| d * d / (d * d + sigma));
            loss[*i] -= (counts.sum::<f64>() / size as f64) as f32;
        }
        trial.show(&Sight {
            open: &open,
            iteration: step,
            iterations: steps - 1,
            loss: &loss,
            answers: Answers::Scores(&slopes.scores),
            step_size: 0.0,
            images: &images,
            mark: thresholds.first().map(|t| format!("undo below {t:.2}")).as_deref(),
        })?;
        for i in &open {
            let (adam, delta) = &mut courses[*i];
            let uncount = |d: f64| -2.0 * d * sigma / (d * d + sigma).powi(2) / size as f64;
            let climb = slopes.gradient.row(*i).iter().zip(delta.iter());
            let mut gradient: Vec<f64> = climb.map(|(g, d)| f64::from(*g) + uncount(*d)).collect();
            let top = gradient.iter().fold(1e-12, |top: f64, g| top.max(g.abs()));
            gradient.iter_mut().for_each(|g| *g /= top);
            adam.climb(delta, &gradient, rate_at(step));
            let threshold = &mut thresholds[*i];
            let way = if reached[*i] { pace } else { -pace };
            *threshold = (*threshold + way * rate_at(step + 1)).clamp(0.0, 1.0);
            let placed = images.row_mut(*i).iter_mut().zip(trial.x.row(*i)).zip(delta);
            for ((p, x), d) in placed {
                let x = f64::from(*x);
                *d = (x + *d).clamp(0.0, 1.0) - x;
                *d = if d.abs() < *threshold { 0.0 } else { *d };
                *p = (x + *d) as f32;
            }
        }
    }
    Ok(trial.finish(&best.images))
}
