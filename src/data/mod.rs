//! Images, samples and data sets, and the files that they are read from and written to. Pixels are
//! `f32` in `0..=1`, laid out `[C, H, W]`.

mod cifar;
mod cosines;
mod dataset;
mod decoded;
mod digest;
mod idx;
mod image;
mod image_file;
mod lock;
pub mod memory;
mod npy;
mod read;
mod registry;
mod resample;
mod save;
mod spec;

pub use self::image::Image;
pub use cosines::cosines;
pub use dataset::{Dataset, Sample};
pub use digest::{Digest, sha256};
pub use image_file::read_image;
pub use lock::FileLock;
pub use npy::save_npy;
pub use read::{check_plain_file, read_bounded};
pub use registry::DATASETS;
pub use resample::ResizeFilter;
pub use save::{check_writable, same_file, save_png, write_atomically};
pub use spec::{DatasetSpec, EpsilonRange, Epsilons, TrainingData};

/// A pipe at this path, for tests.
#[cfg(all(test, unix))]
pub(crate) fn make_pipe(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
