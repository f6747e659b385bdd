//! HopSkipJump (Chen, Jordan, Wainwright 2020): the boundary's normal from labels alone, then a jump
//! along it and a binary search back, as in the authors' `hsja.py`.
//!
//! The estimate is normalised for each direction and each image on its own (foolbox's norms run
//! over the batch, so that there an image's result depends on its neighbours). An image that is
//! adversarial at distance zero is left alone instead of dividing by it.
//!
//! The paper's θ = γ/d^{3/2} (L2) and γ/d² (L∞) make probes on large images so short that they come
//! down to the rounding of single-precision logits. θ is not taken below 3e-5 here (it is 4.6e-5 for
//! 28×28 grey images in L2), and the probing radius, which is derived from θ, follows.

use crate::attack::methods::boundary_search::{
    self, BoundaryPoint, BoundarySearch, SAMPLES, moved, unit,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::DecisionOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};
use crate::rng::KeyedRng;

const QUERIES: IntParam = boundary_search::QUERIES.with_default(7000);
const STEPS: IntParam =
    IntParam::new("steps", (1, 1000), 20, "number of jumps; the paper takes 64");
const DIRECTIONS: IntParam = IntParam::new(
    "directions",
    (4, 10_000),
    100,
    "questions for the first normal; the t-th takes √t times as many",
);
const GAMMA: FloatParam =
    FloatParam::new("gamma", (1e-3, 1e4), 1.0, "how coarse the binary search is, and the probing");

/// HopSkipJump: along the estimated normal of the boundary, from the boundary.
///
/// L2, L∞; labels only (black box); minimum norm; targeted or untargeted.
///
/// Chen, Jordan, Wainwright: HopSkipJumpAttack, IEEE S&P 2020.
pub const HOPSKIPJUMP: AttackSpec = AttackSpec {
    id: "hopskipjump",
    name: "HopSkipJump",
    family: "decision-based",
    norms: &[Norm::L2, Norm::Linf],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: true,
    universal: false,
    training_images: Some(SAMPLES),
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, QUERIES.param, SAMPLES.param, DIRECTIONS.param, GAMMA.param],
    summary: "feels for the boundary's slope with labels, jumps along it, searches back",
    about: "At a point on the decision boundary it asks about a hundred random neighbours: those that \
            fall on the wrong side show which way the boundary faces. It jumps that way (halving the \
            jump while the answer is right again), then searches back to the boundary on the line to \
            the original. On screen each iteration is one such jump and search; the distance falls \
            fast at first. With thousands of queries it ends about a third farther away than \
            white-box attacks do; answers that change at random blind it.",
    paper: "Chen, Jordan, Wainwright: HopSkipJumpAttack, IEEE S&P 2020",
    run: Algorithm::Decision(hopskipjump),
};

/// The finest share of the distance that is searched for.
const FINEST: f64 = 3e-5;
/// The most directions at one point.
const MOST: usize = 10_000;
/// The fewest directions that a normal is worth estimating from.
const FEWEST: usize = 8;
/// Halvings of a jump before it is given up.
const HALVINGS: i32 = 30;

fn hopskipjump(
    oracle: &mut dyn DecisionOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let steps = STEPS.count(settings);
    let mut search =
        BoundarySearch::new(oracle, problem, steps, Some(QUERIES.count(settings)), observer);
    for i in search.context.all() {
        one(&mut search, i, settings)?;
    }
    search.finish()
}

fn one(search: &mut BoundarySearch<'_>, i: usize, settings: &Settings) -> Result<()> {
    let first = DIRECTIONS.get(settings) as f64;
    let (norm, d) = (search.norm(), search.context.x.size() as f64);
    // How far θ reaches in each norm, and how much wider the probing is.
    let (power, wider) = if norm == Norm::Linf { (2.0, d) } else { (1.5, d.sqrt()) };
    let theta = (GAMMA.get(settings) / d.powf(power)).clamp(FINEST, 1e-2);
    let Some(point) = search.start(i, 1e-3)? else { return Ok(()) };
    let mut before = f64::from(point.distance);
    let mut point = search.approach(i, point, theta)?;
    for step in 1..=search.iterations {
        let back = (1.0 / theta).log2().ceil() as usize + 2;
        let wanted = ((first * (step as f64).sqrt()) as usize).min(MOST);
        let count = wanted.min(search.queries_left(i).saturating_sub(back));
        if count < FEWEST.min(wanted) || point.distance == 0.0 {
            break;
        }
        let radius = if step == 1 { 0.1 } else { wider * theta * before };
        let normal =
            search.normal(i, &point.image, radius, count, &|draws| direction(draws, norm, d))?;
        let jump = match norm {
            Norm::Linf => normal.iter().map(|g| if *g == 0.0 { 0.0 } else { g.signum() }).collect(),
            _ => unit(normal),
        };
        let length = f64::from(point.distance) / (step as f64).sqrt();
        let (landed, halvings) = leap(search, i, &point, length, &jump)?;
        if let Some(landed) = landed {
            before = f64::from(landed.distance);
            point = search.approach(i, landed, theta)?;
        }
        let size = length / f64::from(1 << halvings);
        let mark = (halvings > 0).then(|| format!("step halved {halvings}×"));
        search.report(&[i], &[&point], step, size, mark.as_deref())?;
    }
    Ok(())
}

/// Jumps from `point`, half as far each time, until the goal is reached; says how often the jump
/// was halved.
fn leap(
    search: &mut BoundarySearch<'_>,
    i: usize,
    point: &BoundaryPoint,
    length: f64,
    jump: &[f64],
) -> Result<(Option<BoundaryPoint>, i32)> {
    for halvings in 0..HALVINGS {
        let image = moved(&point.image, length / f64::from(1 << halvings), jump.iter().copied());
        match search.query_one(i, image)? {
            Some(landed) if landed.reached => return Ok((Some(landed), halvings)),
            Some(_) => {}
            None => return Ok((None, halvings)),
        }
    }
    Ok((None, HALVINGS))
}

/// A random direction of unit L2 length: uniform on the sphere, or for L∞ from the middle of the
/// cube, as in the paper.
fn direction(draws: &mut KeyedRng, norm: Norm, d: f64) -> Vec<f32> {
    let d = d as usize;
    match norm {
        Norm::Linf => {
            let raw: Vec<f64> = (0..d).map(|_| f64::from(draws.signed())).collect();
            unit(raw).into_iter().map(|u| u as f32).collect()
        }
        _ => draws.on_l2_sphere(d, 1.0),
    }
}
