//! Carlini & Wagner's L2 attack (2017): Adam in tanh space, with the weight of the goal found by
//! binary search.
//!
//! As in the authors' code the distance in the loss is the one from the original squashed by
//! 0.999999 (so that atanh is finite for pixels of 0 and 1), Adam starts afresh for every constant,
//! and the best image of all constants and steps is kept; which is best, and what is reported, is
//! measured from the original itself. Giving up early is decided image by image, where the
//! authors look at the sum over the batch. The margin is the true one: torchattacks' masks logits
//! by multiplication, which makes every loss of all-negative logits zero.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::adam::Adam;
use crate::attack::methods::cw_penalty::{
    ABORT_EARLY, CONFIDENCE, EarlyAbort, INITIAL_C, PenaltySearch, SEARCHES, mark,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, OpenParam, Settings};

const STEPS: IntParam = IntParam::new(
    "steps",
    (1, 10_000),
    200,
    "steps of Adam for each constant; the paper takes 10000, with 9 searches",
);
const LEARNING_RATE: OpenParam = FloatParam::new(
    "learning-rate",
    (1e-4, 1.0),
    0.01,
    "Adam's learning rate in tanh space; the paper takes 0.01 and 10000 steps",
)
.by_the_method("0.05 up to 28×28 values, less for larger pictures");

/// C&W L2: Adam in tanh space on the distance plus c times the margin.
///
/// L2; gradients (white box); minimum norm; targeted or untargeted.
///
/// Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks, IEEE S&P 2017.
pub const CW: AttackSpec = AttackSpec {
    id: "cw",
    name: "Carlini & Wagner",
    family: "least perturbation",
    norms: &[Norm::L2],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[
        SEARCHES.param,
        STEPS.param,
        LEARNING_RATE.param,
        INITIAL_C.param,
        CONFIDENCE.param,
        ABORT_EARLY.param,
    ],
    summary: "Adam on distance + c·margin in tanh space, with c by binary search",
    about: "The picture is written as (tanh w + 1)/2, which can never leave the box, and Adam \
            minimises ‖δ‖² + c·max(0, margin) over w. A small c wants the picture back, a large c \
            wants the goal: c grows tenfold until the goal is reached, then a binary search looks for \
            the smallest c that still works. On screen the answer flips, the perturbation shrinks \
            until the answer is about to flip back, and the next constant starts from the original \
            again. It broke defensive distillation and many defences after it. It is slow, and black \
            or white pixels hardly move at first: tanh is flat there.",
    paper: "Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks, IEEE S&P 2017",
    run: Algorithm::Gradient(cw),
};

fn cw(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    // A first step of Adam moves every value alike, so its length grows with the image: by this
    // rule it does not, and a photograph is not thrown far beyond the boundary.
    let few = (784.0 / context.x.size() as f64).sqrt().min(1.0);
    let penalty = PenaltySearch::new(
        settings,
        STEPS.count(settings),
        LEARNING_RATE.get(settings).unwrap_or(0.05 * few),
        ABORT_EARLY.get(settings),
    );
    let best = penalty.search(&mut context, |context, constants, best| {
        descend(context, oracle, &penalty, constants, best)
    })?;
    Ok(context.finish(best.images))
}

/// All images, each with its constant; says which reached their goals on the way.
fn descend(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn GradientOracle,
    penalty: &PenaltySearch,
    constants: &[f64],
    best: &mut BestSoFar,
) -> Result<Vec<bool>> {
    let mut found = vec![false; context.x.len()];
    let start = |i: usize| CwState::new(i, context.x.row(i), penalty.patience());
    let mut states: Vec<CwState> = (0..context.x.len()).map(start).collect();
    for step in 0..penalty.steps {
        let active: Vec<usize> = states.iter().map(|state| state.picture).collect();
        if active.is_empty() {
            break;
        }
        let mut images = ImageBatch::zeros(context.x.shape(), 0);
        states.iter().for_each(|state| images.push(&state.image()));
        let gradients = context.gradients(oracle, &active, &images, &penalty.hinge)?;
        let labels = gradients.logits.labels();
        let mut loss = Vec::with_capacity(active.len());
        for (row, i) in active.iter().enumerate() {
            let (image, goal) = (images.row(row), context.problem.goals[*i]);
            if penalty.hinge.holds(gradients.logits.row(row), goal, labels[row]) {
                found[*i] = true;
                best.offer(*i, image, true, Norm::L2.distance(image, context.x.row(*i)));
            }
            loss.push(states[row].distance() - constants[*i] * f64::from(gradients.loss[row]));
        }
        let climbed: Vec<f32> = loss.iter().map(|loss| -loss as f32).collect();
        context.report(&StepReport {
            active: &active,
            iteration: step,
            iterations: penalty.steps - 1,
            loss: &climbed,
            predictions: Predictions::Logits(&gradients.logits),
            step_size: 0.0,
            images: &images,
            mark: mark(step, constants, &active).as_deref(),
        })?;
        let mut row = 0;
        states.retain_mut(|state| {
            let c = constants[state.picture];
            state.step(penalty.rate, c, gradients.gradient.row(row));
            row += 1;
            !state.patience.ends(step, loss[row - 1])
        });
    }
    Ok(found)
}

/// One image's way in tanh space.
struct CwState {
    picture: usize,
    w: Vec<f64>,
    tanh: Vec<f64>,
    origin: Vec<f64>,
    adam: Adam,
    patience: EarlyAbort,
}

impl CwState {
    fn new(picture: usize, x: &[f32], patience: EarlyAbort) -> Self {
        let origin: Vec<f64> = x.iter().map(|x| 0.999_999 * (2.0 * f64::from(*x) - 1.0)).collect();
        let w = origin.iter().map(|t| t.atanh()).collect();
        Self { picture, w, tanh: origin.clone(), adam: Adam::new(x.len()), origin, patience }
    }

    fn image(&self) -> Vec<f32> {
        self.tanh.iter().map(|t| ((t + 1.0) / 2.0) as f32).collect()
    }

    /// The squared distance from the squashed original.
    fn distance(&self) -> f64 {
        self.tanh.iter().zip(&self.origin).map(|(t, o)| (t - o).powi(2) / 4.0).sum()
    }

    /// One step down distance + c·hinge; `climb` is the gradient of the negated hinge.
    fn step(&mut self, rate: f64, c: f64, climb: &[f32]) {
        let gradients = self.tanh.iter().zip(&self.origin).zip(climb);
        let up = gradients.map(|((t, o), g)| (c * f64::from(*g) - (t - o)) * (1.0 - t * t) / 2.0);
        self.adam.climb(&mut self.w, &up.collect::<Vec<f64>>(), rate);
        self.tanh.iter_mut().zip(&self.w).for_each(|(t, w)| *t = w.tanh());
    }
}
