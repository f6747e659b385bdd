//! Transfer attacks: BIM with momentum (MI-FGSM, Dong et al. 2018), and what was added to it so that
//! images crafted on one network fool others: NI and SI-NI (Lin et al. 2020), DI (Xie et al. 2019), TI
//! (Dong et al. 2019), VMI and VNI (Wang & He 2021). White box on the network they are crafted on, within
//! ε; which network that is the caller decides.

use crate::attack::methods::gradient_steps::{StepSchedule, gradient_ascent};
use crate::attack::methods::momentum::{InputView, Momentum};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Rule, Settings};

const STEPS: IntParam = IntParam::new("steps", (1, 10_000), 10, "number of gradient steps");
const STEP_SIZE: Rule =
    FloatParam::new("step-size", (0.0, 100.0), 0.0, "length α of one step, in pixel units")
        .by_rule("ε/steps", |given| given.epsilon / STEPS.get(given.settings) as f64);
const DECAY: FloatParam = FloatParam::new(
    "decay",
    (0.0, 1.0),
    1.0,
    "how much of the momentum stays from step to step, μ",
);
const NEIGHBOURS: IntParam = IntParam::new(
    "neighbours",
    (1, 1000),
    20,
    "points around the picture whose gradients are averaged",
);
const REACH: FloatParam =
    FloatParam::new("reach", (0.0, 10.0), 1.5, "how far away the neighbours are at most, in ε");

/// MI-FGSM: BIM with momentum.
///
/// L∞, L2; gradients (white box); within ε; targeted or untargeted.
///
/// Dong et al.: Boosting Adversarial Attacks with Momentum, CVPR 2018.
pub const MI: AttackSpec = AttackSpec {
    id: "mi-fgsm",
    name: "MI-FGSM",
    family: "gradient, fixed ε",
    norms: &[Norm::Linf, Norm::L2],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[STEPS],
    stages: None,
    params: &[STEPS.param, STEP_SIZE.param, DECAY.param],
    summary: "BIM with momentum: steps follow the running sum of the gradients",
    about: "Each gradient is brought to the same size and added to a momentum, and the step follows the \
            momentum's sign. That carries the picture over small bumps of the loss that belong to this \
            one network, so what it finds fools other networks more often than BIM's pictures do, \
            though it may be weaker on the network it was made on.",
    paper: "Dong et al.: Boosting Adversarial Attacks with Momentum, CVPR 2018",
    run: Algorithm::Gradient(|o, p, s, w| run(o, p, s, w, |_, _, _| ())),
};

/// NI-FGSM: momentum with Nesterov's look-ahead.
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Lin et al.: Nesterov Accelerated Gradient and Scale Invariance for Adversarial Attacks, ICLR
/// 2020.
pub const NI: AttackSpec = AttackSpec {
    id: "ni-fgsm",
    name: "NI-FGSM",
    family: "transfer",
    norms: &[Norm::Linf],
    summary: "momentum with Nesterov's look ahead: the gradient is taken where the momentum leads",
    about: "Before the gradient is taken, the picture jumps ahead along its momentum; the gradient found \
            there corrects the course before the step is made instead of after it. It reaches places \
            that transfer well in fewer steps than MI-FGSM.",
    paper: "Lin et al.: Nesterov Accelerated Gradient and Scale Invariance for Adversarial Attacks, ICLR \
            2020",
    run: Algorithm::Gradient(|o, p, s, w| run(o, p, s, w, look_ahead)),
    ..MI
};

const SCALES: IntParam =
    IntParam::new("scales", (1, 16), 5, "copies of the picture, divided by 1, 2, 4, 8, …");

/// SI-NI-FGSM: NI on the mean gradient of copies divided by 1, 2, 4, …
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Lin et al.: Nesterov Accelerated Gradient and Scale Invariance for Adversarial Attacks, ICLR
/// 2020.
pub const SI_NI: AttackSpec = AttackSpec {
    id: "si-ni-fgsm",
    name: "SI-NI-FGSM",
    params: &[STEPS.param, STEP_SIZE.param, DECAY.param, SCALES.param],
    summary: "NI-FGSM on the mean gradient over copies of the picture at several brightnesses",
    about: "Networks give nearly the same answer when all pixels are halved. Averaging the gradient over \
            copies divided by 1, 2, 4, 8 and 16 is therefore like attacking several networks at once, \
            and the picture fits none of them too closely. Five times the price of NI-FGSM.",
    run: Algorithm::Gradient(|o, p, s, w| run(o, p, s, w, scales)),
    ..NI
};

const PROBABILITY: FloatParam = FloatParam::new(
    "probability",
    (0.0, 1.0),
    0.5,
    "how often the picture is shrunk before a step",
);
const SHRINK: FloatParam =
    FloatParam::new("shrink", (0.1, 1.0), 0.9, "the least size it is shrunk to, as a share");

/// DI-FGSM: momentum on randomly shrunk and padded images.
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Xie et al.: Improving Transferability of Adversarial Examples with Input Diversity, CVPR 2019.
pub const DI: AttackSpec = AttackSpec {
    id: "di-fgsm",
    name: "DI-FGSM",
    random: true,
    params: &[STEPS.param, STEP_SIZE.param, DECAY.param, PROBABILITY.param, SHRINK.param],
    summary: "momentum on the picture shrunk and shifted by chance at every step",
    about: "At every step, with probability one half, the network sees the picture a little smaller and \
            somewhere else on black, and the gradient is led back through that. A perturbation that \
            works on all of these views depends less on details of one network: it transfers better. \
            The paper enlarges 299 pixels to 330; networks here take one size only, so the picture \
            shrinks by the same ratio instead.",
    paper: "Xie et al.: Improving Transferability of Adversarial Examples with Input Diversity, CVPR 2019",
    run: Algorithm::Gradient(|o, p, s, w| run(o, p, s, w, shrunk)),
    ..NI
};

