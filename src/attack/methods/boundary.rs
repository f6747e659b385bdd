//! The Boundary Attack (Brendel et al. 2018): a random walk along the decision boundary.
//!
//! Each step turns around the clean image by a share `sphere-step` of the distance (orthogonal to
//! the line between the two), then moves a share `source-step` of it inwards. Every tenth time the
//! turned image is queried as well: where about half of those are adversarial the boundary
//! looks flat at that step size, so both steps grow with more than a half and shrink with less than
//! a fifth; the inward step grows where more than a quarter of the moves succeed and shrinks with
//! fewer than a tenth.
//!
//! The authors' program (and foolbox) judge by the last 100 and 30 of these samples, so that the
//! first change comes after 1000 steps. Ten are enough, and on MNIST nets the distance after 3000
//! steps is more than a third shorter; `window` says how many.

use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::boundary_search::{self, BoundaryPoint, BoundarySearch, SAMPLES};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::DecisionOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};
use crate::rng::KeyedRng;
use std::collections::VecDeque;

const QUERIES: IntParam = boundary_search::QUERIES.with_default(5000);
const STEPS: IntParam =
    IntParam::new("steps", (1, 100_000), 3000, "number of steps; the paper takes 25000");
const SPHERE_STEP: FloatParam =
    FloatParam::new("sphere-step", (1e-6, 1.0), 0.01, "first step around, a share of the distance");
const SOURCE_STEP: FloatParam = FloatParam::new(
    "source-step",
    (1e-6, 1.0),
    0.01,
    "first step inwards, a share of the distance",
);
const ADAPTATION: FloatParam =
    FloatParam::new("adaptation", (1.01, 10.0), 1.5, "by what the steps grow and shrink");
const WINDOW: IntParam =
    IntParam::new("window", (1, 1000), 10, "samples that a change of the steps is judged by");

/// Boundary Attack: a random walk along the decision boundary towards the image.
///
/// L2; labels only (black box); minimum norm; targeted or untargeted.
///
/// Brendel, Rauber, Bethge: Decision-Based Adversarial Attacks, ICLR 2018.
pub const BOUNDARY: AttackSpec = AttackSpec {
    id: "boundary",
    name: "Boundary Attack",
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
        SPHERE_STEP.param,
        SOURCE_STEP.param,
        ADAPTATION.param,
        WINDOW.param,
    ],
    summary: "a random walk along the decision boundary, towards the picture",
    about: "It starts from a picture that is already misclassified, often plain noise, and walks: a \
            random step around the original, a small step towards it, kept if the answer is still \
            wrong. The label is all it ever sees. On screen the noise fades while the answer stays \
            wrong; the step sizes follow the share of accepted steps. It needs thousands of queries, \
            cannot be stopped by hidden gradients, and fails only where no start is found or where \
            answers are random.",
    paper: "Brendel, Rauber, Bethge: Decision-Based Adversarial Attacks, ICLR 2018",
    run: Algorithm::Decision(boundary),
};

/// How often the turned image is queried.
const EVERY: usize = 10;
/// An inward step this small gains nothing any more.
const CONVERGED: f64 = 1e-7;

/// The share of successes among the last samples, once there are enough.
struct SuccessRate {
    window: usize,
    seen: VecDeque<bool>,
}

impl SuccessRate {
    fn new(window: usize) -> Self {
        Self { window, seen: VecDeque::new() }
    }

    /// Takes a sample; says how the step is to change (1: grow, −1: shrink), and then forgets.
    fn judge(&mut self, success: bool, (low, high): (f64, f64)) -> i32 {
        self.seen.push_back(success);
        if self.seen.len() > self.window {
            self.seen.pop_front();
        }
        let share = self.seen.iter().filter(|s| **s).count() as f64 / self.window as f64;
        let change = match () {
            () if self.seen.len() < self.window => 0,
            () if share > high => 1,
            () if share < low => -1,
            () => 0,
        };
        if change != 0 {
            self.seen.clear();
        }
        change
    }
}

/// The state of one image.
struct BoundaryState {
    i: usize,
    x: Vec<f32>,
    point: BoundaryPoint,
    sphere: f64,
    source: f64,
    turns: SuccessRate,
    moves: SuccessRate,
}

