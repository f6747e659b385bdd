//! Defences inside the network: activations that draw, prune or compete.
//!
//! Each answers by the network that was trained like this where there is one; elsewhere it is put
//! into the network after the fact.

use crate::defence::aggregation::Aggregation;
use crate::defence::branch::NetworkSource;
use crate::defence::builder::PipelineBuilder;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::BackwardRule;
use crate::error::Result;
use crate::model::{ActivationSwap, Model};
use crate::parameter::{FloatParam, IntParam, Settings};
use std::sync::Arc;

/// Where it is put into a network after the fact.
const LAYERS: IntParam = IntParam::new(
    "layers",
    (1, 100),
    4,
    "in how many layers, the last ones, it is put into a network trained without it",
);

const LOW: FloatParam = FloatParam::new(
    "low",
    (-1.0, 1.0),
    -0.3,
    "least slope below zero, in a network trained without",
);

const HIGH: FloatParam =
    FloatParam::new("high", (-1.0, 1.0), 0.3, "largest slope below zero, in such a network");

const PRUNING_DRAWS: FloatParam = FloatParam::new(
    "share",
    (0.05, 10.0),
    1.0,
    "draws behind a layer, as a share of its values: the fewer, the more are pruned",
);

const KEPT: FloatParam = FloatParam::new(
    "share",
    (0.01, 1.0),
    0.3,
    "how many values of a layer stay, in a network trained without",
);

const DRAWS: IntParam = IntParam::new("draws", (1, 100), 10, "answers averaged to one");

const DROPPED: FloatParam =
    FloatParam::new("p", (0.01, 0.9), 0.3, "share dropped, in a network trained without dropout");

/// Random slopes.
pub const RANDOM_SLOPE: DefenceSpec = DefenceSpec {
    id: "random-slope",
    aliases: &["rrelu"],
    name: "random slopes",
    family: "architecture",
    params: &[LOW.param, HIGH.param, LAYERS.param],
    backward: BackwardRule::Exact,
    randomised: true,
    summary: "every ReLU lets negative values through by a slope drawn anew for each answer",
    about: "Each value of each layer draws a slope for its negative side, so no two answers go the same way, \
            and a gradient taken through one draw is a little wrong for the next. That slows attacks of \
            few steps and black-box ones, whose queries get noisy. The boundary has not moved: the mean \
            gradient over some draws (EOT) points across it, and what crosses it well crosses it under \
            nearly every draw. So break all defences that are only random (Athalye et al. 2018). Where a \
            network was trained with such slopes it answers; elsewhere they are put into the last layers \
            of one that was not, as often negative as positive, so that in the mean the ReLU is what it \
            was. The price: the share of answers that differ from one time to the next.",
    paper: "Xu et al.: Empirical Evaluation of Rectified Activations, 2015; against randomness: Athalye, \
            Carlini, Wagner: Obfuscated Gradients Give a False Sense of Security, ICML 2018",
    build: |settings, builder| {
        let low = LOW.get(settings);
        let high = HIGH.get(settings);
        if low > high {
            return Err(builder.not_applicable(format!("low = {low} is above high = {high}")));
        }
        put(builder, ActivationSwap::RandomSlope { low, high }, settings)
    },
};

/// Stochastic activation pruning.
pub const SAP: DefenceSpec = DefenceSpec {
    id: "sap",
    name: "activation pruning",
    aliases: &["stochastic-activation-pruning"],
    params: &[PRUNING_DRAWS.param, LAYERS.param],
    summary: "behind every ReLU small values are pruned at random, a new choice for each answer",
    about: "As many values as the layer has, times the share, are drawn with replacement, each in \
            proportion to its size; those never drawn become zero, and the others are scaled up to make \
            good for it. It needs no training, and the paper saw a gain against few-step attacks. \
            Athalye et al. (2018) averaged the gradient over draws and brought it to 0 % on CIFAR-10 at \
            8/255 (their code for it was corrected in 2020; the conclusion stands). The price: a little \
            clean accuracy, and answers that differ from one time to the next.",
    paper: "Dhillon et al.: Stochastic Activation Pruning for Robust Adversarial Defense, ICLR 2018; broken \
            by Athalye, Carlini, Wagner, ICML 2018",
    build: |settings, builder| {
        put(builder, ActivationSwap::Sap { share: PRUNING_DRAWS.get(settings) }, settings)
    },
    ..RANDOM_SLOPE
};

