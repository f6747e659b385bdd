//! The registry of evaluation checks: the one place where each is declared.

use crate::metrics::checks::{Check, Probe, comparison, convergence, dataset, gradients, logits};

const CARLINI: &str = "Carlini et al.: On Evaluating Adversarial Robustness, 2019";
const PINTOR: &str = "Pintor et al.: Indicators of Attack Failure, NeurIPS 2022";
const ATHALYE: &str = "Athalye, Carlini, Wagner: Obfuscated Gradients Give a False Sense of Security, \
                       ICML 2018";

/// Every check, in the order of the screen.
pub static CHECKS: &[Check] = &[
    Check {
        id: "stance",
        name: "stance",
        watches: "naive stance on a defended pipeline",
        rule: "red where the attack does not know the defence, or takes no way round a stage that lets \
               no gradient through; green where it reached its goal all the same",
        remedy: "attack through the defence (adaptive)",
        source: CARLINI,
        probe: None,
        naive: true,
        unattacked: false,
        one: Some(comparison::stance),
        many: Some(dataset::stance),
    },
    Check {
        id: "gradient-path",
        name: "graph",
        watches: "gradient path broken",
        rule: "the margin's gradient at the clean image against antithetic finite differences \
               along random directions: red below cosine 0.5, amber below 0.9 and where the \
               gradient passes a stage straight through (BPDA); where the probe was not run, red \
               where every gradient of the attack was zero",
        remedy: "attack adaptively, or without gradients",
        source: PINTOR,
        probe: Some(Probe::Path),
        naive: false,
        unattacked: false,
        one: Some(gradients::path),
        many: None,
    },
    Check {
        id: "vanishing-gradient",
        name: "gradient",
        watches: "vanishing gradient",
        rule: "the gradients of the whole attack: red where the first is zero everywhere, or \
               half of them are zero or not a number everywhere (the image could not move), \
               amber where any is; and the share of their values that are zero or below a \
               millionth of the largest: red from 99 %, amber from 90 %; over many images, red \
               where one could not move, amber where one has 90 %",
        remedy: "attack the logits, or adaptively",
        source: ATHALYE,
        probe: None,
        naive: false,
        unattacked: false,
        one: Some(gradients::vanishing),
        many: Some(dataset::vanishing),
    },
    Check {
        id: "overconfidence",
        name: "softmax",
        watches: "saturated softmax",
        rule: "how far the largest logit of the clean image is above the second: from 104 on the \
               other probabilities are 0 in single precision and the softmax has no gradient, \
               red where the attack failed, amber where it succeeded; from 16.6 on the largest \
               probability is 1, amber where the attack failed; over many images, where half of \
               them are so",
        remedy: "a loss on the logits (DLR, margin)",
        source: "Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks, S&P 2017",
        probe: None,
        naive: false,
        unattacked: false,
        one: Some(logits::overconfidence),
        many: Some(logits::overconfident),
    },
    Check {
        id: "non-finite-logits",
        name: "numbers",
        watches: "non-finite logits",
        rule: "red where the network returned a logit that is infinite or not a number, for the \
               clean image or during the attack",
        remedy: "a network without overflow: check its weights and its normalisation",
        source: CARLINI,
        probe: None,
        naive: true,
        unattacked: true,
        one: Some(logits::non_finite),
        many: Some(logits::none_finite),
    },
    Check {
        id: "noisy-loss",
        name: "noise",
        watches: "noisy loss",
        rule: "mean change of the margin over 100 random directions of 8/255, as a share of the \
               margin: amber from 10 %, red from 50 %; where the probe was not run, amber where \
               a randomised defence was queried once a step",
        remedy: "average over draws, or attack without gradients",
        source: PINTOR,
        probe: Some(Probe::Noise),
        naive: false,
        unattacked: false,
        one: Some(gradients::noisy),
        many: None,
    },
    Check {
        id: "single-step",
        name: "one step",
        watches: "single step beats iterated",
        rule: "red where FGSM succeeds and the iterated attack fails, amber where FGSM comes \
               nearer",
        remedy: "more and smaller steps",
        source: CARLINI,
        probe: Some(Probe::SingleStep),
        naive: false,
        unattacked: false,
        one: Some(comparison::single_step),
        many: Some(dataset::single_step),
    },
    Check {
        id: "black-box",
        name: "black box",
        watches: "black box beats white box",
        rule: "red where 100 draws of noise or Square with 300 queries succeed and the gradient \
               attack fails, amber where they come nearer; where the probe was not run, amber \
               where every gradient was zero",
        remedy: "AutoAttack",
        source: ATHALYE,
        probe: Some(Probe::BlackBox),
        naive: false,
        unattacked: false,
        one: Some(comparison::black_box),
        many: Some(dataset::black_box),
    },
    Check {
        id: "unbounded",
        name: "unbounded",
        watches: "unbounded attack fails",
        rule: "red where 20 steps of BIM with ε as large as the whole box fail; where the probe \
               was not run, amber where every gradient was zero",
        remedy: "attack adaptively, or without gradients",
        source: CARLINI,
        probe: Some(Probe::Unbounded),
        naive: false,
        unattacked: false,
        one: Some(comparison::unbounded),
        many: None,
    },
    Check {
        id: "monotone",
        name: "monotone",
        watches: "success not monotone in ε",
        rule: "red where the attack succeeds at an ε and fails at a larger one; where the probe \
               was not run, amber where a single step led away from the goal",
        remedy: "more restarts",
        source: CARLINI,
        probe: Some(Probe::Epsilons),
        naive: false,
        unattacked: false,
        one: Some(comparison::monotone),
        many: None,
    },
    Check {
        id: "converged",
        name: "converged",
        watches: "not converged",
        rule: "the fall of the margin in the last tenth of the steps, as a share of the whole \
               fall: red from 7.5 % (a straight line has 10 %) where four times the steps would \
               reach the goal at that pace, amber where they would not, and from 5 % where they \
               would; where the probe was run, red where four times the steps succeed, amber \
               where 5 % of their gain comes late",
        remedy: "more steps",
        source: PINTOR,
        probe: Some(Probe::Longer),
        naive: false,
        unattacked: false,
        one: Some(convergence::converged),
        many: None,
    },
    Check {
        id: "step-size",
        name: "step size",
        watches: "steps too long",
        rule: "amber where the loss falls after more than 40 % of the steps",
        remedy: "shorter steps",
        source: CARLINI,
        probe: None,
        naive: false,
        unattacked: false,
        one: Some(convergence::step_size),
        many: None,
    },
    Check {
        id: "restarts",
        name: "restarts",
        watches: "restarts still help",
        rule: "red where one of four other restarts succeeds, amber where one leaves a margin 5 \
               % smaller; where the probe was not run, amber where a single restart covered nine \
               tenths of the margin",
        remedy: "more restarts",
        source: CARLINI,
        probe: Some(Probe::Restarts),
        naive: false,
        unattacked: false,
        one: Some(convergence::restarts),
        many: None,
    },
    Check {
        id: "silent-success",
        name: "silent",
        watches: "silent success",
        rule: "red where an iterate reached the goal and the returned image does not; amber \
               where chance or a detector is the reason",
        remedy: "keep the best iterate, average over more draws, or attack the detector too",
        source: PINTOR,
        probe: None,
        naive: false,
        unattacked: false,
        one: Some(convergence::silent),
        many: None,
    },
    Check {
        id: "draws",
        name: "draws",
        watches: "too few draws",
        rule: "red where a randomised defence is attacked with one draw, amber below ten; where \
               the probe was run, also where 1, 5 or 20 draws do better",
        remedy: "average over more draws (EOT)",
        source: ATHALYE,
        probe: Some(Probe::Draws),
        naive: false,
        unattacked: false,
        one: Some(comparison::draws),
        many: Some(dataset::draws),
    },
    Check {
        id: "eight-bit",
        name: "8 bit",
        watches: "8-bit survival",
        rule: "amber where rounding the adversarial image to 8 bits undoes the attack",
        remedy: "a slightly larger ε, or a file that keeps every bit",
        source: "Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks, S&P 2017",
        probe: Some(Probe::EightBit),
        naive: true,
        unattacked: false,
        one: Some(comparison::eight_bit),
        many: None,
    },
    Check {
        id: "sample-size",
        name: "n",
        watches: "n too small for the claim",
        rule: "the Wilson interval: red where robust accuracy is known to 20 points only, amber \
               from 10 and where the interval is wider than the loss of accuracy to the attacks; \
               of one image, amber where the share of correct predictions of a randomised \
               defence is too near one half",
        remedy: "more samples",
        source: "Wilson 1927; Carlini et al. 2019",
        probe: None,
        naive: true,
        unattacked: false,
        one: Some(comparison::sample_size),
        many: Some(dataset::sample_size),
    },
    Check {
        id: "attacks",
        name: "attacks",
        watches: "one attack only",
        rule: "red where all attacks take a single step, amber where there is one, or none that uses \
               gradients",
        remedy: "AutoAttack",
        source: CARLINI,
        probe: None,
        naive: false,
        unattacked: false,
        one: None,
        many: Some(dataset::attacks),
    },
    Check {
        id: "clean-accuracy",
        name: "clean",
        watches: "clean accuracy lost",
        rule: "red where clean accuracy is no better than guessing, amber where more accuracy is \
               lost on clean images than to the attacks",
        remedy: "a better network, or a weaker defence",
        source: CARLINI,
        probe: None,
        naive: false,
        unattacked: false,
        one: None,
        many: Some(dataset::clean),
    },
];
