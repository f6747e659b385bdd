//! [`AttackConfig`]: an attack with its settings.

use crate::attack::goal::TargetChoice;
use crate::attack::norm::Norm;
use crate::attack::registry::find;
use crate::attack::spec::{AttackSpec, Bound};
use crate::error::{Error, Result};
use crate::parameter::Settings;

/// An attack with its settings: everything that is needed to run it again.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackConfig {
    /// The attack.
    pub attack: &'static AttackSpec,
    /// The norm that ε is measured in.
    pub norm: Norm,
    /// ε, the largest perturbation allowed, in pixel units of 0..1.
    pub epsilon: f64,
    /// The attack's parameters.
    pub settings: Settings,
    /// Whether it is targeted, and how the target class is chosen.
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
            target: TargetChoice::default(),
            seed: 0,
        }
    }

    /// The attack named by `text`, with its parameters: `pgd:steps=20`.
    ///
    /// # Errors
    /// Usage, for an unknown attack or parameter.
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

    /// The attacks it runs one after the other; itself, where it has no stages.
    pub fn stages(&self) -> Vec<Self> {
        let Some(stages) = self.attack.stages else { return vec![self.clone()] };
        let stages = stages(&self.settings, self.norm).into_iter();
        stages.map(|(attack, settings)| Self { attack, settings, ..self.clone() }).collect()
    }

    /// The ε that decides about success, for images of so many values. `None` where the attack is
    /// bounded by its own parameters, and where it minimises the norm and no ε was given.
    pub fn threshold(&self, values: usize) -> Option<f64> {
        match self.attack.bound {
            Bound::FixedEpsilon => Some(self.epsilon),
            Bound::MinimumNorm => {
                Some(self.epsilon).filter(|e| *e < self.norm.largest_distance(values))
            }
            Bound::Own => None,
        }
    }

    /// Whether it takes a single gradient step within ε.
    pub fn takes_one_step(&self) -> bool {
        self.attack.is_single_step(&self.settings)
    }

    /// The same attack without a bound, for images of so many values: ε is the largest distance that
    /// there is.
    pub fn boundless(self, values: usize) -> Self {
        Self { epsilon: self.norm.largest_distance(values), ..self }
    }

    /// Checks that the attack works in this norm and can be targeted.
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
