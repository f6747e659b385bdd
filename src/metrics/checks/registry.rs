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
        rule: "the margin's gradient at the clean picture against antithetic differences along random \
               directions; red below cosine 0.5, amber below 0.9 and where it goes straight through; where \
               not asked, red where every gradient on the attack's way was zero",
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
        rule: "the gradients on the attack's whole way: red where the first is zero everywhere, or half of \
               them zero or not a number everywhere (the picture stood still), amber where any is; and \
               their values that are zero or below a millionth of the largest: red from 99 %, amber from \
               90 %; of many pictures, red where one stood still, amber where one has 90 %",
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
        rule: "how far the largest logit of the clean answer is above the second; from 104 on the others' \
               probabilities are 0 in single precision and its softmax is flat: red where the attack \
               failed, amber where it succeeded; from 16.6 on the largest probability is 1: amber where \
               the attack failed; of many pictures, where half of them are so",
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
        rule: "red where the network answered with a logit that is infinite or not a number, to the clean \
               picture or on the attack's way",
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
        rule: "mean change of the margin over 100 random directions of 8/255, as a share of the margin; \
               amber from 10 %, red from 50 %; where not asked, amber where a random defence was asked \
               once a step",
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
        rule: "red where FGSM reaches the goal and many steps do not, amber where it comes nearer",
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
        rule: "red where 100 draws of noise or Square with 300 queries reach the goal and gradients do \
               not, amber where they come nearer; where not asked, amber where every gradient was zero",
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
        rule: "red where 20 steps of BIM with no ε to keep to do not reach the goal; where not asked, \
               amber where every gradient was zero",
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
        rule: "red where the attack reaches its goal at an ε and not at a larger one; where not asked, \
               amber where a single step led away from the goal",
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
        rule: "the fall of the margin in the last tenth of the steps, as a share of the whole: red from \
               7.5 % (straight down is 10 %) where at that pace four times the steps reach the goal, \
               amber where they do not, and from 5 % where they do; where asked, red where four times the \
               steps reach it, amber where 5 % of their gain comes late",
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
        rule: "red where one of four other starts reaches the goal, amber where one leaves a margin 5 % \
               smaller; where not asked, amber where a single start went nine tenths of the way",
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
        rule: "red where an iterate reached the goal and the picture handed back does not; amber where \
               chance or a detector is the reason",
        remedy: "keep the best iterate, draw more, or aim past the detector",
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
        rule: "red where a randomised defence is attacked by one draw, amber below ten; where asked, \
               also where 1, 5 or 20 draws do better",
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
        rule: "amber where rounding the attacked picture to 8 bits undoes the attack",
        remedy: "a little more room, or a file that keeps every bit",
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
        rule: "the Wilson interval: red where robust accuracy is known to 20 points only, amber from 10 \
               and where it is wider than what the attacks take away; of one picture, amber where the \
               answers of a randomised defence are too near half",
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
        rule: "red where the clean answers are no better than guessing, amber where more is lost on \
               clean pictures than to the attacks",
        remedy: "a better network, or less of the defence",
        source: CARLINI,
        probe: None,
        naive: false,
        unattacked: false,
        one: None,
        many: Some(dataset::clean),
    },
];
