//! Defences: transformations of the input and other networks, each with the way an adaptive attack
//! gets through it.

mod registry;
mod transform;
mod twin;

pub use registry::{Build, DEFENCES, DefencePlan, DefenceSpec, Passage};
pub use transform::{Transform, apply, jpeg};
