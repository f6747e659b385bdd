//! Defence by training: the model's adversarially trained twin answers instead.

use crate::defence::registry::{Build, DefenceSpec, Passage};

/// Adversarial training.
pub const ADVERSARIAL_TRAINING: DefenceSpec = DefenceSpec {
    id: "adv-trained",
    name: "adv. trained",
    family: "training",
    params: &[],
    passage: Passage::Exact,
    randomised: false,
    summary: "a twin of the model, trained on attacked pictures, answers instead",
    about: "Adversarial training shows the network attacked pictures while it learns, so that the loss \
            is flat within the ball it was trained for. It is the one defence here whose accuracy does \
            not vanish when the attacker knows it. The price: training takes several times as long, \
            clean accuracy drops, and outside the ball, or in another norm, little is promised.",
    paper: "Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
    build: Build::Twin,
};
