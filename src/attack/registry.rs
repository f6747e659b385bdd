//! The one place where every attack is declared. Menus, flags, help, reports and the conformance
//! tests are made from these rows.

use crate::attack::methods::{
    apgd, autoattack, bandits, baselines, boundary, colour, cw, ddn, deepfool, ead, fab, fgsm,
    finite_differences, fmn, geoda, hopskipjump, interpolation, jsma, mi_fgsm, newtonfool,
    onepixel, patch, pgd, sigma_zero, signopt, simba, sparsefool, spatial, spatial_gradient,
    square, stadv, uap,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::{DecisionOracle, GradientOracle, ScoreOracle};
use crate::attack::problem::{AttackOutput, Problem};
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
/// [`DecisionOracle`] oracle *cannot* look at logits or gradients.
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

/// What bounds an attack's perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// The ε-ball: the attack uses it up, and succeeds where it reaches its goal inside.
    #[serde(rename = "budget")]
    FixedEpsilon,
    /// Nothing: the attack looks for the least perturbation that reaches its goal, and succeeds at
    /// ε where that is no larger. Where it finds none it returns the original.
    #[serde(rename = "least")]
    MinimumNorm,
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
    pub bound: Bound,
    /// Whether it can aim at a chosen class.
    pub targeted: bool,
    /// Whether it draws random numbers at its defaults, so that another seed gives another result.
    pub random: bool,
    /// Whether it learns from many pictures at once ([`Problem::training_images`]), so that one picture's
    /// result depends on the others.
    pub universal: bool,
    /// Its parameters.
    pub params: &'static [Param],
    /// One line: what it does.
    pub summary: &'static str,
    /// One paragraph: how it works and what to notice.
    pub about: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// The algorithm.
    pub run: Algorithm,
}

impl AttackSpec {
    /// What it may know of its victim.
    pub fn knowledge(&self) -> Knowledge {
        match self.run {
            Algorithm::Decision(_) => Knowledge::Decision,
            Algorithm::Score(_) => Knowledge::Score,
            Algorithm::Gradient(_) => Knowledge::Gradient,
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
    fgsm::FGSM,
    fgsm::R_FGSM,
    fgsm::FAST,
    pgd::BIM,
    pgd::PGD,
    pgd::EOT_PGD,
    mi_fgsm::MI,
    apgd::CE,
    apgd::DLR,
    apgd::TARGETS,
    mi_fgsm::NI,
    mi_fgsm::SI_NI,
    mi_fgsm::DI,
    mi_fgsm::TI,
    mi_fgsm::VMI,
    mi_fgsm::VNI,
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
    finite_differences::NES,
    finite_differences::SPSA,
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
    interpolation::BLUR,
    interpolation::CONTRAST,
    interpolation::BLEND,
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
