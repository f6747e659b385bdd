//! Training sets, from the user's own copies of the files.

use crate::data::{Dataset, cifar, idx};
use crate::error::Result;
use std::path::Path;

/// A training set, and the whole test set where only a part of it is built in.
pub struct TrainingData {
    /// To train on.
    pub training: Dataset,
    /// To measure on, if the folder holds it and the program does not.
    pub test: Option<Dataset>,
}

impl TrainingData {
    /// Reads the training set of the data set `id` from `folder`.
    ///
    /// # Errors
    /// Failure, naming the file that is missing or damaged.
    pub fn read(id: &str, folder: &Path) -> Result<Self> {
        if id != "cifar10" {
            return Ok(Self { training: idx::read_training_set(id, folder)?, test: None });
        }
        let (training, test) = cifar::read(folder)?;
        let dataset = |(pixels, labels): cifar::Records| {
            let names = cifar::CIFAR10.iter().map(|n| n.to_string()).collect();
            Dataset::from_bytes(id, cifar::SHAPE, pixels, labels, names)
        };
        Ok(Self { training: dataset(training), test: test.map(dataset) })
    }
}
