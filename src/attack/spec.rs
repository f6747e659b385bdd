//! [`AttackSpec`]: the row that declares an attack. Menus, flags, help, reports and the conformance
//! tests are made from these rows, which [`ATTACKS`](super::ATTACKS) lists.

use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::{DecisionOracle, GradientOracle, ScoreOracle};
use crate::attack::problem::{AttackOutput, Problem};
use crate::error::Result;
use crate::parameter::{IntParam, Param, Settings};
use serde::Serialize;
use std::fmt;

/// What an attack may know of the model: its threat model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Knowledge {
    /// The predicted label only (black box).
    Decision,
    /// The logits (black box).
    Score,
    /// Everything, gradients too (white box).
    Gradient,
}

impl fmt::Display for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decision => "black box: labels",
            Self::Score => "black box: scores",
            Self::Gradient => "white box: gradients",
        })
    }
}

/// The function that runs an attack. Its signature decides what the attack can see: one that is
/// handed a [`DecisionOracle`] cannot look at logits or gradients.
#[derive(Clone, Copy)]
pub enum Algorithm {
    /// Sees labels only.
    Decision(
        fn(&mut dyn DecisionOracle, &Problem, &Settings, &mut dyn Observer) -> Result<AttackOutput>,
    ),
    /// Sees logits.
    Score(fn(&mut dyn ScoreOracle, &Problem, &Settings, &mut dyn Observer) -> Result<AttackOutput>),
    /// Sees gradients.
    Gradient(
        fn(&mut dyn GradientOracle, &Problem, &Settings, &mut dyn Observer) -> Result<AttackOutput>,
    ),
}

/// What bounds an attack's perturbation, and so what success means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// The ε-ball: the attack maximises its objective inside, and succeeds where it reaches its goal.
    #[serde(rename = "budget")]
    FixedEpsilon,
    /// Nothing: the attack minimises the norm of the perturbation, and succeeds at ε where that is
    /// no larger. Where it finds no adversarial image it returns the original.
    #[serde(rename = "least")]
    MinimumNorm,
    /// Parameters of its own (an angle, the size of a patch): its images are in no ε-ball, and it
    /// succeeds where it reaches its goal.
    Own,
}

/// The attacks that an attack runs one after the other, each with its own settings.
pub type Stages = fn(&Settings, Norm) -> Vec<(&'static AttackSpec, Settings)>;

/// The declaration of an attack: its names, what it can do, its parameters and its function.
pub struct AttackSpec {
    /// The name on the command line and in reports: `pgd`.
    pub id: &'static str,
    /// The name on the screen: `PGD`.
    pub name: &'static str,
    /// The heading it stands under in menus.
    pub family: &'static str,
    /// The norms it works in; the first is the default.
    pub norms: &'static [Norm],
    /// What bounds its perturbation.
    pub bound: Bound,
    /// Whether it can be targeted at a chosen class.
    pub targeted: bool,
    /// Whether it draws random numbers at its defaults, so that another seed gives another result.
    pub random: bool,
    /// Whether it finds one perturbation for all images at once, so that the result for an image
    /// depends on the others.
    pub universal: bool,
    /// How many images it asks for in [`Problem::training_images`]; `None` where it uses none.
    pub training_images: Option<IntParam>,
    /// The parameters that multiply its gradient steps. With each of them at 1, or where there is
    /// none, a fixed-ε gradient attack takes a single step.
    pub repetitions: &'static [IntParam],
    /// The attacks it runs one after the other, for these settings and this norm, each with its own
    /// settings; `None` where it is a single one.
    pub stages: Option<Stages>,
    /// Its parameters.
    pub params: &'static [Param],
    /// One line: what it does.
    pub summary: &'static str,
    /// One paragraph: how it works and what to look at.
    pub about: &'static str,
    /// The paper it comes from.
    pub paper: &'static str,
    /// The function that runs it.
    pub run: Algorithm,
}

impl AttackSpec {
    /// What it may know of the model.
    pub fn knowledge(&self) -> Knowledge {
        match self.run {
            Algorithm::Decision(_) => Knowledge::Decision,
            Algorithm::Score(_) => Knowledge::Score,
            Algorithm::Gradient(_) => Knowledge::Gradient,
        }
    }

    /// Whether it takes a single gradient step within ε at these settings.
    pub fn is_single_step(&self, settings: &Settings) -> bool {
        self.bound == Bound::FixedEpsilon
            && self.knowledge() == Knowledge::Gradient
            && self.repetitions.iter().all(|param| param.get(settings) <= 1)
    }

    /// Runs it on an oracle that gives everything.
    ///
    /// # Errors
    /// Cancelled, when the observer stops it; device failures; usage, where norm or goals do not fit.
    pub fn run(
        &self,
        oracle: &mut dyn GradientOracle,
        problem: &Problem,
        settings: &Settings,
        observer: &mut dyn Observer,
    ) -> Result<AttackOutput> {
        match self.run {
            Algorithm::Decision(run) => run(oracle, problem, settings, observer),
            Algorithm::Score(run) => run(oracle, problem, settings, observer),
            Algorithm::Gradient(run) => run(oracle, problem, settings, observer),
        }
    }
}

impl fmt::Debug for AttackSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AttackSpec").field(&self.id).finish()
    }
}

impl PartialEq for AttackSpec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
