//! Defences: what stands before, inside and behind a network, and how an attack sees it that knows
//! of it.
//!
//! Each is a row of [`DEFENCES`] whose `build` changes a [`Draft`]; a [`Stack`] of rows makes a
//! [`Pipeline`]: stages (transformations of the picture), networks, and a rule that makes one answer
//! of several. An attacker meets the pipeline as [`Seen`]: under a [`Stance`] that says how much of
//! it the attack knows. Everything random is keyed by seed, picture and number of the draw, and what
//! the attack draws is never what the judge draws.

mod architecture;
mod bayes;
mod detection;
mod draft;
mod ensemble;
mod input;
mod pipeline;
mod pool;
mod registry;
pub mod saved;
mod seen;
mod smoothing;
mod stack;
mod trained;
mod transform;

pub use detection::{Guard, Suspicion, calibrates};
pub use draft::{Draft, Shelf};
pub use input::jpeg;
pub use pipeline::Pipeline;
pub use pool::Rule;
pub use registry::{Build, DEFENCES, DefenceSpec, Passage};
pub use seen::{DRAWS, Seen, Stance, VOTES};
pub use stack::{DefencePlan, Stack};
pub use transform::{Stage, Transform, back, travel};
