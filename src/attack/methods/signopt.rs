//! Sign-OPT (Cheng et al. 2020): descends the distance to the boundary as a function of direction,
//! with one query a random direction.
//!
//! g(θ) is the distance from the clean image to the boundary along θ. Whether g grows along a
//! probe u is told by one label: that of the point at the present distance along θ + βu. The mean of
//! ±u over K probes descends g; its step is found by doubling, or quartering where that fails.
//!
//! The authors' search along a trial direction goes outwards by 1 % a query until it meets the
//! boundary, only to reject a direction that is longer than the best one. One query, at the best
//! distance, tells that: here no direction that is longer is searched.

use crate::attack::image_batch::ImageBatch;
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

const QUERIES: IntParam = boundary_search::QUERIES.with_default(5000);
const STEPS: IntParam =
    IntParam::new("steps", (1, 10_000), 1000, "number of descent steps, where queries last");
const SEARCHES: IntParam =
    IntParam::new("searches", (1, 10_000), 100, "random directions tried for the first one");
const DIRECTIONS: IntParam =
    IntParam::new("directions", (1, 10_000), 200, "probes K of one descent step");
const ALPHA: FloatParam =
    FloatParam::new("alpha", (1e-4, 10.0), 0.2, "first step of the direction");
const BETA: FloatParam = FloatParam::new("beta", (1e-5, 0.1), 1e-3, "length of a probe");

/// Sign-OPT: descent of the distance of the boundary over directions, by signs.
///
/// L2; labels only (black box); minimum norm; targeted or untargeted.
///
/// Cheng, Singh, Chen, Chen, Liu, Hsieh: Sign-OPT, ICLR 2020.
pub const SIGN_OPT: AttackSpec = AttackSpec {
    id: "sign-opt",
    name: "Sign-OPT",
    family: "decision-based",
    norms: &[Norm::L2],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: true,
    universal: false,
    training_images: Some(SAMPLES),
    repetitions: &[],
    stages: None,
    params: &[
        STEPS.param,
        QUERIES.param,
        SAMPLES.param,
        SEARCHES.param,
        DIRECTIONS.param,
        ALPHA.param,
        BETA.param,
    ],
    summary: "turns the direction of the shortest way to the boundary, one label a probe",
    about: "It thinks of the attack as a choice of direction: how far must one go before the answer \
            changes? A single label tells whether a slightly turned direction is shorter, and a few \
            hundred such signs tell which way to turn. On screen the perturbation keeps its character \
            and shrinks; marks show where the turn had to be shortened. Steady, but every step pays \
            for its probes, so it needs thousands of queries.",
    paper: "Cheng, Singh, Chen, Chen, Liu, Hsieh: Sign-OPT, ICLR 2020",
    run: Algorithm::Decision(sign_opt),
};

/// Trials of one line search.
const TRIALS: usize = 15;

/// A direction of unit length, and the boundary along it.
struct SearchDirection {
    direction: Vec<f64>,
    /// How far the boundary is, before clipping to the box.
    length: f64,
    point: BoundaryPoint,
}

fn sign_opt(
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
    let Some(mut way) = first(search, i, settings)? else { return Ok(()) };
    let probes = DIRECTIONS.count(settings);
    let start = ALPHA.get(settings);
    let (mut alpha, mut beta) = (start, BETA.get(settings));
    for step in 1..=search.iterations {
        // A step needs its probes, a trial and a search.
        if search.queries_left(i) < 2 || way.point.distance == 0.0 {
            break;
        }
        let descent = descent(search, i, &way, probes, beta)?;
        let turned = |alpha: f64| -> Vec<f64> {
            let terms = way.direction.iter().zip(&descent);
            unit(terms.map(|(t, g)| t + alpha * g).collect())
        };
        let tolerance = beta / 500.0;
        let mut found: Option<SearchDirection> = None;
        for _ in 0..TRIALS {
            let length = found.as_ref().map_or(way.length, |w| w.length);
            let Some(better) = shorter(search, i, turned(alpha), length, tolerance)? else { break };
            found = Some(better);
            alpha *= 2.0;
        }
        let mut quartered = 0;
        while found.is_none() && quartered < TRIALS && search.queries_left(i) > 0 {
            alpha *= 0.25;
            quartered += 1;
            found = shorter(search, i, turned(alpha), way.length, tolerance)?;
        }
        let mark = (quartered > 0).then(|| format!("step quartered {quartered}×"));
        way = found.unwrap_or(way);
        search.report(&[i], &[&way.point], step, alpha, mark.as_deref())?;
        if alpha < 1e-4 {
            (alpha, beta) = (1.0, beta * 0.1);
            // Probes any shorter are lost in the rounding of the pixels.
            if beta < 1e-5 {
                break;
            }
        }
    }
    Ok(())
}

