//! Networks that are drawn anew: Bayesian ones.

use crate::defence::aggregation::Aggregation;
use crate::defence::builder::PipelineBuilder;
use crate::defence::pipeline::{NetworkSource, RngStream};
use crate::defence::registry::{BackwardRule, DefenceSpec};
use crate::error::Result;
use crate::model::{Model, Network};
use crate::parameter::{Param, Settings};
use crate::rng::RngKey;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Answers averaged to one.
pub(super) const DRAWS: Param =
    Param::int("draws", (1, 20), 10, "drawn networks averaged to one answer");

/// How far weights are drawn where that was not learned.
pub(super) const SPREAD: Param = Param::float(
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
    params: &[DRAWS, SPREAD],
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
    builder.draw(settings.int("draws", 10) as usize, Aggregation::Mean);
}

/// What draws a model's networks.
pub(super) fn sampled(
    settings: &Settings,
) -> impl Fn(&Arc<Model>) -> Result<NetworkSource> + 'static {
    let spread = settings.float("spread", 0.02);
    move |model| {
        let of = model.clone();
        let make = move |rng_key| of.sample_network(rng_key, spread);
        Ok(NetworkSource::Sampled(Arc::new(Sampler::new(model.parameters(), make))))
    }
}

/// Draws networks: an attacker meets [`Sampler::MANY`] of them, and the judge as many others. Those
/// drawn last are kept.
pub struct Sampler {
    make: Box<dyn Fn(RngKey) -> Result<Network> + Send + Sync>,
    /// So many are kept.
    room: usize,
    kept: Mutex<VecDeque<(RngKey, Arc<Network>)>>,
}

/// So many weights may be kept in all.
const WEIGHTS: usize = 60_000_000;

impl Sampler {
    /// So many networks there are for the attacker, and as many others for the judge.
    pub const MANY: u64 = 20;

    /// A sampler of the networks of so many weights that `make` makes.
    pub fn new(
        weights: usize,
        make: impl Fn(RngKey) -> Result<Network> + Send + Sync + 'static,
    ) -> Self {
        let room = (WEIGHTS / weights.max(1)).clamp(1, 2 * Self::MANY as usize);
        Self { make: Box::new(make), room, kept: Mutex::default() }
    }

    /// Which of the networks a draw meets.
    pub fn number(draw: u64) -> u64 {
        draw % Self::MANY
    }

    /// A network by its number.
    ///
    /// # Errors
    /// Device failures.
    pub fn network(&self, seed: u64, stream: RngStream, number: u64) -> Result<Arc<Network>> {
        let rng_key = stream.rng_key(seed, number);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ready)) = kept.iter().find(|(of, _)| *of == rng_key) {
            return Ok(ready.clone());
        }
        let made = Arc::new((self.make)(rng_key)?);
        if kept.len() == self.room {
            kept.pop_front();
        }
        kept.push_back((rng_key, made.clone()));
        Ok(made)
    }
}
