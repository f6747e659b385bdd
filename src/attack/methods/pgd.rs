//! Attacks of many gradient steps of length α, white box, within ε: after each step the image is projected
//! back onto the ball and clipped to 0..1. BIM (Kurakin et al. 2017) starts at the image, PGD (Madry et
//! al. 2018) at random points of the ball, with restarts; in L1 PGD is SLIDE (Tramèr & Boneh 2019).
//! EOT-PGD (Athalye et al. 2018) averages each gradient over several queries of a randomised defence.
//!
//! The loop is `gradient_ascent` in `gradient_steps.rs`; it queries the model through the
//! `AttackContext` in `context.rs`.

use crate::attack::methods::gradient_steps::{
    InitialPoint, InputGradient, L1Step, StepSchedule, gradient_ascent,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FlagParam, FloatParam, IntParam, Rule, Settings};

/// Number of gradient steps.
const STEPS: IntParam = IntParam::new("steps", (1, 10_000), 40, "number of gradient steps");

/// α; by default 2.5·ε/steps, as Madry et al. recommend.
const STEP_SIZE: Rule =
    FloatParam::new("step-size", (0.0, 100.0), 0.0, "length α of one step, in pixel units")
        .by_rule("2.5·ε/steps", |given| 2.5 * given.epsilon / STEPS.get(given.settings) as f64);

const RANDOM: FlagParam =
    FlagParam::new("random-start", true, "begin at a point drawn uniformly from the ball");

/// Number of restarts.
const RESTARTS: IntParam = IntParam::new(
    "restarts",
    (1, 100),
    1,
    "number of starts; a picture leaves as soon as one succeeds",
);

/// BIM: PGD from the clean image.
///
/// L∞, L2; gradients (white box); within ε; targeted or untargeted.
///
/// Kurakin, Goodfellow, Bengio: Adversarial Examples in the Physical World, ICLR workshop 2017.
pub const BIM: AttackSpec = AttackSpec {
    id: "bim",
    name: "BIM",
    family: "gradient, fixed ε",
    norms: &[Norm::Linf, Norm::L2],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[STEPS],
    stages: None,
    params: &[STEPS.param, STEP_SIZE.param],
    summary: "many small FGSM steps, each projected back into the ball",
    about: "The basic iterative method repeats small gradient steps and projects back into the ε-ball \
            and the pixel range after each, so that it can follow the loss surface where it bends. It \
            starts at the clean picture: the same every time.",
    paper: "Kurakin, Goodfellow, Bengio: Adversarial Examples in the Physical World, ICLR workshop 2017",
    run: Algorithm::Gradient(bim),
};

const QUANTILE: FloatParam = FloatParam::new(
    "quantile",
    (0.0, 1.0),
    0.99,
    "L1 only: a step moves the pixels whose slope is in this quantile",
);

/// PGD: projected gradient descent from random points of the ball.
///
/// L∞, L2, L1; gradients (white box); within ε; targeted or untargeted.
///
/// Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018; L1:
/// Tramèr, Boneh: Adversarial Training and Robustness for Multiple Perturbations, NeurIPS 2019.
pub const PGD: AttackSpec = AttackSpec {
    id: "pgd",
    name: "PGD",
    repetitions: &[STEPS, RESTARTS],
    run: Algorithm::Gradient(pgd),
    norms: &[Norm::Linf, Norm::L2, Norm::L1],
    random: true,
    params: &[STEPS.param, STEP_SIZE.param, RANDOM.param, RESTARTS.param, QUANTILE.param],
    summary: "BIM from random starts: the standard white-box attack",
    about: "Projected gradient descent is BIM begun at a random point of the ε-ball, repeated from new \
            points if asked to. It is the attack that adversarial training is usually trained and \
            measured with. In L1 each step moves the steepest hundredth of the pixels (SLIDE). More \
            steps and more restarts can only make it stronger: if they still change the result, it had \
            not converged.",
    paper: "Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018; L1: \
            Tramèr, Boneh: Adversarial Training and Robustness for Multiple Perturbations, NeurIPS 2019",
    ..BIM
};

const DRAWS: IntParam = IntParam::new("draws", (1, 1000), 20, "gradients averaged a step");

/// EOT-PGD: PGD on gradients averaged over the draws of a randomised network.
///
/// L∞, L2; gradients (white box); within ε; targeted or untargeted.
///
/// Athalye, Carlini, Wagner: Obfuscated Gradients Give a False Sense of Security, ICML 2018.
pub const EOT_PGD: AttackSpec = AttackSpec {
    id: "eot-pgd",
    name: "EOT-PGD",
    repetitions: &[STEPS, RESTARTS],
    run: Algorithm::Gradient(eot_pgd),
    random: true,
    params: &[STEPS.param, STEP_SIZE.param, RANDOM.param, RESTARTS.param, DRAWS.param],
    summary: "PGD on the gradient's mean over a random defence's draws",
    about: "A defence that answers at random gives a different gradient each time, and a single one says \
            little about the next answer. Expectation over transformation asks many times and follows \
            the mean, which is the gradient of what the defence does on average. On a network that is \
            not random it is PGD at many times the price.",
    paper: "Athalye, Carlini, Wagner: Obfuscated Gradients Give a False Sense of Security, ICML 2018",
    ..BIM
};

/// The steps of BIM.
fn schedule(problem: &Problem, settings: &Settings) -> StepSchedule {
    let step = STEP_SIZE.get(&problem.given(settings)) as f32;
    StepSchedule::new(STEPS.count(settings), step)
}

/// The steps of BIM, from random points of the ball unless that is switched off.
fn restarted(problem: &Problem, settings: &Settings) -> StepSchedule {
    let schedule = schedule(problem, settings);
    match RANDOM.get(settings) {
        true => StepSchedule {
            start: InitialPoint::Ball,
            restarts: RESTARTS.count(settings),
            ..schedule
        },
        // Every restart would be the same.
        false => schedule,
    }
}

fn bim(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let schedule = schedule(problem, settings);
    gradient_ascent(oracle, problem, &schedule, &mut InputGradient, observer)
}

fn pgd(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let l1_step = L1Step::Quantile(QUANTILE.get(settings));
    let schedule = StepSchedule { l1_step, ..restarted(problem, settings) };
    gradient_ascent(oracle, problem, &schedule, &mut InputGradient, observer)
}

fn eot_pgd(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let draws = DRAWS.count(settings);
    let schedule = StepSchedule { draws, ..restarted(problem, settings) };
    gradient_ascent(oracle, problem, &schedule, &mut InputGradient, observer)
}
