//! The fast adaptive boundary attack, untargeted and targeted: Croce & Hein 2020.
//!
//! Steps, constants and order follow the authors' code (fra31/auto-attack, `fab_base.py`), with these
//! differences: with several restarts or targets the nearest image of all is kept, where their
//! loop keeps the first one within ε; the random restart's radius is min(best, ε)/2 as in the paper,
//! where their code starts each run with no best; and with more than `candidates` classes the
//! hyperplanes of the likeliest ones only are computed.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::fab_projection::onto_plane;
use crate::attack::methods::linearised_boundary::{CANDIDATES, Hyperplane, nearest, note, rivals};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FlagParam, FloatParam, IntParam, Settings};

const STEPS: IntParam = IntParam::new("steps", (1, 10_000), 100, "iterations of each start");
const RESTARTS: IntParam = IntParam::new(
    "restarts",
    (1, 100),
    1,
    "starts; the first at the clean picture, the others at random points half as far as the nearest \
     picture found so far, or ε/2 away",
);
const ALPHA_MAX: FloatParam = FloatParam::new(
    "alpha-max",
    (0.0, 1.0),
    0.1,
    "the largest share of the step that goes towards the clean picture's own projection",
);
const ETA: FloatParam = FloatParam::new(
    "eta",
    (1.0, 2.0),
    1.05,
    "how far a projection overshoots its hyperplane; 1: not",
);
const BETA: FloatParam = FloatParam::new(
    "beta",
    (0.0, 1.0),
    0.9,
    "after a success the walk goes back to this share of its distance",
);
const LEAVE: FlagParam = FlagParam::new(
    "leave-at-eps",
    false,
    "a picture found within ε is done after that start, as inside AutoAttack; else all are tried",
);

/// FAB: projections onto the nearest of the linearised boundaries of all classes.
///
/// L∞, L2, L1; gradients (white box); minimum norm; targeted or untargeted.
///
/// Croce, Hein: Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack, ICML
/// 2020.
pub const FAB: AttackSpec = AttackSpec {
    id: "fab",
    name: "FAB",
    family: "least perturbation",
    norms: &[Norm::Linf, Norm::L2, Norm::L1],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[
        STEPS.param,
        RESTARTS.param,
        ALPHA_MAX.param,
        ETA.param,
        BETA.param,
        CANDIDATES.param,
        LEAVE.param,
    ],
    summary: "projects onto the nearest linearised boundary, again and again, and pulls back",
    about: "FAB looks for the least perturbation without any step size. At each point it takes the \
            network for linear, which turns every class's boundary into a hyperplane, and projects \
            both the point and the clean picture onto the nearest one, inside the pixel range; the \
            next point is a mixture of the two, a little beyond. Each time the boundary is crossed \
            it goes back a tenth of the way, so the distance shrinks step by step. It needs one \
            gradient for each class looked at. It fails where gradients say nothing about where \
            the boundary is: masked or noisy ones.",
    paper: "Croce, Hein: Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary \
            Attack, ICML 2020",
    run: Algorithm::Gradient(fab),
};

const TARGETS: IntParam =
    IntParam::new("targets", (1, 999), 9, "how many of the likeliest other classes are tried");

/// FAB-T: FAB towards one class after the other.
///
/// L∞, L2, L1; gradients (white box); minimum norm; untargeted only.
///
/// Croce, Hein: Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack, ICML
/// 2020.
pub const FAB_T: AttackSpec = AttackSpec {
    id: "fab-t",
    name: "targeted FAB",
    family: "least perturbation",
    norms: FAB.norms,
    bound: Bound::MinimumNorm,
    targeted: false,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[
        STEPS.param,
        RESTARTS.param,
        ALPHA_MAX.param,
        ETA.param,
        BETA.param,
        TARGETS.param,
        LEAVE.param,
    ],
    summary: "FAB towards one class after the other; a stage of AutoAttack",
    about: "FAB with a single hyperplane: that between the true class and one target, for the likeliest \
            nine other classes in turn. A step costs one gradient instead of one for every class, so \
            that a network of a thousand classes can be attacked, and a target that is not the nearest \
            at first may turn out to be. Any wrong answer counts, and the nearest picture of all is kept.",
    paper: FAB.paper,
    run: Algorithm::Gradient(fab_t),
};

