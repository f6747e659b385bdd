//! What an attack is given, [`Problem`], and what it returns, [`AttackOutput`].

use crate::attack::goal::Goal;
use crate::attack::gradient_stats::GradientStats;
use crate::attack::image_batch::ImageBatch;
use crate::attack::norm::Budget;
use crate::attack::note::Note;
use crate::parameter::{Given, Settings};
use crate::rng::KeyedRng;
use std::sync::Arc;

/// N images to attack, each with its goal and its own stream of random numbers.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The clean images, `[N, C, H, W]`, pixels in 0..1.
    pub images: ImageBatch,
    /// The goal of each image, `[N]`.
    pub goals: Vec<Goal>,
    /// Norm and ε.
    pub budget: Budget,
    /// The seed of all randomness.
    pub seed: u64,
    /// The number of each image in its data set, `[N]`: with the seed it keys the image's random
    /// numbers, so that its result does not depend on the batch it is in.
    pub samples: Vec<u64>,
    /// Images to train a universal perturbation on, or to start from; `None` where a universal attack
    /// is to train on the attacked images themselves.
    pub training_images: Option<Arc<TrainingImages>>,
}

/// Other images of the data set: what a universal perturbation is trained on, and where an attack
/// that sees labels only may start.
#[derive(Clone, Debug)]
pub struct TrainingImages {
    /// The images, `[M, C, H, W]`, pixels in 0..1.
    pub images: ImageBatch,
    /// Their true classes, `[M]`.
    pub labels: Vec<usize>,
}

impl Problem {
    /// Number of images N.
    pub fn len(&self) -> usize {
        self.goals.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.goals.is_empty()
    }

    /// The same problem for the images with these indices only.
    pub(super) fn select(&self, active: &[usize]) -> Self {
        Self {
            images: self.images.select(active),
            goals: active.iter().map(|i| self.goals[*i]).collect(),
            samples: active.iter().map(|i| self.samples[*i]).collect(),
            ..self.clone()
        }
    }

    /// What a parameter's rule may read: these settings, ε and the norm.
    pub(super) fn given<'a>(&self, settings: &'a Settings) -> Given<'a> {
        settings.given(f64::from(self.budget.epsilon), self.budget.norm.id())
    }

    /// The random numbers of each image in one restart, `[N]`.
    pub fn draws(&self, restart: usize) -> Vec<KeyedRng> {
        let draws = |sample: &u64| KeyedRng::new(self.seed, *sample, restart as u64);
        self.samples.iter().map(draws).collect()
    }
}

/// What an attack claims to have found. Nothing of it is believed before [`judge`](super::judge) has
/// queried the model again.
#[derive(Clone, Debug)]
pub struct AttackOutput {
    /// The adversarial images, `[N, C, H, W]`.
    pub images: ImageBatch,
    /// Queries for each image (the forward pass of a gradient counts too), `[N]`.
    pub queries: Vec<u64>,
    /// Statistics of the gradients seen of each image, `[N]`.
    pub gradient_stats: Vec<GradientStats>,
    /// Remarks of the attack's own: a fooling rate, a warning.
    pub notes: Vec<Note>,
    /// For an attack of several stages, the one that succeeded on each image, `[N]`; else empty.
    pub stages: Vec<Option<&'static str>>,
}

impl AttackOutput {
    /// Images and the queries for each, without anything else to tell.
    pub fn new(images: ImageBatch, queries: Vec<u64>) -> Self {
        let gradient_stats = vec![GradientStats::default(); queries.len()];
        Self { images, queries, gradient_stats, notes: Vec::new(), stages: Vec::new() }
    }
}
