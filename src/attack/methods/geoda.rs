//! GeoDA (Rahmati, Moosavi-Dezfooli, Frossard, Dai 2020): a boundary of low curvature is a plane, and
//! the nearest point of a plane lies along its normal.
//!
//! Each round estimates the normal at the present boundary point from smooth random directions (the
//! lowest frequencies of a cosine transform), adds it to what earlier rounds found, and goes out from
//! the *clean* image along the sum (L∞: along its signs) until the label changes. The queries of
//! the T rounds grow as μ^{−2t/3}, as the paper derives.
//!
//! The outcomes' mean is subtracted as in HopSkipJump, since the boundary point lies a little beyond
//! the boundary and would otherwise bias the estimate.

use crate::attack::methods::boundary_search::{
    self, BoundaryPoint, BoundarySearch, SAMPLES, moved, unit,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::DecisionOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::data::cosines;
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};
use crate::rng::KeyedRng;

const QUERIES: IntParam = boundary_search::QUERIES.with_default(4000);
const SUBSPACE: IntParam = IntParam::new(
    "subspace",
    (0, 512),
    0,
    "cosine frequencies a side that directions are made of; 0 for a third of the side (75 of \
             224 in the paper)",
);
const SIGMA: FloatParam =
    FloatParam::new("sigma", (1e-6, 1.0), 2e-4, "size of each frequency in a probe, pixel units");
const MU: FloatParam =
    FloatParam::new("mu", (0.1, 1.0), 0.6, "how the questions grow from round to round: μ^(−2/3)");
const TOLERANCE: FloatParam =
    FloatParam::new("tolerance", (1e-6, 0.1), 1e-4, "how near the boundary is searched, L2");

/// GeoDA: along the estimated normal of the boundary, from the image.
///
/// L2, L∞; labels only (black box); minimum norm; targeted or untargeted.
///
/// Rahmati, Moosavi-Dezfooli, Frossard, Dai: GeoDA, CVPR 2020.
pub const GEODA: AttackSpec = AttackSpec {
    id: "geoda",
    name: "GeoDA",
    family: "decision-based",
    norms: &[Norm::L2, Norm::Linf],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: true,
    universal: false,
    training_images: Some(SAMPLES),
    repetitions: &[],
    stages: None,
    params: &[QUERIES.param, SAMPLES.param, SUBSPACE.param, SIGMA.param, MU.param, TOLERANCE.param],
    summary: "goes from the picture straight along the estimated normal of the boundary",
    about: "Decision boundaries are nearly flat near pictures, so the shortest way to one is along its \
            normal. GeoDA estimates the normal from the labels of smooth probes (smooth ones, because \
            there are fewer of them to tell apart) and then leaves the original along it. On screen \
            each round replaces the perturbation by a cleaner one. It is frugal with queries; where the \
            boundary curves strongly, or the perturbation needs fine detail, HopSkipJump ends nearer.",
    paper: "Rahmati, Moosavi-Dezfooli, Frossard, Dai: GeoDA, CVPR 2020",
    run: Algorithm::Decision(geoda),
};

/// Queries for a round's search along the normal; the rest is for probes.
const SEARCH: usize = 25;
/// One round for this many queries.
const ROUND: usize = 500;
/// Doublings of the way out before it is given up.
const DOUBLINGS: usize = 12;

fn geoda(
    oracle: &mut dyn DecisionOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let queries = QUERIES.count(settings);
    let rounds = ((queries as f64 / ROUND as f64).round() as usize).max(1);
    let mut search =
        BoundarySearch::new(oracle, problem, rounds, Some(QUERIES.count(settings)), observer);
    let waves = DctSubspace::new(search.context.x.shape(), SUBSPACE.count(settings));
    for i in search.context.all() {
        one(&mut search, i, settings, &waves)?;
    }
    search.finish()
}

fn one(
    search: &mut BoundarySearch<'_>,
    i: usize,
    settings: &Settings,
    waves: &DctSubspace,
) -> Result<()> {
    let tolerance = TOLERANCE.get(settings);
    let growth = MU.get(settings).powf(-2.0 / 3.0);
    let radius = SIGMA.get(settings) * (waves.count() as f64).sqrt();
    let x = search.clean(i);
    let Some(mut point) = search.start(i, 1e-3)? else { return Ok(()) };
    let size = f64::from(Norm::L2.distance(&x, &point.image));
    point = search.approach(i, point, (tolerance / size.max(tolerance)).max(1e-6))?;
    let rounds = search.iterations;
    let probes = search.queries_left(i).saturating_sub(rounds * SEARCH) as f64;
    let shares: Vec<f64> = (0..rounds).map(|t| growth.powi(t as i32)).collect();
    let whole: f64 = shares.iter().sum();
    let mut sum = vec![0.0; x.len()];
    for (round, share) in shares.iter().enumerate() {
        let count = (probes * share / whole) as usize;
        if count == 0 || search.queries_left(i) == 0 || point.distance == 0.0 {
            break;
        }
        let normal = search.normal(i, &point.image, radius, count, &|draws| waves.draw(draws))?;
        sum.iter_mut().zip(normal).for_each(|(sum, g)| *sum += g);
        let found = outwards(search, i, &sum, f64::from(point.distance), tolerance)?;
        let mark = found.is_none().then_some("no boundary that way");
        point = found.unwrap_or(point);
        search.report(&[i], &[&point], round + 1, 0.0, mark)?;
    }
    Ok(())
}

