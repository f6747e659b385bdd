//! Training: recipes, the loop, checkpoints. Stands above attacks (adversarial training attacks
//! every batch) and experiments (the card's numbers come from `evaluate`).
//!
//! The loop holds its parameters as plain tensors and tracks them afresh each step, through the same
//! builder that loads a card; so a checkpoint is nothing but those tensors, and a resumed run ends in
//! the same weights, bit for bit, as one that was never interrupted.

mod adam;
mod checkpoint;
mod recipe;
mod run;

pub use recipe::{Adversary, RECIPES, Recipe};
pub use run::{Progress, TrainOptions, run};
