//! Attacks of one gradient step. FGSM: Goodfellow et al. 2015. R+FGSM: Tramèr et al. 2018. Fast: Wong
//! et al. 2020.

use crate::attack::methods::descent::{Course, Plain, Start, descend};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::Gradient;
use crate::attack::problem::{Attempt, Problem};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::error::Result;
use crate::parameter::{Param, Settings};

/// The one-step attack.
pub const FGSM: AttackSpec = AttackSpec {
    id: "fgsm",
    name: "FGSM",
    family: "gradient, fixed ε",
    norms: &[Norm::Linf, Norm::L2, Norm::L1],
    extent: Extent::Budget,
    targeted: true,
    random: false,
    crowd: false,
    params: &[],
    summary: "one step of length ε along the gradient's sign",
    about: "The fast gradient sign method computes the loss gradient with respect to the pixels once \
            and moves every pixel by ε in the direction that makes the loss grow. It is the cheapest \
            attack, and the proof that networks are too linear: a tiny step in every pixel adds up. \
            In L2 it follows the gradient itself; in L1 it moves the steepest pixels only, each as far \
            as it can go. Pixels whose gradient is exactly zero stay. A defence that stops FGSM only \
            may just have bent the loss surface: always look at PGD too.",
    paper: "Goodfellow, Shlens, Szegedy: Explaining and Harnessing Adversarial Examples, ICLR 2015",
    run: Run::Gradient(fgsm),
};

/// FGSM after a random step.
pub const R_FGSM: AttackSpec = AttackSpec {
    id: "r-fgsm",
    name: "R+FGSM",
    norms: &[Norm::Linf],
    random: true,
    params: &[Param::float(
        "random-step",
        (0.0, 1.0),
        0.0,
        "length of the random step, in pixel units",
    )
    .automatic("ε/2", Some(|given| given.epsilon / 2.0))],
    summary: "a random step, then FGSM with what is left of ε",
    about: "Adversarial training on FGSM alone teaches a network to bend its loss right where the \
            gradient is taken: it points the wrong way there, and the network looks robust. Leaving the \
            picture by half of ε along random signs first, and only then asking for the gradient, walks \
            past that trap. Compare it with FGSM: where the random step helps, gradients are masked.",
    paper: "Tramèr et al.: Ensemble Adversarial Training: Attacks and Defenses, ICLR 2018",
    run: Run::Gradient(r_fgsm),
    ..FGSM
};

/// One long step from a random start.
pub const FAST: AttackSpec = AttackSpec {
    id: "fast",
    name: "Fast FGSM",
    norms: &[Norm::Linf],
    random: true,
    params: &[Param::float("step-size", (0.0, 100.0), 0.0, "length α of the step, in pixel units")
        .automatic("1.25·ε", Some(|given| 1.25 * given.epsilon))],
    summary: "one step of 1.25·ε from a random start: the attack of fast adversarial training",
    about: "FGSM from a point drawn uniformly from the ball, with a step a little longer than ε, clipped \
            back into the ball. Training on it costs hardly more than ordinary training and gives \
            networks nearly as robust as training on PGD, as long as the step is not much longer: then \
            robustness suddenly collapses, and only attacks of many steps show it.",
    paper: "Wong, Rice, Kolter: Fast is Better than Free: Revisiting Adversarial Training, ICLR 2020",
    run: Run::Gradient(fast),
    ..FGSM
};

fn fgsm(
    oracle: &mut dyn Gradient,
    problem: &Problem,
    _: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let course = Course::new(1, problem.budget.epsilon);
    descend(oracle, problem, &course, &mut Plain, watcher)
}

fn r_fgsm(
    oracle: &mut dyn Gradient,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let epsilon = problem.budget.epsilon;
    let random = (settings.float("random-step", 0.0) as f32).min(epsilon);
    let course = Course { start: Start::Signs(random), ..Course::new(1, epsilon - random) };
    descend(oracle, problem, &course, &mut Plain, watcher)
}

fn fast(
    oracle: &mut dyn Gradient,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let step = settings.float("step-size", 0.0) as f32;
    let course = Course { start: Start::Ball, ..Course::new(1, step) };
    descend(oracle, problem, &course, &mut Plain, watcher)
}
