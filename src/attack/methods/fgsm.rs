//! Attacks of one gradient step, white box, within ε: x + ε·sign ∇ loss. FGSM (Goodfellow et al. 2015) steps
//! from the image, R+FGSM (Tramèr et al. 2018) from a random point near it, Fast FGSM (Wong et al. 2020)
//! from a random point of the ball with a step of 1.25·ε.

use crate::attack::methods::gradient_steps::{
    InitialPoint, InputGradient, StepSchedule, gradient_ascent,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, Rule, Settings};

/// FGSM: one step of length ε along the gradient (L∞: its sign).
///
/// L∞, L2, L1; gradients (white box); within ε; targeted or untargeted.
///
/// Goodfellow, Shlens, Szegedy: Explaining and Harnessing Adversarial Examples, ICLR 2015.
pub const FGSM: AttackSpec = AttackSpec {
    id: "fgsm",
    name: "FGSM",
    family: "gradient, fixed ε",
    norms: &[Norm::Linf, Norm::L2, Norm::L1],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[],
    summary: "one step of length ε along the gradient's sign",
    about: "The fast gradient sign method computes the loss gradient with respect to the pixels once \
            and moves every pixel by ε in the direction that makes the loss grow. It is the cheapest \
            attack, and the proof that networks are too linear: a tiny step in every pixel adds up. \
            In L2 it follows the gradient itself; in L1 it moves the steepest pixels only, each as far \
            as it can go. Pixels whose gradient is exactly zero stay. A defence that stops FGSM only \
            may just have bent the loss surface: always look at PGD too.",
    paper: "Goodfellow, Shlens, Szegedy: Explaining and Harnessing Adversarial Examples, ICLR 2015",
    run: Algorithm::Gradient(fgsm),
};

const RANDOM_STEP: Rule =
    FloatParam::new("random-step", (0.0, 1.0), 0.0, "length of the random step, in pixel units")
        .by_rule("ε/2", |given| given.epsilon / 2.0);

/// R+FGSM: a random step, then FGSM with the rest of ε.
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Tramèr et al.: Ensemble Adversarial Training: Attacks and Defenses, ICLR 2018.
pub const R_FGSM: AttackSpec = AttackSpec {
    id: "r-fgsm",
    name: "R+FGSM",
    norms: &[Norm::Linf],
    random: true,
    params: &[RANDOM_STEP.param],
    summary: "a random step, then FGSM with what is left of ε",
    about: "Adversarial training on FGSM alone teaches a network to bend its loss right where the \
            gradient is taken: it points the wrong way there, and the network looks robust. Leaving the \
            picture by half of ε along random signs first, and only then asking for the gradient, walks \
            past that trap. Compare it with FGSM: where the random step helps, gradients are masked.",
    paper: "Tramèr et al.: Ensemble Adversarial Training: Attacks and Defenses, ICLR 2018",
    run: Algorithm::Gradient(r_fgsm),
    ..FGSM
};

const STEP_SIZE: Rule =
    FloatParam::new("step-size", (0.0, 100.0), 0.0, "length α of the step, in pixel units")
        .by_rule("1.25·ε", |given| 1.25 * given.epsilon);

/// Fast FGSM: one step of 1.25·ε from a random point of the ball, projected back.
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Wong, Rice, Kolter: Fast is Better than Free: Revisiting Adversarial Training, ICLR 2020.
pub const FAST: AttackSpec = AttackSpec {
    id: "fast",
    name: "Fast FGSM",
    norms: &[Norm::Linf],
    random: true,
    params: &[STEP_SIZE.param],
    summary: "one step of 1.25·ε from a random start: the attack of fast adversarial training",
    about: "FGSM from a point drawn uniformly from the ball, with a step a little longer than ε, clipped \
            back into the ball. Training on it costs hardly more than ordinary training and gives \
            networks nearly as robust as training on PGD, as long as the step is not much longer: then \
            robustness suddenly collapses, and only attacks of many steps show it.",
    paper: "Wong, Rice, Kolter: Fast is Better than Free: Revisiting Adversarial Training, ICLR 2020",
    run: Algorithm::Gradient(fast),
    ..FGSM
};

fn fgsm(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    _: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let schedule = StepSchedule::new(1, problem.budget.epsilon);
    gradient_ascent(oracle, problem, &schedule, &mut InputGradient, observer)
}

fn r_fgsm(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let epsilon = problem.budget.epsilon;
    let random = (RANDOM_STEP.get(&problem.given(settings)) as f32).min(epsilon);
    let schedule = StepSchedule {
        start: InitialPoint::Signs(random),
        ..StepSchedule::new(1, epsilon - random)
    };
    gradient_ascent(oracle, problem, &schedule, &mut InputGradient, observer)
}

fn fast(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let step = STEP_SIZE.get(&problem.given(settings)) as f32;
    let schedule = StepSchedule { start: InitialPoint::Ball, ..StepSchedule::new(1, step) };
    gradient_ascent(oracle, problem, &schedule, &mut InputGradient, observer)
}