/// The shortest of some random directions.
fn first(
    search: &mut BoundarySearch<'_>,
    i: usize,
    settings: &Settings,
) -> Result<Option<SearchDirection>> {
    let Some(point) = search.start(i, 1e-3)? else { return Ok(None) };
    let x = search.clean(i);
    let delta: Vec<f64> = point.image.iter().zip(&x).map(|(p, x)| f64::from(p - x)).collect();
    let length = delta.iter().map(|d| d * d).sum::<f64>().sqrt();
    let mut way = SearchDirection { direction: unit(delta), length, point };
    let searches = SEARCHES.count(settings);
    // The first one is the start's; half of the queries are for the descent.
    for _ in 1..searches.min(search.queries_left(i) / 2) {
        let direction = (0..x.len()).map(|_| f64::from(search.draws[i].normal())).collect();
        if let Some(better) = shorter(search, i, unit(direction), way.length, 1e-3)? {
            way = better;
        }
    }
    Ok(Some(way))
}

/// The mean of ±u over the probes: along it the distance falls.
fn descent(
    search: &mut BoundarySearch<'_>,
    i: usize,
    way: &SearchDirection,
    probes: usize,
    beta: f64,
) -> Result<Vec<f64>> {
    let x = search.clean(i);
    let probes = probes.min(search.queries_left(i) - 1);
    let mut sum = vec![0.0; x.len()];
    let mut todo = probes;
    while todo > 0 {
        let part = todo.min(search.context.batch_size());
        let mut images = ImageBatch::zeros(search.context.x.shape(), 0);
        let mut turns = Vec::with_capacity(part);
        for _ in 0..part {
            let turn = search.draws[i].on_l2_sphere(x.len(), 1.0);
            let terms = way.direction.iter().zip(&turn);
            let direction = unit(terms.map(|(t, u)| t + beta * f64::from(*u)).collect());
            images.push(&moved(&x, way.length, direction.into_iter()));
            turns.push(turn);
        }
        for (point, turn) in search.query(&vec![i; part], &images)?.iter().zip(&turns) {
            // Adversarial at the present distance: the boundary is nearer that way.
            let sign = if point.reached { 1.0 } else { -1.0 };
            sum.iter_mut().zip(turn).for_each(|(sum, u)| *sum += sign * f64::from(*u));
        }
        todo -= part;
    }
    sum.iter_mut().for_each(|sum| *sum /= probes.max(1) as f64);
    Ok(sum)
}

/// The boundary along `direction` where it is nearer than `length`: one query where it is not.
fn shorter(
    search: &mut BoundarySearch<'_>,
    i: usize,
    direction: Vec<f64>,
    length: f64,
    tolerance: f64,
) -> Result<Option<SearchDirection>> {
    let x = search.clean(i);
    let way = |r: f64| moved(&x, r, direction.iter().copied());
    let Some(mut point) = search.query_one(i, way(length))?.filter(|point| point.reached) else {
        return Ok(None);
    };
    // Most turns gain little: look for the boundary nearby first, twice as far each time.
    let (mut far, mut gap) = (length, 0.01 * length);
    let near = loop {
        let near = (far - gap).max(0.0);
        match search.query_one(i, way(near))? {
            Some(found) if found.reached => (far, gap, point) = (near, 2.0 * gap, found),
            _ => break near,
        }
        if near == 0.0 {
            break 0.0;
        }
    };
    let (length, point) = search.bisect(i, (near, far), point, tolerance, &way)?;
    Ok(Some(SearchDirection { direction, length, point }))
}
