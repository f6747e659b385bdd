//! Samples, data sets and pictures. Pixels are always `f32` in `0..=1`, laid out `[C, H, W]`.

mod cifar;
mod cosines;
mod dataset;
mod file;
mod idx;
pub mod memory;
mod picture;
mod read;
mod save;
mod training;

pub use cosines::cosines;
pub use dataset::{DATASETS, Dataset, DatasetRow, Sample, imagenet_labels};
pub use file::read_picture;
pub use picture::{Filter, Picture};
pub use read::read_bounded;
pub use save::{atomically, save_npy, save_png};
pub use training::TrainingData;