const KERNEL: IntParam = IntParam::new(
    "kernel",
    (0, 31),
    0,
    "width of the Gaussian, odd; 0: by the picture's size (15 from 160 pixels on, 7 from 64, 5 \
             from 24, else 3)",
);

/// TI-FGSM: momentum on blurred gradients.
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Dong et al.: Evading Defenses to Transferable Adversarial Examples by Translation-Invariant
/// Attacks, CVPR 2019.
pub const TI: AttackSpec = AttackSpec {
    id: "ti-fgsm",
    name: "TI-FGSM",
    params: &[STEPS.param, STEP_SIZE.param, DECAY.param, KERNEL.param],
    summary: "momentum on a blurred gradient, as if the picture were shifted in all directions",
    about: "Averaging the gradients of many shifted copies of a picture is nearly the same as blurring \
            one gradient, and costs nothing. The perturbation comes out in smooth patches instead of \
            single pixels: look at it. It was made for victims with defences, whose attention lies \
            elsewhere than the surrogate's; on plain networks it can be weaker.",
    paper: "Dong et al.: Evading Defenses to Transferable Adversarial Examples by Translation-Invariant \
            Attacks, CVPR 2019",
    run: Algorithm::Gradient(|o, p, s, w| run(o, p, s, w, blurred)),
    ..NI
};

/// VMI-FGSM: momentum with variance tuning.
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Wang, He: Enhancing the Transferability of Adversarial Attacks through Variance Tuning, CVPR
/// 2021.
pub const VMI: AttackSpec = AttackSpec {
    id: "vmi-fgsm",
    name: "VMI-FGSM",
    random: true,
    params: &[STEPS.param, STEP_SIZE.param, DECAY.param, NEIGHBOURS.param, REACH.param],
    summary: "momentum corrected by how the gradient differs around the picture",
    about: "At each step it also looks at the gradients of twenty random neighbours. How their mean \
            differs from the gradient at the picture is added at the next step, which keeps the course \
            steady where the loss surface is rough. Among the strongest of the simple transfer attacks, \
            at twenty-one times the price of MI-FGSM.",
    paper: "Wang, He: Enhancing the Transferability of Adversarial Attacks through Variance Tuning, CVPR \
            2021",
    run: Algorithm::Gradient(|o, p, s, w| run(o, p, s, w, tuned)),
    ..NI
};

/// VNI-FGSM: NI with variance tuning.
///
/// L∞; gradients (white box); within ε; targeted or untargeted.
///
/// Wang, He: Enhancing the Transferability of Adversarial Attacks through Variance Tuning, CVPR
/// 2021.
pub const VNI: AttackSpec = AttackSpec {
    id: "vni-fgsm",
    name: "VNI-FGSM",
    summary: "VMI-FGSM with Nesterov's look ahead",
    about: "The same correction by the neighbourhood as in VMI-FGSM, on gradients taken where the momentum \
            leads as in NI-FGSM.",
    run: Algorithm::Gradient(|o, p, s, w| run(o, p, s, w, tuned_ahead)),
    ..VMI
};

/// What an attack adds to plain momentum.
type Addition = fn(&mut Momentum, &Settings, &Problem);

fn run(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
    add: Addition,
) -> Result<AttackOutput> {
    let steps = STEPS.count(settings);
    let schedule = StepSchedule::new(steps, STEP_SIZE.get(&problem.given(settings)) as f32);
    let mut momentum = Momentum::new(DECAY.get(settings));
    add(&mut momentum, settings, problem);
    gradient_ascent(oracle, problem, &schedule, &mut momentum, observer)
}

fn look_ahead(momentum: &mut Momentum, settings: &Settings, problem: &Problem) {
    momentum.ahead = (STEP_SIZE.get(&problem.given(settings)) * momentum.decay) as f32;
}

fn scales(momentum: &mut Momentum, settings: &Settings, problem: &Problem) {
    look_ahead(momentum, settings, problem);
    momentum.view = InputView::Scales(SCALES.count(settings));
}

fn shrunk(momentum: &mut Momentum, settings: &Settings, _: &Problem) {
    let (probability, least) = (PROBABILITY.get(settings), SHRINK.get(settings));
    momentum.view = InputView::ResizePad(probability, least);
}

fn blurred(momentum: &mut Momentum, settings: &Settings, problem: &Problem) {
    let [_, h, w] = problem.images.shape();
    let width = match (KERNEL.count(settings), h.min(w)) {
        (0, 160..) => 15,
        (0, 64..) => 7,
        (0, 24..) => 5,
        (0, _) => 3,
        (width, _) => width | 1,
    };
    momentum.blur = Some(width);
}

fn tuned(momentum: &mut Momentum, settings: &Settings, problem: &Problem) {
    let count = NEIGHBOURS.count(settings);
    let reach = REACH.get(settings) as f32 * problem.budget.epsilon;
    momentum.neighbours = Some((count, reach));
}

fn tuned_ahead(momentum: &mut Momentum, settings: &Settings, problem: &Problem) {
    look_ahead(momentum, settings, problem);
    tuned(momentum, settings, problem);
}
