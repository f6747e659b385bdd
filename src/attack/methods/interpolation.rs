//! Interpolation from an image to something else until the label changes: blurred, without contrast,
//! or blended into another image. No search at all: baselines that show how much plain change a
//! network bears.

use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::boundary_search::{self, BoundarySearch, SAMPLES, between};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::DecisionOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{IntParam, Settings};

const QUERIES: IntParam = boundary_search::QUERIES.with_default(1000);
const STEPS: IntParam = IntParam::new("steps", (1, 1000), 50, "strengths tried, from weak to full");
const SEARCHES: IntParam =
    IntParam::new("searches", (0, 30), 10, "halvings of the last step once the answer has changed");

/// The least Gaussian blur that changes the label.
///
/// L2, L∞; labels only (black box); minimum norm; targeted or untargeted.
///
/// Rauber, Brendel, Bethge: Foolbox, 2017 (Gaussian blur attack).
pub const BLUR: AttackSpec = AttackSpec {
    id: "blur",
    name: "blur",
    family: "baseline",
    norms: &[Norm::L2, Norm::Linf],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, SEARCHES.param],
    summary: "the least Gaussian blur that changes the answer",
    about: "The picture is blurred more and more (up to half its side) until the answer changes, and \
            the least blur that does it is searched. No adversary is needed for it: an unsteady hand \
            will do. The perturbation is far larger than an attack's, but of a kind that people \
            hardly mind.",
    paper: "Rauber, Brendel, Bethge: Foolbox, 2017 (Gaussian blur attack)",
    run: Algorithm::Decision(blur),
};

/// The least loss of contrast that changes the label.
///
/// L2, L∞; labels only (black box); minimum norm; targeted or untargeted.
///
/// Rauber, Brendel, Bethge: Foolbox, 2017 (linear-search contrast reduction attack).
pub const CONTRAST: AttackSpec = AttackSpec {
    id: "contrast",
    name: "contrast",
    summary: "the least loss of contrast that changes the answer",
    about: "Every pixel moves towards mid-grey by the same share until the answer changes. The order of \
            bright and dark stays as it is, and people read such pictures without effort; networks \
            without normalisation of their own often do not.",
    paper: "Rauber, Brendel, Bethge: Foolbox, 2017 (linear-search contrast reduction attack)",
    run: Algorithm::Decision(contrast),
    ..BLUR
};

/// The least blend with another image that changes the label.
///
/// L2, L∞; labels only (black box); minimum norm; targeted or untargeted.
///
/// the starting point of Brendel et al.: Decision-Based Adversarial Attacks, ICLR 2018.
pub const BLEND: AttackSpec = AttackSpec {
    id: "blend",
    name: "blend",
    random: true,
    training_images: Some(SAMPLES),
    params: &[STEPS.param, SEARCHES.param, QUERIES.param, SAMPLES.param],
    summary: "a blend into another class's picture, or into noise, as little as will do",
    about: "The picture is blended into one that is answered differently (of the wanted class, where \
            one is at hand; else noise) until the answer changes. It is where the decision-based \
            attacks start from: compare their distance with this one's to see what the walk along the \
            boundary gains.",
    paper: "the starting point of Brendel et al.: Decision-Based Adversarial Attacks, ICLR 2018",
    run: Algorithm::Decision(blend),
    ..BLUR
};

type Oracle<'a> = &'a mut dyn DecisionOracle;
type Watcher<'a> = &'a mut dyn Observer;
/// From the number and the pixels of an image and a strength to the changed pixels.
type Path<'a> = &'a dyn Fn(usize, &[f32], f64) -> Vec<f32>;

fn blur(o: Oracle<'_>, p: &Problem, s: &Settings, w: Watcher<'_>) -> Result<AttackOutput> {
    let mut search = BoundarySearch::new(o, p, STEPS.count(s), None, w);
    let shape @ [_, height, width] = search.context.x.shape();
    let most = height.max(width) as f64 / 2.0;
    let all = search.context.all();
    fade(&mut search, &all, s, &|_, x, t| blurred(x, shape, t * most))?;
    search.finish()
}

fn contrast(o: Oracle<'_>, p: &Problem, s: &Settings, w: Watcher<'_>) -> Result<AttackOutput> {
    let mut search = BoundarySearch::new(o, p, STEPS.count(s), None, w);
    let all = search.context.all();
    fade(&mut search, &all, s, &|_, x, t| between(Norm::L2, x, &vec![0.5; x.len()], t))?;
    search.finish()
}

