//! What an attack is given and what it hands back.

use crate::attack::goal::{Goal, TargetChoice};
use crate::attack::gradient_stats::GradientStats;
use crate::attack::methods::autoattack;
use crate::attack::norm::{Budget, Norm};
use crate::attack::note::Note;
use crate::attack::registry::{AttackSpec, Bound, Knowledge, find};
use crate::error::{Error, Result};
use crate::parameter::Settings;
use crate::rng::KeyedRng;
use burn_tensor::{Bool, Int, Tensor, TensorData};
use std::sync::Arc;

/// A batch of pictures to attack, each with its own goal and its own stream of random numbers.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The clean pictures, `[N, C, H, W]`, in 0..1.
    pub images: Tensor<4>,
    /// The goal of each picture, N of them.
    pub goals: Vec<Goal>,
    /// The threat model.
    pub budget: Budget,
    /// The seed of all randomness.
    pub seed: u64,
    /// A number for each picture that keys its random numbers (its index in the data set).
    pub samples: Vec<u64>,
    /// The pictures that an attack on everything at once learns from; none where it is to learn
    /// from the attacked pictures themselves.
    pub training_images: Option<Arc<TrainingImages>>,
}

/// Pictures that a universal attack learns from.
#[derive(Clone, Debug)]
pub struct TrainingImages {
    /// The pictures, `[M, C, H, W]`, in 0..1.
    pub images: Tensor<4>,
    /// Their true classes, M of them.
    pub labels: Vec<usize>,
}

impl Problem {
    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.goals.len()
    }

    /// True when there is nothing to attack.
    pub fn is_empty(&self) -> bool {
        self.goals.is_empty()
    }

    /// The same problem for the pictures numbered `active` only.
    pub(super) fn select(&self, active: &[usize]) -> Self {
        Self {
            images: self.images.clone().select(0, indices(active, &self.images)),
            goals: active.iter().map(|i| self.goals[*i]).collect(),
            samples: active.iter().map(|i| self.samples[*i]).collect(),
            ..self.clone()
        }
    }

    /// The random numbers of every picture for one restart.
    pub fn draws(&self, restart: usize) -> Vec<KeyedRng> {
        let draws = |sample: &u64| KeyedRng::new(self.seed, *sample, restart as u64);
        self.samples.iter().map(draws).collect()
    }
}

/// What an attack claims to have found. It is never believed: see [`crate::attack::judge`].
#[derive(Clone, Debug)]
pub struct AttackOutput {
    /// The pictures, `[N, C, H, W]`.
    pub images: Tensor<4>,
    /// How often the model was asked about each picture (a gradient's forward pass counts too);
    /// N of them.
    pub queries: Vec<u64>,
    /// What the attack saw of each picture's gradients; N of them.
    pub gradient_stats: Vec<GradientStats>,
    /// What else is worth telling: a fooling rate, a flag.
    pub notes: Vec<Note>,
    /// For an attack of several stages, which one broke each picture; else empty.
    pub stages: Vec<Option<&'static str>>,
}

impl AttackOutput {
    /// Pictures and how often each was asked about.
    pub fn new(images: Tensor<4>, queries: Vec<u64>) -> Self {
        let gradient_stats = vec![GradientStats::default(); queries.len()];
        Self { images, queries, gradient_stats, notes: Vec::new(), stages: Vec::new() }
    }
}

/// Numbers of pictures, where the pictures are.
pub(super) fn indices(active: &[usize], like: &Tensor<4>) -> Tensor<1, Int> {
    let numbers: Vec<i32> = active.iter().map(|i| *i as i32).collect();
    Tensor::from_data(TensorData::new(numbers, [active.len()]), &like.device())
}

