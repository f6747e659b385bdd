//! Random noise of equal norm: the baseline that every attack must beat.

use crate::attack::norm::Norm;
use crate::attack::observer::{Flow, Observer, Step};
use crate::attack::oracle::Score;
use crate::attack::problem::{Attempt, Problem, choose};
use crate::attack::registry::{AttackSpec, Run};
use crate::error::{Error, Result};
use crate::parameter::{Kind, Param, Settings, Value};
use burn::tensor::{Tensor, TensorData};

/// Noise of norm ε, repeated.
pub const NOISE: AttackSpec = AttackSpec {
    id: "noise",
    name: "random noise",
    family: "baseline",
    norms: &[Norm::Linf, Norm::L2],
    targeted: true,
    params: &[Param {
        id: "repeats",
        kind: Kind::Int { min: 1, max: 10_000 },
        default: Value::Int(20),
        auto: None,
        help: "number of draws; the first that reaches the goal counts, else the one nearest to it",
    }],
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
    let x = &problem.images;
    let dims = x.dims();
    let values = dims[1] * dims[2] * dims[3];
    let repeats = settings.int("repeats", 20).max(1) as usize;
    let epsilon = problem.budget.epsilon;
    let mut kept = x.clone();
    let mut best = vec![f32::INFINITY; problem.len()];
    for repeat in 0..repeats {
        let mut noise = Vec::with_capacity(problem.len() * values);
        for mut draws in problem.draws(repeat) {
            match problem.budget.norm {
                Norm::L2 => noise.extend(draws.on_l2_sphere(values, epsilon)),
                _ => noise.extend((0..values).map(|_| epsilon.copysign(draws.signed()))),
            }
        }
        let noise = Tensor::from_data(TensorData::new(noise, dims), &x.device());
        let images = (x.clone() + noise).clamp(0.0, 1.0);
        let scores = oracle.scores(&images)?;
        let labels = scores.labels();
        let margins = scores.margins(&problem.goals);
        // A success stays; until there is one, the draw with the smallest margin does.
        let better: Vec<bool> =
            best.iter().zip(&margins).map(|(best, margin)| *best >= 0.0 && margin < best).collect();
        for (i, better) in better.iter().enumerate() {
            if *better {
                best[i] = margins[i];
            }
        }
        kept = choose(kept, images.clone(), &better);
        let loss: Vec<f32> = margins.iter().map(|m| -m).collect();
        let step = Step {
            restart: 0,
            restarts: 1,
            iteration: repeat,
            iterations: repeats - 1,
            loss: &loss,
            margin: &margins,
            scores: &scores,
            labels: &labels,
            step_size: epsilon,
            images: &images,
        };
        if watcher.step(&step) == Flow::Stop {
            return Err(Error::cancelled());
        }
        if best.iter().all(|b| *b < 0.0) {
            break;
        }
    }
    Ok(Attempt { images: kept })
}