impl BoundaryState {
    /// The image turned around the clean one, and that one moved inwards.
    fn propose(&self, draws: &mut KeyedRng) -> [Vec<f32>; 2] {
        let out: Vec<f64> =
            self.point.image.iter().zip(&self.x).map(|(p, x)| f64::from(p - x)).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let distance = dot(&out, &out).sqrt();
        let mut around: Vec<f64> = out.iter().map(|_| f64::from(draws.normal())).collect();
        let along = dot(&around, &out) / (distance * distance);
        around.iter_mut().zip(&out).for_each(|(a, o)| *a -= along * o);
        let length = dot(&around, &around).sqrt().max(1e-30);
        // Back onto the sphere, since an orthogonal step leaves it.
        let shrink = 1.0 / (1.0 + self.sphere * self.sphere).sqrt();
        let step = self.sphere * distance / length;
        let turn = out.iter().zip(&around).map(|(o, a)| shrink * (o + step * a));
        let turned = super::boundary_search::moved(&self.x, 1.0, turn);
        // Clipping may have brought it nearer already: never move back outwards for the step's sake.
        let left = f64::from(Norm::L2.distance(&self.x, &turned)).max(1e-30);
        let inwards = ((left - distance * (1.0 - self.source)) / left).max(0.0);
        let home = self.x.iter().zip(&turned).map(|(x, p)| f64::from(x - p));
        let nearer = super::boundary_search::moved(&turned, inwards, home);
        [turned, nearer]
    }

    /// Takes the outcomes of one step; returns what changed, for the mark.
    fn answer(
        &mut self,
        nearer: BoundaryPoint,
        turned: Option<BoundaryPoint>,
        adaptation: f64,
    ) -> Option<&'static str> {
        let reached = nearer.reached;
        if reached && nearer.distance < self.point.distance {
            self.point = nearer;
        }
        let turn = self.turns.judge(turned?.reached, (0.2, 0.5));
        self.sphere *= adaptation.powi(turn);
        let step = turn + self.moves.judge(reached, (0.1, 0.25));
        self.source *= adaptation.powi(step);
        match (turn, step) {
            (-1, _) => Some("steps shortened"),
            (1, _) => Some("steps lengthened"),
            (_, ..=-1) => Some("inward step shortened"),
            (_, 1..) => Some("inward step lengthened"),
            (_, 0) => None,
        }
    }
}

fn boundary(
    oracle: &mut dyn DecisionOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let steps = STEPS.count(settings);
    let adaptation = ADAPTATION.get(settings);
    let window = WINDOW.count(settings);
    let mut search =
        BoundarySearch::new(oracle, problem, steps, Some(QUERIES.count(settings)), observer);
    let mut walkers = Vec::new();
    for i in search.context.all() {
        let Some(point) = search.start(i, 1e-3)? else { continue };
        let x = search.clean(i);
        let (sphere, source) = (SPHERE_STEP.get(settings), SOURCE_STEP.get(settings));
        let (turns, moves) = (SuccessRate::new(window), SuccessRate::new(window));
        walkers.push(BoundaryState { i, x, point, sphere, source, turns, moves });
    }
    for step in 1..=steps {
        walkers.retain(|w| {
            search.queries_left(w.i) > 0 && w.source > CONVERGED && w.point.distance > 0.0
        });
        if walkers.is_empty() {
            break;
        }
        let mut images = ImageBatch::zeros(search.context.x.shape(), 0);
        let mut asked = Vec::new();
        for walker in &walkers {
            let [turned, nearer] = walker.propose(&mut search.draws[walker.i]);
            let looks = step.is_multiple_of(EVERY) && search.queries_left(walker.i) > 1;
            for image in std::iter::once(&nearer).chain(looks.then_some(&turned)) {
                asked.push(walker.i);
                images.push(image);
            }
        }
        let mut points = search.query(&asked, &images)?.into_iter();
        let mut owners = asked.iter().peekable();
        let mut mark = None;
        for walker in &mut walkers {
            let Some(nearer) = points.next() else { break };
            owners.next();
            let looked = owners.next_if_eq(&&walker.i).is_some();
            let turned = if looked { points.next() } else { None };
            mark = mark.or(walker.answer(nearer, turned, adaptation));
        }
        let active: Vec<usize> = walkers.iter().map(|w| w.i).collect();
        let points: Vec<&BoundaryPoint> = walkers.iter().map(|w| &w.point).collect();
        let size = walkers[0].source * f64::from(walkers[0].point.distance);
        search.report(&active, &points, step, size, mark)?;
    }
    search.finish()
}
