//! Training: recipes, the loop, checkpoints. Stands above attacks and experiments (the card's
//! numbers come from `evaluate`).
//!
//! Parameters and their moments are plain lists on the CPU. A step draws a batch, lets the method's
//! inner attack at it (`inner`), and asks the network for the gradients of its weights, starting
//! from the closed-form gradient of the method's loss with respect to the logits (`loss`); so no
//! method needs a derivative of its own, every device trains by the same arithmetic, and a resumed
//! run ends in the same weights, bit for bit, as one that was never interrupted.

mod adam;
mod batch;
mod checkpoint;
mod export;
mod inner_attack;
mod loss;
mod nets;
mod progress;
mod recipe;
mod recipes;
mod reparametrisation;
mod run;
mod spectral;
mod step_loss;
#[cfg(test)]
mod tests;
mod trainer;

pub use progress::{RobustnessProbe, TrainingProgress};
pub use recipe::{InnerAttack, Recipe, StartPoint, TrainingMethod};
pub use recipes::RECIPES;
pub use run::{TrainOptions, run};
