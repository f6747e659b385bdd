//! Defences by training: another network answers.

use crate::defence::registry::{DefenceSpec, Passage};
use crate::parameter::Param;

/// Any network by name.
pub const MODEL: DefenceSpec = DefenceSpec {
    id: "model",
    aliases: &[],
    name: "model",
    family: "training",
    params: &[Param::text("name", "a model's name or folder; as `epsiloscope models` lists them")],
    passage: Passage::Exact,
    randomised: false,
    summary: "a network of your choice answers",
    about: "Lets another network answer, whatever it was trained for: the base of a hybrid, such as \
            jpeg:75+model:mnist-cnn-at.",
    paper: "",
    build: |settings, draft| draft.answer_by(settings.choice("name")),
};

/// Adversarial training.
pub const PGD_AT: DefenceSpec = DefenceSpec {
    id: "pgd-at",
    aliases: &["adv-trained"],
    name: "PGD-AT",
    family: "training",
    params: &[],
    passage: Passage::Exact,
    randomised: false,
    summary: "a network trained on pictures attacked by PGD answers",
    about: "Adversarial training shows the network attacked pictures while it learns, so that the loss \
            is flat within the ball it was trained for. It is the one defence here whose accuracy does \
            not vanish when the attacker knows it. The price: training takes several times as long, \
            clean accuracy drops, and outside the ball, or in another norm, little is promised.",
    paper: "Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
    build: |_, draft| draft.answer_by_trained(),
};