/// Goes out from the clean image along the normal until the goal is reached, and searches the
/// boundary on that way. `guess` is where it may be.
fn outwards(
    search: &mut BoundarySearch<'_>,
    i: usize,
    normal: &[f64],
    guess: f64,
    tolerance: f64,
) -> Result<Option<BoundaryPoint>> {
    let x = search.clean(i);
    let (direction, length) = match search.norm() {
        Norm::Linf => {
            let signs = normal.iter().map(|g| if *g == 0.0 { 0.0 } else { g.signum() });
            (signs.collect(), (x.len() as f64).sqrt())
        }
        _ => (unit(normal.to_vec()), 1.0),
    };
    let way = |r: f64| moved(&x, r, direction.iter().copied());
    let (mut near, mut far) = (0.0, guess);
    for _ in 0..DOUBLINGS {
        match search.query_one(i, way(far))? {
            Some(point) if point.reached => {
                let found = search.bisect(i, (near, far), point, tolerance / length, &way)?;
                return Ok(Some(found.1));
            }
            Some(_) => (near, far) = (far, 2.0 * far),
            None => break,
        }
    }
    Ok(None)
}

/// The lowest frequencies of the cosine transform of an image's rows and columns.
struct DctSubspace {
    shape: [usize; 3],
    /// `[K, H]` and `[K, W]`: orthonormal cosines along a column and along a row.
    down: Vec<f64>,
    across: Vec<f64>,
    cells: [usize; 2],
}

impl DctSubspace {
    fn new(shape: [usize; 3], subspace: usize) -> Self {
        let [_, h, w] = shape;
        let cells = |side: usize| match subspace {
            0 => side.div_ceil(3),
            k => k.min(side),
        };
        let cells = [cells(h), cells(w)];
        Self { shape, down: cosines(cells[0], h), across: cosines(cells[1], w), cells }
    }

    /// How many numbers a direction is made of.
    fn count(&self) -> usize {
        self.shape[0] * self.cells[0] * self.cells[1]
    }

    /// A direction drawn uniformly from the unit sphere of the subspace.
    fn draw(&self, draws: &mut KeyedRng) -> Vec<f32> {
        let ([c, h, w], [kv, ku]) = (self.shape, self.cells);
        let parts = draws.on_l2_sphere(self.count(), 1.0);
        let mut pixels = Vec::with_capacity(c * h * w);
        for part in parts.chunks(kv * ku) {
            // First along the rows, then down the columns.
            let mut rows = vec![0.0; kv * w];
            for (part, row) in part.chunks(ku).zip(rows.chunks_mut(w)) {
                for (size, wave) in part.iter().zip(self.across.chunks(w)) {
                    row.iter_mut().zip(wave).for_each(|(r, c)| *r += f64::from(*size) * c);
                }
            }
            for y in 0..h {
                let mut line = vec![0.0; w];
                for (v, row) in rows.chunks(w).enumerate() {
                    let size = self.down[v * h + y];
                    line.iter_mut().zip(row).for_each(|(l, r)| *l += size * r);
                }
                pixels.extend(line.into_iter().map(|p| p as f32));
            }
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_smooth_and_of_unit_length() {
        let waves = DctSubspace::new([3, 32, 28], 0);
        assert_eq!(waves.count(), 3 * 11 * 10);
        let mut draws = KeyedRng::new(1, 2, 3);
        let all = waves.draw(&mut draws);
        assert_eq!(all.len(), 3 * 32 * 28);
        assert!((Norm::L2.distance(&all, &vec![0.0; all.len()]) - 1.0).abs() < 1e-5);
        // Nothing of the higher frequencies: the eleventh along a row is orthogonal to every row.
        let high = &cosines(11, 28)[10 * 28..];
        let part = |row: &[f32]| row.iter().zip(high).map(|(p, c)| f64::from(*p) * c).sum::<f64>();
        assert!(all.chunks(28).all(|row| part(row).abs() < 1e-6));
    }
}
