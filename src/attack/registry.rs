//! The list of attacks. A new attack is a file in `methods` and a row here.

use crate::attack::methods::{
    apgd, autoattack, bandits, baselines, boundary, colour, cw, ddn, deepfool, ead, fab, fgsm,
    finite_differences, fmn, geoda, hopskipjump, interpolation, jsma, mi_fgsm, newtonfool,
    onepixel, patch, pgd, sigma_zero, signopt, simba, sparsefool, spatial, spatial_gradient,
    square, stadv, uap,
};
use crate::attack::spec::AttackSpec;
use crate::error::{Error, Result};

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
    apgd::TARGETED,
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
