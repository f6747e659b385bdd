//! The training loop.

use crate::attack::Flow;
use crate::data::{FileLock, TrainingData};
use crate::error::{Error, Result};
use crate::experiment;
use crate::model::Card;
use crate::training::progress::TrainingProgress;
use crate::training::recipe::Recipe;
use crate::training::trainer::Trainer;
use crate::training::{checkpoint, export};
use burn_tensor::Device;
use std::path::PathBuf;

/// What to train, from what, to where.
pub struct TrainOptions {
    /// The recipe's identifier.
    pub recipe: String,
    /// The folder with the data set's files.
    pub data: PathBuf,
    /// The folder for card, weights and checkpoint.
    pub out: PathBuf,
    /// The seed of all randomness.
    pub seed: u64,
    /// Other than the recipe's number of epochs.
    pub epochs: Option<usize>,
}

/// Trains a model, or a pair; picks up from a checkpoint in `out` if there is one. Card and weights
/// are written at the end, with the measured accuracies; a pair's into a folder each.
///
/// # Errors
/// Cancelled, when `watch` stops it (the checkpoint is written first); usage for an unknown recipe;
/// failure for data or folders that cannot be read or written; device failures.
pub fn run(
    options: &TrainOptions,
    device: &Device,
    info: &experiment::DeviceInfo,
    watch: &mut dyn FnMut(&TrainingProgress) -> Flow,
) -> Result<Vec<Card>> {
    let recipe = Recipe::find(&options.recipe)?;
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|e| Error::io("make the folder", out, &e))?;
    let data = TrainingData::read(recipe.dataset, &options.data)?;
    let epochs = options.epochs.unwrap_or(recipe.epochs).max(1);
    let mut trainer = Trainer::new(recipe, &data.training, options.seed, epochs, device)?;
    let checkpoint = out.join("checkpoint.safetensors");
    let _lock = FileLock::take(&checkpoint)?;
    let identity = trainer.identity()?;
    let first = match checkpoint.exists() {
        true => {
            let networks = &mut trainer.networks;
            checkpoint::load(&checkpoint, &identity, networks, options.seed, epochs)?
        }
        false => 0,
    };
    trainer.train(first, (&checkpoint, &identity), watch)?;
    let cards = export::export(&trainer, data.test, out, info, watch)?;
    let _ = std::fs::remove_file(&checkpoint);
    Ok(cards)
}