/// k winners take all.
pub const KWTA: DefenceSpec = DefenceSpec {
    id: "kwta",
    name: "k-WTA",
    aliases: &["k-winners-take-all"],
    params: &[KEPT.param, LAYERS.param],
    randomised: false,
    summary: "every layer keeps its largest values only: who wins changes with the smallest step",
    about: "Instead of all positive values each layer keeps the k largest. Which they are changes from \
            point to point, so the logits jump, and the gradient at one point says nothing about the \
            next: a masked gradient by design. The authors reported about 50 % on CIFAR-10 at 8/255 on \
            top of adversarial training; AutoAttack leaves 18.5 % of a reported 52.4 %, and Tramèr et \
            al. (2020) brought it to 0.16 % by averaging the slope over a neighbourhood. Its gradient is \
            exact here and of little use: compare Square, or any attack that asks for scores, with PGD. \
            A network that was trained like this answers where there is one; put into another, it costs \
            clean accuracy as soon as the share is small.",
    paper: "Xiao, Zhong, Zheng: Enhancing Adversarial Defense by k-Winners-Take-All, ICLR 2020; broken by \
            Tramèr, Carlini, Brendel, Mądry: On Adaptive Attacks, NeurIPS 2020",
    build: |settings, builder| {
        put(builder, ActivationSwap::Kwta { share: KEPT.get(settings) }, settings)
    },
    ..RANDOM_SLOPE
};

/// Monte Carlo dropout.
pub const MC_DROPOUT: DefenceSpec = DefenceSpec {
    id: "mc-dropout",
    name: "MC dropout",
    aliases: &["dropout"],
    params: &[DRAWS.param, DROPPED.param],
    summary: "dropout stays on while the network answers; the mean of several answers counts",
    about: "A network with dropout left on is a cheap Bayesian one: each draw of what is dropped is a \
            sample from an approximate posterior, their mean is the answer, and their spread says how \
            sure it is. As a defence it is one draw among others: the gradient of the mean (EOT) leads \
            past it. As a detector (see variance) it fared better, until the attack looked at the spread \
            as well. A network that was trained with dropout answers where there is one; elsewhere some \
            is put before its last layer. The price: as many passes as draws.",
    paper: "Gal, Ghahramani: Dropout as a Bayesian Approximation, ICML 2016; Feinman et al.: Detecting \
            Adversarial Samples from Artifacts, 2017; broken by Carlini, Wagner: Adversarial Examples Are \
            Not Easily Detected, AISec 2017",
    build: |settings, builder| {
        builder.draw(DRAWS.count(settings), Aggregation::Mean);
        put(builder, ActivationSwap::Dropout { p: DROPPED.get(settings) }, settings)
    },
    ..RANDOM_SLOPE
};

/// Puts a rule into the networks that were not trained with it.
fn put(builder: &mut PipelineBuilder<'_>, rule: ActivationSwap, settings: &Settings) -> Result<()> {
    let (id, last) = (builder.id(), LAYERS.count(settings));
    builder.prefer(id);
    builder.inside(move |model: &Arc<Model>| {
        let trained = model.card.defence.as_deref() == Some(id);
        // What is trained has its own activations; dropout is off unless it is told to stay.
        let network = match (trained, rule) {
            (true, ActivationSwap::RandomSlope { .. } | ActivationSwap::Kwta { .. }) => {
                model.network.clone()
            }
            _ => model.network.with_last_activations(rule, last)?,
        };
        Ok(NetworkSource::Fixed(Arc::new(network)))
    })
}
