//! What the registry holds of each data set.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::norm::Norm;
use std::fmt;
use std::path::Path;

/// A training set, and the whole test set where only a part of it is built in.
pub struct TrainingData {
    /// To train on.
    pub training: Dataset,
    /// To measure on, if the folder holds it and the program does not.
    pub test: Option<Dataset>,
}

/// How to read a training set from a folder with the user's own copy of its files.
pub type ReadTraining = fn(&DatasetSpec, &Path) -> Result<TrainingData>;

/// ε of one norm in pixel units (0..1): the one to begin with, and the largest worth offering.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpsilonRange {
    /// The ε to begin with.
    pub default: f64,
    /// The upper end of a slider.
    pub largest: f64,
}

/// ε for each norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epsilons {
    /// Number of values changed.
    pub l0: EpsilonRange,
    /// Sum of the changes.
    pub l1: EpsilonRange,
    /// Euclidean length.
    pub l2: EpsilonRange,
    /// Largest change of any value.
    pub linf: EpsilonRange,
}

impl Epsilons {
    /// That of a norm.
    pub fn of(&self, norm: Norm) -> EpsilonRange {
        match norm {
            Norm::L0 => self.l0,
            Norm::L1 => self.l1,
            Norm::L2 => self.l2,
            Norm::Linf => self.linf,
        }
    }
}

/// A data set's row: all that the program knows of it.
pub struct DatasetSpec {
    /// The name used on the command line.
    pub id: &'static str,
    /// The name used on the screen.
    pub title: &'static str,
    /// Number of samples that are built in.
    pub len: usize,
    /// One line: what it is and whose.
    pub about: &'static str,
    /// The licence of its images.
    pub licence: &'static str,
    /// Default and largest ε per norm, for models of this data set.
    pub epsilons: Epsilons,
    /// Whether its images are bright on black.
    pub black_background: bool,
    /// Whether models of it may be shown any colour image.
    pub any_image: bool,
    /// Names of its classes.
    pub(super) labels: fn() -> Vec<String>,
    /// Reads the built-in samples.
    pub(super) read: fn(&Self) -> Result<Dataset>,
    /// Reads its training set; none where it has none.
    pub(super) read_training: Option<ReadTraining>,
}

impl fmt::Debug for DatasetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatasetSpec").field(&self.id).finish()
    }
}

impl DatasetSpec {
    /// Names of its classes.
    pub fn labels(&self) -> Vec<String> {
        (self.labels)()
    }

    /// Reads its built-in samples.
    ///
    /// # Errors
    /// Failure, where they are damaged.
    pub(super) fn read(&self) -> Result<Dataset> {
        let mut dataset = (self.read)(self)?;
        dataset.title = self.title.into();
        Ok(dataset)
    }

    /// Its training set, from a folder with the user's own copy of the files.
    ///
    /// # Errors
    /// Usage, where there is no way to read one; failure, naming the file that is missing or damaged.
    pub fn training(&self, folder: &Path) -> Result<TrainingData> {
        let read = self.read_training.ok_or_else(|| {
            let what = format!("'{}' has no training set", self.id);
            Error::usage(what, "--data", "choose a recipe for another data set")
        })?;
        read(self, folder)
    }
}