fn blend(o: Oracle<'_>, p: &Problem, s: &Settings, w: Watcher<'_>) -> Result<AttackOutput> {
    let mut search = BoundarySearch::new(o, p, STEPS.count(s), Some(QUERIES.count(s)), w);
    let mut ends = search.context.x.clone();
    let mut active = Vec::new();
    for i in search.context.all() {
        if let Some(far) = search.find_adversarial(i, true)? {
            ends.row_mut(i).copy_from_slice(&far.image);
            active.push(i);
        }
    }
    fade(&mut search, &active, s, &|i, x, t| between(Norm::L2, x, ends.row(i), t))?;
    search.finish()
}

/// Follows `path`, which leads from image `i` (0) to its end (1), until the goal is reached, and
/// searches the place within the last step.
fn fade(
    search: &mut BoundarySearch<'_>,
    among: &[usize],
    settings: &Settings,
    path: Path<'_>,
) -> Result<()> {
    let steps = STEPS.count(settings);
    let tolerance = 0.5_f64.powi(SEARCHES.get(settings) as i32) / steps as f64;
    let mut active = among.to_vec();
    for step in 0..steps {
        active.retain(|i| search.queries_left(*i) > 0);
        if active.is_empty() {
            break;
        }
        let strength = |step: usize| step as f64 / steps as f64;
        let mut images = ImageBatch::zeros(search.context.x.shape(), 0);
        for i in &active {
            images.push(&path(*i, search.context.x.row(*i), strength(step + 1)));
        }
        let points = search.query(&active, &images)?;
        let shown: Vec<_> = points.iter().collect();
        search.report(&active, &shown, step, 0.0, None)?;
        let mut rest = Vec::new();
        for (i, point) in active.iter().zip(points) {
            if !point.reached {
                rest.push(*i);
                continue;
            }
            let x = search.clean(*i);
            let range = (strength(step), strength(step + 1));
            let found = search.bisect(*i, range, point, tolerance, &|t| path(*i, &x, t))?.1;
            search.report(&[*i], &[&found], steps, 0.0, Some("least strength found"))?;
        }
        active = rest;
    }
    Ok(())
}

/// A Gaussian blur of standard deviation `sigma` pixels, the image mirrored at its edges.
fn blurred(x: &[f32], [c, h, w]: [usize; 3], sigma: f64) -> Vec<f32> {
    if sigma <= 0.0 {
        return x.to_vec();
    }
    let reach = (4.0 * sigma).ceil() as i64;
    let weights: Vec<f64> =
        (-reach..=reach).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let whole: f64 = weights.iter().sum();
    let line = |n: usize, at: &dyn Fn(usize) -> f64, k: usize| -> f64 {
        let mirrored = |place: i64| {
            let place = place.rem_euclid(2 * n as i64) as usize;
            if place < n { place } else { 2 * n - 1 - place }
        };
        let places = (k as i64 - reach)..;
        weights.iter().zip(places).map(|(weight, p)| weight * at(mirrored(p))).sum::<f64>() / whole
    };
    let mut out = Vec::with_capacity(x.len());
    for plane in x.chunks(h * w).take(c) {
        let rows: Vec<f64> =
            (0..h * w).map(|k| line(w, &|u| f64::from(plane[k / w * w + u]), k % w)).collect();
        out.extend(
            (0..h * w).map(|k| line(h, &|v| rows[v * w + k % w], k / w).clamp(0.0, 1.0) as f32),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blur_keeps_the_mean_and_spreads_a_dot_as_a_gaussian() {
        let shape = [1, 21, 21];
        let mut dot = vec![0.0; 21 * 21];
        dot[10 * 21 + 10] = 1.0;
        let soft = blurred(&dot, shape, 1.5);
        let sum: f32 = soft.iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        // Two to the side of the centre: e^(−2²/2σ²) of it.
        let share = soft[10 * 21 + 12] / soft[10 * 21 + 10];
        assert!((share - (-4.0_f32 / 4.5).exp()).abs() < 1e-5, "{share}");
        // Mirrored edges: a grey image stays grey, however strong the blur.
        assert!(blurred(&[0.3; 441], shape, 30.0).iter().all(|p| (p - 0.3).abs() < 1e-6));
    }
}
