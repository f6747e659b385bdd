//! Samples, data sets and pictures. Pixels are always `f32` in `0..=1`, laid out `[C, H, W]`.

mod cifar;
mod cosines;
mod dataset;
mod digest;
mod file;
mod idx;
mod lock;
pub mod memory;
mod npy;
mod photo;
mod picture;
mod read;
mod resample;
mod save;
mod training;

pub use cosines::cosines;
pub use dataset::{DATASETS, Dataset, DatasetRow, Sample, imagenet_labels};
pub use digest::{Digest, sha256};
pub use file::read_picture;
pub use lock::Lock;
pub use npy::save_npy;
pub use picture::{Filter, Picture};
pub use read::{plain, read_bounded};
pub use save::{atomically, same_file, save_png, writable};
pub use training::TrainingData;

/// A pipe at this path, for tests.
#[cfg(all(test, unix))]
pub(crate) fn make_pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
