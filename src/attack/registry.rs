//! The one place where every attack is declared. Menus, flags, help, reports and the conformance
//! tests are made from these rows.

use crate::attack::methods::{
    apgd, autoattack, bandits, baselines, boundary, colour, cw, ddn, deepfool, ead, estimate, fab,
    fading, fmn, geoda, hopskipjump, jsma, newtonfool, onepixel, patch, pgd, sigma_zero, signopt,
    simba, single, sparsefool, spatial, spatial_gradient, square, stadv, transfer, uap,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::{Decision, Gradient, Score};
use crate::attack::problem::{Attempt, Problem};
use crate::error::{Error, Result};
use crate::parameter::{Param, Settings};
use serde::Serialize;
use std::fmt;

/// What an attack may know of its victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Knowledge {
    /// The answer's label only.
    Decision,
    /// The logits.
    Score,
    /// Everything: gradients too (white box).
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

/// How a family of attacks runs. The signature decides what it can see: an attack that is handed a
/// [`Decision`] oracle *cannot* look at logits or gradients.
#[derive(Clone, Copy)]
pub enum Run {
    /// Sees labels only.
    Decision(fn(&mut dyn Decision, &Problem, &Settings, &mut dyn Observer) -> Result<Attempt>),
    /// Sees logits.
    Score(fn(&mut dyn Score, &Problem, &Settings, &mut dyn Observer) -> Result<Attempt>),
    /// Sees gradients.
    Gradient(fn(&mut dyn Gradient, &Problem, &Settings, &mut dyn Observer) -> Result<Attempt>),
}

/// What bounds an attack's perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// The ε-ball: the attack uses it up, and succeeds where it reaches its goal inside.
    Budget,
    /// Nothing: the attack looks for the least perturbation that reaches its goal, and succeeds at
    /// ε where that is no larger. Where it finds none it returns the original.
    Least,
    /// Its own parameters (an angle, a patch's size): its pictures are not in any ε-ball, and it
    /// succeeds where it reaches its goal.
    Own,
}

/// An attack's row.
pub struct AttackSpec {
    /// The name used on the command line and in reports.
    pub id: &'static str,
    /// The name used on the screen.
    pub name: &'static str,
    /// The heading it stands under in menus.
    pub family: &'static str,
    /// The norms it works in; the first is the default.
    pub norms: &'static [Norm],
    /// What bounds its perturbation.
    pub extent: Extent,
    /// Whether it can aim at a chosen class.
    pub targeted: bool,
    /// Whether it draws random numbers at its defaults, so that another seed gives another result.
    pub random: bool,
    /// Whether it learns from many pictures at once ([`Problem::crowd`]), so that one picture's
    /// result depends on the others.
    pub crowd: bool,
    /// Its parameters.
    pub params: &'static [Param],
    /// One line: what it does.
    pub summary: &'static str,
    /// One paragraph: how it works and what to notice.
    pub about: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// The algorithm.
    pub run: Run,
}

impl AttackSpec {
    /// What it may know of its victim.
    pub fn knowledge(&self) -> Knowledge {
        match self.run {
            Run::Decision(_) => Knowledge::Decision,
            Run::Score(_) => Knowledge::Score,
            Run::Gradient(_) => Knowledge::Gradient,
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

/// Every attack, in the order of menus.
pub static ATTACKS: &[AttackSpec] = &[
    single::FGSM,
    single::R_FGSM,
    single::FAST,
    pgd::BIM,
    pgd::PGD,
    pgd::EOT_PGD,
    transfer::MI,
    apgd::CE,
    apgd::DLR,
    apgd::TARGETS,
    transfer::NI,
    transfer::SI_NI,
    transfer::DI,
    transfer::TI,
    transfer::VMI,
    transfer::VNI,
    autoattack::AUTOATTACK,
    deepfool::DEEPFOOL,
    newtonfool::NEWTONFOOL,
    fab::FAB,
    fab::FAB_T,
    cw::CW,
    ead::EAD,
    ddn::DDN,
    fmn::FMN,
    onepixel::ONE_PIXEL,
    jsma::JSMA,
    sparsefool::SPARSEFOOL,
    sigma_zero::SIGMA_ZERO,
    square::SQUARE,
    estimate::NES,
    estimate::SPSA,
    simba::SIMBA,
    bandits::BANDITS,
    uap::UAP,
    patch::PATCH,
    spatial::ROTATE,
    spatial_gradient::ROTATE_GRADIENT,
    stadv::STADV,
    colour::COLOUR,
    boundary::BOUNDARY,
    hopskipjump::HOPSKIPJUMP,
    geoda::GEODA,
    signopt::SIGN_OPT,
    baselines::NOISE,
    baselines::UNIFORM_NOISE,
    baselines::GAUSSIAN_NOISE,
    baselines::SALT_PEPPER,
    fading::BLUR,
    fading::CONTRAST,
    fading::BLEND,
];

/// Finds an attack by its identifier.
///
/// # Errors
/// Usage, with the nearest known name.
pub fn find(id: &str) -> Result<&'static AttackSpec> {
    ATTACKS.iter().find(|a| a.id == id).ok_or_else(|| {
        let known = ATTACKS.iter().map(|a| a.id);
        Error::unknown("attack", id, "--attack", known, "`epsiloscope attacks`")
    })
}