fn fab(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let candidates = CANDIDATES.count(settings);
    let notes = match problem.goals.iter().any(|goal| goal.sign() > 0.0) {
        true => note(oracle.classes(), candidates),
        false => Vec::new(),
    };
    let mut walk = FabRun::new(problem, settings, observer)?;
    let rivals = walk.rivals(oracle, candidates)?;
    walk.starts(oracle, &[rivals])?;
    Ok(AttackOutput { notes, ..walk.context.finish(walk.best.images) })
}

fn fab_t(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let targets = TARGETS.count(settings);
    let mut walk = FabRun::new(problem, settings, observer)?;
    let rivals = walk.rivals(oracle, targets + 1)?;
    let few = rivals.iter().map(Vec::len).max().unwrap_or(0);
    // A list of one rival for each image, target by target.
    let rank = |rank: usize| {
        let one = |all: &Vec<usize>| all.get(rank).or(all.last()).into_iter().copied().collect();
        rivals.iter().map(one).collect()
    };
    let passes: Vec<Vec<Vec<usize>>> = (0..few).map(rank).collect();
    walk.starts(oracle, &passes)?;
    Ok(walk.context.finish(walk.best.images))
}

struct FabRun<'a> {
    context: AttackContext<'a>,
    best: BestSoFar,
    norm: Norm,
    epsilon: f32,
    steps: usize,
    restarts: usize,
    alpha_max: f64,
    eta: f64,
    beta: f64,
    leave: bool,
}

impl<'a> FabRun<'a> {
    fn new(
        problem: &'a Problem,
        settings: &Settings,
        observer: &'a mut dyn Observer,
    ) -> Result<Self> {
        let context = AttackContext::new(problem, observer);
        Ok(Self {
            best: BestSoFar::new(context.x),
            context,
            norm: problem.budget.norm,
            epsilon: problem.budget.epsilon,
            steps: STEPS.count(settings),
            restarts: RESTARTS.count(settings),
            alpha_max: ALPHA_MAX.get(settings),
            eta: ETA.get(settings),
            beta: BETA.get(settings),
            leave: LEAVE.get(settings),
        })
    }

    /// The rival classes, ranked on the clean images, which are reported as the initial point.
    fn rivals(
        &mut self,
        oracle: &mut dyn GradientOracle,
        candidates: usize,
    ) -> Result<Vec<Vec<usize>>> {
        let all = self.context.all();
        let x = self.context.x.clone();
        let logits = self.context.logits(oracle, &all, &x)?;
        self.report(&all, 0, &x, Predictions::Logits(&logits), None)?;
        Ok(rivals(&self.context.goals(&all), &logits, candidates))
    }

    /// Every restart with each of these lists of rivals.
    fn starts(
        &mut self,
        oracle: &mut dyn GradientOracle,
        passes: &[Vec<Vec<usize>>],
    ) -> Result<()> {
        for start in 0..passes.len() * self.restarts {
            let (pass, restart) = (start / self.restarts, start % self.restarts);
            let near = |i: &usize| self.best.reached[*i] && self.best.value[*i] <= self.epsilon;
            let active = self.context.all();
            let active: Vec<usize> =
                active.into_iter().filter(|i| !self.leave || !near(i)).collect();
            if active.is_empty() {
                break;
            }
            self.context.restart = (start, passes.len() * self.restarts);
            let mut images = self.context.x.select(&active);
            if restart > 0 {
                self.scatter(&active, &mut images, start);
            }
            self.walk(oracle, &active, images, &passes[pass])?;
        }
        Ok(())
    }

