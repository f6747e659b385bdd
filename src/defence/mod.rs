//! Defences: transformations before a network, changes inside it, detectors behind it, and how an
//! attacker who knows of them sees the whole.
//!
//! Each is a row of [`DEFENCES`] whose `build` changes a [`PipelineBuilder`]; a [`DefenceStack`] of rows makes a
//! [`Pipeline`]: stages (transformations of the image), networks, and a rule that makes one answer
//! of several. An attacker meets the pipeline as [`AttackerView`]: under a [`Stance`] that says how much of
//! it the attack knows. Everything random is keyed by seed, image and number of the draw, and what
//! the attack draws is never what the judge draws.

mod aggregation;
mod architecture;
mod attacker_view;
mod bayes;
mod branch;
mod build;
mod builder;
mod calibration;
mod certified;
mod detection;
mod detector;
mod ensemble;
mod input;
mod pipeline;
mod pixel_move;
mod registry;
pub mod saved;
mod smoothing;
mod spec;
mod stack;
mod stance;
mod trained;
mod transform;

pub use aggregation::Aggregation;
pub use attacker_view::{AttackerView, EOT_DRAWS, JUDGE_VOTES, Prediction};
pub use builder::{ModelProvider, PipelineBuilder};
pub use calibration::is_calibration_sample;
pub use detector::{DetectionScore, Detector};
pub use input::jpeg;
pub use pipeline::Pipeline;
pub use registry::DEFENCES;
pub use spec::{Build, DefenceSpec};
pub use stack::{DefenceConfig, DefenceStack};
pub use stance::Stance;
pub use transform::{BackwardRule, PipelineStage, Transform, backward, forward};
