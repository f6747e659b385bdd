//! What an attack is given and what it hands back.

use crate::attack::descent::{STEP_SIZE, step_size};
use crate::attack::draws::Draws;
use crate::attack::goal::{Aim, Goal};
use crate::attack::norm::{Budget, Norm};
use crate::attack::registry::AttackSpec;
use crate::error::{Error, Result};
use crate::parameter::{Settings, Value};
use burn::tensor::{Bool, Tensor, TensorData};

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

    /// The random numbers of every picture for one restart.
    pub fn draws(&self, restart: usize) -> Vec<Draws> {
        let draws = |sample: &u64| Draws::new(self.seed, *sample, restart as u64);
        self.samples.iter().map(draws).collect()
    }
}

/// What an attack claims to have found, `[N, C, H, W]`. It is never believed: see
/// [`crate::attack::judge`].
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The pictures.
    pub images: Tensor<4>,
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
pub struct Plan {
    /// Which attack.
    pub attack: &'static AttackSpec,
    /// In which norm.
    pub norm: Norm,
    /// The size allowed, in pixel units.
    pub epsilon: f64,
    /// The attack's parameters.
    pub settings: Settings,
    /// What is aimed at.
    pub aim: Aim,
    /// The seed of all randomness.
    pub seed: u64,
}

impl Plan {
    /// The attack at its defaults.
    pub fn new(attack: &'static AttackSpec, epsilon: f64) -> Self {
        Self {
            attack,
            norm: attack.norms[0],
            epsilon,
            settings: Settings::defaults(attack.params),
            aim: Default::default(),
            seed: 0,
        }
    }

    /// The parameters with every `auto` written out as the number it stands for.
    pub fn resolved(&self) -> Settings {
        let mut settings = self.settings.clone();
        let automatic = settings.iter().find(|(id, _)| *id == STEP_SIZE.id);
        if let Some((id, Value::Auto)) = automatic {
            let steps = settings.int("steps", 1).max(1) as usize;
            settings.set(id, Value::Float(step_size(self.epsilon, steps)));
        }
        settings
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
        match self.aim == Aim::Untargeted || self.attack.targeted {
            true => Ok(()),
            false => Err(Error::usage(
                format!("'{}' cannot aim at a class", self.attack.id),
                "--target",
                "leave it out, or choose another attack",
            )),
        }
    }
}
