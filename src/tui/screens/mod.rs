//! The screens, each in a folder of its own. A new one is its folder and its row here.

pub mod attack_parameters;
pub mod certificate;
pub mod checks;
pub mod compare;
pub mod defences;
pub mod explore;
pub mod help;
pub mod learn;
mod measurement;
pub mod messages;
pub mod minimum_epsilon;
pub mod race;
pub mod roc;
pub mod transfer;

use super::screen::ScreenSpec;

/// Every screen, in the order of help. The first is the one at the bottom.
pub static SCREENS: &[&ScreenSpec] = &[
    &explore::SPEC,
    &race::SPEC,
    &learn::SPEC,
    &compare::SPEC,
    &minimum_epsilon::SPEC,
    &transfer::SPEC,
    &certificate::SPEC,
    &roc::SPEC,
    &checks::SPEC,
    &attack_parameters::SPEC,
    &defences::SPEC,
    &help::SPEC,
    &messages::SPEC,
];