    /// Moves each image to a random point at half the best distance so far, but no more than ε/2.
    fn scatter(&self, active: &[usize], images: &mut ImageBatch, start: usize) {
        let draws = self.context.problem.draws(start);
        for (row, i) in active.iter().enumerate() {
            let mut draws = draws[*i].clone();
            let radius = 0.5 * f64::from(self.best.value[*i].min(self.epsilon));
            let image = images.row_mut(row);
            let noise: Vec<f32> = match self.norm {
                Norm::Linf => image.iter().map(|_| draws.signed()).collect(),
                _ => image.iter().map(|_| draws.normal()).collect(),
            };
            let size = f64::from(self.norm.distance(&noise, &vec![0.0; noise.len()])).max(1e-12);
            for (pixel, noise) in image.iter_mut().zip(noise) {
                let moved = f64::from(*pixel) + radius * f64::from(noise) / size;
                *pixel = (moved as f32).clamp(0.0, 1.0);
            }
        }
    }

    fn walk(
        &mut self,
        oracle: &mut dyn GradientOracle,
        active: &[usize],
        mut images: ImageBatch,
        rivals: &[Vec<usize>],
    ) -> Result<()> {
        for iteration in 1..=self.steps {
            let (_, planes) =
                nearest(&mut self.context, oracle, active, &images, rivals, self.norm)?;
            for (row, (i, plane)) in active.iter().zip(&planes).enumerate() {
                self.step(self.context.x.row(*i), images.row_mut(row), plane);
            }
            let logits = self.context.logits(oracle, active, &images)?;
            let reached = self.context.reached(active, &logits.labels());
            let mut mark = None;
            for (row, i) in active.iter().enumerate().filter(|(row, _)| reached[*row]) {
                let distance = self.norm.distance(self.context.x.row(*i), images.row(row));
                let nearer = self.best.offer(*i, images.row(row), true, distance);
                if row == 0 {
                    mark = Some(if nearer { "nearest so far" } else { "crossed" });
                }
            }
            self.report(active, iteration, &images, Predictions::Logits(&logits), mark)?;
            for (row, i) in active.iter().enumerate().filter(|(row, _)| reached[*row]) {
                for (pixel, clean) in images.row_mut(row).iter_mut().zip(self.context.x.row(*i)) {
                    *pixel = clean + (*pixel - clean) * self.beta as f32;
                }
            }
        }
        Ok(())
    }

    /// One step: a mixture of the two projections, each a little beyond the plane.
    fn step(&self, x: &[f32], image: &mut [f32], plane: &Hyperplane) {
        let apart = image.iter().zip(x).zip(&plane.normal);
        // ⟨normal, x⟩ is this much smaller than at the point.
        let behind: f64 =
            apart.map(|((now, x), w)| f64::from(*w) * (f64::from(*now) - f64::from(*x))).sum();
        let here = onto_plane(self.norm, image, &plane.normal, plane.gap);
        let there = onto_plane(self.norm, x, &plane.normal, plane.gap - behind);
        let (a, b) = (size(self.norm, &here).max(1e-8), size(self.norm, &there).max(1e-8));
        let alpha = (a / (a + b)).min(self.alpha_max);
        for (i, pixel) in image.iter_mut().enumerate() {
            let own = f64::from(*pixel) + self.eta * here[i];
            let clean = f64::from(x[i]) + self.eta * there[i];
            *pixel = ((1.0 - alpha) * own + alpha * clean).clamp(0.0, 1.0) as f32;
        }
    }

    fn report(
        &mut self,
        active: &[usize],
        iteration: usize,
        images: &ImageBatch,
        predictions: Predictions<'_>,
        mark: Option<&str>,
    ) -> Result<()> {
        let pairs = active.iter().zip(images.iter());
        let far = pairs.map(|(i, image)| -self.norm.distance(self.context.x.row(*i), image));
        self.context.report(&StepReport {
            active,
            iteration,
            iterations: self.steps,
            loss: &far.collect::<Vec<f32>>(),
            predictions,
            step_size: 0.0,
            images,
            mark,
        })
    }
}

fn size(norm: Norm, delta: &[f64]) -> f64 {
    match norm {
        Norm::Linf => delta.iter().fold(0.0, |top, d| d.abs().max(top)),
        Norm::L2 => delta.iter().map(|d| d * d).sum::<f64>().sqrt(),
        Norm::L1 | Norm::L0 => delta.iter().map(|d| d.abs()).sum(),
    }
}