/// For each picture of `[N, C, H, W]`: `other`'s where `mask` is true, else that of `images`.
pub(super) fn choose(images: Tensor<4>, other: Tensor<4>, mask: &[bool]) -> Tensor<4> {
    if mask.iter().all(|m| !m) {
        return images;
    }
    if mask.iter().all(|m| *m) {
        return other;
    }
    let dims = images.dims();
    let mask: Tensor<1, Bool> = Tensor::from_data(TensorData::from(mask), &images.device());
    let mask = mask.reshape([dims[0], 1, 1, 1]).expand(dims);
    images.mask_where(mask, other)
}

/// An attack with its settings: everything that is needed to run it again.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackConfig {
    /// Which attack.
    pub attack: &'static AttackSpec,
    /// In which norm.
    pub norm: Norm,
    /// The size allowed, in pixel units.
    pub epsilon: f64,
    /// The attack's parameters.
    pub settings: Settings,
    /// What is aimed at.
    pub target: TargetChoice,
    /// The seed of all randomness.
    pub seed: u64,
}

impl AttackConfig {
    /// The attack at its defaults.
    pub fn new(attack: &'static AttackSpec, epsilon: f64) -> Self {
        Self {
            attack,
            norm: attack.norms[0],
            epsilon,
            settings: Settings::defaults(attack.params),
            target: Default::default(),
            seed: 0,
        }
    }

    /// The attack that `text` names, with its parameters: `pgd:steps=20`.
    ///
    /// # Errors
    /// Usage, for an attack or a parameter that there is not.
    pub fn parse(text: &str, epsilon: f64) -> Result<Self> {
        let mut words = text.split(':');
        let mut plan = Self::new(find(words.next().unwrap_or_default())?, epsilon);
        for word in words {
            plan.settings.assign(plan.attack.params, plan.attack.id, word)?;
        }
        Ok(plan)
    }

    /// The parameters with every `auto` written out as the number it stands for.
    pub fn resolved(&self) -> Settings {
        self.settings.resolved(self.attack.params, self.epsilon, self.norm.id())
    }

    /// The attacks that it is made of, in their order: itself, where it has no stages.
    pub fn stages(&self) -> Vec<Self> {
        match self.attack.id {
            "autoattack" => autoattack::stages(self),
            _ => vec![self.clone()],
        }
    }

    /// The ε that decides about success, for pictures of this many values. None where the attack is
    /// bounded by its own parameters, and where it searches for the least perturbation and no
    /// distance is too far.
    pub fn threshold(&self, values: usize) -> Option<f64> {
        match self.attack.bound {
            Bound::FixedEpsilon => Some(self.epsilon),
            Bound::MinimumNorm => {
                Some(self.epsilon).filter(|e| *e < self.norm.largest_distance(values))
            }
            Bound::Own => None,
        }
    }

    /// Whether it looks at one gradient within ε, and no more.
    pub fn takes_one_step(&self) -> bool {
        let many = ["steps", "restarts", "repeats", "queries", "iterations"];
        let settings = self.resolved();
        let budgeted = self.attack.bound == Bound::FixedEpsilon;
        let gradient = self.attack.knowledge() == Knowledge::Gradient;
        budgeted && gradient && many.iter().all(|id| settings.int(id, 1) <= 1)
    }

    /// The same plan with no ε to keep to, for pictures of this many values.
    pub fn boundless(self, values: usize) -> Self {
        Self { epsilon: self.norm.largest_distance(values), ..self }
    }

    /// Checks that norm and aim are among what the attack can do.
    ///
    /// # Errors
    /// Usage, saying what it can do.
    pub fn check(&self) -> Result<()> {
        if !self.attack.norms.contains(&self.norm) {
            let can: Vec<_> = self.attack.norms.iter().map(|n| n.id()).collect();
            return Err(Error::usage(
                format!("'{}' does not work in {}", self.attack.id, self.norm),
                "--norm",
                format!("give {}", can.join(" or ")),
            ));
        }
        match self.target == TargetChoice::Untargeted || self.attack.targeted {
            true => Ok(()),
            false => Err(Error::usage(
                format!("'{}' cannot aim at a class", self.attack.id),
                "--target",
                "leave it out, or choose another attack",
            )),
        }
    }
}
