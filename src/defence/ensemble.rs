//! Several networks, or several looks at an image, that answer together.

use crate::defence::aggregation::Aggregation;
use crate::defence::builder::{EnsembleMember, PipelineBuilder};
use crate::defence::pixel_move::PixelMove;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, PipelineStage};
use crate::error::Result;
use crate::model::{Card, Model};
use crate::parameter::{ChoiceParam, TextParam};
use std::sync::Arc;

const MODELS: TextParam = TextParam::new(
    "models",
    "names of models separated by commas; none: the undefended ones of the data set, or, where \
             there is only one, three looks of it",
);

const RULE: ChoiceParam<Aggregation> = ChoiceParam::new(
    "rule",
    &["mean", "vote"],
    &[Aggregation::Mean, Aggregation::Vote],
    "the mean of their probabilities, or a vote",
);

/// Networks that answer together.
pub const ENSEMBLE: DefenceSpec = DefenceSpec {
    id: "ensemble",
    aliases: &[],
    name: "ensemble",
    family: "ensemble",
    params: &[RULE.param, MODELS.param],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "several networks answer together, by their mean or by vote",
    about: "Networks of different architecture or training make different mistakes on clean pictures, so \
            together they are a little more accurate. Against attacks that hardly helps: what fools one \
            tends to fool the others (transferability), and who knows of all of them climbs the loss of \
            their mean. He et al. (2017) showed that an ensemble of weak defences is not a strong one, \
            Tramèr et al. (2020) broke the ensembles trained for diversity. Where a data set has only \
            one network, three looks of it answer: the picture itself, and two that are shifted, or, \
            of colour pictures, one that is mirrored. The price: as many passes as there are members.",
    paper: "Strauss et al.: Ensemble Methods as a Defense, 2017; broken by He, Wei, Chen, Carlini, Song: \
            Ensembles of Weak Defenses Are Not Strong, WOOT 2017",
    build: |settings, builder| {
        let rule = RULE.get(settings);
        let named = MODELS
            .get(settings)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|s| !s.is_empty());
        let models = named.map(|name| builder.load(name)).collect::<Result<Vec<_>>>()?;
        let models = match models.is_empty() {
            true => ordinary(builder)?,
            false => models,
        };
        match models.len() < 2 {
            true => builder.answer_by_members(looks(builder), rule),
            false => builder.answer_by_all(models, rule),
        }
    },
};

/// Networks that were trained to differ from each other.
pub const ADP: DefenceSpec = DefenceSpec {
    id: "adp",
    aliases: &[],
    name: "ADP pair",
    family: "ensemble",
    params: &[],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "two networks trained to be wrong in different ways answer by their mean",
    about: "Adaptive diversity promoting trains the members of an ensemble together, and rewards them for \
            ranking the wrong classes differently (a determinant of their non-maximal predictions) while \
            each is right by itself. What fools one is then less likely to fool the other, as long as the \
            attack is made on one of them, or in few steps. Tramèr et al. (2020) attacked the whole with \
            more steps and a better step size, and next to nothing was left at ε = 0.03 on CIFAR-10. \
            The price: two networks to train together and to ask.",
    paper: "Pang et al.: Improving Adversarial Robustness via Promoting Ensemble Diversity, ICML 2019; \
            broken by Tramèr, Carlini, Brendel, Mądry: On Adaptive Attacks to Adversarial Example \
            Defenses, NeurIPS 2020",
    build: |_, builder| {
        let found = builder.all_trained()?;
        builder.answer_by_all(found, Aggregation::Mean)
    },
};

/// The undefended networks for the base's data, the base among them.
fn ordinary(builder: &mut PipelineBuilder<'_>) -> Result<Vec<Arc<Model>>> {
    let base = builder.base.clone();
    let ordinary = |card: &Card| card.defence.is_none();
    let mut found = builder.known(|card| ordinary(card) && card.name != base.card.name)?;
    if ordinary(&base.card) {
        found.insert(0, base);
    }
    Ok(found)
}

/// The base behind three looks at the image.
fn looks(builder: &PipelineBuilder<'_>) -> Vec<EnsembleMember> {
    let [c, h, _] = builder.base.card.input.shape;
    let by = (h / 28).max(1) as isize;
    let second = if c == 3 { PixelMove::mirror() } else { PixelMove::shift(-by, -by) };
    let stage = |transform: PixelMove| {
        let transform = Box::new(transform);
        Arc::new(PipelineStage { transform, backward: BackwardRule::Exact, randomised: false })
    };
    let member = |stages| EnsembleMember { model: builder.base.clone(), stages };
    vec![member(vec![]), member(vec![stage(second)]), member(vec![stage(PixelMove::shift(by, by))])]
}
