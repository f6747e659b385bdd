//! Networks that are drawn anew: Bayesian ones.

use crate::defence::aggregation::Aggregation;
use crate::defence::branch::{NetworkSource, Sampler};
use crate::defence::builder::PipelineBuilder;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::BackwardRule;
use crate::error::Result;
use crate::model::Model;
use crate::parameter::{FloatParam, IntParam, Settings};
use std::sync::Arc;

/// Answers averaged to one.
pub(super) const DRAWS: IntParam =
    IntParam::new("draws", (1, 20), 10, "drawn networks averaged to one answer");

/// How far weights are drawn where that was not learned.
pub(super) const SPREAD: FloatParam = FloatParam::new(
    "spread",
    (0.0, 0.5),
    0.02,
    "standard deviation of a weight as a share of it, in a network without a learned posterior",
);

/// A Bayesian network.
pub const BAYES: DefenceSpec = DefenceSpec {
    id: "bayes",
    aliases: &["bnn"],
    name: "Bayesian",
    family: "architecture",
    params: &[DRAWS.param, SPREAD.param],
    backward: BackwardRule::Exact,
    randomised: true,
    summary: "the weights are drawn anew; the mean answer of several networks counts",
    about: "A Bayesian network has a distribution for each weight instead of a number (learned by Bayes by \
            backprop), and answers by the mean over networks drawn from it. Random weights make \
            gradients noisy, and the mean is less sure of itself far from what it has seen; Adv-BNN \
            claimed 14 points over adversarial training at 0.035 on CIFAR-10. Averaged over draws (EOT) \
            the gradient is as good as any: Zimmermann (2019) found no strong evidence of robustness \
            then, and Feng et al. (2024) broke even networks sampled by Hamiltonian Monte Carlo. A \
            network with a learned posterior answers where there is one; elsewhere each weight of the \
            network at hand is shaken by a share of its size. The price: as many passes as draws, and \
            twice the weights to learn.",
    paper: "Blundell et al.: Weight Uncertainty in Neural Networks, ICML 2015; Liu et al.: Adv-BNN, ICLR \
            2019; against it: Zimmermann, 2019 (arXiv 1907.00895); Feng et al., 2024 (arXiv 2404.19640)",
    build: |settings, builder| {
        builder.inside(sampled(settings))?;
        draw(settings, builder);
        Ok(())
    },
};

/// Lets drawn networks answer by their mean.
pub(super) fn draw(settings: &Settings, builder: &mut PipelineBuilder<'_>) {
    builder.prefer(BAYES.id);
    builder.draw(DRAWS.count(settings), Aggregation::Mean);
}

/// What draws a model's networks.
pub(super) fn sampled(
    settings: &Settings,
) -> impl Fn(&Arc<Model>) -> Result<NetworkSource> + 'static {
    let spread = SPREAD.get(settings);
    move |model| {
        let of = model.clone();
        let make = move |rng_key| of.sample_network(rng_key, spread);
        Ok(NetworkSource::Sampled(Arc::new(Sampler::new(model.parameters(), make))))
    }
}
